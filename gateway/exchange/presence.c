/* SPDX-License-Identifier: MIT */
/* Who sees whom: broadcast, probes and directed presence (RFC 6121 section 4). A person is handled as two: as the
 * one whose resource sends, and as the one whom it concerns; between them runs an event. What asks for presence is
 * presence_subscription.c. */
#include "gateway/exchange/presence.h"

#include <string.h>

#include "gateway/base/text.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/last_seen.h"
#include "gateway/exchange/pending.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/presence_internal.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/roster.h"
#include "gateway/exchange/route.h"
#include "gateway/xmpp/stanza_build.h"

enum { SLICE = 64 }; /* of a roster that are told at once; then the loop does something else */

/* ---- sending ---- */

void presence_send_copy(struct person *p, struct stanza *st, const struct jid *from, const struct jid *to)
{
    struct stanza *copy = stanza_readdress(st, from, to, (struct span){0});
    route_ours(p->x, copy);
    stanza_unref(&copy);
}

struct stanza *presence_bare(enum stanza_type type, const struct jid *from)
{
    struct builder b;
    build_begin(&b, STANZA_PRESENCE, type);
    build_from(&b, from);
    return build_end(&b);
}

void presence_send_new(struct person *p, enum stanza_type type, const struct jid *from, const struct jid *to)
{
    struct stanza *st = presence_bare(type, from);
    presence_send_copy(p, st, from, to);
    stanza_unref(&st);
}

/* To everybody who sees the person, and to its own resources. A slice of the roster at a time: the event stays
 * in its lane meanwhile, so that a burst of presences is not in memory once for each contact. Names, because
 * items may go in between. */
struct broadcast {
    const char **names;
    unsigned count, at;
};

static void next_slice(struct command *cmd)
{
    event_ready(container_of(cmd, struct event, cmd));
}

static enum event_fate broadcast_slice(struct event *ev)
{
    struct broadcast *b = ev->data;
    struct person *p = ev->person;
    for (unsigned n = 0; n < SLICE && b->at < b->count; n++) {
        const struct roster_item *i = roster_find(p->roster, b->names[b->at++]);
        if (i && subscription_has_from(i->state) && !session_blocks(p, i->contact))
            presence_send_copy(p, ev->st, ev->resource->jid, i->contact);
    }
    bool is_over = ev->st->type == PRESENCE_AVAILABLE && ev->resource->presence != ev->st; /* it has gone */
    if (is_over || b->at == b->count)
        return EVENT_FINISHED;
    ev->cmd.run = next_slice;
    loop_post(ev->loop, &ev->cmd);
    return EVENT_STAYS;
}

static enum event_fate broadcast(struct event *ev)
{
    struct person *p = ev->person;
    struct broadcast *b = arena_new(&ev->arena, struct broadcast);
    b->names = arena_alloc(&ev->arena, (p->roster->items.count + 1) * sizeof *b->names);
    roster_each(i, p->roster) if (subscription_has_from(i->state))
        b->names[b->count++] = arena_dup(&ev->arena, i->contact->bare);
    ev->data = b;
    enum event_fate fate = broadcast_slice(ev);
    presence_send_copy(p, ev->st, ev->resource->jid, p->jid);
    return fate;
}

void presence_send_all(struct person *p, const struct jid *to, bool available)
{
    struct stanza *gone = available ? NULL : presence_bare(PRESENCE_UNAVAILABLE, p->jid);
    resource_each(r, p) if (r->presence) presence_send_copy(p, available ? r->presence : gone, r->jid, to);
    stanza_unref(&gone);
}

/* ---- directed presence (4.6) ---- */

static void forget_directed(struct resource *r)
{
    struct jid *j;
    for (size_t at = 0; (j = map_next(&r->directed, &at));)
        jid_destroy(&j);
    r->directed_changes += r->directed.count != 0;
    map_fini(&r->directed);
}

static void forget_one(struct resource *r, const struct jid *to)
{
    struct jid *old = map_remove(&r->directed, to->full);
    r->directed_changes += old != NULL;
    jid_destroy(&old);
}

static void note_directed(struct resource *r, const struct jid *to)
{
    struct jid *own = jid_dup(to);
    map_put(&r->directed, own->full, own);
    r->directed_changes++;
}

static bool sees_by_subscription(struct person *p, const struct jid *who)
{
    enum roster_subscription s = person_subscription(p, who);
    return s == SUB_FROM || s == SUB_BOTH || jid_eq_bare(who, p->jid);
}

/* Those who saw the resource by directed presence only. */
static void end_directed(struct resource *r, struct stanza *st)
{
    struct jid *j;
    for (size_t at = 0; (j = map_next(&r->directed, &at));)
        if (!sees_by_subscription(r->person, j) && !session_blocks(r->person, j))
            presence_send_copy(r->person, st, r->jid, j);
    forget_directed(r);
}

