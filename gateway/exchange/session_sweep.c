/* SPDX-License-Identifier: MIT */
/* What belongs to no person: requests whose time is over are found in the store, not in memory, so that
 * nobody need be loaded for a request to expire. A slice at a time: each callee of a slice is visited,
 * which takes the request out of what the next slice finds. At the start, requests of which somebody
 * was not told before the process ended are found the same way. */
#include <pthread.h>
#include <stddef.h>

#include "gateway/base/log.h"
#include "gateway/base/map.h"
#include "gateway/base/mem.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/session_internal.h"
#include "gateway/net/timer.h"
#include "gateway/xmpp/bare.h"

enum {
    EVERY_MS = 60000,
    BETWEEN_SLICES_MS = 200,
    SHORTEST_MS = 250,
    SLICE = 200,
};

struct domain_held {
    char *domain;
    long held;
};

struct session_sweep {
    struct exchange *x;
    struct loop *loop;
    struct timer timer;
    bool untold;              /* the start's question is still open */
    char *after;              /* last callee of the slice before; NULL: from the start */
    struct sessions_due *due; /* NULL: no read is under way */
    struct session_bounce *bounce; /* of the start; NULL before */
    pthread_mutex_t lock; /* of held */
    struct map held;      /* domain -> struct domain_held */
};

static void on_timer(struct timer *t);

/* A request that lives for seconds (in tests) is looked for more often. */
static uint64_t interval(struct exchange *x)
{
    uint64_t shortest_s = exchange_shortest_request_s(x);
    uint64_t every = shortest_s < EVERY_MS / 250 ? shortest_s * 250 : EVERY_MS;
    return every < SHORTEST_MS ? SHORTEST_MS : every;
}

struct session_sweep *session_sweep_create(struct exchange *x, struct loop *l)
{
    struct session_sweep *w = mem_new(struct session_sweep);
    w->x = x;
    w->loop = l;
    w->untold = true;
    CHECK(pthread_mutex_init(&w->lock, NULL) == 0);
    return w;
}

static void drop_due(struct session_sweep *w)
{
    arena_fini(&w->due->arena);
    mem_free(w->due);
    w->due = NULL;
}

/* ---- what is held, by asking domain ---- */

static void forget_held(struct session_sweep *w)
{
    struct domain_held *d;
    for (size_t at = 0; (d = map_next(&w->held, &at));) {
        mem_free(d->domain);
        mem_free(d);
    }
    map_fini(&w->held);
}

static struct domain_held *held_of(struct session_sweep *w, const char *domain)
{
    struct domain_held *d = map_get(&w->held, domain);
    if (d)
        return d;
    d = mem_new(struct domain_held);
    d->domain = mem_dup(domain);
    map_put(&w->held, d->domain, d);
    return d;
}

bool session_sweep_room(struct exchange *x, const char *domain)
{
    struct session_sweep *w = exchange_session_sweep(x);
    pthread_mutex_lock(&w->lock);
    const struct domain_held *d = map_get(&w->held, domain);
    bool room = !d || d->held < SESSION_DOMAIN_HELD_MAX;
    pthread_mutex_unlock(&w->lock);
    return room;
}

void session_sweep_held(struct exchange *x, const char *peer, int change)
{
    struct session_sweep *w = exchange_session_sweep(x);
    if (!change)
        return;
    pthread_mutex_lock(&w->lock);
    held_of(w, bare_domain(peer))->held += change;
    pthread_mutex_unlock(&w->lock);
}

/* What the store says, once a round: what failed to be kept is put right. */
static void recount(struct session_sweep *w, const struct sessions_due *due)
{
    if (!due->counts)
        return;
    pthread_mutex_lock(&w->lock);
    forget_held(w);
    for (unsigned i = 0; i < due->held_count; i++)
        held_of(w, due->held[i].domain)->held = (long)due->held[i].held;
    pthread_mutex_unlock(&w->lock);
}

void session_sweep_destroy(struct session_sweep **wp)
{
    struct session_sweep *w = *wp;
    *wp = NULL;
    if (!w)
        return;
    timer_stop(&w->timer);
    if (w->due)
        drop_due(w);
    session_bounce_destroy(&w->bounce);
    forget_held(w);
    CHECK(pthread_mutex_destroy(&w->lock) == 0);
    mem_free(w->after);
    mem_free(w);
}

/* Loading alone takes up what was not told: session_ready. */
static void visit(struct person *p, void *user)
{
    (void)user;
    if (p->sessions)
        session_consent_expire(p);
}

static void go_on(struct session_sweep *w, bool more)
{
    if (!more) {
        mem_free(w->after);
        w->after = NULL;
    }
    bool soon = more || w->untold;
    if (!more)
        w->untold = false;
    timer_start(&w->timer, w->loop, soon ? BETWEEN_SLICES_MS : interval(w->x), on_timer);
}

static void on_due(struct store_job *job, const struct error *e)
{
    struct sessions_due *d = container_of(job, struct sessions_due, job);
    struct session_sweep *w = d->user;
    if (e->code != ERROR_NONE) {
        log_error(NULL, "requests that end were not found: %s", e->text);
        drop_due(w);
        timer_start(&w->timer, w->loop, interval(w->x), on_timer);
        return;
    }
    recount(w, d);
    for (unsigned i = 0; i < d->count; i++)
        if (exchange_is_local_domain(w->x, bare_domain(d->callees[i]))) /* else they wait for their community */
            person_visit(w->x, d->callees[i], visit, NULL);
    bool more = d->count == SLICE;
    if (d->count) {
        mem_free(w->after);
        w->after = mem_dup(d->callees[d->count - 1]);
    }
    drop_due(w);
    go_on(w, more);
}

static void look(struct session_sweep *w)
{
    CHECK(!w->due);
    w->due = mem_new(struct sessions_due);
    arena_init(&w->due->arena);
    w->due->user = w;
    w->due->now_us = clock_unix_us(loop_clock(w->loop));
    w->due->untold = w->untold;
    w->due->after = w->after;
    w->due->limit = SLICE;
    w->due->counts = !w->after;
    w->due->job.reply_on = w->loop;
    w->due->job.done = on_due;
    sessions_due(exchange_store(w->x), w->due);
}

static void on_timer(struct timer *t)
{
    look(container_of(t, struct session_sweep, timer));
}

void session_sweep_start(struct session_sweep *w)
{
    w->bounce = session_bounce_resume(w->x, w->loop);
    look(w);
}
