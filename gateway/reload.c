/* SPDX-License-Identifier: MIT */
/* One reading at a time: who rings meanwhile has another one begin when it is through, and so does
 * a removal.
 *
 * Whatever can be wrong is found in the reading, on libuv's pool: the new certificates go into the
 * store of TLS there, where nobody asks for them yet, and are taken out again if the configuration
 * is not good. */
#include "gateway/reload.h"

#include <signal.h>
#include <uv.h>

#include "gateway/base/list.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/certificates.h"
#include "gateway/communities.h"
#include "gateway/config_facts.h"
#include "gateway/net/loop.h"
#include "gateway/net/tls.h"

/* What is read. */
struct reading {
    struct config config;
    struct config_change change;
    struct certificates_pair **pairs; /* of change.added; NULL in it: taken over */
    struct certificates_pair **service_pairs; /* of change.attached; NULL in it also: it has none */
    struct arena arena;
    const char **mistakes; /* as config_read tells them */
    unsigned mistake_count, mistake_room;
};

struct reload {
    struct reload_options o;
    const struct config *now; /* what was applied last; the start's, or `applied`'s */
    struct reading *applied;  /* owned; NULL: none */
    struct reading *reading;  /* owned; NULL: none is under way */
    uv_work_t work;
    uv_signal_t hangup;
    bool is_watching, is_busy, is_asked_again;
    void (*on_stopped)(void *user); /* NULL: not stopping */
    void *user;
};

/* ---- on the pool ---- */

static void complain(void *user, const char *text)
{
    struct reading *g = user;
    if (g->mistake_count == g->mistake_room) {
        g->mistake_room = g->mistake_room ? g->mistake_room * 2 : 8;
        g->mistakes = mem_grow(g->mistakes, g->mistake_room * sizeof *g->mistakes);
    }
    g->mistakes[g->mistake_count++] = arena_dup(&g->arena, text);
}

/* What its parts would not take. */
static void try_devices(struct reading *g)
{
    struct error e = ERROR_INIT;
    struct contact_router_options o = config_router_options(&g->config, &g->arena);
    struct contact_router *router = contact_router_create(&o, &e);
    if (!router)
        complain(g, e.text);
    else
        contact_router_destroy(&router);
}

static void read_certificates(struct reading *g, struct tls_store *tls)
{
    g->pairs = arena_alloc(&g->arena, (g->change.added_count + 1) * sizeof *g->pairs);
    for (unsigned i = 0; i < g->change.added_count; i++) {
        struct error e = ERROR_INIT;
        g->pairs[i] = certificates_read(tls, g->change.added[i], &e);
        if (!g->pairs[i])
            complain(g, e.text);
    }
}

static void read_service_certificates(struct reading *g, struct tls_store *tls)
{
    g->service_pairs = arena_alloc(&g->arena, (g->change.attached_count + 1) * sizeof *g->service_pairs);
    for (unsigned i = 0; i < g->change.attached_count; i++) {
        struct error e = ERROR_INIT;
        if (!g->change.attached[i]->certificate)
            continue;
        g->service_pairs[i] = certificates_read_component(tls, g->change.attached[i], &e);
        if (!g->service_pairs[i])
            complain(g, e.text);
    }
}

/* One kind ends in steps, so the other cannot begin at the same time. */
static void check_kinds(struct reading *g)
{
    const struct config_change *c = &g->change;
    for (unsigned i = 0; i < c->attached_count; i++)
        for (unsigned k = 0; k < c->removed_count; k++)
            if (text_eq(c->attached[i]->exchange.domain, c->removed[k]->exchange.domain))
                complain(g, "a community becomes a component: take it away first, and reload");
    for (unsigned i = 0; i < c->added_count; i++)
        for (unsigned k = 0; k < c->detached_count; k++)
            if (text_eq(c->added[i]->exchange.domain, c->detached[k]->exchange.domain))
                complain(g, "a component becomes a community: take it away first, and reload");
}

static void drop_certificates(struct reading *g, struct tls_store *tls)
{
    for (unsigned i = 0; g->service_pairs && i < g->change.attached_count; i++) {
        if (g->service_pairs[i])
            tls_store_remove(tls, g->change.attached[i]->exchange.domain);
        certificates_give_back(&g->service_pairs[i]);
    }
    for (unsigned i = 0; g->pairs && i < g->change.added_count; i++) {
        if (g->pairs[i])
            tls_store_remove(tls, g->change.added[i]->exchange.domain);
        certificates_give_back(&g->pairs[i]);
    }
}

static void on_work(uv_work_t *w)
{
    struct reload *r = container_of(w, struct reload, work);
    struct reading *g = r->reading;
    if (!config_read(&g->config, r->now->file, complain, g))
        return;
    g->change = config_facts_compare(r->now, &g->config, &g->arena);
    check_kinds(g);
    try_devices(g);
    if (!g->mistake_count) {
        read_certificates(g, r->o.tls);
        read_service_certificates(g, r->o.tls);
    }
    if (g->mistake_count)
        drop_certificates(g, r->o.tls);
}

