/* SPDX-License-Identifier: MIT */
/* Keeping and being done. On the acknowledging path: a row of packs for each page that a group fills,
 * or a row a message that no archive holds, and one row a group for what was done; everything else is
 * the indexer's.
 *
 * Invariants: seq rises in commit order and is never given out twice, also when the newest rows are
 * gone (journal_state); time never goes backwards; a done pair is a fact, so it may take effect in
 * memory before its row is committed, but it is written again until it is. */
#include "gateway/store/journal.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/archive_run.h"
#include "gateway/store/journal_internal.h"

struct journal *journal_of(struct store_tx *tx)
{
    CHECK(tx->is_write);
    return tx->store->journal;
}

struct journal *journal_create(struct store *s)
{
    struct journal *j = mem_new(struct journal);
    j->store = s;
    j->done_due_ms = UINT64_MAX;
    return j;
}

void journal_destroy(struct journal **jp)
{
    struct journal *j = *jp;
    if (!j)
        return;
    *jp = NULL;
    names_fini(&j->names);
    indexer_fini(&j->indexer);
    bytes_fini(&j->xml);
    pack_fini(&j->pack);
    bytes_fini(&j->asked);
    bytes_fini(&j->taken);
    bytes_fini(&j->pairs);
    mem_free(j);
}

/* -- keeping -- */

bool journal_insert_row(struct store_tx *tx, const struct index_entry *entry, int64_t kept_us, struct span xml,
                        struct error *e)
{
    return store_exec(tx, e,
                      "insert into journal (seq, kept_us, first_us, archive1, peer1, archive2, peer2,"
                      " queue1, queue2, stanza) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                      "iiiiiiiiib", (int64_t)entry->seq, kept_us,
                      entry->first_us == kept_us ? (int64_t)0 : entry->first_us, entry->archive[0],
                      entry->peer[0], entry->archive[1], entry->peer[1], entry->queue[0], entry->queue[1],
                      &xml);
}

/* Gives `entry` its seq. */
static bool append(struct store_tx *tx, struct index_entry *entry, struct span xml, struct error *e)
{
    struct journal *j = journal_of(tx);
    entry->seq = j->last_seq + 1;
    if (pack_takes(entry, xml) ? !pack_add(tx, &j->pack, entry, xml, e)
                               : !journal_insert_row(tx, entry, tx->now_us, xml, e))
        return false;
    j->last_seq++;
    indexer_add(&j->indexer, entry);
    return true;
}

/* Between two people of ours, each is the other's peer: no second look-up. */
static bool put_peer(struct store_tx *tx, const struct keep *k, unsigned i, struct index_entry *entry,
                     struct error *e)
{
    if (!k->archive[i])
        return true;
    if (k->archive[!i] && text_eq(k->peer[i], k->archive[!i])) {
        entry->peer[i] = entry->archive[!i];
        return true;
    }
    return names_put(tx, &journal_of(tx)->names, k->peer[i], &entry->peer[i], e);
}

static bool keep_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct keep *k = container_of(job, struct keep, job);
    struct journal *j = journal_of(tx);
    struct index_entry entry = {.first_us = k->sent_us ? k->sent_us : tx->now_us};
    for (unsigned i = 0; i < 2; i++)
        if (!names_put(tx, &j->names, k->archive[i], &entry.archive[i], e) ||
            !names_put(tx, &j->names, k->queue[i], &entry.queue[i], e))
            return false;
    for (unsigned i = 0; i < 2; i++)
        if (!put_peer(tx, k, i, &entry, e))
            return false;
    bytes_clear(&j->xml);
    stanza_write(&j->xml, k->stanza, NULL);
    if (!append(tx, &entry, bytes_span(&j->xml), e))
        return false;
    k->seq = entry.seq;
    k->kept_us = tx->now_us;
    return !k->also || k->also(tx, k, e);
}

void journal_keep(struct store *s, struct keep *k)
{
    k->job.run = keep_run;
    k->job.bytes = stanza_size(k->stanza);
    store_write(s, &k->job);
}

/* -- being done -- */

