/* SPDX-License-Identifier: MIT */
/* The edge as a whole: options with their defaults, listeners on every I/O loop, and the way down.
 *
 * Stopping goes in two steps: each I/O loop closes its listeners and streams and waits for their
 * ends; when the last has, each shard unbinds what is left (hibernating links) and waits until what
 * came in is settled. Only then is nobody left who knows us. */
#include "c2s/c2s.h"

#include <string.h>

#include "c2s/c2s_bosh.h"
#include "c2s/c2s_census.h"
#include "c2s/c2s_conn.h"
#include "c2s/c2s_link.h"
#include "c2s/c2s_quota.h"
#include "c2s/c2s_web.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/parting.h"
#include "gateway/store/secret.h"

/* ---- options ---- */

#define OR(field, value) ((field) = (field) ? (field) : (value))

static void fill_limits(struct c2s_limits *l)
{
    if (!l->before_auth.stanza_bytes)
        l->before_auth = XML_LIMITS_BEFORE_AUTH;
    if (!l->after_auth.stanza_bytes)
        l->after_auth = XML_LIMITS_DEFAULT;
    OR(l->connections_per_address, 200);
    if (l->connections_per_address == UINT32_MAX)
        l->connections_per_address = 0; /* as the listener says it */
    OR(l->auth_tries, 4);
    OR(l->credit_bytes, (size_t)64 << 10);
    OR(l->backlog_bytes, (size_t)64 << 20);
    OR(l->output_bytes, (size_t)1 << 20);
    OR(l->unacked_bytes, (size_t)16 << 20);
}

static void fill_times(struct c2s_times *t)
{
    OR(t->header_ms, 30000);
    OR(t->login_ms, 60000);
    OR(t->idle_ms, 300000);
    OR(t->answer_ms, 60000);
    OR(t->resume_ms, 300000);
    OR(t->token_ms, 21ull * 24 * 3600 * 1000);
    OR(t->ack_delay_ms, 250);
}

static void begin_domains(struct c2s *c, const struct c2s_options *o)
{
    list_init(&c->served);
    CHECK(o->domains[0]);
    for (unsigned i = 0; o->domains[i]; i++)
        c2s_domain_begin(c, o->domains[i], o->directories ? o->directories[i] : NULL);
}

static const char *const *copy_texts(const char *const *from)
{
    unsigned n = 0;

    while (from && from[n])
        n++;
    char **to = from ? mem_array(n + 1, sizeof(char *)) : NULL;
    for (unsigned i = 0; i < n; i++)
        to[i] = mem_dup(from[i]);
    return (const char *const *)to;
}

static void free_texts(const char *const *texts)
{
    for (unsigned i = 0; texts && texts[i]; i++)
        mem_free((char *)texts[i]);
    mem_free((void *)texts);
}

static void free_listener(struct c2s_listener *l)
{
    free_texts(l->origins);
    mem_free((char *)l->path);
    mem_free((char *)l->bosh_path);
    mem_free((char *)l->address);
}

static void copy_listeners(struct c2s *c, const struct c2s_options *o)
{
    c->listener_count = o->listener_count;
    c->listeners = mem_array(o->listener_count + 1, sizeof(*c->listeners));
    for (unsigned i = 0; i < o->listener_count; i++) {
        c->listeners[i] = o->listeners[i];
        c->listeners[i].address = mem_dup(o->listeners[i].address);
        c->listeners[i].path = o->listeners[i].path ? mem_dup(o->listeners[i].path) : NULL;
        c->listeners[i].bosh_path = o->listeners[i].bosh_path ? mem_dup(o->listeners[i].bosh_path) : NULL;
        c->listeners[i].origins = copy_texts(o->listeners[i].origins);
    }
}

static void on_gate_open(struct gate *g)
{
    struct c2s_io *io = container_of(g, struct c2s_io, gate);

    list_each (it, &io->conns)
        c2s_conn_resume(list_entry(it, struct c2s_conn, node), C2S_PAUSE_STORE);
}

static void io_init(struct c2s *c, struct c2s_io *io, struct loop *loop)
{
    io->c2s = c;
    io->loop = loop;
    io->brake = c2s_brake_create();
    gate_init(&io->gate, c->store, loop, on_gate_open);
    io->ports = mem_array(c->listener_count + 1, sizeof(*io->ports));
    list_init(&io->conns);
    c2s_bosh_open(io);
    for (unsigned i = 0; i < c->listener_count; i++)
        io->ports[i] = (struct c2s_port){.io = io, .direct_tls = c->listeners[i].direct_tls, .o = &c->listeners[i]};
}

static void shard_init(struct c2s *c, struct c2s_shard *shard, struct loop *loop)
{
    shard->c2s = c;
    shard->loop = loop;
    list_init(&shard->links);
    list_init(&shard->sleepers);
}

struct c2s *c2s_create(const struct c2s_options *o)
{
    struct c2s *c = mem_new(struct c2s);

