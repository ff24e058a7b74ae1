/* SPDX-License-Identifier: MIT */
/* See indexer.h. Invariants: entries are ascending by seq; a batch is a prefix of entries and dones;
 * deletions of a batch refer only to rows that an earlier batch has written, and come after its own
 * insertions, so that "nothing refers to it" can be asked of the tables alone. */
#include "gateway/store/indexer.h"

#include <string.h>
#include <time.h>

#include "gateway/base/mem.h"
#include "gateway/store/archive_run.h"

enum {
    BATCH_ROWS = 8192,   /* the longer, the cheaper a row; the shorter, the less a crash leaves to redo */
    SLICE_US = 2000,     /* what a commit may have to wait for */
    CLOCK_EVERY = 32,    /* rows between two looks at the clock */
};

enum item_kind { ITEM_ARCHIVE, ITEM_QUEUE, ITEM_DROP };

struct index_item {
    enum item_kind kind;
    unsigned which; /* of the entry's two */
    int64_t owner;
    size_t entry;
};

void indexer_fini(struct indexer *x)
{
    mem_free(x->entries);
    mem_free(x->dones);
    mem_free(x->items);
    mem_free(x->sorted);
    bytes_fini(&x->older);
    *x = (struct indexer){0};
}

static void grow(void **array, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return;
    size_t want = *cap ? *cap * 2 : 256;
    while (want < need)
        want *= 2;
    *array = mem_grow(*array, want * size);
    *cap = want;
}

void indexer_add(struct indexer *x, const struct index_entry *entry)
{
    CHECK(x->count == 0 || x->entries[x->count - 1].seq < entry->seq);
    grow((void **)&x->entries, &x->cap, x->count + 1, sizeof *x->entries);
    x->entries[x->count++] = *entry;
}

static struct index_entry *entry_find(const struct indexer *x, uint64_t seq)
{
    size_t low = 0, high = x->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (x->entries[mid].seq < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low < x->count && x->entries[low].seq == seq ? &x->entries[low] : NULL;
}

void indexer_done(struct indexer *x, int64_t queue, uint64_t seq, bool again)
{
    struct index_entry *entry = entry_find(x, seq);
    bool may_be_written = again || !entry ||
                          (x->in_batch && (size_t)(entry - x->entries) < x->batch_entries);
    for (unsigned i = 0; entry && i < 2; i++)
        if (entry->queue[i] == queue)
            entry->is_done[i] = true;
    if (!may_be_written)
        return;
    grow((void **)&x->dones, &x->done_cap, x->done_count + 1, sizeof *x->dones);
    x->dones[x->done_count++] = (struct index_done){queue, seq};
}

bool indexer_wants(const struct indexer *x, bool is_idle)
{
    return x->in_batch || x->committed >= BATCH_ROWS || x->done_count >= BATCH_ROWS ||
           (is_idle && (x->committed || x->done_count));
}

bool indexer_concerns(const struct indexer *x, int64_t name)
{
    if (name == 0)
        return x->count > x->tx_entries || x->done_count > x->tx_dones;
    for (size_t i = x->tx_entries; i < x->count; i++) {
        const struct index_entry *entry = &x->entries[i];
        for (unsigned k = 0; k < 2; k++)
            if (entry->archive[k] == name || (entry->queue[k] == name && !entry->is_done[k]))
                return true;
    }
    for (size_t i = x->tx_dones; i < x->done_count; i++)
        if (x->dones[i].queue == name)
            return true;
    return false;
}

bool indexer_holds(const struct indexer *x, uint64_t seq)
{
    struct index_entry *entry = entry_find(x, seq);
    return entry && (size_t)(entry - x->entries) >= x->tx_entries;
}

/* -- the batch -- */

static void item_add(struct indexer *x, enum item_kind kind, unsigned which, int64_t owner, size_t entry)
{
    grow((void **)&x->items, &x->item_cap, x->item_count + 1, sizeof *x->items);
    x->items[x->item_count++] = (struct index_item){kind, which, owner, entry};
}

/* Those of one kind. */
static void entry_to_items(struct indexer *x, size_t at, enum item_kind kind)
{
    const struct index_entry *entry = &x->entries[at];
    bool is_wanted = false;
    for (unsigned i = 0; i < 2; i++) {
        bool is_archived = entry->archive[i] && !(i == 1 && entry->archive[1] == entry->archive[0]);
        bool is_queued = entry->queue[i] && !entry->is_done[i];
        if (is_archived && kind == ITEM_ARCHIVE)
            item_add(x, ITEM_ARCHIVE, i, entry->archive[i], at);
        if (is_queued && kind == ITEM_QUEUE)
            item_add(x, ITEM_QUEUE, i, entry->queue[i], at);
        is_wanted |= is_archived || is_queued;
    }
    if (!is_wanted && kind == ITEM_DROP)
        item_add(x, ITEM_DROP, 0, 0, at);
}

enum { DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS };

static unsigned digit_of(const struct index_item *item, unsigned shift)
{
    return (unsigned)((uint64_t)item->owner >> shift) & (DIGITS - 1);
}

/* One step of a radix sort: by eight bits of the owner, what is equal in its old order. */
static void sort_by_digit(const struct index_item *from, struct index_item *to, size_t count, unsigned shift)
{
    size_t at[DIGITS] = {0}, sum = 0;
    for (size_t i = 0; i < count; i++)
        at[digit_of(&from[i], shift)]++;
    for (unsigned d = 0; d < DIGITS; d++) {
        size_t here = at[d];
        at[d] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++)
        to[at[digit_of(&from[i], shift)]++] = from[i];
}

/* By kind, owner and seq. Items are made kind by kind in the order of seq, so each kind needs but its
 * owners sorted, stably. A comparison sort cost more than the rows that it was for. */
static void sort_by_owner(struct indexer *x, size_t from)
{
    size_t count = x->item_count - from;
    uint64_t highest = 0;
    for (size_t i = from; i < x->item_count; i++)
        if ((uint64_t)x->items[i].owner > highest)
            highest = (uint64_t)x->items[i].owner;
    grow((void **)&x->sorted, &x->sorted_cap, count, sizeof *x->sorted);
    for (unsigned shift = 0; shift < 64 && highest >> shift; shift += DIGIT_BITS) {
        sort_by_digit(x->items + from, x->sorted, count, shift);
        memcpy(x->items + from, x->sorted, count * sizeof *x->items);
    }
}

static void make_items(struct indexer *x, size_t from, size_t to)
{
    static const enum item_kind kinds[] = {ITEM_ARCHIVE, ITEM_QUEUE, ITEM_DROP};
    x->item_count = 0;
    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        size_t first = x->item_count;
        for (size_t i = from; i < to; i++)
            entry_to_items(x, i, kinds[k]);
        if (x->item_count > first)
            sort_by_owner(x, first);
    }
}

