/* SPDX-License-Identifier: MIT */
/* Persons in memory: loaded on use, gone when idle for the longest. What sessions and services ask.
 */
#include "gateway/exchange/person.h"

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/carbon_copy.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/own.h"
#include "gateway/exchange/pending.h"
#include "gateway/exchange/repeat.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/roster.h"

/* ---- loading ---- */

enum { LOAD_RETRY_MS = 1000 };

struct load {
    struct roster_load rows;
    struct person *person;
};

static void look_at_inbox(struct person *p)
{
    struct list waiting;
    list_init(&waiting);
    list_splice(&waiting, &p->inbox);
    list_each (at, &waiting) {
        list_remove(at);
        event_submit(list_entry(at, struct event, node), &p->in);
    }
    person_idle(p);
}

static void load(struct person *p);

static void on_retry(struct timer *t)
{
    load(container_of(t, struct person, retry));
}

/* The store could not read: what concerns the person waits, nothing is refused for it. */
static void try_again(struct person *p)
{
    roster_destroy(&p->roster);
    timer_start(&p->retry, p->loop, LOAD_RETRY_MS, on_retry);
}

static void on_sessions(struct person *p, struct sessions *s)
{
    p->jobs--;
    if (!s) {
        try_again(p);
        return;
    }
    p->sessions = s;
    p->state = p->roster ? PERSON_READY : PERSON_NOBODY;
    session_ready(p);
    look_at_inbox(p);
}

static void on_roster(struct store_job *job, const struct error *e)
{
    struct load *l = container_of(job, struct load, rows.job);
    struct person *p = l->person;
    bool known = e->code == ERROR_NONE;
    if (!known)
        log_error(NULL, "%s cannot be loaded: %s", p->jid->bare, e->text);
    else if (l->rows.account_exists)
        p->roster = roster_create(&l->rows);
    p->barred = known && l->rows.account_disabled;
    arena_fini(&l->rows.arena);
    mem_free(l);
    if (known) {
        session_load(p, on_sessions);
        return;
    }
    p->jobs--;
    try_again(p);
}

static void load(struct person *p)
{
    struct load *l = mem_new(struct load);
    l->person = p;
    l->rows.owner = p->jid->bare;
    l->rows.job.reply_on = p->loop;
    l->rows.job.done = on_roster;
    l->rows.job.must_see = store_ticket(p->x->store);
    arena_init(&l->rows.arena);
    p->jobs++;
    roster_load(p->x->store, &l->rows);
}

static struct person *create(struct shard *s, const struct jid *bare)
{
    struct person *p = mem_new(struct person);
    p->x = s->x;
    p->shard = s;
    p->loop = s->loop;
    struct arena a;
    arena_init(&a);
    p->jid = jid_dup(jid_to_bare(&a, bare));
    arena_fini(&a);
    struct bytes queue = BYTES_EMPTY;
    bytes_printf(&queue, "u:%s", p->jid->bare);
    p->queue = bytes_take(&queue);
    p->community = exchange_community_or_none(s->x, p->jid->domain);
    list_init(&p->resources);
    list_init(&p->outstanding);
    list_init(&p->inbox);
    list_init(&p->turns);
    event_lane_init(&p->in);
    event_lane_init(&p->out);
    map_put(&s->persons, p->jid->bare, p);
    return p;
}

struct person *person_get(struct shard *s, const struct jid *bare)
{
    struct person *p = map_get(&s->persons, bare->bare);
    if (p)
        return p;
    p = create(s, bare);
    load(p);
    return p;
}

/* ---- leaving ---- */

static bool is_needed(const struct person *p)
{
    return p->jobs || p->state == PERSON_LOADING || p->in.busy || p->out.busy ||
           !list_is_empty(&p->resources) || !list_is_empty(&p->inbox) ||
           !event_lane_is_empty(&p->in) || !event_lane_is_empty(&p->out);
}

