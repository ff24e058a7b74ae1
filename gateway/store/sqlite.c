/* SPDX-License-Identifier: MIT */
/* The store on SQLite in WAL mode. Decided here: pragmas, how a statement is kept prepared, which
 * errors are the disk's, how parameters are numbered.
 *
 * `$1` is a *name* to SQLite, numbered by first appearance, so that `set n=n+$2 where id=$1` would be
 * bound the wrong way round; statements are rewritten to `?1` when they are prepared. */
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

#include "gateway/base/bytes.h"
#include "gateway/base/check.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/store/store_backend.h"

enum { STATEMENT_SLOTS = 512 }; /* a power of two; far more than there are literals */

struct statement {
    struct store_rows rows; /* first: what the store holds while a query is open */
    struct conn *conn;
    const char *sql; /* the literal; the key is its address */
    sqlite3_stmt *stmt;
    bool in_use, is_write;
    bool is_first_row; /* query() stepped already, so that a failing write fails there */
    struct statement *next; /* same slot: another literal, or the same one nested */
};

struct conn {
    struct backend_conn base;
    sqlite3 *db;
    char *path;
    enum backend_role role;
    unsigned log_pages;
    sqlite3_stmt *begin_write, *begin_read, *commit, *rollback;
    struct statement *slots[STATEMENT_SLOTS];
};

static struct conn *conn_of(struct backend_conn *c)
{
    return container_of(c, struct conn, base);
}

static struct statement *statement_of(struct store_rows *r)
{
    return container_of(r, struct statement, rows);
}

/* Is it the disk or the database as such, and not this statement? */
static bool is_breakage(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_BUSY:
    case SQLITE_PROTOCOL:
    case SQLITE_NOMEM:
        return true;
    default:
        return false;
    }
}

static bool failed(struct conn *c, int rc, const char *what, struct error *e)
{
    bool is_constraint = (rc & 0xff) == SQLITE_CONSTRAINT;
    if (is_breakage(rc))
        c->base.is_broken = true;
    c->base.writes++;
    return error_set(e, is_constraint ? ERROR_EXISTS : ERROR_IO, "store %s: %s (%s, code %d)", c->path,
                     sqlite3_errmsg(c->db), what, sqlite3_extended_errcode(c->db));
}

/* -- statements -- */

static bool prepare(struct conn *c, const char *sql, sqlite3_stmt **out, struct error *e)
{
    struct bytes text = BYTES_EMPTY;
    bytes_append_text(&text, sql);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '$')
            text.data[i] = '?';
    int rc = sqlite3_prepare_v3(c->db, text.data, (int)text.len + 1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    bytes_fini(&text);
    if (rc != SQLITE_OK)
        return failed(c, rc, sql, e);
    return true;
}

static struct statement *statement_get(struct conn *c, const char *sql, struct error *e)
{
    size_t slot = ((uintptr_t)sql >> 3) & (STATEMENT_SLOTS - 1);
    for (struct statement *s = c->slots[slot]; s; s = s->next)
        if (s->sql == sql && !s->in_use)
            return s;
    sqlite3_stmt *stmt = NULL;
    if (!prepare(c, sql, &stmt, e))
        return NULL;
    struct statement *s = mem_new(struct statement);
    s->rows.ops = &backend_sqlite;
    s->conn = c;
    s->sql = sql;
    s->stmt = stmt;
    s->is_write = !sqlite3_stmt_readonly(stmt);
    s->next = c->slots[slot];
    c->slots[slot] = s;
    return s;
}

static int bind_span(sqlite3_stmt *stmt, int i, const struct span *s)
{
    if (!s)
        return sqlite3_bind_null(stmt, i);
    if (s->len == 0)
        return sqlite3_bind_zeroblob(stmt, i, 0);
    return sqlite3_bind_blob64(stmt, i, s->data, s->len, SQLITE_STATIC);
}

/* Texts and blobs are borrowed: they live through the call for exec; a query copies them, because
 * its caller may end its strings before the rows. */
static bool bind_all(struct statement *s, const char *types, va_list ap, bool borrow, struct error *e)
{
    int count = (int)strlen(types);
    CHECK(sqlite3_bind_parameter_count(s->stmt) == count);
    for (int i = 1; i <= count; i++) {
        int rc = SQLITE_OK;
        const char *text;
        const struct span *blob;
        switch (types[i - 1]) {
        case 'i':
            rc = sqlite3_bind_int64(s->stmt, i, va_arg(ap, int64_t));
            break;
        case 't':
            text = va_arg(ap, const char *);
            rc = text ? sqlite3_bind_text(s->stmt, i, text, -1, borrow ? SQLITE_STATIC : SQLITE_TRANSIENT)
                      : sqlite3_bind_null(s->stmt, i);
            break;
        case 'b':
            blob = va_arg(ap, const struct span *);
            if (borrow || !blob || blob->len == 0)
                rc = bind_span(s->stmt, i, blob);
            else
                rc = sqlite3_bind_blob64(s->stmt, i, blob->data, blob->len, SQLITE_TRANSIENT);
            break;
        default:
            CHECK(!"a parameter type is one of i t b");
        }
        if (rc != SQLITE_OK)
            return failed(s->conn, rc, s->sql, e);
    }
    return true;
}

