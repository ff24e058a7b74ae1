/* SPDX-License-Identifier: MIT */
/* Where does this stanza go? The answer begins in route.c. Internal to gateway/exchange. */
#ifndef CAUSEWAY_EXCHANGE_ROUTE_H
#define CAUSEWAY_EXCHANGE_ROUTE_H

#include "gateway/exchange/event.h"
#include "gateway/exchange/service.h"

/* From a terminal. false: `from` is not its own; nothing was done, the settle stays the caller's. */
MUST_USE bool route_sent_from_link(struct resource *r, struct stanza *st, struct settle *s);
/* To wherever `to` of its stanza is; takes the event over (EVENT_MOVED). Any exchange loop. */
void route_event(struct event *ev);
/* The same for a stanza that the gateway made. Borrowed. */
void route_ours(struct exchange *x, struct stanza *st);
/* The error for ev's stanza goes to its sender and takes the settle along. ev itself stays. */
void route_refuse(struct event *ev, enum stanza_error e, const char *text);
/* A kept error has left its queue to another community. Any loop. */
void route_leave_answer_gone(struct exchange *x);
/* What the person sends to somebody whom the person has blocked (XEP-0191 3.5). */
void route_refuse_blocked(struct event *ev);
/* To the person's resources, as the table says. true: a link has been given it. */
bool route_deliver(struct event *ev);

/* A message in the person's name, in its out lane; from no resource: ev->resource is NULL. */
extern const struct event_ops route_sent_message_ops;

#endif
