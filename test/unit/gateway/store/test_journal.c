/* SPDX-License-Identifier: MIT */
/* Keeping, being done, queues and archives, as those see them who use the journal. */
#include "gateway/store/archive_id.h"
#include "test/unit/gateway/store/store_world.h"

#define ROMEO "romeo@montague.example"
#define JULIET "juliet@capulet.example"

static void both_modes(void (*run)(void))
{
    for (int in_memory = 0; in_memory < 2; in_memory++) {
        if (!in_memory)
            unlink(world.path);
        world_open(in_memory);
        run();
        store_close(&world.store);
        char command[128];
        snprintf(command, sizeof command, "rm -f '%s'*", world.path);
        assert_int_equal(system(command), 0);
    }
}

static void keep_read_done(void)
{
    uint64_t one = world_keep(ROMEO, JULIET, "one", "u:" JULIET);
    uint64_t two = world_keep(ROMEO, JULIET, "two", "u:" JULIET);
    assert_true(two > one);
    world_expect_queue("u:" JULIET, "one two");
    world_expect_queue("u:" ROMEO, "");
    journal_done(world.store, "u:" JULIET, one);
    world_expect_queue("u:" JULIET, "two"); /* done after it was indexed */
    uint64_t three = world_keep(ROMEO, JULIET, "three", "u:" JULIET);
    journal_done(world.store, "u:" JULIET, three);
    world_expect_queue("u:" JULIET, "two"); /* done before */
    world_expect_archive((struct archive_page){.owner = JULIET, .max = 10}, "one two three");
    world_expect_archive((struct archive_page){.owner = ROMEO, .max = 10}, "one two three");
    journal_done(world.store, "u:nobody@x", 1); /* harmless */
    world_expect_queue("u:" JULIET, "two");
}

static void queue_windows(void)
{
    char body[8];
    uint64_t seqs[10];
    for (int i = 0; i < 10; i++) {
        snprintf(body, sizeof body, "m%d", i);
        seqs[i] = world_keep(ROMEO, JULIET, body, "s:a b");
    }
    struct queue_read q = {.job = {.reply_on = world.loop, .done = world_done},
                           .queue = "s:a b", .limit = 4, .after = seqs[1]};
    arena_init(&q.arena);
    journal_read_queue(world.store, &q);
    world_wait(1);
    assert_int_equal(q.count, 4);
    assert_true(q.more);
    assert_int_equal(q.rows[0].seq, seqs[2]);
    assert_true(q.rows[0].kept_us > 0);
    queue_read_fini(&q);
    q = (struct queue_read){.job = {.reply_on = world.loop, .done = world_done},
                            .queue = "s:a b", .limit = 100, .max_bytes = 1, .after = seqs[8]};
    journal_read_queue(world.store, &q);
    world_wait(1);
    assert_int_equal(q.count, 1); /* at least one row, however small max_bytes is */
    assert_false(q.more);
    queue_read_fini(&q);

    (void)world_keep(ROMEO, JULIET, "x", "s:c d");
    struct queue_names n = {.job = {.reply_on = world.loop, .done = world_done}, .prefix = "s:"};
    arena_init(&n.arena);
    journal_queue_names(world.store, &n);
    world_wait(1);
    assert_int_equal(n.count, 2);
    assert_string_equal(n.names[0], "s:a b");
    assert_int_equal(n.rows[0], 10);
    assert_string_equal(n.names[1], "s:c d");
    arena_fini(&n.arena);
}

