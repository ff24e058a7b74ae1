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

/* ---- rules ---- */

#define ROMEO "romeo@montague.example"
#define ALL (1 << DEVICE_SMS | 1 << DEVICE_EMAIL | 1 << DEVICE_VOICE | 1 << DEVICE_PAGER)

static const struct rule for_romeo = { .sender = RULE_ADDRESS, .whom = ROMEO, .step_count = 2, .zone = "",
    .steps = { { .kinds = 1 << DEVICE_EMAIL }, { .delay_s = 300, .kinds = 1 << DEVICE_SMS } } };
static const struct rule by_night = { .sender = RULE_ANYBODY, .whom = "", .has_hours = true, .from_min = 22 * 60, .to_min = 7 * 60, .zone = "X/Y" };
static const struct rule pager_only = { .sender = RULE_DOMAIN, .whom = "montague.example", .zone = "", .step_count = 1,
    .steps = { { .device_count = 1, .devices = { 8 } } } };
static const struct rule call_all = { .sender = RULE_CONTACTS, .whom = "", .zone = "", .step_count = 1, .steps = { { .kinds = ALL } } };
static const struct rule both_phones = { .sender = RULE_CONTACTS, .whom = "", .zone = "", .step_count = 1,
    .steps = { { .device_count = 2, .devices = { 7, 9 } } } };
static const struct rule texts_strangers = { .sender = RULE_STRANGERS, .whom = "", .zone = "", .step_count = 2,
    .steps = { { .kinds = 1 << DEVICE_SMS }, { .delay_s = 600, .kinds = 1 << DEVICE_EMAIL } } };
static const struct rule hurry = { .sender = RULE_GROUP, .whom = "Ward", .urgencies = 1 << PLANNER_EMERGENCY, .zone = "", .step_count = 1,
    .steps = { { .kinds = 1 << DEVICE_VOICE } } };
static const struct device second_call = { .n = 9, .kind = DEVICE_VOICE, .address = "+447700900129", .verified_us = 1 };

