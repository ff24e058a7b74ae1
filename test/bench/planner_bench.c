/* SPDX-License-Identifier: MIT */
/* What planning costs: the planner alone, which is pure; the rows that it reads and writes are the store's.
 *
 *     planner_bench [rounds]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "contact-router/planner.h"

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void measure(const char *what, const struct planner_input *in, unsigned long rounds)
{
    static struct planner_plan plan;
    unsigned long steps = 0;
    double began = now_us();
    for (unsigned long i = 0; i < rounds; i++) {
        struct planner_input this = *in;
        this.now_us += (int64_t)i;
        planner_plan(&this, &plan);
        steps += plan.count;
    }
    printf("%-62s %6.3f us a plan, %lu steps\n", what, (now_us() - began) / (double)rounds, steps / rounds);
}

/* Of every sort, each with days, hours and an urgency that fit, and for somebody else, so that all is looked at; the last
 * one is for who writes, and names every device in each of its steps. */
static void make_rules(struct rule *rules, struct planner_rule *ruled)
{
    static const struct { enum rule_sender sender; const char *whom; } others[] = {
        {RULE_ADDRESS, "romeo@montague.exampla"}, {RULE_DOMAIN, "montague.exampla"}, {RULE_GROUP, "Friendz"}, {RULE_STRANGERS, ""},
        {RULE_CONTACTS, ""}};
    for (unsigned i = 0; i < RULE_PER_ACCOUNT_MAX; i++) {
        rules[i] = (struct rule){.sender = others[i % 5].sender, .whom = others[i % 5].whom, .urgencies = 1 << PLANNER_MEDIUM,
                                 .days = i % 5 == 4 ? 1 : RULE_EVERY_DAY, .has_hours = true, .from_min = 1380, .to_min = 1320,
                                 .zone = "Europe/London", .step_count = RULE_STEPS_MAX};
        for (unsigned s = 0; s < RULE_STEPS_MAX; s++) {
            rules[i].steps[s] = (struct rule_step){.delay_s = 60 * s, .device_count = PLANNER_DEVICES_MAX};
            for (unsigned d = 0; d < PLANNER_DEVICES_MAX; d++)
                rules[i].steps[s].devices[d] = PLANNER_DEVICES_MAX - d;
        }
        ruled[i] = (struct planner_rule){.rule = &rules[i], .offset_s = 3600};
    }
    rules[RULE_PER_ACCOUNT_MAX - 1].sender = RULE_ADDRESS;
    rules[RULE_PER_ACCOUNT_MAX - 1].whom = "romeo@montague.example";
    rules[RULE_PER_ACCOUNT_MAX - 1].days = RULE_EVERY_DAY;
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    struct device devices[PLANNER_DEVICES_MAX];
    struct planner_device planned[PLANNER_DEVICES_MAX];
    struct rule rules[RULE_PER_ACCOUNT_MAX];
    struct planner_rule ruled[RULE_PER_ACCOUNT_MAX];
    static const enum device_kind kinds[] = {DEVICE_SMS, DEVICE_EMAIL, DEVICE_VOICE, DEVICE_PAGER};
    for (unsigned i = 0; i < PLANNER_DEVICES_MAX; i++) {
        devices[i] = (struct device){.account = "juliet@a.example", .n = i + 1, .kind = kinds[i % 4], .address = "+447700900123",
                                     .verified_us = 1, .quiet = {.set = true, .from_min = 1320, .to_min = 420, .zone = "UTC"}};
        planned[i] = (struct planner_device){.device = &devices[i], .reachable = true, .last_told_us = 1};
    }
    make_rules(rules, ruled);
    struct planner_input in = {.now_us = (int64_t)1893456000 * 1000000, .kind = REACH_MESSAGE, .urgency = PLANNER_MEDIUM,
                               .peer = "romeo@montague.example", .groups = "Ward\nFriends",
                               .devices = planned, .device_count = PLANNER_DEVICES_MAX, .sms_per_day = 1000, .calls_per_day = 1000,
                               .gather_s = PLANNER_GATHER_S};
    printf("%u devices, the most that one may list\n", in.device_count);
    measure("the default", &in, rounds);
    in.rules = ruled + RULE_PER_ACCOUNT_MAX - 1;
    in.rule_count = 1;
    measure("one rule with four steps, each naming all devices", &in, rounds);
    in.rules = ruled;
    in.rule_count = RULE_PER_ACCOUNT_MAX;
    measure("20 rules, the last of them decides, four steps of all devices", &in, rounds);
    return 0;
}
