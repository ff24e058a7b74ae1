/* SPDX-License-Identifier: MIT */
/* Where no rule fits: text messages, pages and e-mail at once together, and a call when five minutes brought no answer,
 * or at once where there is nothing else or it is urgent (never for what is of low urgency); of strangers one notice
 * mail. Each device is used at most once a step; nothing here loops, so every plan ends. */
#include "contact-router/planner.h"

#include "contact-router/rule_text.h"
#include "gateway/base/text.h"

static const struct rule_step default_steps[] = {
    { .delay_s = 0, .kinds = 1 << DEVICE_SMS | 1 << DEVICE_PAGER | 1 << DEVICE_EMAIL },
    { .delay_s = PLANNER_CALL_S, .kinds = 1 << DEVICE_VOICE },
};
static const struct rule_step urgent_steps[] = {
    { .delay_s = 0, .kinds = 1 << DEVICE_SMS | 1 << DEVICE_PAGER | 1 << DEVICE_EMAIL },
    { .delay_s = 0, .kinds = 1 << DEVICE_VOICE },
};
static const struct rule_step call_steps[] = {
    { .delay_s = 0, .kinds = 1 << DEVICE_VOICE },
};
static const struct rule_step stranger_steps[] = {
    { .delay_s = 0, .kinds = 1 << DEVICE_EMAIL, .first_only = true },
};

static const char *const urgencies[] = { "low", "medium", "high", "emergency" };

enum planner_urgency planner_urgency_parse(const char *word)
{
    for (unsigned i = 0; word && i < 4; i++)
        if (text_eq_nocase(word, urgencies[i]))
            return (enum planner_urgency)i;
    return PLANNER_MEDIUM;
}

const char *planner_urgency_word(enum planner_urgency u)
{
    return urgencies[u];
}

static bool is_urgent(const struct planner_input *in)
{
    return in->kind == REACH_MESSAGE && in->urgency >= PLANNER_HIGH;
}

/* What the device itself says against its use, whatever the rules. */
static enum planner_skip fitness(const struct planner_input *in, const struct planner_device *d)
{
    if (in->presence == PLANNER_ACTIVE)
        return PLANNER_LINKED;
    if (!device_kind_usable(d->device->kind))
        return PLANNER_NOT_USABLE;
    if (!d->device->verified_us)
        return PLANNER_NOT_VERIFIED;
    if (d->device->opted_out)
        return PLANNER_OPTED_OUT;
    if (d->device->failures >= DEVICE_FAILURES_MAX)
        return PLANNER_FAILING;
    if (!d->reachable)
        return PLANNER_UNREACHABLE;
    if (in->kind == REACH_REQUEST && d->device->kind != DEVICE_EMAIL)
        return PLANNER_NOT_FOR_STRANGERS;
    return PLANNER_USED;
}

/* After the wait of the rule, the grouping window and the quiet hours, whichever ends last. */
static int64_t when(const struct planner_input *in, const struct planner_device *d, unsigned delay_s)
{
    int64_t due = in->now_us + (int64_t)delay_s * 1000000;
    int64_t window = d->last_told_us + (int64_t)in->gather_s * 1000000;
    if (d->last_told_us && window > due && in->urgency != PLANNER_EMERGENCY)
        due = window;
    if (is_urgent(in))
        return due;
    /* The end of quiet hours lies outside them; a second look catches hours that begin while waiting. */
    return device_quiet_until(&d->device->quiet, due, d->quiet_offset_s);
}

/* What this plan has already taken of the budgets. */
struct taken { unsigned sms, mail, calls; };

static enum budget_refusal afford(const struct planner_input *in, enum device_kind kind, struct taken *taken)
{
    enum budget_refusal r;
    bool text = kind == DEVICE_SMS || kind == DEVICE_PAGER; /* of one budget */
    unsigned *count = text ? &taken->sms : kind == DEVICE_VOICE ? &taken->calls : &taken->mail;
    if (text)
        r = budget_sms(&in->use, in->sms_per_day, *count);
    else if (kind == DEVICE_VOICE)
        r = budget_call(&in->use, in->calls_per_day, *count);
    else if (in->kind == REACH_REQUEST)
        r = budget_stranger_mail(&in->use, *count);
    else
        r = budget_mail(&in->use, *count);
    if (r == BUDGET_FITS)
        (*count)++;
    return r;
}

