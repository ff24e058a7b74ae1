/* SPDX-License-Identifier: MIT */
/* Events on their way, in their lanes, and at their end. What an event means is its ops' business;
 * here stands only the order: admitted on arrival, performed from the head of the lane. */
#include "gateway/exchange/event.h"

#include <stddef.h>

#include "gateway/base/mem.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/origin.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/resource.h"

enum { EVENT_BYTES = 2000 }; /* the event of a kept message with all that it needs: one block */

struct event *event_create(struct exchange *x, const struct event_ops *ops, struct stanza *st)
{
    struct arena a;
    arena_init_sized(&a, EVENT_BYTES);
    struct event *ev = arena_new(&a, struct event);
    ev->arena = a;
    ev->x = x;
    ev->ops = ops;
    ev->st = st ? stanza_ref(st) : NULL;
    return ev;
}

struct event *event_follow(struct event *ev, const struct event_ops *ops, struct stanza *st)
{
    struct event *next = event_create(ev->x, ops, st);
    next->settle = ev->settle;
    next->on_done = ev->on_done;
    next->on_done_user = ev->on_done_user;
    next->mark = ev->mark;
    ev->settle = NULL;
    ev->on_done = NULL;
    ev->mark = NULL;
    return next;
}

void event_settle(struct event *ev)
{
    settle_release(&ev->settle);
    ev->mark = NULL;
    if (ev->on_done)
        ev->on_done(ev->on_done_user, &ev->error);
    ev->on_done = NULL;
}

void event_destroy(struct event **evp)
{
    struct event *ev = *evp;
    *evp = NULL;
    if (!ev)
        return;
    event_settle(ev);
    resource_unref(&ev->resource);
    stanza_unref(&ev->st);
    stanza_unref(&ev->push);
    struct arena arena = ev->arena; /* ev lies in it */
    arena_fini(&arena);
}

void event_destroy_all(struct list *events)
{
    list_each (at, events) {
        struct event *ev = list_entry(at, struct event, node);
        list_remove(at);
        event_destroy(&ev);
    }
}

/* ---- lanes ---- */

void event_weigh(struct event *ev)
{
    if (!ev->weight.is_known)
        ev->weight = message_weigh(ev->st);
}

void event_lane_init(struct lane *l)
{
    list_init(&l->events);
    l->busy = false;
}

bool event_lane_is_empty(const struct lane *l)
{
    return list_is_empty(&l->events);
}

void event_lane_run(struct lane *l)
{
    if (l->busy)
        return;
    l->busy = true;
    for (;;) {
        struct list *head = list_first(&l->events);
        if (!head)
            break;
        struct event *ev = list_entry(head, struct event, node);
        if (ev->state != EVENT_READY)
            break;
        ev->state = EVENT_WAITS;
        if (ev->ops->perform(ev) == EVENT_FINISHED) {
            list_remove(&ev->node);
            event_destroy(&ev);
        }
    }
    l->busy = false;
}

void event_submit(struct event *ev, struct lane *lane)
{
    ev->lane = lane;
    list_append(&lane->events, &ev->node);
    ev->state = ev->ops->admit ? ev->ops->admit(ev) : EVENT_READY;
    event_lane_run(lane);
}

void event_ready(struct event *ev)
{
    struct person *p = ev->person;
    struct pair *pair = ev->pair;
    struct lane *lane = ev->lane;
    ev->state = EVENT_READY;
    event_lane_run(lane);
    if (p)
        person_idle(p);
    if (pair)
        pair_idle(pair);
}

/* ---- on the way ---- */

/* Leaves its lane and what belonged to the actor there. */
static void depart(struct event *ev)
{
    list_remove(&ev->node);
    resource_unref(&ev->resource);
    ev->lane = NULL;
    ev->person = NULL;
    ev->pair = NULL;
    ev->loop = NULL;
}

static void dispatch(struct event *ev, struct shard *s, void (*run)(struct command *cmd))
{
    ev->cmd.run = run;
    loop_post(s->loop, &ev->cmd);
}

static void arrive_at_person(struct command *cmd)
{
    struct event *ev = container_of(cmd, struct event, cmd);
    struct shard *s = exchange_shard_of(ev->x, ev->actor->bare);
    struct person *p = person_get(s, ev->actor);
    ev->person = p;
    ev->loop = s->loop;
    if (p->state == PERSON_LOADING) {
        list_append(&p->inbox, &ev->node);
        return;
    }
    event_submit(ev, &p->in);
    person_idle(p);
}

void event_post(struct event *ev, const struct jid *actor)
{
    depart(ev);
    ev->actor = actor;
    dispatch(ev, exchange_shard_of(ev->x, actor->bare), arrive_at_person);
}

static void arrive_at_pair(struct command *cmd)
{
    struct event *ev = container_of(cmd, struct event, cmd);
    const char *name = ev->data;
    struct shard *s = exchange_shard_of(ev->x, name);
    ev->pair = pair_get(s, name);
    ev->loop = s->loop;
    struct pair *pair = ev->pair;
    event_submit(ev, pair_lane(pair));
    pair_idle(pair);
}

void event_post_pair(struct event *ev)
{
    depart(ev);
    ev->actor = NULL;
    char *name = arena_printf(&ev->arena, "%s %s", ev->st->from->domain, ev->st->to->domain);
    ev->data = name;
    dispatch(ev, exchange_shard_of(ev->x, name), arrive_at_pair);
}

void event_post_shard(struct event *ev, const char *key, void (*run)(struct command *cmd))
{
    depart(ev);
    struct shard *s = exchange_shard_of(ev->x, key);
    dispatch(ev, s, run);
}

/* ---- keeping ---- */

static void on_kept(struct store_job *job, const struct error *e)
{
    struct event_keep *k = container_of(job, struct event_keep, keep.job);
    struct event *ev = k->ev;
    if (e->code == ERROR_NONE) {
        ev->seq = k->keep.seq;
        event_settle(ev);
    } else {
        ev->error = *e;
    }
    event_ready(ev);
}

struct keep *event_keep_new(struct event *ev)
{
    CHECK(!ev->kept);
    ev->kept = arena_new(&ev->arena, struct event_keep);
    ev->kept->ev = ev;
    ev->kept->keep.stanza = ev->st;
    return &ev->kept->keep;
}

/* What whoever sent it must find after a crash is in the same transaction. */
static bool also_origin(struct store_tx *tx, struct keep *k, struct error *e)
{
    const struct event_keep *kept = container_of(k, struct event_keep, keep);
    struct event *ev = kept->ev;
    return (!ev->mark || origin_mark_put(tx, ev->mark, e)) && (!kept->also || kept->also(tx, k, e)) &&
           (!ev->settle || !ev->settle->save || ev->settle->save(tx, ev->settle, e));
}

void event_keep_start(struct event *ev)
{
    struct keep *k = &ev->kept->keep;
    if (ev->mark || (ev->settle && ev->settle->save)) {
        ev->kept->also = k->also;
        k->also = also_origin;
    }
    k->job.reply_on = ev->loop;
    k->job.done = on_kept;
    journal_keep(ev->x->store, k);
}
