/* SPDX-License-Identifier: MIT */
/* The write-ahead log behind sqlite_log.c holds what a log without it would: what is committed is
 * seen by connections that know nothing of it, whatever is gathered and whoever reads meanwhile. */
#include "gateway/store/sqlite_log.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test/unit/gateway/store/store_world.h"

struct fixture {
    char path[64];
    sqlite3 *writer, *reader;
};

static void run(sqlite3 *db, const char *sql)
{
    char *text = NULL;
    int rc = sqlite3_exec(db, sql, NULL, NULL, &text);
    if (rc != SQLITE_OK)
        print_error("%s: %s\n", sql, text);
    assert_int_equal(rc, SQLITE_OK);
}

static long number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    long n = (long)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

static int set_up(void **state)
{
    static struct fixture f;
    snprintf(f.path, sizeof f.path, "/tmp/causeway-log-%ld.db", (long)getpid());
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    assert_int_equal(sqlite3_open_v2(f.path, &f.writer, flags, sqlite_log_vfs()), SQLITE_OK);
    run(f.writer, "pragma journal_mode = wal; pragma wal_autocheckpoint = 0;"
                  "create table t (id integer primary key, v blob)");
    assert_int_equal(sqlite3_open_v2(f.path, &f.reader, flags, NULL), SQLITE_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char name[80];
    sqlite3_close(f->reader);
    sqlite3_close(f->writer);
    for (const char *const *s = (const char *const[]){"", "-wal", "-shm", NULL}; *s; s++) {
        snprintf(name, sizeof name, "%s%s", f->path, *s);
        unlink(name);
    }
    return 0;
}

static void fill(struct fixture *f, int rows, int bytes)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "with recursive n(i) as (select 1 union all select i + 1 from n where i < %d)"
             " insert into t (v) select randomblob(%d) from n",
             rows, bytes);
    run(f->writer, sql);
}

/* Without a sync at the commit (durability = os) nothing but the frame's head says that it ends. */
static void seen_at_once(void **state)
{
    struct fixture *f = *state;
    static const char *const levels[] = {"pragma synchronous = normal",
                                         "pragma synchronous = full"};
    long rows = 0;
    for (unsigned i = 0; i < 2; i++) {
        run(f->writer, levels[i]);
        for (int n = 1; n < 200; n += 7) {
            fill(f, n, 300);
            rows += n;
            assert_int_equal(number(f->reader, "select count(v) from t"), rows);
            assert_int_equal(number(f->reader, "select sum(length(v)) from t"), rows * 300);
        }
    }
    assert_string_equal(sqlite3_errmsg(f->reader), "not an error");
}

/* More than the room, pages that leave the cache within the transaction and are read again, and a
 * rollback. */
static void large_and_taken_back(void **state)
{
    struct fixture *f = *state;
    run(f->writer, "pragma cache_size = 10; pragma cache_spill = 5");
    fill(f, 300, 3000);
    run(f->writer, "begin");
    fill(f, 300, 3000);
    assert_int_equal(number(f->writer, "select count(*) from t where length(v) = 3000"), 600);
    assert_int_equal(number(f->reader, "select count(*) from t"), 300);
    run(f->writer, "rollback");
    fill(f, 1, 100000);
    assert_int_equal(number(f->reader, "select sum(length(v)) from t"), 300 * 3000 + 100000);
    assert_int_equal(
        number(f->reader,
               "select count(*) from pragma_integrity_check where integrity_check = 'ok'"),
        1);
}

/* The log begins anew after a checkpoint, and again. */
static void restarts(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        fill(f, 50, 500);
        run(f->reader, "pragma wal_checkpoint(passive)");
        assert_int_equal(number(f->reader, "select count(v) from t"), 50 * (i + 1));
    }
    run(f->writer, "pragma wal_checkpoint(truncate)");
    fill(f, 50, 500);
    assert_int_equal(number(f->reader, "select count(v) from t"), 300);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {T(seen_at_once), T(large_and_taken_back), T(restarts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
