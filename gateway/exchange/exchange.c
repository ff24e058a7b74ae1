/* SPDX-License-Identifier: MIT */
/* The exchange as a whole: its shards, communities and services, and the doors through which other
 * loops come in. Everything set up here stays as it is while loops run. */
#include "gateway/exchange/exchange.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/hash.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/exchange/delayed.h"
#include "gateway/exchange/event.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/exchange_introduce.h"
#include "gateway/exchange/message.h"
#include "gateway/exchange/origin.h"
#include "gateway/exchange/own.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/route.h"
#include "gateway/store/account.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

/* ---- what the exchange itself offers ---- */

static const struct service_xep own_xeps[] = {
    {"0160", "1.0.1", "what waits comes at the initial presence"},
    {"0203", "2.0", "delay stamps on what waited"},
    {"0334", "1.0", "no-store, no-permanent-store, no-copy, store"},
    {"0359", "0.7", "stanza-id of the archive on what it delivers"},
    {NULL, NULL, NULL},
};
static const char *const own_domain_features[] = {NS_ROSTER, NS_OFFLINE, NS_HINTS, NULL};
static const char *const own_account_features[] = {NS_SID, NS_HINTS, NULL};
static const struct service own_service = {
    .name = "exchange",
    .xeps = own_xeps,
    .domain_features = own_domain_features,
    .account_features = own_account_features,
};

/* ---- setting up ---- */

static void add_iqs(struct exchange *x, const struct service_iq *iqs)
{
    for (const struct service_iq *iq = iqs; iq && iq->element; iq++) {
        struct iq_entry *e = arena_new(&x->arena, struct iq_entry);
        e->iq = iq;
        const char *key = arena_printf(&x->arena, "%s %s", iq->ns, iq->element);
        struct iq_entry *first = map_get(&x->iqs, key);
        if (!first) {
            map_put(&x->iqs, key, e);
            continue;
        }
        while (first->next)
            first = first->next;
        first->next = e;
    }
}

static void add_services(struct exchange *x, const struct service *const *list)
{
    unsigned n = 0;
    while (list && list[n])
        n++;
    x->services = arena_alloc(&x->arena, (n + 2) * sizeof(struct service *));
    x->services[0] = &own_service;
    for (unsigned i = 0; i < n; i++) {
        x->services[i + 1] = list[i];
        add_iqs(x, list[i]->iqs);
    }
}

struct exchange *exchange_create(const struct exchange_options *o)
{
    CHECK(o->loop_count > 0 && o->store);
    struct exchange *x = mem_new(struct exchange);
    arena_init(&x->arena);
    x->store = o->store;
    x->remote = o->remote;
    x->reach = o->reach;
    x->resources_max = o->resources_max ? o->resources_max : 10;
    for (unsigned i = 0; i < o->community_count; i++)
        exchange_add_community(x, &o->communities[i]);
    for (unsigned i = 0; i < o->attached_count; i++)
        exchange_add_attached(x, &o->attached[i]);
    add_services(x, o->services);
    x->shard_count = o->loop_count;
    x->shards = mem_array(o->loop_count, sizeof(struct shard));
    for (unsigned i = 0; i < o->loop_count; i++) {
        x->shards[i].x = x;
        x->shards[i].loop = o->loops[i];
        list_init(&x->shards[i].idle);
    }
    revocation_init(&x->revocations);
    x->created_mono_ms = clock_mono_ms(loop_clock(x->shards[0].loop));
    x->sweep = session_sweep_create(x, x->shards[0].loop);
    return x;
}

void exchange_attach(struct exchange *x, struct edge_remote *remote, struct reach *reach)
{
    x->remote = remote ? remote : x->remote;
    x->reach = reach ? reach : x->reach;
}

static void shard_fini(struct shard *s)
{
    struct person *p;
    for (size_t at = 0; (p = map_next(&s->persons, &at));) {
        resource_each(r, p) resource_forget(r);
        person_destroy(&p);
    }
    map_fini(&s->persons);
    struct pair *pair;
    for (size_t at = 0; (pair = map_next(&s->pairs, &at));)
        pair_destroy(&pair);
    map_fini(&s->pairs);
    struct origin *o;
    for (size_t at = 0; (o = map_next(&s->origins, &at));)
        origin_destroy(&o);
    map_fini(&s->origins);
}

