/* SPDX-License-Identifier: MIT */
/* The roster: RFC 6121 section 2 with versions (2.6). A set is checked whole before anything
 * changes; then memory changes, the row is written, and after the commit come result and pushes
 * (2.1.6), and for a removal the stanzas that end the subscription (2.5.2). */
#include "gateway/exchange/roster.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/bytes.h"
#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/presence.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/route.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

/* ---- items ---- */

static void item_destroy(struct roster_item *i)
{
    if (!i)
        return;
    jid_destroy(&i->contact);
    mem_free(i->name);
    mem_free(i->groups);
    stanza_unref(&i->request);
    mem_free(i);
}

static struct roster_item *item_new(const struct jid *contact)
{
    struct roster_item *i = mem_new(struct roster_item);
    i->contact = jid_dup(contact);
    i->groups = mem_dup("");
    return i;
}

static struct roster_item *item_copy(const struct roster_item *from)
{
    struct roster_item *i = mem_new(struct roster_item);
    *i = *from;
    i->contact = jid_dup(from->contact);
    i->name = from->name ? mem_dup(from->name) : NULL;
    i->groups = mem_dup(from->groups);
    i->request = from->request ? stanza_ref(from->request) : NULL;
    return i;
}

struct roster_item *roster_find(struct roster *r, const char *contact_bare)
{
    return map_get(&r->items, contact_bare);
}

static struct roster_item *item_from_row(struct arena *a, const struct roster_row *row)
{
    const struct jid *contact = jid_parse_text(a, row->contact);
    if (!contact || row->state < 0 || row->state >= SUBSCRIPTION_STATES)
        return NULL; /* not written by us */
    struct roster_item *i = item_new(contact);
    i->name = row->name ? mem_dup(row->name) : NULL;
    mem_free(i->groups);
    i->groups = mem_dup(row->groups ? row->groups : "");
    i->state = (enum subscription_state)row->state;
    i->approved = row->approved != 0;
    i->in_roster = row->in_roster != 0;
    i->version = row->version;
    if (row->request.len)
        i->request = stanza_parse(row->request.data, row->request.len);
    return i;
}

static void add_row(struct roster *r, struct arena *a, const struct roster_row *row)
{
    struct roster_item *i = item_from_row(a, row),
                       *old = i ? map_put(&r->items, i->contact->bare, i) : NULL;
    item_destroy(old);
}

struct roster *roster_create(const struct roster_load *l)
{
    struct roster *r = mem_new(struct roster);
    r->version = l->version;
    struct arena a;
    arena_init(&a);
    for (unsigned i = 0; i < l->count; i++)
        add_row(r, &a, &l->rows[i]);
    arena_fini(&a);
    return r;
}

void roster_destroy(struct roster **rp)
{
    struct roster *r = *rp;
    *rp = NULL;
    if (!r)
        return;
    struct roster_item *i;
    for (size_t at = 0; (i = map_next(&r->items, &at));)
        item_destroy(i);
    map_fini(&r->items);
    mem_free(r);
}

/* ---- as XML ---- */

static void build_groups(struct builder *b, const char *groups)
{
    while (*groups) {
        size_t len = strcspn(groups, "\n");
        build_open(b, "group", NULL);
        build_text_n(b, groups, len);
        build_close(b);
        groups += len + (groups[len] == '\n');
    }
}

void roster_build_item(struct builder *b, const struct roster_item *i)
{
    build_open(b, "item", NULL);
    build_attr(b, "jid", i->contact->bare);
    build_attr(b, "name", i->name);
    build_attr(b, "subscription", subscription_name(i->state));
    if (subscription_is_asked(i->state))
        build_attr(b, "ask", "subscribe");
    if (i->approved)
        build_attr(b, "approved", "true");
    build_groups(b, i->groups);
    build_close(b);
}

void roster_build_query(struct builder *b, int64_t version)
{
    char ver[24];
    snprintf(ver, sizeof(ver), "%" PRId64, version);
    build_open(b, "query", NS_ROSTER);
    build_attr(b, "ver", ver);
}

/* What the interested resources will be shown of this change, as it is now. */
struct stanza *roster_build_push(const struct person *p, const struct roster_item *i,
                                 const char *contact, int64_t version)
{
    char id[RANDOM_ID_LEN + 1];
    random_id(id);
    struct builder b;
    build_begin(&b, STANZA_IQ, IQ_SET);
    build_from(&b, p->jid);
    build_id(&b, id);
    roster_build_query(&b, version);
    if (i) {
        roster_build_item(&b, i);
    } else {
        build_open(&b, "item", NULL);
        build_attr(&b, "jid", contact);
        build_attr(&b, "subscription", "remove");
        build_close(&b);
    }
    build_close(&b);
    return build_end(&b);
}

