/* SPDX-License-Identifier: MIT */
/* contact-router/speech_text.c, wav.c: what reaches the synthesiser, and what its head says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "contact-router/speech_text.h"
#include "contact-router/wav.h"

static void test_clean(void **state)
{
    (void)state;
    static const struct { const char *why, *text; size_t max; const char *want; bool cut; } rows[] = {
        { "as it is", "Good morning.", 600, "Good morning.", false },
        { "a control is a command to the program", "a\x01" "500Sb \x07\x1b[2Jc", 600, "a 500Sb 2Jc", false },
        { "phonemes are not", "a [[h@l'oU]] b", 600, "a h@l'oU b", false },
        { "controls beyond ASCII", "a\xc2\x9b" "b\xc2\xad" "c", 600, "a b c", false },
        { "invisible and turning marks", "a\xe2\x80\xae" "b\xef\xbb\xbf" "c\xee\x80\x80" "d", 600, "a b c d", false },
        { "a line's end is a pause", "one\ntwo!\r\n\n three", 600, "one. two! three", false },
        { "blanks are one", "  a \t\t  b  ", 600, "a b", false },
        { "web addresses are not read out", "see https://x.example/?a=b&c now", 600, "see LINK now", false },
        { "a word that only begins so is", "httpx http: x", 600, "httpx http: x", false },
        { "cut behind a word", "alpha beta gamma", 12, "alpha beta", true },
        { "cut inside a word that has no end", "abcdefghijklmnop", 4, "abcd", true },
        { "whole characters", "\xc3\xa4\xc3\xb6\xc3\xbc", 2, "\xc3\xa4\xc3\xb6", true },
        { "only controls: nothing", "\x01\x02\x03\n\x7f", 600, "", false },
        { "nothing", "", 600, "", false },
        { "just as long", "abc", 3, "abc", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes out = BYTES_EMPTY;
        bool cut = speech_text_clean(&out, rows[i].text, strlen(rows[i].text), rows[i].max, "LINK");
        if (cut != rows[i].cut || strcmp(bytes_text(&out), rows[i].want) != 0)
            fail_msg("%s: `%s`%s", rows[i].why, bytes_text(&out), cut ? ", cut" : "");
        if (out.len)
            assert_true(speech_text_may_pass(bytes_text(&out)));
        bytes_fini(&out);
    }
}

static void test_clean_long(void **state)
{
    (void)state;
    struct bytes text = BYTES_EMPTY, out = BYTES_EMPTY;
    for (int i = 0; i < 100000; i++)
        bytes_append_char(&text, i % 7 ? 'a' : i % 2 ? ' ' : '\x01');
    assert_true(speech_text_clean(&out, text.data, text.len, 600, "LINK"));
    assert_true(out.len <= 600 && out.len > 500);
    assert_true(speech_text_may_pass(out.data));
    bytes_clear(&out);
    memset(text.data, 1, text.len);
    assert_true(speech_text_clean(&out, text.data, text.len, 600, "LINK")); /* there was more than was looked at */
    assert_int_equal(out.len, 0);
    bytes_fini(&out);
    bytes_fini(&text);
}

static void test_may_pass(void **state)
{
    (void)state;
    char long_one[SPEECH_TEXT_BYTES_MAX + 2];
    memset(long_one, 'a', sizeof long_one);
    long_one[sizeof long_one - 1] = 0;
    assert_false(speech_text_may_pass(long_one));
    long_one[SPEECH_TEXT_BYTES_MAX] = 0;
    assert_true(speech_text_may_pass(long_one));
    static const char *const refused[] = { "", "a\nb", "\x01", "[[x]]", "\xff", "a\xc2\x80" };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(speech_text_may_pass(refused[i]));
}

