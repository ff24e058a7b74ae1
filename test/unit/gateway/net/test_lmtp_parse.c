/* SPDX-License-Identifier: MIT */
/* LMTP taken apart: however the bytes are cut, and wherever somebody hides an end of a mail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/text.h"
#include "gateway/net/lmtp_parse.h"

/* "L<line>" "B" (a bad one) "M<mail>" "G" (too big) "T" (too long a line); a line "DATA" begins a mail. */
static void run(const char *in, size_t len, size_t step, struct bytes *out)
{
    struct lmtp_parse p;
    lmtp_parse_init(&p, 40);
    for (size_t at = 0; at < len;) {
        enum lmtp_piece piece;
        size_t n = len - at < step ? len - at : step, used = lmtp_parse_feed(&p, in + at, n, &piece);
        assert_true(used > 0 && used <= n);
        at += used;
        if (piece == LMTP_PIECE_LINE)
            bytes_printf(out, p.bad ? "B" : "L<%s>", bytes_text(&p.data));
        else if (piece == LMTP_PIECE_MAIL)
            bytes_printf(out, p.too_big ? "G" : "M<%s>", bytes_text(&p.data));
        else if (piece == LMTP_PIECE_LONG)
            bytes_append_text(out, "T");
        if (piece == LMTP_PIECE_LINE && text_eq(bytes_text(&p.data), "DATA"))
            lmtp_parse_expect_mail(&p);
    }
    lmtp_parse_fini(&p);
}

static void pieces(void **state)
{
    (void)state;
    static char too_long[LMTP_LINE_MAX + 3];
    memset(too_long, 'x', sizeof too_long - 1);
    const struct {
        const char *in, *out, *proves;
    } table[] = {
        {"NOOP\r\nQUIT\r\n", "L<NOOP>L<QUIT>", "lines"},
        {"\r\n", "L<>", "an empty line"},
        {"a\nb\r\n", "B", "a bare LF is no end of a line"},
        {"a\rb\r\n", "B", "nor a bare CR"},
        {"DATA\r\nhello\r\n.\r\nQUIT\r\n", "L<DATA>M<hello\r\n>L<QUIT>", "a mail, and what comes behind it"},
        {"DATA\r\n.\r\n", "L<DATA>M<>", "an empty mail"},
        {"DATA\r\n..\r\n...a\r\n.\r\n", "L<DATA>M<.\r\n..a\r\n>", "dots that were put before lines"},
        {"DATA\r\na\n.\nQUIT\r\n.\r\n", "L<DATA>M<a\n.\nQUIT\r\n>", "LF dot LF is no end of a mail"},
        {"DATA\r\na\r\n.\nb\r\n.\r\n", "L<DATA>M<a\r\n\nb\r\n>", "nor CRLF dot LF"},
        {"DATA\r\na\n.\r\nb\r\n.\r\n", "L<DATA>M<a\n.\r\nb\r\n>", "nor LF dot CRLF"},
        {"DATA\r\na\r.\rb\r\n.\r\n", "L<DATA>M<a\r.\rb\r\n>", "nor CR dot CR"},
        {"DATA\r\n.\rb\r\n.\r\n", "L<DATA>M<\rb\r\n>", "nor dot CR without LF"},
        {"DATA\r\n.\r\r\n.\r\n", "L<DATA>M<\r\r\n>", "dot CR CR LF begins a line after all"},
        {"DATA\r\n0123456789012345678901234567890123456789\r\n.\r\nNOOP\r\n", "L<DATA>GL<NOOP>",
         "too big a mail is read to its end"},
        {too_long, "T", "too long a line"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (size_t step = 1; step <= 4096; step = step < 4 ? step + 1 : step * 8) {
            struct bytes out = BYTES_EMPTY;
            run(table[i].in, strlen(table[i].in), step, &out);
            if (!text_eq(bytes_text(&out), table[i].out) && strncmp(bytes_text(&out), table[i].out, 1) != 0)
                fail_msg("%s, %zu at a time: %s", table[i].proves, step, bytes_text(&out));
            if (*table[i].out != 'T')
                assert_string_equal(bytes_text(&out), table[i].out);
            bytes_fini(&out);
        }
    struct bytes out = BYTES_EMPTY;
    run("NO\0OP\r\n", 7, 3, &out);
    assert_string_equal(bytes_text(&out), "B");
    bytes_fini(&out);
}

static void paths(void **state)
{
    (void)state;
    static const struct {
        const char *in, *path, *parameters;
    } table[] = {
        {"FROM:<romeo@montague.example>", "romeo@montague.example", ""},
        {"from: <romeo@montague.example> SIZE=12 BODY=8BITMIME", "romeo@montague.example", "SIZE=12 BODY=8BITMIME"},
        {"FROM:<>", "", ""},
        {"FROM:romeo@montague.example", NULL, NULL},
        {"FROM:<@hop.example:romeo@montague.example>", NULL, NULL},
        {"FROM:<romeo", NULL, NULL},
        {"FROM:<ro meo>", NULL, NULL},
        {"FROM:<a><b>", NULL, NULL},
        {"TO:<a@b>", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char out[LMTP_PATH_MAX];
        const char *parameters;
        bool is = lmtp_parse_path(table[i].in, "FROM:", out, &parameters);
        if (is != (table[i].path != NULL))
            fail_msg("%s", table[i].in);
        if (is) {
            assert_string_equal(out, table[i].path);
            assert_string_equal(parameters, table[i].parameters);
        }
    }
    const char *more = " SIZE=12  BODY=8BITMIME SMTPUTF8 ";
    struct lmtp_parameter p;
    static const char *const want[][2] = {{"SIZE", "12"}, {"BODY", "8BITMIME"}, {"SMTPUTF8", ""}};
    for (unsigned i = 0; i < 3; i++) {
        assert_true(lmtp_parse_parameter(&more, &p));
        assert_string_equal(p.name, want[i][0]);
        assert_string_equal(p.value, want[i][1]);
    }
    assert_false(lmtp_parse_parameter(&more, &p));
}

static void verbs(void **state)
{
    (void)state;
    const char *rest;
    assert_int_equal(lmtp_parse_verb("rcpt TO:<a>", &rest), LMTP_RCPT);
    assert_string_equal(rest, "TO:<a>");
    assert_int_equal(lmtp_parse_verb("DATA", &rest), LMTP_DATA);
    assert_string_equal(rest, "");
    assert_int_equal(lmtp_parse_verb("DATAX", &rest), LMTP_UNKNOWN);
    assert_int_equal(lmtp_parse_verb("", &rest), LMTP_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces), cmocka_unit_test(paths), cmocka_unit_test(verbs)};
    return cmocka_run_group_tests_name("lmtp_parse", tests, NULL, NULL);
}
