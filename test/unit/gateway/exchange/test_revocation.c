/* SPDX-License-Identifier: MIT */
/* Whose login of before binds nothing: an account's, or one installation's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/exchange/revocation.h"

static void who_is_meant(void **state)
{
    static const struct {
        const char *bare, *agent;
        bool meant;
        const char *proves;
    } rows[] = {
        {"romeo@a.example", NULL, true, "all of an account: without a name"},
        {"romeo@a.example", "phone", true, "all of an account: by any name"},
        {"juliet@a.example", "phone", true, "one installation"},
        {"juliet@a.example", "desk", false, "not another one of it"},
        {"juliet@a.example", NULL, false, "nor who told no name"},
        {"nurse@a.example", "phone", false, "nor one of that name of another account"},
    };
    struct revocations v;

    (void)state;
    revocation_init(&v);
    uint64_t before = revocation_count(&v);
    revocation_add(&v, "romeo@a.example", NULL);
    revocation_add(&v, "juliet@a.example", "phone");
    uint64_t after = revocation_count(&v);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("  %s\n", rows[i].proves);
        assert_int_equal(revocation_since(&v, rows[i].bare, rows[i].agent, before), rows[i].meant);
        assert_false(revocation_since(&v, rows[i].bare, rows[i].agent, after));
    }
    revocation_fini(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_is_meant)};
    return cmocka_run_group_tests_name("revocation", tests, NULL, NULL);
}
