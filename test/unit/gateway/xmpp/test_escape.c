/* SPDX-License-Identifier: MIT */
/* Escaping looks at sixteen bytes at a time: so each byte that must be escaped is tried at each place
 * of texts of each length up to three such steps, against the table of XML 1.0 sections 2.2 and 2.4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/mem.h"
#include "gateway/xmpp/stanza_internal.h"

enum { LENGTH_MAX = 50 };

static const struct row {
    unsigned char byte;
    const char *in_attribute, *in_text;
} rows[] = {
    {'&', "&amp;", "&amp;"},
    {'<', "&lt;", "&lt;"},
    {'>', "&gt;", "&gt;"},
    {'\'', "&apos;", "'"},
    {'"', "&quot;", "\""},
    {'\r', "&#13;", "&#13;"},
    {'\n', "&#10;", "\n"},
    {'\t', "&#9;", "\t"},
    {0, "\xef\xbf\xbd", "\xef\xbf\xbd"},
    {0x0b, "\xef\xbf\xbd", "\xef\xbf\xbd"},
    {0x1f, "\xef\xbf\xbd", "\xef\xbf\xbd"},
    {' ', " ", " "},
    {0x7f, "\x7f", "\x7f"},
    {0x80, "\x80", "\x80"}, /* bytes of longer sequences are not looked at */
    {0xff, "\xff", "\xff"},
};

static void check(const char *text, size_t len, size_t at, const char *want, bool attribute)
{
    struct bytes got = BYTES_EMPTY, expected = BYTES_EMPTY;
    bytes_append(&expected, text, at);
    bytes_append(&expected, want, strlen(want));
    bytes_append(&expected, text + at + 1, len - at - 1);
    if (attribute)
        xml_escape(&got, text, len);
    else
        xml_escape_text(&got, text, len);
    assert_int_equal(got.len, expected.len);
    assert_memory_equal(got.data, expected.data, got.len);
    bytes_fini(&got);
    bytes_fini(&expected);
}

static void each_byte_at_each_place(void **state)
{
    (void)state;
    char text[LENGTH_MAX];
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (size_t len = 1; len <= LENGTH_MAX; len++)
            for (size_t at = 0; at < len; at++) {
                memset(text, 'x', sizeof text);
                text[at] = (char)rows[r].byte;
                check(text, len, at, rows[r].in_attribute, true);
                check(text, len, at, rows[r].in_text, false);
            }
}

/* Nothing is read behind the text: under a sanitizer this would show. */
static void nothing_behind(void **state)
{
    (void)state;
    for (size_t len = 0; len <= LENGTH_MAX; len++) {
        char *text = mem_raw(len);
        memset(text, 'x', len);
        struct bytes got = BYTES_EMPTY;
        xml_escape(&got, text, len);
        assert_int_equal(got.len, len);
        bytes_fini(&got);
        mem_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_byte_at_each_place),
        cmocka_unit_test(nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
