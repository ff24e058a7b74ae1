/* SPDX-License-Identifier: MIT */
/* Timers on a fake clock: each fires once, in its millisecond, in order, and not when it was
 * stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/net/loop.h"
#include "gateway/net/timer.h"

struct world {
    struct clock_fake clock;
    struct loop *loop;
};

struct one {
    struct timer timer;
    struct world *world;
    uint64_t fired_at_ms; /* 0: not yet */
    unsigned fired;
    struct one *stops; /* stopped by on_due */
    uint64_t again_ms; /* restarted by on_due */
};

static void on_due(struct timer *t)
{
    struct one *o = container_of(t, struct one, timer);
    o->fired++;
    o->fired_at_ms = o->world->clock.now_mono_ms;
    if (o->stops)
        timer_stop(&o->stops->timer);
    if (o->again_ms)
        timer_start(t, o->world->loop, o->again_ms, on_due);
}

static void begin(struct world *w)
{
    clock_fake_init(&w->clock);
    w->loop = loop_create("test", &w->clock.clock);
}

static void advance(struct world *w, uint64_t ms)
{
    clock_fake_advance(&w->clock, ms);
    loop_turn(w->loop);
}

/* Delays over all levels of the wheel: never a millisecond early, and there at the millisecond. */
static void exact(void **state)
{
    (void)state;
    static const uint64_t delays[] = {1,      2,      63,       64,       65,
                                      100,    4095,   4096,     4097,     300000,
                                      262144, 262143, 86400000, 16777216, 40000000000};
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        struct world w;
        begin(&w);
        struct one o = {.world = &w};
        timer_start(&o.timer, w.loop, delays[i], on_due);
        assert_true(timer_is_running(&o.timer));
        advance(&w, delays[i] - 1);
        assert_int_equal(o.fired, 0);
        advance(&w, 1);
        assert_int_equal(o.fired, 1);
        assert_false(timer_is_running(&o.timer));
        advance(&w, delays[i] * 2);
        assert_int_equal(o.fired, 1);
        loop_destroy(&w.loop);
    }
}

static void at_once(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct one o = {.world = &w};
    timer_start(&o.timer, w.loop, 0, on_due);
    assert_int_equal(o.fired, 0); /* never inside timer_start */
    loop_turn(w.loop);
    assert_int_equal(o.fired, 1);
    loop_destroy(&w.loop);
}

static void stops_another_of_the_same_moment(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct one b = {.world = &w}, a = {.world = &w, .stops = &b};
    timer_start(&a.timer, w.loop, 50, on_due);
    timer_start(&b.timer, w.loop, 50, on_due);
    advance(&w, 60);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 0);
    timer_stop(&b.timer); /* harmless twice */
    loop_destroy(&w.loop);
}

static void restarts_itself(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct one o = {.world = &w, .again_ms = 10};
    timer_start(&o.timer, w.loop, 10, on_due);
    for (int i = 0; i < 100; i++)
        advance(&w, 10);
    assert_int_equal(o.fired, 100);
    timer_stop(&o.timer);
    loop_destroy(&w.loop);
}

/* 20000 timers, started, stopped and moved at random while time goes on: all fire in their step. */
static void many(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct world w;
    begin(&w);
    struct one *o = calloc(N, sizeof *o);
    unsigned seed = 7;
    for (int i = 0; i < N; i++) {
        o[i].world = &w;
        timer_start(&o[i].timer, w.loop, (unsigned)rand_r(&seed) % 200000, on_due);
    }
    for (int step = 0; step < 2000; step++) {
        int i = rand_r(&seed) % N;
        if (!o[i].fired && step % 2)
            timer_start(&o[i].timer, w.loop, (unsigned)rand_r(&seed) % 50000, on_due);
        advance(&w, (unsigned)rand_r(&seed) % 300);
    }
    advance(&w, 300000);
    for (int i = 0; i < N; i++) {
        assert_int_equal(o[i].fired, 1);
        assert_true(o[i].fired_at_ms >= o[i].timer.due_mono_ms);
        if (o[i].fired_at_ms != w.clock.now_mono_ms)
            assert_true(o[i].fired_at_ms < o[i].timer.due_mono_ms + 300);
    }
    free(o);
    loop_destroy(&w.loop);
}

/* On the machine's clock the loop sleeps and is woken by the one timer that libuv sees. */
static void on_due_stop(struct timer *t)
{
    struct one *o = container_of(t, struct one, timer);
    o->fired++;
    loop_stop(o->world->loop);
}

static void real_clock(void **state)
{
    (void)state;
    struct world w;
    w.loop = loop_create("test", clock_real());
    struct one o = {.world = &w};
    uint64_t before = loop_now_ms(w.loop);
    timer_start(&o.timer, w.loop, 30, on_due_stop);
    loop_run(w.loop);
    assert_int_equal(o.fired, 1);
    assert_true(loop_now_ms(w.loop) - before >= 30);
    loop_destroy(&w.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact),
        cmocka_unit_test(at_once),
        cmocka_unit_test(stops_another_of_the_same_moment),
        cmocka_unit_test(restarts_itself),
        cmocka_unit_test(many),
        cmocka_unit_test(real_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
