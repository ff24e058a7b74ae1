/* SPDX-License-Identifier: MIT */
/* One function a state, each answering the events that mean something there. set() is the only writer
 * of the state and asserts the table. */
#include "contact-router/outbox.h"

#include "gateway/base/hash.h"
#include "gateway/base/text.h"

#define SECOND ((int64_t)1000000)

const struct outbox_policy outbox_policy_default = {
    .safe_retry = false,
    .attempts_max = 12,
    .life_us = 24 * 3600 * SECOND,
    .base_us = 15 * SECOND,
    .cap_us = 3600 * SECOND,
};

static const struct { const char *word; unsigned next; } states[] = {
#define S(name, word, next) { word, next },
    OUTBOX_STATES(S)
#undef S
};

const char *outbox_state_name(enum outbox_state s)
{
    return s < OUTBOX_STATE_COUNT ? states[s].word : "?";
}

bool outbox_state_parse(const char *word, enum outbox_state *out)
{
    for (unsigned i = 0; i < OUTBOX_STATE_COUNT; i++)
        if (text_eq(states[i].word, word)) {
            *out = (enum outbox_state)i;
            return true;
        }
    return false;
}

bool outbox_is_ended(enum outbox_state s)
{
    return s != OUTBOX_PLANNED && s != OUTBOX_DUE && s != OUTBOX_SENDING;
}

bool outbox_is_reached(enum outbox_state s)
{
    return s == OUTBOX_SENT || s == OUTBOX_DELIVERED || s == OUTBOX_READ;
}

static void set(struct outbox_delivery *d, enum outbox_state to)
{
    CHECK(states[d->state].next & 1u << to);
    d->state = to;
}

/* Doubles from base to cap; the jitter is made of ref and attempt, so that the step stays pure. */
static int64_t backoff(const struct outbox_delivery *d, const struct outbox_policy *p)
{
    int64_t wait = p->base_us;
    for (unsigned i = 1; i < d->attempts && wait < p->cap_us; i++)
        wait *= 2;
    if (wait > p->cap_us)
        wait = p->cap_us;
    uint64_t h = hash_stable(d->ref) ^ (uint64_t)d->attempts * 0x9e3779b97f4a7c15u;
    int64_t quarter = wait / 4;
    return wait - quarter + (int64_t)((h >> 11) % (uint64_t)(2 * quarter + 1));
}

static unsigned again(struct outbox_delivery *d, const struct outbox_input *in, const struct outbox_policy *p)
{
    int64_t wait = backoff(d, p);
    if (in->retry_after_us > wait)
        wait = in->retry_after_us;
    if (d->attempts >= p->attempts_max || in->now_us + wait - d->created_us > p->life_us) {
        set(d, OUTBOX_DEAD);
        return OUTBOX_NEXT_STEP;
    }
    set(d, OUTBOX_DUE);
    d->due_us = in->now_us + wait;
    return 0;
}

static unsigned unclear(struct outbox_delivery *d, const struct outbox_input *in, const struct outbox_policy *p)
{
    if (p->safe_retry)
        return again(d, in, p);
    set(d, OUTBOX_IN_DOUBT);
    return OUTBOX_NEXT_STEP;
}

static unsigned said(struct outbox_delivery *d, enum outbox_event event)
{
    switch (event) {
    case OUTBOX_SAID_SENT:
        if (d->state != OUTBOX_IN_DOUBT && d->state != OUTBOX_DUE)
            return 0;
        set(d, OUTBOX_SENT);
        return OUTBOX_TELL_SENT;
    case OUTBOX_SAID_DELIVERED:
        set(d, OUTBOX_DELIVERED);
        return OUTBOX_TELL_DELIVERED | OUTBOX_PRAISE_DEVICE;
    case OUTBOX_SAID_READ:
        set(d, OUTBOX_READ);
        return OUTBOX_TELL_READ | OUTBOX_PRAISE_DEVICE;
    case OUTBOX_SAID_FAILED:
        set(d, OUTBOX_FAILED);
        return OUTBOX_NEXT_STEP;
    case OUTBOX_TRY: case OUTBOX_ACCEPTED: case OUTBOX_REFUSED_NOW: case OUTBOX_REFUSED: case OUTBOX_UNCLEAR:
    case OUTBOX_RESTARTED: case OUTBOX_STOPPED: case OUTBOX_REVIVED: case OUTBOX_HOPELESS:
    case OUTBOX_EVENT_COUNT:
        break;
    }
    return 0;
}