/* -- rows -- */

bool indexer_drop_unreferenced(struct store_tx *tx, uint64_t seq, struct error *e)
{
    return store_exec(tx, e,
                      "delete from journal where seq = $1 and archive1 = 0 and archive2 = 0"
                      " and not exists (select 1 from queue q where q.seq = journal.seq"
                      " and q.queue in (journal.queue1, journal.queue2))",
                      "i", (int64_t)seq);
}

bool indexer_take_out(struct store_tx *tx, int64_t queue, uint64_t seq, struct error *e)
{
    return store_exec(tx, e, "delete from queue where queue = $1 and seq = $2", "ii", queue, (int64_t)seq) &&
           indexer_drop_unreferenced(tx, seq, e);
}

static struct archive_entry archive_entry_of(const struct indexer *x, const struct index_item *item)
{
    const struct index_entry *entry = &x->entries[item->entry];
    return (struct archive_entry){entry->seq, entry->peer[item->which], entry->first_us};
}

/* Items from `at` on that make one run: the same owner's. */
static size_t run_length(const struct indexer *x, size_t at)
{
    size_t n = 1;
    while (n < RUN_MOST && at + n < x->item_count && x->items[at + n].kind == ITEM_ARCHIVE &&
           x->items[at + n].owner == x->items[at].owner)
        n++;
    return n;
}

static bool run_write(struct store_tx *tx, struct indexer *x, size_t at, size_t length, struct error *e)
{
    struct archive_entry newest = archive_entry_of(x, &x->items[at + length - 1]), newer = newest;
    bytes_clear(&x->older);
    for (size_t i = length - 1; i-- > 0;) {
        struct archive_entry older = archive_entry_of(x, &x->items[at + i]);
        archive_run_put(&x->older, &newer, &older);
        newer = older;
    }
    struct span older = bytes_span(&x->older);
    return store_exec(tx, e,
                      "insert into archive (owner, seq, peer, first_us, older) values ($1, $2, $3, $4, $5)", "iiiib",
                      x->items[at].owner, (int64_t)newest.seq, newest.peer, newest.first_us,
                      length > 1 ? &older : NULL);
}

/* Items from `at` on with one statement: `*length` of them. */
static bool items_write(struct store_tx *tx, struct indexer *x, size_t at, size_t *length, struct error *e)
{
    const struct index_item *item = &x->items[at];
    const struct index_entry *entry = &x->entries[item->entry];
    *length = 1;
    switch (item->kind) {
    case ITEM_ARCHIVE:
        *length = run_length(x, at);
        return run_write(tx, x, at, *length, e);
    case ITEM_QUEUE:
        return entry->is_done[item->which] ||
               store_exec(tx, e,
                          "insert into queue (queue, seq) values ($1, $2) on conflict (queue, seq) do nothing",
                          "ii", item->owner, (int64_t)entry->seq);
    case ITEM_DROP:
        return store_exec(tx, e, "delete from journal where seq = $1", "i", (int64_t)entry->seq);
    }
    return true;
}

