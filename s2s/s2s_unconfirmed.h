/* SPDX-License-Identifier: MIT */
/* What a pair has sent and the peer has not confirmed, on one stream.
 *
 * What has the peer? Servers without XEP-0198 do not say, so a ping to the peer's domain follows each
 * burst: its answer proves that all before it was taken. One ping is under way at a time. It has no
 * resource to answer to: it is asked in the domain's name, and its answer comes on the peer's own stream,
 * by s2s_in through s2s_errand.
 *
 * Loop: the pair's. */
#ifndef CAUSEWAY_S2S_S2S_UNCONFIRMED_H
#define CAUSEWAY_S2S_S2S_UNCONFIRMED_H

#include "gateway/base/random.h"
#include "gateway/net/timer.h"
#include "s2s/s2s_item.h"
#include "s2s/s2s_numbering.h"

struct s2s_unconfirmed {
    struct s2s_numbering numbering; /* its `way` is ours */
    struct list items; /* kept ones, in order */
    uint64_t count;    /* of `items` */
    size_t bytes;
    char ping[RANDOM_ID_LEN + 1]; /* id of the one that is under way; "": none */
    uint64_t covered;             /* items that it covers, from the front */
    struct timer timer;           /* for its answer */
    void (*on_silence)(struct s2s_unconfirmed *u);
};

/* on_silence: a ping was not answered in time. */
void s2s_unconfirmed_init(struct s2s_unconfirmed *u, const struct s2s_way *way,
                          void (*on_silence)(struct s2s_unconfirmed *u));
void s2s_unconfirmed_fini(struct s2s_unconfirmed *u);

void s2s_unconfirmed_add(struct s2s_unconfirmed *u, struct s2s_item *it);
/* A ping behind all of them, unless one is under way or there are none. */
void s2s_unconfirmed_ping(struct s2s_unconfirmed *u, struct stream *st);
/* Is `id` that of the ping under way? Then what it covers has left the queue. */
MUST_USE bool s2s_unconfirmed_answer(struct s2s_unconfirmed *u, const char *id);
/* The stream has ended: all of them, in order, to the caller's list. */
void s2s_unconfirmed_end(struct s2s_unconfirmed *u, struct list *to);

#endif
