/* SPDX-License-Identifier: MIT */
/* Where does this stanza go?
 *
 *   from a link ---> out lane of its person ---> route_event: by `to`
 *                                                  |- a domain of ours:   the services
 *   from another community ------------------------|- a person of ours:   in lane of the person
 *   made by the gateway ---------------------------|- anything else:      lane of the two domains
 *
 * In the person's lane a message is judged by the sessions (session.h) and kept if it weighs
 * something; then the table below (RFC 6121 section 8.5) says which of the person's resources get
 * it. In the pair's lane it is kept and handed to the edge. What is kept moves on after its commit.
 */
#include "gateway/exchange/route.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/exchange/carbon_copy.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/pending.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/presence.h"
#include "gateway/exchange/repeat.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/roster.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

/* ---- the table: RFC 6121 section 8.5 ---- */

enum whither {
    DROP,         /* silently */
    REFUSE,       /* service-unavailable to the sender */
    TO_AVAILABLE, /* every available resource */
    TO_TAKERS,    /* every available resource whose priority is not negative */
    TO_SERVICES,  /* the account answers itself */
};

/* clang-format off */
/* To a full JID whose resource is bound, everything goes to that resource. */
static const struct rule {
    enum whither bare;         /* addressed to the bare JID */
    enum whither no_resource;  /* addressed to a full JID that is not bound */
} rules[] = {
    [MESSAGE_NORMAL]        = {TO_TAKERS,    TO_TAKERS}, /* 8.5.2.1.1, 8.5.3.2.1; kept if there is none */
    [MESSAGE_CHAT]          = {TO_TAKERS,    TO_TAKERS},
    [MESSAGE_GROUPCHAT]     = {REFUSE,       REFUSE},
    [MESSAGE_HEADLINE]      = {TO_TAKERS,    DROP},
    [MESSAGE_ERROR]         = {DROP,         DROP},
    [PRESENCE_AVAILABLE]    = {TO_AVAILABLE, DROP},      /* 8.5.2.1.2, 8.5.3.2.2 */
    [PRESENCE_UNAVAILABLE]  = {TO_AVAILABLE, DROP},
    [PRESENCE_SUBSCRIBE]    = {TO_AVAILABLE, TO_AVAILABLE},
    [PRESENCE_SUBSCRIBED]   = {TO_AVAILABLE, TO_AVAILABLE},
    [PRESENCE_UNSUBSCRIBE]  = {TO_AVAILABLE, TO_AVAILABLE},
    [PRESENCE_UNSUBSCRIBED] = {TO_AVAILABLE, TO_AVAILABLE},
    [PRESENCE_PROBE]        = {DROP,         DROP},      /* answered by presence.c */
    [PRESENCE_ERROR]        = {TO_AVAILABLE, DROP},      /* a contact's community cannot be reached */
    [IQ_GET]                = {TO_SERVICES,  REFUSE},    /* 8.5.2.1.3, 8.5.3.2.3 */
    [IQ_SET]                = {TO_SERVICES,  REFUSE},
    [IQ_RESULT]             = {DROP,         DROP},
    [IQ_ERROR]              = {DROP,         DROP},
    [STANZA_TYPE_UNKNOWN]   = {DROP,         DROP},
    [STANZA_TYPE_NONE]      = {DROP,         DROP},
};
/* clang-format on */

static bool is_request(const struct stanza *st)
{
    return st->type == IQ_GET || st->type == IQ_SET;
}

static bool is_subscription(const struct stanza *st)
{
    return st->kind == STANZA_PRESENCE && subscription_is_type(st->type);
}

static void give(struct event *ev, struct resource *r, struct stanza *dressed)
{
    if (!ev->seq)
        resource_give(r, dressed, 0);
    else if (ev->seq > r->seen_seq) /* else it came with the queue */
        pending_give(r, dressed, ev->seq);
}

/* A resource that still reads its pending rows finds a kept message among them. */
static bool is_due(const struct event *ev, const struct resource *r, enum whither where)
{
    if (ev->seq && r->flushing)
        return false;
    return where == TO_AVAILABLE ? r->presence != NULL : resource_takes_messages(r);
}

static bool give_to_all(struct event *ev, enum whither where, struct stanza *dressed)
{
    bool given = false;
    resource_each(r, ev->person) if (is_due(ev, r, where))
    {
        give(ev, r, dressed);
        given = true;
    }
    return given;
}

/* Presence of the person's own resources comes back to the one that sent it (4.5.2). */
static void echo_own(struct event *ev)
{
    const struct jid *from = ev->st->from;
    if (ev->st->type != PRESENCE_UNAVAILABLE || !from->resource ||
        !jid_eq_bare(from, ev->person->jid))
        return;
    struct resource *r = resource_find(ev->person, from->resource);
    if (r && !r->presence)
        resource_give(r, ev->st, 0);
}

