/* SPDX-License-Identifier: MIT */
/* contact-router/zone_cache.c: how often files are read. What they say is test_device.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "contact-router/zone_cache.h"

enum { SUMMER_S = 1782864000 }; /* July 2026 */

static void test_reads(void **state)
{
    (void)state;
    static const struct { const char *why, *zone; int64_t later_s; int offset_s; bool known; unsigned reads; } rows[] = {
        { "UTC needs no file", "UTC", 0, 0, true, 0 },
        { "read", "Europe/London", 0, 3600, true, 1 },
        { "known", "Europe/London", 10, 3600, true, 1 },
        { "another", "Asia/Kolkata", 10, 19800, true, 2 },
        { "there is none: looked for once", "Verona/Balcony", 10, 0, false, 3 },
        { "known not to be there", "Verona/Balcony", 20, 0, false, 3 },
        { "still known", "Europe/London", ZONE_CACHE_S - 1, 3600, true, 3 },
        { "after an hour it may be another version", "Europe/London", ZONE_CACHE_S, 3600, true, 4 },
        { "a clock that was set back", "Europe/London", -10, 3600, true, 5 },
        { "not a way out of the folder", "../../etc/passwd", -10, 0, false, 6 },
    };
    struct zone_cache c;
    zone_cache_init(&c, NULL);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        int offset_s;
        bool known = zone_cache_offset(&c, rows[i].zone, SUMMER_S + rows[i].later_s, &offset_s);
        if (known != rows[i].known || offset_s != rows[i].offset_s || c.reads != rows[i].reads)
            fail_msg("%s: %d %d, %u reads", rows[i].why, known, offset_s, c.reads);
    }
    zone_cache_fini(&c);
}

static void test_bounded(void **state)
{
    (void)state;
    struct zone_cache c;
    zone_cache_init(&c, NULL);
    for (unsigned i = 0; i < 10 * ZONE_CACHE_MAX; i++) {
        char name[32];
        int offset_s;
        snprintf(name, sizeof name, "Nowhere/%u", i);
        assert_false(zone_cache_offset(&c, name, SUMMER_S, &offset_s));
        assert_in_range(c.zones.count, 1, ZONE_CACHE_MAX);
    }
    zone_cache_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_reads), cmocka_unit_test(test_bounded) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
