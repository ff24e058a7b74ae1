/* SPDX-License-Identifier: MIT */
/* What planning costs: the planner alone, which is pure; the rows that it reads and writes are the store's.
 *
 *     planner_bench [rounds]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "contact-router/planner.h"

enum { RULES_MAX = 20 };

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* `plans`: how many make one; more rules than a plan looks at are planned in turn. */
static void measure(const char *what, const struct planner_input *in, unsigned plans, unsigned long rounds)
{
    static struct planner_plan plan;
    unsigned long steps = 0;
    double began = now_us();
    for (unsigned long i = 0; i < rounds; i++) {
        struct planner_input this = *in;
        this.now_us += (int64_t)i;
        for (unsigned k = 0; k < plans; k++) {
            this.rules = in->rules ? in->rules + k * PLANNER_RULE_STEPS_MAX : NULL;
            planner_plan(&this, &plan);
            steps += plan.count;
        }
    }
    printf("%-44s %6.3f us a plan, %lu steps\n", what, (now_us() - began) / (double)rounds, steps / rounds);
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    struct device devices[PLANNER_DEVICES_MAX];
    struct planner_device planned[PLANNER_DEVICES_MAX];
    struct planner_rule rules[RULES_MAX];
    static const enum device_kind kinds[] = {DEVICE_SMS, DEVICE_EMAIL, DEVICE_VOICE, DEVICE_PAGER};
    for (unsigned i = 0; i < PLANNER_DEVICES_MAX; i++) {
        devices[i] = (struct device){.account = "juliet@a.example", .n = i + 1, .kind = kinds[i % 4], .address = "+447700900123",
                                     .verified_us = 1, .quiet = {.set = true, .from_min = 1320, .to_min = 420, .zone = "UTC"}};
        planned[i] = (struct planner_device){.device = &devices[i], .reachable = true, .last_told_us = 1};
    }
    for (unsigned i = 0; i < RULES_MAX; i++)
        rules[i] = (struct planner_rule){.delay_s = 60 * i, .kinds = 1u << kinds[i % 4] | 1u << DEVICE_EMAIL};
    struct planner_input in = {.now_us = (int64_t)1893456000 * 1000000, .kind = REACH_MESSAGE, .urgency = PLANNER_MEDIUM,
                               .devices = planned, .device_count = PLANNER_DEVICES_MAX, .sms_per_day = 1000, .calls_per_day = 1000,
                               .gather_s = PLANNER_GATHER_S};
    printf("%u devices, the most that one may list\n", in.device_count);
    measure("the default", &in, 1, rounds);
    in.rules = rules;
    in.rule_count = PLANNER_RULE_STEPS_MAX;
    measure("rules of their own, as many as are looked at", &in, 1, rounds);
    measure("20 rules, as five plans of four", &in, RULES_MAX / PLANNER_RULE_STEPS_MAX, rounds);
    return 0;
}
