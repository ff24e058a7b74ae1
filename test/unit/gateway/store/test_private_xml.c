/* SPDX-License-Identifier: MIT */
/* What clients leave with an account: by name and namespace, bounded, gone with the account; and when it was last seen. */
#include "test/unit/gateway/store/store_world.h"

#include "gateway/base/mem.h"
#include "gateway/store/private_xml.h"
#include "gateway/store/seen.h"

#define ROMEO "romeo@montague.example"

static bool put(const char *owner, const struct private_xml *all, unsigned count)
{
    struct private_xml_put p = {.job = {.reply_on = world.loop, .done = world_done}, .owner = owner, .all = all, .count = count};
    private_xml_put(world.store, &p);
    world_wait(1);
    if (p.job.error.code != ERROR_NONE)
        fail_msg("%s", p.job.error.text);
    return !p.refused;
}

static bool put_one(const char *owner, const char *ns, struct span xml)
{
    return put(owner, &(struct private_xml){"x", ns, xml}, 1);
}

static void expect(const char *owner, const char *ns, size_t len)
{
    struct private_xml_get g = {.job = {.reply_on = world.loop, .done = world_done}, .owner = owner, .what = {.name = "x", .ns = ns}};
    arena_init(&g.arena);
    private_xml_get(world.store, &g);
    world_wait(1);
    assert_int_equal(g.job.error.code, ERROR_NONE);
    assert_int_equal(g.what.xml.len, len);
    arena_fini(&g.arena);
}

static void bounded(void **state)
{
    (void)state;
    enum { HALF = PRIVATE_XML_BYTES_MAX / 2 };
    char *text = mem_raw(HALF + 1);
    memset(text, 'x', HALF + 1);
    struct span half = {text, HALF}, more = {text, HALF + 1}, none = {0};
    assert_true(put_one(ROMEO, "a", half));
    assert_true(put_one(ROMEO, "b", half)); /* to the last byte */
    assert_false(put_one(ROMEO, "c", SPAN("x")));
    assert_false(put_one(ROMEO, "b", more));
    expect(ROMEO, "b", HALF);                                   /* what was there stays */
    assert_true(put_one("juliet@capulet.example", "a", half)); /* each has its own */
    struct private_xml swap[] = {{"x", "a", none}, {"x", "c", half}};
    assert_true(put(ROMEO, swap, 2));
    expect(ROMEO, "a", 0);
    expect(ROMEO, "c", HALF);
    struct private_xml both[] = {{"x", "d", SPAN("1")}, {"x", "c", half}};
    assert_false(put(ROMEO, both, 2)); /* both or none */
    expect(ROMEO, "d", 0);
    mem_free(text);
}

static bool run_delete(struct store_tx *tx, void *user, struct error *e)
{
    struct account a = {.bare = user};
    return account_put(tx, &a, false, e) && seen_put(tx, user, "bye", e) && account_delete(tx, user, e);
}

static struct seen_get seen(const char *account)
{
    struct seen_get g = {.job = {.reply_on = world.loop, .done = world_done}, .account = account};
    arena_init(&g.arena);
    seen_get(world.store, &g);
    world_wait(1);
    assert_int_equal(g.job.error.code, ERROR_NONE);
    return g;
}

static void goes_with_the_account(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    assert_true(put_one(ROMEO, "a", SPAN("<x xmlns='a'/>")));
    expect(ROMEO, "a", 14);
    world_reopen();
    expect(ROMEO, "a", 14);
    assert_true(store_write_wait(world.store, run_delete, (void *)ROMEO, &e));
    expect(ROMEO, "a", 0);
    struct seen_get g = seen(ROMEO);
    assert_false(g.found);
    arena_fini(&g.arena);
}

static bool run_seen(struct store_tx *tx, void *user, struct error *e)
{
    return seen_put(tx, ROMEO, user, e);
}

static void last_seen(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    char longest[SEEN_STATUS_BYTES + 2];
    static const struct {
        const char *proves, *status, *found;
    } cases[] = {
        {"nothing was said", NULL, ""},
        {"the last words", "Heading home", "Heading home"},
        {"newer ones take their place", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(store_write_wait(world.store, run_seen, (void *)cases[i].status, &e));
        struct seen_get g = seen(ROMEO);
        if (!g.found || !g.at_us || !text_eq(g.status, cases[i].found))
            fail_msg("%s", cases[i].proves);
        arena_fini(&g.arena);
    }
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_true(store_write_wait(world.store, run_seen, longest + 1, &e));
    struct seen_get g = seen(ROMEO);
    assert_int_equal(strlen(g.status), SEEN_STATUS_BYTES);
    arena_fini(&g.arena);
    assert_true(store_write_wait(world.store, run_seen, longest, &e));
    g = seen(ROMEO);
    assert_string_equal(g.status, "");
    arena_fini(&g.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bounded, world_setup_open, world_teardown),
        cmocka_unit_test_setup_teardown(goes_with_the_account, world_setup_open, world_teardown),
        cmocka_unit_test_setup_teardown(last_seen, world_setup_open, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