static void statement_reset(struct statement *s)
{
    sqlite3_reset(s->stmt);
    s->in_use = false;
}

static bool sqlite_exec(struct backend_conn *base, const char *sql, const char *types, va_list ap,
                        int64_t *changes, struct error *e)
{
    struct conn *c = conn_of(base);
    struct statement *s = statement_get(c, sql, e);
    if (!s)
        return false;
    if (!bind_all(s, types, ap, true, e))
        return false;
    int rc = sqlite3_step(s->stmt);
    CHECK(rc != SQLITE_ROW); /* rows: store_query */
    if (rc != SQLITE_DONE) {
        failed(c, rc, sql, e);
        statement_reset(s);
        return false;
    }
    if (s->is_write)
        base->writes++;
    *changes = sqlite3_changes64(c->db);
    statement_reset(s);
    return true;
}

static struct store_rows *sqlite_query(struct backend_conn *base, const char *sql, const char *types,
                                       va_list ap, struct error *e)
{
    struct conn *c = conn_of(base);
    struct statement *s = statement_get(c, sql, e);
    if (!s || !bind_all(s, types, ap, false, e))
        return NULL;
    s->in_use = true;
    s->is_first_row = false;
    if (s->is_write) { /* writes happen in the first step, wanted or not */
        int rc = sqlite3_step(s->stmt);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
            failed(c, rc, sql, e);
            statement_reset(s);
            return NULL;
        }
        base->writes++;
        s->is_first_row = rc == SQLITE_ROW;
        if (rc == SQLITE_DONE)
            sqlite3_reset(s->stmt), sqlite3_clear_bindings(s->stmt);
        s->rows.ops = &backend_sqlite;
    }
    return &s->rows;
}

static bool sqlite_next(struct store_rows *r, struct error *e)
{
    struct statement *s = statement_of(r);
    if (s->is_write) {
        if (s->is_first_row) {
            s->is_first_row = false;
            return true;
        }
        if (!sqlite3_stmt_busy(s->stmt)) { /* it was done at once */
            statement_reset(s);
            return false;
        }
    }
    int rc = sqlite3_step(s->stmt);
    if (rc == SQLITE_ROW)
        return true;
    if (rc != SQLITE_DONE)
        failed(s->conn, rc, s->sql, e);
    statement_reset(s);
    return false;
}

static void sqlite_end(struct store_rows *r)
{
    statement_reset(statement_of(r));
}

static bool sqlite_is_null(struct store_rows *r, int column)
{
    return sqlite3_column_type(statement_of(r)->stmt, column) == SQLITE_NULL;
}

static int64_t sqlite_integer(struct store_rows *r, int column)
{
    return sqlite3_column_int64(statement_of(r)->stmt, column);
}

static const char *sqlite_text(struct store_rows *r, int column)
{
    return (const char *)sqlite3_column_text(statement_of(r)->stmt, column);
}

static struct span sqlite_blob(struct store_rows *r, int column)
{
    sqlite3_stmt *stmt = statement_of(r)->stmt;
    const void *data = sqlite3_column_blob(stmt, column); /* before the length: it may convert */
    return (struct span){data, (size_t)sqlite3_column_bytes(stmt, column)};
}

/* -- transactions -- */

static bool step_once(struct conn *c, sqlite3_stmt *stmt, const char *what, struct error *e)
{
    int rc = sqlite3_step(stmt);
    bool ok = rc == SQLITE_DONE;
    if (!ok)
        failed(c, rc, what, e);
    sqlite3_reset(stmt);
    return ok;
}

static bool sqlite_begin(struct backend_conn *base, bool is_write, struct error *e)
{
    struct conn *c = conn_of(base);
    base->is_broken = false;
    base->writes = 0;
    return step_once(c, is_write ? c->begin_write : c->begin_read, "begin", e);
}

static void sqlite_rollback(struct backend_conn *base)
{
    struct conn *c = conn_of(base);
    if (sqlite3_get_autocommit(c->db)) /* SQLite did it by itself, as it does when the disk is full */
        return;
    struct error e = ERROR_INIT;
    if (!step_once(c, c->rollback, "rollback", &e))
        log_error(NULL, "%s", e.text);
}

