/* SPDX-License-Identifier: MIT */
/* The journal against a simple model in memory: random keeps, dones, moves, queries and restarts.
 * The seed is fixed, so a failure comes again; CAUSEWAY_SEED tries another. */
#include "gateway/base/mem.h"
#include "gateway/store/archive_run.h"
#include "gateway/store/journal_internal.h"
#include "test/unit/gateway/store/store_world.h"

enum { OWNERS = 4, QUEUES = 5, ROWS = 60000, OTHER = OWNERS };

static const char *const owners[OWNERS] = {"a@x", "b@x", "c@y", "d@y"};
static const char *const queues[QUEUES] = {"u:a@x", "u:b@x", "h:a@x z@z", "s:x y", "d:a@x"};

struct row {
    uint64_t seq;
    char body[12];
    int archive[2], queue[2]; /* -1: none */
    bool done[2];
};

static struct row *rows;
static unsigned row_count, body_count;
static uint32_t seed;

static unsigned below(unsigned bound)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % bound;
}

/* -- the model's answers */

static struct bytes model_queue(int queue)
{
    struct bytes out = BYTES_EMPTY;
    for (unsigned i = 0; i < row_count; i++)
        for (int k = 0; k < 2; k++)
            if (rows[i].queue[k] == queue && !rows[i].done[k]) {
                bytes_printf(&out, "%s%s", out.len ? " " : "", rows[i].body);
                break;
            }
    return out;
}

static struct bytes model_archive(int owner)
{
    struct bytes out = BYTES_EMPTY;
    for (unsigned i = 0; i < row_count; i++)
        if (rows[i].archive[0] == owner || rows[i].archive[1] == owner)
            bytes_printf(&out, "%s%s", out.len ? " " : "", rows[i].body);
    return out;
}

static void compare(struct bytes *model, struct bytes *store, const char *what)
{
    if (!text_eq(bytes_text(model), bytes_text(store)))
        fail_msg("%s after %u rows: model '%s', store '%s'", what, row_count, bytes_text(model), bytes_text(store));
    bytes_fini(model);
    bytes_fini(store);
}

static struct bytes all_of_queue(int queue)
{
    struct bytes out = BYTES_EMPTY;
    struct queue_read q;
    uint64_t after = 0;
    do { /* in windows */
        q = (struct queue_read){.job = {.reply_on = world.loop, .done = world_done}, .queue = queues[queue],
                                .limit = 1 + below(50), .after = after};
        arena_init(&q.arena);
        journal_read_queue(world.store, &q);
        world_wait(1);
        assert_int_equal(q.job.error.code, ERROR_NONE);
        for (unsigned i = 0; i < q.count; i++) {
            bytes_printf(&out, "%s%s", out.len ? " " : "", stanza_body(q.rows[i].stanza));
            after = q.rows[i].seq;
        }
        bool more = q.more;
        queue_read_fini(&q);
        q.more = more;
    } while (q.more);
    return out;
}

static struct bytes all_of_archive(int owner)
{
    struct bytes out = BYTES_EMPTY;
    struct archive_page p;
    uint64_t after = 0;
    do {
        p = (struct archive_page){.owner = owners[owner], .max = 1 + below(100), .after = after};
        p.job = (struct store_job){.reply_on = world.loop, .done = world_done};
        arena_init(&p.arena);
        archive_query(world.store, &p);
        world_wait(1);
        assert_int_equal(p.job.error.code, ERROR_NONE);
        for (unsigned i = 0; i < p.count; i++) {
            struct stanza *st = stanza_parse(p.rows[i].xml.data, p.rows[i].xml.len);
            bytes_printf(&out, "%s%s", out.len ? " " : "", stanza_body(st));
            stanza_unref(&st);
            after = p.rows[i].seq;
        }
        arena_fini(&p.arena);
    } while (!p.complete);
    return out;
}

/* -- steps */

static int maybe(unsigned bound)
{
    return (int)below(bound + 1) - 1;
}

/* What goes with a keep may fail: then that one is not kept, and its neighbours are. */
static bool also_fails(struct store_tx *tx, struct keep *k, struct error *e)
{
    (void)tx, (void)k;
    return error_set(e, ERROR_DENIED, "on purpose");
}

