/* SPDX-License-Identifier: MIT */
/* Two real servers on loopback: SRV, STARTTLS, proof, order, barriers, restarts, and stopping in the middle of
 * everything; each by EXTERNAL and by dialback, on streams that go one way and both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "test/unit/s2s/s2s_world.h"

#define LOOPBACK "s2s 127.0.0.0/8"

/* How the servers of a run prove themselves, and whether their streams go both ways. */
static const struct mode {
    const char *name;
    bool dialback, one_way;
} modes[] = {
    {"EXTERNAL, both ways", false, false},
    {"EXTERNAL, one way", false, true},
    {"dialback, both ways", true, false},
    {"dialback, one way", true, true},
};

static const struct mode *mode;

struct two {
    struct world w;
    struct side a, b;
};

static void two_open(struct two *t, struct s2s_options o)
{
    world_open(&t->w);
    t->w.misnamed = mode->dialback;
    o.bidi_off = mode->one_way;
    uint16_t pa = world_free_port(&t->w), pb = world_free_port(&t->w);
    world_dns(&t->w, "_xmpp-server._tcp.a.test", "SRV 1 1 %u host-a.test", pa);
    world_dns(&t->w, "_xmpp-server._tcp.b.test", "SRV 1 1 %u host-b.test", pb);
    world_dns(&t->w, "host-a.test", "A 127.0.0.1");
    world_dns(&t->w, "host-b.test", "A 127.0.0.1");
    side_open(&t->a, &t->w, "a.test", pa, LOOPBACK, o);
    side_open(&t->b, &t->w, "b.test", pb, LOOPBACK, o);
}

static void two_close(struct two *t)
{
    side_close(&t->a);
    side_close(&t->b);
    world_close(&t->w);
}

/* Between two Causeways messages bear their place in the queue, and the receiver hears what is settled. */
static void numbered(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, (struct s2s_options){.queue_epoch = 0x1234});
    world_say(&t.a.x, "presence", "b.test", "p");
    for (int i = 1; i <= 70; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        world_say(&t.a.x, "message", "b.test", id);
        world_until(&t.w, t.a.x.keeping == 0);
    }
    world_until(&t.w, t.a.x.done_count == 70);
    world_say(&t.a.x, "message", "b.test", "last");
    world_until(&t.w, t.a.x.done_count == 71);
    assert_memory_equal(t.b.x.numbers, "settled:0 0:p 1:m1 2:m2 ", 24);
    assert_int_equal(t.b.x.epoch, 0x1234);
    const char *word = strstr(t.b.x.numbers + 10, "settled:");
    assert_true(word && strtoul(word + 8, NULL, 10) >= 64);
    assert_non_null(strstr(t.b.x.numbers, "70:m70 "));
    two_close(&t);
}

static void both_ways_in_order(void **state)
{
    (void)state;
    struct two t;
    char expect_b[4096] = "", expect_a[256] = "", id[16];
    two_open(&t, (struct s2s_options){0});
    for (int i = 0; i < 50; i++) {
        const char *kind = i % 5 == 3 ? "presence" : i % 5 == 4 ? "iq" : "message";
        snprintf(id, sizeof id, "%d", i);
        world_say(&t.a.x, kind, "b.test", id);
        snprintf(expect_b + strlen(expect_b), sizeof expect_b - strlen(expect_b), "%s:%s ", kind, id);
        world_until(&t.w, t.a.x.keeping == 0);
    }
    world_say(&t.b.x, "message", "a.test", "back");
    snprintf(expect_a, sizeof expect_a, "message:back ");
    world_until(&t.w, t.b.x.in_count == 50 && t.a.x.in_count == 1);
    assert_string_equal(t.b.x.in, expect_b);
    assert_string_equal(t.a.x.in, expect_a);
    world_until(&t.w, t.a.x.done_count == 30 && t.b.x.done_count == 1); /* the barriers were answered */
    assert_int_equal(side_queued(&t.a, "b.test"), 0);
    assert_int_equal(t.a.x.failed_count + t.b.x.failed_count, 0);
    assert_non_null(strstr(t.w.log, mode->dialback ? "dialback proved a.test" : "EXTERNAL proved a.test"));
    if (mode->one_way)
        assert_non_null(strstr(t.w.log, mode->dialback ? "dialback proved b.test" : "EXTERNAL proved b.test"));
    two_close(&t);
}