struct stanza *roster_build_row_push(const struct person *p, const struct roster_row *row,
                                     bool removed)
{
    struct arena a;
    arena_init(&a);
    struct roster_item *i = removed ? NULL : item_from_row(&a, row);
    bool shown = i && i->in_roster;
    struct stanza *st = roster_build_push(p, shown ? i : NULL, row->contact, row->version);
    item_destroy(i);
    arena_fini(&a);
    return st;
}

void roster_push(struct event *ev)
{
    if (!ev->push)
        return;
    resource_each(r, ev->person) if (r->interested)
    {
        struct stanza *st = stanza_readdress(ev->push, ev->push->from, r->jid, (struct span){0});
        resource_give(r, st, 0);
        stanza_unref(&st);
    }
}

/* ---- changes ---- */

struct roster_change {
    struct store_job job;
    struct event *ev;
    struct roster_item *item;   /* in the roster; NULL once removed from it */
    struct roster_item *before; /* owned; NULL: there was none */
    const char *owner, *contact;
    struct roster_row row; /* texts in the event's arena */
    bool remove;
    bool (*also)(struct store_tx *tx, void *user, struct error *e); /* NULL: nothing more */
    void *also_user;
};

struct roster_item *roster_begin(struct event *ev, const struct jid *contact,
                                 struct roster_change **out)
{
    struct roster *r = ev->person->roster;
    struct roster_item *i = roster_find(r, contact->bare);
    if (!i && r->items.count >= ROSTER_ITEMS_MAX)
        return NULL;
    struct roster_change *c = mem_new(struct roster_change);
    c->ev = ev;
    c->owner = ev->person->jid->bare;
    c->contact = arena_dup(&ev->arena, contact->bare);
    if (i) {
        c->before = item_copy(i);
    } else {
        i = item_new(jid_to_bare(&ev->arena, contact));
        map_put(&r->items, i->contact->bare, i);
    }
    c->item = i;
    *out = c;
    return i;
}

void roster_also(struct roster_change *c, bool (*also)(struct store_tx *tx, void *user, struct error *e), void *user)
{
    c->also = also;
    c->also_user = user;
}

static bool run_change(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct roster_change *c = container_of(job, struct roster_change, job);
    if (c->also && !c->also(tx, c->also_user, e))
        return false;
    if (c->remove)
        return roster_remove(tx, c->owner, c->contact, c->row.version, e);
    return roster_put(tx, c->owner, &c->row, e);
}

/* The store refused: memory is what it was, unless a later change came on top. */
static void undo(struct roster_change *c)
{
    struct roster *r = c->ev->person->roster;
    struct roster_item *now = roster_find(r, c->contact);
    if (now && now->version != c->row.version)
        return;
    if (now) {
        map_remove(&r->items, c->contact);
        item_destroy(now);
    }
    if (c->before) {
        map_put(&r->items, c->before->contact->bare, c->before);
        c->before = NULL;
    }
}

static void on_changed(struct store_job *job, const struct error *e)
{
    struct roster_change *c = container_of(job, struct roster_change, job);
    struct event *ev = c->ev;
    if (e->code != ERROR_NONE) {
        ev->error = *e;
        undo(c);
    }
    item_destroy(c->before);
    mem_free(c);
    event_ready(ev);
}

static void fill_row(struct roster_change *c)
{
    struct arena *a = &c->ev->arena;
    const struct roster_item *i = c->item;
    c->row.contact = c->contact;
    c->row.name = arena_dup_or_null(a, i->name);
    c->row.groups = arena_dup(a, i->groups);
    c->row.state = i->state;
    c->row.approved = i->approved;
    c->row.in_roster = i->in_roster;
    c->row.version = i->version;
    if (i->request) {
        struct bytes xml = BYTES_EMPTY;
        stanza_write(&xml, i->request, NULL);
        c->row.request = (struct span){arena_dup_n(a, xml.data, xml.len), xml.len};
        bytes_fini(&xml);
    }
}

void roster_commit(struct event *ev, struct roster_change *c, bool remove)
{
    struct roster *r = ev->person->roster;
    struct roster_item *i = c->item;
    i->version = ++r->version;
    fill_row(c);
    bool shown = i->in_roster;
    c->remove = remove || (i->state == SUBSCRIPTION_NONE && !i->approved && !i->in_roster);
    if (c->remove) {
        map_remove(&r->items, c->contact);
        item_destroy(i);
        c->item = NULL;
    }
    if (shown)
        ev->push = roster_build_push(ev->person, c->item, c->contact, c->row.version);
    c->job.reply_on = ev->loop;
    c->job.run = run_change;
    c->job.done = on_changed;
    store_write(ev->x->store, &c->job);
}