void exchange_destroy(struct exchange **xp)
{
    struct exchange *x = *xp;
    *xp = NULL;
    if (!x)
        return;
    session_sweep_destroy(&x->sweep);
    for (unsigned i = 0; i < x->shard_count; i++)
        shard_fini(&x->shards[i]);
    mem_free(x->shards);
    exchange_communities_fini(x);
    exchange_attached_fini(x);
    map_fini(&x->iqs);
    map_fini(&x->service_states);
    revocation_fini(&x->revocations);
    arena_fini(&x->arena);
    mem_free(x);
}

/* ---- start: what was left in the queues to other communities ---- */

struct wake {
    struct queue_names names;
    struct exchange *x;
    char *domain; /* owned; only pairs of that one; NULL: all */
};

static void wake_pair(const struct wake *w, char *queue)
{
    struct exchange *x = w->x;
    char *local = queue + 2, *remote = strchr(local, ' ');
    if (!remote)
        return;
    *remote++ = '\0';
    if (w->domain && !text_eq(local, w->domain) && !text_eq(remote, w->domain))
        return;
    if (exchange_is_local_domain(x, local) || exchange_is_attached(x, remote))
        x->remote->ops->wake(x->remote, local, remote);
    else
        log_warn(NULL, "messages from %s to %s wait, but %s is not a domain of ours any more",
                 local, remote, local);
}

static void on_names(struct store_job *job, const struct error *e)
{
    struct wake *w = container_of(job, struct wake, names.job);
    if (e->code != ERROR_NONE)
        log_error(NULL, "queues to other communities cannot be read: %s", e->text);
    for (unsigned i = 0; e->code == ERROR_NONE && i < w->names.count; i++)
        wake_pair(w, arena_dup(&w->names.arena, w->names.names[i]));
    arena_fini(&w->names.arena);
    mem_free(w->domain);
    mem_free(w);
}

void exchange_wake_pairs(struct exchange *x, const char *domain)
{
    struct wake *w = mem_new(struct wake);
    w->x = x;
    w->domain = domain ? mem_dup(domain) : NULL;
    w->names.prefix = "s:";
    arena_init(&w->names.arena);
    w->names.job.reply_on = x->shards[0].loop;
    w->names.job.done = on_names;
    journal_queue_names(x->store, &w->names);
}

void exchange_start(struct exchange *x)
{
    session_sweep_start(x->sweep);
    exchange_introduce_start(x);
    x->started = true;
    if (x->remote)
        exchange_wake_pairs(x, NULL);
}

/* ---- who is where ---- */

struct shard *exchange_shard_of(struct exchange *x, const char *key)
{
    return x->shard_count == 1 ? x->shards : &x->shards[hash_stable(key) % x->shard_count];
}

struct loop *exchange_loop_of(struct exchange *x, const char *bare)
{
    return exchange_shard_of(x, bare)->loop;
}

const struct iq_entry *exchange_iq_entries(struct exchange *x, const struct element *payload)
{
    char key[256];
    int n = snprintf(key, sizeof(key), "%s %s", payload->ns, payload->name);
    return n < (int)sizeof(key) ? map_get(&x->iqs, key) : NULL;
}

const struct service *const *exchange_services(struct exchange *x)
{
    return x->services;
}

void exchange_service_set(struct exchange *x, const struct service *s, void *state)
{
    map_put(&x->service_states, s->name, state);
}

void *exchange_service_state(struct exchange *x, const struct service *s)
{
    return map_get(&x->service_states, s->name);
}

struct reach *exchange_reach(struct exchange *x)
{
    return x->reach;
}

uint64_t exchange_revocations(struct exchange *x)
{
    return revocation_count(&x->revocations);
}

uint64_t exchange_uptime_s(struct exchange *x)
{
    return (clock_mono_ms(loop_clock(x->shards[0].loop)) - x->created_mono_ms) / 1000;
}

struct session_sweep *exchange_session_sweep(struct exchange *x)
{
    return x->sweep;
}

struct store *exchange_store(struct exchange *x)
{
    return x->store;
}

/* ---- from services ---- */

void exchange_answer(struct exchange *x, struct stanza *st)
{
    route_ours(x, st);
    stanza_unref(&st);
}

void exchange_refuse(struct exchange *x, const struct stanza *st, enum stanza_error e,
                     const char *text)
{
    struct stanza *error = build_error(st, e, text, NULL);
    if (error && error->to)
        exchange_answer(x, error);
    else
        stanza_unref(&error);
}

struct call {
    void (*fn)(struct person *p, void *user);
    void *user;
};

