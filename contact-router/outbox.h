/* SPDX-License-Identifier: MIT */
/* The life of a delivery, as a pure step: (delivery, event, policy) gives (delivery, effects). The store
 * saves, the caller performs (outbox_store.h, worker.c). A delivery is written before it is tried. */
#ifndef CAUSEWAY_CONTACT_ROUTER_OUTBOX_H
#define CAUSEWAY_CONTACT_ROUTER_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/check.h"

#define TO(name) (1u << OUTBOX_##name)
#define OUTBOX_STATES(S) /* name      may be followed by                                                      */ \
    S(PLANNED,   "planned",   TO(DUE) | TO(SENDING) | TO(CANCELLED) | TO(DEAD)) /* waits for its time         */ \
    S(DUE,       "due",       TO(SENDING) | TO(CANCELLED) | TO(DEAD) | TO(SENT) | TO(DELIVERED) |                \
                              TO(READ)) /* tried and refused for now; a receipt can say that it was not       */ \
    S(SENDING,   "sending",   TO(DUE) | TO(SENT) | TO(DELIVERED) | TO(READ) | TO(FAILED) | TO(IN_DOUBT) |        \
                              TO(DEAD)) /* written before the try: it may have gone out                       */ \
    S(SENT,      "sent",      TO(DELIVERED) | TO(READ) | TO(FAILED)) /* a provider or mail server has it      */ \
    S(DELIVERED, "delivered", TO(READ)) /* the device confirmed                                               */ \
    S(READ,      "read",      0)        /* the end of all wishes                                              */ \
    S(FAILED,    "failed",    TO(PLANNED)) /* refused for good, but for an admin's wish                       */ \
    S(IN_DOUBT,  "in doubt",  TO(SENT) | TO(DELIVERED) | TO(READ) | TO(FAILED) |                                \
                              TO(PLANNED)) /* nobody knows; not repeated, but for an admin's wish             */ \
    S(CANCELLED, "cancelled", 0)        /* not needed any more; never sent                                    */ \
    S(DEAD,      "dead",      TO(PLANNED)) /* given up: tried too often or too long; the admin's list         */

enum outbox_state {
#define S(name, word, next) OUTBOX_##name,
    OUTBOX_STATES(S)
#undef S
    OUTBOX_STATE_COUNT
};

enum outbox_event {
    OUTBOX_TRY,           /* its time has come and a sender is free */
    OUTBOX_ACCEPTED,      /* the sender's answers: taken over */
    OUTBOX_REFUSED_NOW,   /* perhaps later */
    OUTBOX_REFUSED,       /* for good */
    OUTBOX_UNCLEAR,       /* it may have gone out; no answer */
    OUTBOX_RESTARTED,     /* the process died; this was read from the store */
    OUTBOX_STOPPED,       /* the person logged on, read or answered */
    OUTBOX_REVIVED,       /* an admin wants another try of what came to nothing, or is in doubt */
    OUTBOX_HOPELESS,      /* nobody is there who could send it, and it waited long enough */
    OUTBOX_SAID_SENT,     /* what comes back: on its way */
    OUTBOX_SAID_DELIVERED,
    OUTBOX_SAID_READ,
    OUTBOX_SAID_FAILED,
    OUTBOX_EVENT_COUNT
};

enum outbox_effect { /* ored */
    OUTBOX_SEND = 1,
    OUTBOX_TELL_SENT = 2,
    OUTBOX_TELL_DELIVERED = 4,
    OUTBOX_TELL_READ = 8,
    OUTBOX_NEXT_STEP = 16,   /* this one will not do: what would follow need not wait */
    OUTBOX_BLAME_DEVICE = 32, /* the address refuses */
    OUTBOX_PRAISE_DEVICE = 64, /* it works: earlier refusals are forgotten */
};

struct outbox_policy {
    bool safe_retry;        /* the provider deduplicates: an unclear one may be repeated */
    unsigned attempts_max;
    int64_t life_us;        /* given up this long after it was made */
    int64_t base_us, cap_us; /* backoff: doubles from base to cap, then jitter of a quarter */
};
extern const struct outbox_policy outbox_policy_default; /* safe_retry false */

struct outbox_delivery {
    enum outbox_state state;
    unsigned attempts;
    int64_t due_us, created_us;
    const char *ref; /* [A-Za-z0-9_-]{22}: our idempotency key; also the seed of the jitter */
};

struct outbox_input {
    enum outbox_event event;
    int64_t now_us;
    int64_t retry_after_us; /* 0: not said */
};

/* Changes *d and returns effects. An event that means nothing in a state changes nothing. */
unsigned outbox_step(struct outbox_delivery *d, const struct outbox_input *in, const struct outbox_policy *p);
const char *outbox_state_name(enum outbox_state s);
bool outbox_state_parse(const char *word, enum outbox_state *out);
bool outbox_is_ended(enum outbox_state s);   /* nothing more will be sent for it */
bool outbox_is_reached(enum outbox_state s); /* sent, delivered or read */

#endif
