/* SPDX-License-Identifier: MIT */
/* Gateways, links and the wire between them, without sockets. */
#include "test/world/world.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contact-router/contact_router.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/session.h"
#include "gateway/net/loop_internal.h"
#include "gateway/store/account.h"
#include "gateway/xmpp/ns.h"
#include "test/world/match.h"

enum { GATEWAYS_MAX = 4, LOOPS_MAX = 4, LISTINGS_MAX = 1 + CONTACT_ROUTER_LISTINGS };

struct gateway {
    struct world *world;
    const char *domain;
    struct loop *loops[LOOPS_MAX];
    unsigned loop_count;
    struct store *store;
    struct exchange *x;
    struct edge_remote remote;
    struct adhoc *adhoc;
    const struct world_devices_life *life; /* NULL: no devices */
    struct world_devices *devices;
    struct contact_router *router;
    struct listing listings[LISTINGS_MAX];
    const struct listing *listed[LISTINGS_MAX + 1];
};

/* A stanza between two gateways. */
struct parcel {
    struct list node;
    struct gateway *from;
    struct stanza *st;
    uint64_t seq;
    struct settle settle;
};

struct world {
    FILE *emitted; /* what carries a namespace of ours, a stanza a line; NULL: nothing yet */
    struct clock_fake clock;
    struct gateway gateways[GATEWAYS_MAX];
    unsigned gateway_count;
    struct list peers;
    struct list held; /* parcels, while the wire holds */
    enum world_wire wire;
    enum stanza_error refusal;
};

/* ---- what carries a namespace of ours is what schemas/xsd says ---- */

static void note_emitted(struct world *w, const struct bytes *xml)
{
    if (!memmem(xml->data, xml->len, "urn:causeway:", strlen("urn:causeway:")))
        return;
    if (!w->emitted)
        w->emitted = tmpfile();
    CHECK(w->emitted);
    for (size_t i = 0; i < xml->len; i++) { /* a line feed in a text would end the line */
        if (xml->data[i] == '\n')
            fputs("&#10;", w->emitted);
        else
            fputc(xml->data[i], w->emitted);
    }
    fputc('\n', w->emitted);
}

static void check_emitted(struct world *w)
{
    if (!w->emitted)
        return;
    char command[512];
    fflush(w->emitted);
    snprintf(command, sizeof command, "PYTHONPATH=%s/test PYTHONDONTWRITEBYTECODE=1 python3 -m lablib.emitted /proc/%ld/fd/%d",
             CAUSEWAY_SOURCE_DIR, (long)getpid(), fileno(w->emitted));
    int status = system(command);
    if (status != 0) {
        fprintf(stderr, "something with a namespace of ours is not as schemas/xsd says: see above\n");
        abort();
    }
    fclose(w->emitted);
}

/* ---- the wire ---- */

static struct gateway *gateway_of(struct world *w, const char *domain)
{
    for (unsigned i = 0; i < w->gateway_count; i++)
        if (text_eq(w->gateways[i].domain, domain))
            return &w->gateways[i];
    return NULL;
}

static struct stanza *over_the_wire(struct world *w, struct stanza *st)
{
    struct bytes xml = BYTES_EMPTY;
    stanza_write(&xml, st, NULL);
    note_emitted(w, &xml);
    struct stanza *copy = stanza_parse(xml.data, xml.len);
    CHECK(copy);
    bytes_fini(&xml);
    return copy;
}

static void parcel_end(struct parcel *p)
{
    stanza_unref(&p->st);
    mem_free(p);
}

static void on_parcel_settled(struct command *c)
{
    struct parcel *p = container_of(container_of(c, struct settle, cmd), struct parcel, settle);
    exchange_remote_done(p->from->x, p->st, p->seq);
    parcel_end(p);
}

static void parcel_arrive(struct parcel *p)
{
    struct gateway *to = gateway_of(p->from->world, p->st->to->domain);
    if (!to || p->from->world->wire == WIRE_FAILS) {
        exchange_remote_failed(p->from->x, p->st, p->seq,
                               to ? STANZA_REMOTE_SERVER_TIMEOUT : STANZA_REMOTE_SERVER_NOT_FOUND,
                               NULL);
        parcel_end(p);
        return;
    }
    settle_init(&p->settle, p->from->loops[0], on_parcel_settled);
    struct stanza *copy = over_the_wire(p->from->world, p->st);
    exchange_receive_remote(to->x, copy, &p->settle);
    stanza_unref(&copy);
}

