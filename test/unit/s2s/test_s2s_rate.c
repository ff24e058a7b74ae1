/* SPDX-License-Identifier: MIT */
/* How much a domain may bring, and how long it waits after more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "s2s/s2s_rate.h"

/* Two seconds' worth at once; then a stanza earns its time. */
static void stanzas(void **state)
{
    struct s2s_rate r;
    (void)state;
    s2s_rate_init(&r, (struct s2s_rate_limits){.stanzas_per_s = 10}, 1000);
    assert_true(s2s_rate_is_full(&r, 1000));
    for (int i = 0; i < 20; i++)
        assert_int_equal(s2s_rate_spend(&r, 1000000, 1000), 0);
    assert_int_equal(s2s_rate_spend(&r, 1, 1000), 100);
    assert_int_equal(s2s_rate_spend(&r, 1, 1000), 200);
    assert_int_equal(s2s_rate_spend(&r, 1, 1300), 0);
    assert_int_equal(s2s_rate_spend(&r, 1, 1300), 100);
    assert_false(s2s_rate_is_full(&r, 3000));
    assert_true(s2s_rate_is_full(&r, 4000));
}

static void bytes(void **state)
{
    struct s2s_rate r;
    (void)state;
    s2s_rate_init(&r, (struct s2s_rate_limits){.bytes_per_s = 1000}, 0);
    assert_int_equal(s2s_rate_spend(&r, 2000, 0), 0);
    assert_int_equal(s2s_rate_spend(&r, 500, 0), 500);
    assert_int_equal(s2s_rate_spend(&r, 500, 500), 500);
    /* one that is more than all that the bucket holds has its time like others */
    assert_int_equal(s2s_rate_spend(&r, 10000, 1000), 10000);
    assert_true(s2s_rate_is_full(&r, UINT64_MAX / 2));
}

/* The slower of both; a clock that stands or steps back gives nothing. */
static void both(void **state)
{
    struct s2s_rate r;
    (void)state;
    s2s_rate_init(&r, (struct s2s_rate_limits){.stanzas_per_s = 1, .bytes_per_s = 1000}, 5000);
    assert_int_equal(s2s_rate_spend(&r, 2500, 5000), 500);
    assert_int_equal(s2s_rate_spend(&r, 1, 4000), 501);
    assert_int_equal(s2s_rate_spend(&r, 1, 4000), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stanzas), cmocka_unit_test(bytes), cmocka_unit_test(both)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
