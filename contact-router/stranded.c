/* SPDX-License-Identifier: MIT */
/* An admin who has made a mistake in a file mends it and starts again: until then nothing should be lost, nor sent
 * twice. So what was tried once stays with the provider that may have it, even if it has said no. */
#include "contact-router/stranded.h"

#include "contact-router/outbox_query.h"
#include "contact-router/router_internal.h"

static const struct provider *other_provider(struct delivery_batch *b, const struct outbox_row *row)
{
    const struct contact_router_community *c = contact_router_community(b->r, row->community);
    bool untried = row->d.state == OUTBOX_PLANNED && !row->d.attempts;
    if (!c || !untried || !contact_router_address_allowed(b->r, c, row->kind, row->address))
        return NULL;
    return contact_router_sender(b->r, row->community, row->kind);
}

static bool give_up(struct delivery_batch *b, struct outbox_row *row, const char *why, struct error *e)
{
    return delivery_step(b, row, &(struct delivery_word){ .event = OUTBOX_HOPELESS, .reason = why }, e);
}

static bool settle(struct delivery_batch *b, struct outbox_row *row, struct stranded *out, struct error *e)
{
    const struct provider *other = other_provider(b, row);
    if (other) {
        out->handed_over++;
        return outbox_store_hand_over(b->tx, row->d.ref, other->name, e);
    }
    if (contact_router_is_off(b->r, row->provider)) {
        out->waiting++;
        return true;
    }
    out->given_up++;
    return give_up(b, row, "its provider is gone from the configuration", e);
}

bool stranded_settle(struct delivery_batch *b, struct stranded *out, struct error *e)
{
    struct outbox_rows rows;
    *out = (struct stranded){ 0 };
    bool ok = outbox_query_not_of(b->tx, b->r->names_on, b->arena, &rows, e);
    for (unsigned i = 0; ok && i < rows.count; i++)
        ok = settle(b, &rows.v[i], out, e);
    return ok;
}

bool stranded_give_up(struct delivery_batch *b, struct error *e)
{
    enum { AT_ONCE = 64 };
    int64_t now_us = store_now_us(b->tx);
    struct outbox_rows rows;
    struct outbox_too_late late = {
        .providers = b->r->names_off, .limit = AT_ONCE,
        .codes_us = now_us - delivery_life_us(DEVICE_SMS, OUTBOX_PURPOSE_CODE),
        .calls_us = now_us - delivery_life_us(DEVICE_VOICE, OUTBOX_PURPOSE_MESSAGE),
        .others_us = now_us - delivery_life_us(DEVICE_SMS, OUTBOX_PURPOSE_MESSAGE),
    };
    if (!b->r->off_count)
        return true;
    bool ok = outbox_query_too_late(b->tx, &late, b->arena, &rows, e);
    for (unsigned i = 0; ok && i < rows.count; i++)
        ok = give_up(b, &rows.v[i], "its provider stayed off until it was too late", e);
    return ok;
}