/* ---- set (2.3, 2.4, 2.5) ---- */

struct set_plan {
    const struct jid *contact; /* in the event's arena */
    bool remove;
    enum subscription_state before; /* for a removal */
};

/* Group names of the item, joined; NULL: the request is not acceptable. */
static char *read_groups(const struct element *item)
{
    struct bytes joined = BYTES_EMPTY;
    unsigned count = 0;
    bool ok = true;
    for (const struct element *g = element_child(item, "group", NS_ROSTER); g && ok;
         g = element_next(g, "group", NS_ROSTER)) {
        size_t len = strlen(g->text);
        ok = len > 0 && len <= ROSTER_NAME_MAX && !strchr(g->text, '\n') &&
             ++count <= ROSTER_GROUPS_MAX && joined.len + len < ROSTER_GROUPS_BYTES;
        if (joined.len)
            bytes_append_char(&joined, '\n');
        bytes_append(&joined, g->text, len);
    }
    if (ok)
        return bytes_take(&joined);
    bytes_fini(&joined);
    return NULL;
}

static enum stanza_error check_item(struct event *ev, const struct element *item,
                                    struct set_plan *plan)
{
    const char *jid = element_attr(item, "jid");
    if (!element_is(item, "item", NS_ROSTER) || item->next || !jid)
        return STANZA_BAD_REQUEST;
    const struct jid *contact = jid_parse_text(&ev->arena, jid);
    if (!contact)
        return STANZA_JID_MALFORMED;
    plan->contact = jid_to_bare(&ev->arena, contact);
    if (jid_eq(plan->contact, ev->person->jid))
        return STANZA_NOT_ALLOWED;
    plan->remove = text_eq(element_attr(item, "subscription"), "remove");
    const struct roster_item *now = roster_find(ev->person->roster, plan->contact->bare);
    if (plan->remove && (!now || !now->in_roster))
        return STANZA_ITEM_NOT_FOUND;
    const char *name = element_attr(item, "name");
    if (name && strlen(name) > ROSTER_NAME_MAX)
        return STANZA_NOT_ACCEPTABLE;
    return STANZA_OK;
}

static enum event_state set_refuse(struct event *ev, enum stanza_error why)
{
    ev->refused = why;
    return EVENT_READY;
}

static void change_item(struct roster_item *i, const struct element *item, char *groups)
{
    const char *name = element_attr(item, "name");
    mem_free(i->name);
    i->name = name && *name ? mem_dup(name) : NULL;
    mem_free(i->groups);
    i->groups = groups;
    i->in_roster = true;
}

static enum event_state set_admit(struct event *ev)
{
    struct set_plan *plan = arena_new(&ev->arena, struct set_plan);
    ev->data = plan;
    const struct element *item = stanza_first(ev->st)->first_child;
    if (!item)
        return set_refuse(ev, STANZA_BAD_REQUEST);
    enum stanza_error why = check_item(ev, item, plan);
    if (why != STANZA_OK)
        return set_refuse(ev, why);
    char *groups = plan->remove ? NULL : read_groups(item);
    if (!plan->remove && !groups)
        return set_refuse(ev, STANZA_NOT_ACCEPTABLE);
    struct roster_change *c;
    struct roster_item *i = roster_begin(ev, plan->contact, &c);
    if (!i) {
        mem_free(groups);
        return set_refuse(ev, STANZA_RESOURCE_CONSTRAINT);
    }
    plan->before = i->state;
    if (!plan->remove)
        change_item(i, item, groups);
    roster_commit(ev, c, plan->remove);
    return EVENT_WAITS;
}

static enum event_fate set_perform(struct event *ev)
{
    struct person *p = ev->person;
    struct set_plan *plan = ev->data;
    if (ev->error.code != ERROR_NONE)
        ev->refused = STANZA_RESOURCE_CONSTRAINT;
    if (ev->refused != STANZA_OK) {
        route_refuse(ev, ev->refused, NULL);
        return EVENT_FINISHED;
    }
    roster_push(ev);
    struct stanza *st = build_result(ev->st);
    if (ev->resource && ev->resource->link)
        resource_give(ev->resource, st, 0);
    stanza_unref(&st);
    if (plan->remove)
        presence_end_subscription(p, plan->contact, plan->before);
    return EVENT_FINISHED;
}

const struct event_ops roster_set_ops = {"roster set", set_admit, set_perform};