/* An idle stream is closed, a pair that rests is forgotten, and both come back when needed. */
static void idle_and_again(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, (struct s2s_options){.idle_close_ms = 5000});
    for (unsigned round = 1; round <= 3; round++) {
        world_say(&t.a.x, "message", "b.test", "m");
        world_until(&t.w, t.a.x.done_count == round);
        for (int i = 0; i < 4; i++)
            world_advance(&t.w, 6000);
    }
    assert_string_equal(t.b.x.in, "message:m message:m message:m ");
    assert_null(strstr(t.w.log, "interrupted"));
    two_close(&t);
}

/* Something said while an idle stream is being closed follows on the next one, at once. */
static void said_while_closing(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, (struct s2s_options){.idle_close_ms = 5000});
    world_say(&t.a.x, "message", "b.test", "1");
    world_until(&t.w, t.a.x.done_count == 1);
    world_calm(&t.w);
    clock_fake_advance(&t.w.clock, 6000);
    world_say(&t.a.x, "iq", "b.test", "2");
    world_say(&t.a.x, "message", "b.test", "3");
    world_until(&t.w, t.b.x.in_count == 3);
    world_until(&t.w, t.a.x.done_count == 2);
    assert_int_equal(t.a.x.failed_count, 0);
    two_close(&t);
}

/* The peer restarts: what waited goes on without anybody saying it again. */
static void peer_restarts(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, (struct s2s_options){0});
    world_say(&t.a.x, "message", "b.test", "1");
    world_until(&t.w, t.a.x.done_count == 1);
    uint16_t port = t.b.port;
    side_close(&t.b);
    world_say(&t.a.x, "message", "b.test", "2");
    world_until(&t.w, strstr(t.w.log, "cannot connect"));
    world_say(&t.a.x, "presence", "b.test", "p");
    world_until(&t.w, t.a.x.failed_count == 1);
    assert_string_equal(t.a.x.out, "done:1 failed:p=remote-server-timeout ");
    side_open(&t.b, &t.w, "b.test", port, LOOPBACK, (struct s2s_options){0});
    world_advance(&t.w, 2000);
    world_until(&t.w, t.b.x.in_count == 1);
    world_until(&t.w, t.a.x.done_count == 2);
    assert_int_equal(side_queued(&t.a, "b.test"), 0);
    two_close(&t);
}

/* We restart: rows of the former life go first, also when new ones are said before the wake. */
static void we_restart(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, (struct s2s_options){0});
    for (int i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "old%d", i);
        struct stanza *st = world_stanza("message", "a.test", "b.test", id, 0);
        world_keep(&t.a.x, st, false);
        stanza_unref(&st);
    }
    world_say(&t.a.x, "message", "b.test", "new");
    world_until(&t.w, t.b.x.in_count >= 1);
    t.a.x.edge->ops->wake(t.a.x.edge, "a.test", "b.test");
    world_until(&t.w, t.a.x.done_count == 4);
    assert_string_equal(t.b.x.in, "message:old0 message:old1 message:old2 message:new ");
    two_close(&t);
}

/* Rows that nobody has said since the start need only the wake; an empty queue makes no noise. */
static void woken(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, (struct s2s_options){0});
    struct stanza *st = world_stanza("message", "a.test", "b.test", "old", 0);
    world_keep(&t.a.x, st, false);
    stanza_unref(&st);
    world_until(&t.w, side_queued(&t.a, "b.test") == 1);
    t.a.x.edge->ops->wake(t.a.x.edge, "a.test", "b.test");
    t.a.x.edge->ops->wake(t.a.x.edge, "a.test", "nothing.test");
    world_until(&t.w, t.a.x.done_count == 1);
    assert_string_equal(t.b.x.in, "message:old ");
    assert_null(strstr(t.w.log, "nothing.test"));
    two_close(&t);
}

/* Without the stamps of what was sent twice. */
static void strip_delays(char *text)
{
    char *out = text;
    for (const char *in = text; *in;) {
        if (strncmp(in, "+delay", 6) == 0)
            in += 6;
        else
            *out++ = *in++;
    }
    *out = '\0';
}

