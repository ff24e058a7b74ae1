/* SPDX-License-Identifier: MIT */
/* The promises of store.h: groups, order, one bad job, what a read must see, a disk that refuses. */
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "gateway/store/secret.h"
#include "test/unit/gateway/store/store_world.h"

/* A clock that moves at each look: the writer looks once a group, so jobs that saw the same time
 * were committed together. */
struct ticking {
    struct clock clock;
    atomic_llong now;
};

static int64_t tick(const struct clock *c)
{
    struct ticking *t = (struct ticking *)container_of(c, const struct ticking, clock);
    return atomic_fetch_add(&t->now, 1);
}

static uint64_t no_mono(const struct clock *c)
{
    (void)c;
    return 0;
}

static struct ticking ticking;

static void open_ticking(bool in_memory)
{
    ticking.clock = (struct clock){no_mono, tick};
    atomic_store(&ticking.now, 1000000);
    struct store_options o = {.path = in_memory ? ":memory:" : world.path, .schema_dir = SCHEMA_DIR,
                              .clock = &ticking.clock};
    world_open_with(&o);
}

static bool make_table(struct store_tx *tx, void *user, struct error *e)
{
    (void)user;
    return store_exec(tx, e, "create table t (id bigint primary key, text text)", "");
}

static void with_table(void)
{
    struct error e = ERROR_INIT;
    if (!store_write_wait(world.store, make_table, NULL, &e))
        fail_msg("%s", e.text);
}

/* -- jobs */

enum what { INSERT, HOLD, REFUSE, REFUSE_CLEAN, SPOIL };

struct job {
    struct store_job job;
    enum what what;
    int64_t id;
    sem_t *reached, *go; /* HOLD: the writer stands here until told */
    int64_t group;       /* time of its transaction */
    unsigned runs;
    unsigned done_at; /* order of done, from 1 */
    struct error error;
};

static unsigned done_count;

static bool job_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct job *j = container_of(job, struct job, job);
    j->group = store_now_us(tx);
    j->runs++;
    switch (j->what) {
    case HOLD:
        if (j->runs > 1)
            return true;
        sem_post(j->reached);
        sem_wait(j->go);
        return true;
    case REFUSE_CLEAN:
        return error_set(e, ERROR_DENIED, "refused before anything was written");
    case SPOIL:
    case REFUSE:
    case INSERT:
        break;
    }
    if (!store_exec(tx, e, "insert into t (id, text) values ($1, $2)", "it", j->id, "x"))
        return false;
    return j->what != REFUSE || error_set(e, ERROR_DENIED, "refused after a write");
}

static void job_done(struct store_job *job, const struct error *e)
{
    struct job *j = container_of(job, struct job, job);
    j->done_at = ++done_count;
    j->error = *e;
    sem_post(&world.done);
}

static void ask(struct job *j, enum what what, int64_t id)
{
    *j = (struct job){.job = {.reply_on = world.loop, .run = job_run, .done = job_done}, .what = what, .id = id};
    store_write(world.store, &j->job);
}

/* The writer is busy until let_go: what is asked meanwhile becomes one group. */
static struct job holder;
static sem_t reached, go;

static void hold_writer(void)
{
    done_count = 0;
    sem_init(&reached, 0, 0);
    sem_init(&go, 0, 0);
    holder = (struct job){.job = {.reply_on = world.loop, .run = job_run, .done = job_done}, .what = HOLD,
                          .reached = &reached, .go = &go};
    store_write(world.store, &holder.job);
    sem_wait(&reached);
}

static void let_go(unsigned jobs)
{
    sem_post(&go);
    world_wait(jobs + 1);
    sem_destroy(&reached);
    sem_destroy(&go);
}

static bool count_run(struct store_tx *tx, void *user, struct error *e)
{
    struct store_rows *r = store_query(tx, e, "select count(*) from t", "");
    if (!r || !store_next(r, e))
        return false;
    *(int64_t *)user = store_int(r, 0);
    store_end(r);
    return true;
}

static int64_t rows_in_t(void)
{
    struct error e = ERROR_INIT;
    int64_t n = -1;
    assert_true(store_write_wait(world.store, count_run, &n, &e));
    return n;
}

/* -- cases */

static void what_gathers_commits_together(void **state)
{
    (void)state;
    for (int in_memory = 0; in_memory < 2; in_memory++) {
        open_ticking(in_memory);
        with_table();
        static struct job jobs[50];
        hold_writer();
        for (int i = 0; i < 50; i++)
            ask(&jobs[i], INSERT, i);
        let_go(50);
        for (int i = 0; i < 50; i++) {
            assert_int_equal(jobs[i].error.code, ERROR_NONE);
            assert_int_equal(jobs[i].group, jobs[0].group);
            assert_int_equal(jobs[i].done_at, i + 2); /* in the order in which they were asked */
        }
        assert_true(jobs[0].group > holder.group);
        assert_int_equal(rows_in_t(), 50);
        store_close(&world.store);
    }
}

