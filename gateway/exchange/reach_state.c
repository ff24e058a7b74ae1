/* SPDX-License-Identifier: MIT */
/* Reach, as one table: a row a state, a column an event. The asker is told once an absence, when
 * the first device is: each further message of the same absence only reaches the device. */
#include "gateway/exchange/reach_state.h"

#include "gateway/base/check.h"

static const struct {
    const char *name;
    unsigned next;
} states[] = {
#define REACH_STATE_ROW(name, word, next) {word, next},
    REACH_STATES(REACH_STATE_ROW)
#undef REACH_STATE_ROW
};

enum {
    COUNT = sizeof states / sizeof *states,
    EVENTS = REACH_STATE_ON_EXHAUSTED + 1,
    PUT = REACH_STATE_PUT_EVENT,
    STOP = REACH_STATE_STOP,
    TELL = REACH_STATE_TELL_ASKER,
    RECEIPT = REACH_STATE_RECEIPT,
};

#define LINKED    REACH_STATE_LINKED
#define WAKING    REACH_STATE_WAKING
#define ROUTED    REACH_STATE_ROUTED
#define ANSWERED  REACH_STATE_ANSWERED
#define EXHAUSTED REACH_STATE_EXHAUSTED

/* A report that comes after the log-on changes no state: a device that confirms late still confirms. */
/* clang-format off */
static const struct reach_state_outcome table[COUNT][EVENTS] = {
    [LINKED] = {
        [REACH_STATE_ON_MESSAGE]   = {WAKING, PUT},
        [REACH_STATE_ON_LINK]      = {LINKED, 0},
        [REACH_STATE_ON_SENT]      = {LINKED, 0},
        [REACH_STATE_ON_CONFIRMED] = {LINKED, RECEIPT},
        [REACH_STATE_ON_ANSWER]    = {LINKED, 0},
        [REACH_STATE_ON_EXHAUSTED] = {LINKED, 0},
    },
    [WAKING] = {
        [REACH_STATE_ON_MESSAGE]   = {WAKING, PUT},
        [REACH_STATE_ON_LINK]      = {LINKED, STOP},
        [REACH_STATE_ON_SENT]      = {ROUTED, TELL},
        [REACH_STATE_ON_CONFIRMED] = {ROUTED, TELL | RECEIPT},
        [REACH_STATE_ON_ANSWER]    = {ANSWERED, STOP},
        [REACH_STATE_ON_EXHAUSTED] = {EXHAUSTED, 0},
    },
    [ROUTED] = {
        [REACH_STATE_ON_MESSAGE]   = {ROUTED, PUT},
        [REACH_STATE_ON_LINK]      = {LINKED, STOP},
        [REACH_STATE_ON_SENT]      = {ROUTED, 0},
        [REACH_STATE_ON_CONFIRMED] = {ROUTED, RECEIPT},
        [REACH_STATE_ON_ANSWER]    = {ANSWERED, STOP},
        [REACH_STATE_ON_EXHAUSTED] = {EXHAUSTED, 0},
    },
    [ANSWERED] = {
        [REACH_STATE_ON_MESSAGE]   = {ANSWERED, PUT},
        [REACH_STATE_ON_LINK]      = {LINKED, STOP},
        [REACH_STATE_ON_SENT]      = {ANSWERED, 0},
        [REACH_STATE_ON_CONFIRMED] = {ANSWERED, RECEIPT},
        [REACH_STATE_ON_ANSWER]    = {ANSWERED, STOP},
        [REACH_STATE_ON_EXHAUSTED] = {EXHAUSTED, 0},
    },
    [EXHAUSTED] = {
        [REACH_STATE_ON_MESSAGE]   = {WAKING, PUT},
        [REACH_STATE_ON_LINK]      = {LINKED, STOP},
        [REACH_STATE_ON_SENT]      = {ROUTED, TELL},
        [REACH_STATE_ON_CONFIRMED] = {ROUTED, TELL | RECEIPT},
        [REACH_STATE_ON_ANSWER]    = {ANSWERED, STOP},
        [REACH_STATE_ON_EXHAUSTED] = {EXHAUSTED, 0},
    },
};
/* clang-format on */

struct reach_state_outcome reach_state_step(enum reach_state state, enum reach_state_event event)
{
    struct reach_state_outcome o = table[state][event];
    CHECK(o.next == state || (states[state].next & (1u << o.next)));
    return o;
}

const char *reach_state_name(enum reach_state s)
{
    return states[s].name;
}

bool reach_state_known(long long number)
{
    return number >= 0 && number < COUNT;
}
