/* SPDX-License-Identifier: MIT */
/* Exactly once between Causeways: which numbered messages of another community were taken. A row is
 * written in the transaction of what became of its message, and goes when the sender says that it will
 * not come again. What it means stands in gateway/exchange/origin.c, how it travels in s2s/README.md. */
#ifndef CAUSEWAY_STORE_RECEIVED_H
#define CAUSEWAY_STORE_RECEIVED_H

#include "gateway/base/arena.h"
#include "gateway/store/store.h"

/* A message's place in its sender's queue: when it was kept there and its journal row. Both rise
 * together; a store that was restored from a copy gives rows again, but under a later time. */
struct queue_id {
    int64_t at_us;
    uint64_t seq; /* 0: none */
};

/* < 0, 0, > 0: a is before, the same as, behind b. */
static inline int queue_id_compare(struct queue_id a, struct queue_id b)
{
    if (a.at_us != b.at_us)
        return a.at_us < b.at_us ? -1 : 1;
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}

/* What is remembered of a pair. An epoch is the life of a sender's store: another one than that of the
 * rows forgets them. A write. */
struct received_open {
    struct store_job job;
    struct arena arena;      /* the caller's */
    const char *pair;        /* "REMOTE LOCAL" */
    uint64_t epoch;
    size_t limit;            /* of ids: the newest */
    int64_t number;          /* out: of the pair, for the calls below; stays what it is */
    struct queue_id settled; /* out: all up to it were settled */
    struct queue_id *ids;    /* out: taken, behind `settled`; the newest first */
    size_t count;
};
void received_open(struct store *s, struct received_open *o);

/* Inside the transaction of what becomes of the message. */
MUST_USE bool received_put(struct store_tx *tx, int64_t number, struct queue_id id, struct error *e);

/* The sender will not send anything up to `settled` again: its rows go. A write. */
struct received_settle {
    struct store_job job;
    int64_t number;
    struct queue_id settled;
};
void received_settle(struct store *s, struct received_settle *r);

#endif
