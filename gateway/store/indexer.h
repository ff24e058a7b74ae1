/* SPDX-License-Identifier: MIT */
/* From the journal to archive and queue rows, off the acknowledging path.
 *
 * The backlog stands in memory as the rows went into the journal. When it is long enough, or the
 * store is quiet, it becomes a batch: sorted by owner, so that neighbours share a row (archive_run.h),
 * and written in slices between groups. The batch's end moves the mark `indexed`; after a crash
 * everything behind the mark is done again: what a part of a batch had put into archives is taken out
 * first (journal_load), a queue's row that is there already is left alone.
 *
 * A row that was done before its queue entry was written never reaches the queue table. */
#ifndef CAUSEWAY_STORE_INDEXER_H
#define CAUSEWAY_STORE_INDEXER_H

#include <stddef.h>

#include "gateway/base/bytes.h"
#include "gateway/store/store.h"

struct index_entry { /* a journal row that is not indexed yet; 0: none */
    uint64_t seq;
    int64_t first_us;
    int64_t archive[2], peer[2], queue[2];
    bool is_done[2]; /* of queue */
};

struct index_done { /* a queue row that must go */
    int64_t queue;
    uint64_t seq;
};

struct index_item;

struct indexer {
    struct index_entry *entries; /* by seq; those of the open transaction at the end */
    size_t count, committed, cap;
    struct index_done *dones;
    size_t done_count, done_cap;

    /* The batch: the first entries and dones. */
    bool in_batch;
    size_t batch_entries, batch_dones;
    uint64_t batch_done_id; /* rows of done_log up to it are worked in by this batch */
    struct index_item *items;
    size_t item_count, item_cap;
    struct index_item *sorted; /* scratch: a step of sorting */
    size_t sorted_cap;
    struct bytes older;     /* scratch: a run */
    size_t cursor;          /* items, then dones: written and committed */

    /* The open transaction. */
    size_t tx_cursor;
    size_t tx_entries, tx_dones; /* whole in this transaction: dropped at its commit */
};

void indexer_fini(struct indexer *x);
void indexer_add(struct indexer *x, const struct index_entry *entry);
/* (queue, seq) was served. `again`: from done_log at open: its row may have been written. */
void indexer_done(struct indexer *x, int64_t queue, uint64_t seq, bool again);
bool indexer_wants(const struct indexer *x, bool is_idle);
/* Is something about that name (0: anything) not yet in the tables? */
bool indexer_concerns(const struct indexer *x, int64_t name);
bool indexer_holds(const struct indexer *x, uint64_t seq);

/* `done_id`: newest committed row of done_log. */
MUST_USE bool indexer_slice(struct store_tx *tx, struct indexer *x, uint64_t done_id, struct error *e);
/* All of it in this transaction; `done_id` counts the row that this transaction wrote. */
MUST_USE bool indexer_flush(struct store_tx *tx, struct indexer *x, uint64_t done_id, struct error *e);
/* Takes one row out of a queue, and out of the journal when nothing refers to it any more. */
MUST_USE bool indexer_take_out(struct store_tx *tx, int64_t queue, uint64_t seq, struct error *e);
MUST_USE bool indexer_drop_unreferenced(struct store_tx *tx, uint64_t seq, struct error *e);

void indexer_committed(struct indexer *x);
void indexer_rolled_back(struct indexer *x);

#endif
