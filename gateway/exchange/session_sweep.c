/* SPDX-License-Identifier: MIT */
/* What belongs to no person: requests whose time is over are found in the store, not in memory, so that
 * nobody need be loaded for a request to expire. A slice at a time: each callee of a slice is visited,
 * which takes the request out of what the next slice finds. At the start, requests of which somebody
 * was not told before the process ended are found the same way. */
#include <stdatomic.h>
#include <stddef.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/session_internal.h"
#include "gateway/net/timer.h"

enum {
    EVERY_MS = 60000,
    BETWEEN_SLICES_MS = 200,
    SHORTEST_MS = 250,
    SLICE = 200,
};

struct session_sweep {
    struct exchange *x;
    struct loop *loop;
    struct timer timer;
    uint64_t every_ms;
    bool untold;              /* the start's question is still open */
    char *after;              /* last callee of the slice before; NULL: from the start */
    struct sessions_due *due; /* NULL: no read is under way */
    struct session_bounce *bounce; /* of the start; NULL before */
    atomic_long nobody_held;
};

static void on_timer(struct timer *t);

/* A request that lives for seconds (in tests) is looked for more often. */
static uint64_t interval(const struct exchange *x)
{
    uint64_t every = EVERY_MS;
    for (unsigned i = 0; i < x->community_count; i++) {
        uint64_t ttl_s = x->communities[i].request_ttl_s;
        if (ttl_s && ttl_s * 1000 / 4 < every)
            every = ttl_s * 1000 / 4;
    }
    return every < SHORTEST_MS ? SHORTEST_MS : every;
}

struct session_sweep *session_sweep_create(struct exchange *x, struct loop *l)
{
    struct session_sweep *w = mem_new(struct session_sweep);
    w->x = x;
    w->loop = l;
    w->every_ms = interval(x);
    w->untold = true;
    return w;
}

static void drop_due(struct session_sweep *w)
{
    arena_fini(&w->due->arena);
    mem_free(w->due);
    w->due = NULL;
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
    timer_start(&w->timer, w->loop, soon ? BETWEEN_SLICES_MS : w->every_ms, on_timer);
}

static void on_due(struct store_job *job, const struct error *e)
{
    struct sessions_due *d = container_of(job, struct sessions_due, job);
    struct session_sweep *w = d->user;
    if (e->code != ERROR_NONE) {
        log_error(NULL, "requests that end were not found: %s", e->text);
        drop_due(w);
        timer_start(&w->timer, w->loop, w->every_ms, on_timer);
        return;
    }
    atomic_store(&w->nobody_held, (long)d->nobody_held);
    for (unsigned i = 0; i < d->count; i++)
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

bool session_sweep_nobody_room(struct exchange *x)
{
    return atomic_load(&exchange_session_sweep(x)->nobody_held) < SESSION_NOBODY_HELD_MAX;
}

void session_sweep_nobody_held(struct exchange *x, int change)
{
    atomic_fetch_add(&exchange_session_sweep(x)->nobody_held, change);
}
