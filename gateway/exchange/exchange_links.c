/* SPDX-License-Identifier: MIT */
/* Links as an admin sees them: the table of who is linked, over all shards, and ending them. */
#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/listing.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/service.h"

/* ---- the table ---- */

static const struct listing_column columns[] = {
    {"jid", "Address"}, {"state", "Link"}, {"presence", "Presence"}, {"priority", "Priority"}, {NULL, NULL},
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
}

struct walk {
    struct exchange *x;
    unsigned shard;
};

static void walk_shard(struct command *cmd)
{
    struct listing_query *q = container_of(cmd, struct listing_query, cmd);
    struct walk *w = q->giver;
    struct person *p;
    for (size_t i = 0; (p = map_next(&w->x->shards[w->shard].persons, &i));)
        if (text_eq(p->jid->domain, q->domain) && (!q->key || text_eq(p->jid->bare, q->key)))
            resource_each(r, p) add_link(q, r);
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

/* ---- ending them ---- */

struct ending {
    struct command cmd;
    struct jid *who;
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
    mem_free(n);
}

static void end_links(struct person *p, void *user)
{
    struct ending *n = user;
    if (p)
        resource_each(r, p) if (!n->who->resource || text_eq(n->who->resource, r->jid->resource))
        {
            n->ended++;
            resource_replace(r, n->why);
        }
    n->cmd.run = run_ended;
    loop_post(n->reply_on, &n->cmd);
}

void exchange_end_links(struct exchange *x, const struct jid *who, enum stream_error why, struct loop *reply_on,
                        void (*done)(void *user, unsigned ended), void *user)
{
    struct ending *n = mem_new(struct ending);
    n->who = jid_dup(who);
    n->why = why;
    n->reply_on = reply_on;
    n->done = done;
    n->user = user;
    if (why == STREAM_NOT_AUTHORIZED && !who->resource) /* also for who has logged in and not bound yet */
        revocation_add(&x->revocations, who->bare);
    person_visit(x, who->bare, end_links, n);
}
