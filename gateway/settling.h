/* SPDX-License-Identifier: MIT */
/* Waits until all that was asked of the store has been answered, and what those answers asked for,
 * twice over. */
#ifndef CAUSEWAY_SETTLING_H
#define CAUSEWAY_SETTLING_H

#include "gateway/store/store.h"

struct settling {
    struct store_job job;
    struct store *store;
    unsigned left;
    void (*done)(struct settling *s);
};

/* done once, later, on `l`; also when the store fails. `s` is the caller's until then. */
void settling_begin(struct settling *s, struct store *store, struct loop *l,
                    void (*done)(struct settling *s));

#endif
