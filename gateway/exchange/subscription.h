/* SPDX-License-Identifier: MIT */
/* PURE: the subscription states of RFC 6121 appendix A, as data. One state for a person and a
 * contact; four stanzas, each going out from the person or coming in from the contact. */
#ifndef CAUSEWAY_EXCHANGE_SUBSCRIPTION_H
#define CAUSEWAY_EXCHANGE_SUBSCRIPTION_H

#include <stdbool.h>

#include "gateway/xmpp/stanza.h"

/* In the store as numbers: append only. */
enum subscription_state {
    SUBSCRIPTION_NONE,
    SUBSCRIPTION_NONE_OUT,    /* we asked */
    SUBSCRIPTION_NONE_IN,     /* the contact asked */
    SUBSCRIPTION_NONE_OUT_IN, /* both asked */
    SUBSCRIPTION_TO,          /* we see the contact */
    SUBSCRIPTION_TO_IN,
    SUBSCRIPTION_FROM,        /* the contact sees us */
    SUBSCRIPTION_FROM_OUT,
    SUBSCRIPTION_BOTH,
};
enum { SUBSCRIPTION_STATES = SUBSCRIPTION_BOTH + 1 };

/* What becomes of a subscription stanza. */
struct subscription_step {
    bool pass;                     /* out: route it; in: deliver it */
    enum subscription_state next;
};

/* `type` is one of PRESENCE_SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, UNSUBSCRIBED. */
struct subscription_step subscription_out(enum subscription_state s, enum stanza_type type);
struct subscription_step subscription_in(enum subscription_state s, enum stanza_type type);

bool subscription_has_to(enum subscription_state s);
bool subscription_has_from(enum subscription_state s);
bool subscription_is_asked(enum subscription_state s);   /* pending out: ask='subscribe' */
bool subscription_is_pending(enum subscription_state s); /* pending in */
const char *subscription_name(enum subscription_state s); /* "none", "to", "from", "both" */
bool subscription_is_type(enum stanza_type type);

#endif
