/* SPDX-License-Identifier: MIT */
/* Links come and go: binding (RFC 6120 section 7), what the edge reports, and the end. */
#include "gateway/exchange/resource.h"

#include <stddef.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/exchange/event.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/pending.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/presence.h"
#include "gateway/exchange/repeat.h"
#include "gateway/exchange/route.h"

enum { AWAY_MS = 60000 }; /* hibernating counts as no link from then on */

struct resource *resource_ref(struct resource *r)
{
    r->refs++;
    return r;
}

void resource_unref(struct resource **rp)
{
    struct resource *r = *rp;
    *rp = NULL;
    if (!r || --r->refs)
        return;
    CHECK(!r->link);
    CHECK(list_is_empty(&r->deliveries));
    jid_destroy(&r->jid);
    stanza_unref(&r->presence);
    map_fini(&r->directed);
    mem_free(r);
}

struct resource *resource_find(struct person *p, const char *resourcepart)
{
    list_each (at, &p->resources) {
        struct resource *r = list_entry(at, struct resource, node);
        if (text_eq(r->jid->resource, resourcepart))
            return r;
    }
    return NULL;
}

bool resource_takes_messages(const struct resource *r)
{
    return r->presence && r->priority >= 0;
}

bool resource_is_there(const struct resource *r)
{
    return r->link && !r->asleep && resource_takes_messages(r) &&
           (r->state != LINK_HIBERNATING || timer_is_running(&r->away));
}

void resource_give(struct resource *r, struct stanza *st, uint64_t seq)
{
    if (r->link)
        r->link->ops->deliver(r->link, st, seq);
}

void resource_note_linked(struct person *p)
{
    bool linked = person_is_linked(p);
    if (linked == p->linked)
        return;
    p->linked = linked;
    session_link_changed(p, linked);
}

/* ---- the end ---- */

/* Out of the person; what it held goes on. The link knows already, or is told by the caller. */
static void detach(struct resource *r)
{
    timer_stop(&r->away);
    r->link->resource = NULL;
    r->link = NULL;
    list_remove(&r->node);
    r->person->resource_count--;
    repeat_stream_ended(r->person->repeats, r->stream, loop_now_ms(r->person->loop));
    presence_gone(r);
    pending_orphan(r);
    resource_note_linked(r->person);
}

void resource_forget(struct resource *r)
{
    r->link->resource = NULL;
    r->link = NULL;
    timer_stop(&r->away);
    list_remove(&r->node);
    presence_forget(r);
    pending_forget(r);
    resource_unref(&r);
}

void resource_replace(struct resource *r, enum stream_error why)
{
    struct edge_link *l = r->link;
    struct resource *counted = r;
    detach(r);
    l->ops->on_replaced(l, why);
    resource_unref(&counted);
}

static void answer_undelivered(struct person *p, struct stanza *st)
{
    if (st->kind == STANZA_IQ)
        exchange_refuse(p->x, st, STANZA_RECIPIENT_UNAVAILABLE, NULL);
}

void exchange_unbind(struct resource *r, struct stanza *const *undelivered, unsigned count)
{
    struct person *p = r->person;
    loop_check(p->loop);
    detach(r);
    for (unsigned i = 0; i < count; i++)
        answer_undelivered(p, undelivered[i]);
    resource_unref(&r);
    person_idle(p);
}

/* ---- the beginning ---- */

static void take_flags(struct resource *r, const struct link_snapshot *s)
{
    r->interested = s->interested;
    r->carbons = s->carbons;
    r->reads_blocklist = s->reads_blocklist;
}

static void put_to_sleep(struct resource *r, struct stanza *presence, const struct link_snapshot *s)
{
    take_flags(r, s);
    r->asleep = r->flushing = true;
    r->state = LINK_HIBERNATING;
    presence_restore(r, presence, s->directed);
}

struct bind {
    struct edge_link *link;
    const char *wish; /* in the event's arena; NULL: the server chooses */
    const struct link_snapshot *asleep; /* the same, its presence in ev->st; NULL: a client is there */
};

static const struct jid *choose(struct event *ev, const char *wish)
{
    char id[RANDOM_ID_LEN + 1];
    if (!wish)
        random_id(id);
    const struct jid *own = ev->person->jid;
    return jid_make(&ev->arena, own->local, own->domain, wish ? wish : id);
}

static void attach(struct event *ev, const struct bind *b, const struct jid *full)
{
    struct person *p = ev->person;
    struct edge_link *l = b->link;
    struct resource *r = mem_new(struct resource);
    r->refs = 1;
    r->person = p;
    r->link = l;
    r->jid = jid_dup(full);
    r->stream = ++p->shard->stream_count;
    list_init(&r->deliveries);
    list_append(&p->resources, &r->node);
    p->resource_count++;
    l->resource = r;
    if (b->asleep)
        put_to_sleep(r, ev->st, b->asleep);
    l->ops->on_bound(l, r->jid, STANZA_OK);
}

