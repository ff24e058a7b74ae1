/* SPDX-License-Identifier: MIT */
/* What is remembered of attempts, and for how many; what is said of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/mem.h"
#include "s2s/s2s_explain.h"

struct fixture {
    struct clock_fake clock;
    struct loop *loop;
    struct s2s_trace trace;
    struct arena arena;
};

static void setup(struct fixture *f)
{
    clock_fake_init(&f->clock);
    f->loop = loop_create("test", &f->clock.clock);
    s2s_trace_init(&f->trace);
    arena_init(&f->arena);
}

static void teardown(struct fixture *f)
{
    arena_fini(&f->arena);
    s2s_trace_fini(&f->trace);
    loop_destroy(&f->loop);
}

static void take_row(void *user, const struct s2s_trace_row *row)
{
    *(struct s2s_trace_row *)user = *row;
}

static struct s2s_trace_row row_of(struct fixture *f, const char *remote)
{
    struct s2s_trace_row row = {0};
    s2s_trace_each(&f->trace, remote, take_row, &row);
    return row;
}

/* The beginning and the end of an attempt without end stay. */
static void steps_are_bounded(void **state)
{
    struct fixture f;
    struct s2s_trail_look look;
    char text[32];
    (void)state;
    setup(&f);
    struct s2s_trail *t = s2s_trail_new(f.loop);
    for (int i = 0; i < 1000; i++)
        s2s_trail_note(t, S2S_STEP_TCP, "step %d", i);
    s2s_trail_look(t, &look);
    assert_int_equal(look.count, S2S_TRAIL_STEPS);
    assert_int_equal(look.skipped, 1000 - S2S_TRAIL_STEPS);
    assert_string_equal(look.steps[0].text, "step 0");
    assert_string_equal(look.steps[S2S_TRAIL_STEPS / 2 - 1].text, "step 11");
    snprintf(text, sizeof text, "step %d", 1000 - S2S_TRAIL_STEPS / 2);
    assert_string_equal(look.steps[S2S_TRAIL_STEPS / 2].text, text);
    s2s_trail_unref(&t);
    assert_null(t);
    teardown(&f);
}

/* What peers say is cut at a character, and has no control characters. */
static void texts_are_bounded(void **state)
{
    struct fixture f;
    struct s2s_trail_look look;
    char text[1000];
    (void)state;
    setup(&f);
    struct s2s_trail *t = s2s_trail_new(f.loop);
    memset(text, 'a', sizeof text);
    memcpy(text + S2S_TRAIL_TEXT_MAX - 1, "\xC3\xA4", 2);
    text[sizeof text - 1] = '\0';
    s2s_trail_fail(t, S2S_STEP_STREAM, S2S_WHY_PEER_ERROR, "%s", text);
    s2s_trail_note(t, S2S_STEP_STREAM, "%s", "one\ntwo\x1b[31m");
    s2s_trail_look(t, &look);
    assert_int_equal(strlen(look.steps[0].text), S2S_TRAIL_TEXT_MAX - 1);
    assert_string_equal(look.steps[1].text, "one two [31m");
    s2s_trail_unref(&t);
    teardown(&f);
}

/* Pairs that were tried longest ago are forgotten. */
static void pairs_are_bounded(void **state)
{
    struct fixture f;
    char remote[32];
    (void)state;
    setup(&f);
    for (int i = 0; i < S2S_TRACE_MAX + 10; i++) {
        struct s2s_trail *t = s2s_trail_new(f.loop);
        snprintf(remote, sizeof remote, "r%d.test", i);
        s2s_trace_show(&f.trace, S2S_OUT, "a.test", remote, t);
        if (i > 0)
            s2s_trace_show(&f.trace, S2S_OUT, "a.test", "r0.test", t); /* tried again and again */
        s2s_trail_unref(&t);
    }
    assert_int_equal(f.trace.shown.count, S2S_TRACE_MAX);
    assert_non_null(row_of(&f, "r0.test").trail);
    assert_null(row_of(&f, "r1.test").trail);
    assert_null(row_of(&f, "r10.test").trail);
    assert_non_null(row_of(&f, "r11.test").trail);
    teardown(&f);
}

/* Somebody else who calls under that name does not hide a way that is open. */
static void an_open_way_is_shown(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    struct s2s_trail *good = s2s_trail_new(f.loop), *bad = s2s_trail_new(f.loop);
    s2s_trail_well(good, S2S_STEP_AUTHENTICATION, "proved");
    s2s_trace_show(&f.trace, S2S_IN, "a.test", "b.test", good);
    s2s_trail_fail(bad, S2S_STEP_AUTHENTICATION, S2S_WHY_THEIR_KEY_WRONG, "wrong");
    s2s_trace_show(&f.trace, S2S_IN, "a.test", "b.test", bad);
    assert_ptr_equal(row_of(&f, "b.test").trail, good);
    s2s_trail_end(good, S2S_WHY_NONE, "closed");
    s2s_trace_show(&f.trace, S2S_IN, "a.test", "b.test", bad);
    assert_ptr_equal(row_of(&f, "b.test").trail, bad);
    assert_int_equal(row_of(&f, "b.test").last_well_us, clock_unix_us(&f.clock.clock));
    s2s_trail_unref(&good);
    s2s_trail_unref(&bad);
    teardown(&f);
}

