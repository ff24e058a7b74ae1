/* SPDX-License-Identifier: MIT */
/* Nobody can be made to receive a flood, nor the community to pay for one. Limits as data, and the
 * question whether one more fits. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_BUDGET_H
#define CAUSEWAY_CONTACT_ROUTER_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum budget_window { BUDGET_15_MIN, BUDGET_HOUR, BUDGET_3_HOURS, BUDGET_WINDOWS };

struct budget_counts { unsigned in[BUDGET_WINDOWS]; };

/* What was sent of late, as far as it concerns the event that is planned. */
struct budget_use {
    struct budget_counts sms_by_contact, sms_by_domain; /* to this person */
    struct budget_counts mail_by_contact, mail_by_domain;
    struct budget_counts calls_by_contact, calls_by_domain;
    unsigned sms_today;            /* by the community, to all: 24 hours */
    unsigned calls_today;          /* as sms_today */
    unsigned stranger_mails_today; /* to this person, in all */
};

enum budget_refusal {
    BUDGET_FITS,
    BUDGET_NOT_SET,      /* the community has no budget for text messages, or calls */
    BUDGET_COMMUNITY,    /* spent for today */
    BUDGET_CONTACT,      /* this contact has caused enough for now */
    BUDGET_DOMAIN,       /* its community has */
    BUDGET_STRANGER,     /* strangers cause one notice a day */
};

/* `more`: text messages that this plan has already taken. */
enum budget_refusal budget_sms(const struct budget_use *u, unsigned sms_per_day, unsigned more);
enum budget_refusal budget_call(const struct budget_use *u, unsigned calls_per_day, unsigned more);
enum budget_refusal budget_mail(const struct budget_use *u, unsigned more);
enum budget_refusal budget_stranger_mail(const struct budget_use *u, unsigned more);
const char *budget_words(enum budget_refusal r);
int64_t budget_window_us(enum budget_window w);

/* Verification codes. */
enum { BUDGET_CODES_ACCOUNT_DAY = 3, BUDGET_CODES_COMMUNITY_HOUR = 20, BUDGET_CODES_PREFIX_DAY = 5,
       BUDGET_CODE_ATTEMPTS = 5 };
struct budget_codes { unsigned account_day, community_hour, prefix_day; };
bool budget_code_fits(const struct budget_codes *u);

#endif