/* When no resource is bound that it is addressed to. */
static enum whither decide(const struct event *ev)
{
    const struct rule *rule = &rules[ev->st->type];
    bool to_full = ev->st->to->resource != NULL;
    enum whither where = to_full ? rule->no_resource : rule->bare;
    if (ev->seq)
        return where == DROP ? TO_TAKERS : where; /* a kept error: the link that it answers is gone */
    if (ev->ours && to_full && ev->st->kind == STANZA_MESSAGE)
        return DROP; /* a page of an archive is for the one who asked */
    return where;
}

bool route_deliver(struct event *ev)
{
    struct person *p = ev->person;
    const struct jid *to = ev->st->to;
    struct resource *match =
        to->resource && !is_subscription(ev->st) ? resource_find(p, to->resource) : NULL;
    enum whither where = decide(ev);
    if (!match && where == DROP)
        return false;
    if (!match && where == REFUSE) {
        route_refuse(ev, STANZA_SERVICE_UNAVAILABLE, NULL);
        return false;
    }
    struct stanza *dressed = ev->seq ? pending_dress(p, ev->st, ev->seq, 0) : stanza_ref(ev->st);
    bool given = match && !(ev->seq && match->flushing);
    if (given)
        give(ev, match, dressed);
    else
        given = give_to_all(ev, where, dressed);
    if (given && ev->copies)
        carbon_copy_received(p, match, dressed);
    echo_own(ev);
    stanza_unref(&dressed);
    return given;
}

static void send_error(struct event *ev, struct stanza *error)
{
    if (!error)
        return;
    if (error->to) {
        struct event *next = event_follow(ev, NULL, error);
        next->ours = true;
        route_event(next);
    }
    stanza_unref(&error);
}

void route_refuse(struct event *ev, enum stanza_error e, const char *text)
{
    send_error(ev, build_error(ev->st, e, text, NULL));
}

void route_refuse_blocked(struct event *ev)
{
    send_error(ev, build_error_with(ev->st, STANZA_NOT_ACCEPTABLE, "blocked", NS_BLOCKING_ERRORS));
}

/* ---- services ---- */

static void ask_services(struct event *ev, struct person *who, enum service_at at)
{
    const struct element *payload = stanza_first(ev->st);
    if (!payload || payload->next || !ev->st->id) {
        route_refuse(ev, STANZA_BAD_REQUEST, NULL); /* RFC 6120 8.2.3 */
        return;
    }
    unsigned type = 1u << ev->st->type;
    for (const struct iq_entry *i = exchange_iq_entries(ev->x, payload); i; i = i->next)
        if ((i->iq->types & type) && (i->iq->at & at) &&
            i->iq->handle(ev->x, who, ev->st) == SERVICE_HANDLED)
            return;
    route_refuse(ev, STANZA_SERVICE_UNAVAILABLE, NULL);
}

static bool offer_message(struct event *ev)
{
    for (const struct service *const *s = exchange_services(ev->x); *s; s++)
        if ((*s)->on_domain_message &&
            (*s)->on_domain_message(ev->x, ev->st, ev->settle) == SERVICE_HANDLED)
            return true;
    return false;
}

static void at_domain(struct command *cmd)
{
    struct event *ev = container_of(cmd, struct event, cmd);
    struct stanza *st = ev->st;
    if (st->kind == STANZA_IQ && is_request(st)) {
        if (st->to->resource)
            route_refuse(ev, STANZA_SERVICE_UNAVAILABLE, NULL);
        else
            ask_services(ev, NULL, AT_DOMAIN);
    } else if (st->kind == STANZA_MESSAGE && st->type != MESSAGE_ERROR && !ev->ours) {
        if (!offer_message(ev))
            route_refuse(ev, STANZA_SERVICE_UNAVAILABLE, NULL);
    }
    event_destroy(&ev); /* presence: a domain has none */
}

/* ---- a message to a person ---- */

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