static void test_lang(void **state)
{
    (void)state;
    static const struct { const char *lang, *ours, *voice; bool speaks; } rows[] = {
        { "en", "en", "en-gb", true }, { "de-CH", "de", "de", true }, { "FR", "fr", "fr-fr", true }, { "ES-mx", "es", "es", true },
        { NULL, "en", "en-gb", false }, { "", "en", "en-gb", false }, { "deu", "en", "en-gb", false },
        { "-v/etc/passwd", "en", "en-gb", false }, { "de/../x", "en", "en-gb", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(speech_text_lang(rows[i].lang), rows[i].ours);
        assert_string_equal(speech_text_voice(rows[i].lang), rows[i].voice);
        assert_int_equal(speech_text_speaks(rows[i].lang), rows[i].speaks);
    }
}

#define RIFF "RIFF\x24\xf0\xff\x7fWAVE"
#define FMT "fmt \x10\0\0\0\1\0\1\0\x22\x56\0\0\x44\xac\0\0\2\0\x10\0"
#define FIELDS(channels, rate, bits) "fmt \x10\0\0\0\1\0" channels rate "\0\0\0\0\2\0" bits

static void test_wav(void **state)
{
    (void)state;
    static const struct { const char *why; struct span text; enum wav_result want; unsigned rate; size_t at; } rows[] = {
        { "what espeak-ng writes into a pipe", SPAN(RIFF FMT "data\0\xf0\xff\x7f\1\2"), WAV_READY, 22050, 44 },
        { "a chunk between", SPAN(RIFF "LIST\3\0\0\0abc\0" FMT "data\0\0\0\0"), WAV_READY, 22050, 56 },
        { "not whole yet", SPAN(RIFF FMT "dat"), WAV_MORE, 22050, 0 },
        { "nothing yet", SPAN(""), WAV_MORE, 0, 0 },
        { "not a WAV", SPAN("Segmentation fault"), WAV_WRONG, 0, 0 },
        { "samples before their form", SPAN(RIFF "data\0\0\0\0"), WAV_WRONG, 0, 20 },
        { "two channels", SPAN(RIFF FIELDS("\2\0", "\x22\x56\0\0", "\x10\0") "data\0\0\0\0"), WAV_WRONG, 0, 0 },
        { "8 bits", SPAN(RIFF FIELDS("\1\0", "\x22\x56\0\0", "\x08\0") "data\0\0\0\0"), WAV_WRONG, 0, 0 },
        { "no rate", SPAN(RIFF FIELDS("\1\0", "\0\0\0\0", "\x10\0") "data\0\0\0\0"), WAV_WRONG, 0, 0 },
        { "a rate beyond reason", SPAN(RIFF FIELDS("\1\0", "\0\0\0\x10", "\x10\0") "data\0\0\0\0"), WAV_WRONG, 0, 0 },
        { "a form that is too short", SPAN(RIFF "fmt \2\0\0\0\1\0" "data\0\0\0\0"), WAV_WRONG, 0, 0 },
        { "a chunk that would swallow all", SPAN(RIFF "LIST\xff\xff\xff\xff"), WAV_WRONG, 0, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wav_head h;
        enum wav_result r = wav_read_head(rows[i].text, &h);
        if (r != rows[i].want || (r == WAV_READY && (h.rate != rows[i].rate || h.data_at != rows[i].at)))
            fail_msg("%s: %d, %u, %zu", rows[i].why, (int)r, h.rate, h.data_at);
    }
    struct bytes ours = BYTES_EMPTY;
    struct wav_head h;
    wav_write_head(&ours, 8000, 4);
    assert_int_equal(ours.len, WAV_OUR_HEAD);
    assert_int_equal(wav_read_head(bytes_span(&ours), &h), WAV_READY);
    assert_int_equal(h.rate, 8000);
    assert_int_equal(h.data_at, WAV_OUR_HEAD);
    assert_memory_equal(ours.data + 40, "\4\0\0\0", 4);
    assert_memory_equal(ours.data + 4, "\x28\0\0\0", 4);
    /* G.711: the ends, the middle, and one of each sign (ITU-T G.191 gives the same). */
    static const struct { const char *two; unsigned char want; } samples[] = {
        { "\0\0", 0xff }, { "\xff\x7f", 0x80 }, { "\0\x80", 0x00 }, { "\xe8\x03", 0xce }, { "\x18\xfc", 0x4e }, { "\xff\xff", 0x7f },
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct bytes pcm = BYTES_EMPTY, mulaw = BYTES_EMPTY;
        wav_write_head(&pcm, 8000, 2);
        bytes_append(&pcm, samples[i].two, 2);
        wav_to_mulaw(bytes_span(&pcm), &mulaw);
        assert_int_equal(mulaw.len, 59);
        assert_int_equal(wav_mulaw_bytes(bytes_span(&pcm)), 59);
        assert_int_equal((unsigned char)mulaw.data[58], samples[i].want);
        bytes_fini(&pcm);
        bytes_fini(&mulaw);
    }
    bytes_fini(&ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean), cmocka_unit_test(test_clean_long), cmocka_unit_test(test_may_pass),
        cmocka_unit_test(test_lang), cmocka_unit_test(test_wav),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
