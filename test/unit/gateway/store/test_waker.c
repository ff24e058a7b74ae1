/* SPDX-License-Identifier: MIT */
/* When the writer hears of new jobs: at the end of the turn that asked for them, at once when many wait or
 * when no turn will end. Whether it sleeps is read under the store's lock, so nothing here waits for time. */
#include "test/unit/gateway/store/store_world.h"

#include <sched.h>
#include <stdatomic.h>

#include "gateway/store/store_internal.h"
#include "gateway/store/waker.h"

enum { JOBS_MOST = 64, CHANCES = 1000 /* to do what must not happen */ };

struct turn_job {
    struct store_job job;
    int64_t group_us; /* the time of the transaction that ran it: the same for a whole group */
    struct clock_fake *clock;
};

static struct turn {
    struct loop *loop; /* driven by the test; `world.loop` is a second one, on its own thread */
    struct clock_fake clock;
    struct command cmd;
    struct turn_job jobs[JOBS_MOST];
    unsigned ask;
    sem_t ran;
    atomic_uint done; /* on_done runs on either loop */
    bool slept_before, slept_after; /* in the turn: before and after the jobs were asked for */
} turn;

static int setup(void **state)
{
    if (world_setup(state) != 0)
        return -1;
    memset(&turn, 0, sizeof turn);
    clock_fake_init(&turn.clock);
    sem_init(&turn.ran, 0, 0);
    turn.loop = loop_create("turn", clock_real());
    world_open_with(&(struct store_options){
        .path = ":memory:", .schema_dir = SCHEMA_DIR, .clock = &turn.clock.clock});
    return 0;
}

static int teardown(void **state)
{
    store_close(&world.store);
    while (loop_turn(turn.loop))
        ;
    loop_destroy(&turn.loop);
    sem_destroy(&turn.ran);
    return world_teardown(state);
}

static bool writer_sleeps(void)
{
    pthread_mutex_lock(&world.store->lock);
    bool sleeps = world.store->writer_sleeps_until_ms == UINT64_MAX;
    pthread_mutex_unlock(&world.store->lock);
    return sleeps;
}

/* After a group the first sleep is short, and it wakes by itself: wait for the one without an end. */
static void until_writer_sleeps(void)
{
    while (!writer_sleeps())
        sched_yield();
}

/* Each group that begins finds a later time. */
static bool on_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    (void)e;
    struct turn_job *j = container_of(job, struct turn_job, job);
    j->group_us = store_now_us(tx);
    clock_fake_advance(j->clock, 1);
    sem_post(&turn.ran);
    return true;
}

static void on_done(struct store_job *job, const struct error *e)
{
    (void)job;
    assert_int_equal(e->code, ERROR_NONE);
    turn.done++;
}

static void ask_for(unsigned i, struct loop *reply_on)
{
    turn.jobs[i] = (struct turn_job){.job = {.run = on_run, .done = on_done, .reply_on = reply_on}, .clock = &turn.clock};
    store_write(world.store, &turn.jobs[i].job);
}

static void until_ran(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        while (sem_wait(&turn.ran) != 0)
            ;
}

static void until_done(unsigned count)
{
    while (turn.done < count)
        if (!loop_turn(turn.loop))
            sched_yield();
}

static void on_turn(struct command *c)
{
    (void)c;
    turn.slept_before = writer_sleeps();
    for (unsigned i = 0; i < turn.ask; i++)
        ask_for(i, turn.loop);
    turn.slept_after = writer_sleeps();
}

static void take_turn(unsigned ask)
{
    turn.ask = ask;
    turn.cmd.run = on_turn;
    loop_post(turn.loop, &turn.cmd);
    loop_turn(turn.loop);
}

/* One group for all of a turn, though the first job alone could have been synced meanwhile; and the next
 * turn finds its waker anew. */
static void one_wake_a_turn(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        until_writer_sleeps();
        turn.done = 0;
        take_turn(63);
        assert_true(turn.slept_before);
        assert_true(turn.slept_after);
        until_ran(63);
        until_done(63);
        for (unsigned i = 1; i < 63; i++)
            assert_int_equal(turn.jobs[i].group_us, turn.jobs[0].group_us);
    }
}

/* A turn that asks for many does not keep the writer waiting for its end. */
static void many_wake_at_once(void **state)
{
    (void)state;
    until_writer_sleeps();
    take_turn(JOBS_MOST);
    assert_true(turn.slept_before);
    assert_false(turn.slept_after);
    until_ran(JOBS_MOST);
    until_done(JOBS_MOST);
}

/* Outside of any turn nothing would come to tell the writer later. */
static void who_runs_no_loop_wakes_at_once(void **state)
{
    (void)state;
    const struct {
        const char *proves;
        struct loop *reply_on;
    } rows[] = {
        {"nobody waits for the answer", NULL},
        {"the answer goes to a loop that another thread runs", world.loop},
        {"the answer goes to a loop that nobody runs just now", turn.loop},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].proves);
        until_writer_sleeps();
        ask_for((unsigned)i, rows[i].reply_on);
        assert_false(writer_sleeps());
        until_ran(1);
    }
    until_done(2);
}

/* ---- the end ---- */

static struct closing {
    sem_t asked, go;
    atomic_bool is_through;
    struct command cmd;
} closing;

static void on_held_turn(struct command *c)
{
    (void)c;
    ask_for(0, world.loop);
    sem_post(&closing.asked);
    while (sem_wait(&closing.go) != 0)
        ;
}

static void *closer(void *user)
{
    (void)user;
    store_close(&world.store);
    atomic_store(&closing.is_through, true);
    return NULL;
}

/* The store closes on one thread while another is in a turn that will yet tell its writer: what it tells
 * must be there until then. */
static void closing_waits_for_the_turn(void **state)
{
    (void)state;
    pthread_t t;
    closing = (struct closing){.cmd = {.run = on_held_turn}};
    sem_init(&closing.asked, 0, 0);
    sem_init(&closing.go, 0, 0);
    until_writer_sleeps();
    loop_post(world.loop, &closing.cmd);
    while (sem_wait(&closing.asked) != 0)
        ;
    pthread_create(&t, NULL, closer, NULL);
    until_ran(1); /* closing wakes the writer, and completes what was asked */
    bool too_early = false;
    for (int i = 0; i < CHANCES && !too_early; i++) {
        sched_yield();
        too_early = atomic_load(&closing.is_through);
    }
    sem_post(&closing.go);
    pthread_join(t, NULL);
    assert_false(too_early);
    assert_true(atomic_load(&closing.is_through));
    sem_destroy(&closing.asked);
    sem_destroy(&closing.go);
}

static void on_closing_turn(struct command *c)
{
    (void)c;
    ask_for(0, turn.loop);
    store_close(&world.store);
}

/* A turn that closes the store itself cannot be waited for. */
static void a_turn_may_close(void **state)
{
    (void)state;
    until_writer_sleeps();
    turn.cmd.run = on_closing_turn;
    loop_post(turn.loop, &turn.cmd);
    until_done(1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_wake_a_turn),
        TEST(many_wake_at_once),
        TEST(who_runs_no_loop_wakes_at_once),
        TEST(closing_waits_for_the_turn),
        TEST(a_turn_may_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
