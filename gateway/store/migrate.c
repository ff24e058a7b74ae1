/* SPDX-License-Identifier: MIT */
/* Numbered migrations. NNNN_name.sql is for every database, NNNN_name.DATABASE.sql for one where the
 * languages differ. Each is applied once, in a transaction of its own, and recorded with its
 * checksum; a recorded one that is missing or changed stops the start, because then nobody knows
 * what the tables look like. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/arena.h"
#include "gateway/base/bytes.h"
#include "gateway/base/hash.h"
#include "gateway/base/text.h"
#include "gateway/store/store_internal.h"

enum { MIGRATIONS_MAX = 1000, CHECKSUM_LEN = 16 };

struct migration {
    unsigned number;
    const char *name; /* of the file */
    bool is_applied;
};

struct migration_set {
    struct backend_conn *conn;
    const char *path, *dir; /* of the store; of the schema */
    int64_t now_us;
    struct arena arena;
    struct migration *list; /* by number */
    unsigned count;
};

/* -- the files -- */

/* NNNN_name[.database].sql for this database? */
static bool is_ours(const struct migration_set *set, const char *name, unsigned *number)
{
    size_t len = strlen(name);
    if (len < 10 || strspn(name, "0123456789") != 4 || name[4] != '_' || strcmp(name + len - 4, ".sql") != 0)
        return false;
    *number = (unsigned)strtoul(name, NULL, 10);
    const char *dot = strchr(name, '.');
    if (dot == name + len - 4)
        return true;
    size_t only_len = (size_t)(name + len - 4 - (dot + 1));
    return only_len == strlen(set->conn->ops->name) && memcmp(dot + 1, set->conn->ops->name, only_len) == 0;
}

static int by_number(const void *left, const void *right)
{
    const struct migration *a = left, *b = right;
    return a->number < b->number ? -1 : a->number > b->number;
}

static bool list_files(struct migration_set *set, struct error *e)
{
    DIR *dir = opendir(set->dir);
    if (!dir)
        return error_set(e, ERROR_NOT_FOUND, "schema folder %s: %s", set->dir, strerror(errno));
    set->list = arena_alloc(&set->arena, MIGRATIONS_MAX * sizeof *set->list);
    struct dirent *d;
    unsigned number;
    while ((d = readdir(dir)) && set->count < MIGRATIONS_MAX)
        if (is_ours(set, d->d_name, &number))
            set->list[set->count++] = (struct migration){number, arena_dup(&set->arena, d->d_name), false};
    closedir(dir);
    qsort(set->list, set->count, sizeof *set->list, by_number);
    for (unsigned i = 1; i < set->count; i++)
        if (set->list[i].number == set->list[i - 1].number)
            return error_set(e, ERROR_INVALID, "%s: %s and %s have the same number: rename the newer one", set->dir,
                             set->list[i - 1].name, set->list[i].name);
    if (set->count == 0)
        return error_set(e, ERROR_NOT_FOUND, "schema folder %s holds no NNNN_name.sql for %s", set->dir,
                         set->conn->ops->name);
    return true;
}

static bool read_file(struct migration_set *set, const char *name, struct bytes *text, struct error *e)
{
    char *path = arena_printf(&set->arena, "%s/%s", set->dir, name);
    FILE *f = fopen(path, "re");
    if (!f)
        return error_set(e, ERROR_IO, "%s: %s", path, strerror(errno));
    char block[4096];
    size_t n;
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        bytes_append(text, block, n);
    bool ok = !ferror(f);
    fclose(f);
    return ok || error_set(e, ERROR_IO, "%s: %s", path, strerror(errno));
}

static void checksum(const struct bytes *text, char out[CHECKSUM_LEN + 1])
{
    snprintf(out, CHECKSUM_LEN + 1, "%016" PRIx64, hash_stable(bytes_text(text)));
}

/* -- what was applied -- */

static struct migration *find_number(struct migration_set *set, unsigned number)
{
    struct migration key = {.number = number};
    return bsearch(&key, set->list, set->count, sizeof key, by_number);
}

