/* SPDX-License-Identifier: MIT */
/* The store: one writer thread that commits in groups, a few readers, one that checkpoints. A call is
 * a job: run() happens on a store thread inside a transaction, done() on the loop that asked, after
 * the commit. What done() reports as committed survives kill -9, and with STORE_DISK a power cut.
 *
 * SQL is written once for SQLite and PostgreSQL (README.md, "Rules for a record family"): bigint, text, bytea only;
 * times in microseconds; $1 parameters. Record families (account.h, rosters.h, journal.h, ...) wrap
 * it; nothing above gateway/store writes SQL but the record families of the edges. */
#ifndef CAUSEWAY_STORE_STORE_H
#define CAUSEWAY_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/bytes.h"
#include "gateway/base/error.h"
#include "gateway/net/loop.h"

struct store;
struct store_tx; /* the open transaction, on a store thread */

enum store_durability {
    STORE_DISK,    /* acknowledged = synced to disk (default) */
    STORE_PROCESS, /* acknowledged = survives the process, not the machine */
};

struct store_options {
    const char *path; /* file; ":memory:" for tests (then readers share the writer's thread) */
    enum store_durability durability;
    unsigned readers; /* 0: 2 */
    const char *schema_dir; /* folder with NNNN_*.sql; NULL: the installed one */
    const struct clock *clock; /* of store_now_us; NULL: the machine's */
    /* A tool that may run beside the gateway: if another process has the store, it is opened for
     * accounts and secrets only: nothing is kept, indexed or migrated. Both wait for each other. */
    bool beside;
};

/* Opens, creates and migrates. NULL and *e filled: what is wrong with which file. */
MUST_USE struct store *store_open(const struct store_options *o, struct error *e);
/* Completes every job that was asked, then closes. Done callbacks are posted to their loops. */
void store_close(struct store **s);

struct store_job {
    struct command cmd;     /* the store's, while the job is under way */
    struct loop *reply_on;  /* where done runs; NULL: nobody waits, done is not called */
    /* Store thread. false: *e filled; a write is rolled back and only this job fails. May run a second
     * time, when another job of its group failed: what it sets outside the store it sets anew. */
    bool (*run)(struct store_tx *tx, struct store_job *job, struct error *e);
    /* e->code is ERROR_NONE when it held (writes: committed). Frees the job if it was allocated. NULL
     * with reply_on NULL: then `discard` (may be NULL) frees it on the store thread. */
    void (*done)(struct store_job *job, const struct error *e);
    void (*discard)(struct store_job *job);
    uint64_t must_see; /* reads: ticket of the write that must be visible; 0: whatever is committed */
    size_t bytes;      /* writes: its weight in store_backlog_bytes */
    /* Reads of the record families: runs on the writer first, in the order of the writes; NULL: none. */
    bool (*flush)(struct store_tx *tx, struct store_job *job, struct error *e);
    uint64_t ticket;        /* the store's, and all below */
    struct store_job *next;
    struct error error;
};

/* Any thread. Writes run in the order in which they were asked and commit in groups: the next group
 * gathers while the last one syncs. Returns the ticket. Done callbacks of one loop come in order. */
uint64_t store_write(struct store *s, struct store_job *job);
/* Any thread. Runs on a reader beside writes; its snapshot holds every write up to must_see. Reads
 * complete in any order. */
void store_read(struct store *s, struct store_job *job);
/* Ticket of the newest write asked so far. */
uint64_t store_ticket(struct store *s);
/* A write that this thread waits for: at start, in tools and tests; never on a loop that serves. */
MUST_USE bool store_write_wait(struct store *s, bool (*run)(struct store_tx *tx, void *user, struct error *e),
                               void *user, struct error *e);

/* Back-pressure: sum of `bytes` of the writes that were asked and are not yet committed. */
size_t store_backlog_bytes(struct store *s);
/* Set while the disk refuses (full, I/O error): nothing is acknowledged. */
bool store_is_failing(struct store *s);

/* -- SQL inside run() --
 * `sql` is a string literal: prepared once a connection and kept. `types` says what follows, one
 * letter a parameter: i int64_t, t const char * (NULL: null), b struct span * (NULL: null). */
MUST_USE bool store_exec(struct store_tx *tx, struct error *e, const char *sql, const char *types, ...);
int64_t store_changes(struct store_tx *tx); /* rows of the last store_exec */

struct store_rows; /* at most a few open at a time a transaction, nested is fine */
MUST_USE struct store_rows *store_query(struct store_tx *tx, struct error *e, const char *sql,
                                        const char *types, ...);
/* true: there is a row. false: the end, or *e filled (check e->code). Ends the query by itself. */
bool store_next(struct store_rows *r, struct error *e);
void store_end(struct store_rows *r); /* before its end was reached; NULL is harmless */
bool store_is_null(struct store_rows *r, int column);
int64_t store_int(struct store_rows *r, int column);
const char *store_text(struct store_rows *r, int column); /* NULL: null; borrowed until store_next */
struct span store_blob(struct store_rows *r, int column); /* borrowed until store_next */

/* Of a query for one number: the first column of its first row, or `otherwise` when there is no row or it is
 * null. Ends the query; `r` as store_query returned it. */
MUST_USE bool store_number(struct store_rows *r, int64_t otherwise, int64_t *out, struct error *e);

/* Wall time of the transaction, the same for all its jobs; never behind the last row's. */
int64_t store_now_us(struct store_tx *tx);

#endif
