/* SPDX-License-Identifier: MIT */
/* All that one domain sends to one attached service, in order: the same queue as a pair's, but its stream is the
 * service's own, there or not. What is kept waits for it in the store, to the same deadline; what is not is
 * refused while it is away. What is sent counts as taken when the service has answered a ping behind it. Loop: the
 * service's. */
#ifndef CAUSEWAY_S2S_S2S_COMPONENT_WAY_H
#define CAUSEWAY_S2S_S2S_COMPONENT_WAY_H

#include "gateway/net/stream.h"
#include "gateway/store/received.h"
#include "s2s/s2s_attempts.h"

struct s2s_component_way;
struct s2s_shard;

/* What the ways of one service share; it outlives them. */
struct s2s_component_side {
    struct s2s_shard *shard;
    struct stream *stream;   /* NULL: the service is not there */
    bool takes_no_pings;     /* it has left one unanswered, and never answered any: what is written counts as taken */
    struct s2s_attempts away; /* what senders are told while it is not there */
    void (*on_silence)(struct s2s_component_side *side); /* a ping was not answered in time */
};

struct s2s_component_way *s2s_component_way_create(struct s2s_component_side *side, const char *from,
                                                   const char *domain);
void s2s_component_way_destroy(struct s2s_component_way **w); /* while nothing is read for it */
const char *s2s_component_way_from(const struct s2s_component_way *w);

void s2s_component_way_send(struct s2s_component_way *w, struct stanza *st, struct queue_id id);
void s2s_component_way_wake(struct s2s_component_way *w); /* rows wait in the store */
/* The service's stream came (side->stream), or can take more. */
void s2s_component_way_go_on(struct s2s_component_way *w);
/* It went; `faulted`: it found fault with what it was sent. */
void s2s_component_way_interrupt(struct s2s_component_way *w, bool faulted);
/* side->takes_no_pings was set: what was sent is taken. */
void s2s_component_way_confirm(struct s2s_component_way *w);
/* Is `id` that of its ping? */
MUST_USE bool s2s_component_way_answer(struct s2s_component_way *w, const char *id);
/* From time to time: what has waited too long returns. */
void s2s_component_way_look(struct s2s_component_way *w);
/* Nothing waits, here or in the store, and nothing is read. */
bool s2s_component_way_is_done(const struct s2s_component_way *w);
bool s2s_component_way_is_read(const struct s2s_component_way *w); /* the store reads for it: it may not be destroyed */
void s2s_component_way_stop(struct s2s_component_way *w);          /* nothing more is read for it */

#endif