/* ---- on the loop ---- */

static void reading_destroy(struct reading **gp)
{
    struct reading *g = *gp;
    *gp = NULL;
    if (!g)
        return;
    config_fini(&g->config);
    arena_fini(&g->arena);
    mem_free(g->mistakes);
    mem_free(g);
}

static void begin(struct reload *r);

static void check_stopped(struct reload *r)
{
    if (r->on_stopped && !r->is_watching && !r->reading)
        r->on_stopped(r->user);
}

static void through(struct reload *r)
{
    r->is_busy = false;
    if (r->is_asked_again)
        begin(r);
}

static void refuse(struct reload *r)
{
    struct reading *g = r->reading;
    for (unsigned i = 0; i < g->mistake_count; i++)
        log_error(NULL, "%s", g->mistakes[i]);
    log_error(NULL, "SIGHUP: the configuration has %u mistakes; nothing has changed",
              g->mistake_count);
    reading_destroy(&r->reading);
    through(r);
}

static void on_gone(void *user)
{
    through(user);
}

static void remove_those(struct reload *r, const struct config_change *c)
{
    const char **domains = mem_array(c->removed_count, sizeof *domains);
    for (unsigned i = 0; i < c->removed_count; i++)
        domains[i] = c->removed[i]->exchange.domain;
    communities_remove(r->o.communities, domains, c->removed_count, on_gone, r);
    mem_free(domains);
}

static void add_those(struct reload *r, struct reading *g)
{
    for (unsigned i = 0; i < g->change.added_count; i++) {
        struct error e = ERROR_INIT;
        if (!communities_add(r->o.communities, g->change.added[i], g->pairs[i], &e))
            log_error(NULL, "%s", e.text); /* try_devices would have said so */
        g->pairs[i] = NULL;
    }
}

static void change_services(struct reload *r, struct reading *g)
{
    for (unsigned i = 0; i < g->change.detached_count; i++)
        communities_detach_service(r->o.communities, g->change.detached[i]->exchange.domain);
    for (unsigned i = 0; i < g->change.attached_count; i++) {
        communities_attach_service(r->o.communities, g->change.attached[i], g->service_pairs[i]);
        g->service_pairs[i] = NULL;
    }
}

static void apply(struct reload *r)
{
    struct reading *g = r->reading, *before = r->applied;
    unsigned gone = g->change.removed_count;
    add_those(r, g);
    change_services(r, g);
    for (unsigned i = 0; i < g->change.other_count; i++)
        log_warn(NULL, "SIGHUP: %s has changed, which needs a restart", g->change.others[i]);
    log_info(NULL, "SIGHUP: %s was read: %u communities come, %u go", g->config.file,
             g->change.added_count, gone);
    r->applied = g;
    r->now = &g->config;
    r->reading = NULL;
    if (gone)
        remove_those(r, &g->change);
    reading_destroy(&before);
    if (!gone)
        through(r);
}

static void on_worked(uv_work_t *w, int status)
{
    struct reload *r = container_of(w, struct reload, work);
    (void)status; /* it is never cancelled */
    if (r->on_stopped) {
        if (!r->reading->mistake_count)
            drop_certificates(r->reading, r->o.tls);
        reading_destroy(&r->reading);
        check_stopped(r);
    } else if (r->reading->mistake_count) {
        refuse(r);
    } else {
        apply(r);
    }
}

static void begin(struct reload *r)
{
    r->is_asked_again = r->is_busy;
    if (r->is_busy)
        return;
    r->is_busy = true;
    r->reading = mem_new(struct reading);
    arena_init(&r->reading->arena);
    CHECK(uv_queue_work(loop_uv(r->o.loop), &r->work, on_work, on_worked) == 0);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    struct reload *r = handle->data;
    (void)number;
    log_info(NULL, "SIGHUP: the configuration and the certificates are looked at");
    certificates_look(r->o.certificates);
    begin(r);
}

/* ---- beginning and end ---- */

struct reload *reload_create(const struct reload_options *o)
{
    struct reload *r = mem_new(struct reload);
    r->o = *o;
    r->now = o->config;
    return r;
}

void reload_watch(struct reload *r)
{
    CHECK(uv_signal_init(loop_uv(r->o.loop), &r->hangup) == 0);
    r->hangup.data = r;
    CHECK(uv_signal_start(&r->hangup, on_hangup, SIGHUP) == 0);
    r->is_watching = true;
}

static void on_closed(uv_handle_t *h)
{
    struct reload *r = h->data;
    r->is_watching = false;
    check_stopped(r);
}

void reload_stop(struct reload *r, void (*on_stopped)(void *user), void *user)
{
    CHECK(r->is_watching && !r->on_stopped);
    r->on_stopped = on_stopped;
    r->user = user;
    uv_close((uv_handle_t *)&r->hangup, on_closed);
}

void reload_destroy(struct reload **rp)
{
    struct reload *r = *rp;
    *rp = NULL;
    if (!r)
        return;
    CHECK(!r->is_watching && !r->reading);
    reading_destroy(&r->applied);
    mem_free(r);
}
