/* SPDX-License-Identifier: MIT */
/* Packs of the journal: what is gathered is found again, wherever it went, and a row that was damaged
 * is said to be so. */
#include "test/unit/gateway/store/store_world.h"

#include "gateway/base/mem.h"
#include "gateway/store/journal_internal.h"

static struct bytes entries_of(const struct index_entry *rows, unsigned count, const char *text)
{
    struct store_tx tx = {.now_us = 5000};
    struct backend_conn conn = {0};
    struct pack p = {0};
    struct error e = ERROR_INIT;
    tx.conn = &conn;
    for (unsigned i = 0; i < count; i++)
        assert_true(pack_add(&tx, &p, &rows[i], span_of(text), &e));
    struct bytes out = p.entries;
    assert_int_equal(p.key, rows[0].seq);
    return out;
}

static const struct index_entry rows[] = {
    {.seq = 7, .first_us = 5000, .archive = {1, 2}, .peer = {2, 1}, .queue = {3, 0}},
    {.seq = 8, .first_us = 1, .archive = {300000, 0}, .peer = {70000, 0}, .queue = {0, 4000000000}},
    {.seq = 4000000, .first_us = 9000, .archive = {0, 5}, .peer = {0, 6}}, /* a clock that went back */
};
enum { ROWS = sizeof rows / sizeof *rows };

static void what_is_put_is_read(void **state)
{
    (void)state;
    struct bytes b = entries_of(rows, ROWS, "<message/>");
    struct pack_walk w = {.left = bytes_span(&b), .seq = 7, .kept_us = 5000};
    struct index_entry got;
    struct span xml;
    for (unsigned i = 0; i < ROWS; i++) {
        assert_true(pack_next(&w, &got, &xml));
        assert_memory_equal(&got, &rows[i], sizeof got);
        assert_true(span_eq_text(xml, "<message/>"));
    }
    assert_false(pack_next(&w, &got, &xml));
    assert_false(w.is_broken);
    bytes_fini(&b);
}

/* Cut anywhere but behind an entry, it is broken, and nothing is read behind the cut. */
static void a_cut_is_seen(void **state)
{
    (void)state;
    struct bytes b = entries_of(rows, ROWS, "<message/>");
    unsigned whole = 0;
    for (size_t len = 0; len <= b.len; len++) {
        char *cut = mem_raw(len);
        memcpy(cut, b.data, len);
        struct pack_walk w = {.left = {cut, len}, .seq = 7, .kept_us = 5000};
        struct index_entry got;
        struct span xml;
        unsigned count = 0;
        while (pack_next(&w, &got, &xml))
            count++;
        assert_true(count <= ROWS);
        whole += !w.is_broken;
        mem_free(cut);
    }
    assert_int_equal(whole, ROWS + 1);
    bytes_fini(&b);
}

static char *body_of(unsigned i, size_t len)
{
    char *body = mem_raw(len + 1);
    memset(body, 'a' + (char)(i % 26), len);
    body[len] = '\0';
    return body;
}

struct counts {
    int64_t packs, singles;
};

static bool count_run(struct store_tx *tx, void *user, struct error *e)
{
    struct counts *c = user;
    struct store_rows *r = store_query(tx, e, "select (select count(*) from packs), (select count(*) from journal)", "");
    if (!r || !store_next(r, e))
        return false;
    *c = (struct counts){store_int(r, 0), store_int(r, 1)};
    store_end(r);
    return true;
}

/* One group of messages around the size of a page: all come back, in order, from packs and from rows
 * of their own. */
static void long_and_short(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 100, 3000, 1500, 3700, 3900, 3990, 4000, 4096, 9000, 100, 70000, 1};
    enum { COUNT = sizeof lengths / sizeof *lengths };
    struct keep keeps[COUNT];
    struct counts c;
    struct error e = ERROR_INIT;
    world_open(false);
    for (unsigned i = 0; i < COUNT; i++) {
        char *body = body_of(i, lengths[i]);
        keeps[i] = (struct keep){.job = {.reply_on = world.loop, .done = world_done},
                                 .stanza = world_message("a@x", "b@y", body),
                                 .archive = {"a@x"},
                                 .peer = {"b@y"},
                                 .queue = {"s:x y"}};
        mem_free(body);
        journal_keep(world.store, &keeps[i]);
    }
    world_wait(COUNT);
    world_reopen();
    struct queue_read q = {.job = {.reply_on = world.loop, .done = world_done}, .queue = "s:x y", .limit = 100,
                           .max_bytes = 1000000};
    arena_init(&q.arena);
    journal_read_queue(world.store, &q);
    world_wait(1);
    assert_int_equal(q.count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        char *body = body_of(i, lengths[i]);
        assert_int_equal(q.rows[i].seq, keeps[i].seq);
        assert_string_equal(stanza_body(q.rows[i].stanza), body);
        stanza_unref(&keeps[i].stanza);
        mem_free(body);
    }
    queue_read_fini(&q);
    assert_true(store_write_wait(world.store, count_run, &c, &e));
    assert_true(c.packs > 0 && c.packs < COUNT);
    assert_true(c.singles >= 4); /* what is longer than a page */
}

static bool damage_run(struct store_tx *tx, void *user, struct error *e)
{
    (void)user;
    struct span junk = SPAN("\xff\xff\xff");
    return store_exec(tx, e, "update packs set entries = $1", "b", &junk);
}

/* A damaged row is an error of those who need it, not a silence. */
static void damage_is_said(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    world_open(false);
    world_keep("a@x", "b@y", "one", "s:x y");
    world_expect_queue("s:x y", "one");
    assert_true(store_write_wait(world.store, damage_run, NULL, &e));
    struct queue_read q = {.job = {.reply_on = world.loop, .done = world_done}, .queue = "s:x y", .limit = 9};
    arena_init(&q.arena);
    journal_read_queue(world.store, &q);
    world_wait(1);
    assert_int_equal(q.job.error.code, ERROR_IO);
    assert_non_null(strstr(q.job.error.text, "does not hold what a pack holds"));
    queue_read_fini(&q);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_read),
        cmocka_unit_test(a_cut_is_seen),
        WORLD_TEST(long_and_short),
        WORLD_TEST(damage_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