static const struct {
    const char *why;
    const struct rule *rules[3];
    const struct device *devices[4];
    const char *peer, *groups;
    enum reach_kind kind;
    enum planner_urgency urgency;
    int offset_s;
    unsigned sms_per_day;
    const char *want; /* planner_why, then planner_words */
} ruled[] = {
    { "no rules", { NULL }, { &mail }, ROMEO, "", REACH_MESSAGE, PLANNER_MEDIUM, 0, 10,
      "you have no rules: the community's default decides\nstep 1: e-mail to j@example.net, at once\n" },
    { "steps in their order", { &for_romeo }, { &sms, &mail }, ROMEO, "", REACH_MESSAGE, PLANNER_MEDIUM, 0, 10,
      "your rule 1 decides: for romeo@montague.example: email at once, text after 5 min\n"
      "step 1: e-mail to j@example.net, at once\nstep 2: text message to +447700900123, in 5 minutes\n" },
    { "who stands in no rule has the default", { &for_romeo, &hurry }, { &sms, &mail }, "tybalt@capulet.example", "Ward", REACH_MESSAGE,
      PLANNER_MEDIUM, 0, 10,
      "your rule 1 is for other senders\nyour rule 2 is for another urgency\nno rule of yours fits: the community's default decides\n"
      "step 1: text message to +447700900123, at once\nstep 1: e-mail to j@example.net, at once\n" },
    { "the first that fits wins", { &pager_only, &for_romeo }, { &mail, &pager }, ROMEO, "", REACH_MESSAGE, PLANNER_MEDIUM, 0, 10,
      "your rule 1 decides: for montague.example: device 8 at once\nstep 1: pager to 4155551212, at once\n"
      "e-mail j@example.net is not asked for by the rules\n" },
    { "in other hours the next one", { &by_night, &for_romeo }, { &mail }, ROMEO, "", REACH_MESSAGE, PLANNER_MEDIUM, 0, 10,
      "your rule 1 is for other days or hours\nyour rule 2 decides: for romeo@montague.example: email at once, text after 5 min\n"
      "step 1: e-mail to j@example.net, at once\n" },
    { "elsewhere it is night: nothing", { &by_night, &for_romeo }, { &mail }, ROMEO, "", REACH_MESSAGE, PLANNER_MEDIUM, 11 * 3600, 10,
      "your rule 1 decides: for anybody at 22:00-07:00 X/Y: nothing\ne-mail j@example.net is not asked for by the rules\nnothing is sent\n" },
    { "a group, when it is an emergency", { &hurry }, { &mail, &call }, ROMEO, "Friends\nWard", REACH_MESSAGE, PLANNER_EMERGENCY, 0, 10,
      "your rule 1 decides: for group \"Ward\" if emergency: call at once\nstep 1: phone call to +447700900127, at once\n"
      "e-mail j@example.net is not asked for by the rules\n" },
    { "part of a group's name is another group", { &hurry }, { &call }, ROMEO, "Wards\nWar", REACH_MESSAGE, PLANNER_EMERGENCY, 0, 10,
      "your rule 1 is for other senders\nno rule of yours fits: the community's default decides\n"
      "step 1: phone call to +447700900127, at once\n" },
    { "of telephones one is called", { &call_all }, { &call, &second_call, &mail }, ROMEO, "", REACH_MESSAGE, PLANNER_MEDIUM, 0, 10,
      "your rule 1 decides: for contacts: everything at once\nstep 1: e-mail to j@example.net, at once\n"
      "step 1: phone call to +447700900127, at once\nphone call +447700900129 is not asked for by the rules\n" },
    { "unless both are named", { &both_phones }, { &call, &second_call }, ROMEO, "", REACH_MESSAGE, PLANNER_MEDIUM, 0, 10,
      "your rule 1 decides: for contacts: device 7 and device 9 at once\nstep 1: phone call to +447700900127, at once\n"
      "step 1: phone call to +447700900129, at once\n" },
    { "no rule lets strangers cost anything; and what cannot be sent is not waited for", { &texts_strangers }, { &sms, &mail }, ROMEO, "",
      REACH_REQUEST, PLANNER_EMERGENCY, 0, 10,
      "your rule 1 decides: for strangers: text at once, email after 10 min\nstep 2: e-mail to j@example.net, at once\n"
      "text message +447700900123 is not for strangers\n" },
    { "no rule lifts a budget", { &call_all }, { &sms, &mail }, ROMEO, "", REACH_MESSAGE, PLANNER_EMERGENCY, 0, 0,
      "your rule 1 decides: for contacts: everything at once\nstep 1: e-mail to j@example.net, at once\n"
      "text message +447700900123 is over a limit: this community has no budget for that\n" },
    { "nor quiet hours, nor that a device is not verified", { &call_all }, { &asleep, &unverified }, ROMEO, "", REACH_MESSAGE, PLANNER_MEDIUM, 0, 9,
      "your rule 1 decides: for contacts: everything at once\nstep 1: text message to +447700900126, in 60 minutes\n"
      "text message +447700900124 is not verified yet\n" },
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ruled / sizeof *ruled; i++) {
        struct planner_device devices[4] = { 0 };
        struct planner_rule rules[3] = { 0 };
        struct planner_input in = { .now_us = NOON, .kind = ruled[i].kind, .urgency = ruled[i].urgency, .peer = ruled[i].peer,
                                    .groups = ruled[i].groups, .rules = rules, .devices = devices,
                                    .sms_per_day = ruled[i].sms_per_day, .calls_per_day = ruled[i].sms_per_day };
        for (unsigned n = 0; n < 3 && ruled[i].rules[n]; n++)
            rules[in.rule_count++] = (struct planner_rule){ ruled[i].rules[n], ruled[i].offset_s };
        for (unsigned d = 0; d < 4 && ruled[i].devices[d]; d++)
            devices[in.device_count++] = (struct planner_device){ .device = ruled[i].devices[d], .reachable = true };
        struct planner_plan plan;
        struct bytes words = BYTES_EMPTY;
        planner_plan(&in, &plan);
        planner_why(&in, &plan, &words);
        planner_words(&in, &plan, &words);
        if (strcmp(bytes_text(&words), ruled[i].want) != 0)
            fail_msg("%s:\n%s", ruled[i].why, bytes_text(&words));
        bytes_fini(&words);
    }
}

