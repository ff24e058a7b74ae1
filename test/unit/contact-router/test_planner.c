/* SPDX-License-Identifier: MIT */
/* contact-router/planner.c: cases, and what must hold of any plan whatever goes in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "contact-router/planner.h"

#define S ((int64_t)1000000)
#define NOON ((int64_t)1893499200 * S) /* 2030-01-01T12:00:00Z */

static const struct device sms = { .n = 1, .kind = DEVICE_SMS, .address = "+447700900123", .verified_us = 1 };
static const struct device mail = { .n = 2, .kind = DEVICE_EMAIL, .address = "j@example.net", .verified_us = 1 };
static const struct device unverified = { .n = 3, .kind = DEVICE_SMS, .address = "+447700900124" };
static const struct device stopped = { .n = 4, .kind = DEVICE_SMS, .address = "+447700900125", .verified_us = 1, .opted_out = true };
static const struct device broken = { .n = 5, .kind = DEVICE_EMAIL, .address = "x@example.net", .verified_us = 1, .failures = 3 };
static const struct device asleep = { .n = 6, .kind = DEVICE_SMS, .address = "+447700900126", .verified_us = 1,
                                      .quiet = { true, 11 * 60, 13 * 60, "UTC" } };

static const struct device call = { .n = 7, .kind = DEVICE_VOICE, .address = "+447700900127", .verified_us = 1 };
static const struct device pager = { .n = 8, .kind = DEVICE_PAGER, .address = "4155551212", .verified_us = 1 };

struct row {
    const char *why;
    const struct device *devices[4];
    enum reach_kind kind;
    enum planner_urgency urgency;
    enum planner_presence presence;
    unsigned sms_per_day, sms_sent, stranger_mails;
    int64_t last_told_us, pending_us;
    const char *want; /* planner_words */
};

