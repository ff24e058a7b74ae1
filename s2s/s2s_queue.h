/* SPDX-License-Identifier: MIT */
/* What waits to leave a pair, in order. Kept messages lie in the store's queue until the peer has them; up
 * to queue_bytes of them also wait here, the rest is read from the store in windows. While the store
 * holds something that is not here, whatever is said meanwhile waits in `behind` and takes its place as
 * the windows come. A new pair reads its queue first: what a former life left goes before what is said now.
 *
 *    to the peer <- waiting <- (rows of the store alone) <- behind <- s2s_queue_add
 *
 * Loop: the pair's. */
#ifndef CAUSEWAY_S2S_S2S_QUEUE_H
#define CAUSEWAY_S2S_S2S_QUEUE_H

#include "gateway/net/timer.h"
#include "s2s/s2s_item.h"

struct s2s_way;

struct s2s_queue {
    const struct s2s_way *way;
    struct list waiting; /* items in order */
    struct list behind;  /* items that go behind rows of the store; empty unless the store has some */
    size_t waiting_bytes, behind_bytes;
    uint64_t newest_seq; /* the newest kept row that is or was in `waiting`; rows behind it are the store's */
    uint64_t told_seq;   /* the newest kept row that the exchange gave us */
    bool fresh;          /* the store has not been looked at yet */
    bool more_in_store;  /* rows behind newest_seq may wait in the store alone */
    bool reading;
    bool closed;         /* the gateway goes down: what a window brings stays in the store */
    struct timer read_timer; /* the store could not be read: again */
    void (*on_read)(struct s2s_queue *q);
};

/* How much of the store's part is read at once. */
enum s2s_window {
    S2S_WINDOW_PROBE, /* enough to see whether the oldest rows are due */
    S2S_WINDOW_FULL,
};

/* on_read: a window came, or cannot be read now (then s2s_queue_read may be called again at once; it waits). */
void s2s_queue_init(struct s2s_queue *q, const struct s2s_way *way, void (*on_read)(struct s2s_queue *q));
void s2s_queue_close(struct s2s_queue *q); /* nothing more is read */
void s2s_queue_fini(struct s2s_queue *q);  /* not while a window is read; what waits here is dropped */

/* Nothing waits, here or in the store. */
bool s2s_queue_is_done(const struct s2s_queue *q);
/* What waits here has reached queue_bytes. */
bool s2s_queue_is_full(const struct s2s_queue *q);
unsigned s2s_queue_count(const struct s2s_queue *q); /* of what waits here */

/* The exchange has kept row `seq` for this way; before anything is done with it. false: a window brought
 * it already. */
MUST_USE bool s2s_queue_told(struct s2s_queue *q, uint64_t seq);
/* Behind all that waits. A kept one for which there is no room stays in the store. */
void s2s_queue_add(struct s2s_queue *q, struct stanza *st, uint64_t seq, int64_t came_us);
/* Kept rows wait in the store alone. */
void s2s_queue_leave_in_store(struct s2s_queue *q);
/* Before all that waits: unconfirmed items, in order; `items` is empty then. */
void s2s_queue_put_back(struct s2s_queue *q, struct list *items);

/* What is next; NULL: nothing, or the store has it. */
struct s2s_item *s2s_queue_first(const struct s2s_queue *q);
/* `it` is no more the queue's, but the caller's. */
void s2s_queue_take(struct s2s_queue *q, struct s2s_item *it);

/* Reads the next rows of the store, if it may have some and none are being read; on_read follows. */
void s2s_queue_read(struct s2s_queue *q, enum s2s_window size);

#endif
