/* SPDX-License-Identifier: MIT */
/* Messages that the gateway makes itself and keeps. Internal to gateway/exchange. */
#ifndef CAUSEWAY_EXCHANGE_OWN_H
#define CAUSEWAY_EXCHANGE_OWN_H

#include "gateway/exchange/event.h"

/* Into the person's own lane, kept; archive_peer NULL: not archived. Borrowed. */
void own_deliver(struct person *p, struct stanza *msg, const char *archive_peer);
/* In the person's name, from no resource; done after the commit, on any loop. Borrowed. */
void own_send_as(struct person *p, struct stanza *msg, void (*done)(void *user, const struct error *e),
                 void *user);
/* The error that another community's silence or refusal makes of a stanza that had left; queue_seq is
 * its row in "s:LOCAL REMOTE", which goes with the commit of the error. Borrowed. */
void own_bounce(struct exchange *x, struct stanza *error, uint64_t queue_seq);
/* A notice to a person of ours, if there is such a one, kept. Any loop. Borrowed. */
void own_tell(struct exchange *x, struct stanza *msg);

#endif