static void archive_paging(void)
{
    static const char *const peers[] = {JULIET, "nurse@capulet.example"};
    uint64_t seqs[9];
    char body[8];
    for (int i = 0; i < 9; i++) {
        snprintf(body, sizeof body, "m%d", i);
        seqs[i] = world_keep(ROMEO, peers[i % 2], body, NULL);
    }
    /* a note to oneself is in the archive once */
    uint64_t self = world_keep(ROMEO, ROMEO, "self", NULL);
    struct archive_page all = {.owner = ROMEO, .max = 100};
    struct bytes got = world_archive(&all);
    assert_string_equal(bytes_text(&got), "m0 m1 m2 m3 m4 m5 m6 m7 m8 self");
    assert_true(all.complete);
    assert_int_equal(all.total, 10);
    assert_int_equal(all.first_index, 0);
    bytes_fini(&got);
    struct archive_page page = {.owner = ROMEO, .max = 3, .after = seqs[1]};
    got = world_archive(&page);
    assert_string_equal(bytes_text(&got), "m2 m3 m4");
    assert_false(page.complete);
    assert_int_equal(page.first_index, 2);
    bytes_fini(&got);
    page = (struct archive_page){.owner = ROMEO, .max = 3, .last_page = true};
    got = world_archive(&page);
    assert_string_equal(bytes_text(&got), "m7 m8 self");
    assert_false(page.complete);
    assert_int_equal(page.first_index, -1);
    bytes_fini(&got);
    world_expect_archive((struct archive_page){.owner = ROMEO, .max = 3, .last_page = true, .before = seqs[2]},
                         "m0 m1");
    world_expect_archive((struct archive_page){.owner = ROMEO, .max = 9, .with = peers[1]}, "m1 m3 m5 m7");
    world_expect_archive((struct archive_page){.owner = ROMEO, .max = 9, .with = "never@seen.example"}, "");
    world_expect_archive((struct archive_page){.owner = ROMEO, .max = 9, .with = ROMEO}, "self");
    page = (struct archive_page){.owner = peers[0], .max = 3, .after = self};
    got = world_archive(&page);
    assert_true(page.after_unknown); /* a row of somebody else's archive */
    bytes_fini(&got);
    page = (struct archive_page){.owner = ROMEO, .max = 0, .with = peers[0]};
    got = world_archive(&page);
    assert_int_equal(page.total, 5);
    assert_int_equal(page.count, 0);
    bytes_fini(&got);
}