static enum event_fate sent_directed(struct event *ev)
{
    struct resource *r = ev->resource;
    const struct jid *to = ev->st->to;
    if (session_blocks(ev->person, to)) {
        route_refuse_blocked(ev);
        return EVENT_FINISHED;
    }
    if (ev->st->type == PRESENCE_UNAVAILABLE) {
        forget_one(r, to);
    } else if (!map_get(&r->directed, to->full)) {
        if (r->directed.count >= PRESENCE_DIRECTED_MAX) {
            route_refuse(ev, STANZA_RESOURCE_CONSTRAINT, "too many directed presences");
            return EVENT_FINISHED;
        }
        note_directed(r, to);
    }
    if (!jid_eq_bare(to, ev->person->jid))
        session_wrote_to(ev->person, to, ev->st);
    route_event(ev);
    return EVENT_MOVED;
}

/* ---- available and unavailable ---- */

/* RFC 6121 4.7.2.3. */
static bool read_priority(const struct stanza *st, int *out)
{
    const struct element *e = stanza_child(st, "priority", NULL);
    *out = 0;
    if (!e)
        return true;
    const char *text = e->text;
    while (*text == ' ' || *text == '\n' || *text == '\t' || *text == '\r')
        text++;
    bool minus = *text == '-';
    uint32_t n = 0;
    if (!text_to_u32(text + (minus || *text == '+'), &n) || n > (minus ? 128u : 127u))
        return false;
    *out = minus ? -(int)n : (int)n;
    return true;
}

/* What a resource learns when it becomes available (4.2.2, 4.3.1, 3.1.3). */
static void greet(struct resource *r)
{
    struct person *p = r->person;
    struct stanza *probe = presence_bare(PRESENCE_PROBE, r->jid);
    roster_each(i, p->roster)
    {
        if (subscription_has_to(i->state) && !session_blocks(p, i->contact))
            presence_send_copy(p, probe, r->jid, i->contact);
        if (i->request && subscription_is_pending(i->state))
            resource_give(r, i->request, 0);
    }
    stanza_unref(&probe);
    resource_each(other, p) if (other != r && other->presence)
    {
        struct stanza *copy =
            stanza_readdress(other->presence, other->jid, r->jid, (struct span){0});
        resource_give(r, copy, 0);
        stanza_unref(&copy);
    }
}

/* Does a newer presence of the resource wait behind this one? Then a long roster hears of that one alone. */
static bool is_superseded(const struct event *ev)
{
    int priority;
    if (ev->person->roster->items.count <= SLICE)
        return false;
    for (const struct list *at = ev->node.next; at != &ev->lane->events; at = at->next) {
        const struct event *later = list_entry(at, struct event, node);
        if (later->ops == ev->ops && later->resource == ev->resource && !later->st->to &&
            (later->st->type == PRESENCE_UNAVAILABLE || read_priority(later->st, &priority)))
            return true;
    }
    return false;
}

static enum event_fate sent_available(struct event *ev)
{
    struct resource *r = ev->resource;
    int priority;
    if (!read_priority(ev->st, &priority)) {
        route_refuse(ev, STANZA_BAD_REQUEST, "priority is a number from -128 to 127");
        return EVENT_FINISHED;
    }
    bool initial = !r->presence, took = resource_takes_messages(r);
    stanza_unref(&r->presence);
    r->presence = stanza_ref(ev->st);
    r->priority = priority;
    enum event_fate fate = is_superseded(ev) ? EVENT_FINISHED : broadcast(ev);
    if (initial)
        greet(r);
    if (!took && resource_takes_messages(r))
        pending_flush(r->person, r);
    resource_note_linked(r->person);
    return fate;
}

static void restore_directed(struct resource *r, struct span all)
{
    struct arena a;
    arena_init(&a);
    for (const char *at = all.data, *end = at + all.len, *lf; at < end && (lf = memchr(at, '\n', (size_t)(end - at)));
         at = lf + 1) {
        const struct jid *j = jid_parse(&a, at, (size_t)(lf - at));
        if (j && !map_get(&r->directed, j->full))
            note_directed(r, j);
    }
    arena_fini(&a);
}

void presence_restore(struct resource *r, struct stanza *st, struct span directed)
{
    if (st) {
        r->presence = stanza_readdress(st, r->jid, NULL, (struct span){0});
        (void)read_priority(st, &r->priority); /* it was read when it was said */
    }
    if (directed.len)
        restore_directed(r, directed);
}

void presence_wake(struct resource *r)
{
    if (r->presence)
        greet(r);
    if (resource_takes_messages(r))
        pending_flush(r->person, r);
    resource_note_linked(r->person);
}

static enum event_fate become_unavailable(struct event *ev)
{
    struct resource *r = ev->resource;
    bool was = r->presence != NULL;
    stanza_unref(&r->presence);
    if (was)
        last_seen_note(r->person, ev->st);
    enum event_fate fate = was ? broadcast(ev) : EVENT_FINISHED;
    end_directed(r, ev->st);
    r->flushing = false;
    resource_note_linked(r->person);
    return fate;
}

