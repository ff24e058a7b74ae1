/* SPDX-License-Identifier: MIT */
/* A stanza that a pair has, and what the pair knows of it. Loop: the pair's. */
#ifndef CAUSEWAY_S2S_S2S_ITEM_H
#define CAUSEWAY_S2S_S2S_ITEM_H

#include "gateway/base/list.h"
#include "gateway/store/journal.h"
#include "gateway/store/received.h"
#include "gateway/xmpp/stanza.h"

struct s2s_item {
    struct list node;
    struct stanza *st;
    uint64_t seq;    /* 0: not kept */
    bool is_behind;  /* it waits in the queue's `behind` (s2s_queue.h) ... */
    uint64_t place;  /* ... and goes behind this kept row */
    int64_t kept_us; /* when it was kept, or came to us */
    size_t bytes;
    unsigned sends;  /* streams on which it was, unconfirmed */
    unsigned risks;  /* of those: where a copy might be a second one, or it may be what ended the stream */
};

/* Counts the stanza anew. */
struct s2s_item *s2s_item_new(struct stanza *st, uint64_t seq, int64_t kept_us);
void s2s_item_free(struct s2s_item *it); /* takes it off its list */
void s2s_item_free_all(struct list *items);
struct s2s_item *s2s_item_of(struct list *node);
struct queue_id s2s_item_id(const struct s2s_item *it);
/* What is sent of it: with a delay stamp of the domain `by` (XEP-0203) if it did not leave when it was said. */
struct stanza *s2s_item_stamped(const struct s2s_item *it, const char *by, int64_t now_us);

#endif
