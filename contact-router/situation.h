/* SPDX-License-Identifier: MIT */
/* What the planner is told of one event: the person's devices and rules, what they were told of
 * this peer lately, what is used of the budgets, and what the router can reach now. planner.c
 * decides; here is only read. */
#ifndef CAUSEWAY_CONTACT_ROUTER_SITUATION_H
#define CAUSEWAY_CONTACT_ROUTER_SITUATION_H

#include "contact-router/device_store.h"
#include "contact-router/outbox_query.h"
#include "contact-router/planner.h"
#include "contact-router/rule_store.h"

struct contact_router;
struct contact_router_community;
struct zone_cache;

struct situation {
    struct device_list devices;
    struct planner_device planned[PLANNER_DEVICES_MAX];
    struct rule_list rules;
    unsigned damaged; /* the number of one that cannot be read: then `rules` is empty; 0: none */
    struct planner_rule ruled[RULE_PER_ACCOUNT_MAX];
    struct outbox_told told[PLANNER_DEVICES_MAX];
    struct planner_input in; /* points into the above and into what was asked */
    struct planner_plan plan; /* the caller's, of `in` */
};

/* Inside a transaction; all of it lives as long as the arena. */
struct situation_question {
    const struct contact_router *r;
    struct store_tx *tx;
    struct arena *arena;
    struct zone_cache *zones; /* of the thread that asks */
    const struct reach_event *ev;
    const struct contact_router_community *community; /* the callee's */
    int64_t now_us;
};
/* `s` is zero before. */
MUST_USE bool situation_read(const struct situation_question *q, struct situation *s,
                             struct error *e);

#endif