static void test_escalation(void **state)
{
    (void)state;
    const struct planner_rule rule = { &for_romeo, 0 };
    struct planner_device devices[] = { { .device = &sms, .reachable = true }, { .device = &mail, .reachable = true } };
    struct planner_input in = { .now_us = NOON, .devices = devices, .device_count = 2, .rules = &rule, .rule_count = 1,
                                .peer = ROMEO, .groups = "", .sms_per_day = 9 };
    struct planner_plan plan;
    planner_plan(&in, &plan);
    assert_int_equal(plan.count, 2);
    assert_int_equal(plan.steps[0].device, 1);
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

struct random { struct planner_device pd[PLANNER_DEVICES_MAX]; struct device d[PLANNER_DEVICES_MAX];
                struct planner_rule ruled[RULE_PER_ACCOUNT_MAX]; struct rule rules[RULE_PER_ACCOUNT_MAX]; };

static void random_rule(uint32_t *seed, struct rule *r)
{
    static const char *const whom[RULE_SENDER_COUNT] = { "", "", "", "Ward", ROMEO, "montague.example" };
    *r = (struct rule){ .sender = (enum rule_sender)next(seed, RULE_SENDER_COUNT), .urgencies = next(seed, 16), .days = next(seed, 128),
                        .has_hours = next(seed, 2), .from_min = next(seed, 1440), .to_min = next(seed, 1440), .zone = "X/Y",
                        .step_count = next(seed, RULE_STEPS_MAX + 1) };
    r->whom = whom[r->sender];
    for (unsigned i = 0; i < r->step_count; i++) {
        struct rule_step *s = &r->steps[i];
        *s = (struct rule_step){ .delay_s = (i ? s[-1].delay_s : 0) + 60 * next(seed, 360), .kinds = next(seed, 128),
                                 .device_count = next(seed, DEVICE_PER_ACCOUNT_MAX + 1) };
        for (unsigned d = 0; d < s->device_count; d++)
            s->devices[d] = next(seed, 20);
    }
}

static void random_input(uint32_t *seed, struct planner_input *in, struct random *of)
{
    struct planner_device *pd = of->pd;
    struct device *d = of->d;
    *in = (struct planner_input){ .now_us = NOON + (int64_t)next(seed, 1 << 20) * S, .devices = pd, .rules = of->ruled,
        .presence = (enum planner_presence)next(seed, 4), .kind = next(seed, 3) ? REACH_MESSAGE : REACH_REQUEST,
        .urgency = (enum planner_urgency)next(seed, 4), .device_count = next(seed, PLANNER_DEVICES_MAX + 1),
        .peer = next(seed, 2) ? ROMEO : "tybalt@capulet.example", .groups = next(seed, 2) ? "Ward" : "",
        .rule_count = next(seed, RULE_PER_ACCOUNT_MAX + 1), .sms_per_day = next(seed, 30), .calls_per_day = next(seed, 30),
        .gather_s = next(seed, 4000) };
    for (unsigned i = 0; i < in->rule_count; i++) {
        random_rule(seed, &of->rules[i]);
        of->ruled[i] = (struct planner_rule){ &of->rules[i], (int)next(seed, 86400) - 43200 };
    }
    struct budget_counts *c[] = { &in->use.sms_by_contact, &in->use.sms_by_domain, &in->use.mail_by_contact, &in->use.mail_by_domain,
                                  &in->use.calls_by_contact, &in->use.calls_by_domain };
    for (unsigned i = 0; i < 6; i++)
        for (unsigned w = 0; w < BUDGET_WINDOWS; w++)
            c[i]->in[w] = next(seed, 30);
    in->use.sms_today = next(seed, 30);
    in->use.calls_today = next(seed, 30);
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

static bool is_budget(const struct budget_counts *c, unsigned more, unsigned first, unsigned second, unsigned third)
{
    return !more || (c->in[0] + more <= first && c->in[1] + more <= second && c->in[2] + more <= third);
}

/* The rule that decided fits, and none before it does; the plan asks for nothing that the rule does not name. */
static void check_rule(const struct planner_input *in, const struct planner_plan *p, uint32_t seed)
{
    bool stranger = in->kind == REACH_REQUEST;
    struct rule_event ev = { .peer = in->peer, .groups = in->groups, .stranger = stranger, .at_us = in->now_us,
                             .urgency = stranger && in->urgency > PLANNER_MEDIUM ? PLANNER_MEDIUM : in->urgency };
    for (unsigned i = 0; i < in->rule_count; i++) {
        bool fits = rule_fits(in->rules[i].rule, &ev, in->rules[i].offset_s) == RULE_FITS;
        if (i < p->rule ? fits : i == p->rule && !fits)
            fail_msg("seed %u, rule %u", seed, i);
    }
    if (p->rule >= in->rule_count)
        return;
    const struct rule *r = in->rules[p->rule].rule;
    for (unsigned i = 0; i < p->count; i++) {
        const struct rule_step *s = &r->steps[p->steps[i].step];
        const struct device *d = in->devices[p->steps[i].device].device;
        bool named = s->kinds & 1u << d->kind;
        for (unsigned n = 0; n < s->device_count; n++)
            named = named || s->devices[n] == d->n;
        bool early = !p->steps[i].join && p->steps[i].due_us < in->now_us + (p->steps[0].step == p->steps[i].step ? 0 : s->delay_s * S);
        if (p->steps[i].step >= r->step_count || !named || early)
            fail_msg("seed %u, step %u by rule %u", seed, i, p->rule);
    }
}

static void check_plan(const struct planner_input *in, const struct planner_plan *p, uint32_t seed)
{
    unsigned new_sms = 0, new_mail = 0, new_calls = 0;
    check_rule(in, p, seed);
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
            (*(d->device->kind == DEVICE_VOICE ? &new_calls : d->device->kind == DEVICE_EMAIL ? &new_mail : &new_sms))++;
    }
    if (!is_budget(&in->use.calls_by_contact, new_calls, 3, 7, 15) || (new_calls && in->use.calls_today + new_calls > in->calls_per_day) ||
        !is_budget(&in->use.sms_by_contact, new_sms, 5, 11, 21))
        fail_msg("seed %u: over budget", seed);
    if (new_sms)
        assert_true(in->use.sms_today + new_sms <= in->sms_per_day && in->use.sms_by_contact.in[0] + new_sms <= 5 &&
                    in->use.sms_by_contact.in[1] + new_sms <= 11 && in->use.sms_by_contact.in[2] + new_sms <= 21);
    if (in->kind == REACH_REQUEST)
        assert_true(new_sms == 0 && new_calls == 0 && new_mail + in->use.stranger_mails_today <= (new_mail ? 1u : 9u));
}

static void test_properties(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 20000; n++) {
        uint32_t seed = n;
        struct planner_input in;
        struct random of;
        struct planner_plan plan, again;
        random_input(&seed, &in, &of);
        memset(&plan, 0, sizeof plan);
        memset(&again, 0xff, sizeof again);
        planner_plan(&in, &plan);
        planner_plan(&in, &again);
        assert_int_equal(plan.count, again.count);
        assert_int_equal(plan.rule, again.rule);
        for (unsigned i = 0; i < plan.count; i++)
            assert_true(plan.steps[i].device == again.steps[i].device && plan.steps[i].due_us == again.steps[i].due_us);
        check_plan(&in, &plan, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_escalation),
        cmocka_unit_test(test_gathering),
        cmocka_unit_test(test_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
