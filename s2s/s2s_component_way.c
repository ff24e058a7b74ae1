/* SPDX-License-Identifier: MIT */
/* Decided here: what waits for a service that is away, and when it has what it was sent. */
#include "s2s/s2s_component_way.h"

#include "gateway/base/mem.h"
#include "s2s/s2s_bounce.h"
#include "s2s/s2s_internal.h"

struct s2s_component_way {
    struct s2s_way way;
    struct s2s_queue queue;
    struct s2s_unconfirmed unconfirmed;
    struct s2s_component_side *side;
};

static size_t room(const struct s2s_component_way *w)
{
    return w->side->shard->s2s->o.queue_bytes;
}

static bool is_there(const struct s2s_component_way *w)
{
    return w->side->stream && stream_is_open(w->side->stream);
}

/* ---- sending ---- */

static void send_item(struct s2s_component_way *w, struct s2s_item *it)
{
    struct stanza *st = s2s_item_stamped(it, w->way.local, clock_unix_us(loop_clock(w->side->shard->loop)));
    stream_send(w->side->stream, st);
    stanza_unref(&st);
    s2s_queue_take(&w->queue, it);
    if (it->seq && !w->side->takes_no_pings) {
        s2s_unconfirmed_add(&w->unconfirmed, it);
        return;
    }
    exchange_remote_done(w->side->shard->s2s->o.exchange, it->st, it->seq);
    s2s_item_free(it);
}

static void send_waiting(struct s2s_component_way *w)
{
    struct s2s_item *it;
    while ((it = s2s_queue_first(&w->queue)) && w->unconfirmed.bytes < room(w) &&
           stream_queued(w->side->stream) < S2S_OUT_HIGH_BYTES)
        send_item(w, it);
    s2s_unconfirmed_ping(&w->unconfirmed, w->side->stream);
    if (w->queue.waiting_bytes < room(w) / 2)
        s2s_queue_read(&w->queue, S2S_WINDOW_FULL);
}

void s2s_component_way_look(struct s2s_component_way *w)
{
    if (is_there(w))
        return;
    s2s_bounce_waiting(&w->queue, &w->side->away, &w->unconfirmed.numbering);
    if (!s2s_queue_first(&w->queue))
        s2s_queue_read(&w->queue, S2S_WINDOW_PROBE);
}

void s2s_component_way_go_on(struct s2s_component_way *w)
{
    if (is_there(w))
        send_waiting(w);
}

static void on_read(struct s2s_queue *q)
{
    struct s2s_component_way *w = container_of(q, struct s2s_component_way, queue);
    if (is_there(w))
        send_waiting(w);
    else
        s2s_component_way_look(w);
}

/* ---- what is said ---- */

static void send_while_away(struct s2s_component_way *w, struct stanza *st, struct queue_id id)
{
    if (id.seq)
        s2s_queue_leave_in_store(&w->queue);
    else
        s2s_bounce_at_once(&w->way, st, w->side->away.refused, w->side->away.text);
}

void s2s_component_way_send(struct s2s_component_way *w, struct stanza *st, struct queue_id id)
{
    int64_t now_us = clock_unix_us(loop_clock(w->side->shard->loop));
    if (id.seq && !s2s_queue_told(&w->queue, id.seq))
        return; /* a window brought it already */
    if (!is_there(w))
        send_while_away(w, st, id);
    else if (!id.seq && s2s_queue_is_full(&w->queue))
        s2s_bounce_at_once(&w->way, st, STANZA_RESOURCE_CONSTRAINT, "too much waits for that service");
    else
        s2s_queue_add(&w->queue, st, id.seq, id.seq ? id.at_us : now_us);
    s2s_component_way_go_on(w);
}

void s2s_component_way_wake(struct s2s_component_way *w)
{
    s2s_queue_leave_in_store(&w->queue);
    s2s_component_way_go_on(w);
    s2s_component_way_look(w);
}

/* ---- what it has ---- */

bool s2s_component_way_answer(struct s2s_component_way *w, const char *id)
{
    if (!s2s_unconfirmed_answer(&w->unconfirmed, id))
        return false;
    s2s_component_way_go_on(w);
    return true;
}

void s2s_component_way_confirm(struct s2s_component_way *w)
{
    struct list items;
    list_init(&items);
    s2s_unconfirmed_end(&w->unconfirmed, &items);
    list_each(node, &items) {
        struct s2s_item *it = s2s_item_of(node);
        exchange_remote_done(w->side->shard->s2s->o.exchange, it->st, it->seq);
        s2s_item_free(it);
    }
    s2s_component_way_go_on(w);
}

void s2s_component_way_interrupt(struct s2s_component_way *w, bool faulted)
{
    struct list items;
    list_init(&items);
    if (!w->queue.closed)
        s2s_bounce_unconfirmed(&w->unconfirmed, faulted);
    s2s_unconfirmed_end(&w->unconfirmed, &items);
    s2s_queue_put_back(&w->queue, &items);
    if (!w->queue.closed)
        s2s_component_way_look(w);
}

static void on_silence(struct s2s_unconfirmed *u)
{
    struct s2s_component_side *side = container_of(u, struct s2s_component_way, unconfirmed)->side;
    side->on_silence(side);
}

/* ---- life ---- */

struct s2s_component_way *s2s_component_way_create(struct s2s_component_side *side, const char *from,
                                                   const char *domain)
{
    struct s2s_component_way *w = mem_new(struct s2s_component_way);
    w->side = side;
    s2s_way_init(&w->way, side->shard, from, domain);
    s2s_queue_init(&w->queue, &w->way, on_read);
    s2s_unconfirmed_init(&w->unconfirmed, &w->way, on_silence);
    return w;
}

const char *s2s_component_way_from(const struct s2s_component_way *w)
{
    return w->way.local;
}

bool s2s_component_way_is_done(const struct s2s_component_way *w)
{
    return s2s_queue_is_done(&w->queue) && !w->unconfirmed.count;
}

bool s2s_component_way_is_read(const struct s2s_component_way *w)
{
    return w->queue.reading;
}

void s2s_component_way_stop(struct s2s_component_way *w)
{
    s2s_queue_close(&w->queue);
}

void s2s_component_way_destroy(struct s2s_component_way **wp)
{
    struct s2s_component_way *w = *wp;
    *wp = NULL;
    if (!w)
        return;
    s2s_queue_fini(&w->queue);
    s2s_unconfirmed_fini(&w->unconfirmed);
    s2s_way_fini(&w->way);
    mem_free(w);
}
