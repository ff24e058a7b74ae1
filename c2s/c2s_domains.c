/* SPDX-License-Identifier: MIT */
/* Which domains have streams here: they come and go while everything runs.
 *
 * A domain's record stays until the end once it has been here, so whatever a connection or the
 * store's thread holds of it holds. Gone is only a mark, which the header of a stream looks at; the
 * domain takes the same record when it comes again. */
#include <ctype.h>
#include <string.h>

#include "c2s/c2s_census.h"
#include "c2s/c2s_conn.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

struct c2s_domain *c2s_domain_known(const struct c2s *c, const char *name)
{
    return registry_get(&c->by_name, name);
}

struct c2s_domain *c2s_domain_served(const struct c2s *c, const char *name)
{
    struct c2s_domain *d = c2s_domain_known(c, name);

    return d && atomic_load(&d->is_served) ? d : NULL;
}

struct c2s_domain *c2s_domain_first(const struct c2s *c)
{
    return atomic_load(&c->first);
}

struct c2s_domain *c2s_domain_of_host(const struct c2s *c, const char *host)
{
    char name[1024] = "";
    size_t len = host ? strcspn(host, ":") : 0;

    for (size_t i = 0; i < len && len < sizeof(name); i++)
        name[i] = (char)tolower((unsigned char)host[i]);
    struct c2s_domain *named = c2s_domain_served(c, name);
    return named || atomic_load(&c->served_count) > 1 ? named : c2s_domain_first(c);
}

/* ---- one comes ---- */

static struct c2s_domain *record_of(struct c2s *c, const char *name)
{
    struct c2s_domain *d = c2s_domain_known(c, name);

    if (d)
        return d;
    d = mem_new(struct c2s_domain);
    d->name = mem_dup(name);
    d->census = c2s_census_create();
    d->older = atomic_load(&c->newest);
    atomic_store(&c->newest, d); /* whole: others walk from there */
    registry_set(&c->by_name, name, d);
    return d;
}

void c2s_domain_begin(struct c2s *c, const char *name, struct directory *directory)
{
    struct c2s_domain *d = record_of(c, name);

    CHECK(!atomic_load(&d->is_served));
    atomic_store(&d->directory, directory);
    atomic_store(&d->is_served, true);
    list_append(&c->served, &d->node);
    if (atomic_fetch_add(&c->served_count, 1) == 0)
        atomic_store(&c->first, d);
}

void c2s_add_domain(struct c2s *c, const char *domain, struct directory *directory)
{
    loop_check(c->shards[0].loop);
    c2s_domain_begin(c, domain, directory);
    c2s_census_want(c, c2s_domain_known(c, domain));
}

void c2s_domains_fini(struct c2s *c)
{
    struct c2s_domain *d = atomic_load(&c->newest);

    while (d) {
        struct c2s_domain *older = d->older;
        c2s_census_destroy(&d->census);
        mem_free(d->name);
        mem_free(d);
        d = older;
    }
    registry_fini(&c->by_name);
}

/* ---- one goes ---- */

struct closing {
    struct command cmd;
    struct c2s_io *io;
    const char *name;
};

/* Who is bound has a link, which the exchange ends. */
static void close_conns(struct command *cmd)
{
    struct closing *o = container_of(cmd, struct closing, cmd);

    list_each (it, &o->io->conns) {
        struct c2s_conn *k = list_entry(it, struct c2s_conn, node);
        if (k->domain == o->name && k->state != C2S_CONN_BOUND)
            c2s_conn_close(k, STREAM_HOST_GONE, "not served here any more");
    }
    mem_free(o);
}

void c2s_remove_domain(struct c2s *c, const char *domain)
{
    struct c2s_domain *d = c2s_domain_served(c, domain);

    loop_check(c->shards[0].loop);
    CHECK(d);
    atomic_store(&d->is_served, false);
    list_remove(&d->node);
    atomic_fetch_sub(&c->served_count, 1);
    struct list *first = list_first(&c->served);
    if (first)
        atomic_store(&c->first, list_entry(first, struct c2s_domain, node));
    for (unsigned i = 0; i < c->io_count; i++) {
        struct closing *o = mem_new(struct closing);
        o->io = &c->ios[i];
        o->name = d->name;
        o->cmd.run = close_conns;
        loop_post(c->ios[i].loop, &o->cmd);
    }
}