static void keep_some(void)
{
    enum { MOST = 40 };
    static struct keep keeps[MOST];
    static struct row made[MOST];
    unsigned n = 1 + below(MOST);
    unsigned failing = below(10) == 0 ? below(n) : n;
    for (unsigned i = 0; i < n; i++) {
        struct row *r = &made[i];
        *r = (struct row){.archive = {maybe(OWNERS), maybe(OWNERS)}, .queue = {maybe(QUEUES), maybe(QUEUES)}};
        snprintf(r->body, sizeof r->body, "m%u", body_count++);
        keeps[i] = (struct keep){.job = {.reply_on = world.loop, .done = world_done},
                                 .stanza = world_message("f@x", "t@y", r->body)};
        for (int k = 0; k < 2; k++) {
            keeps[i].archive[k] = r->archive[k] < 0 ? NULL : owners[r->archive[k]];
            keeps[i].peer[k] = "p@p";
            keeps[i].queue[k] = r->queue[k] < 0 ? NULL : queues[r->queue[k]];
        }
        if (i == failing)
            keeps[i].also = also_fails;
        journal_keep(world.store, &keeps[i]);
    }
    world_wait(n);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(keeps[i].job.error.code, i == failing ? ERROR_DENIED : ERROR_NONE);
        if (i == failing) {
            stanza_unref(&keeps[i].stanza);
            continue;
        }
        made[i].seq = keeps[i].seq;
        assert_true(row_count == 0 || made[i].seq > rows[row_count - 1].seq);
        rows[row_count++] = made[i];
        stanza_unref(&keeps[i].stanza);
    }
}

static void done_some(bool recent)
{
    for (unsigned n = below(30); n > 0 && row_count; n--) {
        unsigned span = recent && row_count > 50 ? 50 : row_count;
        struct row *r = &rows[row_count - 1 - below(span)];
        int queue = r->queue[below(2)];
        if (queue < 0)
            continue;
        journal_done(world.store, queues[queue], r->seq);
        for (int k = 0; k < 2; k++)
            if (r->queue[k] == queue)
                r->done[k] = true;
    }
}

struct now {
    const struct row *row;
    int queue;
    bool fails;
};

static bool now_run(struct store_tx *tx, void *user, struct error *e)
{
    struct now *n = user;
    return journal_done_now(tx, queues[n->queue], n->row->seq, e) &&
           (!n->fails || error_set(e, ERROR_DENIED, "on purpose"));
}

static void done_now(void)
{
    if (!row_count)
        return;
    struct row *r = &rows[row_count - 1 - below(row_count < 40 ? row_count : 40)];
    struct now n = {r, r->queue[0], below(3) == 0};
    if (n.queue < 0)
        return;
    struct error e = ERROR_INIT;
    assert_int_equal(store_write_wait(world.store, now_run, &n, &e), !n.fails);
    for (int k = 0; k < 2 && !n.fails; k++)
        if (r->queue[k] == n.queue)
            r->done[k] = true;
}

struct move {
    int from, to, owner;
    uint64_t seqs[ROWS];
    unsigned count;
};

static void on_moved(void *user, uint64_t seq, int64_t first_us, struct stanza *st)
{
    (void)first_us, (void)st;
    struct move *m = user;
    m->seqs[m->count++] = seq;
}

static bool move_run(struct store_tx *tx, void *user, struct error *e)
{
    struct move *m = user;
    m->count = 0;
    const struct journal_move what = {.from = queues[m->from],
                                      .to = m->to < 0 ? NULL : queues[m->to],
                                      .archive_owner = m->owner < 0 ? NULL : owners[m->owner],
                                      .archive_peer = "p@p",
                                      .each = on_moved,
                                      .user = m};
    return journal_move(tx, &what, e);
}

static void move_all(void)
{
    static struct move m;
    m.from = (int)below(QUEUES);
    m.to = maybe(QUEUES);
    m.owner = maybe(OWNERS);
    if (m.to == m.from)
        m.to = -1;
    struct error e = ERROR_INIT;
    if (!store_write_wait(world.store, move_run, &m, &e))
        fail_msg("%s", e.text);
    unsigned before = row_count, at = 0;
    for (unsigned i = 0; i < before; i++) {
        struct row *r = &rows[i];
        bool is_there = false;
        for (int k = 0; k < 2; k++)
            if (r->queue[k] == m.from && !r->done[k])
                is_there = r->done[k] = true;
        if (!is_there)
            continue;
        uint64_t seq = m.seqs[at++];
        if (m.to < 0 && m.owner < 0) {
            assert_int_equal(seq, 0);
            continue;
        }
        struct row moved = {.seq = seq, .archive = {m.owner, -1}, .queue = {m.to, -1}};
        text_copy(moved.body, sizeof moved.body, r->body);
        rows[row_count++] = moved;
    }
    assert_int_equal(at, m.count);
}

static bool forget_run(struct store_tx *tx, void *user, struct error *e)
{
    return journal_forget(tx, user, e);
}

/* An account goes: its archive, what waits for it, and what a request held for it. */
static void forget_one(void)
{
    struct error e = ERROR_INIT;
    if (!store_write_wait(world.store, forget_run, (void *)owners[0], &e))
        fail_msg("%s", e.text);
    for (unsigned i = 0; i < row_count; i++)
        for (int k = 0; k < 2; k++) {
            struct row *r = &rows[i];
            if (r->archive[k] == 0)
                r->archive[k] = -1;
            if (r->queue[k] == 0 || r->queue[k] == 2) /* u:a@x, h:a@x z@z */
                r->done[k] = true;
        }
}