void journal_done(struct store *s, const char *queue, uint64_t seq)
{
    struct journal *j = s->journal;
    bool wake = false;
    pthread_mutex_lock(&s->lock);
    bytes_append(&j->asked, &seq, sizeof seq);
    bytes_append(&j->asked, queue, strlen(queue) + 1);
    if (j->done_due_ms == UINT64_MAX) {
        j->done_due_ms = store_mono_ms() + JOURNAL_DONE_WAIT_MS;
        wake = writer_must_wake(s, j->done_due_ms);
    }
    pthread_mutex_unlock(&s->lock);
    if (wake)
        pthread_cond_signal(&s->writer_wake);
}

uint64_t journal_done_due_ms(const struct journal *j)
{
    return j->pairs.len || j->taken.len ? 0 : j->done_due_ms;
}

/* Names become numbers, and the backlog learns of it. */
static bool resolve_taken(struct store_tx *tx, struct journal *j, struct error *e)
{
    size_t at = 0;
    bool ok = true;
    while (at < j->taken.len) {
        uint64_t seq;
        int64_t queue;
        memcpy(&seq, j->taken.data + at, sizeof seq);
        const char *name = j->taken.data + at + sizeof seq;
        ok = names_find(tx, &j->names, name, &queue, e);
        if (!ok)
            break;
        at += sizeof seq + strlen(name) + 1;
        if (!queue)
            continue; /* nothing was ever kept there */
        bytes_append_le(&j->pairs, (uint64_t)queue, 8);
        bytes_append_le(&j->pairs, seq, 8);
        indexer_done(&j->indexer, queue, seq, false);
    }
    bytes_drop(&j->taken, at);
    return ok;
}

bool journal_begin(struct store_tx *tx, struct journal *j, struct error *e)
{
    struct store *s = j->store;
    pthread_mutex_lock(&s->lock);
    if (j->taken.len == 0) {
        struct bytes swap = j->taken;
        j->taken = j->asked;
        j->asked = swap;
    } else {
        bytes_append(&j->taken, j->asked.data, j->asked.len);
        bytes_clear(&j->asked);
    }
    j->done_due_ms = UINT64_MAX;
    pthread_mutex_unlock(&s->lock);
    if (!resolve_taken(tx, j, e))
        return false;
    if (j->pairs.len == 0)
        return true;
    struct span pairs = bytes_span(&j->pairs);
    return store_exec(tx, e, "insert into done_log (id, pairs) values ($1, $2)", "ib",
                      (int64_t)(j->done_id + 1), &pairs);
}

bool journal_before_commit(struct store_tx *tx, struct journal *j, struct error *e)
{
    if (!pack_write(tx, &j->pack, e))
        return false;
    if (!j->save_state)
        return true;
    return store_exec(tx, e, "update journal_state set last_seq = $1, last_us = $2 where one = 1", "ii",
                      (int64_t)j->last_seq, tx->now_us);
}

void journal_committed(struct journal *j)
{
    j->committed_seq = j->last_seq;
    j->save_state = false;
    if (j->pairs.len) {
        j->done_id++;
        bytes_clear(&j->pairs);
    }
    names_committed(&j->names);
    indexer_committed(&j->indexer);
}

void journal_rolled_back(struct journal *j)
{
    j->last_seq = j->committed_seq;
    j->save_state = false;
    pack_clear(&j->pack);
    names_rolled_back(&j->names);
    indexer_rolled_back(&j->indexer);
}

/* -- indexing -- */

bool journal_wants_index(const struct journal *j, bool is_idle)
{
    return indexer_wants(&j->indexer, is_idle);
}

bool journal_index_slice(struct store_tx *tx, struct journal *j, struct error *e)
{
    j->save_state = true;
    return indexer_slice(tx, &j->indexer, j->done_id, e);
}

bool journal_flush(struct store_tx *tx, int64_t name, struct error *e)
{
    struct journal *j = journal_of(tx);
    if (!indexer_concerns(&j->indexer, name))
        return true;
    j->save_state = true;
    return indexer_flush(tx, &j->indexer, j->done_id + (j->pairs.len ? 1 : 0), e);
}

/* -- inside a transaction -- */

bool journal_done_now(struct store_tx *tx, const char *queue, uint64_t seq, struct error *e)
{
    struct journal *j = journal_of(tx);
    int64_t id;
    if (!names_find(tx, &j->names, queue, &id, e))
        return false;
    if (!id)
        return true;
    if (indexer_holds(&j->indexer, seq) && !journal_flush(tx, 0, e))
        return false;
    j->save_state = true;
    return indexer_take_out(tx, id, seq, e);
}

