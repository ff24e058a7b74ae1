/* SPDX-License-Identifier: MIT */
/* Numbered messages of another community, each taken once. The numbers (struct queue_id) rise on every
 * stream, but messages to different people commit in any order, so what was taken is a set: the ids
 * behind `settled`, up to which the sender says that nothing comes again.
 *
 * An id is remembered from the moment its message is taken; its row (received.h) is written in the
 * transaction that keeps the message, or the error that answers it. So a copy that comes while the first is
 * still being written waits for it, and one that comes after a crash is known from the rows. What is
 * neither kept nor answered (states of strangers) is remembered in memory alone.
 *
 * Everything of the pair passes here once its gateway numbers, also what has no number: order. What was
 * taken is loaded before the first of it is looked at; meanwhile, and while the store cannot write, all
 * waits. A pair may have IDS_MAX ids; what comes beyond is taken as if it had no number. */
#include "gateway/exchange/origin.h"

#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/exchange/event.h"
#include "gateway/exchange/route.h"
#include "gateway/net/timer.h"

enum {
    IDS_MAX = 16384,     /* a sender has some thousand unsettled at most */
    FORGET_AT_ONCE = 256, /* ids that a write takes out of the store */
    RETRY_MS = 1000,
};

enum origin_state {
    ORIGIN_OPENING, /* what was taken is being read; events queue */
    ORIGIN_READY,
};

struct taken {
    struct queue_id id;
    bool pending; /* what becomes of it is not written yet */
};

struct origin {
    enum origin_state state;
    struct shard *shard;
    char *name;              /* "REMOTE LOCAL" */
    uint64_t epoch;
    int64_t number;          /* received.h */
    struct queue_id settled; /* nothing up to it comes again */
    struct taken *taken;     /* behind `settled`, rising */
    size_t count, cap;
    size_t forgotten;        /* ids that left `taken`, and whose rows are still there */
    struct list inbox;       /* events, while OPENING */
    struct list copies;      /* events whose first copy is pending */
    unsigned users;          /* jobs and marks that point here */
    bool overflowed;         /* it was said */
    struct timer retry;
};

struct origin_mark {
    struct command cmd;
    struct origin *o;
    int64_t number;
    struct queue_id id;
};

/* What hangs on an event as its data. */
struct arrival {
    const char *name;
    uint64_t epoch;
    struct queue_id id;
};

/* ---- what was taken ---- */

