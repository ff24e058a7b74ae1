/* SPDX-License-Identifier: MIT */
/* Named random secrets of this store: drawn on first use, then for ever the same (dialback keys,
 * SCRAM's answers for accounts that do not exist, archive ids). */
#ifndef CAUSEWAY_STORE_SECRET_H
#define CAUSEWAY_STORE_SECRET_H

#include "gateway/store/store.h"

enum { SECRET_LEN = 32 };

/* Inside a write. */
MUST_USE bool secret_get(struct store_tx *tx, const char *name, unsigned char out[SECRET_LEN], struct error *e);
/* The same for start: this thread waits for the commit. */
MUST_USE bool secret_load(struct store *s, const char *name, unsigned char out[SECRET_LEN], struct error *e);

#endif
