/* SPDX-License-Identifier: MIT */
/* The edge as a whole: shards, listeners, start and stop. */
#include "s2s/s2s.h"

#include <string.h>
#include <unistd.h>

#include "gateway/base/hash.h"
#include "gateway/base/mem.h"
#include "s2s/s2s_block_list.h"
#include "gateway/base/text.h"
#include "s2s/s2s_component.h"
#include "s2s/s2s_errand.h"
#include "s2s/s2s_in.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_pair.h"
#include "s2s/s2s_policy.h"
#include "s2s/s2s_reception.h"

const struct s2s_remote *s2s_remote_of(const struct s2s *s, const char *domain)
{
    static const struct s2s_remote ordinary = {0};
    const struct s2s_remote *r = map_get(&s->remotes, domain);
    return r ? r : &ordinary;
}

struct s2s_shard *s2s_shard_of(struct s2s *s, const char *local, const char *remote)
{
    if (exchange_is_attached(s->o.exchange, remote))
        return &s->shards[0];
    uint64_t h = hash_stable(local) * 31 + hash_stable(remote);
    return &s->shards[h % s->o.loop_count];
}

/* ---- what the exchange asks of it ---- */

static void edge_send(struct edge_remote *e, struct stanza *st, struct queue_id id)
{
    s2s_errand_send(container_of(e, struct s2s, edge), st, id);
}

static void edge_wake(struct edge_remote *e, const char *local, const char *remote)
{
    s2s_errand_wake(container_of(e, struct s2s, edge), local, remote);
}

/* ---- life ---- */

static const struct s2s_listener *copy_listeners(struct s2s *s, const struct s2s_listener *from, unsigned count)
{
    struct s2s_listener *to = arena_alloc(&s->arena, (count + 1) * sizeof *to);
    for (unsigned i = 0; i < count; i++) {
        to[i] = from[i];
        to[i].address = arena_dup_or_null(&s->arena, to[i].address);
        if (!to[i].port)
            to[i].port = to[i].direct_tls ? 5270 : 5269;
    }
    return to;
}

static void copy_options(struct s2s *s, const struct s2s_options *o)
{
    s->o = *o;
    s->o.dns_server = arena_dup_or_null(&s->arena, o->dns_server);
    s->o.dns_trust_anchor = arena_dup_or_null(&s->arena, o->dns_trust_anchor);
    s->o.dialback_secret = (unsigned char *)arena_dup_n(&s->arena, (const char *)o->dialback_secret, S2S_SECRET_LEN);
    struct loop **loops = arena_alloc(&s->arena, o->loop_count * sizeof *loops);
    memcpy(loops, o->loops, o->loop_count * sizeof *loops);
    s->o.loops = loops;
    s->o.listeners = copy_listeners(s, o->listeners, o->listener_count);
    s->o.component_listeners = copy_listeners(s, o->component_listeners, o->component_listener_count);
    for (unsigned i = 0; i < o->remote_count; i++) {
        struct s2s_remote *r = arena_new(&s->arena, struct s2s_remote);
        *r = o->remotes[i];
        r->domain = arena_dup_or_null(&s->arena, r->domain);
        r->host = arena_dup_or_null(&s->arena, r->host);
        map_put(&s->remotes, r->domain, r);
    }
    s->o.remotes = NULL; /* the map has them */
    struct s2s_community *first = arena_alloc(&s->arena, (o->community_count + 1) * sizeof *first);
    for (unsigned i = 0; i < o->community_count; i++)
        first[i] = (struct s2s_community){.domain = arena_dup_or_null(&s->arena, o->communities[i].domain),
                                          .block_lists = arena_dup_texts(&s->arena, o->communities[i].block_lists)};
    s->first = first;
    s->first_count = o->community_count;
    s->o.communities = NULL; /* the shards have the rest of them */
    if (!s->o.queue_deadline_s)
        s->o.queue_deadline_s = 24 * 3600;
    if (!s->o.queue_bytes)
        s->o.queue_bytes = 1024 * 1024;
    if (!s->o.connect_timeout_ms)
        s->o.connect_timeout_ms = 30000;
    if (!s->o.attempts_max)
        s->o.attempts_max = 200;
    if (!s->o.idle_close_ms)
        s->o.idle_close_ms = 600000;
    if (!s->o.per_address_max)
        s->o.per_address_max = 64;
}

