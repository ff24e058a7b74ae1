/* SPDX-License-Identifier: MIT */
/* XEP-0379 for a person who made an invitation: a subscription request that brings its token is approved without
 * asking, and answered by a request of the person's own. The token is looked at before anything in memory changes, so a
 * wrong one moves nothing, and it is spent in the transaction that changes the roster. Internal. */
#ifndef CAUSEWAY_EXCHANGE_PRESENCE_PREAUTH_H
#define CAUSEWAY_EXCHANGE_PRESENCE_PREAUTH_H

#include "gateway/exchange/event.h"

struct presence_preauth; /* in the event's arena */

/* NULL: the request brings no token. Else event_ready comes when it was looked at. */
struct presence_preauth *presence_preauth_look(struct event *ev);
/* It was taken: presence_preauth_take has been asked. */
bool presence_preauth_is_looked_at(const struct presence_preauth *t);
/* Once: does it hold for that person? */
bool presence_preauth_take(struct presence_preauth *t);
/* For roster_also; ERROR_NOT_FOUND: somebody was quicker. */
bool presence_preauth_spend(struct store_tx *tx, void *token, struct error *e);

#endif
