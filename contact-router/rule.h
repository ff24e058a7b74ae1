/* SPDX-License-Identifier: MIT */
/* A rule of a person's own: whose messages it is for, when, and by which devices they are told then. The
 * first that fits decides; the planner (planner.h) does the rest. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_RULE_H
#define CAUSEWAY_CONTACT_ROUTER_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "contact-router/device.h"

enum {
    RULE_PER_ACCOUNT_MAX = 20,
    RULE_STEPS_MAX = 4,
    RULE_DELAY_MAX_MIN = 24 * 60,
    RULE_TEXT_MAX = 512,  /* bytes, as it is written (rule_text.h) */
    RULE_GROUP_MAX = 128, /* bytes of a group's name */
};

/* name, word in forms */
#define RULE_SENDERS(S)         \
    S(ANYBODY, "anybody")       \
    S(CONTACTS, "contacts")     \
    S(STRANGERS, "strangers")   \
    S(GROUP, "group")           \
    S(ADDRESS, "address")       \
    S(DOMAIN, "domain")
enum rule_sender {
#define S(name, word) RULE_##name,
    RULE_SENDERS(S)
#undef S
    RULE_SENDER_COUNT
};

/* Told after `delay_s` since the message came: all devices of `kinds` (1 << kind; of telephones one is called), and
 * those named by their number. */
struct rule_step {
    unsigned delay_s, kinds;
    bool first_only; /* only the first of them that will do; no rule that is written says so */
    unsigned device_count;
    uint32_t devices[DEVICE_PER_ACCOUNT_MAX];
};

struct rule {
    enum rule_sender sender;
    const char *whom;    /* the group's name, bare JID, or domain; "" for the others */
    unsigned urgencies;  /* 1 << planner_urgency; 0: any */
    unsigned days;       /* 1 << RULE_MONDAY..RULE_SUNDAY; 0: every day */
    bool has_hours;
    unsigned from_min, to_min; /* as in device_quiet; hours over midnight belong to the day on which they begin */
    const char *zone;    /* of days and hours, IANA name; "" when there are neither */
    unsigned step_count; /* 0: nobody is told; the message waits for the log-on */
    struct rule_step steps[RULE_STEPS_MAX];
    const char *damaged; /* as the store has it, where that cannot be read: then nothing above holds; NULL: it can */
};

enum { RULE_MONDAY, RULE_SUNDAY = 6, RULE_DAYS, RULE_EVERY_DAY = (1 << RULE_DAYS) - 1 };

/* Who writes, when, how urgently. */
struct rule_event {
    const char *peer;   /* bare JID */
    const char *groups; /* of the roster, joined by '\n'; "" none */
    bool stranger;
    unsigned urgency;   /* planner_urgency */
    int64_t at_us;
};

enum rule_fit { RULE_FITS, RULE_OTHER_SENDER, RULE_OTHER_URGENCY, RULE_OTHER_TIME };

/* `offset_s`: of the rule's zone at that time. */
enum rule_fit rule_fits(const struct rule *r, const struct rule_event *ev, int offset_s);
/* Does `earlier`, standing before it, leave nothing for `later`? false when that depends on who is who. */
bool rule_hides(const struct rule *earlier, const struct rule *later);
bool rule_names_device(const struct rule *r, int64_t n);
const char *rule_sender_word(enum rule_sender s);

#endif
