/* SPDX-License-Identifier: MIT */
/* Decided here: what the pure step of a delivery (outbox.c) means for the rows around it. */
#include "contact-router/delivery.h"

#include "contact-router/device_store.h"
#include "contact-router/outbox_query.h"
#include "contact-router/router_internal.h"
#include "gateway/base/log.h"

enum { CODE_LIFE_MIN = 15, CALL_LIFE_MIN = 120 };

int64_t delivery_life_us(enum device_kind kind, enum outbox_purpose purpose)
{
    if (purpose == OUTBOX_PURPOSE_CODE)
        return (int64_t)CODE_LIFE_MIN * 60 * 1000000;
    return kind == DEVICE_VOICE ? (int64_t)CALL_LIFE_MIN * 60 * 1000000 : outbox_policy_default.life_us;
}

static struct outbox_policy policy_of(struct contact_router *r, const struct outbox_row *row)
{
    struct outbox_policy p = outbox_policy_default;
    struct router_provider *provider = *row->provider ? contact_router_provider_named(r, row->provider) : NULL;
    const struct profile_send *s =
        provider ? profile_send_of(provider->provider->profile, contact_router_profile_kind(row->kind)) : NULL;
    p.safe_retry = s && s->safe_retry;
    p.life_us = delivery_life_us(row->kind, row->purpose);
    return p;
}

static void add_news(struct delivery_batch *b, const struct outbox_row *row, uint64_t seq, enum reach_progress p)
{
    struct delivery_news *n = arena_new(b->arena, struct delivery_news), **end = &b->news;
    *n = (struct delivery_news){ .account = row->account, .peer = row->peer, .seq = seq, .progress = p,
                                 .device = device_kind_people(row->kind) };
    while (*end)
        end = &(*end)->next;
    *end = n;
}

/* This delivery will not do: the next step of the plan need not wait; or nothing is left. */
static bool fall_through(struct delivery_batch *b, const struct outbox_row *row, uint64_t seq, struct error *e)
{
    struct outbox_hopes hopes;
    if (!outbox_query_hopes(b->tx, row->account, seq, row->step, &hopes, e))
        return false;
    if (!hopes.all)
        add_news(b, row, seq, hopes.in_doubt ? REACH_EXHAUSTED : REACH_FAILED);
    return hopes.in_step || outbox_store_hurry(b->tx, row->account, seq, row->step, e);
}

/* What the effects mean for the messages that the delivery tells of. */
static bool follow(struct delivery_batch *b, const struct outbox_row *row, unsigned effects, struct error *e)
{
    uint64_t *seqs;
    unsigned count;
    if (row->purpose != OUTBOX_PURPOSE_MESSAGE && row->purpose != OUTBOX_PURPOSE_REQUEST)
        return true;
    if (!outbox_query_seqs(b->tx, row->d.ref, b->arena, &seqs, &count, e))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if ((effects & OUTBOX_TELL_SENT) && row->kind != DEVICE_VOICE) /* it rings: nobody is told yet */
            add_news(b, row, seqs[i], REACH_SENT);
        if (effects & OUTBOX_TELL_DELIVERED)
            add_news(b, row, seqs[i], REACH_DELIVERED);
        if (effects & OUTBOX_TELL_READ)
            add_news(b, row, seqs[i], REACH_READ);
        if ((effects & OUTBOX_NEXT_STEP) && !fall_through(b, row, seqs[i], e))
            return false;
    }
    return true;
}

static bool judge_device(struct store_tx *tx, const struct outbox_row *row, unsigned effects, bool blames,
                         struct error *e)
{
    if (!row->n)
        return true;
    if ((effects & OUTBOX_PRAISE_DEVICE) && !device_store_count_failure(tx, row->account, row->n, false, e))
        return false;
    return !(effects & OUTBOX_BLAME_DEVICE) || !blames || device_store_count_failure(tx, row->account, row->n, true, e);
}

static void changed(struct outbox_row *row, enum outbox_state before, const char *reason)
{
    row->reason = reason ? reason : outbox_is_reached(row->d.state) ? "" : row->reason;
    log_debug(NULL, "delivery %s to %s: %s -> %s", row->d.ref, device_kind_word(row->kind), outbox_state_name(before),
              outbox_state_name(row->d.state));
}

bool delivery_step(struct delivery_batch *b, struct outbox_row *row, const struct delivery_word *word, struct error *e)
{
    struct outbox_input in = { word->event, store_now_us(b->tx), word->retry_after_us };
    struct outbox_policy policy = policy_of(b->r, row);
    enum outbox_state before = row->d.state;
    unsigned effects = outbox_step(&row->d, &in, &policy);
    if (before != row->d.state) /* why it is as it is: a word that changes nothing does not change that */
        changed(row, before, word->reason);
    if (!outbox_is_ended(row->d.state)) /* one that was revived */
        row->ended_us = 0;
    else if (!row->ended_us)
        row->ended_us = in.now_us;
    /* In doubt counts as told: the person may answer it. */
    if (!row->told_us && (outbox_is_reached(row->d.state) || row->d.state == OUTBOX_IN_DOUBT))
        row->told_us = in.now_us;
    return outbox_store_update(b->tx, row, e) && judge_device(b->tx, row, effects, word->blames_device, e) &&
           follow(b, row, effects, e);
}

void delivery_tell(struct contact_router *r, const struct delivery_news *news)
{
    for (; news; news = news->next)
        exchange_reach_progress(r->exchange, news->account, news->peer, news->seq, news->progress, news->device);
}