/* More than fits in memory waits in the store, keeps its order, and drains in windows. */
static void queue_larger_than_memory(void **state)
{
    (void)state;
    struct two t;
    char expect[16384] = "", id[16];
    two_open(&t, (struct s2s_options){.queue_bytes = 4096});
    t.b.x.mute = true; /* nothing is confirmed, so no more is sent than may be in doubt */
    for (int i = 0; i < 600; i++) {
        snprintf(id, sizeof id, "%d", i);
        world_say(&t.a.x, "message", "b.test", id);
        snprintf(expect + strlen(expect), sizeof expect - strlen(expect), "message:%d ", i);
    }
    world_until(&t.w, side_queued(&t.a, "b.test") == 600 && t.b.x.in_count > 2);
    world_calm(&t.w);
    assert_true(t.b.x.in_count < 100);
    world_say(&t.a.x, "presence", "b.test", "p"); /* must not overtake what only the store has */
    strcat(expect, "presence:p ");
    for (int i = 0; i < 20; i++) /* only so much of it is held */
        world_say(&t.a.x, "presence", "b.test", "more");
    world_until(&t.w, t.a.x.failed_count > 0);
    assert_string_equal(t.a.x.out + strlen(t.a.x.out) - 32, "failed:more=resource-constraint ");
    for (unsigned i = t.a.x.failed_count; i < 20; i++)
        strcat(expect, "presence:more ");
    t.b.x.mute = false;
    world_advance(&t.w, 61000); /* the ping had no answer: its burst comes again */
    world_until(&t.w, strstr(t.w.log, "interrupted"));
    t.b.x.in[0] = '\0';
    world_advance(&t.w, 2000);
    world_until(&t.w, t.a.x.done_count == 600 && strstr(t.b.x.in, "presence:"));
    assert_int_equal(side_queued(&t.a, "b.test"), 0);
    world_calm(&t.w);
    strip_delays(t.b.x.in);
    assert_string_equal(t.b.x.in, expect);
    two_close(&t);
}

/* Presence and iq keep their places between messages that only the store has. */
static void order_with_the_store(void **state)
{
    (void)state;
    struct two t;
    char expect[16384] = "", id[16];
    two_open(&t, (struct s2s_options){.queue_bytes = 100000});
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "%d", i);
        struct stanza *st = world_stanza("message", "a.test", "b.test", id, 0);
        world_keep(&t.a.x, st, i >= 50);
        stanza_unref(&st);
        snprintf(expect + strlen(expect), sizeof expect - strlen(expect), "message:%d ", i);
        if (i < 50 || i % 7)
            continue;
        world_until(&t.w, t.a.x.keeping == 0);
        world_say(&t.a.x, "presence", "b.test", id);
        snprintf(expect + strlen(expect), sizeof expect - strlen(expect), "presence:%s ", id);
    }
    world_until(&t.w, t.a.x.done_count == 100);
    assert_string_equal(t.b.x.in, expect);
    two_close(&t);
}

/* An idn domain is asked of DNS in its A-label form. */
static void domain_beyond_ascii(void **state)
{
    (void)state;
    struct world w;
    struct side a, b;
    world_open(&w);
    uint16_t pa = world_free_port(&w), pb = world_free_port(&w);
    world_dns(&w, "_xmpp-server._tcp.a.test", "SRV 1 1 %u host.test", pa);
    world_dns(&w, "_xmpp-server._tcp.xn--bcher-kva.test", "SRV 1 1 %u host.test", pb);
    world_dns(&w, "host.test", "A 127.0.0.1");
    side_open(&a, &w, "a.test", pa, LOOPBACK, (struct s2s_options){0});
    side_open(&b, &w, "b\xc3\xbc" "cher.test", pb, LOOPBACK, (struct s2s_options){0});
    world_say(&a.x, "message", "b\xc3\xbc" "cher.test", "1");
    world_until(&w, a.x.done_count == 1);
    side_close(&a);
    side_close(&b);
    world_close(&w);
}

/* Stopping after every number of turns: no state hangs, leaks or loses a kept message. */
static void stop_at_any_moment(void **state)
{
    (void)state;
    for (int turns = 0; turns < 240; turns = turns * 5 / 4 + 2) {
        struct two t;
        two_open(&t, (struct s2s_options){0});
        world_say(&t.a.x, "message", "b.test", "1");
        world_say(&t.a.x, "iq", "b.test", "2");
        world_say(&t.b.x, "message", "a.test", "3");
        for (int i = 0; i < turns; i++)
            world_turn(&t.w);
        t.b.x.hold = turns % 2;
        side_stop(turns % 4 < 2 ? &t.a : &t.b);
        world_calm(&t.w);
        if (!t.a.s2s)
            assert_int_equal(side_queued(&t.a, "b.test") + t.a.x.done_count, 1);
        two_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_in_order),  cmocka_unit_test(idle_and_again),
        cmocka_unit_test(numbered),
        cmocka_unit_test(said_while_closing),  cmocka_unit_test(peer_restarts),
        cmocka_unit_test(we_restart),          cmocka_unit_test(woken),
        cmocka_unit_test(queue_larger_than_memory),
        cmocka_unit_test(order_with_the_store),
        cmocka_unit_test(domain_beyond_ascii), cmocka_unit_test(stop_at_any_moment),
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        mode = &modes[i];
        failed += cmocka_run_group_tests_name(mode->name, tests, NULL, NULL);
    }
    return failed;
}
