/* SPDX-License-Identifier: MIT */
/* The clients of an account (client_list.h) as ad-hoc commands. */
#include "gateway/admin/client_table.h"

#include <string.h>

#include "gateway/admin/adhoc_listing.h"
#include "gateway/admin/client_list.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/datetime.h"

static const char *whose(struct adhoc_call *c)
{
    const struct jid *named = jid_parse_text(adhoc_arena(c), adhoc_text(c, "accountjid"));
    return named ? named->bare : adhoc_asker(c)->bare;
}

/* ---- asking ---- */

struct asking {
    struct client_list list;
    struct adhoc_call *call;
    void (*then)(struct adhoc_call *c, const struct client *first);
};

static void on_listed(struct client_list *l, const struct error *e)
{
    struct asking *k = container_of(l, struct asking, list);
    if (e->code == ERROR_NONE)
        k->then(k->call, l->first);
    else
        adhoc_refuse(k->call, STANZA_RESOURCE_CONSTRAINT, "%s", e->text);
    arena_fini(&l->query.arena);
    mem_free(k);
}

/* What lies in the call's arena lives until `then` has ended the call. */
static void look(struct adhoc_call *c, unsigned limit, void (*then)(struct adhoc_call *c, const struct client *first))
{
    struct asking *k = mem_new(struct asking);
    k->call = c;
    k->then = then;
    k->list = (struct client_list){.exchange = adhoc_exchange(c),
                                   .loop = adhoc_loop(c),
                                   .bare = whose(c),
                                   .asker = adhoc_asker(c),
                                   .limit = limit,
                                   .done = on_listed};
    client_list_ask(&k->list);
}

/* ---- showing ---- */

static const char *link_text(const struct client *r)
{
    switch (r->link) {
    case CLIENT_NOT_LINKED: return "no";
    case CLIENT_RESUMABLE: return "resumable";
    case CLIENT_LINKED: return r->own ? "yes, this one" : "yes";
    }
    return NULL;
}

static const char *seen_text(struct adhoc_call *c, const struct client *r)
{
    char seen[DATETIME_MAX];
    if (!r->seen_us)
        return NULL;
    datetime_write_second(seen, r->seen_us);
    return arena_dup(adhoc_arena(c), seen);
}

static const struct listing_column columns[] = {
    {"client", "Client"}, {"name", "Name"}, {"software", "Software"}, {"seen", "Last use (to a day)"},
    {"now", "Connected"}, {"by", "Logs in by"}, {NULL, NULL},
};

static void show(struct adhoc_call *c, const struct client *first)
{
    adhoc_columns(c, columns);
    for (const struct client *r = first; r; r = r->next)
        adhoc_row(c, (const char *[]){r->id, r->name, r->software, seen_text(c, r), link_text(r),
                                      r->has_token        ? "token"
                                      : r->by_certificate ? "certificate"
                                                          : "password"});
    if (!first)
        adhoc_note(c, "There are none.");
    adhoc_finish(c);
}

void client_table_show(struct adhoc_call *c)
{
    look(c, ADHOC_LISTING_ROWS, show);
}

static const char *link_words(const struct client *r)
{
    switch (r->link) {
    case CLIENT_NOT_LINKED: return "not connected";
    case CLIENT_RESUMABLE: return "resumable";
    case CLIENT_LINKED: return "connected";
    }
    return NULL;
}

static void offer(struct adhoc_call *c, const struct client *first)
{
    for (const struct client *r = first; r; r = r->next) {
        const char *name = r->name ? r->name : "", *software = r->software ? r->software : "";
        if (r->own)
            continue;
        if (!*name && !*software)
            name = r->id;
        adhoc_offer(
            c, "client",
            arena_printf(adhoc_arena(c), "%s%s%s, %s", name, *name && *software ? " " : "", software, link_words(r)),
            r->id);
    }
    adhoc_ask_offered(c, "client", "No other client is logged in.");
}

void client_table_offer(struct adhoc_call *c)
{
    look(c, ADHOC_VALUES_MAX, offer);
}

/* ---- revoking ---- */

struct revoking {
    struct client_revoke revoke;
    struct adhoc_call *call;
};

static void on_revoked(struct client_revoke *r, const struct error *e)
{
    struct revoking *k = container_of(r, struct revoking, revoke);
    if (e->code != ERROR_NONE) {
        adhoc_refuse(k->call, STANZA_RESOURCE_CONSTRAINT, "%s", e->text);
    } else if (r->id && !r->was_known) {
        adhoc_refuse(k->call, STANZA_ITEM_NOT_FOUND, "there is no such client");
    } else {
        adhoc_note(k->call, "Revoked; %u of its links ended. Who knows the password can log in until it is changed.",
                   r->ended);
        adhoc_finish(k->call);
    }
    mem_free(k);
}

static void begin_revoke(struct adhoc_call *c, const char *id, const char *own)
{
    struct revoking *k = mem_new(struct revoking);
    k->call = c;
    k->revoke = (struct client_revoke){.exchange = adhoc_exchange(c),
                                       .loop = adhoc_loop(c),
                                       .account = jid_parse_text(adhoc_arena(c), whose(c)),
                                       .id = id,
                                       .asker = adhoc_asker(c),
                                       .own = own,
                                       .done = on_revoked};
    client_list_revoke(&k->revoke);
}

void client_table_revoke(struct adhoc_call *c)
{
    const char *id = adhoc_text(c, "client");
    if (*id)
        begin_revoke(c, id, NULL);
    else
        adhoc_reject(c, "client: not one of %s", whose(c));
}

/* The asker's own installation is what its link says. */
static void revoke_others(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    const char *own = "";
    for (const struct listing_row *r = q->first; r; r = r->next)
        if (text_eq(adhoc_listing_cell(l, r, "jid"), adhoc_asker(c)->full))
            own = adhoc_listing_cell(l, r, "client");
    begin_revoke(c, NULL, arena_dup(adhoc_arena(c), own));
}

void client_table_revoke_others(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "links", whose(c), ADHOC_LISTING_ROWS, revoke_others);
}