static enum event_fate sent_perform(struct event *ev)
{
    struct resource *r = ev->resource;
    if (ev->data)
        return broadcast_slice(ev);
    if (!r || !r->link)
        return EVENT_FINISHED; /* its unavailable presence is on its way */
    if (ev->st->to)
        return sent_directed(ev);
    return ev->st->type == PRESENCE_AVAILABLE ? sent_available(ev) : become_unavailable(ev);
}

const struct event_ops presence_sent_ops = {"presence sent", NULL, sent_perform};

static enum event_fate gone_perform(struct event *ev)
{
    return ev->data ? broadcast_slice(ev) : broadcast(ev);
}

static const struct event_ops gone_ops = {"presence gone", NULL, gone_perform};

void presence_forget(struct resource *r)
{
    stanza_unref(&r->presence);
    forget_directed(r);
}

void presence_gone(struct resource *r)
{
    bool was = r->presence != NULL;
    if (!was && !r->directed.count)
        return;
    struct person *p = r->person;
    struct event *ev = event_create(p->x, &gone_ops, NULL);
    ev->st = presence_bare(PRESENCE_UNAVAILABLE, r->jid);
    ev->ours = true;
    ev->loop = p->loop;
    ev->person = p;
    ev->actor = p->jid;
    ev->resource = resource_ref(r);
    stanza_unref(&r->presence);
    if (was)
        last_seen_note(p, ev->st);
    end_directed(r, ev->st);
    r->flushing = false;
    if (was)
        event_submit(ev, &p->out); /* behind what it sent */
    else
        event_destroy(&ev);
    resource_note_linked(p);
}

/* ---- blocking (XEP-0191) ---- */

/* Does the entry cover the contact, and as whom does the contact hear of it? NULL: no. */
static const struct jid *covered(const struct jid *entry, const struct jid *contact)
{
    if (jid_is_domain(entry))
        return text_eq(entry->domain, contact->domain) ? contact : NULL;
    return jid_eq_bare(entry, contact) ? (entry->resource ? entry : contact) : NULL;
}

static void hide_directed(struct resource *r, const struct jid *entry)
{
    struct stanza *gone = presence_bare(PRESENCE_UNAVAILABLE, r->jid);
    struct jid *j;
    for (size_t at = 0; (j = map_next(&r->directed, &at));)
        if (covered(entry, j) && (!entry->resource || jid_eq(entry, j))) {
            presence_send_copy(r->person, gone, r->jid, j);
            forget_one(r, j);
            at = 0; /* the map has changed */
        }
    stanza_unref(&gone);
}

void presence_blocked(struct person *p, const struct jid *entry, bool blocked)
{
    struct stanza *probe = presence_bare(PRESENCE_PROBE, p->jid);
    roster_each(i, p->roster)
    {
        const struct jid *to = covered(entry, i->contact);
        if (!to || (!blocked && session_blocks(p, to)))
            continue;
        if (subscription_has_from(i->state))
            presence_send_all(p, to, !blocked);
        if (!blocked && subscription_has_to(i->state))
            resource_each(r, p) if (r->presence) presence_send_copy(p, probe, r->jid, to);
    }
    stanza_unref(&probe);
    if (blocked)
        resource_each(r, p) hide_directed(r, entry);
}

/* ---- probes that come in (4.3.2) ---- */

static bool directed_by(struct resource *r, const struct jid *who)
{
    return map_get(&r->directed, who->full) || map_get(&r->directed, who->bare);
}

static void answer_probe(struct event *ev)
{
    struct person *p = ev->person;
    const struct jid *asker = ev->st->from, *asked = ev->st->to;
    bool may_see = sees_by_subscription(p, asker), any = false;
    resource_each(r, p) if (r->presence && (may_see || directed_by(r, asker)) &&
                            (!asked->resource || text_eq(asked->resource, r->jid->resource)))
    {
        presence_send_copy(p, r->presence, r->jid, asker);
        any = true;
    }
    if (any)
        return;
    presence_send_new(p, may_see ? PRESENCE_UNAVAILABLE : PRESENCE_UNSUBSCRIBED, p->jid,
             may_see ? asker : jid_to_bare(&ev->arena, asker));
}

static enum event_fate probe_perform(struct event *ev)
{
    if (ev->person->state == PERSON_NOBODY)
        presence_send_new(ev->person, PRESENCE_UNSUBSCRIBED, ev->person->jid,
                 jid_to_bare(&ev->arena, ev->st->from));
    else if (!session_blocks(ev->person, ev->st->from)) /* else not a word (XEP-0191 3.5) */
        answer_probe(ev);
    return EVENT_FINISHED;
}

const struct event_ops presence_probe_in_ops = {"probe in", NULL, probe_perform};