static const struct row rows[] = {
    { "text message first, e-mail too", { &mail, &sms }, REACH_MESSAGE, PLANNER_MEDIUM, PLANNER_NONE, 10, 0, 0, 0, 0,
      "step 1: text message to +447700900123, at once\nstep 1: e-mail to j@example.net, at once\n" },
    { "no budget, no text messages", { &sms, &mail }, REACH_MESSAGE, PLANNER_MEDIUM, PLANNER_NONE, 0, 0, 0, 0, 0,
      "step 1: e-mail to j@example.net, at once\n"
      "text message +447700900123 is over a limit: this community has no budget for that\n" },
    { "five in a quarter of an hour are enough", { &sms }, REACH_MESSAGE, PLANNER_MEDIUM, PLANNER_NONE, 100, 5, 0, 0, 0,
      "text message +447700900123 is over a limit: this contact has caused as many messages as it may for now\n"
      "nothing is sent\n" },
    { "strangers: one notice mail", { &sms, &mail }, REACH_REQUEST, PLANNER_EMERGENCY, PLANNER_NONE, 100, 0, 0, 0, 0,
      "step 1: e-mail to j@example.net, at once\ntext message +447700900123 is not for strangers\n" },
    { "a day", { &mail }, REACH_REQUEST, PLANNER_MEDIUM, PLANNER_NONE, 100, 0, 1, 0, 0,
      "e-mail j@example.net is over a limit: strangers cause at most one notice a day\nnothing is sent\n" },
    { "only what is verified, willing and working", { &unverified, &stopped, &broken }, REACH_MESSAGE, PLANNER_HIGH,
      PLANNER_NONE, 100, 0, 0, 0, 0,
      "text message +447700900124 is not verified yet\ntext message +447700900125 was told STOP\n"
      "e-mail x@example.net failed again and again\nnothing is sent\n" },
    { "quiet hours are waited for", { &asleep }, REACH_MESSAGE, PLANNER_MEDIUM, PLANNER_NONE, 100, 0, 0, 0, 0,
      "step 1: text message to +447700900126, in 60 minutes\n" },
    { "unless it is urgent", { &asleep }, REACH_MESSAGE, PLANNER_HIGH, PLANNER_NONE, 100, 0, 0, 0, 0,
      "step 1: text message to +447700900126, at once\n" },
    { "what follows within a minute is one digest", { &sms }, REACH_MESSAGE, PLANNER_MEDIUM, PLANNER_NONE, 100, 1, 0,
      NOON - 20 * S, 0, "step 1: text message to +447700900123, in 40 seconds\n" },
    { "and joins the digest that waits, over budget or not", { &sms }, REACH_MESSAGE, PLANNER_MEDIUM, PLANNER_NONE, 100, 5,
      0, NOON - 20 * S, NOON + 40 * S, "step 1: text message to +447700900123, the text joins the message that waits\n" },
    { "an emergency does not wait for the window", { &sms }, REACH_MESSAGE, PLANNER_EMERGENCY, PLANNER_NONE, 100, 1, 0,
      NOON - 20 * S, 0, "step 1: text message to +447700900123, at once\n" },
    { "a call when five minutes brought no answer", { &call, &sms }, REACH_MESSAGE, PLANNER_MEDIUM, PLANNER_NONE, 100, 0, 0, 0, 0,
      "step 1: text message to +447700900123, at once\nstep 2: phone call to +447700900127, in 5 minutes\n" },
    { "at once where there is nothing else", { &call, &unverified }, REACH_MESSAGE, PLANNER_MEDIUM, PLANNER_NONE, 100, 0, 0, 0, 0,
      "step 1: phone call to +447700900127, at once\ntext message +447700900124 is not verified yet\n" },
    { "or where it is urgent", { &call, &mail }, REACH_MESSAGE, PLANNER_HIGH, PLANNER_NONE, 100, 0, 0, 0, 0,
      "step 1: e-mail to j@example.net, at once\nstep 2: phone call to +447700900127, at once\n" },
    { "not for what is of low urgency", { &call, &mail }, REACH_MESSAGE, PLANNER_LOW, PLANNER_NONE, 100, 0, 0, 0, 0,
      "step 1: e-mail to j@example.net, at once\nphone call +447700900127 is not asked for by the rules\n" },
    { "nor from strangers", { &call }, REACH_REQUEST, PLANNER_HIGH, PLANNER_NONE, 100, 0, 0, 0, 0,
      "phone call +447700900127 is not for strangers\nnothing is sent\n" },
    { "three calls in a quarter of an hour are enough", { &call }, REACH_MESSAGE, PLANNER_HIGH, PLANNER_NONE, 100, 3, 0, 0, 0,
      "phone call +447700900127 is over a limit: this contact has caused as many messages as it may for now\nnothing is sent\n" },
    { "no budget, no calls", { &call }, REACH_MESSAGE, PLANNER_HIGH, PLANNER_NONE, 0, 0, 0, 0, 0,
      "phone call +447700900127 is over a limit: this community has no budget for that\nnothing is sent\n" },
    { "a page together with the texts", { &pager, &sms }, REACH_MESSAGE, PLANNER_MEDIUM, PLANNER_NONE, 10, 0, 0, 0, 0,
      "step 1: text message to +447700900123, at once\nstep 1: pager to 4155551212, at once\n" },
    { "of one budget: it is enough for one more", { &pager, &sms }, REACH_MESSAGE, PLANNER_MEDIUM, PLANNER_NONE, 100, 4, 0, 0, 0,
      "step 1: text message to +447700900123, at once\n"
      "pager 4155551212 is over a limit: this contact has caused as many messages as it may for now\n" },
    { "no page for strangers", { &pager }, REACH_REQUEST, PLANNER_HIGH, PLANNER_NONE, 100, 0, 0, 0, 0,
      "pager 4155551212 is not for strangers\nnothing is sent\n" },
    { "nothing for who is linked", { &sms }, REACH_MESSAGE, PLANNER_HIGH, PLANNER_ACTIVE, 100, 0, 0, 0, 0,
      "text message +447700900123 is not needed: there is an active link\nnothing is sent\n" },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct planner_device devices[4] = { 0 };
        struct planner_input in = { .now_us = NOON, .presence = r->presence, .kind = r->kind, .urgency = r->urgency,
                                    .devices = devices, .sms_per_day = r->sms_per_day, .calls_per_day = r->sms_per_day,
                                    .gather_s = PLANNER_GATHER_S };
        for (unsigned d = 0; d < 4 && r->devices[d]; d++)
            devices[in.device_count++] = (struct planner_device){ .device = r->devices[d], .reachable = true,
                .last_told_us = r->last_told_us, .pending_due_us = r->pending_us };
        for (unsigned w = 0; w < BUDGET_WINDOWS; w++)
            in.use.sms_by_contact.in[w] = in.use.calls_by_contact.in[w] = r->sms_sent;
        in.use.stranger_mails_today = r->stranger_mails;
        struct planner_plan plan;
        planner_plan(&in, &plan);
        struct bytes words = BYTES_EMPTY;
        planner_words(&in, &plan, &words);
        if (strcmp(bytes_text(&words), r->want) != 0)
            fail_msg("%s:\n%s", r->why, bytes_text(&words));
        bytes_fini(&words);
    }
}

