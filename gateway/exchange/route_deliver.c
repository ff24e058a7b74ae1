/* SPDX-License-Identifier: MIT */
/* A stanza to a person: which of the person's resources get it. The table is RFC 6121 section 8.5. */
#include "gateway/exchange/carbon_copy.h"
#include "gateway/exchange/pending.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/presence.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/route_internal.h"

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
        to->resource && !route_is_subscription(ev->st) ? resource_find(p, to->resource) : NULL;
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
