/* SPDX-License-Identifier: MIT */
/* The journal's state, shared by journal.c, pack.c, queues.c, archives.c and what opens and commits.
 * All of it belongs to the writer's thread, but for what stands under the store's lock. */
#ifndef CAUSEWAY_STORE_JOURNAL_INTERNAL_H
#define CAUSEWAY_STORE_JOURNAL_INTERNAL_H

#include "gateway/store/indexer.h"
#include "gateway/store/journal.h"
#include "gateway/store/kept.h"
#include "gateway/store/names.h"
#include "gateway/store/pack.h"
#include "gateway/store/store_internal.h"

enum { JOURNAL_DONE_WAIT_MS = 50 };

struct journal {
    struct store *store;
    struct names names;
    struct indexer indexer;
    uint64_t last_seq, committed_seq; /* given out; given out and committed */
    bool save_state; /* this transaction deleted rows: last_seq must be written down */
    struct bytes xml; /* scratch */
    struct pack pack; /* kept in this transaction and not yet in a row */

    struct bytes asked;    /* under the lock: done pairs, seq then the queue's name with its NUL */
    uint64_t done_due_ms;  /* under the lock: UINT64_MAX: none */

    struct bytes taken;    /* asked, being turned into pairs */
    struct bytes pairs;    /* (queue, seq) not yet committed */
    uint64_t done_id;      /* newest committed row of done_log */
};

struct journal *journal_create(struct store *s);
void journal_destroy(struct journal **j);
/* At open: what a crash left to do. */
MUST_USE bool journal_load(struct store_tx *tx, struct journal *j, struct error *e);

/* Around every write transaction. begin writes what was asked to be done. */
MUST_USE bool journal_begin(struct store_tx *tx, struct journal *j, struct error *e);
MUST_USE bool journal_before_commit(struct store_tx *tx, struct journal *j, struct error *e);
void journal_committed(struct journal *j);
void journal_rolled_back(struct journal *j);
uint64_t journal_done_due_ms(const struct journal *j); /* under the lock; UINT64_MAX: nothing waits */

bool journal_wants_index(const struct journal *j, bool is_idle);
MUST_USE bool journal_index_slice(struct store_tx *tx, struct journal *j, struct error *e);
/* Everything that is not indexed yet, now, when some of it concerns that name (0: in any case). */
MUST_USE bool journal_flush(struct store_tx *tx, int64_t name, struct error *e);
/* All that is kept for an account: its archive, its queues. */
MUST_USE bool journal_forget(struct store_tx *tx, const char *bare, struct error *e);

struct journal *journal_of(struct store_tx *tx);
/* A row of its own. */
MUST_USE bool journal_insert_row(struct store_tx *tx, const struct index_entry *entry, int64_t kept_us,
                                 struct span xml, struct error *e);

#endif