static bool add_step(const struct planner_input *in, struct planner_plan *out, unsigned device, unsigned delay_s,
                     unsigned step, struct taken *taken)
{
    const struct planner_device *d = &in->devices[device];
    if (d->pending_due_us && step == d->pending_step) {
        out->steps[out->count++] = (struct planner_step){ device, step, d->pending_due_us, true };
        return true;
    }
    enum budget_refusal r = afford(in, d->device->kind, taken);
    if (r != BUDGET_FITS) {
        out->refusal = r;
        if (out->skip[device] != PLANNER_USED)
            out->skip[device] = PLANNER_OVER_BUDGET;
        return false;
    }
    out->steps[out->count++] = (struct planner_step){ device, step, when(in, d, delay_s), false };
    return true;
}

static bool names(const struct rule_step *s, int64_t n)
{
    for (unsigned i = 0; i < s->device_count; i++)
        if (s->devices[i] == n)
            return true;
    return false;
}

/* Of telephones one is called, unless the rule names them. `delay_s`: the step's, or less when there was nothing to
 * wait for. */
static void plan_step(const struct planner_input *in, struct planner_plan *out, const struct rule_step *s,
                      unsigned delay_s, unsigned step, struct taken *taken)
{
    bool called = false;
    /* Text messages first: the list of kinds is also an order. */
    for (unsigned kind = 0; kind < DEVICE_KIND_COUNT; kind++)
        for (unsigned i = 0; i < in->device_count; i++) {
            const struct planner_device *d = &in->devices[i];
            if ((unsigned)d->device->kind != kind)
                continue;
            bool named = names(s, d->device->n);
            bool wanted = named || ((s->kinds & 1u << kind) && !(kind == DEVICE_VOICE && called));
            if (!wanted || fitness(in, d) != PLANNER_USED || !add_step(in, out, i, delay_s, step, taken))
                continue;
            out->skip[i] = PLANNER_USED;
            called = called || (kind == DEVICE_VOICE && !named);
            if (s->first_only)
                return;
        }
}

/* Does anything but a telephone do? */
static bool only_calls(const struct planner_input *in)
{
    for (unsigned i = 0; i < in->device_count; i++)
        if (in->devices[i].device->kind != DEVICE_VOICE && fitness(in, &in->devices[i]) == PLANNER_USED)
            return false;
    return true;
}

static const struct rule_step *default_of(const struct planner_input *in, unsigned *count)
{
    *count = 1;
    if (in->kind == REACH_REQUEST)
        return stranger_steps;
    if (in->urgency != PLANNER_LOW && only_calls(in))
        return call_steps;
    *count = in->urgency == PLANNER_LOW ? 1 : 2;
    return is_urgent(in) ? urgent_steps : default_steps;
}

static enum rule_fit fit(const struct planner_input *in, unsigned rule)
{
    bool stranger = in->kind == REACH_REQUEST;
    struct rule_event ev = { .peer = in->peer, .groups = in->groups, .stranger = stranger, .at_us = in->now_us,
                             .urgency = stranger && in->urgency > PLANNER_MEDIUM ? PLANNER_MEDIUM : in->urgency };
    return rule_fits(in->rules[rule].rule, &ev, in->rules[rule].offset_s);
}

static const struct rule_step *choose(const struct planner_input *in, unsigned *rule, unsigned *count)
{
    for (unsigned i = 0; i < in->rule_count; i++)
        if (fit(in, i) == RULE_FITS) {
            *rule = i;
            *count = in->rules[i].rule->step_count;
            return in->rules[i].rule->steps;
        }
    *rule = PLANNER_NO_RULE;
    return default_of(in, count);
}

