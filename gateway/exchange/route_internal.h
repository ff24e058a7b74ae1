/* SPDX-License-Identifier: MIT */
/* Shared by the files of route. */
#ifndef CAUSEWAY_EXCHANGE_ROUTE_INTERNAL_H
#define CAUSEWAY_EXCHANGE_ROUTE_INTERNAL_H

#include "gateway/exchange/route.h"
#include "gateway/exchange/subscription.h"

/* An iq that must be answered. */
static inline bool route_is_request(const struct stanza *st)
{
    return st->type == IQ_GET || st->type == IQ_SET;
}

static inline bool route_is_subscription(const struct stanza *st)
{
    return st->kind == STANZA_PRESENCE && subscription_is_type(st->type);
}

/* Who answers to its payload's namespace, at that place? Else an error goes to its sender. */
void route_ask_services(struct event *ev, struct person *who, enum service_at at);

/* route_in.c: to a person. */
const struct event_ops *route_in_ops(const struct stanza *st);
/* route_leave.c: to another community. */
extern const struct event_ops route_leave_ops;

#endif