static bool sqlite_commit(struct backend_conn *base, struct error *e)
{
    struct conn *c = conn_of(base);
    if (sqlite3_get_autocommit(c->db)) {
        base->is_broken = true;
        return error_set(e, ERROR_IO, "store %s: the transaction was given up by the database", c->path);
    }
    if (step_once(c, c->commit, "commit", e))
        return true;
    base->is_broken = true;
    sqlite_rollback(base);
    return false;
}

static bool run_script(struct conn *c, const char *sql, struct error *e)
{
    int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return failed(c, rc, "script", e);
    c->base.writes++;
    return true;
}

static bool sqlite_script(struct backend_conn *base, const char *sql, struct error *e)
{
    return run_script(conn_of(base), sql, e);
}

/* -- upkeep -- */

static int on_wal_commit(void *user, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    struct conn *c = user;
    c->log_pages = (unsigned)pages;
    return SQLITE_OK;
}

static unsigned sqlite_log_pages(struct backend_conn *base)
{
    return conn_of(base)->log_pages;
}

static bool sqlite_checkpoint(struct backend_conn *base, struct error *e)
{
    struct conn *c = conn_of(base);
    int rc = sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        return failed(c, rc, "checkpoint", e);
    return true;
}

/* -- opening -- */

static void sqlite_close_conn(struct backend_conn *base)
{
    struct conn *c = conn_of(base);
    for (size_t i = 0; i < STATEMENT_SLOTS; i++) {
        struct statement *s = c->slots[i];
        while (s) {
            struct statement *next = s->next;
            CHECK(!s->in_use);
            sqlite3_finalize(s->stmt);
            mem_free(s);
            s = next;
        }
    }
    sqlite3_finalize(c->begin_write);
    sqlite3_finalize(c->begin_read);
    sqlite3_finalize(c->commit);
    sqlite3_finalize(c->rollback);
    int rc = sqlite3_close(c->db);
    if (rc != SQLITE_OK)
        log_error(NULL, "store %s: closing: %s", c->path, sqlite3_errstr(rc));
    mem_free(c->path);
    mem_free(c);
}

/* journal_size_limit: what a burst made large is given back to the file system at the next restart. */
static const char *const pragmas[] = {
    [BACKEND_WRITER] = "pragma cache_size = -16384; pragma journal_size_limit = 67108864;"
                       "pragma wal_autocheckpoint = 0; pragma temp_store = memory;"
                       "pragma secure_delete = off;",
    [BACKEND_READER] = ("pragma cache_size = -16384; pragma wal_autocheckpoint = 0;"
                        "pragma temp_store = memory; pragma query_only = on;"),
    [BACKEND_CHECKPOINTER] = "pragma cache_size = -256; pragma wal_autocheckpoint = 0;",
};

static bool set_up(struct conn *c, enum backend_role role, enum store_durability d, struct error *e)
{
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_timeout(c->db, 10000);
    /* "nosuch" is an error, not a string */
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    if (role == BACKEND_WRITER && !run_script(c, "pragma journal_mode = wal", e))
        return false;
    if (!run_script(c, d == STORE_DISK ? "pragma synchronous = full" : "pragma synchronous = normal", e) ||
        !run_script(c, pragmas[role], e))
        return false;
    sqlite3_wal_hook(c->db, on_wal_commit, c);
    return prepare(c, "begin immediate", &c->begin_write, e) && prepare(c, "begin", &c->begin_read, e) &&
           prepare(c, "commit", &c->commit, e) && prepare(c, "rollback", &c->rollback, e);
}

/* Counting what is allocated takes a lock each time. Too late, when somebody has used SQLite before: only
 * slower. */
static void configure(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static struct backend_conn *sqlite_open_conn(const char *path, enum backend_role role,
                                             enum store_durability d, struct error *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure);
    struct conn *c = mem_new(struct conn);
    c->base.ops = &backend_sqlite;
    c->path = mem_dup(path);
    c->role = role;
    int rc = sqlite3_open_v2(path, &c->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK && set_up(c, role, d, e))
        return &c->base;
    if (rc != SQLITE_OK)
        error_set(e, ERROR_IO, "store %s: cannot open: %s", path,
                  c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc));
    sqlite_close_conn(&c->base);
    return NULL;
}

const struct backend backend_sqlite = {
    .name = "sqlite",
    .open = sqlite_open_conn,
    .close = sqlite_close_conn,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .script = sqlite_script,
    .exec = sqlite_exec,
    .query = sqlite_query,
    .next = sqlite_next,
    .end = sqlite_end,
    .is_null = sqlite_is_null,
    .integer = sqlite_integer,
    .text = sqlite_text,
    .blob = sqlite_blob,
    .log_pages = sqlite_log_pages,
    .checkpoint = sqlite_checkpoint,
};
