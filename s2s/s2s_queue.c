/* SPDX-License-Identifier: MIT */
/* Decided here: the order in which stanzas leave, and what of it is in memory. */
#include "s2s/s2s_queue.h"

#include "gateway/base/mem.h"
#include "gateway/store/journal.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_way.h"

enum {
    FULL_ROWS = 256,
    PROBE_ROWS = 16,
    READ_AGAIN_MS = 10000,
};

#define PLACE_UNKNOWN UINT64_MAX /* behind all that are there */

void s2s_queue_init(struct s2s_queue *q, const struct s2s_way *way, void (*on_read)(struct s2s_queue *q))
{
    *q = (struct s2s_queue){.way = way, .fresh = true, .on_read = on_read};
    list_init(&q->waiting);
    list_init(&q->behind);
}

void s2s_queue_close(struct s2s_queue *q)
{
    q->closed = true;
    timer_stop(&q->read_timer);
}

void s2s_queue_fini(struct s2s_queue *q)
{
    CHECK(!q->reading);
    timer_stop(&q->read_timer);
    s2s_item_free_all(&q->waiting);
    s2s_item_free_all(&q->behind);
}

bool s2s_queue_is_done(const struct s2s_queue *q)
{
    return list_is_empty(&q->waiting) && !q->more_in_store && !q->reading;
}

bool s2s_queue_is_full(const struct s2s_queue *q)
{
    return q->waiting_bytes + q->behind_bytes >= q->way->shard->s2s->o.queue_bytes;
}

unsigned s2s_queue_count(const struct s2s_queue *q)
{
    unsigned n = 0;
    list_each(node, &q->waiting)
        n++;
    list_each(node, &q->behind)
        n++;
    return n;
}

/* ---- in ---- */

static void enqueue(struct s2s_queue *q, struct s2s_item *it)
{
    list_append(&q->waiting, &it->node);
    q->waiting_bytes += it->bytes;
    if (it->seq)
        q->newest_seq = it->seq;
}

static void put_behind(struct s2s_queue *q, struct s2s_item *it)
{
    it->place = it->seq ? it->seq : q->told_seq ? q->told_seq : PLACE_UNKNOWN;
    it->is_behind = true;
    list_append(&q->behind, &it->node);
    q->behind_bytes += it->bytes;
}

bool s2s_queue_told(struct s2s_queue *q, uint64_t seq)
{
    if (!q->told_seq) /* what came before and had no place is before it */
        list_each(node, &q->behind)
            s2s_item_of(node)->place = seq - 1;
    q->told_seq = seq;
    if (q->fresh)
        q->more_in_store = true;
    return seq > q->newest_seq;
}

void s2s_queue_add(struct s2s_queue *q, struct stanza *st, uint64_t seq, int64_t came_us)
{
    if (seq && s2s_queue_is_full(q))
        s2s_queue_leave_in_store(q); /* what comes later goes behind it */
    else if (q->more_in_store || q->reading)
        put_behind(q, s2s_item_new(st, seq, came_us));
    else
        enqueue(q, s2s_item_new(st, seq, came_us));
}

void s2s_queue_leave_in_store(struct s2s_queue *q)
{
    q->more_in_store = true;
}

void s2s_queue_put_back(struct s2s_queue *q, struct list *items)
{
    list_each(node, items)
        q->waiting_bytes += s2s_item_of(node)->bytes;
    list_splice(items, &q->waiting);
    list_splice(&q->waiting, items);
}

/* ---- out ---- */

struct s2s_item *s2s_queue_first(const struct s2s_queue *q)
{
    struct list *first = list_first(&q->waiting);
    return first ? s2s_item_of(first) : NULL;
}

void s2s_queue_take(struct s2s_queue *q, struct s2s_item *it)
{
    *(it->is_behind ? &q->behind_bytes : &q->waiting_bytes) -= it->bytes;
    it->is_behind = false;
    list_remove(&it->node);
}

/* ---- what the store has ---- */

struct window {
    struct queue_read read;
    struct s2s_queue *queue;
};

/* What stands behind rows up to `seq` follows them. */
static void release_behind(struct s2s_queue *q, uint64_t seq)
{
    struct list *first;
    while ((first = list_first(&q->behind)) && s2s_item_of(first)->place <= seq) {
        struct s2s_item *it = s2s_item_of(first);
        s2s_queue_take(q, it);
        if (it->seq && it->seq <= q->newest_seq)
            s2s_item_free(it); /* came from the store */
        else
            enqueue(q, it);
    }
}

static void take_rows(struct s2s_queue *q, const struct queue_read *read)
{
    log_debug(&q->way->log, "%u rows read behind row %llu%s", read->count, (unsigned long long)read->after,
              read->more ? ", there are more" : "");
    for (unsigned i = 0; i < read->count; i++) {
        const struct queue_row *r = &read->rows[i];
        release_behind(q, r->seq - 1);
        if (r->seq > q->newest_seq)
            enqueue(q, s2s_item_new(r->stanza, r->seq, r->kept_us));
    }
    q->more_in_store = q->more_in_store || read->more;
    if (!q->more_in_store)
        release_behind(q, PLACE_UNKNOWN);
}

static void on_read_again(struct timer *t)
{
    struct s2s_queue *q = container_of(t, struct s2s_queue, read_timer);
    q->on_read(q);
}

static void on_window(struct store_job *job, const struct error *e)
{
    struct window *w = container_of(job, struct window, read.job);
    struct s2s_queue *q = w->queue;
    struct s2s_shard *sh = q->way->shard;
    q->reading = false;
    sh->reads--;
    if (e->code != ERROR_NONE) {
        log_error(&q->way->log, "cannot read the queue: %s", e->text);
        q->more_in_store = true;
        if (!q->closed)
            timer_start(&q->read_timer, sh->loop, READ_AGAIN_MS, on_read_again);
    } else if (!q->closed) {
        take_rows(q, &w->read);
    }
    queue_read_fini(&w->read);
    mem_free(w);
    q->on_read(q);
    s2s_shard_check_stopped(sh);
}

void s2s_queue_read(struct s2s_queue *q, enum s2s_window size)
{
    if (q->closed || !q->more_in_store || q->reading || timer_is_running(&q->read_timer))
        return;
    struct window *w = mem_new(struct window);
    arena_init(&w->read.arena);
    w->queue = q;
    w->read.job.reply_on = q->way->shard->loop;
    w->read.job.done = on_window;
    w->read.queue = q->way->queue;
    w->read.after = q->newest_seq;
    w->read.limit = size == S2S_WINDOW_FULL ? FULL_ROWS : PROBE_ROWS;
    q->reading = true;
    q->fresh = false;
    q->more_in_store = false; /* set again when rows come that find no room */
    q->way->shard->reads++;
    journal_read_queue(q->way->shard->s2s->o.store, &w->read);
}