/* Rows of a queue in order; `*count` of them, in `a`. */
static bool queue_seqs(struct store_tx *tx, int64_t queue, struct arena *a, uint64_t **seqs, size_t *count,
                       struct error *e)
{
    struct bytes all = BYTES_EMPTY;
    struct store_rows *r = store_query(tx, e, "select seq from queue where queue = $1 order by seq", "i", queue);
    while (r && store_next(r, e)) {
        uint64_t seq = (uint64_t)store_int(r, 0);
        bytes_append(&all, &seq, sizeof seq);
    }
    *count = all.len / sizeof **seqs;
    *seqs = arena_alloc(a, all.len ? all.len : 1);
    if (all.len)
        memcpy(*seqs, all.data, all.len);
    bytes_fini(&all);
    return r && e->code == ERROR_NONE;
}

struct move {
    const struct journal_move *what;
    int64_t from;             /* the number of its name */
    bool is_kept;             /* with a new row */
    struct index_entry entry; /* what it becomes */
};

/* Reads row `seq` into j->xml; *first_us 0: it is gone. */
static bool row_read(struct store_tx *tx, struct journal *j, uint64_t seq, int64_t *first_us, struct error *e)
{
    struct kept_row row;
    *first_us = 0;
    bytes_clear(&j->xml);
    if (!kept_find(tx, seq, &row, e))
        return false;
    if (!row.entry.seq)
        return true;
    *first_us = row.entry.first_us;
    bytes_append(&j->xml, row.xml.data, row.xml.len);
    kept_end(&row);
    return true;
}

/* The row as it is now in j->xml becomes what the move says. */
static bool move_on(struct store_tx *tx, struct journal *j, const struct move *m, uint64_t seq, int64_t first_us,
                    struct stanza *st, struct error *e)
{
    struct index_entry entry = m->entry;
    entry.first_us = first_us;
    if (m->what->is_archived && !m->what->is_archived(st))
        entry.archive[0] = entry.peer[0] = 0;
    if (m->is_kept && !append(tx, &entry, bytes_span(&j->xml), e))
        return false;
    if (!indexer_take_out(tx, m->from, seq, e))
        return false;
    if (m->what->each)
        m->what->each(m->what->user, entry.seq, first_us, st);
    return true;
}

static bool move_row(struct store_tx *tx, struct journal *j, const struct move *m, uint64_t seq, struct error *e)
{
    int64_t first_us;
    if (!row_read(tx, j, seq, &first_us, e))
        return false;
    if (!first_us)
        return indexer_take_out(tx, m->from, seq, e);
    struct stanza *st = stanza_parse(j->xml.data, j->xml.len);
    if (!st)
        return error_set(e, ERROR_IO, "journal row %llu holds no stanza", (unsigned long long)seq);
    bool ok = move_on(tx, j, m, seq, first_us, st, e);
    stanza_unref(&st);
    return ok;
}

