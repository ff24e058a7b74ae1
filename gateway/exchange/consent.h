/* SPDX-License-Identifier: MIT */
/* PURE: who has let whom in. One machine for each pair of callee and peer; the store keeps it, so
 * that it outlives archive, session and process until it is revoked.
 *
 * A request is open from the first message that is held until it is answered or its time is over.
 * To the asker a silent decline is the same as no answer: messages are held, and come back when the
 * time is over; so DECLINED may have an open request too, which the callee hears nothing of. */
#ifndef CAUSEWAY_EXCHANGE_CONSENT_H
#define CAUSEWAY_EXCHANGE_CONSENT_H

#include <stdbool.h>

#include "gateway/xmpp/stanza_error.h"

#define CONSENT_TO(state) (1u << CONSENT_##state)
/* Numbers are in the store: add at the end.
 *    name, in words, may be followed by */
#define CONSENT_STATES(S)                                                                          \
    S(NONE, "none", CONSENT_TO(ASKED) | CONSENT_TO(ACCEPTED) | CONSENT_TO(BLOCKED))                \
    /* a request waits for the callee */                                                           \
    S(ASKED, "asked",                                                                              \
      CONSENT_TO(ACCEPTED) | CONSENT_TO(DECLINED) | CONSENT_TO(BLOCKED) | CONSENT_TO(EXPIRED))     \
    /* no stranger any more: messages go through */                                                \
    S(ACCEPTED, "accepted", CONSENT_TO(NONE) | CONSENT_TO(BLOCKED))                                \
    /* the callee does not want to be asked; told only if declined openly */                       \
    S(DECLINED, "declined",                                                                        \
      CONSENT_TO(NONE) | CONSENT_TO(ASKED) | CONSENT_TO(ACCEPTED) | CONSENT_TO(BLOCKED))           \
    /* XEP-0191 */                                                                                 \
    S(BLOCKED, "blocked", CONSENT_TO(NONE) | CONSENT_TO(ACCEPTED))                                 \
    /* the last request was not answered in time; the next message asks again */                   \
    S(EXPIRED, "expired",                                                                          \
      CONSENT_TO(NONE) | CONSENT_TO(ASKED) | CONSENT_TO(ACCEPTED) | CONSENT_TO(DECLINED) |         \
          CONSENT_TO(BLOCKED))

enum consent_state {
#define CONSENT_STATE_ENUM(name, word, next) CONSENT_##name,
    CONSENT_STATES(CONSENT_STATE_ENUM)
#undef CONSENT_STATE_ENUM
};

#define CONSENT_EVENTS(E)                                                                          \
    E(MESSAGE) /* one that makes a request, from somebody who is a stranger but for this row */    \
    E(ACCEPT)  /* the callee answers a request ... */                                              \
    E(DECLINE)                                                                                     \
    E(BLOCK)                                                                                       \
    E(WROTE)        /* the callee sent a message to the peer */                                    \
    E(SUBSCRIPTION) /* the callee approved or asked for a subscription, or the roster knows the    \
                       peer */                                                                     \
    E(REVOKE)       /* the callee takes back what was decided */                                   \
    E(EXPIRY)       /* the time of the open request is over */

enum consent_event {
#define CONSENT_EVENT_ENUM(name) CONSENT_##name##_EVENT,
    CONSENT_EVENTS(CONSENT_EVENT_ENUM)
#undef CONSENT_EVENT_ENUM
};

/* What the outcome depends on beside state and event. */
struct consent_facts {
    unsigned held;     /* messages that wait in the open request; 0: none is open */
    unsigned held_max; /* policy; > 0 */
    bool openly;       /* DECLINE: this one is open; in DECLINED: it was */
};

enum consent_effect {
    CONSENT_PASS = 1,          /* this message: goes on as from somebody known */
    CONSENT_HOLD = 2,          /* this message: held */
    CONSENT_REFUSE = 4,        /* this message: back, with `error` */
    CONSENT_OPEN = 8,          /* a request opens with it: its time starts */
    CONSENT_TELL_ASKER = 16,   /* "your message waits" */
    CONSENT_PROMPT = 32,       /* the callee is asked */
    CONSENT_DELIVER_HELD = 64, /* what waits goes through, in order; nothing waits any more */
    CONSENT_BOUNCE_HELD = 128, /* each that waits goes back, with `error`; nothing waits any more */
};

struct consent_outcome {
    enum consent_state next;
    unsigned effects; /* enum consent_effect, ored */
    enum stanza_error error;
};

struct consent_outcome consent_step(enum consent_state state, enum consent_event event,
                                    const struct consent_facts *f);
const char *consent_state_name(enum consent_state s); /* "asked" */
/* From the store; false: not a state. */
bool consent_state_known(long long number);

#endif