static bool check_applied(struct migration_set *set, unsigned number, const char *name, const char *sum,
                          struct error *e)
{
    struct migration *m = find_number(set, number);
    if (!m)
        return error_set(e, ERROR_INVALID,
                         "store %s was made with migration %s, which %s does not hold: it belongs to a newer "
                         "Causeway, or the folder is incomplete; install the version that made the store",
                         set->path, name, set->dir);
    struct bytes text = BYTES_EMPTY;
    char now[CHECKSUM_LEN + 1] = "";
    bool ok = read_file(set, m->name, &text, e);
    if (ok) {
        checksum(&text, now);
        ok = text_eq(now, sum) ||
             error_set(e, ERROR_INVALID,
                       "migration %s/%s was changed after store %s applied it: put the old text back and make the "
                       "change a new migration",
                       set->dir, m->name, set->path);
    }
    bytes_fini(&text);
    m->is_applied = true;
    return ok;
}

static struct store_rows *query(struct backend_conn *conn, struct error *e, const char *sql, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    struct store_rows *r = conn->ops->query(conn, sql, types, ap, e);
    va_end(ap);
    return r;
}

static bool exec(struct backend_conn *conn, struct error *e, const char *sql, const char *types, ...)
{
    va_list ap;
    int64_t changes;
    va_start(ap, types);
    bool ok = conn->ops->exec(conn, sql, types, ap, &changes, e);
    va_end(ap);
    return ok;
}

static bool check_all_applied(struct migration_set *set, struct error *e)
{
    struct store_rows *r = query(set->conn, e, "select number, name, checksum from migrations order by number", "");
    while (r && store_next(r, e)) {
        if (!check_applied(set, (unsigned)store_int(r, 0), store_text(r, 1), store_text(r, 2), e)) {
            store_end(r);
            return false;
        }
    }
    return r && e->code == ERROR_NONE;
}

/* -- applying -- */

static bool apply(struct migration_set *set, const struct migration *m, const struct bytes *text, struct error *e)
{
    char sum[CHECKSUM_LEN + 1];
    checksum(text, sum);
    return set->conn->ops->script(set->conn, bytes_text(text), e) &&
           exec(set->conn, e, "insert into migrations (number, name, checksum, applied_us) values ($1, $2, $3, $4)",
                "itti", (int64_t)m->number, m->name, sum, set->now_us);
}

static bool apply_one(struct migration_set *set, const struct migration *m, struct error *e)
{
    struct bytes text = BYTES_EMPTY;
    bool ok = read_file(set, m->name, &text, e) && set->conn->ops->begin(set->conn, true, e);
    if (ok) {
        ok = apply(set, m, &text, e);
        if (ok)
            ok = set->conn->ops->commit(set->conn, e);
        else
            set->conn->ops->rollback(set->conn);
        if (!ok)
            error_wrap(e, "migration %s/%s", set->dir, m->name);
    }
    bytes_fini(&text);
    return ok;
}

static bool make_table(struct migration_set *set, struct error *e)
{
    if (!set->conn->ops->begin(set->conn, true, e))
        return false;
    if (!set->conn->ops->script(set->conn,
                                "create table if not exists migrations (number bigint primary key,"
                                " name text not null, checksum text not null, applied_us bigint not null)",
                                e) ||
        !check_all_applied(set, e)) {
        set->conn->ops->rollback(set->conn);
        return false;
    }
    return set->conn->ops->commit(set->conn, e);
}

bool migrate_run(struct backend_conn *conn, const char *path, const char *dir, int64_t now_us, struct error *e)
{
    struct migration_set set = {.conn = conn, .path = path, .dir = dir, .now_us = now_us};
    arena_init(&set.arena);
    bool ok = list_files(&set, e) && make_table(&set, e);
    for (unsigned i = 0; ok && i < set.count; i++)
        if (!set.list[i].is_applied)
            ok = apply_one(&set, &set.list[i], e);
    arena_fini(&set.arena);
    return ok;
}