static enum event_fate call_perform(struct event *ev)
{
    struct call *c = ev->data;
    c->fn(ev->person->state == PERSON_READY ? ev->person : NULL, c->user);
    return EVENT_FINISHED;
}

static enum event_fate visit_perform(struct event *ev)
{
    struct call *c = ev->data;
    c->fn(ev->person, c->user);
    return EVENT_FINISHED;
}

static const struct event_ops call_ops = {"call", NULL, call_perform};
static const struct event_ops visit_ops = {"visit", NULL, visit_perform};

static void post_call(struct exchange *x, const struct event_ops *ops, const char *bare,
                      void (*fn)(struct person *p, void *user), void *user)
{
    struct event *ev = event_create(x, ops, NULL);
    struct call *c = arena_new(&ev->arena, struct call);
    c->fn = fn;
    c->user = user;
    ev->data = c;
    const struct jid *actor = jid_parse_text(&ev->arena, bare);
    CHECK(actor);
    event_post(ev, actor);
}

void exchange_with_person(struct exchange *x, const char *bare,
                          void (*fn)(struct person *p, void *user), void *user)
{
    post_call(x, &call_ops, bare, fn, user);
}

void person_visit(struct exchange *x, const char *bare, void (*fn)(struct person *p, void *user),
                  void *user)
{
    post_call(x, &visit_ops, bare, fn, user);
}

/* ---- accounts change outside ---- */

struct recheck {
    struct account_get get;
    struct event *ev;
};

static void on_recheck(struct store_job *job, const struct error *e)
{
    struct recheck *c = container_of(job, struct recheck, get.job);
    c->ev->error = *e;
    event_ready(c->ev);
}

static void read_account(struct event *ev)
{
    struct person *p = ev->person;
    struct recheck *c = arena_new(&ev->arena, struct recheck);
    ev->data = c;
    c->ev = ev;
    arena_init(&c->get.arena);
    c->get.bare = p->jid->bare;
    c->get.job.reply_on = p->loop;
    c->get.job.done = on_recheck;
    c->get.job.must_see = store_ticket(p->x->store);
    account_get(p->x->store, &c->get);
}

/* Twice: the first time asks the store, the second has its answer. */
static enum event_fate recheck_perform(struct event *ev)
{
    struct person *p = ev->person;
    struct recheck *c = ev->data;
    if (!c) {
        read_account(ev);
        return EVENT_STAYS;
    }
    p->stale = true;
    if (ev->error.code == ERROR_NONE)
        p->barred = !c->get.found || c->get.account.disabled;
    else
        log_error(NULL, "%s changed, but cannot be read, so its links stay: %s", p->jid->bare, ev->error.text);
    arena_fini(&c->get.arena);
    if (p->barred) {
        revocation_add(&p->x->revocations, p->jid->bare, NULL);
        resource_each(r, p) resource_replace(r, STREAM_NOT_AUTHORIZED);
    }
    return EVENT_FINISHED;
}

static const struct event_ops recheck_ops = {"account changed", NULL, recheck_perform};

/* Who is not in memory finds the change when loaded. */
static void on_account_changed(struct command *cmd)
{
    struct event *ev = container_of(cmd, struct event, cmd);
    const struct jid *actor = ev->data;
    ev->data = NULL;
    if (ev->x->account_changed)
        ev->x->account_changed(ev->x->account_user, actor->bare);
    if (map_get(&exchange_shard_of(ev->x, actor->bare)->persons, actor->bare))
        event_post(ev, actor);
    else
        event_destroy(&ev);
}

void exchange_watch_accounts(struct exchange *x, void (*changed)(void *user, const char *bare), void *user)
{
    CHECK(!x->account_changed);
    x->account_changed = changed;
    x->account_user = user;
}

void exchange_account_changed(struct exchange *x, const char *bare)
{
    struct event *ev = event_create(x, &recheck_ops, NULL);
    const struct jid *actor = jid_parse_text(&ev->arena, bare);
    if (!actor || !actor->local || !exchange_is_local(x, actor)) {
        event_destroy(&ev);
        return;
    }
    actor = jid_to_bare(&ev->arena, actor);
    ev->data = (void *)actor;
    event_post_shard(ev, actor->bare, on_account_changed);
}

/* ---- other communities ---- */

