/* SPDX-License-Identifier: MIT */
/* A device that cannot be reached, or a rule that cannot be read, is no error: the planner is
 * told. */
#include "contact-router/situation.h"

#include "contact-router/router_internal.h"
#include "gateway/xmpp/bare.h"

/* There is somebody to send it, and its address is allowed. */
static bool is_reachable(const struct contact_router *r, const struct contact_router_community *c,
                         const struct device *d)
{
    if (d->kind == DEVICE_EMAIL)
        return c->mail_url && r->mail;
    if (d->kind == DEVICE_VOICE && !r->public_url)
        return false; /* a provider fetches from us what it says */
    return device_kind_usable(d->kind) && contact_router_sender(r, c->domain, d->kind) &&
           contact_router_address_allowed(r, c, d->kind, d->address);
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
    const struct reach_event *ev = q->ev;
    bool groups = false;
    if (!rule_store_list(q->tx, ev->callee, q->arena, &s->rules, e))
        return false;
    s->damaged = rule_list_damaged(&s->rules);
    if (s->damaged)
        s->rules.count = 0;
    for (unsigned i = 0; i < s->rules.count; i++) {
        const struct rule *r = &s->rules.v[i];
        s->ruled[i] = (struct planner_rule){ r, offset_of(q, r->zone) };
        groups = groups || r->sender == RULE_GROUP;
    }
    s->in.rules = s->ruled;
    s->in.rule_count = s->rules.count;
    return !groups || rule_store_groups(q->tx, ev->callee, ev->peer, q->arena, &s->in.groups, e);
}

static bool look_at_device(const struct situation_question *q, const struct device *device,
                           struct planner_device *out, struct outbox_told *told, struct error *e)
{
    struct outbox_about about = { q->ev->callee, q->ev->peer, device->n };
    out->device = device;
    out->reachable = is_reachable(q->r, q->community, device);
    if (device->quiet.set)
        out->quiet_offset_s = offset_of(q, device->quiet.zone);
    if (q->ev->kind != REACH_MESSAGE)
        return true;
    if (!outbox_query_told(q->tx, &about, q->arena, told, e))
        return false;
    out->last_told_us = told->last_told_us;
    out->pending_due_us = told->pending_due_us;
    out->pending_step = (unsigned)told->pending_step;
    return true;
}

static bool look_at_devices(const struct situation_question *q, struct situation *s,
                            struct error *e)
{
    if (!device_store_list(q->tx, q->ev->callee, q->arena, &s->devices, e))
        return false;
    s->in.devices = s->planned;
    for (unsigned i = 0; i < s->devices.count && i < PLANNER_DEVICES_MAX; i++, s->in.device_count++)
        if (!look_at_device(q, &s->devices.v[i], &s->planned[i], &s->told[i], e))
            return false;
    return true;
}

bool situation_read(const struct situation_question *q, struct situation *s, struct error *e)
{
    const struct reach_event *ev = q->ev;
    const struct contact_router_community *c = q->community;
    struct outbox_spender spender = { ev->callee, c->domain, ev->peer, bare_domain(ev->peer) };
    s->in = (struct planner_input){
        .now_us = q->now_us,
        .presence = PLANNER_NONE, /* why the exchange wrote the event */
        .kind = ev->kind,
        .urgency = planner_urgency_parse(ev->urgency),
        .peer = ev->peer,
        .groups = "",
        .sms_per_day = c->sms_per_day,
        .calls_per_day = c->calls_per_day,
        .gather_s = c->gather_seconds,
    };
    return outbox_query_use(q->tx, &spender, &s->in.use, e) && look_at_rules(q, s, e) &&
           look_at_devices(q, s, e);
}
