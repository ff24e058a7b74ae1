/* SPDX-License-Identifier: MIT */
/* One that comes: the exchange first, so that nothing reaches a part that would ask it in vain; terminals last.
 * One that goes passes three times: the edges take nothing for it any more and its links end; then the store is waited
 * for, until what that gave rise to is written and sent; then streams to other communities in its name end, once
 * these have said what they have of us. After that nobody knows it. */
#include "gateway/communities.h"

#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/certificates.h"
#include "gateway/deny_lists.h"
#include "gateway/net/timer.h"
#include "gateway/settling.h"

enum { LEAVE_MS = 3500 }; /* a little longer than s2s waits for what peers have */

/* Until the end, also when it is gone: somebody may still wait for what its directory says. */
struct served {
    struct list node;
    struct arena arena;
    struct directory_options ldap;
    struct directory *directory; /* owned; NULL: its passwords are ours */
};

struct communities {
    struct communities_parts parts;
    struct list served;
    struct directory **first; /* of the start, as the configuration has them */
    /* those that go */
    const char **going; /* in arena */
    unsigned going_count;
    unsigned closing; /* of them: links end */
    struct arena arena;
    struct settling settling;
    struct timer leaving;
    void (*on_gone)(void *user);
    void *user;
    bool stopped;
};

/* ---- directories ---- */

static void copy_ldap(struct served *v, const struct directory_options *from)
{
    struct arena *a = &v->arena;
    v->ldap = *from;
    v->ldap.urls = arena_dup_texts(a, from->urls);
    v->ldap.domain = arena_dup(a, from->domain);
    v->ldap.ca_file = arena_dup_or_null(a, from->ca_file);
    v->ldap.base = arena_dup_or_null(a, from->base);
    v->ldap.filter = arena_dup_or_null(a, from->filter);
    v->ldap.dn = arena_dup_or_null(a, from->dn);
    v->ldap.bind_dn = arena_dup_or_null(a, from->bind_dn);
    v->ldap.bind_password = arena_dup_or_null(a, from->bind_password);
}

/* Each community's own threads: a directory that hangs is nothing to the others. */
static struct directory *open_directory(struct communities *s, const struct config_community *cc)
{
    if (!cc->ldap)
        return NULL;
    struct served *v = mem_new(struct served);
    arena_init(&v->arena);
    copy_ldap(v, cc->ldap);
    v->directory = directory_create(&v->ldap);
    list_append(&s->served, &v->node);
    return v->directory;
}

struct directory *const *communities_directories(const struct communities *s)
{
    return s->first;
}

/* ---- one comes ---- */

bool communities_add(struct communities *s, const struct config_community *cc,
                     struct certificates_pair *pair, struct error *e)
{
    const struct communities_parts *p = &s->parts;
    if (!contact_router_add_community(p->router, &cc->devices, e)) {
        certificates_give_back(&pair);
        return false;
    }
    certificates_add(p->certificates, pair);
    s2s_set_community(p->s2s, &cc->federation);
    deny_lists_add(p->deny_lists, cc);
    exchange_add_community(p->exchange, &cc->exchange);
    c2s_add_domain(p->c2s, cc->exchange.domain, open_directory(s, cc));
    log_info(NULL, "serving %s", cc->exchange.domain);
    return true;
}

/* ---- some go ---- */

static void forget(struct communities *s, const char *domain)
{
    s2s_forget_domain(s->parts.s2s, domain);
    exchange_forget_community(s->parts.exchange, domain);
    contact_router_remove_community(s->parts.router, domain);
    certificates_remove(s->parts.certificates, domain);
    log_info(NULL, "no more serving %s; what the store has of it stays there", domain);
}

static void on_left(struct timer *t)
{
    struct communities *s = container_of(t, struct communities, leaving);
    for (unsigned i = 0; i < s->going_count; i++)
        forget(s, s->going[i]);
    arena_fini(&s->arena);
    s->going_count = 0;
    s->on_gone(s->user);
}

static void on_settled(struct settling *w)
{
    struct communities *s = container_of(w, struct communities, settling);
    if (s->stopped)
        return;
    for (unsigned i = 0; i < s->going_count; i++)
        s2s_leave_domain(s->parts.s2s, s->going[i]);
    timer_start(&s->leaving, s->parts.loop, LEAVE_MS, on_left);
}

static void on_closed(void *user, unsigned ended)
{
    struct communities *s = user;
    if (ended)
        log_info(NULL, "%u links ended with their community", ended);
    if (--s->closing == 0 && !s->stopped)
        settling_begin(&s->settling, s->parts.store, s->parts.loop, on_settled);
}

void communities_remove(struct communities *s, const char *const *domains, unsigned count,
                        void (*on_gone)(void *user), void *user)
{
    const struct communities_parts *p = &s->parts;
    CHECK(!s->going_count && count && !s->stopped);
    arena_init(&s->arena);
    s->going = arena_alloc(&s->arena, count * sizeof *s->going);
    s->going_count = s->closing = count;
    s->on_gone = on_gone;
    s->user = user;
    for (unsigned i = 0; i < count; i++) {
        s->going[i] = arena_dup(&s->arena, domains[i]);
        c2s_remove_domain(p->c2s, s->going[i]);
        exchange_close_community(p->exchange, s->going[i], p->loop, on_closed, s);
    }
}

/* ---- services ---- */

void communities_attach_service(struct communities *s, const struct config_component *cc,
                                struct certificates_pair *pair)
{
    const struct communities_parts *p = &s->parts;
    if (pair)
        certificates_add(p->certificates, pair);
    s2s_add_component(p->s2s, &(struct s2s_component){cc->exchange.domain, cc->secret});
    exchange_add_attached(p->exchange, &cc->exchange);
    log_info(NULL, "serving %s for the component that attaches", cc->exchange.domain);
}

void communities_detach_service(struct communities *s, const char *domain)
{
    const struct communities_parts *p = &s->parts;
    exchange_remove_attached(p->exchange, domain);
    s2s_remove_component(p->s2s, domain);
    s2s_leave_domain(p->s2s, domain);
    s2s_forget_domain(p->s2s, domain);
    certificates_remove(p->certificates, domain);
    log_info(NULL, "no more serving %s", domain);
}

/* ---- beginning and end ---- */

struct communities *communities_create(const struct config *c)
{
    struct communities *s = mem_new(struct communities);
    list_init(&s->served);
    s->first = mem_array(c->community_count + 1, sizeof *s->first);
    for (unsigned i = 0; i < c->community_count; i++)
        s->first[i] = open_directory(s, &c->communities[i]);
    return s;
}

void communities_attach(struct communities *s, const struct communities_parts *parts)
{
    s->parts = *parts;
}

void communities_stop(struct communities *s)
{
    s->stopped = true;
    timer_stop(&s->leaving);
}

void communities_destroy(struct communities **sp)
{
    struct communities *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    list_each (node, &s->served) {
        struct served *v = list_entry(node, struct served, node);
        directory_destroy(&v->directory);
        arena_fini(&v->arena);
        mem_free(v);
    }
    if (s->going_count)
        arena_fini(&s->arena);
    mem_free(s->first);
    mem_free(s);
}