static bool is_kept(struct store_tx *tx, uint64_t seq, struct error *e)
{
    struct kept_row row;
    bool there = kept_find(tx, seq, &row, e) && row.entry.seq == seq;
    kept_end(&row);
    return there;
}

static bool archive_strays(struct store_tx *tx, int64_t *strays, struct error *e)
{
    struct archive_entry run[RUN_MOST];
    struct store_rows *r = store_query(tx, e, "select seq, peer, first_us, older from archive", "");
    while (r && store_next(r, e)) {
        unsigned count = archive_run_row(r, run);
        for (unsigned i = 0; i < count; i++)
            *strays += !is_kept(tx, run[i].seq, e);
        *strays += count == 0;
    }
    return r && e->code == ERROR_NONE;
}

static bool queue_strays(struct store_tx *tx, int64_t *strays, struct error *e)
{
    struct store_rows *r = store_query(tx, e, "select seq from queue", "");
    while (r && store_next(r, e))
        *strays += !is_kept(tx, (uint64_t)store_int(r, 0), e);
    return r && e->code == ERROR_NONE;
}

static bool stray_run(struct store_tx *tx, void *user, struct error *e)
{
    int64_t *strays = user;
    strays[0] = strays[1] = 0;
    if (!archive_strays(tx, &strays[0], e) || !queue_strays(tx, &strays[1], e))
        return false;
    struct store_rows *r = store_query(
        tx, e,
        "select count(*) from journal j where j.archive1 = 0 and j.archive2 = 0"
        " and not exists (select 1 from queue q where q.seq = j.seq)"
        " and j.seq <= (select indexed from journal_state)",
        "");
    if (!r || !store_next(r, e))
        return false;
    strays[2] = store_int(r, 0);
    store_end(r);
    return true;
}

/* Nothing refers into the void, and nothing is there that nobody refers to. */
static void no_strays(void)
{
    struct error e = ERROR_INIT;
    int64_t strays[3] = {-1, -1, -1};
    if (!store_write_wait(world.store, stray_run, strays, &e))
        fail_msg("%s", e.text);
    for (int i = 0; i < 3; i++)
        assert_int_equal(strays[i], 0);
}

static void check_one(void)
{
    int i = (int)below(QUEUES + OWNERS);
    struct bytes model = i < QUEUES ? model_queue(i) : model_archive(i - QUEUES);
    struct bytes store = i < QUEUES ? all_of_queue(i) : all_of_archive(i - QUEUES);
    compare(&model, &store, i < QUEUES ? queues[i] : owners[i - QUEUES]);
}

static void against_model(unsigned rounds, unsigned keep_weight, bool in_memory)
{
    const char *given = getenv("CAUSEWAY_SEED");
    seed = given ? (uint32_t)strtoul(given, NULL, 10) : 4711;
    rows = mem_array(ROWS, sizeof *rows);
    row_count = body_count = 0;
    world_open(in_memory);
    for (unsigned i = 0; i < rounds; i++) {
        unsigned what = below(100);
        if (what < keep_weight)
            keep_some();
        else if (what < keep_weight + (100 - keep_weight) / 2)
            done_some(below(3) > 0);
        else if (what < 88)
            check_one();
        else if (what < 93)
            done_now();
        else if (what < 96)
            move_all();
        else if (what < 97)
            no_strays();
        else if (what < 98)
            forget_one();
        else if (!in_memory)
            world_reopen();
    }
    for (int i = 0; i < QUEUES; i++) {
        struct bytes model = model_queue(i), store = all_of_queue(i);
        compare(&model, &store, queues[i]);
    }
    for (int i = 0; i < OWNERS; i++) {
        struct bytes model = model_archive(i), store = all_of_archive(i);
        compare(&model, &store, owners[i]);
    }
    no_strays();
    mem_free(rows);
}

static void with_many_looks(void **state)
{
    (void)state;
    against_model(300, 30, false);
}

static void with_many_looks_in_memory(void **state)
{
    (void)state;
    against_model(200, 30, true);
}

/* Few looks: batches become full and are written in slices while more is kept and done. */
static void in_slices(void **state)
{
    (void)state;
    seed = 99;
    rows = mem_array(ROWS, sizeof *rows);
    row_count = body_count = 0;
    world_open(false);
    while (row_count < 15000) {
        keep_some();
        if (below(3) == 0)
            done_some(below(2) == 0);
        if (below(200) == 0)
            done_now();
        if (below(400) == 0)
            check_one();
    }
    for (int i = 0; i < 4; i++)
        check_one();
    no_strays();
    mem_free(rows);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(with_many_looks),
        WORLD_TEST(with_many_looks_in_memory),
        WORLD_TEST(in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
