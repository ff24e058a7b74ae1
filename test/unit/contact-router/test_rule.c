/* SPDX-License-Identifier: MIT */
/* contact-router/rule.c: for whom and when a rule is, and which one is never reached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contact-router/planner.h"
#include "contact-router/rule_text.h"

#define ROMEO "romeo@montague.example"
#define MONDAY ((int64_t)1892764800) /* 2029-12-24T00:00:00Z */

/* Seconds since 1970; weekday 0 is Monday. */
static int64_t at(int weekday, int hour, int minute)
{
    return MONDAY + weekday * 86400 + hour * 3600 + minute * 60;
}

static struct rule parsed(struct arena *a, const char *text)
{
    struct rule r;
    const char *why;
    if (!rule_text_parse(a, text, &r, &why))
        fail_msg("%s: %s", text, why);
    return r;
}

static const struct {
    const char *why, *rule, *peer, *groups;
    bool stranger;
    unsigned urgency;
    int weekday, hour, minute, offset_s;
    enum rule_fit fit;
} rows[] = {
    { "anybody", "for anybody: nothing", "x.example", "", true, PLANNER_LOW, 0, 0, 0, 0, RULE_FITS },
    { "that address", "for " ROMEO ": nothing", ROMEO, "", false, PLANNER_LOW, 0, 0, 0, 0, RULE_FITS },
    { "a stranger with that address, too", "for " ROMEO ": nothing", ROMEO, "", true, PLANNER_LOW, 0, 0, 0, 0, RULE_FITS },
    { "another address", "for " ROMEO ": nothing", "tybalt@montague.example", "", false, PLANNER_LOW, 0, 0, 0, 0, RULE_OTHER_SENDER },
    { "of that domain", "for montague.example: nothing", ROMEO, "", false, PLANNER_LOW, 0, 0, 0, 0, RULE_FITS },
    { "the domain itself", "for montague.example: nothing", "montague.example", "", false, PLANNER_LOW, 0, 0, 0, 0, RULE_FITS },
    { "a domain that ends so", "for montague.example: nothing", "r@evil-montague.example", "", false, PLANNER_LOW, 0, 0, 0, 0, RULE_OTHER_SENDER },
    { "below that domain", "for montague.example: nothing", "r@x.montague.example", "", false, PLANNER_LOW, 0, 0, 0, 0, RULE_OTHER_SENDER },
    { "no stranger among contacts", "for contacts: nothing", ROMEO, "", true, PLANNER_LOW, 0, 0, 0, 0, RULE_OTHER_SENDER },
    { "no contact among strangers", "for strangers: nothing", ROMEO, "", false, PLANNER_LOW, 0, 0, 0, 0, RULE_OTHER_SENDER },
    { "in that group", "for group \"My ward\": nothing", ROMEO, "Friends\nMy ward", false, PLANNER_LOW, 0, 0, 0, 0, RULE_FITS },
    { "not in it", "for group Ward: nothing", ROMEO, "Friends\nWards", false, PLANNER_LOW, 0, 0, 0, 0, RULE_OTHER_SENDER },
    { "in no group", "for group Ward: nothing", ROMEO, "", false, PLANNER_LOW, 0, 0, 0, 0, RULE_OTHER_SENDER },
    { "urgent", "for anybody if urgent: nothing", ROMEO, "", false, PLANNER_HIGH, 0, 0, 0, 0, RULE_FITS },
    { "not urgent", "for anybody if urgent: nothing", ROMEO, "", false, PLANNER_MEDIUM, 0, 0, 0, 0, RULE_OTHER_URGENCY },
    { "one of two", "for anybody if low or emergency: nothing", ROMEO, "", false, PLANNER_LOW, 0, 0, 0, 0, RULE_FITS },
    { "on Monday", "for anybody on mon UTC: nothing", ROMEO, "", false, PLANNER_LOW, 0, 12, 0, 0, RULE_FITS },
    { "not on Tuesday", "for anybody on mon UTC: nothing", ROMEO, "", false, PLANNER_LOW, 1, 12, 0, 0, RULE_OTHER_TIME },
    { "on Sunday", "for anybody on weekends UTC: nothing", ROMEO, "", false, PLANNER_LOW, 6, 23, 59, 0, RULE_FITS },
    { "a week that wraps", "for anybody on sat-mon UTC: nothing", ROMEO, "", false, PLANNER_LOW, 0, 23, 59, 0, RULE_FITS },
    { "east of Greenwich it is Tuesday", "for anybody on mon X/Y: nothing", ROMEO, "", false, PLANNER_LOW, 0, 23, 0, 7200, RULE_OTHER_TIME },
    { "by day", "for anybody at 09:00-17:00 UTC: nothing", ROMEO, "", false, PLANNER_LOW, 0, 9, 0, 0, RULE_FITS },
    { "the end is outside", "for anybody at 09:00-17:00 UTC: nothing", ROMEO, "", false, PLANNER_LOW, 0, 17, 0, 0, RULE_OTHER_TIME },
    { "by night, before midnight", "for anybody at 22:00-07:00 UTC: nothing", ROMEO, "", false, PLANNER_LOW, 0, 22, 0, 0, RULE_FITS },
    { "by night, after midnight", "for anybody at 22:00-07:00 UTC: nothing", ROMEO, "", false, PLANNER_LOW, 0, 6, 59, 0, RULE_FITS },
    { "not by day", "for anybody at 22:00-07:00 UTC: nothing", ROMEO, "", false, PLANNER_LOW, 0, 7, 0, 0, RULE_OTHER_TIME },
    { "Friday's night ends on Saturday", "for anybody on fri at 22:00-07:00 UTC: nothing", ROMEO, "", false, PLANNER_LOW, 5, 3, 0, 0, RULE_FITS },
    { "the night to Friday is Thursday's", "for anybody on fri at 22:00-07:00 UTC: nothing", ROMEO, "", false, PLANNER_LOW, 4, 3, 0, 0,
      RULE_OTHER_TIME },
    { "Sunday's night ends on Monday", "for anybody on sun at 22:00-07:00 UTC: nothing", ROMEO, "", false, PLANNER_LOW, 0, 3, 0, 0, RULE_FITS },
    { "west of Greenwich it is still evening", "for anybody on mon at 18:00-23:00 X/Y: nothing", ROMEO, "", false, PLANNER_LOW, 1, 1, 0, -5 * 3600,
      RULE_FITS },
};