static void remote_send(struct edge_remote *e, struct stanza *st, struct queue_id id)
{
    struct gateway *g = container_of(e, struct gateway, remote);
    struct parcel *p = mem_new(struct parcel);
    p->from = g;
    p->st = stanza_ref(st);
    p->seq = id.seq;
    if (g->world->wire == WIRE_HOLDS)
        list_append(&g->world->held, &p->node);
    else
        parcel_arrive(p);
}

static void remote_wake(struct edge_remote *e, const char *local, const char *remote)
{
    (void)e, (void)local, (void)remote; /* a store in memory holds nothing at the start */
}

static const struct edge_remote_ops remote_ops = {.send = remote_send, .wake = remote_wake};

void world_wire(struct world *w, enum world_wire state)
{
    w->wire = state;
    if (state == WIRE_HOLDS)
        return;
    list_each (at, &w->held) {
        list_remove(at);
        parcel_arrive(list_entry(at, struct parcel, node));
    }
}

/* ---- life ---- */

static void gateway_create(struct world *w, struct gateway *g, const struct world_gateway *o)
{
    struct error e = ERROR_INIT;
    struct store_options so = {.path = ":memory:",
                               .schema_dir = CAUSEWAY_SOURCE_DIR "/schemas/sql",
                               .clock = &w->clock.clock};
    g->world = w;
    g->domain = o->domain;
    g->store = store_open(&so, &e);
    if (!g->store) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    g->loop_count = o->loops ? o->loops : 1;
    CHECK(g->loop_count <= LOOPS_MAX);
    for (unsigned i = 0; i < g->loop_count; i++)
        g->loops[i] = loop_create(o->domain, &w->clock.clock);
    g->remote.ops = &remote_ops;
    struct community c = {
        .domain = o->domain,
        .archive = !o->no_archive,
        .strangers = o->strangers,
        .joining = {.who = JOIN_INVITED, .people = INVITE_CONTACTS, .page_url = "https://invite.example/"}};
    struct exchange_options x = {
        .loops = g->loops,
        .loop_count = g->loop_count,
        .store = g->store,
        .communities = &c,
        .community_count = 1,
        .services = o->services ? o->services : world_services,
        .remote = &g->remote,
        .reach = o->reach,
        .resources_max = o->resources_max,
    };
    g->x = exchange_create(&x);
    if (o->devices) {
        g->life = o->devices;
        g->devices = g->life->create(g->x, g->store, g->loops[0], o->domain, o->texts_a_day);
        g->router = g->life->router(g->devices);
        exchange_attach(g->x, NULL, contact_router_reach(g->router));
    }
    g->listings[0] = exchange_links(g->x);
    for (unsigned i = 0; g->devices && i < CONTACT_ROUTER_LISTINGS; i++)
        g->listings[1 + i] = contact_router_listing(g->router, i);
    for (unsigned i = 0; i < LISTINGS_MAX; i++)
        g->listed[i] = g->listings[i].name ? &g->listings[i] : NULL;
    g->adhoc = adhoc_create(&(struct adhoc_options){.exchange = g->x,
                                                    .loops = g->loops,
                                                    .loop_count = g->loop_count,
                                                    .commands = o->commands ? o->commands : world_commands,
                                                    .listings = g->listed});
    exchange_start(g->x);
    if (g->router)
        contact_router_start(g->router);
}

struct world *world_create(const struct world_gateway *gateways, unsigned count)
{
    CHECK(count <= GATEWAYS_MAX);
    struct world *w = mem_new(struct world);
    clock_fake_init(&w->clock);
    list_init(&w->peers);
    list_init(&w->held);
    w->gateway_count = count;
    for (unsigned i = 0; i < count; i++)
        gateway_create(w, &w->gateways[i], &gateways[i]);
    world_settle(w);
    return w;
}

struct exchange *world_exchange(struct world *w, const char *domain)
{
    return gateway_of(w, domain)->x;
}

struct store *world_store(struct world *w, const char *domain)
{
    return gateway_of(w, domain)->store;
}

struct world_devices *world_devices(struct world *w, const char *domain)
{
    struct gateway *g = gateway_of(w, domain);
    return g ? g->devices : NULL;
}