static void weigh(struct event *ev)
{
    if (!ev->weight.is_known)
        ev->weight = message_weigh(ev->st);
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
    weigh(ev);
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

/* ---- presence and iq to a person ---- */

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

static enum event_fate iq_in_perform(struct event *ev)
{
    struct person *p = ev->person;
    struct stanza *st = ev->st;
    bool nobody = p->state == PERSON_NOBODY || (is_request(st) && session_blocks(p, st->from));
    if (!nobody && !st->to->resource && is_request(st) && may_ask(p, st->from))
        ask_services(ev, p, jid_eq_bare(st->from, p->jid) ? AT_ACCOUNT : AT_OTHER);
    else if (is_request(st) && (nobody || !st->to->resource))
        route_refuse(ev, STANZA_SERVICE_UNAVAILABLE, NULL);
    else if (!nobody)
        route_deliver(ev);
    return EVENT_FINISHED;
}

static const struct event_ops iq_in_ops = {"iq in", NULL, iq_in_perform};

/* ---- to another community ---- */

/* The error that answers a numbered message is kept in the transaction that says that the message was
 * taken: else a crash would lose it, or let the message come again. Errors are cheap to provoke, so there
 * is a bound; beyond it they go as others do. */
static bool keeps_answer(struct event *ev)
{
    if (!ev->mark)
        return false;
    if (atomic_fetch_add(&ev->x->answers_kept, 1) < ANSWERS_KEPT_MAX)
        return true;
    route_answer_gone(ev->x);
    return false;
}

void route_answer_gone(struct exchange *x)
{
    unsigned was = atomic_load(&x->answers_kept);
    while (was && !atomic_compare_exchange_weak(&x->answers_kept, &was, was - 1))
        ; /* 0: it was kept before the last start */
}

static enum event_state leave_admit(struct event *ev)
{
    if (!ev->x->remote) {
        ev->refused = STANZA_REMOTE_SERVER_NOT_FOUND;
        return EVENT_READY;
    }
    weigh(ev);
    if (ev->st->kind != STANZA_MESSAGE || !(ev->weight.keep || keeps_answer(ev)))
        return EVENT_READY;
    struct keep *k = event_keep_new(ev);
    k->queue[0] = pair_queue(ev->pair);
    if (ev->sender_archives) {
        k->archive[0] = ev->st->from->bare;
        k->peer[0] = ev->st->to->bare;
    }
    event_keep_start(ev);
    return EVENT_WAITS;
}

static enum event_fate leave_perform(struct event *ev)
{
    bool failed = ev->error.code != ERROR_NONE, is_answer = ev->mark != NULL;
    struct queue_id id = {ev->seq ? ev->kept->keep.kept_us : 0, ev->seq};
    if (failed && is_answer)
        route_answer_gone(ev->x); /* and it goes unkept */
    else if (failed)
        ev->refused = STANZA_RESOURCE_CONSTRAINT;
    if (ev->refused != STANZA_OK)
        route_refuse(ev, ev->refused, NULL);
    else
        ev->x->remote->ops->send(ev->x->remote, ev->st, id);
    return EVENT_FINISHED;
}

static const struct event_ops leave_ops = {"leave", leave_admit, leave_perform};

/* ---- by `to` ---- */

static const struct event_ops *person_ops(const struct stanza *st)
{
    if (st->kind == STANZA_MESSAGE)
        return &message_in_ops;
    if (st->kind == STANZA_IQ)
        return &iq_in_ops;
    if (st->type == PRESENCE_PROBE)
        return &presence_probe_in_ops;
    return is_subscription(st) ? &presence_subscription_in_ops : &presence_in_ops;
}

void route_event(struct event *ev)
{
    const struct jid *to = ev->st->to, *from = ev->st->from;
    if (!exchange_is_local(ev->x, to)) {
        CHECK(from);
        ev->ops = &leave_ops;
        event_post_pair(ev);
    } else if (!to->local) {
        event_post_shard(ev, from ? from->bare : to->bare, at_domain);
    } else {
        ev->ops = person_ops(ev->st);
        event_post(ev, to);
    }
}

void route_ours(struct exchange *x, struct stanza *st)
{
    struct event *ev = event_create(x, NULL, st);
    ev->ours = true;
    route_event(ev);
}

/* ---- from a terminal: the sender's half ---- */

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
    weigh(ev);
    struct resource *r = ev->resource;
    if (r && ev->weight.keep && repeat_note(&p->repeats, ev->st, r->stream, loop_now_ms(p->loop)))
        return EVENT_FINISHED; /* said before, on a stream that broke */
    ev->sender_archives = ev->weight.archive && p->community->archive;
    return leave_sender(ev);
}

const struct event_ops route_message_sent_ops = {"message sent", NULL, sent_message_perform};

static enum event_fate sent_iq_perform(struct event *ev)
{
    struct person *p = ev->person;
    const struct jid *to = ev->st->to;
    if (jid_eq(to, p->jid)) {
        if (is_request(ev->st))
            ask_services(ev, p, AT_ACCOUNT);
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
    if (!is_request(st))
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
        return &route_message_sent_ops;
    if (st->kind == STANZA_IQ)
        return iq_sent_ops(st, p);
    if (is_subscription(st))
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

bool route_from_link(struct resource *r, struct stanza *st, struct settle *s)
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
