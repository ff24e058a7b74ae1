/* SPDX-License-Identifier: MIT */
/* Rows of numbered messages: what was written with a message is there after a restart, and goes when the
 * sender says so, when its store was replaced, and when nobody has used it for long. */
#include "test/unit/gateway/store/store_world.h"

#include "gateway/store/received.h"

#define PAIR "montague.example capulet.example"
#define OTHER "verona.example capulet.example"

static struct received_open opened(const char *pair, uint64_t epoch, size_t limit)
{
    struct received_open o = {
        .job = {.reply_on = world.loop, .done = world_done}, .pair = pair, .epoch = epoch, .limit = limit};
    arena_init(&o.arena);
    received_open(world.store, &o);
    world_wait(1);
    if (o.job.error.code != ERROR_NONE)
        fail_msg("%s", o.job.error.text);
    return o;
}

/* "AT.SEQ " for each, the newest first, behind "settled AT.SEQ: ". */
static void expect(const char *pair, uint64_t epoch, size_t limit, const char *text)
{
    struct received_open o = opened(pair, epoch, limit);
    struct bytes got = BYTES_EMPTY;
    bytes_printf(&got, "settled %lld.%llu: ", (long long)o.settled.at_us, (unsigned long long)o.settled.seq);
    for (size_t i = 0; i < o.count; i++)
        bytes_printf(&got, "%lld.%llu ", (long long)o.ids[i].at_us, (unsigned long long)o.ids[i].seq);
    assert_string_equal(bytes_text(&got), text);
    bytes_fini(&got);
    arena_fini(&o.arena);
}

static int64_t number_of(const char *pair, uint64_t epoch)
{
    struct received_open o = opened(pair, epoch, 10);
    arena_fini(&o.arena);
    return o.number;
}

struct put {
    int64_t number;
    struct queue_id id;
    bool fails; /* after it was written */
};

static bool run_put(struct store_tx *tx, void *user, struct error *e)
{
    const struct put *p = user;
    return received_put(tx, p->number, p->id, e) && (!p->fails || error_set(e, ERROR_INVALID, "on purpose"));
}

static void put(int64_t number, int64_t at_us, uint64_t seq)
{
    struct put p = {number, {at_us, seq}, false};
    struct error e = ERROR_INIT;
    if (!store_write_wait(world.store, run_put, &p, &e))
        fail_msg("%s", e.text);
}

static void settled(int64_t number, int64_t at_us, uint64_t seq)
{
    struct received_settle s = {.job = {.reply_on = world.loop, .done = world_done},
                                .number = number, .settled = {at_us, seq}};
    received_settle(world.store, &s);
    world_wait(1);
    assert_int_equal(s.job.error.code, ERROR_NONE);
}

static void what_was_put_is_there(void **state)
{
    (void)state;
    world_open(false);
    int64_t n = number_of(PAIR, 7), other = number_of(OTHER, 8);
    assert_true(n > 0 && other > 0 && n != other);
    put(n, 100, 3);
    put(n, 100, 1);
    put(n, 100, 1); /* a copy that a job run twice writes */
    put(n, 90, 9);
    put(other, 50, 1);
    struct put failing = {n, {100, 4}, true};
    struct error e = ERROR_INIT;
    assert_false(store_write_wait(world.store, run_put, &failing, &e));
    world_reopen();
    assert_int_equal(number_of(PAIR, 7), n);
    expect(PAIR, 7, 10, "settled 0.0: 100.3 100.1 90.9 ");
    expect(PAIR, 7, 2, "settled 0.0: 100.3 100.1 ");
    expect(OTHER, 8, 10, "settled 0.0: 50.1 ");
}

static void settled_ones_go(void **state)
{
    (void)state;
    world_open(false);
    int64_t n = number_of(PAIR, 7);
    static const struct queue_id ids[] = {{90, 9}, {100, 1}, {100, 3}, {110, 2}};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        put(n, ids[i].at_us, ids[i].seq);
    settled(n, 100, 1);
    world_reopen();
    expect(PAIR, 7, 10, "settled 100.1: 110.2 100.3 ");
    put(n, 95, 12); /* was being written when the word came: known by the mark */
    expect(PAIR, 7, 10, "settled 100.1: 110.2 100.3 ");
    settled(n, 200, 0);
    expect(PAIR, 7, 10, "settled 200.0: ");
}

static void another_store_begins_anew(void **state)
{
    (void)state;
    world_open(false);
    int64_t n = number_of(PAIR, 7);
    put(n, 100, 1);
    settled(n, 90, 1);
    expect(PAIR, 9, 10, "settled 0.0: ");
    put(n, 300, 1);
    expect(PAIR, 9, 10, "settled 0.0: 300.1 ");
    assert_int_equal(number_of(PAIR, 9), n);
}

static void nobody_s_are_forgotten(void **state)
{
    (void)state;
    enum { DAY_MS = 24 * 3600 * 1000 };
    struct clock_fake clock;
    clock_fake_init(&clock);
    world_open_with(&(struct store_options){.path = world.path, .schema_dir = SCHEMA_DIR, .clock = &clock.clock});
    put(number_of(PAIR, 7), 100, 1);
    put(number_of(OTHER, 8), 50, 1);
    for (int day = 0; day < 32; day++) {
        clock_fake_advance(&clock, DAY_MS);
        expect(PAIR, 7, 10, "settled 0.0: 100.1 "); /* used daily */
    }
    (void)number_of("rome.example capulet.example", 1); /* a new one makes room */
    expect(PAIR, 7, 10, "settled 0.0: 100.1 ");
    expect(OTHER, 8, 10, "settled 0.0: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_there, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(settled_ones_go, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(another_store_begins_anew, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(nobody_s_are_forgotten, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