static void leave(struct person *p)
{
    struct shard *s = p->shard;
    if (list_is_linked(&p->lru_node)) {
        list_remove(&p->lru_node);
        s->idle_count--;
    }
    map_remove(&s->persons, p->jid->bare);
    person_destroy(&p);
}

void person_idle(struct person *p)
{
    struct shard *s = p->shard;
    if (list_is_linked(&p->lru_node)) {
        list_remove(&p->lru_node);
        s->idle_count--;
    }
    if (is_needed(p))
        return;
    if (p->state == PERSON_NOBODY || p->stale) {
        leave(p);
        return;
    }
    list_append(&s->idle, &p->lru_node);
    s->idle_count++;
    if (s->idle_count > SHARD_IDLE_PERSONS)
        leave(list_entry(list_first(&s->idle), struct person, lru_node));
}

void person_destroy(struct person **pp)
{
    struct person *p = *pp;
    *pp = NULL;
    if (!p)
        return;
    timer_stop(&p->retry);
    event_destroy_all(&p->inbox);
    event_destroy_all(&p->in.events);
    event_destroy_all(&p->out.events);
    CHECK(list_is_empty(&p->resources));
    if (p->sessions)
        session_unload(&p->sessions);
    roster_destroy(&p->roster);
    repeat_destroy(&p->repeats);
    carbon_copy_forget(p);
    CHECK(list_is_empty(&p->outstanding));
    bytes_fini(&p->reported);
    mem_free((void *)p->queue);
    jid_destroy(&p->jid);
    mem_free(p);
}

/* ---- questions ---- */

static const struct roster_item *item_of(struct person *p, const struct jid *contact)
{
    return p->roster ? roster_find(p->roster, contact->bare) : NULL;
}

enum roster_subscription person_subscription(struct person *p, const struct jid *contact)
{
    const struct roster_item *i = item_of(p, contact);
    if (!i)
        return SUB_NONE;
    bool to = subscription_has_to(i->state), from = subscription_has_from(i->state);
    return to && from ? SUB_BOTH : to ? SUB_TO : from ? SUB_FROM : SUB_NONE;
}

bool person_knows(struct person *p, const struct jid *contact)
{
    const struct roster_item *i = item_of(p, contact);
    return i && (i->approved || subscription_has_to(i->state) || subscription_has_from(i->state) ||
                 subscription_is_asked(i->state));
}

static bool has_directed(const struct resource *r, const struct jid *contact)
{
    struct jid *j;
    for (size_t at = 0; (j = map_next(&r->directed, &at));)
        if (jid_eq_bare(j, contact))
            return true;
    return false;
}

bool person_directed_to(struct person *p, const struct jid *contact)
{
    list_each (at, &p->resources)
        if (has_directed(list_entry(at, struct resource, node), contact))
            return true;
    return false;
}

bool person_archives(const struct person *p, const struct stanza *msg)
{
    return p->community->archive && message_weigh(msg).archive;
}

bool person_is_available(const struct person *p)
{
    list_each (at, &p->resources)
        if (list_entry(at, struct resource, node)->presence)
            return true;
    return false;
}

bool person_is_linked(const struct person *p)
{
    list_each (at, &p->resources)
        if (resource_is_there(list_entry(at, struct resource, node)))
            return true;
    return false;
}

const struct jid *person_jid(const struct person *p)
{
    return p->jid;
}

bool person_want_carbons(struct person *p, const struct jid *full, bool on)
{
    struct resource *r = full->resource ? resource_find(p, full->resource) : NULL;
    if (r)
        r->carbons = on;
    return r != NULL;
}

struct loop *person_loop(const struct person *p)
{
    return p->loop;
}

/* ---- actions ---- */

void person_deliver_own(struct person *p, struct stanza *msg, const char *archive_peer)
{
    own_deliver(p, msg, archive_peer);
}

void person_send_as(struct person *p, struct stanza *msg,
                    void (*done)(void *user, const struct error *e), void *user)
{
    own_send_as(p, msg, done, user);
}

struct event *person_pending_moving(struct person *p)
{
    return pending_flush_later(p);
}