bool journal_move(struct store_tx *tx, const struct journal_move *what, struct error *e)
{
    struct journal *j = journal_of(tx);
    struct move m = {.what = what, .is_kept = what->to || what->archive_owner};
    if (!names_find(tx, &j->names, what->from, &m.from, e))
        return false;
    if (!m.from)
        return true;
    if (!names_put(tx, &j->names, what->to, &m.entry.queue[0], e) ||
        !names_put(tx, &j->names, what->archive_owner, &m.entry.archive[0], e) ||
        !names_put(tx, &j->names, what->archive_owner ? what->archive_peer : NULL, &m.entry.peer[0], e) ||
        !journal_flush(tx, m.from, e) || !pack_write(tx, &j->pack, e))
        return false;
    struct arena a;
    arena_init(&a);
    uint64_t *seqs;
    size_t count;
    j->save_state = true;
    bool ok = queue_seqs(tx, m.from, &a, &seqs, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = move_row(tx, j, &m, seqs[i], e);
    arena_fini(&a);
    return ok;
}

/* -- forgetting an account -- */

static bool forget_queue(struct store_tx *tx, int64_t queue, struct error *e)
{
    struct arena a;
    arena_init(&a);
    uint64_t *seqs;
    size_t count;
    bool ok = queue_seqs(tx, queue, &a, &seqs, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = indexer_take_out(tx, queue, seqs[i], e);
    arena_fini(&a);
    return ok;
}

/* The row is in this archive no longer; nor in the journal, when it was for this archive alone. */
static bool forget_entry(struct store_tx *tx, int64_t owner, uint64_t seq, struct error *e)
{
    bool packed;
    if (!pack_forget(tx, owner, seq, &packed, e))
        return false;
    return packed ||
           (store_exec(tx, e,
                      "update journal set archive1 = case when archive1 = $1 then 0 else archive1 end,"
                      " archive2 = case when archive2 = $1 then 0 else archive2 end where seq = $2",
                      "ii", owner, (int64_t)seq) &&
           indexer_drop_unreferenced(tx, seq, e));
}

/* Run by run, so that an archive of any length needs little memory. */
static bool forget_archive(struct store_tx *tx, int64_t owner, struct error *e)
{
    struct archive_entry run[RUN_MOST];
    for (;;) {
        struct store_rows *r = store_query(tx, e,
                                           "select seq, peer, first_us, older from archive where owner = $1"
                                           " order by seq limit 1",
                                           "i", owner);
        if (!r || !store_next(r, e))
            return r && e->code == ERROR_NONE;
        unsigned count = archive_run_row(r, run);
        store_end(r);
        if (!count)
            return error_set(e, ERROR_IO, "an archive's row holds no run");
        for (unsigned i = 0; i < count; i++)
            if (!forget_entry(tx, owner, run[i].seq, e))
                return false;
        if (!store_exec(tx, e, "delete from archive where owner = $1 and seq = $2", "ii", owner,
                        (int64_t)run[0].seq))
            return false;
    }
}

bool journal_forget(struct store_tx *tx, const char *bare, struct error *e)
{
    struct journal *j = journal_of(tx);
    int64_t owner, queue;
    struct bytes name = BYTES_EMPTY, held = BYTES_EMPTY, held_end = BYTES_EMPTY;
    bytes_printf(&name, "u:%s", bare);
    bytes_printf(&held, "h:%s ", bare);
    bytes_printf(&held_end, "h:%s!", bare); /* '!' follows ' ' */
    j->save_state = true;
    bool ok = journal_flush(tx, 0, e) && pack_write(tx, &j->pack, e) &&
              names_find(tx, &j->names, bare, &owner, e) &&
              names_find(tx, &j->names, name.data, &queue, e) && (!owner || forget_archive(tx, owner, e)) &&
              (!queue || forget_queue(tx, queue, e));
    struct store_rows *r = NULL;
    if (ok)
        r = store_query(tx, e, "select id from names where name >= $1 and name < $2", "tt", held.data,
                        held_end.data);
    ok = ok && r;
    while (ok && store_next(r, e)) {
        ok = forget_queue(tx, store_int(r, 0), e);
        if (!ok)
            store_end(r);
    }
    bytes_fini(&name);
    bytes_fini(&held);
    bytes_fini(&held_end);
    return ok && e->code == ERROR_NONE;
}

/* -- opening -- */

/* Of the rows that are there; raises what is given. */
static bool newest_row(struct store_tx *tx, uint64_t *seq, int64_t *kept_us, struct error *e)
{
    uint64_t packed_seq;
    int64_t packed_us;
    if (!pack_newest(tx, &packed_seq, &packed_us, e))
        return false;
    if (packed_seq > *seq)
        *seq = packed_seq;
    if (packed_us > *kept_us)
        *kept_us = packed_us;
    struct store_rows *r = store_query(tx, e, "select seq, kept_us from journal order by seq desc limit 1", "");
    if (!r || !store_next(r, e))
        return r && e->code == ERROR_NONE;
    if ((uint64_t)store_int(r, 0) > *seq)
        *seq = (uint64_t)store_int(r, 0);
    if (store_int(r, 1) > *kept_us)
        *kept_us = store_int(r, 1);
    store_end(r);
    return true;
}

static bool load_state(struct store_tx *tx, struct journal *j, int64_t *indexed, struct error *e)
{
    int64_t last_us = 0;
    struct store_rows *r = store_query(tx, e, "select indexed, last_seq, last_us from journal_state where one = 1", "");
    if (!r)
        return false;
    if (!store_next(r, e))
        return e->code ? false : error_set(e, ERROR_IO, "store %s: journal_state is empty", j->store->path);
    *indexed = store_int(r, 0);
    j->last_seq = (uint64_t)store_int(r, 1);
    last_us = store_int(r, 2);
    store_end(r);
    if (!newest_row(tx, &j->last_seq, &last_us, e))
        return false;
    if ((uint64_t)*indexed > j->last_seq)
        j->last_seq = (uint64_t)*indexed;
    j->committed_seq = j->last_seq;
    atomic_store(&j->store->last_us, last_us);
    return e->code == ERROR_NONE;
}

static void backlog_add(struct bytes *backlog, const struct index_entry *entry)
{
    bytes_append(backlog, entry, sizeof *entry);
}

static bool load_singles(struct store_tx *tx, int64_t indexed, struct bytes *backlog, struct error *e)
{
    static const char sql[] = "select " KEPT_COLUMNS " from journal where seq > $1";
    struct store_rows *r = store_query(tx, e, sql, "i", indexed);
    while (r && store_next(r, e)) {
        struct index_entry entry = kept_entry(r);
        backlog_add(backlog, &entry);
    }
    return r && e->code == ERROR_NONE;
}

/* The mark may stand inside a pack. */
static bool load_packed(struct store_tx *tx, int64_t indexed, struct bytes *backlog, struct error *e)
{
    struct store_rows *r = store_query(tx, e,
                                       "select seq, kept_us, entries from packs where seq >="
                                       " coalesce((select max(seq) from packs where seq <= $1), 0)",
                                       "i", indexed);
    while (r && store_next(r, e)) {
        struct pack_walk w = pack_walk_of(r);
        struct index_entry entry;
        struct span xml;
        while (pack_next(&w, &entry, &xml))
            if (entry.seq > (uint64_t)indexed)
                backlog_add(backlog, &entry);
        if (w.is_broken) {
            pack_say_broken(r, e);
            store_end(r);
            return false;
        }
    }
    return r && e->code == ERROR_NONE;
}

static int by_seq(const void *left, const void *right)
{
    const struct index_entry *a = left, *b = right;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* A batch that a crash ended is written again from its beginning; what it had put into archives goes. */
static bool unwrite(struct store_tx *tx, const struct index_entry *entry, int64_t indexed, struct error *e)
{
    for (unsigned i = 0; i < 2; i++)
        if (entry->archive[i] && !store_exec(tx, e, "delete from archive where owner = $1 and seq > $2", "ii",
                                             entry->archive[i], indexed))
            return false;
    return true;
}

static bool load_backlog(struct store_tx *tx, struct journal *j, int64_t indexed, struct error *e)
{
    struct bytes backlog = BYTES_EMPTY;
    bool ok = load_singles(tx, indexed, &backlog, e) && load_packed(tx, indexed, &backlog, e);
    struct index_entry *entries = (struct index_entry *)(void *)backlog.data;
    size_t count = backlog.len / sizeof *entries;
    if (ok && count)
        qsort(entries, count, sizeof *entries, by_seq);
    for (size_t i = 0; ok && i < count; i++) {
        indexer_add(&j->indexer, &entries[i]);
        ok = unwrite(tx, &entries[i], indexed, e);
    }
    bytes_fini(&backlog);
    indexer_committed(&j->indexer);
    return ok;
}

static bool load_dones(struct store_tx *tx, struct journal *j, struct error *e)
{
    struct store_rows *r = store_query(tx, e, "select id, pairs from done_log order by id", "");
    while (r && store_next(r, e)) {
        j->done_id = (uint64_t)store_int(r, 0);
        struct span pairs = store_blob(r, 1);
        for (size_t at = 0; at + 16 <= pairs.len; at += 16)
            indexer_done(&j->indexer, (int64_t)bytes_read_le(pairs.data + at, 8),
                         bytes_read_le(pairs.data + at + 8, 8), true);
    }
    return r && e->code == ERROR_NONE;
}

bool journal_load(struct store_tx *tx, struct journal *j, struct error *e)
{
    int64_t indexed = 0;
    return load_state(tx, j, &indexed, e) && load_backlog(tx, j, indexed, e) &&
           load_dones(tx, j, e);
}
