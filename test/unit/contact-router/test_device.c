/* SPDX-License-Identifier: MIT */
/* contact-router/device.c, zone.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "contact-router/device.h"
#include "contact-router/zone.h"

static void same(const char *why, const char *got, const char *want)
{
    if ((got == NULL) != (want == NULL) || (got && strcmp(got, want) != 0))
        fail_msg("%s: `%s`, not `%s`", why, got ? got : "NULL", want ? want : "NULL");
}

static void test_addresses(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    static const struct { const char *in, *out; } phones[] = {
        { "+44 7700 900123", "+447700900123" }, { "0044 (7700) 900-123", "+447700900123" },
        { "07700900123", NULL },  { "+0123456789", NULL }, { "+1234567890123456", NULL },
        { "+12", NULL },          { "+44x7700900123", NULL }, { "", NULL }, { "+447700900123\r\nX: y", NULL },
    };
    for (size_t i = 0; i < sizeof phones / sizeof *phones; i++)
        same(phones[i].in, device_phone(&a, phones[i].in), phones[i].out);
    static const struct { const char *in, *out; } mails[] = {
        { "juliet@Capulet.Example", "juliet@capulet.example" }, { "Jul.iet+x@b.c", "Jul.iet+x@b.c" },
        { "juliet", NULL }, { "a@b@c", NULL }, { "@b", NULL }, { "a@", NULL }, { "a..b@c.d", NULL }, { ".a@c.d", NULL },
        { "a@c.d>\r\nRSET", NULL }, { "a b@c.d", NULL }, { "\"a\"@c.d", NULL }, { "a@-c.d", NULL }, { "a@c..d", NULL },
        { "a@c.d.", NULL }, { "j\xc3\xbcliet@c.d", NULL }, { "a@c-.d", NULL },
    };
    for (size_t i = 0; i < sizeof mails / sizeof *mails; i++)
        same(mails[i].in, device_mail(&a, mails[i].in), mails[i].out);
    assert_true(device_phone_is_premium("+19005551234"));
    assert_false(device_phone_is_premium("+447700900123"));
    arena_fini(&a);
}

static void test_quiet(void **state)
{
    (void)state;
    static const struct { const char *why, *quiet; int offset_s; int64_t at_min, until_min; } rows[] = {
        { "in the middle of the night", "22:00-07:00 UTC", 0, 23 * 60, 31 * 60 },
        { "early in the morning", "22:00-07:00 UTC", 0, 6 * 60, 7 * 60 },
        { "by day", "22:00-07:00 UTC", 0, 12 * 60, 12 * 60 },
        { "the end is not quiet", "22:00-07:00 UTC", 0, 7 * 60, 7 * 60 },
        { "within one day", "12:00-13:00 UTC", 0, 12 * 60 + 30, 13 * 60 },
        { "elsewhere it is night already", "22:00-07:00 X/Y", 2 * 3600, 21 * 60, 29 * 60 },
        { "west of Greenwich", "22:00-07:00 X/Y", -5 * 3600, 4 * 60, 12 * 60 },
        { "none set", "", 0, 5, 5 },
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct device_quiet q;
        assert_true(device_quiet_parse(&a, rows[i].quiet, &q));
        int64_t got = device_quiet_until(&q, rows[i].at_min * 60000000, rows[i].offset_s);
        if (got != rows[i].until_min * 60000000)
            fail_msg("%s: %lld", rows[i].why, (long long)(got / 60000000));
    }
    static const char *const bad[] = { "22-7", "24:00-07:00", "22:00-22:00", "22:60-07:00", "22:00-07:00 ../etc",
                                       "22:00-07:00 /x", "22:00", "22:00-07:00x" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct device_quiet q;
        if (device_quiet_parse(&a, bad[i], &q))
            fail_msg("%s is taken", bad[i]);
    }
    arena_fini(&a);
}

static void test_commands(void **state)
{
    (void)state;
    static const struct { const char *line; bool ours; enum device_verb verb; int64_t n; const char *text; } rows[] = {
        { "devices", true, DEVICE_LIST, 0, NULL },
        { " Devices ", true, DEVICE_LIST, 0, NULL },
        { "add email juliet@example.net", true, DEVICE_ADD, 0, "juliet@example.net" },
        { "add phone +44 7700 900123 full", true, DEVICE_ADD, 0, "+447700900123" },
        { "add phone 07700900123", true, DEVICE_WRONG, 0, NULL },
        { "add email a@b\r\nc", true, DEVICE_WRONG, 0, NULL },
        { "add pager 12345", true, DEVICE_ADD, 0, "12345" },
        { "add pager (415) 555-1212 full", true, DEVICE_ADD, 0, "4155551212" },
        { "add pager +1 415 555 1212", true, DEVICE_ADD, 0, "+14155551212" },
        { "add pager ward_7.night", true, DEVICE_ADD, 0, "ward_7.night" },
        { "add pager 4155551212@Carrier.example", true, DEVICE_ADD, 0, "4155551212@carrier.example" },
        { "add pager 12", true, DEVICE_WRONG, 0, NULL },
        { "add pager two words", true, DEVICE_WRONG, 0, NULL },
        { "add pager a<b", true, DEVICE_WRONG, 0, NULL },
        { "add pager ../x", true, DEVICE_WRONG, 0, NULL },
        { "add webhook 12345", true, DEVICE_WRONG, 0, NULL },
        { "add", true, DEVICE_WRONG, 0, NULL },
        { "verify 123456", true, DEVICE_VERIFY, 0, "123456" },
        { "123456", true, DEVICE_VERIFY, 0, "123456" },
        { "12345", false, 0, 0, NULL },
        { "remove 2", true, DEVICE_REMOVE, 2, NULL },
        { "remove", true, DEVICE_WRONG, 0, NULL },
        { "remove it please", false, 0, 0, NULL },
        { "test the waters", false, 0, 0, NULL },
        { "full 1", true, DEVICE_FULL, 1, NULL },
        { "quiet 1 22:00-07:00 Europe/London", true, DEVICE_QUIET, 1, "Europe/London" },
        { "quiet 1 off", true, DEVICE_QUIET, 1, "" },
        { "quiet 1 at night", true, DEVICE_WRONG, 1, NULL },
        { "hello", false, 0, 0, NULL },
        { "", false, 0, 0, NULL },
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct device_command c;
        bool ours = device_command_parse(&a, rows[i].line, &c);
        if (ours != rows[i].ours || (ours && (c.verb != rows[i].verb || c.n != rows[i].n)))
            fail_msg("%s: %d %d %d", rows[i].line, ours, c.verb, (int)c.n);
        if (ours && rows[i].text)
            same(rows[i].line, c.verb == DEVICE_VERIFY ? c.code : c.verb == DEVICE_QUIET ? c.quiet.zone : c.address,
                 rows[i].text);
    }
    arena_fini(&a);
}

static void test_zone(void **state)
{
    (void)state;
    static const struct { const char *why, *zone; int64_t at; int offset; bool known; } rows[] = {
        { "London in January 2026", "Europe/London", 1767225600, 0, true },
        { "London in July 2026", "Europe/London", 1782864000, 3600, true },
        { "behind the table: July 2050 by the footer's rule", "Europe/London", 2540246400, 3600, true },
        { "January 2050", "Europe/London", 2524608000, 0, true },
        { "south of the equator summer is over New Year: January 2050", "Australia/Sydney", 2524608000, 39600, true },
        { "and July 2050 is winter", "Australia/Sydney", 2540246400, 36000, true },
        { "half hours, no summer time", "Asia/Kolkata", 1767225600, 19800, true },
        { "UTC needs no file", "UTC", 5, 0, true },
        { "no such zone", "Verona/Balcony", 5, 0, false },
        { "not a way out of the folder", "../../etc/passwd", 5, 0, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int offset;
        bool known = zone_offset(NULL, rows[i].zone, rows[i].at, &offset);
        if (known != rows[i].known || offset != rows[i].offset)
            fail_msg("%s: %d %d", rows[i].why, known, offset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
