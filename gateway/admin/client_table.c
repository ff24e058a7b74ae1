/* SPDX-License-Identifier: MIT */
/* Two sources are one table: the store's installations with tokens, and the links that the exchange has. A link whose
 * installation has no token (or that named none) is a row by its address: it came by a password, and ending it does not
 * take that away. Links are asked first: what is in the store then is at least as new. */
#include "gateway/admin/client_table.h"

#include <string.h>

#include "gateway/admin/adhoc_listing.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/clients.h"
#include "gateway/xmpp/datetime.h"

struct client {
    const char *id; /* of the installation, or the full JID of the link */
    const char *name, *software, *seen, *now;
    bool has_token, own;
    struct client *next;
};

struct clients_job {
    struct store_job job;
    struct adhoc_call *call;
    struct arena arena;
    const char *bare, *asker;
    struct client *links, **links_end; /* id: full JID; software: the installation, or NULL */
    struct client *first, **end;
    void (*then)(struct adhoc_call *c, const struct client *first);
};

static const char *whose(struct adhoc_call *c)
{
    const struct jid *named = jid_parse_text(adhoc_arena(c), adhoc_text(c, "accountjid"));
    return named ? named->bare : adhoc_asker(c)->bare;
}

/* ---- asking ---- */

static const struct client *link_of(const struct clients_job *j, const char *agent)
{
    const struct client *found = NULL;
    for (const struct client *l = j->links; l; l = l->next)
        if (text_eq(l->software, agent) && (!found || l->own))
            found = l;
    return found;
}

static struct client *add(struct clients_job *j, struct client found)
{
    struct client *row = arena_new(&j->arena, struct client);
    *row = found;
    *j->end = row;
    j->end = &row->next;
    return row;
}

static void take_row(void *user, const struct client_row *row)
{
    struct clients_job *j = user;
    const struct client *link = link_of(j, row->agent);
    char seen[DATETIME_MAX];
    datetime_write(seen, row->seen_us / 1000000 * 1000000);
    add(j, (struct client){.id = arena_dup(&j->arena, row->agent),
                           .name = arena_dup(&j->arena, row->device),
                           .software = arena_dup(&j->arena, row->software),
                           .seen = arena_dup(&j->arena, seen),
                           .now = link ? link->now : "no",
                           .has_token = true,
                           .own = link && link->own});
}

static bool is_listed(const struct clients_job *j, const char *agent)
{
    for (const struct client *r = j->first; agent && r; r = r->next)
        if (text_eq(r->id, agent))
            return true;
    return false;
}

static bool run_look(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct clients_job *j = container_of(job, struct clients_job, job);
    j->first = NULL;
    j->end = &j->first;
    return clients_each(tx, j->bare, take_row, j, e);
}

static void on_looked(struct store_job *job, const struct error *e)
{
    struct clients_job *j = container_of(job, struct clients_job, job);
    for (const struct client *l = j->links; l && e->code == ERROR_NONE; l = l->next) {
        if (!is_listed(j, l->software))
            add(j, (struct client){.id = l->id, .name = strchr(l->id, '/') + 1, .now = l->now, .own = l->own});
    }
    if (e->code == ERROR_NONE)
        j->then(j->call, j->first);
    else
        adhoc_refuse(j->call, STANZA_RESOURCE_CONSTRAINT, "%s", e->text);
    arena_fini(&j->arena);
    mem_free(j);
}

static void take_links(struct clients_job *j, const struct listing *l, const struct listing_query *q)
{
    j->links_end = &j->links;
    for (const struct listing_row *r = q->first; r; r = r->next) {
        struct client *link = arena_new(&j->arena, struct client);
        const char *agent = adhoc_listing_cell(l, r, "client");
        link->id = arena_dup(&j->arena, adhoc_listing_cell(l, r, "jid"));
        link->software = *agent ? arena_dup(&j->arena, agent) : NULL;
        link->now = text_eq(adhoc_listing_cell(l, r, "state"), "hibernating") ? "resumable" : "yes";
        link->own = text_eq(link->id, j->asker);
        *j->links_end = link;
        j->links_end = &link->next;
    }
}

static void look(struct adhoc_call *c, const struct listing *l, const struct listing_query *q,
                 void (*then)(struct adhoc_call *c, const struct client *first))
{
    struct store *s = exchange_store(adhoc_exchange(c));
    struct clients_job *j = mem_new(struct clients_job);
    arena_init(&j->arena);
    j->call = c;
    j->bare = arena_dup(&j->arena, whose(c));
    j->asker = arena_dup(&j->arena, adhoc_asker(c)->full);
    j->then = then;
    take_links(j, l, q);
    j->job = (struct store_job){.reply_on = adhoc_loop(c), .run = run_look, .done = on_looked, .must_see = store_ticket(s)};
    store_read(s, &j->job);
}

/* ---- showing ---- */

static const struct listing_column columns[] = {
    {"client", "Client"}, {"name", "Name"}, {"software", "Software"}, {"seen", "Last use (to a day)"},
    {"now", "Connected"}, {"by", "Logs in by"}, {NULL, NULL},
};

