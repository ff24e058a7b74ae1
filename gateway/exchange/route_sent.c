/* SPDX-License-Identifier: MIT */
/* What a terminal says, at its sender: whose it is, whether it may go, and the copies that the person's other
 * clients get. Then it goes where `to` says. */
#include "gateway/exchange/carbon_copy.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/presence.h"
#include "gateway/exchange/repeat.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/roster.h"
#include "gateway/exchange/route_internal.h"
#include "gateway/xmpp/ns.h"

static enum event_fate leave_sender(struct event *ev)
{
    struct person *p = ev->person;
    const struct jid *to = ev->st->to;
    if (!jid_eq_bare(to, p->jid)) {
        if (session_blocks(p, to)) {
            route_refuse_blocked(ev);
            return EVENT_FINISHED;
        }
        session_wrote_to(p, to, ev->st);
        if (ev->st->kind == STANZA_MESSAGE && carbon_copy_may(p, ev->st, true))
            carbon_copy_sent(p, ev->resource, ev->st);
    }
    route_event(ev);
    return EVENT_MOVED;
}

static enum event_fate sent_message_perform(struct event *ev)
{
    struct person *p = ev->person;
    event_weigh(ev);
    struct resource *r = ev->resource;
    if (r && ev->weight.keep && repeat_note(&p->repeats, ev->st, r->stream, loop_now_ms(p->loop)))
        return EVENT_FINISHED; /* said before, on a stream that broke */
    ev->sender_archives = ev->weight.archive && p->community->archive;
    return leave_sender(ev);
}

const struct event_ops route_sent_message_ops = {"message sent", NULL, sent_message_perform};

static enum event_fate sent_iq_perform(struct event *ev)
{
    struct person *p = ev->person;
    const struct jid *to = ev->st->to;
    if (jid_eq(to, p->jid)) {
        if (route_is_request(ev->st))
            route_ask_services(ev, p, AT_ACCOUNT);
        return EVENT_FINISHED; /* results of our pushes end here */
    }
    return leave_sender(ev);
}

static const struct event_ops sent_iq_ops = {"iq sent", NULL, sent_iq_perform};

static enum event_fate sent_bad_perform(struct event *ev)
{
    route_refuse(ev, STANZA_BAD_REQUEST, NULL);
    return EVENT_FINISHED;
}

static const struct event_ops sent_bad_ops = {"malformed", NULL, sent_bad_perform};

static const struct event_ops *iq_sent_ops(const struct stanza *st, const struct person *p)
{
    if (!route_is_request(st))
        return &sent_iq_ops;
    const struct element *payload = stanza_first(st);
    if (!payload || payload->next || !st->id)
        return &sent_bad_ops;
    if (jid_eq(st->to, p->jid) && element_is(payload, "query", NS_ROSTER))
        return st->type == IQ_GET ? &roster_get_ops : &roster_set_ops;
    return &sent_iq_ops;
}

static const struct event_ops *sent_ops(const struct stanza *st, const struct person *p)
{
    if (st->type == STANZA_TYPE_UNKNOWN)
        return &sent_bad_ops;
    if (st->kind == STANZA_MESSAGE)
        return &route_sent_message_ops;
    if (st->kind == STANZA_IQ)
        return iq_sent_ops(st, p);
    if (route_is_subscription(st))
        return st->to ? &presence_subscription_sent_ops : &sent_bad_ops;
    if (st->type == PRESENCE_PROBE || st->type == PRESENCE_ERROR)
        return NULL; /* probes are the servers' (4.3); an error to presence helps nobody */
    return &presence_sent_ops;
}

/* RFC 6120 8.1.2.1. */
static bool is_own(const struct resource *r, const struct jid *from)
{
    return !from || jid_eq(from, r->jid) || jid_eq(from, r->person->jid);
}

bool route_sent_from_link(struct resource *r, struct stanza *st, struct settle *s)
{
    if (!is_own(r, st->from))
        return false;
    struct person *p = r->person;
    const struct jid *to = st->to || st->kind == STANZA_PRESENCE ? st->to : p->jid;
    struct stanza *own = stanza_readdress(st, r->jid, to, (struct span){0});
    const struct event_ops *ops = sent_ops(own, p);
    struct event *ev = event_create(p->x, ops, own);
    stanza_unref(&own);
    ev->settle = s;
    if (s)
        ev->weight = s->weight;
    ev->resource = resource_ref(r);
    ev->person = p;
    ev->loop = p->loop;
    if (ops)
        event_submit(ev, &p->out);
    else
        event_destroy(&ev);
    return true;
}