static enum event_fate bind_perform(struct event *ev)
{
    struct person *p = ev->person;
    const struct bind *b = ev->data;
    if (p->state == PERSON_NOBODY || p->barred || !exchange_is_local_domain(ev->x, p->jid->domain) ||
        revocation_since(&ev->x->revocations, p->jid->bare, b->link->agent, b->link->proved)) {
        b->link->ops->on_bound(b->link, NULL, STANZA_NOT_AUTHORIZED);
        return EVENT_FINISHED;
    }
    const struct jid *full = choose(ev, b->wish);
    struct resource *old = full ? resource_find(p, full->resource) : NULL;
    if (!full)
        b->link->ops->on_bound(b->link, NULL, STANZA_BAD_REQUEST);
    else if (old && b->asleep)
        b->link->ops->on_bound(b->link, NULL, STANZA_CONFLICT);
    else if (!old && p->resource_count >= ev->x->resources_max)
        b->link->ops->on_bound(b->link, NULL, STANZA_RESOURCE_CONSTRAINT);
    else {
        if (old)
            resource_replace(old, STREAM_CONFLICT); /* 7.7.2.2: the new one wins */
        attach(ev, b, full);
    }
    return EVENT_FINISHED;
}

static const struct event_ops bind_ops = {"bind", NULL, bind_perform};

void exchange_bind(struct exchange *x, struct edge_link *l, const struct jid *account,
                   const char *wish)
{
    struct event *ev = event_create(x, &bind_ops, NULL);
    struct bind *b = arena_new(&ev->arena, struct bind);
    b->link = l;
    b->wish = wish && *wish ? arena_dup(&ev->arena, wish) : NULL;
    ev->data = b;
    event_post(ev, jid_to_bare(&ev->arena, account));
}

void exchange_bind_asleep(struct exchange *x, struct edge_link *l, const struct jid *account, const char *resource,
                          const struct link_snapshot *s)
{
    struct event *ev = event_create(x, &bind_ops, s->presence);
    struct bind *b = arena_new(&ev->arena, struct bind);
    struct link_snapshot *own = arena_new(&ev->arena, struct link_snapshot);
    *own = *s;
    own->directed = (struct span){arena_dup_n(&ev->arena, s->directed.data, s->directed.len), s->directed.len};
    b->link = l;
    b->wish = arena_dup(&ev->arena, resource);
    b->asleep = own;
    ev->data = b;
    event_post(ev, jid_to_bare(&ev->arena, account));
}

void exchange_wake(struct resource *r)
{
    loop_check(r->person->loop);
    CHECK(r->asleep);
    r->asleep = r->flushing = false;
    r->state = LINK_ACTIVE;
    presence_wake(r);
}

/* ---- in between ---- */

bool exchange_receive(struct resource *r, struct stanza *st, struct settle *s)
{
    loop_check(r->person->loop);
    CHECK(st->kind != STANZA_NONZA);
    return route_sent_from_link(r, st, s);
}

void exchange_delivered(struct resource *r, uint64_t seq)
{
    loop_check(r->person->loop);
    pending_delivered(r, seq);
}

/* Nobody came back: what the link holds unreported is what devices are told of. It may still come
 * back and have it then. */
static void on_away(struct timer *t)
{
    struct resource *r = container_of(t, struct resource, away);
    resource_note_linked(r->person);
    pending_unreported(r);
}

void exchange_link_state(struct resource *r, enum link_state state)
{
    loop_check(r->person->loop);
    if (state != LINK_HIBERNATING)
        timer_stop(&r->away);
    else if (r->state != LINK_HIBERNATING)
        timer_start(&r->away, r->person->loop, AWAY_MS, on_away);
    r->state = state;
    resource_note_linked(r->person);
}

void exchange_snapshot(const struct resource *r, struct link_snapshot *out)
{
    *out = (struct link_snapshot){
        .presence = r->presence,
        .interested = r->interested,
        .carbons = r->carbons,
        .reads_blocklist = r->reads_blocklist,
        .directed_changes = r->directed_changes,
    };
}

void exchange_put_directed(const struct resource *r, struct bytes *out, size_t most)
{
    struct jid *j;
    for (size_t at = 0; (j = map_next(&r->directed, &at)) && out->len + strlen(j->full) < most;) {
        bytes_append_text(out, j->full);
        bytes_append_char(out, '\n');
    }
}

void exchange_want_carbons(struct resource *r)
{
    loop_check(r->person->loop);
    r->carbons = true;
}

const struct jid *exchange_resource_jid(const struct resource *r)
{
    return r->jid;
}
