/* SPDX-License-Identifier: MIT */
/* A WebSocket's frames without a socket: what is a message, what is refused, what is kept between messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/mem.h"
#include "gateway/net/frames.h"

enum { MAX = 200 };

/* `unmasked`, else with a mask of its own. */
static void put_frame(struct bytes *out, unsigned first, const char *data, size_t len, bool unmasked)
{
    static const unsigned char mask[4] = {0xa1, 0x02, 0x83, 0x04};
    bytes_append_char(out, (char)first);
    bytes_append_char(out, (char)((unmasked ? 0 : 0x80) | (len < 126 ? len : 126)));
    if (len >= 126) {
        bytes_append_char(out, (char)(len >> 8));
        bytes_append_char(out, (char)len);
    }
    if (!unmasked)
        bytes_append(out, mask, 4);
    for (size_t i = 0; i < len; i++)
        bytes_append_char(out, (char)(data[i] ^ (unmasked ? 0 : mask[i % 4])));
}

/* Feeds all in pieces of `step`; writes what came: T<text> P<ping> C<code> B<code>, each with a space. */
static void run(struct frames *f, struct span all, size_t step, struct bytes *seen)
{
    struct frames_event ev = {.kind = FRAMES_MORE};
    while (all.len > 0 && ev.kind != FRAMES_BAD && ev.kind != FRAMES_CLOSED) {
        struct span in = {all.data, all.len < step ? all.len : step};
        all.data += in.len;
        all.len -= in.len;
        do {
            frames_next(f, &in, 0, &ev);
            if (ev.kind == FRAMES_TEXT || ev.kind == FRAMES_PING)
                bytes_printf(seen, "%c%.*s ", ev.kind == FRAMES_TEXT ? 'T' : 'P', (int)ev.data.len, ev.data.data);
            else if (ev.kind != FRAMES_MORE)
                bytes_printf(seen, "%c%u ", ev.kind == FRAMES_BAD ? 'B' : 'C', ev.code);
        } while (ev.kind == FRAMES_TEXT || ev.kind == FRAMES_PING);
    }
}

struct piece {
    unsigned first;
    const char *data;
    size_t len; /* 0: strlen(data) */
    bool unmasked;
};

static void shapes(void **state)
{
    (void)state;
    static char big[MAX + 1];
    memset(big, 'x', MAX);
    static const struct {
        struct piece pieces[4];
        const char *seen; /* NULL: one message of `big` */
        const char *proves;
    } rows[] = {
        {{{0x81, "<a/>", 0, false}}, "T<a/> ", "a message in one frame"},
        {{{0x81, "<a/>", 0, false}, {0x81, "<b/>", 0, false}}, "T<a/> T<b/> ", "two messages"},
        {{{0x01, "<a", 0, false}, {0x00, "", 0, false}, {0x80, "/>", 0, false}}, "T<a/> ", "fragments, an empty one among them (5.4)"},
        {{{0x01, "<a", 0, false}, {0x89, "hi", 0, false}, {0x80, "/>", 0, false}}, "Phi T<a/> ", "a ping between fragments (5.4)"},
        {{{0x8a, "late", 0, false}, {0x81, "<a/>", 0, false}}, "T<a/> ", "a pong that nobody asked for (5.5.3)"},
        {{{0x81, "", 0, false}, {0x81, "<a/>", 0, false}}, "T T<a/> ", "an empty message"},
        {{{0x81, big, MAX, false}}, NULL, "as large as allowed, with a long length"},
        {{{0x81, big, MAX + 1, false}}, "B1009 ", "larger than allowed: told by its head"},
        {{{0x01, big, MAX, false}, {0x80, "y", 0, false}}, "B1009 ", "larger than allowed in sum"},
        {{{0x81, "<a/>", 0, true}}, "B1002 ", "not masked (5.1)"},
        {{{0x82, "<a/>", 0, false}}, "B1003 ", "binary (RFC 7395 3.2)"},
        {{{0xc1, "<a/>", 0, false}}, "B1002 ", "a reserved bit (5.2)"},
        {{{0x83, "<a/>", 0, false}}, "B1002 ", "a reserved opcode for data"},
        {{{0x8b, "<a/>", 0, false}}, "B1002 ", "a reserved opcode for control"},
        {{{0x80, "<a/>", 0, false}}, "B1002 ", "a continuation of nothing"},
        {{{0x01, "<a", 0, false}, {0x81, "<b/>", 0, false}}, "B1002 ", "a message inside another"},
        {{{0x09, "hi", 0, false}}, "B1002 ", "a control frame in fragments (5.5)"},
        {{{0x89, big, 126, false}}, "B1002 ", "a control frame too long (5.5)"},
        {{{0x81, "<a>\xff</a>", 0, false}}, "B1007 ", "not UTF-8 (8.1)"},
        {{{0x01, "\xc3", 0, false}, {0x80, "\xa4", 0, false}}, "T\xc3\xa4 ", "a character over two frames"},
        {{{0x88, "\x03\xe8", 2, false}, {0x81, "<a/>", 0, false}}, "C1000 ", "nothing is read behind a Close"},
        {{{0x88, "", 0, false}}, "C1005 ", "a Close without a code"},
        {{{0x88, "\x03\xe9" "bye", 5, false}}, "C1001 ", "a Close with a reason"},
        {{{0x88, "\x03", 1, false}}, "B1002 ", "a Close with half a code"},
        {{{0x88, "\x03\xed", 2, false}}, "B1002 ", "a Close with a code that is never sent (7.4.1)"},
        {{{0x88, "\x03\xe8\xff", 3, false}}, "B1007 ", "a Close whose reason is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t step = 1; step < 1000; step = step == 1 ? 7 : step * 30) {
            struct bytes in = BYTES_EMPTY, seen = BYTES_EMPTY;
            struct frames *f = frames_create(MAX);
            for (const struct piece *p = rows[i].pieces; p->data; p++)
                put_frame(&in, p->first, p->data, p->len ? p->len : strlen(p->data), p->unmasked);
            run(f, bytes_span(&in), step, &seen);
            bool ok = rows[i].seen ? strcmp(bytes_text(&seen), rows[i].seen) == 0
                                   : seen.len == MAX + 2 && memcmp(seen.data + 1, big, MAX) == 0;
            if (!ok)
                fail_msg("%s (by %zu): %s", rows[i].proves, step, bytes_text(&seen));
            if (!strpbrk(bytes_text(&seen), "B"))
                assert_false(frames_partial(f));
            frames_destroy(&f);
            bytes_fini(&in);
            bytes_fini(&seen);
        }
    }
}