struct counting {
    const char *sql;
    int64_t count;
};

static bool count(struct store_tx *tx, void *user, struct error *e)
{
    struct counting *c = user;
    struct store_rows *r = store_query(tx, e, c->sql, "");
    while (r && store_next(r, e))
        c->count = store_int(r, 0);
    return r && e->code == ERROR_NONE;
}

int64_t world_count(struct world *w, const char *domain, const char *sql)
{
    struct error e = ERROR_INIT;
    struct counting c = {.sql = sql};
    world_settle(w);
    if (!store_write_wait(world_store(w, domain), count, &c, &e)) {
        fprintf(stderr, "%s: %s\n", sql, e.text);
        abort();
    }
    return c.count;
}

int64_t world_now_us(struct world *w)
{
    return w->clock.now_unix_us;
}

static bool put_account(struct store_tx *tx, void *user, struct error *e)
{
    struct account a = {.bare = user};
    return account_put(tx, &a, true, e);
}

static bool put_admin(struct store_tx *tx, void *user, struct error *e)
{
    struct account a = {.bare = user, .is_admin = true};
    return account_put(tx, &a, true, e);
}

static void put(struct world *w, const char *bare, bool (*run)(struct store_tx *tx, void *user, struct error *e))
{
    struct error e = ERROR_INIT;
    char *name = mem_dup(bare);
    struct gateway *g = gateway_of(w, strchr(bare, '@') + 1);
    CHECK(g && store_write_wait(g->store, run, name, &e));
    mem_free(name);
}

void world_account(struct world *w, const char *bare)
{
    put(w, bare, put_account);
}

void world_admin(struct world *w, const char *bare)
{
    put(w, bare, put_admin);
}

struct adhoc *world_adhoc(struct world *w, const char *domain)
{
    return gateway_of(w, domain)->adhoc;
}

/* ---- time ---- */

static bool turn(struct world *w)
{
    bool did = false;
    for (unsigned i = 0; i < w->gateway_count; i++)
        for (unsigned k = 0; k < w->gateways[i].loop_count; k++)
            while (loop_turn(w->gateways[i].loops[k]))
                did = true;
    return did;
}

struct barrier {
    struct store_job job;
    bool passed;
};

static bool barrier_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    (void)tx, (void)job, (void)e;
    return true;
}

static void barrier_done(struct store_job *job, const struct error *e)
{
    (void)e;
    container_of(job, struct barrier, job)->passed = true;
}

/* true: something moved while we waited. */
static bool wait_for(struct world *w, struct barrier *b)
{
    unsigned turns = 0;
    while (!b->passed) {
        turns += turn(w);
        sched_yield();
    }
    return turns > 1; /* one brought the barrier's own news */
}

/* What was asked of the store before is done. */
static bool wait_for_store(struct world *w, struct gateway *g)
{
    struct barrier write = {
        .job = {.reply_on = g->loops[0], .run = barrier_run, .done = barrier_done}};
    store_write(g->store, &write.job);
    bool moved = wait_for(w, &write);
    struct barrier read = {
        .job = {.reply_on = g->loops[0], .run = barrier_run, .done = barrier_done}};
    store_read(g->store, &read.job);
    return wait_for(w, &read) || moved;
}

/* Something is at work on libuv's pool: keys of a password. */
static bool is_at_work(const struct world *w)
{
    for (unsigned i = 0; i < w->gateway_count; i++)
        for (unsigned k = 0; k < w->gateways[i].loop_count; k++)
            if (loop_uv(w->gateways[i].loops[k])->active_reqs.count)
                return true;
    return false;
}

void world_settle(struct world *w)
{
    /* News of a read may follow the barrier's, on another reader: so twice in a row nothing moves.
     */
    for (unsigned quiet = 0; quiet < 3;) {
        bool moved = turn(w) || is_at_work(w);
        for (unsigned i = 0; i < w->gateway_count; i++)
            moved |= wait_for_store(w, &w->gateways[i]);
        quiet = moved ? 0 : quiet + 1;
    }
}

