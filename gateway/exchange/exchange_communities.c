/* SPDX-License-Identifier: MIT */
/* Which domains are ours: they come and go while everything runs.
 *
 *   SERVED --exchange_close_community--> CLOSING --exchange_forget_community--> GONE
 *
 * The edges see SERVED alone, so from CLOSING on nothing comes in. What is inside sees CLOSING too:
 * events go to the end of their lanes, and messages that came before are kept. A domain that comes
 * again gets a record of its own; the old one stays, for whoever holds it on another thread: that
 * is what a change costs, not a stanza. */
#include <stdatomic.h>

#include "gateway/base/mem.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/resource.h"

enum hosting { HOSTED_SERVED, HOSTED_CLOSING, HOSTED_GONE };

struct hosted {
    struct community c;
    _Atomic(enum hosting) state;
    struct hosted *older;
    struct arena arena;
};

/* ---- asked, on any thread ---- */

static struct hosted *find(struct exchange *x, const char *domain)
{
    return registry_get(&x->communities, domain);
}

static enum hosting state_of(const struct hosted *h)
{
    return atomic_load_explicit(&h->state, memory_order_acquire);
}

const struct community *exchange_community(struct exchange *x, const char *domain)
{
    const struct hosted *h = find(x, domain);
    return h ? &h->c : NULL;
}

const struct community *exchange_community_or_none(struct exchange *x, const char *domain)
{
    static const struct community none = {.strangers = STRANGERS_REFUSE,
                                          .joining = {.who = JOIN_NOBODY}};
    const struct community *c = exchange_community(x, domain);
    return c ? c : &none;
}

bool exchange_is_local_domain(struct exchange *x, const char *domain)
{
    const struct hosted *h = find(x, domain);
    return (h && state_of(h) == HOSTED_SERVED) || exchange_is_attached(x, domain);
}

bool exchange_is_local(struct exchange *x, const struct jid *j)
{
    const struct hosted *h = find(x, j->domain);
    return h && state_of(h) != HOSTED_GONE;
}

uint64_t exchange_shortest_request_s(struct exchange *x)
{
    const struct hosted *h;
    uint64_t shortest = UINT64_MAX;
    for (size_t i = 0; (h = registry_next(&x->communities, &i));)
        if (h->c.request_ttl_s && h->c.request_ttl_s < shortest)
            shortest = h->c.request_ttl_s;
    return shortest;
}

/* ---- one comes ---- */

static void fill_joining(struct hosted *h, struct community_joining *j)
{
    j->invitation_ttl_s = j->invitation_ttl_s ? j->invitation_ttl_s : 7 * 24 * 3600;
    j->invitations_max = j->invitations_max ? j->invitations_max : 20;
    j->accounts_per_hour = j->accounts_per_hour ? j->accounts_per_hour : 100;
    j->accounts_per_network = j->accounts_per_network ? j->accounts_per_network : 10;
    j->page_url = arena_dup_or_null(&h->arena, j->page_url);
}

void exchange_add_community(struct exchange *x, const struct community *c)
{
    struct hosted *h = mem_new(struct hosted);
    arena_init_sized(&h->arena, 256);
    h->c = *c;
    h->c.domain = arena_dup(&h->arena, c->domain);
    h->c.admins = arena_dup_texts(&h->arena, c->admins);
    fill_joining(h, &h->c.joining);
    h->older = x->hosted;
    x->hosted = h;
    registry_set(&x->communities, h->c.domain, h);
    if (x->started && x->remote)
        exchange_wake_pairs(x, h->c.domain);
}

void exchange_communities_fini(struct exchange *x)
{
    registry_fini(&x->communities);
    while (x->hosted) {
        struct hosted *h = x->hosted;
        x->hosted = h->older;
        arena_fini(&h->arena);
        mem_free(h);
    }
}

/* ---- one goes ---- */

/* Goes from shard to shard, over all persons of the domain. */
struct walk {
    struct command cmd;
    struct exchange *x;
    unsigned shard;
    char *domain;
    void (*each)(struct walk *w, struct person *p);
    struct loop *reply_on; /* NULL: nobody waits */
    void (*done)(void *user, unsigned ended);
    void *user;
    unsigned ended;
};

static void run_done(struct command *cmd)
{
    struct walk *w = container_of(cmd, struct walk, cmd);
    if (w->done)
        w->done(w->user, w->ended);
    mem_free(w->domain);
    mem_free(w);
}

/* `each` may let a person leave, which the map does not like while it is walked. */
static void walk_persons(struct walk *w, struct shard *s)
{
    struct person *p, **met = mem_array(s->persons.count + 1, sizeof(struct person *));
    size_t count = 0;
    for (size_t i = 0; (p = map_next(&s->persons, &i));)
        if (text_eq(p->jid->domain, w->domain))
            met[count++] = p;
    for (size_t i = 0; i < count; i++)
        w->each(w, met[i]);
    mem_free(met);
}

static void run_walk(struct command *cmd)
{
    struct walk *w = container_of(cmd, struct walk, cmd);
    struct exchange *x = w->x;
    walk_persons(w, &x->shards[w->shard]);
    bool more = ++w->shard < x->shard_count;
    if (!more)
        w->cmd.run = run_done;
    loop_post(more ? x->shards[w->shard].loop : w->reply_on, &w->cmd);
}

static struct walk *walk_new(struct exchange *x, const char *domain,
                             void (*each)(struct walk *w, struct person *p))
{
    struct walk *w = mem_new(struct walk);
    w->cmd.run = run_walk;
    w->x = x;
    w->domain = mem_dup(domain);
    w->each = each;
    w->reply_on = x->shards[0].loop;
    return w;
}

static void walk_begin(struct walk *w)
{
    loop_post(w->x->shards[0].loop, &w->cmd);
}

static void end_links(struct walk *w, struct person *p)
{
    resource_each(r, p)
    {
        w->ended++;
        resource_replace(r, STREAM_HOST_GONE);
    }
}

void exchange_close_community(struct exchange *x, const char *domain, struct loop *reply_on,
                              void (*done)(void *user, unsigned ended), void *user)
{
    struct hosted *h = find(x, domain);
    CHECK(h && state_of(h) == HOSTED_SERVED);
    atomic_store_explicit(&h->state, HOSTED_CLOSING, memory_order_release);
    struct walk *w = walk_new(x, domain, end_links);
    w->reply_on = reply_on;
    w->done = done;
    w->user = user;
    walk_begin(w);
}

/* Should the domain come again, its people are loaded anew, under its new policies. */
static void let_go(struct walk *w, struct person *p)
{
    (void)w;
    p->stale = true;
    person_idle(p);
}

void exchange_forget_community(struct exchange *x, const char *domain)
{
    struct hosted *h = find(x, domain);
    CHECK(h && state_of(h) == HOSTED_CLOSING);
    atomic_store_explicit(&h->state, HOSTED_GONE, memory_order_release);
    walk_begin(walk_new(x, domain, let_go));
}
