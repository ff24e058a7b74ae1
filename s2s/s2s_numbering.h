/* SPDX-License-Identifier: MIT */
/* Kept messages pass exactly once between two Causeways (urn:causeway:queue:1): the sending pair's side, and
 * how both sides' words are read. Loop: the pair's. */
#ifndef CAUSEWAY_S2S_S2S_NUMBERING_H
#define CAUSEWAY_S2S_S2S_NUMBERING_H

#include "gateway/base/arena.h"
#include "gateway/store/received.h"
#include "gateway/xmpp/stanza.h"

struct s2s_way;
struct stream;

/* A sending pair's side of it. */
struct s2s_numbering {
    const struct s2s_way *way;
    bool on;                 /* the stream's peer takes numbers */
    struct queue_id settled; /* the newest that was confirmed */
    struct queue_id told;    /* what the peer was told */
    unsigned untold;         /* confirmed since then */
    uint64_t failed_seq;     /* the newest that failed, and may still be in the store; 0: none */
    bool looking;            /* the store is asked whether it is */
};
/* A stream is up and its peer offers it: before the first stanza. */
void s2s_numbering_begin(struct s2s_numbering *n, struct stream *st);
void s2s_numbering_end(struct s2s_numbering *n); /* the stream's end */
/* The next stanza will be the message of that place. */
void s2s_numbering_send(const struct s2s_numbering *n, struct stream *st, struct queue_id id);
/* With a ping: says what is settled, if that is much. */
void s2s_numbering_tell(struct s2s_numbering *n, struct stream *st);
/* All up to `id` has left the queue, confirmed, or failed as told here. */
void s2s_numbering_confirmed(struct s2s_numbering *n, struct queue_id id);
void s2s_numbering_failed(struct s2s_numbering *n, struct queue_id id);

struct s2s_settled {
    const char *from, *to; /* domains, prepared */
    uint64_t epoch;
    struct queue_id id;
};
/* false: not as it must be. */
MUST_USE bool s2s_numbering_read_settled(const struct stanza *st, struct arena *a, struct s2s_settled *out);
MUST_USE bool s2s_numbering_read_next(const struct stanza *st, struct queue_id *out);

#endif
