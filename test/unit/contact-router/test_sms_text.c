/* SPDX-License-Identifier: MIT */
/* contact-router/sms_text.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "contact-router/sms_text.h"

static void repeat(struct bytes *b, const char *unit, unsigned times)
{
    while (times--)
        bytes_append_text(b, unit);
}

static void test_measure(void **state)
{
    (void)state;
    static const struct { const char *why, *unit; unsigned times; enum sms_alphabet alphabet; size_t units; unsigned segments; } rows[] = {
        { "empty is nothing", "", 0, SMS_GSM, 0, 0 },
        { "160 septets are one part", "a", 160, SMS_GSM, 160, 1 },
        { "161 are two of 153", "a", 161, SMS_GSM, 161, 2 },
        { "306 still two", "a", 306, SMS_GSM, 306, 2 },
        { "307 are three", "a", 307, SMS_GSM, 307, 3 },
        { "the euro costs two septets: 80 are one part", "\xe2\x82\xac", 80, SMS_GSM, 160, 1 },
        { "an escape pair is not parted: 154 euro need 3 parts", "\xe2\x82\xac", 154, SMS_GSM, 308, 3 },
        { "brackets too", "[", 80, SMS_GSM, 160, 1 },
        { "e-acute is GSM", "\xc3\xa9", 160, SMS_GSM, 160, 1 },
        { "backquote is not", "`", 70, SMS_UCS2, 70, 1 },
        { "71 UTF-16 units are two parts of 67", "\xd0\x96", 71, SMS_UCS2, 71, 2 },
        { "a surrogate pair is not parted: 67 emoji are 3 parts", "\xf0\x9f\x98\x80", 67, SMS_UCS2, 134, 3 },
        { "35 emoji are one", "\xf0\x9f\x98\x80", 35, SMS_UCS2, 70, 1 },
        { "Delta is in the basic table", "\xce\x94", 160, SMS_GSM, 160, 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes b = BYTES_EMPTY;
        repeat(&b, rows[i].unit, rows[i].times);
        struct sms_size s = sms_text_measure(bytes_text(&b), b.len);
        if (s.alphabet != rows[i].alphabet || s.units != rows[i].units || s.segments != rows[i].segments)
            fail_msg("%s: %d %zu %u", rows[i].why, s.alphabet, s.units, s.segments);
        bytes_fini(&b);
    }
}

static void test_fit(void **state)
{
    (void)state;
    static const struct { const char *why, *unit; unsigned times, segments; bool cut; } rows[] = {
        { "what fits stays", "a", 160, 1, false },
        { "what does not gets the hint", "a", 161, 1, true },
        { "UCS-2 in two parts", "\xd0\x96", 500, 2, true },
        { "emoji with joiners stay whole", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80", 100, 1, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes in = BYTES_EMPTY, out = BYTES_EMPTY;
        repeat(&in, rows[i].unit, rows[i].times);
        bool cut = sms_text_fit(&out, in.data, in.len, rows[i].segments, "...");
        struct sms_size s = sms_text_measure(out.data, out.len);
        if (cut != rows[i].cut || s.segments > rows[i].segments)
            fail_msg("%s: cut %d, %u parts", rows[i].why, cut, s.segments);
        if (cut) {
            assert_memory_equal(out.data + out.len - 3, "...", 3);
            assert_int_equal((out.len - 3) % strlen(rows[i].unit), 0);
            /* one more would not have fitted */
            struct bytes more = BYTES_EMPTY;
            bytes_append(&more, out.data, out.len - 3);
            repeat(&more, rows[i].unit, 1);
            bytes_append_text(&more, "...");
            assert_true(sms_text_measure(more.data, more.len).segments > rows[i].segments);
            bytes_fini(&more);
        }
        bytes_fini(&in);
        bytes_fini(&out);
    }
}

static void test_to_gsm(void **state)
{
    (void)state;
    static const struct { const char *in, *out; } rows[] = {
        { "plain", "plain" },
        { "\xe2\x80\x9cquoted\xe2\x80\x9d \xe2\x80\x93 it\xe2\x80\x99s\xe2\x80\xa6", "\"quoted\" - it's..." },
        { "a\xc2\xa0" "b", "a b" },
        { "\xd0\x96", "\xd0\x96" },
        { "\xc5\x81\xc3\xb3" "d\xc5\xba", "Lodz" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes out = BYTES_EMPTY;
        sms_text_to_gsm(&out, rows[i].in, strlen(rows[i].in));
        assert_string_equal(bytes_text(&out), rows[i].out);
        bytes_fini(&out);
    }
    struct bytes hex = BYTES_EMPTY;
    sms_text_ucs2_hex(&hex, "a\xf0\x9f\x98\x80", 5);
    assert_string_equal(bytes_text(&hex), "0061D83DDE00");
    bytes_fini(&hex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measure),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_to_gsm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
