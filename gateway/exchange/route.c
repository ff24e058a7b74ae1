/* SPDX-License-Identifier: MIT */
/* Where does this stanza go?
 *
 *   from a link ---> out lane of its person ---> route_event: by `to`
 *     (route_sent.c)                               |- a domain of ours:   the services
 *   from another community ------------------------|- a person of ours:   in lane of the person (route_in.c),
 *   made by the gateway ---------------------------|                      then to resources (route_deliver.c)
 *                                                  |- anything else:      lane of the two domains
 *                                                                         (route_leave.c)
 */
#include "gateway/exchange/route.h"

#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/route_internal.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

/* ---- what cannot go on ---- */

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

void route_ask_services(struct event *ev, struct person *who, enum service_at at)
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
    if (st->kind == STANZA_IQ && route_is_request(st)) {
        if (st->to->resource)
            route_refuse(ev, STANZA_SERVICE_UNAVAILABLE, NULL);
        else
            route_ask_services(ev, NULL, AT_DOMAIN);
    } else if (st->kind == STANZA_MESSAGE && st->type != MESSAGE_ERROR && !ev->ours) {
        if (!offer_message(ev))
            route_refuse(ev, STANZA_SERVICE_UNAVAILABLE, NULL);
    }
    event_destroy(&ev); /* presence: a domain has none */
}

/* ---- by `to` ---- */

void route_event(struct event *ev)
{
    const struct jid *to = ev->st->to, *from = ev->st->from;
    if (!exchange_is_local(ev->x, to)) {
        CHECK(from);
        if (!exchange_is_ours(ev->x, from) && !exchange_is_ours(ev->x, to)) { /* of what has gone meanwhile */
            event_destroy(&ev);
            return;
        }
        ev->ops = &route_leave_ops;
        event_post_pair(ev);
    } else if (!to->local) {
        event_post_shard(ev, from ? from->bare : to->bare, at_domain);
    } else {
        ev->ops = route_in_ops(ev->st);
        event_post(ev, to);
    }
}

void route_ours(struct exchange *x, struct stanza *st)
{
    struct event *ev = event_create(x, NULL, st);
    ev->ours = true;
    route_event(ev);
}