static void test_fits(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rule r = parsed(&a, rows[i].rule);
        struct rule_event ev = { .peer = rows[i].peer, .groups = rows[i].groups, .stranger = rows[i].stranger, .urgency = rows[i].urgency,
                                 .at_us = at(rows[i].weekday, rows[i].hour, rows[i].minute) * 1000000 };
        enum rule_fit got = rule_fits(&r, &ev, rows[i].offset_s);
        if (got != rows[i].fit)
            fail_msg("%s: %d", rows[i].why, got);
    }
    arena_fini(&a);
}

static void test_hides(void **state)
{
    (void)state;
    static const struct { const char *earlier, *later; bool hides; } pairs[] = {
        { "for anybody: nothing", "for " ROMEO ": text", true },
        { "for montague.example: nothing", "for " ROMEO ": text", true },
        { "for capulet.example: nothing", "for " ROMEO ": text", false },
        { "for " ROMEO ": nothing", "for montague.example: text", false },
        { "for anybody at 22:00-07:00 UTC: nothing", "for " ROMEO ": text", false },
        { "for anybody if urgent: nothing", "for " ROMEO ": text", false },
        { "for anybody if urgent: nothing", "for " ROMEO " if high: text", true },
        { "for contacts: nothing", "for " ROMEO ": text", false }, /* who knows whether he is one */
        { "for contacts: nothing", "for contacts on mon UTC: text", true },
        { "for group A: nothing", "for group B: text", false },
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct rule earlier = parsed(&a, pairs[i].earlier), later = parsed(&a, pairs[i].later);
        if (rule_hides(&earlier, &later) != pairs[i].hides)
            fail_msg("%s before %s", pairs[i].earlier, pairs[i].later);
    }
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_hides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
