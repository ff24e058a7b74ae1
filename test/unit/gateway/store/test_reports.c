/* SPDX-License-Identifier: MIT */
/* Reports: the newest of each reporter and community, by community. */
#include "test/unit/gateway/store/store_world.h"

#include "gateway/store/reports.h"

static void put(const char *community, const char *reporter, unsigned first, unsigned count)
{
    struct report all[REPORTS_OF_ONE_MAX];
    char jids[REPORTS_OF_ONE_MAX][32];
    for (unsigned i = 0; i < count; i++) {
        snprintf(jids[i], sizeof jids[i], "j%u@spam.example", first + i);
        all[i] = (struct report){.reporter = reporter, .jid = jids[i], .reason = "r", .words = "w", .messages = "", .to_others = true};
    }
    struct reports_put p = {.job = {.reply_on = world.loop, .done = world_done}, .community = community, .all = all, .count = count};
    reports_put(world.store, &p);
    world_wait(1);
    if (p.job.error.code != ERROR_NONE)
        fail_msg("%s", p.job.error.text);
}

static struct reports_get got(const char *community, const char *jid, unsigned limit)
{
    struct reports_get g = {.job = {.reply_on = world.loop, .done = world_done}, .community = community, .jid = jid, .limit = limit};
    arena_init(&g.arena);
    reports_get(world.store, &g);
    world_wait(1);
    assert_int_equal(g.job.error.code, ERROR_NONE);
    return g;
}

static void expect(const char *community, const char *jid, unsigned limit, unsigned count, const char *newest)
{
    struct reports_get g = got(community, jid, limit);
    assert_int_equal(g.count, count);
    if (count) {
        assert_string_equal(g.all[0].jid, newest);
        assert_true(g.all[0].at_us > 0 && g.all[0].to_others && !g.all[0].to_origin);
    }
    arena_fini(&g.arena);
}

static void bounds(void **state)
{
    (void)state;
    char reporter[32];
    put("a", "romeo@a", 0, 3);
    expect("a", NULL, 10, 3, "j2@spam.example");
    expect("a", "j1@spam.example", 10, 1, "j1@spam.example");
    expect("a", NULL, 2, 2, "j2@spam.example");
    expect("b", NULL, 10, 0, NULL);
    put("a", "romeo@a", 1, 1); /* again */
    expect("a", NULL, 10, 3, "j1@spam.example");
    put("a", "romeo@a", 100, REPORTS_OF_ONE_MAX);
    expect("a", NULL, 100, REPORTS_OF_ONE_MAX, "j149@spam.example");
    put("b", "juliet@b", 0, 1);
    for (unsigned i = 0; i < REPORTS_MAX / REPORTS_OF_ONE_MAX; i++) {
        snprintf(reporter, sizeof reporter, "r%u@a", i);
        put("a", reporter, 0, REPORTS_OF_ONE_MAX);
    }
    expect("a", NULL, 2 * REPORTS_MAX, REPORTS_MAX, "j49@spam.example");
    expect("a", "j149@spam.example", 10, 0, NULL); /* the oldest went */
    world_reopen();
    expect("b", NULL, 10, 1, "j0@spam.example"); /* another community's stay */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(bounds, world_setup_open, world_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
