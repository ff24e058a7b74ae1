/* SPDX-License-Identifier: MIT */
/* What comes to a person. A message is judged by the sessions (session.h), and kept if it weighs something;
 * what is kept is delivered after its commit. */
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/exchange/carbon_copy.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/presence.h"
#include "gateway/exchange/repeat.h"
#include "gateway/exchange/roster.h"
#include "gateway/exchange/route_internal.h"
#include "gateway/xmpp/ns.h"

/* ---- messages ---- */

static void prepare_keep(struct event *ev)
{
    struct person *p = ev->person;
    struct keep *k = event_keep_new(ev);
    const char *from = ev->st->from->bare;
    k->queue[0] = p->queue;
    if (ev->weight.archive && p->community->archive) {
        k->archive[0] = p->jid->bare;
        k->peer[0] = from;
    }
    if (ev->sender_archives && !text_eq(from, p->jid->bare)) {
        k->archive[1] = from;
        k->peer[1] = p->jid->bare;
    }
    if (!ev->ours)
        session_prepare_keep(p, ev->verdict, k, &ev->arena);
    event_keep_start(ev);
}

static enum event_state message_in_admit(struct event *ev)
{
    struct person *p = ev->person;
    ev->copies = carbon_copy_may(p, ev->st, false);
    struct stanza *clean = message_strip(ev->st, p->jid->bare);
    if (clean != ev->st)
        ev->weight.is_known = false;
    stanza_unref(&ev->st);
    ev->st = clean;
    event_weigh(ev);
    ev->verdict = p->state == PERSON_NOBODY ? SESSION_DROP : SESSION_DELIVER;
    if (clean->type != MESSAGE_ERROR && !ev->ours)
        ev->verdict = session_admit(p, clean, &ev->refused);
    else if (!ev->ours && ev->verdict == SESSION_DELIVER && session_blocks(p, clean->from))
        ev->verdict = SESSION_DROP; /* an error, to which none may answer */
    CHECK(p->state == PERSON_READY || ev->verdict != SESSION_DELIVER);
    bool keep = ev->verdict == SESSION_HOLD || (ev->verdict == SESSION_DELIVER && ev->weight.keep);
    if (!keep)
        return EVENT_READY;
    prepare_keep(ev);
    return EVENT_WAITS;
}

static enum event_fate message_in_perform(struct event *ev)
{
    struct person *p = ev->person;
    if (ev->error.code != ERROR_NONE) {
        log_warn(NULL, "a message was refused: %s", ev->error.text);
        if (!ev->ours)
            session_keep_failed(p, ev->verdict, &ev->kept->keep);
        route_refuse(ev, STANZA_RESOURCE_CONSTRAINT, NULL);
        return EVENT_FINISHED;
    }
    bool delivered = false;
    if (ev->st->type == MESSAGE_ERROR)
        repeat_forget(p->repeats, ev->st);
    switch (ev->verdict) {
    case SESSION_DELIVER:
        delivered = route_deliver(ev);
        break;
    case SESSION_HOLD:
    case SESSION_DROP:
        break;
    case SESSION_REFUSE:
        route_refuse(ev, ev->refused, NULL);
        break;
    }
    if (ev->seq && !ev->ours)
        session_kept(p, ev->verdict, &ev->kept->keep, delivered);
    return EVENT_FINISHED;
}

static const struct event_ops message_in_ops = {"message in", message_in_admit, message_in_perform};

/* ---- presence and iq ---- */

static enum event_fate presence_in_perform(struct event *ev)
{
    bool of_ours = ev->ours && ev->st->type == PRESENCE_ERROR; /* to what the person sent */
    if (ev->person->state == PERSON_READY &&
        (of_ours || !(ev->st->from && session_blocks(ev->person, ev->st->from))))
        route_deliver(ev);
    return EVENT_FINISHED;
}

static const struct event_ops presence_in_ops = {"presence in", NULL, presence_in_perform};

/* Only who may see the person learns more than from an account that does not exist (8.5.1). */
static bool may_ask(struct person *p, const struct jid *asker)
{
    enum roster_subscription s = person_subscription(p, asker);
    return s == SUB_FROM || s == SUB_BOTH || jid_eq_bare(asker, p->jid) ||
           person_directed_to(p, asker);
}

/* XEP-0012 sections 3 and 4: since when somebody is away or idle is as much as presence says. The same
 * for who is blocked and for an account that does not exist. */
static bool asks_for_presence(const struct stanza *st)
{
    return st->type == IQ_GET && element_is(stanza_first(st), "query", NS_LAST);
}

static enum event_fate iq_in_perform(struct event *ev)
{
    struct person *p = ev->person;
    struct stanza *st = ev->st;
    if (asks_for_presence(st) &&
        (p->state == PERSON_NOBODY || session_blocks(p, st->from) || !may_ask(p, st->from))) {
        route_refuse(ev, STANZA_FORBIDDEN, NULL);
        return EVENT_FINISHED;
    }
    bool nobody = p->state == PERSON_NOBODY || (route_is_request(st) && session_blocks(p, st->from));
    if (!nobody && !st->to->resource && route_is_request(st) && may_ask(p, st->from))
        route_ask_services(ev, p, jid_eq_bare(st->from, p->jid) ? AT_ACCOUNT : AT_OTHER);
    else if (route_is_request(st) && (nobody || !st->to->resource))
        route_refuse(ev, STANZA_SERVICE_UNAVAILABLE, NULL);
    else if (!nobody)
        route_deliver(ev);
    return EVENT_FINISHED;
}

static const struct event_ops iq_in_ops = {"iq in", NULL, iq_in_perform};

const struct event_ops *route_in_ops(const struct stanza *st)
{
    if (st->kind == STANZA_MESSAGE)
        return &message_in_ops;
    if (st->kind == STANZA_IQ)
        return &iq_in_ops;
    if (st->type == PRESENCE_PROBE)
        return &presence_probe_in_ops;
    return route_is_subscription(st) ? &presence_subscription_in_ops : &presence_in_ops;
}
