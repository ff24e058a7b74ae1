/* SPDX-License-Identifier: MIT */
/* contact-router/rule_text.c: what people write, its normal form, and what they are told when it is not right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "contact-router/rule_text.h"

static const struct { const char *in, *out; } right[] = {
    { "for romeo@montague.example: text at once, call after 5 min", "for romeo@montague.example: text at once, call after 5 min" },
    { "Romeo@Montague.Example/orchard : TEXT", "for romeo@montague.example: text at once" },
    { "from montague.example: email", "for montague.example: email at once" },
    { "domain localhost: pager now", NULL },
    { "domain localhost: pager", "for domain localhost: pager at once" },
    { "anyone: nothing", "for anybody: nothing" },
    { "Everybody: nobody", "for anybody: nothing" },
    { "strangers: e-mail", "for strangers: email at once" },
    { "group Friends: sms", "for group \"Friends\": text at once" },
    { "group Close friends on sat, sun Europe/London: everything", "for group \"Close friends\" on sat,sun Europe/London: everything at once" },
    { "group \"at: home\": text", "for group \"at: home\": text at once" },
    { "group \xe2\x80\x9con call\xe2\x80\x9d: text", "for group \"on call\": text at once" },
    { "contacts on Monday-Friday at 9:00-17:00 Europe/London if urgent: call",
      "for contacts on mon-fri at 09:00-17:00 Europe/London if urgent: call at once" },
    { "contacts if urgent at 9:00-17:00 in Europe/London on weekdays: call",
      "for contacts on mon-fri at 09:00-17:00 Europe/London if urgent: call at once" },
    { "contacts at 22:00-07:00: nothing", "for contacts at 22:00-07:00: nothing" },
    { "contacts on fri-mon UTC: text", "for contacts on mon,fri-sun UTC: text at once" },
    { "contacts on mon tue wed thu fri sat sun: text", "for contacts: text at once" },
    { "contacts if not urgent: text", "for contacts if not urgent: text at once" },
    { "contacts if low or not urgent: text", "for contacts if not urgent: text at once" },
    { "contacts if high or emergency: text", "for contacts if urgent: text at once" },
    { "contacts when high: text", "for contacts if high: text at once" },
    { "contacts if low or medium or high or emergency: text", "for contacts: text at once" },
    { "contacts: text message and email, then phone call in 90 minutes", "for contacts: text and email at once, call after 90 min" },
    { "contacts: text, email after 5min; call after 2h", "for contacts: text at once, email after 5 min, call after 120 min" },
    { "contacts: text then call after 1 hour", "for contacts: text at once, call after 60 min" },
    { "contacts: device 3 + #1 and 3 and text", "for contacts: text and device 3 and device 1 at once" },
    { "contacts: text and call and email and pager", "for contacts: everything at once" },
    { "contacts: call after 10 min", "for contacts: call after 10 min" },
    { "contacts: call after 24 hours", "for contacts: call after 1440 min" },
};

static const struct { const char *in, *why; } wrongs[] = {
    { "", "Whom is it for?" },
    { "romeo: text", "is not anybody" },
    { ": text", "is not anybody" },
    { "group: text", "Which group" },
    { "group \"open: text", "quotation mark" },
    { "@: text", "is not an address" },
    { "domain romeo@x.example: text", "is not an address or a domain" },
    { ";contacts: text", "is not anybody" },
    { "contacts text", "I do not understand \"text\"" },
    { "contacts", "behind a colon" },
    { "contacts:", "What shall happen?" },
    { "contacts at night: text", "At which hours?" },
    { "contacts at 22:00: text", "At which hours?" },
    { "contacts at 25:00-26:00 UTC: text", "At which hours?" },
    { "contacts at 22:00-07:00 ../etc: text", "I do not understand \"../etc\"" },
    { "contacts at 22:00-07:00 UTC UTC: text", "I do not understand \"UTC\"" },
    { "contacts on sat in on: text", "I do not understand \"on\"" },
    { "contacts on sat in Mon: text", "I do not understand \"Mon\"" },
    { "contacts in Europe/London: text", "says nothing without hours or days" },
    { "contacts on holidays: text", "On which days?" },
    { "contacts on mon-: text", "On which days?" },
    { "contacts if: text", "How urgent?" },
    { "contacts if not low: text", "How urgent?" },
    { "contacts if urgent or: text", "How urgent?" },
    { "contacts: pigeon", "I do not understand \"pigeon\"" },
    { "contacts: webhook", "cannot be used yet" },
    { "contacts: device", "Which device?" },
    { "contacts: device two", "Which device?" },
    { "contacts: 0", "Which device?" },
    { "contacts: text after", "After how many minutes?" },
    { "contacts: text after 5", "After how many minutes?" },
    { "contacts: text after 90 s", "After how many minutes?" },
    { "contacts: text after -1 min", "After how many minutes?" },
    { "contacts: text after 1441 min", "one day ahead" },
    { "contacts: text after 99999999999 min", "After how many minutes?" },
    { "contacts: text after 4294967295 h", "one day ahead" },
    { "contacts: text at noon", "at once" },
    { "contacts: call after 5 min, text", "in their order" },
    { "contacts: text, ", "Which devices?" },
    { "contacts: , text", "Which devices?" },
    { "contacts: text and", "Which devices?" },
    { "contacts: nothing, text", "Behind \"nothing\"" },
    { "contacts: text, nothing", "I do not understand \"nothing\"" },
    { "contacts: 1, 2, 3, 4, 5", "at most four steps" },
    { "contacts: 1 2 3 4 5 6 7 8 9 10 11", "more devices than one may list" },
};

static void test_right(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        struct rule r;
        struct bytes out = BYTES_EMPTY;
        const char *why;
        bool ok = rule_text_parse(&a, right[i].in, &r, &why);
        if (ok)
            rule_text_write(&r, &out);
        if (ok != (right[i].out != NULL) || (ok && strcmp(bytes_text(&out), right[i].out) != 0))
            fail_msg("%s: %s", right[i].in, ok ? bytes_text(&out) : why);
        bytes_fini(&out);
    }
    arena_fini(&a);
}

static void test_wrong(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        struct rule r;
        const char *why = "(it is taken)";
        if (rule_text_parse(&a, wrongs[i].in, &r, &why) || !strstr(why, wrongs[i].why))
            fail_msg("%s: %s", wrongs[i].in, why);
    }
    arena_fini(&a);
}

static void test_bounds(void **state)
{
    (void)state;
    struct arena a;
    struct rule r;
    const char *why;
    char text[2000];
    arena_init(&a);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_false(rule_text_parse(&a, text, &r, &why));
    memcpy(text, "group ", 6);
    memcpy(text + 200, ": text", 7);
    assert_false(rule_text_parse(&a, text, &r, &why)); /* a group's name */
    for (size_t i = 0; i < 300; i++)
        memcpy(text + 3 * i, "\"\" ", 4);
    assert_false(rule_text_parse(&a, text, &r, &why)); /* words */
    assert_non_null(strstr(why, "too long"));
    arena_fini(&a);
}

/* What is taken is kept in its normal form, which is longer, and must be understood when it is read again. */
static void test_the_longest_is_read_again(void **state)
{
    (void)state;
    struct arena a;
    struct bytes in = BYTES_EMPTY, kept = BYTES_EMPTY;
    struct rule r;
    const char *why;
    arena_init(&a);
    bytes_append_text(&in, "for a.very.long.domain.of.somebody.who.writes.montague.example on mon,wed at 22:00-07:00 "
                           "America/Argentina/ComodRivadavia if low or high:");
    for (unsigned step = 0; step < RULE_STEPS_MAX; step++)
        bytes_printf(&in, "%s text call email 90 91 92 93 94 95 96 97 98 99 after 9%u min", step ? "," : "", step);
    assert_true(in.len <= RULE_TEXT_MAX);
    assert_true(rule_text_parse(&a, bytes_text(&in), &r, &why));
    rule_text_write(&r, &kept);
    if (!rule_text_parse(&a, bytes_text(&kept), &r, &why))
        fail_msg("%s: %s", bytes_text(&kept), why);
    bytes_fini(&in);
    bytes_fini(&kept);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_the_longest_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
