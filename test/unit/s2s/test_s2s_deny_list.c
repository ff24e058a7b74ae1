/* SPDX-License-Identifier: MIT */
/* What lines of a list mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "s2s/s2s_deny_list.h"

static const char text[] = "# people and places\n"
                           "spam.example\r\n"
                           "  *.below.example  # all of them\n"
                           "Villain@Decent.example\n"
                           "\n"
                           "not@a@jid\n"
                           "villain@decent.example/phone\n"
                           "*.somebody@decent.example\n"
                           "bücher.example";

static void on_wrong(void *user, unsigned line)
{
    char *out = user;
    snprintf(out + strlen(out), 64 - strlen(out), "%u ", line);
}

static void lines(void **state)
{
    static const struct {
        const char *jid;
        bool domain, person;
    } rows[] = {
        {"spam.example", true, false},
        {"x@spam.example", true, false}, /* by its domain */
        {"sub.spam.example", false, false},
        {"below.example", false, false},
        {"a.below.example", true, false},
        {"a.b.below.example", true, false},
        {"notbelow.example", false, false},
        {"villain@decent.example/phone", false, true},
        {"other@decent.example", false, false},
        {"decent.example", false, false},
        {"BÜCHER.example", true, false},
        {"somebody@decent.example", false, false},
    };
    char wrong[64] = "";
    (void)state;
    struct s2s_deny_list *l = s2s_deny_list_read("a list", text, strlen(text), on_wrong, wrong);
    assert_string_equal(wrong, "6 7 8 ");
    assert_string_equal(s2s_deny_list_name(l), "a list");
    assert_int_equal(s2s_deny_list_count(l), 4);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        arena_init(&a);
        const struct jid *j = jid_parse_text(&a, rows[i].jid);
        assert_non_null(j);
        if (s2s_deny_list_has_domain(l, j->domain) != rows[i].domain || s2s_deny_list_has_person(l, j) != rows[i].person)
            fail_msg("%s", rows[i].jid);
        arena_fini(&a);
    }
    s2s_deny_list_unref(&l);
}

/* As block lists that others publish have them. */
static void hashes(void **state)
{
    /* sha256 of "spam.example" and of "villain@decent.example", the second in capitals */
    static const char hashed[] = "8bb6634ad532175e1c706063fd69b452bf51917f61150b14da6500c018cf8df4\n"
                                 "419C738D1CDBA36218060EAB11B4809C466613987CCD7991BB81BA370D47CC40\n";
    struct arena a;
    (void)state;
    arena_init(&a);
    struct s2s_deny_list *l = s2s_deny_list_read("h", hashed, strlen(hashed), NULL, NULL);
    assert_int_equal(s2s_deny_list_count(l), 2);
    assert_true(s2s_deny_list_has_domain(l, "spam.example"));
    assert_false(s2s_deny_list_has_domain(l, "ham.example"));
    assert_true(s2s_deny_list_has_person(l, jid_parse_text(&a, "villain@decent.example/x")));
    assert_false(s2s_deny_list_has_person(l, jid_parse_text(&a, "hero@decent.example")));
    s2s_deny_list_unref(&l);
    arena_fini(&a);
}

static void patterns(void **state)
{
    (void)state;
    assert_true(s2s_deny_list_fits("a.example", "a.example"));
    assert_false(s2s_deny_list_fits("a.example", "b.a.example"));
    assert_true(s2s_deny_list_fits("*.a.example", "b.a.example"));
    assert_false(s2s_deny_list_fits("*.a.example", "a.example"));
    assert_false(s2s_deny_list_fits("*.a.example", "ba.example"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines), cmocka_unit_test(hashes), cmocka_unit_test(patterns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
