/* SPDX-License-Identifier: MIT */
/* What providers sent, once each, and texts that wait for their sender's choice. Inside a transaction. */
#ifndef CAUSEWAY_CONTACT_ROUTER_RETURNS_STORE_H
#define CAUSEWAY_CONTACT_ROUTER_RETURNS_STORE_H

#include "gateway/base/arena.h"
#include "gateway/store/store.h"

/* Enters it. *was_done: it came before and all that it caused is committed. What came before `since_us` (0: ever)
 * was another one. *first_us: when it came first. */
MUST_USE bool returns_store_seen(struct store_tx *tx, const char *provider, const char *id, int64_t since_us,
                                 bool *was_done, int64_t *first_us, struct error *e);
MUST_USE bool returns_store_done(struct store_tx *tx, const char *provider, const char *id, struct error *e);
/* How many whose ids begin with "REF/" came since then. */
MUST_USE bool returns_store_count(struct store_tx *tx, const char *provider, const char *ref, int64_t since_us,
                                  int64_t *count, struct error *e);

struct returns_held { const char *text, *dedup, *choices; }; /* NULL: none */
MUST_USE bool returns_store_hold(struct store_tx *tx, const char *provider, const char *address, const char *text,
                                 const char *dedup, const char *choices, struct error *e);
MUST_USE bool returns_store_held(struct store_tx *tx, const char *provider, const char *address, int64_t since_us,
                                 struct arena *a, struct returns_held *out, struct error *e);
MUST_USE bool returns_store_unhold(struct store_tx *tx, const char *provider, const char *address, struct error *e);

#endif
