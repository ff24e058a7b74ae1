/* SPDX-License-Identifier: MIT */
/* JIDs: what is one, what it becomes, and that the fast path agrees with libidn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <stringprep.h>

#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/prep.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void parse_table(void **state)
{
    (void)state;
    static const struct {
        const char *in, *full, *bare, *local, *domain, *resource, *proves;
    } rows[] = {
        {"Juliet@Capulet.EXAMPLE/Balcony", "juliet@capulet.example/Balcony",
         "juliet@capulet.example", "juliet", "capulet.example", "Balcony",
         "case folds in local and domain, stays in resource"},
        {"capulet.example", "capulet.example", "capulet.example", NULL, "capulet.example", NULL,
         "a domain alone"},
        {"capulet.example/a@b/c", "capulet.example/a@b/c", "capulet.example", NULL,
         "capulet.example", "a@b/c", "the first slash ends the domain (RFC 7622 3.1)"},
        {"capulet.example.", "capulet.example", "capulet.example", NULL, "capulet.example", NULL,
         "a final dot is dropped (RFC 7622 3.2)"},
        {"a@[::1]", "a@[::1]", "a@[::1]", "a", "[::1]", NULL, "an IPv6 literal"},
        {"a@127.0.0.1", "a@127.0.0.1", "a@127.0.0.1", "a", "127.0.0.1", NULL, "an IPv4 literal"},
        {"\xc3\x9c@B\xc3\x9c"
         "CHER.example",
         "\xc3\xbc@b\xc3\xbc"
         "cher.example",
         "\xc3\xbc@b\xc3\xbc"
         "cher.example",
         "\xc3\xbc",
         "b\xc3\xbc"
         "cher.example",
         NULL, "nodeprep and IDNA fold"},
        {"xn--bcher-kva.example",
         "b\xc3\xbc"
         "cher.example",
         "b\xc3\xbc"
         "cher.example",
         NULL,
         "b\xc3\xbc"
         "cher.example",
         NULL, "an A-label becomes its U-label"},
        {"a@b/\xf0\x9f\x98\x80", "a@b/\xf0\x9f\x98\x80", "a@b", "a", "b", "\xf0\x9f\x98\x80",
         "an emoji as nickname"},
        {"a.b+c@d", "a.b+c@d", "a.b+c@d", "a.b+c", "d", NULL, "punctuation in the localpart"},
        {"", NULL, 0, 0, 0, 0, "empty"},
        {"@b", NULL, 0, 0, 0, 0, "empty localpart"},
        {"a@", NULL, 0, 0, 0, 0, "empty domain"},
        {"a@b/", NULL, 0, 0, 0, 0, "empty resource"},
        {"/r", NULL, 0, 0, 0, 0, "resource without domain"},
        {"a b@c", NULL, 0, 0, 0, 0, "space in the localpart"},
        {"a@b@c", NULL, 0, 0, 0, 0, "two at signs"},
        {"a'b@c", NULL, 0, 0, 0, 0, "apostrophe in the localpart"},
        {"a@b..c", NULL, 0, 0, 0, 0, "empty label"},
        {"a@-b.c", NULL, 0, 0, 0, 0, "label begins with a hyphen"},
        {"a@b_c", NULL, 0, 0, 0, 0, "underscore in a domain (STD 3)"},
        {"a@b c", NULL, 0, 0, 0, 0, "space in a domain"},
        {"a@" A63 "a.example", NULL, 0, 0, 0, 0, "label of 64 characters"},
        {"a@[::1", NULL, 0, 0, 0, 0, "unclosed literal"},
        {"a@[zz]", NULL, 0, 0, 0, 0, "literal that is no address"},
        {"a@b/\x01", NULL, 0, 0, 0, 0, "control character"},
        {"\xff@b", NULL, 0, 0, 0, 0, "broken UTF-8"},
        {"a@xn--a", NULL, 0, 0, 0, 0, "A-label that decodes to nothing"},
        {"a@xn--Brrrrrrbrrrrrxn--bcher-kvae", NULL, 0, 0, 0, 0, "A-label of what is no label"},
        {"\xe2\x80\x8f@b", NULL, 0, 0, 0, 0, "prohibited code point"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        arena_init(&a);
        const struct jid *j = jid_parse_text(&a, rows[i].in);
        if ((j != NULL) != (rows[i].full != NULL))
            fail_msg("%s: '%s'", rows[i].proves, rows[i].in);
        if (j) {
            assert_string_equal(j->full, rows[i].full);
            assert_string_equal(j->bare, rows[i].bare);
            assert_string_equal(j->domain, rows[i].domain);
            assert_true((j->local == NULL) == (rows[i].local == NULL));
            assert_true((j->resource == NULL) == (rows[i].resource == NULL));
            if (j->local)
                assert_string_equal(j->local, rows[i].local);
            if (j->resource)
                assert_string_equal(j->resource, rows[i].resource);
            assert_true(jid_eq(j, jid_parse_text(&a, j->full))); /* prepared twice is the same */
        }
        arena_fini(&a);
    }
}

