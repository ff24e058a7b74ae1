/* SPDX-License-Identifier: MIT */
/* Tables of the gateway's parts (listing.h) as answers of commands, and as choices of a form. */
#include "gateway/admin/adhoc_listing.h"

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

struct asked {
    struct listing_query query;
    struct adhoc_call *call;
    const struct listing *listing;
    adhoc_listing_fn *then;
};

static void on_rows(struct listing_query *q, const struct error *e)
{
    struct asked *k = container_of(q, struct asked, query);
    if (e->code == ERROR_NONE) {
        k->then(k->call, k->listing, q);
    } else {
        log_error(NULL, "%s cannot be listed: %s", k->listing->name, e->text);
        adhoc_refuse(k->call, STANZA_RESOURCE_CONSTRAINT, "this cannot be read now; try again later");
    }
    arena_fini(&q->arena);
    mem_free(k);
}

void adhoc_listing_ask(struct adhoc_call *c, const char *name, const char *key, unsigned limit, adhoc_listing_fn *then)
{
    const struct listing *l = adhoc_listing(c, name);
    if (!l) {
        adhoc_refuse(c, STANZA_FEATURE_NOT_IMPLEMENTED, "this gateway has no %s", name);
        return;
    }
    struct asked *k = mem_new(struct asked);
    k->call = c;
    k->listing = l;
    k->then = then;
    arena_init(&k->query.arena);
    k->query.domain = adhoc_domain(c);
    k->query.key = key && *key ? key : NULL;
    k->query.limit = limit;
    k->query.reply_on = adhoc_loop(c);
    k->query.done = on_rows;
    l->ask(l, &k->query);
}

static void show_table(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    adhoc_columns(c, l->columns);
    for (const struct listing_row *r = q->first; r; r = r->next)
        adhoc_row(c, r->cells);
    if (q->more)
        adhoc_warn(c, "There are more; these are the first %u.", q->count);
    else if (!q->count)
        adhoc_note(c, "There are none.");
    adhoc_finish(c);
}

void adhoc_listing_show(struct adhoc_call *c, const char *name, const char *key)
{
    adhoc_listing_ask(c, name, key, ADHOC_LISTING_ROWS, show_table);
}

void adhoc_listing_show_one(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    if (!q->first) {
        adhoc_refuse(c, STANZA_ITEM_NOT_FOUND, "there is no such entry");
        return;
    }
    for (unsigned i = 0; l->columns[i].var; i++)
        if (q->first->cells[i])
            adhoc_result(c, FORM_TEXT_SINGLE, l->columns[i].var, l->columns[i].label, q->first->cells[i]);
    adhoc_finish(c);
}

const char *adhoc_listing_cell(const struct listing *l, const struct listing_row *r, const char *var)
{
    for (unsigned i = 0; l->columns[i].var; i++)
        if (text_eq(l->columns[i].var, var))
            return r->cells[i] ? r->cells[i] : "";
    CHECK(!"the listing has that column");
    return "";
}
