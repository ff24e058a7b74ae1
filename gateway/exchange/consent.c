/* SPDX-License-Identifier: MIT */
/* Consent, decided: one function an event, each a switch over the states. What the asker may learn
 * is here: a silent decline answers as a request that nobody has answered yet. */
#include "gateway/exchange/consent.h"

#include "gateway/base/check.h"

static const struct {
    const char *name;
    unsigned next;
} states[] = {
#define CONSENT_STATE_ROW(name, word, next) {word, next},
    CONSENT_STATES(CONSENT_STATE_ROW)
#undef CONSENT_STATE_ROW
};

static struct consent_outcome stay(enum consent_state s)
{
    return (struct consent_outcome){.next = s};
}

static struct consent_outcome refuse(enum consent_state s, enum stanza_error error)
{
    return (struct consent_outcome){.next = s, .effects = CONSENT_REFUSE, .error = error};
}

/* What waited goes with the answer; nothing to do when nothing waited. */
static struct consent_outcome let_in(const struct consent_facts *f)
{
    return (struct consent_outcome){.next = CONSENT_ACCEPTED,
                                    .effects = f->held ? CONSENT_DELIVER_HELD : 0};
}

static struct consent_outcome send_back(enum consent_state next, const struct consent_facts *f,
                                        enum stanza_error error)
{
    if (!f->held)
        return stay(next);
    return (struct consent_outcome){.next = next, .effects = CONSENT_BOUNCE_HELD, .error = error};
}

/* `prompt`: the callee hears of a request that opens. */
static struct consent_outcome hold(enum consent_state next, const struct consent_facts *f,
                                   bool prompt)
{
    if (f->held >= f->held_max)
        return refuse(next, STANZA_RESOURCE_CONSTRAINT);
    struct consent_outcome o = {.next = next, .effects = CONSENT_HOLD};
    if (f->held == 0)
        o.effects |= CONSENT_OPEN | CONSENT_TELL_ASKER | (prompt ? CONSENT_PROMPT : 0u);
    return o;
}

static struct consent_outcome on_message(enum consent_state s, const struct consent_facts *f)
{
    switch (s) {
    case CONSENT_NONE:
    case CONSENT_ASKED:
    case CONSENT_EXPIRED:
        return hold(CONSENT_ASKED, f, true);
    case CONSENT_ACCEPTED:
        return (struct consent_outcome){.next = s, .effects = CONSENT_PASS};
    case CONSENT_DECLINED:
        return f->openly ? refuse(s, STANZA_FORBIDDEN) : hold(s, f, false);
    case CONSENT_BLOCKED:
        return refuse(s, STANZA_SERVICE_UNAVAILABLE);
    }
    CHECK(false);
}

static struct consent_outcome on_decline(enum consent_state s, const struct consent_facts *f)
{
    switch (s) {
    case CONSENT_NONE:
    case CONSENT_ACCEPTED:
    case CONSENT_BLOCKED:
        return stay(s);
    case CONSENT_ASKED:
    case CONSENT_DECLINED:
    case CONSENT_EXPIRED:
        return f->openly ? send_back(CONSENT_DECLINED, f, STANZA_FORBIDDEN)
                         : stay(CONSENT_DECLINED);
    }
    CHECK(false);
}

/* By writing or by a subscription. A block is lifted by saying so, not in passing. */
static struct consent_outcome on_contact(enum consent_state s, const struct consent_facts *f)
{
    switch (s) {
    case CONSENT_NONE:
    case CONSENT_ASKED:
    case CONSENT_DECLINED:
    case CONSENT_EXPIRED:
        return let_in(f);
    case CONSENT_ACCEPTED:
    case CONSENT_BLOCKED:
        return stay(s);
    }
    CHECK(false);
}

static struct consent_outcome on_revoke(enum consent_state s, const struct consent_facts *f)
{
    switch (s) {
    case CONSENT_ASKED:
        return stay(s);
    case CONSENT_DECLINED:
        return stay(f->held ? CONSENT_ASKED : CONSENT_NONE);
    case CONSENT_NONE:
    case CONSENT_ACCEPTED:
    case CONSENT_BLOCKED:
    case CONSENT_EXPIRED:
        return stay(CONSENT_NONE);
    }
    CHECK(false);
}

static struct consent_outcome on_expiry(enum consent_state s, const struct consent_facts *f)
{
    switch (s) {
    case CONSENT_ASKED:
        return send_back(CONSENT_EXPIRED, f, STANZA_RECIPIENT_UNAVAILABLE);
    case CONSENT_DECLINED:
        return send_back(s, f, STANZA_RECIPIENT_UNAVAILABLE);
    case CONSENT_NONE:
    case CONSENT_ACCEPTED:
    case CONSENT_BLOCKED:
    case CONSENT_EXPIRED:
        return stay(s);
    }
    CHECK(false);
}

static struct consent_outcome decide(enum consent_state s, enum consent_event event,
                                     const struct consent_facts *f)
{
    switch (event) {
    case CONSENT_MESSAGE_EVENT:
        return on_message(s, f);
    case CONSENT_ACCEPT_EVENT:
        return let_in(f);
    case CONSENT_DECLINE_EVENT:
        return on_decline(s, f);
    case CONSENT_BLOCK_EVENT:
        return send_back(CONSENT_BLOCKED, f, STANZA_SERVICE_UNAVAILABLE);
    case CONSENT_WROTE_EVENT:
    case CONSENT_SUBSCRIPTION_EVENT:
        return on_contact(s, f);
    case CONSENT_REVOKE_EVENT:
        return on_revoke(s, f);
    case CONSENT_EXPIRY_EVENT:
        return on_expiry(s, f);
    }
    CHECK(false);
}

struct consent_outcome consent_step(enum consent_state state, enum consent_event event,
                                    const struct consent_facts *f)
{
    CHECK(f->held_max > 0);
    struct consent_outcome o = decide(state, event, f);
    CHECK(o.next == state || (states[state].next & (1u << o.next)));
    return o;
}

const char *consent_state_name(enum consent_state s)
{
    return states[s].name;
}

bool consent_state_known(long long number)
{
    return number >= 0 && number < (long long)(sizeof states / sizeof *states);
}