static void test_escalation(void **state)
{
    (void)state;
    const struct planner_rule rules[] = { { 0, 1 << DEVICE_EMAIL, false }, { 300, 1 << DEVICE_SMS, true } };
    struct planner_device devices[] = { { .device = &sms, .reachable = true }, { .device = &asleep, .reachable = true },
                                        { .device = &mail, .reachable = true } };
    struct planner_input in = { .now_us = NOON, .devices = devices, .device_count = 3, .rules = rules, .rule_count = 2,
                                .sms_per_day = 9 };
    struct planner_plan plan;
    planner_plan(&in, &plan);
    assert_int_equal(plan.count, 2);
    assert_int_equal(plan.steps[0].device, 2);
    assert_int_equal(plan.steps[1].device, 0);
    assert_int_equal(plan.steps[1].step, 1);
    assert_true(plan.steps[1].due_us == NOON + 300 * S);
}

/* As the community has it, also not at all. */
static void test_gathering(void **state)
{
    (void)state;
    static const struct { unsigned gather_s; int64_t wait_s; } gatherings[] = { { 0, 0 }, { 20, 0 }, { 21, 1 }, { 3600, 3580 } };
    struct planner_device device = { .device = &sms, .reachable = true, .last_told_us = NOON - 20 * S };
    struct planner_input in = { .now_us = NOON, .devices = &device, .device_count = 1, .sms_per_day = 9 };
    for (size_t i = 0; i < sizeof gatherings / sizeof *gatherings; i++) {
        struct planner_plan plan;
        in.gather_s = gatherings[i].gather_s;
        planner_plan(&in, &plan);
        assert_int_equal(plan.count, 1);
        assert_true(plan.steps[0].due_us == NOON + gatherings[i].wait_s * S);
    }
}

/* A generator of its own, so that a failure can be had again. */
static uint32_t next(uint32_t *seed, uint32_t bound)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % bound;
}