void planner_plan(const struct planner_input *in, struct planner_plan *out)
{
    unsigned count, rule;
    struct taken taken = { 0 };
    CHECK(in->device_count <= PLANNER_DEVICES_MAX && in->rule_count <= RULE_PER_ACCOUNT_MAX);
    const struct rule_step *steps = choose(in, &rule, &count);
    *out = (struct planner_plan){ .rule = rule, .refusal = BUDGET_FITS };
    for (unsigned i = 0; i < in->device_count; i++) {
        enum planner_skip s = fitness(in, &in->devices[i]);
        out->skip[i] = s == PLANNER_USED ? PLANNER_NOT_IN_RULES : s;
    }
    /* Where earlier steps have nobody to tell, what follows need not wait for them. */
    for (unsigned i = 0; i < count; i++)
        plan_step(in, out, &steps[i], steps[out->count ? i : 0].delay_s, i, &taken);
}

static const char *skip_words(enum planner_skip s)
{
    switch (s) {
    case PLANNER_USED: return "is used";
    case PLANNER_NOT_VERIFIED: return "is not verified yet";
    case PLANNER_OPTED_OUT: return "was told STOP";
    case PLANNER_FAILING: return "failed again and again";
    case PLANNER_UNREACHABLE: return "cannot be reached from this community";
    case PLANNER_NOT_USABLE: return "is of a kind that is not available yet";
    case PLANNER_NOT_IN_RULES: return "is not asked for by the rules";
    case PLANNER_NOT_FOR_STRANGERS: return "is not for strangers";
    case PLANNER_OVER_BUDGET: return "is over a limit";
    case PLANNER_LINKED: return "is not needed: there is an active link";
    }
    return "?";
}

static void words_step(const struct planner_input *in, const struct planner_step *s, struct bytes *out)
{
    int64_t wait = (s->due_us - in->now_us + 999999) / 1000000;
    if (s->join)
        bytes_append_text(out, "the text joins the message that waits");
    else if (wait <= 0)
        bytes_append_text(out, "at once");
    else if (wait < 120)
        bytes_printf(out, "in %lld seconds", (long long)wait);
    else
        bytes_printf(out, "in %lld minutes", (long long)((wait + 59) / 60));
}

void planner_words(const struct planner_input *in, const struct planner_plan *plan, struct bytes *out)
{
    for (unsigned i = 0; i < plan->count; i++) {
        const struct device *d = in->devices[plan->steps[i].device].device;
        bytes_printf(out, "step %u: %s to %s, ", plan->steps[i].step + 1, device_kind_people(d->kind), d->address);
        words_step(in, &plan->steps[i], out);
        bytes_append_char(out, '\n');
    }
    for (unsigned i = 0; i < in->device_count; i++) {
        const struct device *d = in->devices[i].device;
        if (plan->skip[i] == PLANNER_USED)
            continue;
        bytes_printf(out, "%s %s %s", device_kind_people(d->kind), d->address, skip_words(plan->skip[i]));
        if (plan->skip[i] == PLANNER_OVER_BUDGET)
            bytes_printf(out, ": %s", budget_words(plan->refusal));
        bytes_append_char(out, '\n');
    }
    if (!plan->count)
        bytes_append_text(out, "nothing is sent\n");
}

static const char *unfit_words(enum rule_fit f)
{
    switch (f) {
    case RULE_FITS: return "fits";
    case RULE_OTHER_SENDER: return "is for other senders";
    case RULE_OTHER_URGENCY: return "is for another urgency";
    case RULE_OTHER_TIME: return "is for other days or hours";
    }
    return "?";
}

void planner_why(const struct planner_input *in, const struct planner_plan *plan, struct bytes *out)
{
    for (unsigned i = 0; i < in->rule_count && i < plan->rule; i++)
        bytes_printf(out, "your rule %u %s\n", i + 1, unfit_words(fit(in, i)));
    if (plan->rule < in->rule_count) {
        bytes_printf(out, "your rule %u decides: ", plan->rule + 1);
        rule_text_write(in->rules[plan->rule].rule, out);
        bytes_append_char(out, '\n');
    } else {
        bytes_append_text(out, in->rule_count ? "no rule of yours fits: the community's default decides\n"
                                              : "you have no rules: the community's default decides\n");
    }
}