/* Everything up to `seq` is in the tables, and the dones up to `done_id` are out of them. */
static bool move_mark(struct store_tx *tx, uint64_t seq, uint64_t done_id, struct error *e)
{
    return store_exec(tx, e, "update journal_state set indexed = $1 where one = 1 and indexed < $1", "i",
                      (int64_t)seq) &&
           store_exec(tx, e, "delete from done_log where id <= $1", "i", (int64_t)done_id);
}

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Items, then the batch's dones, from tx_cursor on, until all is written or `end_us` has come. */
static bool write_some(struct store_tx *tx, struct indexer *x, uint64_t end_us, struct error *e)
{
    size_t all = x->item_count + x->batch_dones;
    size_t length = 1;
    for (unsigned n = 1; x->tx_cursor < all; n++, x->tx_cursor += length) {
        if (n % CLOCK_EVERY == 0 && now_us() >= end_us)
            return true;
        if (x->tx_cursor < x->item_count) {
            if (!items_write(tx, x, x->tx_cursor, &length, e))
                return false;
        } else {
            const struct index_done *d = &x->dones[x->tx_cursor - x->item_count];
            length = 1;
            if (!indexer_take_out(tx, d->queue, d->seq, e))
                return false;
        }
    }
    if (x->batch_entries && !move_mark(tx, x->entries[x->batch_entries - 1].seq, x->batch_done_id, e))
        return false;
    if (!x->batch_entries && !move_mark(tx, 0, x->batch_done_id, e))
        return false;
    x->tx_entries = x->batch_entries;
    x->tx_dones = x->batch_dones;
    return true;
}

bool indexer_slice(struct store_tx *tx, struct indexer *x, uint64_t done_id, struct error *e)
{
    if (!x->in_batch) {
        x->in_batch = true;
        x->batch_entries = x->committed;
        x->batch_dones = x->done_count;
        x->batch_done_id = done_id;
        x->cursor = x->tx_cursor = 0;
        make_items(x, 0, x->batch_entries);
    }
    uint64_t slice_us = SLICE_US * (1 + x->committed / (2 * BATCH_ROWS)); /* falling behind: longer */
    return write_some(tx, x, now_us() + slice_us, e);
}

/* The rest that no batch holds, through items of its own: a rollback must find the batch as it was. */
static bool flush_rest(struct store_tx *tx, struct indexer *x, uint64_t done_id, struct error *e)
{
    struct index_item *items = x->items;
    size_t item_count = x->item_count, item_cap = x->item_cap;
    x->items = NULL;
    x->item_count = x->item_cap = 0;
    make_items(x, x->tx_entries, x->count);
    bool ok = true;
    for (size_t i = 0, length; ok && i < x->item_count; i += length)
        ok = items_write(tx, x, i, &length, e);
    for (size_t i = x->tx_dones; ok && i < x->done_count; i++)
        ok = indexer_take_out(tx, x->dones[i].queue, x->dones[i].seq, e);
    mem_free(x->items);
    x->items = items;
    x->item_count = item_count;
    x->item_cap = item_cap;
    if (!ok || !move_mark(tx, x->count ? x->entries[x->count - 1].seq : 0, done_id, e))
        return false;
    x->tx_entries = x->count;
    x->tx_dones = x->done_count;
    return true;
}

bool indexer_flush(struct store_tx *tx, struct indexer *x, uint64_t done_id, struct error *e)
{
    if (x->in_batch && x->tx_entries == 0 && x->tx_dones == 0 && !write_some(tx, x, UINT64_MAX, e))
        return false;
    return flush_rest(tx, x, done_id, e);
}

static void drop_front(void *array, size_t *count, size_t drop, size_t size)
{
    *count -= drop;
    if (drop && *count)
        memmove(array, (char *)array + drop * size, *count * size);
}

void indexer_committed(struct indexer *x)
{
    x->cursor = x->tx_cursor;
    if (x->tx_entries || x->tx_dones) {
        drop_front(x->entries, &x->count, x->tx_entries, sizeof *x->entries);
        drop_front(x->dones, &x->done_count, x->tx_dones, sizeof *x->dones);
        x->tx_entries = x->tx_dones = 0;
        x->in_batch = false;
        x->batch_entries = x->batch_dones = x->cursor = x->tx_cursor = 0;
    }
    x->committed = x->count;
}

void indexer_rolled_back(struct indexer *x)
{
    x->tx_cursor = x->cursor;
    x->tx_entries = x->tx_dones = 0;
    x->count = x->committed;
}