/* RFC 6455 5.2: the shortest form of a length, and never 2^63. */
static void lengths(void **state)
{
    (void)state;
    static const struct span rows[] = {
        SPAN("\x81\xfe\x00\x04\x00\x00\x00\x00<a/>"),
        SPAN("\x81\xff\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00<a/>"),
        SPAN("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00<a/>"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes seen = BYTES_EMPTY;
        struct frames *f = frames_create(MAX);
        run(f, rows[i], 100, &seen);
        assert_string_equal(bytes_text(&seen), "B1002 ");
        frames_destroy(&f);
        bytes_fini(&seen);
    }
}

static void partial(void **state)
{
    (void)state;
    struct frames *f = frames_create(MAX);
    struct frames_event ev;
    struct bytes in = BYTES_EMPTY;
    put_frame(&in, 0x01, "<a", 2, false);
    for (size_t i = 0; i < in.len; i++) {
        struct span one = {in.data + i, 1};
        frames_next(f, &one, 0, &ev);
        assert_int_equal(ev.kind, FRAMES_MORE);
        assert_true(frames_partial(f)); /* from its first byte, and between fragments */
    }
    frames_destroy(&f);
    bytes_fini(&in);
}

/* Twenty at once and one a second. */
static void flood(void **state)
{
    (void)state;
    struct frames *f = frames_create(MAX);
    struct frames_event ev;
    struct bytes ping = BYTES_EMPTY;
    put_frame(&ping, 0x89, "", 0, false);
    for (unsigned i = 0; i < 20; i++) {
        struct span in = bytes_span(&ping);
        frames_next(f, &in, 5000, &ev);
        assert_int_equal(ev.kind, FRAMES_PING);
    }
    for (uint64_t now = 6000; now < 100000; now += 1000) {
        struct span in = bytes_span(&ping);
        frames_next(f, &in, now, &ev);
        assert_int_equal(ev.kind, FRAMES_PING);
    }
    struct span in = bytes_span(&ping);
    frames_next(f, &in, 99500, &ev);
    assert_int_equal(ev.kind, FRAMES_BAD);
    assert_int_equal(ev.code, FRAMES_POLICY);
    frames_destroy(&f);
    bytes_fini(&ping);
}

static void fragments(void **state)
{
    (void)state;
    struct frames *f = frames_create(MAX);
    struct bytes in = BYTES_EMPTY, seen = BYTES_EMPTY;
    put_frame(&in, 0x01, "", 0, false);
    for (unsigned i = 0; i < 1024; i++)
        put_frame(&in, 0x00, "", 0, false);
    run(f, bytes_span(&in), 4096, &seen);
    assert_string_equal(bytes_text(&seen), "B1008 ");
    frames_destroy(&f);
    bytes_fini(&in);
    bytes_fini(&seen);
}

static void output(void **state)
{
    (void)state;
    struct bytes out = BYTES_EMPTY;
    frames_put_text(&out, SPAN("<a/>"));
    frames_put_pong(&out, SPAN(""));
    frames_put_close(&out, 1008);
    assert_int_equal(out.len, 6 + 2 + 4);
    assert_memory_equal(out.data, "\x81\x04<a/>\x8a\x00\x88\x02\x03\xf0", out.len);
    char big[70000];
    memset(big, 'x', sizeof big);
    bytes_clear(&out);
    frames_put_text(&out, (struct span){big, sizeof big});
    assert_int_equal(out.len, 10 + sizeof big);
    assert_memory_equal(out.data, "\x81\x7f\x00\x00\x00\x00\x00\x01\x11\x70", 10);
    bytes_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes), cmocka_unit_test(lengths),   cmocka_unit_test(partial),
        cmocka_unit_test(flood),  cmocka_unit_test(fragments), cmocka_unit_test(output),
    };
    return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