static void show(struct adhoc_call *c, const struct client *first)
{
    adhoc_columns(c, columns);
    for (const struct client *r = first; r; r = r->next)
        adhoc_row(c, (const char *[]){r->id, r->name, r->software, r->seen, r->own ? "yes, this one" : r->now,
                                      r->has_token ? "token" : "password"});
    if (!first)
        adhoc_note(c, "There are none.");
    adhoc_finish(c);
}

static void show_table(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    look(c, l, q, show);
}

void client_table_show(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "links", whose(c), ADHOC_LISTING_ROWS, show_table);
}

static void offer(struct adhoc_call *c, const struct client *first)
{
    for (const struct client *r = first; r; r = r->next) {
        bool is_told = (r->name && *r->name) || (r->software && *r->software);
        if (!r->own)
            adhoc_offer(c, "client",
                        arena_printf(adhoc_arena(c), "%s%s%s, %s", is_told ? r->name : r->id, r->software && *r->software ? " " : "",
                                     is_told && r->software ? r->software : "",
                                     text_eq(r->now, "no") ? "not connected" : text_eq(r->now, "yes") ? "connected" : r->now),
                        r->id);
    }
    adhoc_ask_offered(c, "client", "No other client is logged in.");
}

static void offer_table(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    look(c, l, q, offer);
}

void client_table_offer(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "links", whose(c), ADHOC_VALUES_MAX, offer_table);
}

/* ---- revoking ---- */

struct revoke_job {
    struct store_job job;
    struct adhoc_call *call;
    struct arena arena;
    const struct jid *account;
    const char *agent;   /* of the one; NULL: all others */
    const char *own;     /* the asker's installation; "": not told */
    bool was_there;
};

static bool run_revoke(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct revoke_job *j = container_of(job, struct revoke_job, job);
    if (!(j->agent ? clients_forget(tx, j->account->bare, j->agent, e) : clients_forget_others(tx, j->account->bare, j->own, e)))
        return false;
    j->was_there = store_changes(tx) > 0;
    return true;
}

static void revoke_end(struct revoke_job *j)
{
    arena_fini(&j->arena);
    mem_free(j);
}

static void on_ended(void *user, unsigned ended)
{
    struct revoke_job *j = user;
    if (!ended && !j->was_there && j->agent) {
        adhoc_refuse(j->call, STANZA_ITEM_NOT_FOUND, "there is no such client");
    } else {
        adhoc_note(j->call, "Revoked; %u of its links ended. Who knows the password can log in until it is changed.", ended);
        adhoc_finish(j->call);
    }
    revoke_end(j);
}

static void on_revoked(struct store_job *job, const struct error *e)
{
    struct revoke_job *j = container_of(job, struct revoke_job, job);
    if (e->code != ERROR_NONE) {
        adhoc_refuse(j->call, STANZA_RESOURCE_CONSTRAINT, "%s", e->text);
        revoke_end(j);
        return;
    }
    struct exchange_revocation which = {.account = j->account, .agent = j->agent};
    if (!j->agent) {
        which.but = *j->own ? j->own : NULL;
        which.but_link = adhoc_asker(j->call);
    }
    exchange_end_clients(adhoc_exchange(j->call), &which, adhoc_loop(j->call), on_ended, j);
}

static void revoke_from(struct adhoc_call *c, const char *agent, const char *own)
{
    struct revoke_job *j = mem_new(struct revoke_job);
    arena_init(&j->arena);
    j->call = c;
    j->account = jid_parse_text(&j->arena, whose(c));
    j->agent = agent ? arena_dup(&j->arena, agent) : NULL;
    j->own = arena_dup(&j->arena, own);
    j->job = (struct store_job){.reply_on = adhoc_loop(c), .run = run_revoke, .done = on_revoked};
    store_write(exchange_store(adhoc_exchange(c)), &j->job);
}

static void on_link_ended(void *user, unsigned ended)
{
    struct adhoc_call *c = user;
    if (ended)
        adhoc_note(c, "Its link was ended. It knows the password, and can log in until that is changed.");
    if (ended)
        adhoc_finish(c);
    else
        adhoc_refuse(c, STANZA_ITEM_NOT_FOUND, "there is no such client");
}

void client_table_revoke(struct adhoc_call *c)
{
    const char *id = adhoc_text(c, "client");
    const struct jid *link = strchr(id, '/') ? jid_parse_text(adhoc_arena(c), id) : NULL;
    if (!*id || (link && (!link->resource || !text_eq(link->bare, whose(c)))))
        adhoc_reject(c, "client: not one of %s", whose(c));
    else if (link)
        exchange_end_links(adhoc_exchange(c), link, STREAM_NOT_AUTHORIZED, adhoc_loop(c), on_link_ended, c);
    else
        revoke_from(c, id, "");
}

/* The asker's own installation is what its link says. */
static void revoke_others(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    const char *own = "";
    for (const struct listing_row *r = q->first; r; r = r->next)
        if (text_eq(adhoc_listing_cell(l, r, "jid"), adhoc_asker(c)->full))
            own = adhoc_listing_cell(l, r, "client");
    revoke_from(c, NULL, own);
}

void client_table_revoke_others(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "links", whose(c), ADHOC_LISTING_ROWS, revoke_others);
}
