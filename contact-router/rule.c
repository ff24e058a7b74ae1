/* SPDX-License-Identifier: MIT */
/* Addresses and domains are prepared where they come in (rule_text.c, the exchange), so bytes are compared. */
#include "contact-router/rule.h"

#include <string.h>

#include "gateway/base/text.h"
#include "gateway/xmpp/bare.h"

static const char *const sender_words[] = {
#define S(name, word) word,
    RULE_SENDERS(S)
#undef S
};

const char *rule_sender_word(enum rule_sender s)
{
    return sender_words[s];
}

static bool is_in_group(const char *groups, const char *group)
{
    size_t len = strlen(group);
    for (const char *at = groups; *at;) {
        size_t n = strcspn(at, "\n");
        if (n == len && memcmp(at, group, len) == 0)
            return true;
        at += n + (at[n] != '\0');
    }
    return false;
}

static bool is_sender(const struct rule *r, const struct rule_event *ev)
{
    switch (r->sender) {
    case RULE_ANYBODY: return true;
    case RULE_CONTACTS: return !ev->stranger;
    case RULE_STRANGERS: return ev->stranger;
    case RULE_GROUP: return is_in_group(ev->groups, r->whom);
    case RULE_ADDRESS: return text_eq(r->whom, ev->peer);
    case RULE_DOMAIN: return text_eq(r->whom, bare_domain(ev->peer));
    case RULE_SENDER_COUNT: break;
    }
    return false;
}

static bool is_day(const struct rule *r, int64_t day)
{
    /* The first of January 1970 was a Thursday. */
    unsigned weekday = (unsigned)(((day + 3) % RULE_DAYS + RULE_DAYS) % RULE_DAYS);
    return !r->days || (r->days & 1u << weekday);
}

static bool is_time(const struct rule *r, int64_t at_us, int offset_s)
{
    const int64_t a_day = 86400;
    int64_t local_s = at_us / 1000000 + offset_s;
    int64_t in_day = ((local_s % a_day) + a_day) % a_day, day = (local_s - in_day) / a_day;
    int64_t from = (int64_t)r->from_min * 60, to = (int64_t)r->to_min * 60;
    if (!r->has_hours)
        return is_day(r, day);
    if (from < to)
        return in_day >= from && in_day < to && is_day(r, day);
    return (in_day >= from && is_day(r, day)) || (in_day < to && is_day(r, day - 1));
}

enum rule_fit rule_fits(const struct rule *r, const struct rule_event *ev, int offset_s)
{
    if (!is_sender(r, ev))
        return RULE_OTHER_SENDER;
    if (r->urgencies && !(r->urgencies & 1u << ev->urgency))
        return RULE_OTHER_URGENCY;
    if ((r->days || r->has_hours) && !is_time(r, ev->at_us, offset_s))
        return RULE_OTHER_TIME;
    return RULE_FITS;
}

bool rule_hides(const struct rule *earlier, const struct rule *later)
{
    if (earlier->days || earlier->has_hours)
        return false;
    if (earlier->urgencies && (!later->urgencies || (later->urgencies & ~earlier->urgencies)))
        return false;
    if (earlier->sender == RULE_ANYBODY)
        return true;
    if (earlier->sender == RULE_DOMAIN && later->sender == RULE_ADDRESS)
        return text_eq(earlier->whom, bare_domain(later->whom));
    return earlier->sender == later->sender && text_eq(earlier->whom, later->whom);
}

bool rule_names_device(const struct rule *r, int64_t n)
{
    for (unsigned s = 0; s < r->step_count; s++)
        for (unsigned i = 0; i < r->steps[s].device_count; i++)
            if (r->steps[s].devices[i] == n)
                return true;
    return false;
}