static void only_the_bad_one_fails(void **state)
{
    (void)state;
    static const struct {
        enum what what;
        int64_t id;
        enum error_code code;
        bool splits;
        const char *proves;
    } rows[] = {
        {REFUSE_CLEAN, 100, ERROR_DENIED, false, "nothing was written: the group stays whole"},
        {REFUSE, 100, ERROR_DENIED, true, "its write is undone, the others' are kept"},
        {INSERT, 1, ERROR_EXISTS, true, "a constraint is that job's own error"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        open_ticking(true);
        with_table();
        static struct job jobs[9];
        hold_writer();
        for (int i = 0; i < 9; i++)
            ask(&jobs[i], i == 5 ? rows[r].what : INSERT, i == 5 ? rows[r].id : i);
        let_go(9);
        for (int i = 0; i < 9; i++) {
            assert_int_equal(jobs[i].error.code, i == 5 ? rows[r].code : ERROR_NONE);
            assert_int_equal(jobs[i].done_at, i + 2);
            if (i != 5)
                assert_int_equal(jobs[i].runs, rows[r].splits && i < 5 ? 2 : 1);
        }
        assert_int_equal(rows_in_t(), 8);
        assert_false(store_is_failing(world.store));
        store_close(&world.store);
    }
}

struct read {
    struct store_job job;
    int64_t count;
};

static bool read_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct read *r = container_of(job, struct read, job);
    return count_run(tx, &r->count, e);
}

static void a_read_sees_what_it_must(void **state)
{
    (void)state;
    for (int in_memory = 0; in_memory < 2; in_memory++) {
        world_open(in_memory);
        with_table();
        static struct job jobs[20];
        hold_writer();
        for (int i = 0; i < 20; i++)
            ask(&jobs[i], INSERT, i);
        struct read must = {.job = {.reply_on = world.loop, .run = read_run, .done = world_done,
                                    .must_see = store_ticket(world.store)}};
        store_read(world.store, &must.job);
        let_go(21);
        assert_int_equal(must.count, 20);
        if (!in_memory) { /* beside a writer that stands, a read sees what is committed */
            hold_writer();
            ask(&jobs[0], INSERT, 100);
            struct read now = {.job = {.reply_on = world.loop, .run = read_run, .done = world_done}};
            store_read(world.store, &now.job);
            world_wait(1);
            assert_int_equal(now.count, 20);
            let_go(1);
        }
        store_close(&world.store);
    }
}

static void closing_completes_everything(void **state)
{
    (void)state;
    world_open(false);
    with_table();
    static struct job jobs[200];
    for (int i = 0; i < 200; i++)
        ask(&jobs[i], INSERT, i);
    struct read must = {.job = {.reply_on = world.loop, .run = read_run, .done = world_done,
                                .must_see = store_ticket(world.store)}};
    store_read(world.store, &must.job);
    store_close(&world.store);
    world_wait(201);
    assert_int_equal(must.count, 200);
    world_open(false);
    assert_int_equal(rows_in_t(), 200);
}

static void one_process_a_file(void **state)
{
    (void)state;
    world_open(false);
    struct error e = ERROR_INIT;
    struct store_options o = {.path = world.path, .schema_dir = SCHEMA_DIR};
    assert_null(store_open(&o, &e));
    assert_int_equal(e.code, ERROR_EXISTS);
    char me[32];
    snprintf(me, sizeof me, "process %ld", (long)getpid());
    assert_non_null(strstr(e.text, me));
    assert_non_null(strstr(e.text, world.path));
}

static void secrets_stay(void **state)
{
    (void)state;
    unsigned char a[SECRET_LEN], b[SECRET_LEN], other[SECRET_LEN];
    struct error e = ERROR_INIT;
    world_open(false);
    assert_true(secret_load(world.store, "dialback", a, &e));
    assert_true(secret_load(world.store, "scram", other, &e));
    world_reopen();
    assert_true(secret_load(world.store, "dialback", b, &e));
    assert_memory_equal(a, b, SECRET_LEN);
    assert_memory_not_equal(a, other, SECRET_LEN);
}