static void on_gate_open(struct gate *g)
{
    struct s2s_shard *sh = container_of(g, struct s2s_shard, gate);
    s2s_reception_gate_open(g);
    if (sh->index == 0)
        s2s_components_gate_open(sh->s2s->components);
}

struct s2s *s2s_create(const struct s2s_options *o, struct error *e)
{
    static const struct edge_remote_ops ops = {edge_send, edge_wake};
    struct s2s *s = mem_new(struct s2s);
    s->edge.ops = &ops;
    arena_init(&s->arena);
    list_init(&s->block_lists);
    copy_options(s, o);
    s->shards = mem_array(o->loop_count, sizeof *s->shards);
    s->components = s2s_components_create(&s->shards[0]);
    for (unsigned i = 0; i < o->loop_count; i++) {
        struct s2s_shard *sh = &s->shards[i];
        sh->s2s = s;
        sh->index = i;
        sh->loop = s->o.loops[i];
        list_init(&sh->ins);
        list_init(&sh->outs);
        list_init(&sh->receptions);
        s2s_turns_init(&sh->turns, s->o.attempts_max);
        s2s_trace_init(&sh->trace);
        s2s_policy_begin(sh, o->communities, o->community_count);
        gate_init(&sh->gate, o->store, sh->loop, on_gate_open);
        sh->taken.most = s->o.per_address_max;
        sh->listeners = mem_array(o->listener_count, sizeof *sh->listeners);
        sh->dns = dns_create(sh->loop, &(struct dns_options){s->o.dns_server, s->o.dns_trust_anchor}, e);
        if (!sh->dns) {
            error_wrap(e, "s2s");
            s2s_destroy(&s);
            return NULL;
        }
    }
    return s;
}

void s2s_set_community(struct s2s *s, const struct s2s_community *c)
{
    s2s_policy_set_community(s, c);
    s2s_block_list_want(s, c);
}

void s2s_set_deny_list(struct s2s *s, struct s2s_deny_list *l)
{
    s2s_policy_set_list(s, l);
}

struct edge_remote *s2s_edge(struct s2s *s)
{
    return &s->edge;
}

struct door {
    struct s2s_shard *shard;
    unsigned index;
};

static void on_accept(void *user, uv_os_sock_t fd)
{
    struct door *d = user;
    struct listener *li = d->shard->listeners[d->index];
    struct sockaddr_storage peer = listener_peer(li);
    s2s_in_accept(d->shard, li, d->shard->s2s->o.listeners[d->index].direct_tls, fd, &peer);
}

void s2s_take(struct s2s *s, struct loop *l, uv_os_sock_t fd, const struct sockaddr_storage *peer)
{
    unsigned i = 0;
    while (s->shards[i].loop != l)
        CHECK(++i < s->o.loop_count);
    struct s2s_shard *sh = &s->shards[i];
    if (sh->stopping || !sources_add(&sh->taken, (const struct sockaddr *)peer))
        close(fd);
    else
        s2s_in_accept(sh, NULL, true, fd, peer);
}

static bool add_components(struct s2s *s, struct error *e)
{
    for (unsigned i = 0; i < s->o.component_count; i++)
        if (!s2s_components_add(s->components, s->o.components[i].domain, s->o.components[i].secret, e))
            return error_wrap(e, "s2s");
    s->o.components = NULL;
    return true;
}