void exchange_receive_remote(struct exchange *x, struct stanza *st, struct settle *s)
{
    CHECK(st->from && st->to && st->kind != STANZA_NONZA);
    struct event *ev = event_create(x, NULL, st);
    ev->settle = s;
    bool malformed = st->type == STANZA_TYPE_UNKNOWN;
    if (malformed)
        route_refuse(ev, STANZA_BAD_REQUEST, NULL);
    if (malformed || !(exchange_is_ours(x, st->to) || exchange_is_attached(x, st->from->domain)))
        event_destroy(&ev);
    else
        route_event(ev);
}

void exchange_receive_numbered(struct exchange *x, struct stanza *st, uint64_t epoch, struct queue_id id,
                               struct settle *s)
{
    CHECK(st->from && st->to && st->kind != STANZA_NONZA);
    CHECK(!id.seq || st->kind == STANZA_MESSAGE);
    origin_receive(x, &(struct origin_arrival){st->from->domain, st->to->domain, epoch, id}, st, s);
}

void exchange_remote_settled(struct exchange *x, const char *remote, const char *local, uint64_t epoch,
                             struct queue_id settled, struct settle *s)
{
    origin_receive(x, &(struct origin_arrival){remote, local, epoch, settled}, NULL, s);
}

static const char *queue_of(const struct stanza *st, char queue[2100])
{
    snprintf(queue, 2100, "s:%s %s", st->from->domain, st->to->domain);
    return queue;
}

void exchange_remote_done(struct exchange *x, const struct stanza *st, uint64_t seq)
{
    char queue[2100];
    if (!seq)
        return;
    journal_done(x->store, queue_of(st, queue), seq);
    if (st->kind == STANZA_MESSAGE && st->type == MESSAGE_ERROR)
        route_leave_answer_gone(x);
}

void exchange_remote_failed(struct exchange *x, struct stanza *st, uint64_t seq,
                            enum stanza_error why, const char *text)
{
    bool silent = (st->kind == STANZA_PRESENCE && st->type == PRESENCE_PROBE) || (!seq && message_is_state(st));
    struct stanza *error = silent ? NULL : build_error(st, why, text, NULL);
    bool to_person = error && error->to && error->to->local && exchange_is_local(x, error->to);
    bool of_service = error && error->to && (exchange_is_attached(x, error->to->domain) ||
                                             exchange_is_attached(x, st->to->domain));
    if (seq && to_person)
        own_bounce(x, error, seq);
    else if (to_person || of_service)
        route_ours(x, error);
    if (!to_person)
        exchange_remote_done(x, st, seq);
    stanza_unref(&error);
}

void exchange_remote_delayed(struct exchange *x, const struct stanza *st, int64_t kept_us, int64_t until_us)
{
    if (!st->from->local || !exchange_is_local(x, st->from))
        return;
    struct stanza *notice = delayed_notice(st, kept_us, until_us);
    own_tell(x, notice);
    stanza_unref(&notice);
}

/* ---- devices ---- */

struct progress {
    char *peer, *device;
    uint64_t seq;
    enum reach_progress progress;
};

static void on_progress(struct person *p, void *user)
{
    struct progress *r = user;
    session_reach_progress(p, r->peer, r->seq, r->progress, r->device);
    mem_free(r->peer);
    mem_free(r->device);
    mem_free(r);
}

void exchange_reach_progress(struct exchange *x, const char *callee, const char *peer, uint64_t seq,
                             enum reach_progress p, const char *device)
{
    struct progress *r = mem_new(struct progress);
    r->peer = mem_dup(peer);
    r->device = device ? mem_dup(device) : NULL;
    r->seq = seq;
    r->progress = p;
    person_visit(x, callee, on_progress, r);
}

struct answer {
    struct reach_answer answer;
    struct arena arena;
};

static void on_answer(struct person *p, void *user)
{
    struct answer *c = user;
    session_reach_answer(p, &c->answer);
    arena_fini(&c->arena);
    mem_free(c);
}

void exchange_reach_answer(struct exchange *x, const struct reach_answer *a)
{
    struct answer *c = mem_new(struct answer);
    arena_init(&c->arena);
    c->answer = *a;
    c->answer.callee = arena_dup(&c->arena, a->callee);
    c->answer.peer = arena_dup(&c->arena, a->peer);
    c->answer.text = arena_dup_or_null(&c->arena, a->text);
    c->answer.via = arena_dup_or_null(&c->arena, a->via);
    c->answer.dedup = arena_dup_or_null(&c->arena, a->dedup);
    person_visit(x, c->answer.callee, on_answer, c);
}
