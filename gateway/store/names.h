/* SPDX-License-Identifier: MIT */
/* Bare JIDs and names of queues as numbers. The writer remembers those it met lately. */
#ifndef CAUSEWAY_STORE_NAMES_H
#define CAUSEWAY_STORE_NAMES_H

#include "gateway/base/map.h"
#include "gateway/store/store.h"

struct names {
    struct map by_name;
    bool added; /* in the open transaction: a rollback takes the number back */
};

void names_fini(struct names *n);
void names_committed(struct names *n);
void names_rolled_back(struct names *n);

/* On the writer. Makes the number when there is none yet; name NULL gives 0. */
MUST_USE bool names_put(struct store_tx *tx, struct names *n, const char *name, int64_t *id, struct error *e);
/* On the writer. 0: nobody ever used that name. */
MUST_USE bool names_find(struct store_tx *tx, struct names *n, const char *name, int64_t *id, struct error *e);
/* On a reader. */
MUST_USE bool names_lookup(struct store_tx *tx, const char *name, int64_t *id, struct error *e);

#endif