bool s2s_start(struct s2s *s, struct error *e)
{
    for (unsigned i = 0; i < s->o.loop_count; i++)
        for (unsigned k = 0; k < s->o.listener_count; k++) {
            struct door *d = arena_new(&s->arena, struct door);
            *d = (struct door){&s->shards[i], k};
            const struct s2s_listener *l = &s->o.listeners[k];
            s->shards[i].listeners[k] =
                listener_open(s->shards[i].loop, l->address, l->port, s->o.per_address_max, on_accept, d, e);
            if (!s->shards[i].listeners[k])
                return error_wrap(e, "s2s");
        }
    for (unsigned i = 0; i < s->first_count; i++)
        s2s_block_list_want(s, &s->first[i]);
    return add_components(s, e);
}

/* ---- services come and go ---- */

struct coming {
    struct command cmd;
    struct s2s *s2s;
    char *domain, *secret; /* owned */
};

static void run_coming(struct command *c)
{
    struct coming *o = container_of(c, struct coming, cmd);
    struct error e = ERROR_INIT;
    if (!o->s2s->shards[0].stopping && !s2s_components_add(o->s2s->components, o->domain, o->secret, &e))
        log_error(NULL, "%s: %s", o->domain, e.text);
    mem_wipe(o->secret, strlen(o->secret));
    mem_free(o->secret);
    mem_free(o->domain);
    mem_free(o);
}

void s2s_add_component(struct s2s *s, const struct s2s_component *c)
{
    struct coming *o = mem_new(struct coming);
    o->cmd.run = run_coming;
    o->s2s = s;
    o->domain = mem_dup(c->domain);
    o->secret = mem_dup(c->secret);
    loop_post(s->shards[0].loop, &o->cmd);
}

/* ---- a domain goes ---- */

struct going {
    struct command cmd;
    struct s2s_shard *shard;
    void (*go)(struct s2s_shard *sh, const char *domain);
    char domain[];
};

static void run_going(struct command *c)
{
    struct going *g = container_of(c, struct going, cmd);
    g->go(g->shard, g->domain);
    mem_free(g);
}

static void on_each_shard(struct s2s *s, const char *domain, void (*go)(struct s2s_shard *sh, const char *domain))
{
    size_t size = strlen(domain) + 1;
    for (unsigned i = 0; i < s->o.loop_count; i++) {
        struct going *g = mem_alloc(sizeof *g + size);
        *g = (struct going){.cmd.run = run_going, .shard = &s->shards[i], .go = go};
        memcpy(g->domain, domain, size);
        loop_post(g->shard->loop, &g->cmd);
    }
}

static void leave_domain(struct s2s_shard *sh, const char *domain)
{
    struct s2s_pair_look look;
    struct s2s_pair *p;
    for (size_t i = 0; (p = map_next(&sh->pairs, &i));) {
        s2s_pair_look(p, &look);
        if (text_eq(look.local, domain))
            s2s_pair_leave(p); /* it leaves the map later */
    }
}

static void forget_domain(struct s2s_shard *sh, const char *domain)
{
    list_each(node, &sh->ins)
        s2s_in_forget(s2s_in_from_node(node), domain);
}

static void remove_component(struct s2s_shard *sh, const char *domain)
{
    if (sh->index == 0)
        s2s_components_remove(sh->s2s->components, domain);
}

void s2s_remove_component(struct s2s *s, const char *domain)
{
    on_each_shard(s, domain, remove_component);
}

void s2s_leave_domain(struct s2s *s, const char *domain)
{
    on_each_shard(s, domain, leave_domain);
}

void s2s_forget_domain(struct s2s *s, const char *domain)
{
    on_each_shard(s, domain, forget_domain);
}

/* ---- the end ---- */

struct stopped {
    struct command cmd;
    struct s2s *s2s;
};

static void run_stopped(struct command *c)
{
    struct stopped *st = container_of(c, struct stopped, cmd);
    struct s2s *s = st->s2s;
    mem_free(st);
    if (--s->shards_left == 0)
        s->on_stopped(s->stop_user);
}