/* Large rows make short pages, in both directions; one that is larger than a page comes alone. */
static void archive_pages_by_bytes(void)
{
    enum { BIG = 200000, HUGE_ONE = 600000 }; /* world_message says it twice */
    char *body = test_malloc(HUGE_ONE + 1);
    uint64_t seqs[6];
    for (int i = 0; i < 6; i++) {
        size_t len = i == 4 ? HUGE_ONE : BIG;
        memset(body, 'a' + i, len);
        body[len] = '\0';
        seqs[i] = world_keep(ROMEO, JULIET, body, NULL);
    }
    test_free(body);
    static const struct {
        int after; /* of seqs; -1: none */
        bool last;
        unsigned count;
        int first;
        bool complete;
    } rows[] = {{-1, false, 2, 0, false}, {1, false, 2, 2, false}, {3, false, 1, 4, false},
                {4, false, 1, 5, true},   {-1, true, 1, 5, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct archive_page p = {.owner = ROMEO, .max = 100, .last_page = rows[i].last,
                                 .after = rows[i].after < 0 ? 0 : seqs[rows[i].after],
                                 .job = {.reply_on = world.loop, .done = world_done}};
        arena_init(&p.arena);
        archive_query(world.store, &p);
        world_wait(1);
        assert_int_equal(p.count, rows[i].count);
        assert_int_equal(p.rows[0].seq, seqs[rows[i].first]);
        assert_int_equal(p.complete, rows[i].complete);
        arena_fini(&p.arena);
    }
}

/* The published vector of the cipher: ids of one build are ids of the next. */
static void archive_id_cipher(void)
{
    static const unsigned char secret[ARCHIVE_ID_SECRET_BYTES] = {0,    1,    2,    3,    8,    9,    0xa,  0xb,
                                                                  0x10, 0x11, 0x12, 0x13, 0x18, 0x19, 0x1a, 0x1b};
    struct archive_id_key key;
    archive_id_key_init(&key, secret);
    assert_int_equal(archive_id_encipher(&key, 0x3b7265747475432d), 0x8c6fa548454e028b);
    assert_int_equal(archive_id_decipher(&key, 0x8c6fa548454e028b), 0x3b7265747475432d);
}

static void archive_ids(void)
{
    char id[ARCHIVE_ID_LEN + 1], other[ARCHIVE_ID_LEN + 1];
    for (uint64_t seq = 1; seq < 2000; seq += 7) {
        uint64_t back;
        archive_id(world.store, seq, id);
        assert_int_equal(strlen(id), ARCHIVE_ID_LEN);
        assert_true(archive_id_parse(world.store, id, &back));
        assert_int_equal(back, seq);
        archive_id(world.store, seq + 1, other);
        assert_string_not_equal(id, other);
    }
    uint64_t seq;
    archive_id_cipher();
    static const char *const bad[] = {"", "x", "aaaaaaaaaaaaaa", "zzzzzzzzzzzzz", "aaaaaaaaaaaa1", "AAAAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(archive_id_parse(world.store, bad[i], &seq));
}

struct moved {
    unsigned count;
    uint64_t seqs[8];
    int64_t first_us[8];
};

static void on_moved(void *user, uint64_t seq, int64_t first_us, struct stanza *st)
{
    struct moved *m = user;
    assert_non_null(stanza_body(st));
    m->seqs[m->count] = seq;
    m->first_us[m->count++] = first_us;
}

static bool accept_run(struct store_tx *tx, void *user, struct error *e)
{
    *(struct moved *)user = (struct moved){0};
    const struct journal_move accepted = {.from = "h:" JULIET " " ROMEO,
                                          .to = "u:" JULIET,
                                          .archive_owner = JULIET,
                                          .archive_peer = ROMEO,
                                          .each = on_moved,
                                          .user = user};
    return journal_move(tx, &accepted, e);
}

static bool drop_run(struct store_tx *tx, void *user, struct error *e)
{
    *(struct moved *)user = (struct moved){0};
    const struct journal_move dropped = {.from = "h:" JULIET " " ROMEO, .each = on_moved, .user = user};
    return journal_move(tx, &dropped, e);
}

static uint64_t keep_held(const char *body, int64_t sent_us)
{
    struct keep k = {.job = {.reply_on = world.loop, .done = world_done},
                     .stanza = world_message(ROMEO, JULIET, body),
                     .queue = {"h:" JULIET " " ROMEO},
                     .sent_us = sent_us};
    journal_keep(world.store, &k);
    world_wait(1);
    stanza_unref(&k.stanza);
    return k.seq;
}

static void held_messages_enter_late(void)
{
    struct error e = ERROR_INIT;
    struct moved m;
    uint64_t held = keep_held("h1", 1000000);
    keep_held("h2", 2000000);
    uint64_t later = world_keep("nurse@capulet.example", JULIET, "between", "u:" JULIET);
    world_expect_archive((struct archive_page){.owner = JULIET, .max = 9}, "between");
    assert_true(store_write_wait(world.store, accept_run, &m, &e));
    assert_int_equal(m.count, 2);
    assert_true(m.seqs[0] > later && held < later);
    assert_int_equal(m.first_us[0], 1000000);
    world_expect_queue("h:" JULIET " " ROMEO, "");
    world_expect_queue("u:" JULIET, "between h1 h2");
    world_expect_archive((struct archive_page){.owner = JULIET, .max = 9}, "between h1 h2");
    world_expect_archive((struct archive_page){.owner = JULIET, .max = 9, .after = later}, "h1 h2");
    world_expect_archive((struct archive_page){.owner = JULIET, .max = 9, .end_us = 1500000}, "h1");
    world_expect_archive((struct archive_page){.owner = JULIET, .max = 9, .start_us = 1500000}, "between h2");
    keep_held("h3", 0);
    assert_true(store_write_wait(world.store, drop_run, &m, &e));
    assert_int_equal(m.count, 1);
    assert_int_equal(m.seqs[0], 0);
    world_expect_queue("h:" JULIET " " ROMEO, "");
    world_expect_queue("u:" JULIET, "between h1 h2");
}

struct done_now {
    const char *queue;
    uint64_t seq;
    bool then_fail;
};

static bool done_now_run(struct store_tx *tx, void *user, struct error *e)
{
    struct done_now *d = user;
    if (!journal_done_now(tx, d->queue, d->seq, e))
        return false;
    return d->then_fail ? error_set(e, ERROR_DENIED, "on purpose") : true;
}

static void done_now_is_part_of_its_transaction(void)
{
    struct error e = ERROR_INIT;
    struct done_now d = {"s:a b", world_keep(ROMEO, JULIET, "one", "s:a b"), true};
    assert_false(store_write_wait(world.store, done_now_run, &d, &e));
    assert_int_equal(e.code, ERROR_DENIED);
    world_expect_queue("s:a b", "one");
    error_clear(&e);
    d.then_fail = false;
    assert_true(store_write_wait(world.store, done_now_run, &d, &e));
    world_expect_queue("s:a b", "");
    world_expect_archive((struct archive_page){.owner = ROMEO, .max = 9}, "one");
}

static bool count_run(struct store_tx *tx, void *user, struct error *e)
{
    struct store_rows *r = store_query(tx, e, "select count(*) from journal", "");
    if (!r || !store_next(r, e))
        return false;
    *(int64_t *)user = store_int(r, 0);
    store_end(r);
    return true;
}

static int64_t journal_rows(void)
{
    struct error e = ERROR_INIT;
    int64_t count = -1;
    assert_true(store_write_wait(world.store, count_run, &count, &e));
    return count;
}

static void rows_go_when_nothing_refers(void)
{
    uint64_t held = keep_held("h", 0);
    world_expect_queue("h:" JULIET " " ROMEO, "h");
    assert_int_equal(journal_rows(), 1);
    journal_done(world.store, "h:" JULIET " " ROMEO, held);
    world_expect_queue("h:" JULIET " " ROMEO, "");
    assert_int_equal(journal_rows(), 0);
    held = keep_held("h", 0);
    journal_done(world.store, "h:" JULIET " " ROMEO, held); /* before it was indexed */
    world_expect_queue("h:" JULIET " " ROMEO, "");
    struct queue_names n = {.job = {.reply_on = world.loop, .done = world_done}, .prefix = "h:"};
    journal_queue_names(world.store, &n); /* flushes all */
    world_wait(1);
    assert_int_equal(n.count, 0);
    arena_fini(&n.arena);
    assert_int_equal(journal_rows(), 0);
    assert_true(keep_held("h", 0) > held); /* never given out twice */
}

static void a_restart_keeps_all(void)
{
    uint64_t last = 0;
    world_keep(ROMEO, JULIET, "one", "u:" JULIET);
    uint64_t two = world_keep(ROMEO, JULIET, "two", "u:" JULIET);
    world_expect_queue("u:" JULIET, "one two");
    last = world_keep(ROMEO, JULIET, "three", "u:" JULIET);
    journal_done(world.store, "u:" JULIET, two);
    journal_done(world.store, "u:" JULIET, last);
    char id[ARCHIVE_ID_LEN + 1], again[ARCHIVE_ID_LEN + 1];
    archive_id(world.store, two, id);
    world_reopen();
    archive_id(world.store, two, again);
    assert_string_equal(id, again);
    world_expect_queue("u:" JULIET, "one");
    world_expect_archive((struct archive_page){.owner = JULIET, .max = 9}, "one two three");
    assert_true(world_keep(ROMEO, JULIET, "four", NULL) > last);
}

#define BOTH(name)                                                                                 \
    static void test_##name(void **state)                                                         \
    {                                                                                              \
        (void)state;                                                                               \
        both_modes(name);                                                                          \
    }
BOTH(keep_read_done)
BOTH(queue_windows)
BOTH(archive_paging)
BOTH(archive_pages_by_bytes)
BOTH(archive_ids)
BOTH(held_messages_enter_late)
BOTH(done_now_is_part_of_its_transaction)
BOTH(rows_go_when_nothing_refers)

static void test_a_restart_keeps_all(void **state)
{
    (void)state;
    world_open(false);
    a_restart_keeps_all();
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_keep_read_done),
        WORLD_TEST(test_queue_windows),
        WORLD_TEST(test_archive_paging),
        WORLD_TEST(test_archive_pages_by_bytes),
        WORLD_TEST(test_archive_ids),
        WORLD_TEST(test_held_messages_enter_late),
        WORLD_TEST(test_done_now_is_part_of_its_transaction),
        WORLD_TEST(test_rows_go_when_nothing_refers),
        WORLD_TEST(test_a_restart_keeps_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
