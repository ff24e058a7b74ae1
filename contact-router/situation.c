/* SPDX-License-Identifier: MIT */
/* See situation.h. */
#include "contact-router/situation.h"

#include "contact-router/router_internal.h"
#include "gateway/xmpp/bare.h"

static bool is_reachable(const struct contact_router *r, const struct contact_router_community *c, const struct device *d)
{
    if (d->kind == DEVICE_SMS)
        return contact_router_sender(r, c->domain, DEVICE_SMS) && contact_router_address_allowed(r, c, DEVICE_SMS, d->address);
    if (d->kind == DEVICE_VOICE) /* a provider fetches from us what it says */
        return contact_router_sender(r, c->domain, DEVICE_VOICE) && contact_router_address_allowed(r, c, DEVICE_VOICE, d->address) &&
               r->public_url;
    if (d->kind == DEVICE_PAGER)
        return contact_router_sender(r, c->domain, DEVICE_PAGER) && contact_router_address_allowed(r, c, DEVICE_PAGER, d->address);
    return d->kind == DEVICE_EMAIL && c->mail_url && r->mail;
}

static int offset_of(const struct situation_question *q, const char *zone)
{
    int offset_s = 0;
    if (*zone)
        zone_cache_offset(q->zones, zone, q->now_us / 1000000, &offset_s);
    return offset_s;
}

static bool look_at_rules(const struct situation_question *q, struct situation *s, struct error *e)
{
    bool groups = false;
    if (!rule_store_list(q->tx, q->ev->callee, q->arena, &s->rules, e))
        return false;
    s->damaged = rule_list_damaged(&s->rules);
    if (s->damaged)
        s->rules.count = 0;
    for (unsigned i = 0; i < s->rules.count; i++) {
        s->ruled[i] = (struct planner_rule){ &s->rules.v[i], offset_of(q, s->rules.v[i].zone) };
        groups = groups || s->rules.v[i].sender == RULE_GROUP;
    }
    s->in.peer = q->ev->peer;
    s->in.groups = "";
    s->in.rules = s->ruled;
    s->in.rule_count = s->rules.count;
    return !groups || rule_store_groups(q->tx, q->ev->callee, q->ev->peer, q->arena, &s->in.groups, e);
}

bool situation_read(const struct situation_question *q, struct situation *s, struct error *e)
{
    const struct reach_event *ev = q->ev;
    const struct contact_router_community *c = q->community;
    struct outbox_spender spender = { ev->callee, c->domain, ev->peer, bare_domain(ev->peer) };
    if (!device_store_list(q->tx, ev->callee, q->arena, &s->devices, e) || !outbox_query_use(q->tx, &spender, &s->in.use, e))
        return false;
    s->in.now_us = q->now_us;
    s->in.presence = PLANNER_NONE; /* why the exchange wrote the event */
    s->in.kind = ev->kind;
    s->in.urgency = planner_urgency_parse(ev->urgency);
    s->in.devices = s->planned;
    s->in.sms_per_day = c->sms_per_day;
    s->in.calls_per_day = c->calls_per_day;
    s->in.gather_s = c->gather_seconds;
    if (!look_at_rules(q, s, e))
        return false;
    for (unsigned i = 0; i < s->devices.count && i < PLANNER_DEVICES_MAX; i++) {
        struct planner_device *d = &s->planned[s->in.device_count++];
        d->device = &s->devices.v[i];
        d->reachable = is_reachable(q->r, c, d->device);
        if (d->device->quiet.set)
            d->quiet_offset_s = offset_of(q, d->device->quiet.zone);
        if (ev->kind != REACH_MESSAGE)
            continue;
        struct outbox_about about = { ev->callee, ev->peer, d->device->n };
        if (!outbox_query_told(q->tx, &about, q->arena, &s->told[i], e))
            return false;
        d->last_told_us = s->told[i].last_told_us;
        d->pending_due_us = s->told[i].pending_due_us;
        d->pending_step = (unsigned)s->told[i].pending_step;
    }
    return true;
}
