/* SPDX-License-Identifier: MIT */
/* What a pair cannot deliver goes back to its sender with an error. Loop: the pair's. */
#ifndef CAUSEWAY_S2S_S2S_BOUNCE_H
#define CAUSEWAY_S2S_S2S_BOUNCE_H

#include "s2s/s2s_attempts.h"
#include "s2s/s2s_queue.h"
#include "s2s/s2s_unconfirmed.h"
#include "s2s/s2s_way.h"

/* What has not been queued, and is not kept. */
void s2s_bounce_at_once(const struct s2s_way *way, struct stanza *st, enum stanza_error e, const char *text);
/* One that the peer would not take; it is on no list any more. */
void s2s_bounce_too_big(struct s2s_numbering *n, struct s2s_item *it, uint64_t max_bytes);
/* After a failed attempt: what is not kept, and kept ones for which the failure is permanent or that have
 * waited too long. */
void s2s_bounce_waiting(struct s2s_queue *q, const struct s2s_attempts *why, struct s2s_numbering *n);
/* After a stream: what may not be tried on another one. `faulted`: the peer ended it for what was said on it. */
void s2s_bounce_unconfirmed(struct s2s_unconfirmed *u, bool faulted);

#endif
