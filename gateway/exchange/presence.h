/* SPDX-License-Identifier: MIT */
/* Presence of a person's resources and subscriptions: RFC 6121 sections 3 and 4. Internal. */
#ifndef CAUSEWAY_EXCHANGE_PRESENCE_H
#define CAUSEWAY_EXCHANGE_PRESENCE_H

#include "gateway/exchange/event.h"
#include "gateway/exchange/subscription.h"

enum { PRESENCE_DIRECTED_MAX = 1000 };

/* From a resource of the person: available and unavailable, with and without `to`. */
extern const struct event_ops presence_sent_ops;
/* From a resource: subscribe, subscribed, unsubscribe, unsubscribed. */
extern const struct event_ops presence_subscription_sent_ops;
/* To the person: the same four; and a probe. */
extern const struct event_ops presence_subscription_in_ops;
extern const struct event_ops presence_probe_in_ops;

/* `entry` (a JID of the blocking list) was blocked: those it covers, who see the person, see it go; or is no
 * more: they see it again, and it asks for theirs (XEP-0191 3.3, 3.4). */
void presence_blocked(struct person *p, const struct jid *entry, bool blocked);
/* After a restart: as it was when it was saved; nobody is told. `st` NULL: not available. */
void presence_restore(struct resource *r, struct stanza *st, struct span directed);
/* Its client has come back. */
void presence_wake(struct resource *r);
/* Nobody is told. */
void presence_forget(struct resource *r);
/* The link is gone: unavailable to all who saw it. */
void presence_gone(struct resource *r);
/* The contact was removed from the roster while the state was `was` (RFC 6121 2.5.2). */
void presence_end_subscription(struct person *p, const struct jid *contact, enum subscription_state was);

#endif
