/* SPDX-License-Identifier: MIT */
/* Who sees whom: broadcast, probes and directed presence (RFC 6121 section 4), and the stanzas that
 * ask for it (section 3) on the tables of subscription.c. A person is handled as two: as the one
 * whose resource sends, and as the one whom it concerns; between them runs an event. */
#include "gateway/exchange/presence.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/last_seen.h"
#include "gateway/exchange/pending.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/roster.h"
#include "gateway/exchange/route.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

enum {
    REQUESTS_MAX = 500,       /* that wait for an answer and are not in the roster */
    DOMAIN_REQUESTS_MAX = 100, /* of them from one other community: it shuts out itself alone */
    REQUEST_BYTES_MAX = 2048, /* a larger one is kept without what it says */
    SLICE = 64,               /* of a roster that are told at once; then the loop does something else */
};

/* ---- sending ---- */

static void send_copy(struct person *p, struct stanza *st, const struct jid *from,
                      const struct jid *to)
{
    struct stanza *copy = stanza_readdress(st, from, to, (struct span){0});
    route_ours(p->x, copy);
    stanza_unref(&copy);
}

static struct stanza *bare_presence(enum stanza_type type, const struct jid *from)
{
    struct builder b;
    build_begin(&b, STANZA_PRESENCE, type);
    build_from(&b, from);
    return build_end(&b);
}

static void send_new(struct person *p, enum stanza_type type, const struct jid *from,
                     const struct jid *to)
{
    struct stanza *st = bare_presence(type, from);
    send_copy(p, st, from, to);
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
            send_copy(p, ev->st, ev->resource->jid, i->contact);
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
    send_copy(p, ev->st, ev->resource->jid, p->jid);
    return fate;
}

/* The presence of all resources, to one who may see it. */
static void send_all(struct person *p, const struct jid *to, bool available)
{
    struct stanza *gone = available ? NULL : bare_presence(PRESENCE_UNAVAILABLE, p->jid);
    resource_each(r, p) if (r->presence) send_copy(p, available ? r->presence : gone, r->jid, to);
    stanza_unref(&gone);
}

/* ---- directed presence (4.6) ---- */

static void forget_directed(struct resource *r)
{
    struct jid *j;
    for (size_t at = 0; (j = map_next(&r->directed, &at));)
        jid_destroy(&j);
    map_fini(&r->directed);
}

