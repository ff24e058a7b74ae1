/* SPDX-License-Identifier: MIT */
/* What a database must be able to do for the store. One connection belongs to one thread at a time.
 * store.c, migrate.c and the record families know a database only through this; a second one is a
 * second `const struct backend`. */
#ifndef CAUSEWAY_STORE_STORE_BACKEND_H
#define CAUSEWAY_STORE_STORE_BACKEND_H

#include <stdarg.h>

#include "gateway/store/store.h"

struct backend_conn {
    const struct backend *ops;
    /* The last error came from the disk or the database as such (full, I/O, locked by a stranger):
     * what was not at fault must not be blamed. Set by the backend, cleared by begin. */
    bool is_broken;
    /* Statements of this transaction that wrote, or failed: 0 means a rollback would undo nothing. */
    unsigned writes;
};

struct store_rows { /* the backend's own struct begins with this */
    const struct backend *ops;
};

enum backend_role { BACKEND_WRITER, BACKEND_READER, BACKEND_CHECKPOINTER };

struct backend {
    const char *name; /* NNNN_x.<name>.sql belongs to it alone */
    struct backend_conn *(*open)(const char *path, enum backend_role role, enum store_durability d,
                                 struct error *e);
    void (*close)(struct backend_conn *c);
    bool (*begin)(struct backend_conn *c, bool is_write, struct error *e);
    bool (*commit)(struct backend_conn *c, struct error *e); /* false: rolled back */
    void (*rollback)(struct backend_conn *c);
    /* Several statements without parameters, in the open transaction (migrations). */
    bool (*script)(struct backend_conn *c, const char *sql, struct error *e);
    /* One statement that gives no rows; `changes` gets how many it touched. */
    bool (*exec)(struct backend_conn *c, const char *sql, const char *types, va_list ap,
                 int64_t *changes, struct error *e);
    struct store_rows *(*query)(struct backend_conn *c, const char *sql, const char *types,
                                va_list ap, struct error *e);
    bool (*next)(struct store_rows *r, struct error *e);
    void (*end)(struct store_rows *r);
    bool (*is_null)(struct store_rows *r, int column);
    int64_t (*integer)(struct store_rows *r, int column);
    const char *(*text)(struct store_rows *r, int column);
    struct span (*blob)(struct store_rows *r, int column);
    /* Upkeep outside transactions. log_pages: size of the write-ahead log after the last commit, 0
     * where there is none; checkpoint: moves what it can without making anybody wait. */
    unsigned (*log_pages)(struct backend_conn *c);
    bool (*checkpoint)(struct backend_conn *c, struct error *e);
};

extern const struct backend backend_sqlite;

#endif