/* Where `id` is, or would be. */
static size_t place_of(const struct origin *o, struct queue_id id)
{
    size_t low = 0, high = o->count;
    if (high && queue_id_compare(o->taken[high - 1].id, id) < 0)
        return high; /* nearly always */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (queue_id_compare(o->taken[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct taken *find(struct origin *o, struct queue_id id)
{
    size_t at = place_of(o, id);
    return at < o->count && queue_id_compare(o->taken[at].id, id) == 0 ? &o->taken[at] : NULL;
}

static void insert(struct origin *o, struct queue_id id)
{
    size_t at = place_of(o, id);
    if (o->count == o->cap) {
        o->cap = o->cap ? 2 * o->cap : 64;
        struct taken *more = mem_array(o->cap, sizeof *more);
        if (o->count)
            memcpy(more, o->taken, o->count * sizeof *more);
        mem_free(o->taken);
        o->taken = more;
    }
    memmove(&o->taken[at + 1], &o->taken[at], (o->count - at) * sizeof *o->taken);
    o->taken[at] = (struct taken){id, true};
    o->count++;
}

/* ---- the end of a pair's record ---- */

static void origin_idle(struct origin *o)
{
    struct map *all = &o->shard->origins;
    if (all->count <= SHARD_IDLE_PAIRS || o->state != ORIGIN_READY || o->users || !list_is_empty(&o->copies))
        return;
    map_remove(all, o->name);
    origin_destroy(&o);
}

void origin_destroy(struct origin **op)
{
    struct origin *o = *op;
    *op = NULL;
    if (!o)
        return;
    timer_stop(&o->retry);
    event_destroy_all(&o->inbox);
    event_destroy_all(&o->copies);
    mem_free(o->taken);
    mem_free(o->name);
    mem_free(o);
}

/* ---- forgetting ---- */

struct forgetting {
    struct received_settle settle;
    struct origin *o;
    size_t rows;
};

static void on_forgotten(struct store_job *job, const struct error *e)
{
    struct forgetting *f = container_of(job, struct forgetting, settle.job);
    struct origin *o = f->o;
    if (e->code != ERROR_NONE)
        o->forgotten += f->rows; /* with the next ones */
    mem_free(f);
    o->users--;
    origin_idle(o);
}

static void settle(struct origin *o, struct queue_id id)
{
    if (queue_id_compare(id, o->settled) <= 0)
        return;
    o->settled = id;
    size_t gone = place_of(o, (struct queue_id){id.at_us, id.seq + 1});
    memmove(o->taken, o->taken + gone, (o->count - gone) * sizeof *o->taken);
    o->count -= gone;
    o->forgotten += gone;
    if (o->forgotten < FORGET_AT_ONCE)
        return;
    struct forgetting *f = mem_new(struct forgetting);
    f->o = o;
    f->rows = o->forgotten;
    f->settle.number = o->number;
    f->settle.settled = id;
    f->settle.job.reply_on = o->shard->loop;
    f->settle.job.done = on_forgotten;
    o->forgotten = 0;
    o->users++;
    received_settle(o->shard->x->store, &f->settle);
}

/* ---- taking ---- */

static void end_mark(struct origin_mark *m)
{
    struct origin *o = m->o;
    struct taken *t = find(o, m->id);
    if (t)
        t->pending = false;
    list_each (at, &o->copies) {
        struct event *copy = list_entry(at, struct event, node);
        const struct arrival *a = copy->data;
        if (queue_id_compare(a->id, m->id) != 0)
            continue;
        list_remove(at);
        event_destroy(&copy);
    }
    mem_free(m);
    o->users--;
    origin_idle(o);
}

static void run_end_mark(struct command *cmd)
{
    end_mark(container_of(cmd, struct origin_mark, cmd));
}

/* What must become of the message has, on the loop of whom it concerned. */
static void on_done(void *user, const struct error *e)
{
    struct origin_mark *m = user;
    (void)e;
    m->cmd.run = run_end_mark;
    if (loop_is_current(m->o->shard->loop))
        end_mark(m);
    else
        loop_post(m->o->shard->loop, &m->cmd);
}

bool origin_mark_put(struct store_tx *tx, const struct origin_mark *m, struct error *e)
{
    return received_put(tx, m->number, m->id, e);
}

static void mark(struct origin *o, struct event *ev, struct queue_id id)
{
    struct origin_mark *m = mem_new(struct origin_mark);
    m->o = o;
    m->number = o->number;
    m->id = id;
    insert(o, id);
    o->users++;
    ev->mark = m;
    ev->on_done = on_done;
    ev->on_done_user = m;
}

static void pass_on(struct event *ev)
{
    ev->data = NULL; /* whom it goes to has data of its own */
    if (ev->st->type != STANZA_TYPE_UNKNOWN) {
        route_event(ev);
        return;
    }
    route_refuse(ev, STANZA_BAD_REQUEST, NULL);
    event_destroy(&ev);
}

/* A copy of what was taken: settled when the first one is. */
static void take_copy(struct origin *o, struct event *ev, const struct taken *first)
{
    log_debug(NULL, "%s: %llu came again", o->name, (unsigned long long)((struct arrival *)ev->data)->id.seq);
    if (first && first->pending)
        list_append(&o->copies, &ev->node);
    else
        event_destroy(&ev);
}

static void take_numbered(struct origin *o, struct event *ev, struct queue_id id)
{
    const struct taken *first = find(o, id);
    if (first || queue_id_compare(id, o->settled) <= 0) {
        take_copy(o, ev, first);
        return;
    }
    if (o->count < IDS_MAX) {
        mark(o, ev, id);
    } else if (!o->overflowed) {
        o->overflowed = true;
        log_warn(NULL, "%s: more than %d messages are not settled; what comes now may come twice", o->name, IDS_MAX);
    }
    pass_on(ev);
}

static void open_origin(struct origin *o, uint64_t epoch);

static void take(struct origin *o, struct event *ev)
{
    const struct arrival *a = ev->data;
    if (a->epoch != o->epoch && !ev->st) { /* another store sends from now on */
        open_origin(o, a->epoch);
        list_prepend(&o->inbox, &ev->node);
    } else if (!ev->st) {
        settle(o, a->id);
        event_destroy(&ev);
    } else if (a->id.seq && a->epoch == o->epoch) {
        take_numbered(o, ev, a->id);
    } else {
        pass_on(ev);
    }
}

static void look_at_inbox(struct origin *o)
{
    struct list *first;
    o->users++; /* what is taken may be over at once, and the last of it would end the pair */
    while (o->state == ORIGIN_READY && (first = list_first(&o->inbox))) {
        list_remove(first);
        take(o, list_entry(first, struct event, node));
    }
    o->users--;
}

/* ---- opening ---- */

struct opening {
    struct received_open open;
    struct origin *o;
};

static void fill(struct origin *o, const struct received_open *r)
{
    mem_free(o->taken);
    o->number = r->number;
    o->settled = r->settled;
    o->count = r->count;
    o->cap = r->count + 64;
    o->taken = mem_array(o->cap, sizeof *o->taken);
    for (size_t i = 0; i < r->count; i++)
        o->taken[r->count - 1 - i] = (struct taken){r->ids[i], false};
    o->forgotten = 0;
    o->overflowed = false;
}

static void on_retry(struct timer *t)
{
    struct origin *o = container_of(t, struct origin, retry);
    open_origin(o, o->epoch);
}

static void on_open(struct store_job *job, const struct error *e)
{
    struct opening *p = container_of(job, struct opening, open.job);
    struct origin *o = p->o;
    o->users--;
    if (e->code == ERROR_NONE) {
        fill(o, &p->open);
        o->state = ORIGIN_READY;
    } else {
        log_error(NULL, "%s: what it sent cannot be read: %s", o->name, e->text);
        timer_start(&o->retry, o->shard->loop, RETRY_MS, on_retry);
    }
    arena_fini(&p->open.arena);
    mem_free(p);
    look_at_inbox(o);
    origin_idle(o);
}

static void open_origin(struct origin *o, uint64_t epoch)
{
    struct opening *p = mem_new(struct opening);
    o->state = ORIGIN_OPENING;
    o->epoch = epoch;
    o->users++;
    p->o = o;
    arena_init(&p->open.arena);
    p->open.pair = o->name;
    p->open.epoch = epoch;
    p->open.limit = IDS_MAX;
    p->open.job.reply_on = o->shard->loop;
    p->open.job.done = on_open;
    received_open(o->shard->x->store, &p->open);
}

static struct origin *get(struct shard *s, const struct arrival *a)
{
    struct origin *o = map_get(&s->origins, a->name);
    if (o)
        return o;
    o = mem_new(struct origin);
    o->shard = s;
    o->name = mem_dup(a->name);
    list_init(&o->inbox);
    list_init(&o->copies);
    map_put(&s->origins, o->name, o);
    open_origin(o, a->epoch);
    return o;
}

/* ---- on the way ---- */

static void arrive(struct command *cmd)
{
    struct event *ev = container_of(cmd, struct event, cmd);
    const struct arrival *a = ev->data;
    struct origin *o = get(exchange_shard_of(ev->x, a->name), a);
    list_append(&o->inbox, &ev->node);
    look_at_inbox(o);
    origin_idle(o);
}

void origin_receive(struct exchange *x, const struct origin_arrival *in, struct stanza *st, struct settle *s)
{
    struct event *ev = event_create(x, NULL, st);
    struct arrival *a = arena_new(&ev->arena, struct arrival);
    a->name = arena_printf(&ev->arena, "%s %s", in->remote, in->local);
    a->epoch = in->epoch;
    a->id = in->id;
    ev->data = a;
    ev->settle = s;
    event_post_shard(ev, a->name, arrive);
}
