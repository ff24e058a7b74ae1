/* SPDX-License-Identifier: MIT */
/* A rule in its normal form: what rule_text.c reads, written so that it reads the same again. */
#include "contact-router/rule_text.h"

#include <string.h>

#include "contact-router/planner.h"
#include "contact-router/rule_text_internal.h"

enum { DAMAGED_SHOWN_MAX = 100 };

static const char *const day_words[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

const char *rule_text_day(unsigned day)
{
    return day_words[day];
}

const char *rule_text_kind(enum device_kind k)
{
    return !device_kind_usable(k) ? NULL : k == DEVICE_SMS ? "text" : k == DEVICE_VOICE ? "call" : device_kind_word(k);
}

unsigned rule_text_all_kinds(void)
{
    unsigned all = 0;
    for (unsigned k = 0; k < DEVICE_KIND_COUNT; k++)
        if (device_kind_usable((enum device_kind)k))
            all |= 1u << k;
    return all;
}

void rule_text_whom(const struct rule *r, struct bytes *out)
{
    switch (r->sender) {
    case RULE_ANYBODY:
    case RULE_CONTACTS:
    case RULE_STRANGERS: bytes_append_text(out, rule_sender_word(r->sender)); break;
    case RULE_GROUP: bytes_printf(out, "group \"%s\"", r->whom); break;
    case RULE_ADDRESS: bytes_append_text(out, r->whom); break;
    case RULE_DOMAIN: bytes_printf(out, "%s%s", strchr(r->whom, '.') ? "" : "domain ", r->whom); break;
    case RULE_SENDER_COUNT: break;
    }
}

static void write_days(unsigned days, struct bytes *out)
{
    const char *comma = "";
    for (unsigned d = 0; d < RULE_DAYS; d++) {
        unsigned end = d;
        if (!(days & 1u << d))
            continue;
        while (end < RULE_SUNDAY && (days & 1u << (end + 1)))
            end++;
        bytes_printf(out, "%s%s", comma, day_words[d]);
        if (end >= d + 2) {
            bytes_printf(out, "-%s", day_words[end]);
            d = end;
        }
        comma = ",";
    }
}

static void write_urgency(unsigned urgencies, struct bytes *out)
{
    const char *join = "";
    if (urgencies == RULE_TEXT_URGENT || urgencies == RULE_TEXT_NOT_URGENT) {
        bytes_append_text(out, urgencies == RULE_TEXT_URGENT ? "urgent" : "not urgent");
        return;
    }
    for (unsigned u = PLANNER_LOW; u <= PLANNER_EMERGENCY; u++)
        if (urgencies & 1u << u) {
            bytes_printf(out, "%s%s", join, planner_urgency_word((enum planner_urgency)u));
            join = " or ";
        }
}

void rule_text_hours(const struct rule *r, struct bytes *out)
{
    if (r->has_hours)
        bytes_printf(out, "%02u:%02u-%02u:%02u", r->from_min / 60, r->from_min % 60, r->to_min / 60, r->to_min % 60);
}

void rule_text_when(const struct rule *r, struct bytes *out)
{
    const char *blank = "";
    if (r->days) {
        bytes_append_text(out, "on ");
        write_days(r->days, out);
        blank = " ";
    }
    if (r->has_hours) {
        bytes_printf(out, "%sat ", blank);
        rule_text_hours(r, out);
        blank = " ";
    }
    if (*r->zone)
        bytes_printf(out, " %s", r->zone);
    if (r->urgencies) {
        bytes_printf(out, "%sif ", blank);
        write_urgency(r->urgencies, out);
    }
}

static void write_step(const struct rule_step *s, struct bytes *out)
{
    const char *join = "";
    bool all = s->kinds == rule_text_all_kinds();
    if (all)
        bytes_append_text(out, "everything");
    for (unsigned k = 0; !all && k < DEVICE_KIND_COUNT; k++)
        if (s->kinds & 1u << k) {
            bytes_printf(out, "%s%s", join, rule_text_kind((enum device_kind)k));
            join = " and ";
        }
    join = s->kinds ? " and " : "";
    for (unsigned i = 0; i < s->device_count; i++) {
        bytes_printf(out, "%sdevice %u", join, s->devices[i]);
        join = " and ";
    }
    if (s->delay_s)
        bytes_printf(out, " after %u min", s->delay_s / 60);
    else
        bytes_append_text(out, " at once");
}

void rule_text_steps(const struct rule *r, struct bytes *out)
{
    if (!r->step_count)
        bytes_append_text(out, "nothing");
    for (unsigned i = 0; i < r->step_count; i++) {
        bytes_append_text(out, i ? ", " : "");
        write_step(&r->steps[i], out);
    }
}

void rule_text_damaged(const struct rule *r, struct bytes *out)
{
    for (unsigned i = 0; r->damaged[i] && i < DAMAGED_SHOWN_MAX; i++)
        bytes_append_char(out, r->damaged[i] >= ' ' && r->damaged[i] <= '~' ? r->damaged[i] : '?');
}

void rule_text_write(const struct rule *r, struct bytes *out)
{
    bytes_append_text(out, "for ");
    rule_text_whom(r, out);
    bytes_append_char(out, ' ');
    size_t len = out->len;
    rule_text_when(r, out);
    if (out->len == len)
        out->len--;
    bytes_append_text(out, ": ");
    rule_text_steps(r, out);
}
