/* SPDX-License-Identifier: MIT */
/* The numbers are what carriers tolerate and people bear (GoAlert's throttles): a contact's text
 * messages 5 in 15 minutes, 11 an hour, 21 in 3 hours; a whole domain's are twice that; mail, which
 * costs nothing, four times. Calls 3 in 15 minutes, 7 an hour, 15 in 3 hours. */
#include "contact-router/budget.h"

static const unsigned sms_limits[BUDGET_WINDOWS] = { 5, 11, 21 }, call_limits[BUDGET_WINDOWS] = { 3, 7, 15 };

int64_t budget_window_us(enum budget_window w)
{
    static const int64_t minutes[BUDGET_WINDOWS] = { 15, 60, 180 };
    return minutes[w] * 60 * 1000000;
}

static bool fits(const struct budget_counts *c, const unsigned limits[BUDGET_WINDOWS], unsigned factor, unsigned more)
{
    for (unsigned w = 0; w < BUDGET_WINDOWS; w++)
        if (c->in[w] + more >= limits[w] * factor)
            return false;
    return true;
}

enum budget_refusal budget_sms(const struct budget_use *u, unsigned sms_per_day, unsigned more)
{
    if (!sms_per_day)
        return BUDGET_NOT_SET;
    if (u->sms_today + more >= sms_per_day)
        return BUDGET_COMMUNITY;
    if (!fits(&u->sms_by_contact, sms_limits, 1, more))
        return BUDGET_CONTACT;
    return fits(&u->sms_by_domain, sms_limits, 2, more) ? BUDGET_FITS : BUDGET_DOMAIN;
}

enum budget_refusal budget_call(const struct budget_use *u, unsigned calls_per_day, unsigned more)
{
    if (!calls_per_day)
        return BUDGET_NOT_SET;
    if (u->calls_today + more >= calls_per_day)
        return BUDGET_COMMUNITY;
    if (!fits(&u->calls_by_contact, call_limits, 1, more))
        return BUDGET_CONTACT;
    return fits(&u->calls_by_domain, call_limits, 2, more) ? BUDGET_FITS : BUDGET_DOMAIN;
}

enum budget_refusal budget_mail(const struct budget_use *u, unsigned more)
{
    if (!fits(&u->mail_by_contact, sms_limits, 4, more))
        return BUDGET_CONTACT;
    return fits(&u->mail_by_domain, sms_limits, 8, more) ? BUDGET_FITS : BUDGET_DOMAIN;
}

enum budget_refusal budget_stranger_mail(const struct budget_use *u, unsigned more)
{
    return u->stranger_mails_today + more >= 1 ? BUDGET_STRANGER : BUDGET_FITS;
}

const char *budget_words(enum budget_refusal r)
{
    switch (r) {
    case BUDGET_FITS: return "within its limits";
    case BUDGET_NOT_SET: return "this community has no budget for that";
    case BUDGET_COMMUNITY: return "the community's budget for that is spent for today";
    case BUDGET_CONTACT: return "this contact has caused as many messages as it may for now";
    case BUDGET_DOMAIN: return "the contact's community has caused as many messages as it may for now";
    case BUDGET_STRANGER: return "strangers cause at most one notice a day";
    }
    return "?";
}

bool budget_code_fits(const struct budget_codes *u)
{
    return u->account_day < BUDGET_CODES_ACCOUNT_DAY && u->community_hour < BUDGET_CODES_COMMUNITY_HOUR &&
           u->prefix_day < BUDGET_CODES_PREFIX_DAY;
}