    c->exchange = o->exchange;
    c->store = o->store;
    c->tls = o->tls;
    c->take_server = o->take_server;
    c->take_server_user = o->take_server_user;
    c->refuse_plain = o->refuse_plain;
    c->quota = c2s_quota_create();
    c->websocket_url = o->websocket_url ? mem_dup(o->websocket_url) : NULL;
    c->bosh_url = o->bosh_url ? mem_dup(o->bosh_url) : NULL;
    c->public_addresses = copy_texts(o->public_addresses);
    c->s2s_tls_port = o->s2s_tls_port;
    c->limits = o->limits;
    c->times = o->times;
    fill_limits(&c->limits);
    fill_times(&c->times);
    begin_domains(c, o);
    copy_listeners(c, o);
    if (o->login_secret)
        memcpy(c->secret, o->login_secret, sizeof(c->secret));
    c->has_secret = o->login_secret != NULL;
    c->io_count = o->io_loop_count;
    c->ios = mem_array(c->io_count, sizeof(*c->ios));
    for (unsigned i = 0; i < c->io_count; i++)
        io_init(c, &c->ios[i], o->io_loops[i]);
    c->shard_count = o->exchange_loop_count;
    c->shards = mem_array(c->shard_count, sizeof(*c->shards));
    for (unsigned i = 0; i < c->shard_count; i++)
        shard_init(c, &c->shards[i], o->exchange_loops[i]);
    return c;
}

struct c2s_shard *c2s_shard_of(struct c2s *c, const char *bare)
{
    struct loop *l = exchange_loop_of(c->exchange, bare);

    for (unsigned i = 0; i < c->shard_count; i++)
        if (c->shards[i].loop == l)
            return &c->shards[i];
    CHECK(!"the exchange has a loop that c2s was not given");
    return NULL;
}

/* ---- listening ---- */

static void on_accept(void *user, uv_os_sock_t fd)
{
    struct c2s_port *port = user;
    struct sockaddr_storage peer = listener_peer(port->listener);
    if (port->parting)
        parting_take(port->parting, fd, &peer);
    else
        c2s_conn_accept(port, fd, &peer);
}

static void on_known(void *user, uv_os_sock_t fd, const struct sockaddr_storage *peer, bool servers)
{
    struct c2s_port *port = user;
    struct c2s *c = port->io->c2s;
    if (!servers) {
        c2s_conn_accept(port, fd, peer);
        return;
    }
    listener_forget(port->listener, (const struct sockaddr *)peer);
    c->take_server(c->take_server_user, port->io->loop, fd, peer);
}

static void close_port(struct c2s_port *p)
{
    listener_close(&p->listener);
    parting_destroy(&p->parting);
}

static void close_ports(struct c2s_io *io)
{
    for (unsigned i = 0; i < io->c2s->listener_count; i++) {
        close_port(&io->ports[i]);
        http_server_close(&io->ports[i].web);
    }
}

static bool open_port(struct c2s_port *p, struct error *e)
{
    if (p->o->path)
        return c2s_web_open(p, e);
    if (p->o->servers)
        p->parting = parting_create(p->io->loop, on_known, p);
    p->listener = listener_open(p->io->loop, p->o->address, p->o->port, p->io->c2s->limits.connections_per_address,
                                on_accept, p, e);
    return p->listener != NULL;
}

/* With port 0 the first loop's choice holds for the others. */
static bool open_ports(struct c2s_io *io, struct error *e)
{
    struct c2s *c = io->c2s;

    for (unsigned i = 0; i < c->listener_count; i++) {
        struct c2s_port *p = &io->ports[i];
        if (!open_port(p, e))
            return false;
        c->listeners[i].port = p->web ? http_server_port(p->web) : listener_port(p->listener);
    }
    return true;
}

bool c2s_start(struct c2s *c, struct error *e)
{
    if (!c->has_secret && !secret_load(c->store, "c2s-login", c->secret, e))
        return false;
    c->has_secret = true;
    if (!c2s_keep_start(c, e) || !c2s_census_start(c, e))
        return false;
    for (unsigned i = 0; i < c->io_count; i++) {
        if (open_ports(&c->ios[i], e))
            continue;
        for (unsigned k = 0; k <= i; k++)
            close_ports(&c->ios[k]);
        return false;
    }
    return true;
}

uint16_t c2s_port(const struct c2s *c, unsigned index)
{
    CHECK(index < c->listener_count);
    return c->listeners[index].port;
}

/* ---- stopping ---- */

static void on_reply(struct command *cmd)
{
    struct c2s *c = container_of(cmd, struct c2s, reply);

    c->on_stopped(c->stopped_user);
}

/* true: that was the last of its step. */
static bool part_done(struct c2s *c)
{
    return atomic_fetch_sub(&c->parts_left, 1) == 1;
}

void c2s_shard_quiet(struct c2s_shard *shard)
{
    struct c2s *c = shard->c2s;

    if (!shard->stopping || shard->stopped || shard->link_count || shard->inbound_count)
        return;
    shard->stopped = true;
    if (!part_done(c))
        return;
    c->reply.run = on_reply;
    loop_post(c->reply_on, &c->reply);
}