/* A second at most; with devices, as far as no timer may fire. */
static uint64_t next_step(struct world *w, uint64_t ms, bool devices)
{
    if (!devices)
        return ms > 1000 ? 1000 : ms;
    uint64_t step = ms, now = clock_mono_ms(&w->clock.clock);
    for (unsigned i = 0; i < w->gateway_count; i++)
        for (unsigned k = 0; k < w->gateways[i].loop_count; k++) {
            uint64_t at = timer_wheel_next(&w->gateways[i].loops[k]->wheel);
            if (at < now + step)
                step = at > now ? at - now : 1;
        }
    return step;
}

void world_advance(struct world *w, uint64_t ms)
{
    bool devices = false;
    for (unsigned i = 0; i < w->gateway_count; i++)
        devices |= w->gateways[i].devices != NULL;
    world_settle(w);
    while (ms) {
        uint64_t step = next_step(w, ms, devices);
        clock_fake_advance(&w->clock, step);
        ms -= step;
        if (turn(w) && devices) /* what is due now is sent now, not when the day is over */
            world_settle(w);
    }
    world_settle(w);
}

/* ---- peers ---- */

struct sent {
    struct settle settle;
    struct peer *peer;
};

struct got {
    struct stanza *st;
    uint64_t seq;
    bool reported;
};

struct peer {
    struct list node;
    struct edge_link link;
    struct world *world;
    struct gateway *gateway;
    char *jid;
    bool answered, holds;
    struct got *got;
    unsigned got_count, taken; /* those before `taken` were looked at */
    bool *gone;                /* taken out of order */
    unsigned sent, settled;
    enum stream_error replaced;
    struct stanza *shown;
};

static struct peer *peer_of(struct edge_link *l)
{
    return container_of(l, struct peer, link);
}

static void on_bound(struct edge_link *l, const struct jid *full, enum stanza_error why)
{
    struct peer *p = peer_of(l);
    CHECK(!p->answered);
    p->answered = true;
    p->jid = full ? mem_dup(full->full) : NULL;
    p->world->refusal = why;
}

static void deliver(struct edge_link *l, struct stanza *st, uint64_t seq)
{
    struct peer *p = peer_of(l);
    struct bytes xml = BYTES_EMPTY;
    stanza_write(&xml, st, NULL);
    note_emitted(p->world, &xml);
    bytes_fini(&xml);
    p->got = mem_grow(p->got, (p->got_count + 1) * sizeof(*p->got));
    p->gone = mem_grow(p->gone, (p->got_count + 1) * sizeof(bool));
    p->gone[p->got_count] = false;
    p->got[p->got_count++] = (struct got){stanza_ref(st), seq, seq && !p->holds};
    if (seq && !p->holds)
        exchange_delivered(l->resource, seq);
}

static void on_replaced(struct edge_link *l, enum stream_error why)
{
    peer_of(l)->replaced = why;
}

static const struct edge_link_ops link_ops = {
    .on_bound = on_bound, .deliver = deliver, .on_replaced = on_replaced};

static void peer_destroy(struct peer *p)
{
    list_remove(&p->node);
    for (unsigned i = 0; i < p->got_count; i++)
        stanza_unref(&p->got[i].st);
    stanza_unref(&p->shown);
    mem_free(p->got);
    mem_free(p->gone);
    mem_free(p->jid);
    mem_free(p);
}

struct peer *world_bind(struct world *w, const char *full)
{
    return world_bind_as_of(w, full, UINT64_MAX);
}

struct peer *world_bind_as_of(struct world *w, const char *full, uint64_t proved)
{
    struct arena a;
    arena_init(&a);
    const struct jid *j = jid_parse_text(&a, full);
    CHECK(j);
    struct peer *p = mem_new(struct peer);
    p->world = w;
    p->gateway = gateway_of(w, j->domain);
    p->link.ops = &link_ops;
    list_append(&w->peers, &p->node);
    world_settle(w);
    p->link.proved = proved == UINT64_MAX ? exchange_revocations(p->gateway->x) : proved;
    exchange_bind(p->gateway->x, &p->link, j, j->resource);
    world_settle(w);
    arena_fini(&a);
    CHECK(p->answered);
    if (p->jid)
        return p;
    peer_destroy(p);
    return NULL;
}

enum stanza_error world_refusal(struct world *w)
{
    return w->refusal;
}

static void on_sent_settled(struct command *c)
{
    struct sent *s = container_of(container_of(c, struct settle, cmd), struct sent, settle);
    s->peer->settled++;
    mem_free(s);
}