static bool params_run(struct store_tx *tx, void *user, struct error *e)
{
    (void)user;
    struct span blob = {"a\0b", 3}, empty = {0};
    if (!store_exec(tx, e, "create table p (a bigint, b text, c bytea, d bytea, f text)", "") ||
        !store_exec(tx, e, "insert into p (f, d, c, b, a) values ($5, $4, $3, $2, $1)", "itbbt", (int64_t)7, "seven",
                    &blob, &empty, NULL) ||
        !store_exec(tx, e, "update p set a = a + $2 where b = $1", "ti", "seven", (int64_t)1))
        return false;
    assert_int_equal(store_changes(tx), 1);
    struct store_rows *r = store_query(tx, e, "select a, b, c, d, f from p where a = $1", "i", (int64_t)8);
    assert_true(r && store_next(r, e));
    assert_int_equal(store_int(r, 0), 8);
    assert_string_equal(store_text(r, 1), "seven");
    assert_true(span_eq(store_blob(r, 2), blob));
    assert_false(store_is_null(r, 3));
    assert_int_equal(store_blob(r, 3).len, 0);
    assert_true(store_is_null(r, 4));
    assert_null(store_text(r, 4));
    assert_false(store_next(r, e));
    assert_int_equal(e->code, ERROR_NONE);
    /* the same literal open twice at a time */
    struct store_rows *nested[2];
    for (int i = 0; i < 2; i++) {
        nested[i] = store_query(tx, e, "select column1 from (values (1), (2)) as v", "");
        assert_true(store_next(nested[i], e));
        assert_int_equal(store_int(nested[i], 0), 1);
    }
    assert_true(store_next(nested[0], e));
    assert_int_equal(store_int(nested[0], 0), 2);
    store_end(nested[0]);
    store_end(nested[1]);
    store_end(NULL);
    /* a write that gives rows happens, whether they are read or not */
    store_end(store_query(tx, e, "insert into p (a) values ($1) returning a", "i", (int64_t)9));
    r = store_query(tx, e, "select count(*) from p", "");
    assert_true(store_next(r, e));
    assert_int_equal(store_int(r, 0), 2);
    store_end(r);
    assert_false(store_exec(tx, e, "insert into p (a) values (nosuch)", ""));
    assert_int_equal(e->code, ERROR_IO);
    return false;
}

static void parameters_and_rows(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    world_open(true);
    assert_false(store_write_wait(world.store, params_run, NULL, &e));
    assert_non_null(strstr(e.text, "nosuch"));
}

static void backlog_is_counted(void **state)
{
    (void)state;
    world_open(true);
    with_table();
    static struct job jobs[4];
    hold_writer();
    for (int i = 0; i < 4; i++) {
        jobs[i] = (struct job){.job = {.reply_on = world.loop, .run = job_run, .done = job_done, .bytes = 1000},
                               .what = i == 2 ? REFUSE : INSERT, .id = i};
        store_write(world.store, &jobs[i].job);
    }
    assert_int_equal(store_backlog_bytes(world.store), 4000);
    let_go(4);
    assert_int_equal(store_backlog_bytes(world.store), 0);
}

/* -- a disk that is full: no file may grow over a limit. In a child, because the limit is the
 * process's. It says what it saw by its exit code. */

static bool big_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct job *j = container_of(job, struct job, job);
    char *text = mem_alloc(200000);
    memset(text, 'x', 199999);
    bool ok = store_exec(tx, e, "insert into t (id, text) values ($1, $2)", "it", j->id, text);
    mem_free(text);
    return ok;
}

static struct job *ask_big(struct job *j, int64_t id)
{
    *j = (struct job){.job = {.reply_on = world.loop, .run = big_run, .done = job_done}, .id = id};
    store_write(world.store, &j->job);
    return j;
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* Own loop and store: threads do not survive a fork. */
static void full_disk_child(void)
{
    signal(SIGXFSZ, SIG_IGN);
    CHECK(world_setup(NULL) == 0);
    world_open(false);
    with_table();
    struct job first, again, last, other;
    limit_files(100000);
    hold_writer();
    ask_big(&first, 1);
    ask(&other, INSERT, 2); /* not at fault, but nothing is acknowledged */
    let_go(2);
    CHECK(first.error.code == ERROR_IO && other.error.code == ERROR_IO);
    CHECK(store_is_failing(world.store));
    limit_files(RLIM_INFINITY);
    while (store_is_failing(world.store)) /* it finds out by itself, within a second */
        usleep(10000);
    ask_big(&again, 3);
    world_wait(1);
    CHECK(again.error.code == ERROR_NONE && !store_is_failing(world.store));
    limit_files(100000);
    ask_big(&first, 4);
    world_wait(1);
    CHECK(first.error.code == ERROR_IO && store_is_failing(world.store));
    limit_files(RLIM_INFINITY);
    ask_big(&last, 5); /* a write that holds ends it at once */
    world_wait(1);
    CHECK(last.error.code == ERROR_NONE && !store_is_failing(world.store));
    CHECK(rows_in_t() == 2);
    world_reopen();
    CHECK(rows_in_t() == 2);
    CHECK(world_teardown(NULL) == 0);
}

static void a_full_disk_acknowledges_nothing(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        full_disk_child();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_acknowledges_nothing), /* first: before there are threads */
        WORLD_TEST(what_gathers_commits_together),
        WORLD_TEST(only_the_bad_one_fails),
        WORLD_TEST(a_read_sees_what_it_must),
        WORLD_TEST(closing_completes_everything),
        WORLD_TEST(one_process_a_file),
        WORLD_TEST(secrets_stay),
        WORLD_TEST(parameters_and_rows),
        WORLD_TEST(backlog_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
