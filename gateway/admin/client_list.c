/* SPDX-License-Identifier: MIT */
/* Two sources are one list: the store's installations with tokens, and the links that the exchange has. A link whose
 * installation has no token (or that named none) is a row by its address: it came by a password, and ending it does not
 * take that away. Links are asked first: what is in the store then is at least as new. */
#include "gateway/admin/client_list.h"

#include <string.h>

#include "gateway/base/text.h"
#include "gateway/exchange/service.h"
#include "gateway/store/clients.h"
#include "gateway/xmpp/jid.h"

/* ---- asking ---- */

static const char *cell(const struct listing_row *row, const struct listing *of, const char *var)
{
    for (unsigned i = 0; of->columns[i].var; i++)
        if (text_eq(of->columns[i].var, var))
            return row->cells[i];
    return NULL;
}

static enum client_link state_of(const char *state)
{
    return text_eq(state, "hibernating") ? CLIENT_RESUMABLE : CLIENT_LINKED;
}

static const struct listing_row *link_of(const struct client_list *l, const struct listing *links, const char *agent)
{
    const struct listing_row *found = NULL;
    for (const struct listing_row *r = l->query.first; r; r = r->next)
        if (text_eq(cell(r, links, "client"), agent) && (!found || text_eq(cell(r, links, "jid"), l->asker->full)))
            found = r;
    return found;
}

static void add(struct client_list *l, struct client found)
{
    struct client *row = arena_new(&l->query.arena, struct client);
    *row = found;
    *l->end = row;
    l->end = &row->next;
}

static void take_row(void *user, const struct client_row *row)
{
    struct client_list *l = user;
    struct arena *a = &l->query.arena;
    add(l, (struct client){.id = arena_dup(a, row->agent),
                           .name = arena_dup(a, row->device),
                           .software = arena_dup(a, row->software),
                           .first_us = row->first_us,
                           .seen_us = row->seen_us,
                           .has_token = true});
}

static bool run_look(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct client_list *l = container_of(job, struct client_list, job);
    l->first = NULL;
    l->end = &l->first;
    return clients_each(tx, l->bare, take_row, l, e);
}

static bool is_listed(const struct client_list *l, const char *agent)
{
    for (const struct client *r = l->first; agent && r; r = r->next)
        if (text_eq(r->id, agent))
            return true;
    return false;
}

static void join(struct client_list *l)
{
    const struct listing links = exchange_links(l->exchange);
    for (struct client *c = l->first; c; c = c->next) {
        const struct listing_row *link = link_of(l, &links, c->id);
        c->link = link ? state_of(cell(link, &links, "state")) : CLIENT_NOT_LINKED;
        c->own = link && text_eq(cell(link, &links, "jid"), l->asker->full);
    }
    for (const struct listing_row *r = l->query.first; r; r = r->next) {
        const char *full = cell(r, &links, "jid");
        if (!is_listed(l, cell(r, &links, "client")))
            add(l, (struct client){.id = full,
                                   .name = strchr(full, '/') + 1,
                                   .link = state_of(cell(r, &links, "state")),
                                   .by_certificate = text_eq(cell(r, &links, "login"), "certificate"),
                                   .own = text_eq(full, l->asker->full)});
    }
}

static void on_looked(struct store_job *job, const struct error *e)
{
    struct client_list *l = container_of(job, struct client_list, job);
    if (e->code == ERROR_NONE)
        join(l);
    l->done(l, e);
}

static void on_links(struct listing_query *q, const struct error *e)
{
    struct client_list *l = container_of(q, struct client_list, query);
    struct store *s = exchange_store(l->exchange);
    if (e->code != ERROR_NONE) {
        l->done(l, e);
        return;
    }
    l->job = (struct store_job){.reply_on = l->loop, .run = run_look, .done = on_looked, .must_see = store_ticket(s)};
    store_read(s, &l->job);
}

void client_list_ask(struct client_list *l)
{
    struct listing links = exchange_links(l->exchange);
    const char *at = strchr(l->bare, '@');
    l->query = (struct listing_query){
        .domain = at ? at + 1 : l->bare, .key = l->bare, .limit = l->limit, .reply_on = l->loop, .done = on_links};
    arena_init(&l->query.arena);
    links.ask(&links, &l->query);
}

/* ---- revoking ---- */

static void on_ended(void *user, unsigned ended)
{
    struct client_revoke *r = user;
    r->ended = ended;
    r->was_known = r->was_known || ended;
    struct error none = ERROR_INIT;
    r->done(r, &none);
}

static bool run_revoke(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct client_revoke *r = container_of(job, struct client_revoke, job);
    const char *bare = r->account->bare;
    if (!(r->id ? clients_forget(tx, bare, r->id, e) : clients_forget_others(tx, bare, r->own, e)))
        return false;
    r->was_known = store_changes(tx) > 0;
    return true;
}

static void end_link(struct client_revoke *r)
{
    struct arena a;
    arena_init(&a);
    const struct jid *link = jid_parse_text(&a, r->id);
    if (link && link->resource && text_eq(link->bare, r->account->bare))
        exchange_end_links(r->exchange, link, STREAM_NOT_AUTHORIZED, r->loop, on_ended, r);
    else
        on_ended(r, 0);
    arena_fini(&a);
}

static void on_revoked(struct store_job *job, const struct error *e)
{
    struct client_revoke *r = container_of(job, struct client_revoke, job);
    struct exchange_revocation which = {.account = r->account, .agent = r->id};
    if (e->code != ERROR_NONE) {
        r->done(r, e);
    } else if (r->id && !r->was_known && strchr(r->id, '/')) {
        end_link(r);
    } else {
        if (!r->id) {
            which.but = *r->own ? r->own : NULL;
            which.but_link = r->asker;
        }
        exchange_end_clients(r->exchange, &which, r->loop, on_ended, r);
    }
}

void client_list_revoke(struct client_revoke *r)
{
    r->was_known = false;
    r->ended = 0;
    r->job = (struct store_job){.reply_on = r->loop, .run = run_revoke, .done = on_revoked};
    store_write(exchange_store(r->exchange), &r->job);
}