bool peer_send(struct peer *p, const char *xml)
{
    struct stanza *st = match_parse(xml);
    CHECK(st && p->link.resource);
    struct sent *s = mem_new(struct sent);
    s->peer = p;
    settle_init(&s->settle, p->gateway->loops[0], on_sent_settled);
    bool ok = exchange_receive(p->link.resource, st, &s->settle);
    if (ok)
        p->sent++;
    else
        mem_free(s);
    stanza_unref(&st);
    return ok;
}

void peer_hold_reports(struct peer *p)
{
    p->holds = true;
}

void peer_report(struct peer *p)
{
    p->holds = false;
    for (unsigned i = 0; i < p->got_count; i++)
        if (p->got[i].seq && !p->got[i].reported) {
            p->got[i].reported = true;
            exchange_delivered(p->link.resource, p->got[i].seq);
        }
}

void peer_vanish(struct peer *p)
{
    if (p->link.resource)
        exchange_unbind(p->link.resource, NULL, 0);
    CHECK(!p->link.resource);
}

void peer_fall_asleep(struct peer *p)
{
    struct bytes directed = BYTES_EMPTY;
    struct link_snapshot s;
    struct arena a;
    arena_init(&a);
    exchange_snapshot(p->link.resource, &s);
    stanza_ref(s.presence);
    exchange_put_directed(p->link.resource, &directed, 65536);
    s.directed = bytes_span(&directed);
    resource_forget(p->link.resource);
    p->answered = false;
    const struct jid *j = jid_parse_text(&a, p->jid);
    mem_free(p->jid);
    exchange_bind_asleep(p->gateway->x, &p->link, j, j->resource, &s);
    stanza_unref(&s.presence);
    bytes_fini(&directed);
    arena_fini(&a);
    world_settle(p->world);
    CHECK(p->answered && p->link.resource);
}

void peer_wake(struct peer *p)
{
    exchange_wake(p->link.resource);
    world_settle(p->world);
}

void peer_link_state(struct peer *p, enum link_state state)
{
    exchange_link_state(p->link.resource, state);
}

struct stanza *peer_look(struct peer *p, unsigned i)
{
    for (unsigned at = p->taken; at < p->got_count; at++)
        if (!p->gone[at] && !i--)
            return p->got[at].st;
    return NULL;
}

void peer_take(struct peer *p, unsigned i)
{
    for (unsigned at = p->taken; at < p->got_count; at++)
        if (!p->gone[at] && !i--) {
            p->gone[at] = true;
            break;
        }
    while (p->taken < p->got_count && p->gone[p->taken])
        p->taken++;
}

struct stanza *peer_next(struct peer *p)
{
    struct stanza *st = peer_look(p, 0);
    stanza_unref(&p->shown);
    p->shown = st ? stanza_ref(st) : NULL;
    if (st)
        peer_take(p, 0);
    return p->shown;
}

unsigned peer_settled(const struct peer *p)
{
    return p->settled;
}

unsigned peer_sent(const struct peer *p)
{
    return p->sent;
}

enum stream_error peer_replaced(const struct peer *p)
{
    return p->replaced;
}

const char *peer_jid(const struct peer *p)
{
    return p->jid;
}

void world_destroy(struct world **wp)
{
    struct world *w = *wp;
    *wp = NULL;
    world_settle(w);
    list_each (at, &w->peers)
        peer_vanish(list_entry(at, struct peer, node));
    world_wire(w, WIRE_FAILS);
    world_settle(w);
    for (unsigned i = 0; i < w->gateway_count; i++)
        contact_router_stop(w->gateways[i].router);
    world_settle(w);
    for (unsigned i = 0; i < w->gateway_count; i++)
        store_close(&w->gateways[i].store);
    while (turn(w))
        ;
    for (unsigned i = 0; i < w->gateway_count; i++) {
        if (w->gateways[i].life)
            w->gateways[i].life->destroy(&w->gateways[i].devices);
        adhoc_destroy(&w->gateways[i].adhoc);
        exchange_destroy(&w->gateways[i].x);
        for (unsigned k = 0; k < w->gateways[i].loop_count; k++)
            loop_destroy(&w->gateways[i].loops[k]);
    }
    list_each (at, &w->peers)
        peer_destroy(list_entry(at, struct peer, node));
    check_emitted(w);
    mem_free(w);
}
