/* SPDX-License-Identifier: MIT */
/* PURE: how far reaching a person has got in one conversation. It says when an event for
 * contact-router is due, when what was planned need not be done any more, and when the one who
 * wrote may be told (whether they are, depends on what they may see: session_reach.c). */
#ifndef CAUSEWAY_EXCHANGE_REACH_STATE_H
#define CAUSEWAY_EXCHANGE_REACH_STATE_H

#include <stdbool.h>

#define REACH_TO(state) (1u << REACH_STATE_##state)
/* Numbers are in the store: add at the end.
 *    name, in words, may be followed by */
#define REACH_STATES(S)                                                                            \
    /* the person has a link, or there is nothing to be reached for */                             \
    S(LINKED, "linked", REACH_TO(WAKING))                                                          \
    /* contact-router knows; no device has taken it yet */                                         \
    S(WAKING, "waking",                                                                            \
      REACH_TO(LINKED) | REACH_TO(ROUTED) | REACH_TO(ANSWERED) | REACH_TO(EXHAUSTED))              \
    /* a device was told */                                                                        \
    S(ROUTED, "routed", REACH_TO(LINKED) | REACH_TO(ANSWERED) | REACH_TO(EXHAUSTED))               \
    /* the person speaks by a device */                                                            \
    S(ANSWERED, "answered", REACH_TO(LINKED) | REACH_TO(EXHAUSTED))                                \
    /* every step was tried, none held; what was kept waits for a log-on */                        \
    S(EXHAUSTED, "exhausted",                                                                      \
      REACH_TO(LINKED) | REACH_TO(WAKING) | REACH_TO(ROUTED) | REACH_TO(ANSWERED))

enum reach_state {
#define REACH_STATE_ENUM(name, word, next) REACH_STATE_##name,
    REACH_STATES(REACH_STATE_ENUM)
#undef REACH_STATE_ENUM
};

#define REACH_STATE_EVENTS(E)                                                                      \
    E(MESSAGE)   /* one was kept that may go to devices, and there is no link */                   \
    E(LINK)      /* the person logged on, or spoke from a link */                                  \
    E(SENT)      /* a device was told */                                                           \
    E(CONFIRMED) /* a device confirmed, or the person read it there */                             \
    E(ANSWER)    /* the person answered by a device */                                             \
    E(EXHAUSTED) /* contact-router has nothing left to try */

enum reach_state_event {
#define REACH_STATE_EVENT_ENUM(name) REACH_STATE_ON_##name,
    REACH_STATE_EVENTS(REACH_STATE_EVENT_ENUM)
#undef REACH_STATE_EVENT_ENUM
};

enum reach_state_effect {
    REACH_STATE_PUT_EVENT =
        1,                /* a row for contact-router with the message, a wake after its commit */
    REACH_STATE_STOP = 2, /* contact-router need not go on */
    REACH_STATE_TELL_ASKER = 4, /* "told by text message" */
    REACH_STATE_RECEIPT = 8,    /* XEP-0184, when one was asked for */
};

struct reach_state_outcome {
    enum reach_state next;
    unsigned effects; /* enum reach_state_effect, ored */
};

struct reach_state_outcome reach_state_step(enum reach_state state, enum reach_state_event event);
const char *reach_state_name(enum reach_state s); /* "waking" */
bool reach_state_known(long long number);         /* from the store; false: not a state */

#endif