static unsigned waiting(struct outbox_delivery *d, const struct outbox_input *in, const struct outbox_policy *p)
{
    if (in->event == OUTBOX_STOPPED) {
        set(d, OUTBOX_CANCELLED);
        return 0;
    }
    if (in->event == OUTBOX_HOPELESS) {
        set(d, OUTBOX_DEAD);
        return OUTBOX_NEXT_STEP;
    }
    bool receipt = in->event == OUTBOX_SAID_SENT || in->event == OUTBOX_SAID_DELIVERED || in->event == OUTBOX_SAID_READ;
    if (receipt && d->state == OUTBOX_DUE) /* refused, they said, but it went out after all: not once more */
        return said(d, in->event);
    if (in->event != OUTBOX_TRY || in->now_us < d->due_us)
        return 0;
    /* One that waited for quiet hours was due only then: its life is counted from there. */
    int64_t from = d->state == OUTBOX_PLANNED ? d->due_us : d->created_us;
    if (in->now_us - from > p->life_us) {
        set(d, OUTBOX_DEAD);
        return OUTBOX_NEXT_STEP;
    }
    set(d, OUTBOX_SENDING);
    d->attempts++;
    return OUTBOX_SEND;
}

static unsigned sending(struct outbox_delivery *d, const struct outbox_input *in, const struct outbox_policy *p)
{
    switch (in->event) {
    case OUTBOX_ACCEPTED:
        set(d, OUTBOX_SENT);
        return OUTBOX_TELL_SENT | OUTBOX_PRAISE_DEVICE;
    case OUTBOX_REFUSED_NOW:
        return again(d, in, p);
    case OUTBOX_REFUSED:
        set(d, OUTBOX_FAILED);
        return OUTBOX_NEXT_STEP | OUTBOX_BLAME_DEVICE;
    case OUTBOX_UNCLEAR:
    case OUTBOX_RESTARTED:
        return unclear(d, in, p);
    case OUTBOX_SAID_SENT: case OUTBOX_SAID_DELIVERED: case OUTBOX_SAID_READ: case OUTBOX_SAID_FAILED:
        return said(d, in->event); /* the webhook overtook the answer */
    case OUTBOX_TRY: case OUTBOX_STOPPED: case OUTBOX_REVIVED: case OUTBOX_HOPELESS:
    case OUTBOX_EVENT_COUNT:
        break;
    }
    return 0;
}

/* Its life begins again. */
static unsigned revived(struct outbox_delivery *d, const struct outbox_input *in)
{
    set(d, OUTBOX_PLANNED);
    d->attempts = 0;
    d->due_us = d->created_us = in->now_us;
    return 0;
}

unsigned outbox_step(struct outbox_delivery *d, const struct outbox_input *in, const struct outbox_policy *p)
{
    switch (d->state) {
    case OUTBOX_PLANNED:
    case OUTBOX_DUE:
        return waiting(d, in, p);
    case OUTBOX_SENDING:
        return sending(d, in, p);
    case OUTBOX_IN_DOUBT:
        return in->event == OUTBOX_REVIVED ? revived(d, in) : said(d, in->event);
    case OUTBOX_SENT:
        return said(d, in->event);
    case OUTBOX_DELIVERED:
        return in->event == OUTBOX_SAID_READ ? said(d, in->event) : 0;
    case OUTBOX_FAILED:
    case OUTBOX_DEAD:
        return in->event == OUTBOX_REVIVED ? revived(d, in) : 0;
    case OUTBOX_READ:
    case OUTBOX_CANCELLED:
    case OUTBOX_STATE_COUNT:
        break;
    }
    return 0;
}
