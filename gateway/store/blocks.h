/* SPDX-License-Identifier: MIT */
/* Blocked JIDs that are not a person's bare JID (those are in consent: sessions.h): domain,
 * domain/resource, user@domain/resource. XEP-0191. Prepared texts. */
#ifndef CAUSEWAY_STORE_BLOCKS_H
#define CAUSEWAY_STORE_BLOCKS_H

#include "gateway/base/arena.h"
#include "gateway/store/store.h"

/* Inside a transaction. */
MUST_USE bool blocks_put(struct store_tx *tx, const char *owner, const char *jid, struct error *e);
MUST_USE bool blocks_drop(struct store_tx *tx, const char *owner, const char *jid, struct error *e);
/* All of an owner, in `a`. */
MUST_USE bool blocks_read(struct store_tx *tx, const char *owner, struct arena *a, const char ***jids, unsigned *count,
                          struct error *e);
MUST_USE bool blocks_account_gone(struct store_tx *tx, const char *owner, struct error *e);

#endif
