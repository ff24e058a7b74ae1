/* SPDX-License-Identifier: MIT */
/* When an account was last there (XEP-0012). */
#ifndef CAUSEWAY_STORE_SEEN_H
#define CAUSEWAY_STORE_SEEN_H

#include "gateway/base/arena.h"
#include "gateway/store/store.h"

enum { SEEN_STATUS_BYTES = 1024 };

/* Inside a transaction: it went now. `status` NULL or too long: nothing was said. */
MUST_USE bool seen_put(struct store_tx *tx, const char *account, const char *status, struct error *e);
MUST_USE bool seen_account_gone(struct store_tx *tx, const char *account, struct error *e);

/* Read. After done: at_us and status (in `arena`, which is the caller's). */
struct seen_get {
    struct store_job job;
    struct arena arena;
    const char *account;
    bool found; /* false: it never was */
    int64_t at_us;
    const char *status;
};
void seen_get(struct store *s, struct seen_get *g);

#endif