static void lengths(void **state)
{
    (void)state;
    char text[2100];
    struct arena a;
    arena_init(&a);
    memset(text, 'x', sizeof text);
    memcpy(text + 1023, "@d", 3);
    assert_non_null(jid_parse_text(&a, text));
    memset(text, 'x', sizeof text);
    memcpy(text + 1024, "@d", 3);
    assert_null(jid_parse_text(&a, text));
    memcpy(text, "d/", 2);
    memset(text + 2, 'x', 1024);
    assert_non_null(jid_parse(&a, text, 2 + 1023));
    assert_null(jid_parse(&a, text, 2 + 1024));
    assert_null(jid_parse(&a, "a\0b@c", 5));
    arena_fini(&a);
}

static void derived(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    const struct jid *j = jid_make(&a, "Romeo", "montague.example", "orchard");
    assert_string_equal(j->full, "romeo@montague.example/orchard");
    assert_string_equal(jid_to_bare(&a, j)->full, "romeo@montague.example");
    assert_string_equal(jid_to_domain(&a, j)->full, "montague.example");
    assert_null(jid_make(&a, "", "montague.example", NULL));
    struct jid *d = jid_dup(j);
    assert_true(jid_eq(d, j));
    assert_true(jid_eq_bare(d, jid_to_bare(&a, j)));
    assert_false(jid_eq(d, jid_to_bare(&a, j)));
    assert_false(jid_eq(d, NULL));
    assert_true(jid_eq(NULL, NULL));
    jid_destroy(&d);
    assert_null(d);
    arena_fini(&a);
}

/* On all pairs of ASCII characters the fast paths say what libidn says. */
static void fast_path_agrees(void **state)
{
    (void)state;
    for (int x = 1; x < 128; x++) {
        for (int y = 1; y < 128; y++) {
            char in[3] = {(char)x, (char)y, 0}, out[PREP_MAX + 1], want[16];
            strcpy(want, in);
            bool ok = stringprep(want, sizeof want, 0, stringprep_xmpp_nodeprep) == 0;
            assert_int_equal(prep_node(out, in, 2) != 0, ok);
            if (ok)
                assert_string_equal(out, want);
            strcpy(want, in);
            ok = stringprep(want, sizeof want, 0, stringprep_xmpp_resourceprep) == 0;
            assert_int_equal(prep_resource(out, in, 2) != 0, ok);
            strcpy(want, in);
            ok = stringprep(want, sizeof want, 0, stringprep_saslprep) == 0;
            assert_int_equal(prep_sasl(out, in, 2) != 0, ok);
        }
    }
}

static void domain_ascii(void **state)
{
    (void)state;
    char out[PREP_MAX + 1];
    assert_int_equal(prep_domain_ascii(out, "b\xc3\xbc"
                                            "cher.example"),
                     21);
    assert_string_equal(out, "xn--bcher-kva.example");
    assert_true(prep_domain_ascii(out, "capulet.example"));
    assert_string_equal(out, "capulet.example");
    assert_false(prep_domain_ascii(out, "a..b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_table),  cmocka_unit_test(lengths),
        cmocka_unit_test(derived),      cmocka_unit_test(fast_path_agrees),
        cmocka_unit_test(domain_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
