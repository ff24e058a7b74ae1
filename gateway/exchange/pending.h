/* SPDX-License-Identifier: MIT */
/* Kept messages between their commit and the moment when one link of the person has them: what links
 * hold unreported (outstanding), and what waits in "u:BARE" for a link to come. Internal. */
#ifndef CAUSEWAY_EXCHANGE_PENDING_H
#define CAUSEWAY_EXCHANGE_PENDING_H

#include "gateway/exchange/resource.h"

struct person;

/* Gives a kept message to a link and remembers it until it is reported. */
void pending_give(struct resource *r, struct stanza *st, uint64_t seq);
/* The link has it: the row leaves "u:BARE". */
void pending_delivered(struct resource *r, uint64_t seq);
/* The link is gone: what it did not report goes to other resources, or waits in the queue. */
void pending_orphan(struct resource *r);
/* The link hibernates for long: sessions learn what it holds and has not reported. It keeps holding it. */
void pending_unreported(struct resource *r);
/* As if the link had never been given anything; the rows stay in the queue. */
void pending_forget(struct resource *r);
/* A resource has become available for messages: it gets what waits before anything newer
 * (XEP-0160). */
void pending_flush(struct person *p, struct resource *r);
/* For every resource, when event_ready says that the rows are in the queue; what comes after this call
 * waits behind it. */
struct event *pending_flush_later(struct person *p);
/* The copy that a link gets: with the archive's stanza-id (XEP-0359) if the person's archive has it,
 * and a delay stamp (XEP-0203) if kept_us is set. The count is the caller's. */
struct stanza *pending_dress(struct person *p, struct stanza *st, uint64_t seq, int64_t kept_us);

#endif