void s2s_shard_check_stopped(struct s2s_shard *sh)
{
    if (!sh->closing || sh->stopped || sh->reads || !list_is_empty(&sh->ins) || !list_is_empty(&sh->outs) ||
        !list_is_empty(&sh->receptions) ||
        (sh->index == 0 && !s2s_components_are_still(sh->s2s->components)))
        return;
    sh->stopped = true;
    gate_fini(&sh->gate);
    dns_destroy(&sh->dns);
    struct stopped *st = mem_new(struct stopped);
    st->cmd.run = run_stopped;
    st->s2s = sh->s2s;
    loop_post(sh->s2s->o.loops[0], &st->cmd);
}

static void close_listeners(struct s2s_shard *sh)
{
    for (unsigned k = 0; k < sh->s2s->o.listener_count; k++)
        listener_close(&sh->listeners[k]);
}

static void run_close(struct command *c)
{
    struct s2s_shard *sh = container_of(c, struct s2s_shard, stop);
    sh->closing = true;
    if (sh->index == 0)
        s2s_components_close(sh->s2s->components);
    list_each(node, &sh->ins)
        s2s_in_close(s2s_in_from_node(node), STREAM_SYSTEM_SHUTDOWN, "the server is shutting down");
    s2s_shard_check_stopped(sh);
}

static void post_step(struct s2s_shard *sh, struct loop *to, void (*run)(struct command *c))
{
    sh->stop.run = run;
    loop_post(to, &sh->stop);
}

/* First loop. Answers to the pings of any shard's pairs come by any shard's incoming streams. */
static void run_finished(struct command *c)
{
    struct s2s *s = container_of(c, struct s2s_shard, stop)->s2s;
    if (--s->shards_finishing)
        return;
    for (unsigned i = 0; i < s->o.loop_count; i++)
        post_step(&s->shards[i], s->shards[i].loop, run_close);
}

void s2s_shard_finished(struct s2s_shard *sh)
{
    if (--sh->finishing == 0)
        post_step(sh, sh->s2s->o.loops[0], run_finished);
}

static void run_stop(struct command *c)
{
    struct s2s_shard *sh = container_of(c, struct s2s_shard, stop);
    sh->stopping = true;
    sh->finishing = 1; /* this walk: else the first pair that has finished would end it */
    close_listeners(sh);
    if (sh->index == 0) {
        s2s_block_list_stop(sh->s2s);
        s2s_components_stop(sh->s2s->components);
    }
    struct s2s_pair *p;
    for (size_t i = 0; (p = map_next(&sh->pairs, &i));)
        s2s_pair_stop(p);
    s2s_shard_finished(sh);
}

void s2s_stop(struct s2s *s, void (*on_stopped)(void *user), void *user)
{
    s->on_stopped = on_stopped;
    s->stop_user = user;
    s->shards_left = s->shards_finishing = s->o.loop_count;
    for (unsigned i = 0; i < s->o.loop_count; i++)
        post_step(&s->shards[i], s->shards[i].loop, run_stop);
}

void s2s_destroy(struct s2s **sp)
{
    struct s2s *s = *sp;
    if (!s)
        return;
    *sp = NULL;
    s2s_components_destroy(&s->components);
    for (unsigned i = 0; i < s->o.loop_count; i++) {
        struct s2s_shard *sh = &s->shards[i];
        struct s2s_pair *p;
        for (size_t k = 0; (p = map_next(&sh->pairs, &k)); k = 0)
            s2s_pair_destroy(&p);
        map_fini(&sh->pairs);
        map_fini(&sh->ways_back);
        if (sh->s2s)
            s2s_trace_fini(&sh->trace);
        s2s_policy_fini(sh);
        if (sh->listeners)
            close_listeners(sh);
        dns_destroy(&sh->dns);
        sources_fini(&sh->taken);
        mem_free(sh->listeners);
    }
    s2s_block_list_fini(s);
    mem_free(s->shards);
    map_fini(&s->remotes);
    arena_fini(&s->arena);
    mem_free(s);
}
