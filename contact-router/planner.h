/* SPDX-License-Identifier: MIT */
/* The planner: in goes what is known, out comes what will be done, in order, with a reason for each
 * device that is left out. The first of the person's rules that fits decides by which devices and when; where none
 * fits, the default does. What a device, its quiet hours and the budgets forbid, no rule allows. Pure and quick
 * (microseconds), so that a table of cases tests it and a person can be told in words what would happen. */
#ifndef CAUSEWAY_CONTACT_ROUTER_PLANNER_H
#define CAUSEWAY_CONTACT_ROUTER_PLANNER_H

#include "contact-router/budget.h"
#include "contact-router/device.h"
#include "contact-router/rule.h"
#include "gateway/base/bytes.h"
#include "gateway/exchange/reach.h"

enum planner_presence { PLANNER_NONE, PLANNER_HIBERNATING, PLANNER_INACTIVE, PLANNER_ACTIVE };
enum planner_urgency { PLANNER_LOW, PLANNER_MEDIUM, PLANNER_HIGH, PLANNER_EMERGENCY };

enum { PLANNER_DEVICES_MAX = DEVICE_PER_ACCOUNT_MAX, PLANNER_GATHER_S = 60, /* unless configured */
       PLANNER_CALL_S = 300 };

struct planner_device {
    const struct device *device;
    int quiet_offset_s;    /* of its quiet zone, now */
    bool reachable;        /* there is a provider or mail server for it, and the number may be written to */
    int64_t last_told_us;  /* when this conversation was last sent to it; 0: never */
    int64_t pending_due_us; /* a message of this conversation waits for it until then; 0: none does */
    unsigned pending_step;  /* and belongs to that step */
};

struct planner_rule {
    const struct rule *rule;
    int offset_s; /* of its zone, now */
};

struct planner_input {
    int64_t now_us;
    enum planner_presence presence;
    enum reach_kind kind;         /* a request is a stranger's */
    enum planner_urgency urgency; /* of a stranger it counts as medium at most */
    const struct planner_device *devices;
    unsigned device_count;        /* at most PLANNER_DEVICES_MAX */
    const char *peer, *groups;    /* who writes: bare JID, groups in the person's roster ('\n' between) */
    const struct planner_rule *rules; /* the person's, in order */
    unsigned rule_count;
    struct budget_use use;
    unsigned sms_per_day, calls_per_day;
    unsigned gather_s; /* a device hears of one conversation at most once in so long; 0: at once always */
};

enum planner_skip {
    PLANNER_USED, PLANNER_NOT_VERIFIED, PLANNER_OPTED_OUT, PLANNER_FAILING, PLANNER_UNREACHABLE, PLANNER_NOT_USABLE,
    PLANNER_NOT_IN_RULES, PLANNER_NOT_FOR_STRANGERS, PLANNER_OVER_BUDGET, PLANNER_LINKED
};

struct planner_step {
    unsigned device;  /* index into input.devices */
    unsigned step;    /* 0, 1, ...: the next runs early when all of this one failed */
    int64_t due_us;
    bool join;        /* goes into the message that waits already; nothing new is sent */
};

enum { PLANNER_NO_RULE = RULE_PER_ACCOUNT_MAX };

struct planner_plan {
    struct planner_step steps[PLANNER_DEVICES_MAX * RULE_STEPS_MAX];
    unsigned count;
    unsigned rule;                /* index into input.rules; PLANNER_NO_RULE: none fits, it is the default */
    enum planner_skip skip[PLANNER_DEVICES_MAX]; /* a device */
    enum budget_refusal refusal;  /* the last budget that was full; BUDGET_FITS: none was */
};

void planner_plan(const struct planner_input *in, struct planner_plan *out);
/* The plan in plain words, one line a device. */
void planner_words(const struct planner_input *in, const struct planner_plan *plan, struct bytes *out);
/* Why it is that plan: which rule decided, and why those before it did not. Lines; appends. */
void planner_why(const struct planner_input *in, const struct planner_plan *plan, struct bytes *out);
enum planner_urgency planner_urgency_parse(const char *word); /* XEP-0131; NULL or unknown: medium */
const char *planner_urgency_word(enum planner_urgency u);

#endif
