/* SPDX-License-Identifier: MIT */
/* The stanzas that ask for presence, grant, refuse and end it (RFC 6121 section 3), on the tables of subscription.c:
 * what each changes is kept before anybody hears of it. As in presence.c a person is handled as two. */
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/presence.h"
#include "gateway/exchange/presence_internal.h"
#include "gateway/exchange/presence_preauth.h"
#include "gateway/exchange/roster.h"
#include "gateway/exchange/route.h"
#include "gateway/xmpp/stanza_build.h"

enum {
    REQUESTS_MAX = 500,       /* that wait for an answer and are not in the roster */
    DOMAIN_REQUESTS_MAX = 100, /* of them from one other community: it shuts out itself alone */
    REQUEST_BYTES_MAX = 2048, /* a larger one is kept without what it says */
};

/* What is left to do after the commit. */
struct plan {
    const struct jid *contact; /* bare; in the event's arena */
    bool pass;                 /* route (out) or deliver (in) the stanza */
    bool push;                 /* the roster changed for clients to see */
    bool answer;               /* in: the contact may see already: `subscribed` at once */
    bool ask;                  /* in, by a token: the contact is asked back */
    bool gained_from, lost_from;
    struct presence_preauth *preauth; /* in: the token that it came with (XEP-0379); NULL: none, or none that counts */
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
        presence_send_all(p, plan->contact, true);
    if (plan->lost_from)
        presence_send_all(p, plan->contact, false);
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
        presence_send_copy(p, ev->st, p->jid, plan->contact);
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
    struct stanza *st = presence_bare(PRESENCE_SUBSCRIBE, request->from), *copy;
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

/* By a token both are asked for: the contact may see the person, and is asked for the same. */
static enum subscription_state next_by_token(struct plan *plan, enum subscription_state was)
{
    enum subscription_state from = with_from(was);
    plan->ask = !subscription_has_to(from) && !subscription_is_asked(from);
    return subscription_out(from, PRESENCE_SUBSCRIBE).next;
}

static enum event_state change_in(struct event *ev)
{
    struct person *p = ev->person;
    struct plan *plan = ev->data;
    enum stanza_type type = ev->st->type;
    const struct roster_item *now = roster_find(p->roster, plan->contact->bare);
    enum subscription_state was = state_of(p, plan->contact);
    struct subscription_step step = subscription_in(was, type);
    plan->answer = plan->preauth || answers_itself(now, was, type);
    plan->pass = step.pass && !plan->answer;
    plan->ask = false;
    if (plan->preauth)
        step.next = next_by_token(plan, was);
    else if (plan->answer)
        step.next = subscription_has_from(was) ? was : with_from(was);
    note_from(plan, was, step.next);
    if (step.next == was)
        return EVENT_READY;
    struct roster_change *c;
    bool full = !now && !plan->preauth && too_many_requests(p, plan->contact->domain);
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
    if (plan->preauth)
        roster_also(c, presence_preauth_spend, plan->preauth);
    roster_commit(ev, c, false);
    return EVENT_WAITS;
}

static enum event_state subscription_in_admit(struct event *ev)
{
    if (is_unseen(ev))
        return EVENT_READY;
    struct plan *plan = plan_new(ev, ev->st->from);
    const struct roster_item *now = roster_find(ev->person->roster, plan->contact->bare);
    if (!answers_itself(now, now ? now->state : SUBSCRIPTION_NONE, ev->st->type))
        plan->preauth = presence_preauth_look(ev);
    return plan->preauth ? EVENT_WAITS : change_in(ev);
}

/* A token was looked at, and now is its turn; or was spent by somebody else since: then it is a request like any other.
 */
static bool is_changed_now(struct event *ev)
{
    struct plan *plan = ev->data;
    struct presence_preauth *token = plan->preauth;
    if (!token)
        return false;
    if (presence_preauth_is_looked_at(token)) {
        if (ev->error.code != ERROR_NOT_FOUND)
            return false;
        error_clear(&ev->error);
        plan->preauth = NULL;
    } else if (!presence_preauth_take(token)) {
        plan->preauth = NULL;
    }
    return change_in(ev) == EVENT_WAITS;
}

/* As if the person had approved it by hand: what the contact wrote before and was held comes now. */
static void note_consent(struct person *p, const struct jid *contact)
{
    struct stanza *st = presence_bare(PRESENCE_SUBSCRIBED, p->jid);
    session_wrote_to(p, contact, st);
    stanza_unref(&st);
}

static enum event_fate subscription_in_perform(struct event *ev)
{
    struct person *p = ev->person;
    struct plan *plan = ev->data;
    if (!plan)
        return EVENT_FINISHED;
    if (is_changed_now(ev))
        return EVENT_STAYS;
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
    if (plan->preauth)
        note_consent(p, plan->contact);
    if (plan->answer)
        presence_send_new(p, PRESENCE_SUBSCRIBED, p->jid, plan->contact);
    if (plan->ask)
        presence_send_new(p, PRESENCE_SUBSCRIBE, p->jid, plan->contact);
    show_or_hide(p, plan);
    return EVENT_FINISHED;
}

const struct event_ops presence_subscription_in_ops = {"subscription in", subscription_in_admit,
                                                       subscription_in_perform};

void presence_end_subscription(struct person *p, const struct jid *contact,
                               enum subscription_state was)
{
    if (subscription_has_from(was))
        presence_send_all(p, contact, false);
    if (subscription_has_to(was) || subscription_is_asked(was))
        presence_send_new(p, PRESENCE_UNSUBSCRIBE, p->jid, contact);
    if (subscription_has_from(was) || subscription_is_pending(was))
        presence_send_new(p, PRESENCE_UNSUBSCRIBED, p->jid, contact);
}