static void on_stop_shard(struct command *cmd)
{
    struct c2s_shard *shard = container_of(cmd, struct c2s_shard, stop);

    shard->stopping = true;
    list_each (it, &shard->links) {
        struct c2s_link *l = list_entry(it, struct c2s_link, node);
        if (l->state != C2S_LINK_BINDING) /* else on_bound is still to come, and ends it */
            c2s_link_end(l);
    }
    c2s_shard_quiet(shard);
}

/* The last command that is posted may lead to c2s_destroy on another thread before this returns. */
static void stop_shards(struct c2s *c)
{
    struct c2s_shard *shards = c->shards;
    unsigned count = c->shard_count;

    atomic_store(&c->parts_left, count);
    for (unsigned i = 0; i < count; i++) {
        shards[i].stop.run = on_stop_shard;
        loop_post(shards[i].loop, &shards[i].stop);
    }
}

void c2s_io_quiet(struct c2s_io *io)
{
    if (io->stopping && !io->stopped && !io->conn_count && !io->auth_count && !io->request_count) {
        io->stopped = true;
        close_ports(io); /* those of HTTP: the last answers had to go out */
        c2s_bosh_close(io);
        gate_fini(&io->gate);
        if (part_done(io->c2s))
            stop_shards(io->c2s);
    }
}

static void on_quiet(struct command *cmd)
{
    struct c2s_io *io = container_of(cmd, struct c2s_io, quiet);

    io->quiet_asked = false;
    c2s_io_quiet(io);
}

void c2s_io_request_done(struct c2s_io *io)
{
    if (!io->stopping || io->stopped || io->quiet_asked)
        return;
    io->quiet_asked = true;
    io->quiet.run = on_quiet;
    loop_post(io->loop, &io->quiet);
}

void c2s_io_left(struct c2s_io *io)
{
    io->conn_count--;
    atomic_fetch_sub(&io->c2s->connections, 1);
    c2s_io_quiet(io);
}

static void on_stop_io(struct command *cmd)
{
    struct c2s_io *io = container_of(cmd, struct c2s_io, stop);

    io->stopping = true;
    for (unsigned i = 0; i < io->c2s->listener_count; i++)
        close_port(&io->ports[i]);
    list_each (it, &io->conns)
        c2s_conn_close(list_entry(it, struct c2s_conn, node), STREAM_SYSTEM_SHUTDOWN, NULL);
    c2s_io_quiet(io);
}

void c2s_stop(struct c2s *c, struct loop *reply_on, void (*on_stopped)(void *user), void *user)
{
    struct c2s_io *ios = c->ios;
    unsigned count = c->io_count;

    CHECK(!c->on_stopped);
    c->reply_on = reply_on;
    c->on_stopped = on_stopped;
    c->stopped_user = user;
    atomic_store(&c->parts_left, count);
    for (unsigned i = 0; i < count; i++) {
        ios[i].stop.run = on_stop_io;
        loop_post(ios[i].loop, &ios[i].stop);
    }
}

/* ---- end ---- */

static void shard_fini(struct c2s_shard *shard)
{
    while (shard->spares) {
        struct c2s_inbound *in = shard->spares;
        shard->spares = in->next_spare;
        mem_free(in);
    }
    for (unsigned i = 0; i < C2S_PAST_MAX; i++)
        mem_free(shard->past[i].bare);
    c2s_keep_fini(shard);
    map_fini(&shard->by_token);
}

void c2s_destroy(struct c2s **at)
{
    struct c2s *c = *at;

    *at = NULL;
    if (!c)
        return;
    for (unsigned i = 0; i < c->io_count; i++) {
        close_ports(&c->ios[i]);
        c2s_bosh_close(&c->ios[i]);
        c2s_brake_destroy(&c->ios[i].brake);
        mem_free(c->ios[i].ports);
    }
    for (unsigned i = 0; i < c->shard_count; i++)
        shard_fini(&c->shards[i]);
    for (unsigned i = 0; i < c->listener_count; i++)
        free_listener(&c->listeners[i]);
    c2s_quota_destroy(&c->quota);
    mem_free(c->websocket_url);
    mem_free(c->bosh_url);
    free_texts(c->public_addresses);
    c2s_domains_fini(c);
    mem_free(c->listeners);
    mem_free(c->ios);
    mem_free(c->shards);
    mem_wipe(c->secret, sizeof(c->secret));
    mem_free(c);
}

void c2s_count(const struct c2s *c, struct c2s_counts *out)
{
    *out = (struct c2s_counts){
        .connections = atomic_load(&c->connections),
        .links = atomic_load(&c->links),
        .hibernating = atomic_load(&c->hibernating),
        .auth_failures = atomic_load(&c->auth_failures),
        .auth_successes = atomic_load(&c->auth_successes),
        .stanzas_in = atomic_load(&c->stanzas_in),
        .stanzas_out = atomic_load(&c->stanzas_out),
    };
}