static void forget_one(struct resource *r, const struct jid *to)
{
    struct jid *old = map_remove(&r->directed, to->full);
    jid_destroy(&old);
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
            send_copy(r->person, st, r->jid, j);
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
        struct jid *own = jid_dup(to);
        map_put(&r->directed, own->full, own);
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
    struct stanza *probe = bare_presence(PRESENCE_PROBE, r->jid);
    roster_each(i, p->roster)
    {
        if (subscription_has_to(i->state) && !session_blocks(p, i->contact))
            send_copy(p, probe, r->jid, i->contact);
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
    ev->st = bare_presence(PRESENCE_UNAVAILABLE, r->jid);
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
    if (!entry->local && !entry->resource)
        return text_eq(entry->domain, contact->domain) ? contact : NULL;
    return jid_eq_bare(entry, contact) ? (entry->resource ? entry : contact) : NULL;
}

static void hide_directed(struct resource *r, const struct jid *entry)
{
    struct stanza *gone = bare_presence(PRESENCE_UNAVAILABLE, r->jid);
    struct jid *j;
    for (size_t at = 0; (j = map_next(&r->directed, &at));)
        if (covered(entry, j) && (!entry->resource || jid_eq(entry, j))) {
            send_copy(r->person, gone, r->jid, j);
            forget_one(r, j);
            at = 0; /* the map has changed */
        }
    stanza_unref(&gone);
}

void presence_blocked(struct person *p, const struct jid *entry, bool blocked)
{
    struct stanza *probe = bare_presence(PRESENCE_PROBE, p->jid);
    roster_each(i, p->roster)
    {
        const struct jid *to = covered(entry, i->contact);
        if (!to || (!blocked && session_blocks(p, to)))
            continue;
        if (subscription_has_from(i->state))
            send_all(p, to, !blocked);
        if (!blocked && subscription_has_to(i->state))
            resource_each(r, p) if (r->presence) send_copy(p, probe, r->jid, to);
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
        send_copy(p, r->presence, r->jid, asker);
        any = true;
    }
    if (any)
        return;
    send_new(p, may_see ? PRESENCE_UNAVAILABLE : PRESENCE_UNSUBSCRIBED, p->jid,
             may_see ? asker : jid_to_bare(&ev->arena, asker));
}

static enum event_fate probe_perform(struct event *ev)
{
    if (ev->person->state == PERSON_NOBODY)
        send_new(ev->person, PRESENCE_UNSUBSCRIBED, ev->person->jid,
                 jid_to_bare(&ev->arena, ev->st->from));
    else if (!session_blocks(ev->person, ev->st->from)) /* else not a word (XEP-0191 3.5) */
        answer_probe(ev);
    return EVENT_FINISHED;
}

const struct event_ops presence_probe_in_ops = {"probe in", NULL, probe_perform};

/* ---- subscriptions ---- */

/* What is left to do after the commit. */
struct plan {
    const struct jid *contact; /* bare; in the event's arena */
    bool pass;                 /* route (out) or deliver (in) the stanza */
    bool push;                 /* the roster changed for clients to see */
    bool answer;               /* in: the contact may see already: `subscribed` at once */
    bool gained_from, lost_from;
};

static struct plan *plan_new(struct event *ev, const struct jid *contact)
{
    struct plan *plan = arena_new(&ev->arena, struct plan);
    plan->contact = jid_to_bare(&ev->arena, contact);
    ev->data = plan;
    return plan;
}

static enum subscription_state state_of(struct person *p, const struct jid *contact)
{
    const struct roster_item *i = roster_find(p->roster, contact->bare);
    return i ? i->state : SUBSCRIPTION_NONE;
}

static void note_from(struct plan *plan, enum subscription_state was, enum subscription_state now)
{
    plan->gained_from = !subscription_has_from(was) && subscription_has_from(now);
    plan->lost_from = subscription_has_from(was) && !subscription_has_from(now);
}

static void drop_request(struct roster_item *i)
{
    stanza_unref(&i->request);
}

/* Pre-approval (3.4): the approval of a request that has not come yet, or its withdrawal. */
static bool approval_of(enum stanza_type type, enum subscription_state was, bool before)
{
    if (type == PRESENCE_SUBSCRIBED)
        return before || (!subscription_is_pending(was) && !subscription_has_from(was));
    return type == PRESENCE_UNSUBSCRIBED ? false : before;
}

static enum event_state sent_subscription_admit(struct event *ev)
{
    struct person *p = ev->person;
    enum stanza_type type = ev->st->type;
    struct plan *plan = plan_new(ev, ev->st->to);
    if (jid_eq(plan->contact, p->jid))
        return EVENT_READY; /* one sees oneself */
    if (session_blocks(p, ev->st->to)) {
        ev->refused = STANZA_NOT_ACCEPTABLE;
        return EVENT_READY;
    }
    const struct roster_item *now = roster_find(p->roster, plan->contact->bare);
    enum subscription_state was = state_of(p, plan->contact);
    struct subscription_step step = subscription_out(was, type);
    bool had_approval = now && now->approved, approved = approval_of(type, was, had_approval);
    note_from(plan, was, step.next);
    plan->pass = step.pass;
    if (step.next == was && approved == had_approval)
        return EVENT_READY;
    struct roster_change *c;
    struct roster_item *i = roster_begin(ev, plan->contact, &c);
    if (!i) {
        plan->pass = false;
        ev->refused = STANZA_RESOURCE_CONSTRAINT;
        return EVENT_READY;
    }
    i->state = step.next;
    i->approved = approved;
    bool shows = type == PRESENCE_SUBSCRIBE || type == PRESENCE_SUBSCRIBED;
    i->in_roster = i->in_roster || shows;
    plan->push = true;
    if (!subscription_is_pending(i->state))
        drop_request(i);
    roster_commit(ev, c, false);
    return EVENT_WAITS;
}

static void show_or_hide(struct person *p, const struct plan *plan)
{
    if (plan->gained_from)
        send_all(p, plan->contact, true);
    if (plan->lost_from)
        send_all(p, plan->contact, false);
}

static enum event_fate sent_subscription_perform(struct event *ev)
{
    struct person *p = ev->person;
    struct plan *plan = ev->data;
    if (ev->error.code != ERROR_NONE)
        ev->refused = STANZA_RESOURCE_CONSTRAINT;
    if (ev->refused == STANZA_NOT_ACCEPTABLE) {
        route_refuse_blocked(ev);
        return EVENT_FINISHED;
    }
    if (ev->refused != STANZA_OK) {
        route_refuse(ev, ev->refused, NULL);
        return EVENT_FINISHED;
    }
    if (plan->push)
        roster_push(ev);
    session_wrote_to(p, plan->contact, ev->st);
    if (ev->st->type == PRESENCE_UNSUBSCRIBED)
        show_or_hide(p, plan); /* 3.2.2: unavailable, then the news */
    if (plan->pass)
        send_copy(p, ev->st, p->jid, plan->contact);
    if (ev->st->type != PRESENCE_UNSUBSCRIBED)
        show_or_hide(p, plan);
    return EVENT_FINISHED;
}

const struct event_ops presence_subscription_sent_ops = {
    "subscription sent", sent_subscription_admit, sent_subscription_perform};

/* RFC 6121 3.1.3: one who may see already, or was approved before, is answered for the person. */
static bool answers_itself(const struct roster_item *i, enum subscription_state was,
                           enum stanza_type type)
{
    return type == PRESENCE_SUBSCRIBE && (subscription_has_from(was) || (i && i->approved));
}

static enum subscription_state with_from(enum subscription_state s)
{
    return subscription_out(subscription_in(s, PRESENCE_SUBSCRIBE).next, PRESENCE_SUBSCRIBED).next;
}

/* 3.1.3: an account that does not exist is not told apart from one that does not answer. */
static bool is_unseen(const struct event *ev)
{
    return ev->person->state == PERSON_NOBODY || session_blocks(ev->person, ev->st->from);
}

/* What is kept of a request until it is answered: strangers choose its size. */
static struct stanza *slim(struct stanza *request)
{
    if (stanza_size(request) <= REQUEST_BYTES_MAX)
        return stanza_ref(request);
    struct stanza *st = bare_presence(PRESENCE_SUBSCRIBE, request->from), *copy;
    copy = stanza_readdress(st, request->from, request->to, (struct span){0});
    stanza_unref(&st);
    return copy;
}

static void keep_request(struct roster_item *i, struct stanza *st)
{
    if (i->request)
        return;
    i->request = slim(st);
}

static bool too_many_requests(struct person *p, const char *domain)
{
    unsigned count = 0, alike = 0;
    roster_each(i, p->roster) if (i->request && !i->in_roster)
    {
        count++;
        alike += text_eq(i->contact->domain, domain);
    }
    return count >= REQUESTS_MAX || (alike >= DOMAIN_REQUESTS_MAX && !text_eq(domain, p->jid->domain));
}

static enum event_state subscription_in_admit(struct event *ev)
{
    struct person *p = ev->person;
    if (is_unseen(ev))
        return EVENT_READY;
    enum stanza_type type = ev->st->type;
    struct plan *plan = plan_new(ev, ev->st->from);
    const struct roster_item *now = roster_find(p->roster, plan->contact->bare);
    enum subscription_state was = state_of(p, plan->contact);
    struct subscription_step step = subscription_in(was, type);
    plan->answer = answers_itself(now, was, type);
    plan->pass = step.pass && !plan->answer;
    if (plan->answer)
        step.next = subscription_has_from(was) ? was : with_from(was);
    note_from(plan, was, step.next);
    if (step.next == was)
        return EVENT_READY;
    struct roster_change *c;
    bool full = !now && too_many_requests(p, plan->contact->domain);
    struct roster_item *i = full ? NULL : roster_begin(ev, plan->contact, &c);
    if (!i) {
        ev->refused = STANZA_RESOURCE_CONSTRAINT;
        return EVENT_READY;
    }
    i->state = step.next;
    if (subscription_is_pending(step.next))
        keep_request(i, ev->st);
    else
        drop_request(i);
    i->in_roster = i->in_roster || plan->answer;
    plan->push = type != PRESENCE_SUBSCRIBE || plan->answer; /* a request in is not shown */
    roster_commit(ev, c, false);
    return EVENT_WAITS;
}

static enum event_fate subscription_in_perform(struct event *ev)
{
    struct person *p = ev->person;
    struct plan *plan = ev->data;
    if (!plan)
        return EVENT_FINISHED;
    if (ev->refused != STANZA_OK) { /* an error would say that there is such an account (3.1.3) */
        log_info(NULL, "%s: too many requests wait; that of %s is dropped", p->jid->bare, plan->contact->bare);
        return EVENT_FINISHED;
    }
    if (ev->error.code != ERROR_NONE) {
        route_refuse(ev, STANZA_RESOURCE_CONSTRAINT, NULL);
        return EVENT_FINISHED;
    }
    if (plan->pass)
        route_deliver(ev);
    if (plan->push)
        roster_push(ev);
    if (plan->answer)
        send_new(p, PRESENCE_SUBSCRIBED, p->jid, plan->contact);
    show_or_hide(p, plan);
    return EVENT_FINISHED;
}

const struct event_ops presence_subscription_in_ops = {"subscription in", subscription_in_admit,
                                                       subscription_in_perform};

void presence_end_subscription(struct person *p, const struct jid *contact,
                               enum subscription_state was)
{
    if (subscription_has_from(was))
        send_all(p, contact, false);
    if (subscription_has_to(was) || subscription_is_asked(was))
        send_new(p, PRESENCE_UNSUBSCRIBE, p->jid, contact);
    if (subscription_has_from(was) || subscription_is_pending(was))
        send_new(p, PRESENCE_UNSUBSCRIBED, p->jid, contact);
}
