/* SPDX-License-Identifier: MIT */
/* Links as an admin sees them: the table of who is linked, over all shards, and ending them. */
#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/listing.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/presence.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/roster.h"
#include "gateway/exchange/service.h"

/* ---- the table ---- */

static const struct listing_column columns[] = {
    {"jid", "Address"}, {"state", "Link"}, {"presence", "Presence"}, {"priority", "Priority"}, {"client", "Client"},
    {"login", "Login"}, {NULL, NULL},
};

static const char *state_name(enum link_state s)
{
    switch (s) {
    case LINK_ACTIVE: return "active";
    case LINK_INACTIVE: return "inactive";
    case LINK_HIBERNATING: return "hibernating";
    }
    return NULL;
}

static const char *presence_name(const struct resource *r)
{
    const struct element *show = r->presence ? stanza_child(r->presence, "show", NULL) : NULL;
    return !r->presence ? "none" : show && show->text[0] ? show->text : "available";
}

static void add_link(struct listing_query *q, const struct resource *r)
{
    struct listing_row *row = listing_add(q);
    if (!row)
        return;
    row->cells[0] = arena_dup(&q->arena, r->jid->full);
    row->cells[1] = state_name(r->state);
    row->cells[2] = arena_dup(&q->arena, presence_name(r));
    row->cells[3] = arena_printf(&q->arena, "%d", r->priority);
    row->cells[4] = r->link && r->link->agent ? arena_dup(&q->arena, r->link->agent) : NULL;
    row->cells[5] = r->link && r->link->by_certificate ? "certificate" : NULL;
}

static void add_links(struct listing_query *q, struct person *p)
{
    if (text_eq(p->jid->domain, q->domain))
        resource_each(r, p) add_link(q, r);
}

struct walk {
    struct exchange *x;
    unsigned shard;
};

static void walk_shard(struct command *cmd)
{
    struct listing_query *q = container_of(cmd, struct listing_query, cmd);
    struct walk *w = q->giver;
    struct map *persons = &w->x->shards[w->shard].persons;
    struct person *p = q->key ? map_get(persons, q->key) : NULL;
    if (p)
        add_links(q, p);
    for (size_t i = 0; !q->key && (p = map_next(persons, &i));)
        add_links(q, p);
    if (++w->shard < w->x->shard_count)
        loop_post(w->x->shards[w->shard].loop, &q->cmd);
    else
        listing_end(q, NULL);
}

static void ask_links(const struct listing *l, struct listing_query *q)
{
    struct walk *w = arena_new(&q->arena, struct walk);
    w->x = l->of;
    q->giver = w;
    q->cmd.run = walk_shard;
    loop_post(w->x->shards[0].loop, &q->cmd);
}

struct listing exchange_links(struct exchange *x)
{
    return (struct listing){.name = "links", .columns = columns, .ask = ask_links, .of = x};
}

/* ---- an account that is no more ---- */

static void take_leave(struct person *p, void *user)
{
    (void)user;
    if (p && p->roster)
        roster_each(i, p->roster) presence_end_subscription(p, i->contact, i->state);
}

void exchange_take_leave(struct exchange *x, const char *bare)
{
    person_visit(x, bare, take_leave, NULL);
}

/* ---- ending them ---- */

struct ending {
    struct command cmd;
    struct jid *who;
    struct jid *but_link; /* NULL: any */
    char *agent, *but;    /* owned; NULL: any */
    enum stream_error why;
    struct loop *reply_on;
    void (*done)(void *user, unsigned ended);
    void *user;
    unsigned ended;
};

static void run_ended(struct command *cmd)
{
    struct ending *n = container_of(cmd, struct ending, cmd);
    n->done(n->user, n->ended);
    jid_destroy(&n->who);
    jid_destroy(&n->but_link);
    mem_free(n->agent);
    mem_free(n->but);
    mem_free(n);
}

static bool is_meant(const struct ending *n, const struct resource *r)
{
    const char *agent = r->link ? r->link->agent : NULL;
    if (n->who->resource && !text_eq(n->who->resource, r->jid->resource))
        return false;
    if ((n->agent && !text_eq(n->agent, agent)) || (n->but && text_eq(n->but, agent)))
        return false;
    return !n->but_link || !jid_eq(n->but_link, r->jid);
}

static void end_links(struct person *p, void *user)
{
    struct ending *n = user;
    if (p)
        resource_each(r, p) if (is_meant(n, r))
        {
            n->ended++;
            resource_replace(r, n->why);
        }
    n->cmd.run = run_ended;
    loop_post(n->reply_on, &n->cmd);
}

static struct ending *ending_new(const struct jid *who, enum stream_error why, struct loop *reply_on,
                                 void (*done)(void *user, unsigned ended), void *user)
{
    struct ending *n = mem_new(struct ending);
    n->who = jid_dup(who);
    n->why = why;
    n->reply_on = reply_on;
    n->done = done;
    n->user = user;
    return n;
}

void exchange_end_links(struct exchange *x, const struct jid *who, enum stream_error why, struct loop *reply_on,
                        void (*done)(void *user, unsigned ended), void *user)
{
    if (why == STREAM_NOT_AUTHORIZED && !who->resource) /* also for who has logged in and not bound yet */
        revocation_add(&x->revocations, who->bare, NULL);
    person_visit(x, who->bare, end_links, ending_new(who, why, reply_on, done, user));
}

void exchange_end_clients(struct exchange *x, const struct exchange_revocation *which, struct loop *reply_on,
                          void (*done)(void *user, unsigned ended), void *user)
{
    CHECK(!which->account->resource);
    struct ending *n = ending_new(which->account, STREAM_NOT_AUTHORIZED, reply_on, done, user);
    revocation_add(&x->revocations, which->account->bare, which->agent);
    n->agent = which->agent ? mem_dup(which->agent) : NULL;
    n->but = which->but ? mem_dup(which->but) : NULL;
    n->but_link = which->but_link ? jid_dup(which->but_link) : NULL;
    person_visit(x, which->account->bare, end_links, n);
}