/* ---- what is said ---- */

static void tcp(struct s2s_trail *t)
{
    s2s_trail_note(t, S2S_STEP_TCP, "connected to h, 192.0.2.1");
}

static void make_nothing(struct s2s_trail *t)
{
    (void)t;
}

static void make_open(struct s2s_trail *t)
{
    tcp(t);
    s2s_trail_fail(t, S2S_STEP_CERTIFICATE, S2S_WHY_CERTIFICATE_NAME, "it names c.test; not b.test");
    s2s_trail_well(t, S2S_STEP_AUTHENTICATION, "it accepted our dialback key");
}

static void make_rest(struct s2s_trail *t)
{
    make_open(t);
    s2s_trail_end(t, S2S_WHY_NONE, "we ended it: no error");
}

static void make_lost(struct s2s_trail *t)
{
    make_open(t);
    s2s_trail_end(t, S2S_WHY_CUT, "connection broke");
}

/* That it closes then says nothing new. */
static void make_cut_after_reason(struct s2s_trail *t)
{
    tcp(t);
    s2s_trail_fail(t, S2S_STEP_TLS, S2S_WHY_NO_TLS, "it offers no TLS");
    s2s_trail_end(t, S2S_WHY_OUR_ERROR, "we ended it: policy-violation");
}

/* But it does of the next host. */
static void make_second_cut(struct s2s_trail *t)
{
    s2s_trail_fail(t, S2S_STEP_TCP, S2S_WHY_PORT_CLOSED, "connecting to g port 1: Connection refused");
    tcp(t);
    s2s_trail_end(t, S2S_WHY_CUT, "connection broke");
}

static void make_peer_error(struct s2s_trail *t)
{
    tcp(t);
    s2s_trail_fail(t, S2S_STEP_CERTIFICATE, S2S_WHY_CERTIFICATE_NAME, "it names c.test; not b.test");
    s2s_trail_end(t, S2S_WHY_NOT_SERVED_THERE, "the peer ended it: host-unknown: no b.test here");
}

static void sentences(void **state)
{
    static const struct {
        void (*make)(struct s2s_trail *t);
        enum s2s_verdict verdict;
        const char *text, *advice; /* advice: its beginning */
    } rows[] = {
        {NULL, S2S_UNTRIED, "The way out from a.test to b.test was not tried lately: there was nothing to send.", NULL},
        {make_nothing, S2S_TRYING,
         "The way out from a.test to b.test is being tried since 2030-01-01T00:00:00Z; so far: nothing.", NULL},
        {tcp, S2S_TRYING,
         "The way out from a.test to b.test is being tried since 2030-01-01T00:00:00Z; so far: TCP: connected to h, "
         "192.0.2.1.", NULL},
        {make_open, S2S_OPEN, "The way out from a.test to b.test is open since 2030-01-01T00:00:00Z.", NULL},
        {make_rest, S2S_RESTS,
         "The way out from a.test to b.test was open until 2030-01-01T00:00:00Z and rests: the next stanza opens it.", NULL},
        {make_lost, S2S_FAILED,
         "The way out from a.test to b.test is not open: connection-cut (stanzas), 2030-01-01T00:00:00Z: ended: connection "
         "broke. It was open until 2030-01-01T00:00:00Z.",
         "The connection broke without a word."},
        {make_cut_after_reason, S2S_FAILED,
         "The way out from a.test to b.test is not open: peer-has-no-tls (TLS), 2030-01-01T00:00:00Z: it offers no TLS.",
         "b.test offers no encryption."},
        {make_second_cut, S2S_FAILED,
         "The way out from a.test to b.test is not open: connection-cut (stream), 2030-01-01T00:00:00Z: ended: connection "
         "broke.",
         "The connection broke without a word."},
        {make_peer_error, S2S_FAILED,
         "The way out from a.test to b.test is not open: not-served-there (stream), 2030-01-01T00:00:00Z: ended: the "
         "peer ended it: host-unknown: no b.test here.",
         "DNS leads b.test to a machine that does not know it."},
    };
    struct fixture f;
    (void)state;
    setup(&f);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct s2s_explanation x;
        struct s2s_trail *t = rows[i].make ? s2s_trail_new(f.loop) : NULL;
        if (t)
            rows[i].make(t);
        struct s2s_trail_look look = {0};
        if (t)
            s2s_trail_look(t, &look);
        s2s_explain_way(&(struct s2s_trace_row){.direction = S2S_OUT, .local = "a.test", .remote = "b.test", .trail = t,
                                                .last_well_us = look.last_well_us},
                        &f.arena, &x);
        assert_string_equal(x.text, rows[i].text);
        assert_string_equal(s2s_explain_verdict_name(x.verdict), s2s_explain_verdict_name(rows[i].verdict));
        assert_int_equal(x.advice != NULL, rows[i].advice != NULL);
        if (x.advice)
            assert_memory_equal(x.advice, rows[i].advice, strlen(rows[i].advice));
        s2s_trail_unref(&t);
    }
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_bounded),    cmocka_unit_test(texts_are_bounded), cmocka_unit_test(pairs_are_bounded),
        cmocka_unit_test(an_open_way_is_shown), cmocka_unit_test(sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
