/* SPDX-License-Identifier: MIT */
/* The write-ahead log behind sqlite_log.c holds what a log without it would: what is committed is
 * seen by connections that know nothing of it, whatever is gathered and whoever reads meanwhile. */
#include "gateway/store/sqlite_log.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
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

static void copy(const char *from, const char *to)
{
    char block[4096];
    size_t n;
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_true(in && out);
    while ((n = fread(block, 1, sizeof block, in)))
        assert_int_equal(fwrite(block, 1, n, out), n);
    fclose(in);
    fclose(out);
}

/* What a process that dies now leaves: the two files, and no index of the log. */
static long left_behind(const struct fixture *f, const char *sql)
{
    char from[80], to[80];
    sqlite3 *db;
    for (const char *const *s = (const char *const[]){"", "-wal", NULL}; *s; s++) {
        snprintf(from, sizeof from, "%s%s", f->path, *s);
        snprintf(to, sizeof to, "%s.left%s", f->path, *s);
        copy(from, to);
    }
    snprintf(to, sizeof to, "%s.left", f->path);
    assert_int_equal(sqlite3_open_v2(to, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    long n = number(db, sql);
    sqlite3_close(db); /* which removes its log */
    unlink(to);
    return n;
}

/* Pages that left the cache and change again are overwritten in the log, and then the checksums up to the
 * last frame's are told anew: without a sync that last head must not stay here. */
static void dies_behind_a_commit(void **state)
{
    struct fixture *f = *state;
    run(f->writer, "pragma synchronous = normal; pragma cache_size = 10; pragma cache_spill = 5");
    for (int i = 1; i <= 3; i++) {
        run(f->writer, "begin");
        fill(f, 100, 3000);
        run(f->writer, "update t set v = randomblob(3000)");
        run(f->writer, "commit");
        assert_int_equal(left_behind(f, "select count(v) from t"), 100 * i);
        fill(f, 1, 10);
        run(f->writer, "delete from t where length(v) = 10");
        assert_int_equal(left_behind(f, "select count(v) from t"), 100 * i);
    }
}

static bool disk_is_full;

static ssize_t write_at(int fd, const void *data, size_t len, off_t at)
{
    if (!disk_is_full)
        return pwrite(fd, data, len, at);
    errno = ENOSPC;
    return -1;
}

/* A full disk takes one statement back; what the statements before it gave to the log is committed whole. */
static void full_for_a_while(void **state)
{
    struct fixture *f = *state;
    sqlite3_vfs *v = sqlite3_vfs_find(NULL);
    static const char *const calls[] = {"pwrite", "pwrite64"};
    for (unsigned i = 0; i < 2; i++)
        (void)v->xSetSystemCall(v, calls[i], (sqlite3_syscall_ptr)write_at);
    run(f->writer, "pragma cache_size = 10; pragma cache_spill = 5; create table u (v blob not null)");
    run(f->writer, "begin");
    fill(f, 20, 3000);
    disk_is_full = true;
    int rc = sqlite3_exec(f->writer,
                          "insert into u select randomblob(3000) from"
                          " (select 1 from t a, t b)",
                          NULL, NULL, NULL);
    assert_int_equal(rc, SQLITE_FULL);
    disk_is_full = false;
    long kept = sqlite3_get_autocommit(f->writer) ? 0 : 20;
    print_message("  the transaction goes on: %s\n", kept ? "yes" : "no");
    if (kept)
        run(f->writer, "commit");
    assert_int_equal(number(f->reader, "select count(v) from t where length(v) = 3000"), kept);
    fill(f, 1, 100);
    for (unsigned i = 0; i < 2; i++)
        (void)v->xSetSystemCall(v, calls[i], NULL);
    assert_int_equal(left_behind(f, "select count(v) from t"), kept + 1);
    assert_int_equal(left_behind(f, "select integrity_check = 'ok' from pragma_integrity_check"), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {T(seen_at_once), T(large_and_taken_back), T(restarts),
                                       T(dies_behind_a_commit), T(full_for_a_while)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