static void random_input(uint32_t *seed, struct planner_input *in, struct planner_device *pd, struct device *d,
                         struct planner_rule *rules)
{
    *in = (struct planner_input){ .now_us = NOON + (int64_t)next(seed, 1 << 20) * S, .devices = pd, .rules = rules,
        .presence = (enum planner_presence)next(seed, 4), .kind = next(seed, 3) ? REACH_MESSAGE : REACH_REQUEST,
        .urgency = (enum planner_urgency)next(seed, 4), .device_count = next(seed, PLANNER_DEVICES_MAX + 1),
        .rule_count = next(seed, 5), .sms_per_day = next(seed, 30), .gather_s = next(seed, 4000) };
    if (next(seed, 2))
        in->rules = NULL;
    for (unsigned i = 0; i < PLANNER_RULE_STEPS_MAX + 1; i++)
        rules[i] = (struct planner_rule){ next(seed, 4000), next(seed, 128), next(seed, 2) };
    struct budget_counts *c[] = { &in->use.sms_by_contact, &in->use.sms_by_domain, &in->use.mail_by_contact, &in->use.mail_by_domain };
    for (unsigned i = 0; i < 4; i++)
        for (unsigned w = 0; w < BUDGET_WINDOWS; w++)
            c[i]->in[w] = next(seed, 30);
    in->use.sms_today = next(seed, 30);
    in->use.stranger_mails_today = next(seed, 2);
    for (unsigned i = 0; i < in->device_count; i++) {
        d[i] = (struct device){ .n = i + 1, .kind = (enum device_kind)next(seed, DEVICE_KIND_COUNT), .address = "x",
            .verified_us = next(seed, 2), .opted_out = !next(seed, 5), .failures = next(seed, 4),
            .quiet = { next(seed, 2), next(seed, 1440), next(seed, 1440), "UTC" } };
        if (d[i].quiet.from_min == d[i].quiet.to_min)
            d[i].quiet.set = false;
        pd[i] = (struct planner_device){ .device = &d[i], .quiet_offset_s = (int)next(seed, 86400) - 43200,
            .reachable = next(seed, 4), .last_told_us = next(seed, 2) ? in->now_us - (int64_t)next(seed, 120) * S : 0,
            .pending_due_us = next(seed, 6) ? 0 : in->now_us + (int64_t)next(seed, 60) * S };
    }
}

static void check_plan(const struct planner_input *in, const struct planner_plan *p, uint32_t seed)
{
    unsigned new_sms = 0, new_mail = 0;
    bool urgent = in->kind == REACH_MESSAGE && in->urgency >= PLANNER_HIGH;
    for (unsigned i = 0; i < p->count; i++) {
        const struct planner_step *s = &p->steps[i];
        const struct planner_device *d = &in->devices[s->device];
        bool fine = d->device->verified_us && !d->device->opted_out && d->reachable && in->presence != PLANNER_ACTIVE &&
                    d->device->failures < DEVICE_FAILURES_MAX && device_kind_usable(d->device->kind);
        fine = fine && (in->kind == REACH_MESSAGE || d->device->kind == DEVICE_EMAIL);
        fine = fine && (s->join || urgent || device_quiet_until(&d->device->quiet, s->due_us, d->quiet_offset_s) == s->due_us);
        fine = fine && s->due_us >= in->now_us - (s->join ? 60 * S : 0) && s->due_us <= in->now_us + 3 * 86400 * S;
        if (!fine)
            fail_msg("seed %u, step %u", seed, i);
        if (!s->join)
            (*(d->device->kind == DEVICE_SMS ? &new_sms : &new_mail))++;
    }
    if (new_sms)
        assert_true(in->use.sms_today + new_sms <= in->sms_per_day && in->use.sms_by_contact.in[0] + new_sms <= 5 &&
                    in->use.sms_by_contact.in[1] + new_sms <= 11 && in->use.sms_by_contact.in[2] + new_sms <= 21);
    if (in->kind == REACH_REQUEST)
        assert_true(new_sms == 0 && new_mail + in->use.stranger_mails_today <= (new_mail ? 1u : 9u));
}

static void test_properties(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 20000; n++) {
        uint32_t seed = n;
        struct planner_input in;
        struct planner_device pd[PLANNER_DEVICES_MAX];
        struct device d[PLANNER_DEVICES_MAX];
        struct planner_rule rules[PLANNER_RULE_STEPS_MAX + 1];
        struct planner_plan plan, again;
        random_input(&seed, &in, pd, d, rules);
        memset(&plan, 0, sizeof plan);
        memset(&again, 0xff, sizeof again);
        planner_plan(&in, &plan);
        planner_plan(&in, &again);
        assert_int_equal(plan.count, again.count);
        for (unsigned i = 0; i < plan.count; i++)
            assert_true(plan.steps[i].device == again.steps[i].device && plan.steps[i].due_us == again.steps[i].due_us);
        check_plan(&in, &plan, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_escalation), cmocka_unit_test(test_gathering),
        cmocka_unit_test(test_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
