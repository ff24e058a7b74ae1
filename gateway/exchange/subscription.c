/* SPDX-License-Identifier: MIT */
/* RFC 6121 appendix A.2 and A.3, one row a state, one column a stanza. P: pass it on, q: do not. */
#include "gateway/exchange/subscription.h"

#include "gateway/base/check.h"

#define P(state)                                                                                   \
    {                                                                                              \
        true, SUBSCRIPTION_##state                                                                 \
    }
#define q(state)                                                                                   \
    {                                                                                              \
        false, SUBSCRIPTION_##state                                                                \
    }

enum column { SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, UNSUBSCRIBED, COLUMNS };

/* clang-format off */
/* A.2: the person sends. */
static const struct subscription_step outbound[SUBSCRIPTION_STATES][COLUMNS] = {
    /*                            subscribe       subscribed    unsubscribe  unsubscribed */
    [SUBSCRIPTION_NONE]        = {P(NONE_OUT),    q(NONE),      P(NONE),     q(NONE)},
    [SUBSCRIPTION_NONE_OUT]    = {P(NONE_OUT),    q(NONE_OUT),  P(NONE),     q(NONE_OUT)},
    [SUBSCRIPTION_NONE_IN]     = {P(NONE_OUT_IN), P(FROM),      P(NONE_IN),  P(NONE)},
    [SUBSCRIPTION_NONE_OUT_IN] = {P(NONE_OUT_IN), P(FROM_OUT),  P(NONE_IN),  P(NONE_OUT)},
    [SUBSCRIPTION_TO]          = {P(TO),          q(TO),        P(NONE),     q(TO)},
    [SUBSCRIPTION_TO_IN]       = {P(TO_IN),       P(BOTH),      P(NONE_IN),  P(TO)},
    [SUBSCRIPTION_FROM]        = {P(FROM_OUT),    q(FROM),      P(FROM),     P(NONE)},
    [SUBSCRIPTION_FROM_OUT]    = {P(FROM_OUT),    q(FROM_OUT),  P(FROM),     P(NONE_OUT)},
    [SUBSCRIPTION_BOTH]        = {P(BOTH),        q(BOTH),      P(FROM),     P(TO)},
};
/* clang-format on */

/* clang-format off */
/* A.3: the contact sends. */
static const struct subscription_step inbound[SUBSCRIPTION_STATES][COLUMNS] = {
    /*                            subscribe       subscribed    unsubscribe  unsubscribed */
    [SUBSCRIPTION_NONE]        = {P(NONE_IN),     q(NONE),      q(NONE),     q(NONE)},
    [SUBSCRIPTION_NONE_OUT]    = {P(NONE_OUT_IN), P(TO),        q(NONE_OUT), P(NONE)},
    [SUBSCRIPTION_NONE_IN]     = {q(NONE_IN),     q(NONE_IN),   P(NONE),     q(NONE_IN)},
    [SUBSCRIPTION_NONE_OUT_IN] = {q(NONE_OUT_IN), P(TO_IN),     P(NONE_OUT), P(NONE_IN)},
    [SUBSCRIPTION_TO]          = {P(TO_IN),       q(TO),        q(TO),       P(NONE)},
    [SUBSCRIPTION_TO_IN]       = {q(TO_IN),       q(TO_IN),     P(TO),       P(NONE_IN)},
    [SUBSCRIPTION_FROM]        = {q(FROM),        q(FROM),      P(NONE),     q(FROM)},
    [SUBSCRIPTION_FROM_OUT]    = {q(FROM_OUT),    P(BOTH),      P(NONE_OUT), P(FROM)},
    [SUBSCRIPTION_BOTH]        = {q(BOTH),        q(BOTH),      P(TO),       P(FROM)},
};
/* clang-format on */

static enum column column_of(enum stanza_type type)
{
    CHECK(subscription_is_type(type));
    return type == PRESENCE_SUBSCRIBE     ? SUBSCRIBE
           : type == PRESENCE_SUBSCRIBED  ? SUBSCRIBED
           : type == PRESENCE_UNSUBSCRIBE ? UNSUBSCRIBE
                                          : UNSUBSCRIBED;
}

struct subscription_step subscription_out(enum subscription_state s, enum stanza_type type)
{
    return outbound[s][column_of(type)];
}

struct subscription_step subscription_in(enum subscription_state s, enum stanza_type type)
{
    return inbound[s][column_of(type)];
}

bool subscription_has_to(enum subscription_state s)
{
    return s == SUBSCRIPTION_TO || s == SUBSCRIPTION_TO_IN || s == SUBSCRIPTION_BOTH;
}

bool subscription_has_from(enum subscription_state s)
{
    return s == SUBSCRIPTION_FROM || s == SUBSCRIPTION_FROM_OUT || s == SUBSCRIPTION_BOTH;
}

bool subscription_is_asked(enum subscription_state s)
{
    return s == SUBSCRIPTION_NONE_OUT || s == SUBSCRIPTION_NONE_OUT_IN ||
           s == SUBSCRIPTION_FROM_OUT;
}

bool subscription_is_pending(enum subscription_state s)
{
    return s == SUBSCRIPTION_NONE_IN || s == SUBSCRIPTION_NONE_OUT_IN || s == SUBSCRIPTION_TO_IN;
}

const char *subscription_name(enum subscription_state s)
{
    bool to = subscription_has_to(s), from = subscription_has_from(s);
    return to && from ? "both" : to ? "to" : from ? "from" : "none";
}

bool subscription_is_type(enum stanza_type type)
{
    return type == PRESENCE_SUBSCRIBE || type == PRESENCE_SUBSCRIBED ||
           type == PRESENCE_UNSUBSCRIBE || type == PRESENCE_UNSUBSCRIBED;
}
