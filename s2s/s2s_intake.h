/* SPDX-License-Identifier: MIT */
/* What an incoming stream has brought and the exchange has not settled yet. A stream that brings more than
 * can be settled, or brings something while nothing can be kept, is not read until that is over.
 * Loop: the stream's. */
#ifndef CAUSEWAY_S2S_S2S_INTAKE_H
#define CAUSEWAY_S2S_S2S_INTAKE_H

#include "gateway/base/list.h"
#include "gateway/net/stream.h"
#include "gateway/net/timer.h"
#include "gateway/store/received.h"

struct s2s_shard;

struct s2s_intake {
    struct s2s_shard *shard;
    struct stream *stream; /* NULL: stopped; no more comes, and it is not ours to hold up */
    struct list unsettled; /* struct inbound, in the order they came */
    size_t unsettled_bytes;
    uint8_t pauses;        /* why it is not read; 0: it is */
    struct timer rate;     /* until its domain is in credit again */
    void (*on_empty)(struct s2s_intake *k);
};

/* The place that a numbered stanza has in its sender's queue (s2s_numbering.h). */
struct s2s_place {
    uint64_t epoch;
    struct queue_id id; /* seq 0: this one has none */
};

/* on_empty: it was stopped, and all has settled; only then, and it may be freed there. */
void s2s_intake_init(struct s2s_intake *k, struct s2s_shard *sh, struct stream *st,
                     void (*on_empty)(struct s2s_intake *k));
/* Hands it to the exchange, in order. `place` NULL: its pair does not number. */
void s2s_intake_take(struct s2s_intake *k, struct stanza *st, const struct s2s_place *place);
/* Nothing of that pair up to `place` comes again: for the exchange, and counted like a stanza, for it can cost it a
 * reading of the store. */
void s2s_intake_settled(struct s2s_intake *k, const char *remote, const char *local, const struct s2s_place *place);
/* The store keeps things again. */
void s2s_intake_gate_open(struct s2s_intake *k);
bool s2s_intake_is_held_up(const struct s2s_intake *k);
/* Its stream ends; called once or again. */
void s2s_intake_stop(struct s2s_intake *k);
bool s2s_intake_is_empty(const struct s2s_intake *k);

#endif
