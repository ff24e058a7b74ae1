/* SPDX-License-Identifier: MIT */
/* Pages of an archive (XEP-0313, paged by XEP-0059).
 *
 * An archive is paged by seq, which is given out at the commit: nothing ever appears behind a
 * client's cursor. Rows are filtered by the time at which they were first said; as that is never
 * later than the commit, a start time is also a bound on seq, found by bisection; an end time is not
 * (a held message enters late). One key (owner, seq) serves all of it, a row a run; `with` filters
 * entries as they are walked. */
#include <string.h>

#include "gateway/store/archive_run.h"
#include "gateway/store/journal_internal.h"

enum {
    COUNT_MOST = 2000,        /* beyond, a total is not worth its price */
    PAGE_BYTES = 1024 * 1024, /* a page ends there, or behind its first row (XEP-0059 2.1: fewer may come) */
};

/* -- pages -- */

struct filter {
    int64_t owner, peer; /* peer 0: anybody */
    int64_t start_us, end_us;
    int64_t above; /* rows of seq > above: what start_us is worth */
};

static bool flush_owner(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct archive_page *p = container_of(job, struct archive_page, job);
    int64_t id;
    return names_find(tx, &journal_of(tx)->names, p->owner, &id, e) && (!id || journal_flush(tx, id, e));
}

/* A seq such that everything up to it was committed before start_us. */
static bool seq_before(struct store_tx *tx, int64_t start_us, int64_t *above, struct error *e)
{
    int64_t low = 0, high, packed;
    *above = 0;
    if (!store_number(store_query(tx, e, "select seq from journal order by seq desc limit 1", ""), 0, &high, e) ||
        !store_number(store_query(tx, e, "select seq from packs order by seq desc limit 1", ""), 0, &packed, e))
        return false;
    if (packed > high)
        high = packed;
    while (low < high) { /* all up to low are before; high may not be */
        int64_t mid = low + (high - low) / 2 + 1, kept;
        if (!kept_time(tx, mid, &kept, e))
            return false;
        if (kept < start_us)
            low = mid;
        else
            high = mid - 1;
    }
    *above = low;
    return true;
}

/* -- walking: entries of an archive between two seqs, in either direction -- */

struct walk {
    struct store_tx *tx;
    const struct filter *filter;
    int64_t above, below; /* entries strictly between */
    bool is_backwards;
    /* Sees each entry that passes the filter, in order; false: enough, or `e` is set. */
    bool (*each)(struct walk *w, const struct archive_entry *entry, struct error *e);
    struct archive_page *page; /* of each */
    int64_t count;             /* of each */
    size_t bytes;              /* of the page's rows */
};

/* The run that holds or follows `below` may begin in front of it: the seq to read it by. */
static bool newest_run(struct walk *w, int64_t *seq, struct error *e)
{
    *seq = INT64_MAX;
    if (w->below == INT64_MAX)
        return true;
    return store_number(store_query(w->tx, e,
                                "select seq from archive where owner = $1 and seq >= $2 order by seq limit 1", "ii",
                                w->filter->owner, w->below),
                    INT64_MAX, seq, e);
}

static bool passes(const struct walk *w, const struct archive_entry *entry)
{
    const struct filter *f = w->filter;
    return (int64_t)entry->seq > w->above && (int64_t)entry->seq < w->below && (!f->peer || entry->peer == f->peer) &&
           entry->first_us >= f->start_us && entry->first_us <= f->end_us;
}

/* A run is stored newest first. */
static bool walk_run(struct walk *w, const struct archive_entry *run, unsigned count, struct error *e)
{
    for (unsigned i = 0; i < count; i++) {
        const struct archive_entry *entry = &run[w->is_backwards ? i : count - 1 - i];
        if (passes(w, entry) && !w->each(w, entry, e))
            return false;
    }
    return true;
}

static bool walk(struct walk *w, struct error *e)
{
    struct archive_entry run[RUN_MOST];
    int64_t newest;
    if (!newest_run(w, &newest, e))
        return false;
    struct store_rows *r =
        w->is_backwards ? store_query(w->tx, e,
                                      "select seq, peer, first_us, older from archive where owner = $1 and seq > $2"
                                      " and seq <= $3 order by seq desc",
                                      "iii", w->filter->owner, w->above, newest)
                        : store_query(w->tx, e,
                                      "select seq, peer, first_us, older from archive where owner = $1 and seq > $2"
                                      " and seq <= $3 order by seq",
                                      "iii", w->filter->owner, w->above, newest);
    while (r && store_next(r, e)) {
        unsigned count = archive_run_row(r, run);
        if (!count)
            error_set(e, ERROR_IO, "row %lld of an archive holds no run", (long long)store_int(r, 0));
        if (!count || !walk_run(w, run, count, e)) {
            store_end(r);
            break;
        }
    }
    return r && e->code == ERROR_NONE;
}

static bool found(struct walk *w, const struct archive_entry *entry, struct error *e)
{
    (void)entry, (void)e;
    w->count++;
    return false;
}

static bool is_in_archive(struct store_tx *tx, int64_t owner, uint64_t seq, bool *unknown, struct error *e)
{
    const struct filter all = {.owner = owner, .start_us = INT64_MIN, .end_us = INT64_MAX};
    struct walk w = {
        .tx = tx, .filter = &all, .above = (int64_t)seq - 1, .below = (int64_t)seq + 1, .each = found};
    if (!walk(&w, e))
        return false;
    *unknown = w.count == 0;
    return true;
}

static bool counted(struct walk *w, const struct archive_entry *entry, struct error *e)
{
    (void)entry, (void)e;
    return ++w->count <= COUNT_MOST;
}

/* Rows of the filter in front of `below`; -1: more than is worth counting. */
static bool count_rows(struct store_tx *tx, const struct filter *f, int64_t below, int64_t *count, struct error *e)
{
    struct walk w = {.tx = tx, .filter = f, .above = f->above, .below = below, .each = counted};
    if (!walk(&w, e))
        return false;
    *count = w.count > COUNT_MOST ? -1 : w.count;
    return true;
}

/* -- a page -- */

/* The text of a row; without data: it is gone, which must not be, and must not hide the others. */
static bool stanza_of(struct walk *w, uint64_t seq, struct span *xml, struct error *e)
{
    struct kept_row row;
    *xml = (struct span){0};
    if (!kept_find(w->tx, seq, &row, e))
        return false;
    if (!row.entry.seq) {
        log_error(&w->tx->store->log, "an archive refers to row %llu, which is not there",
                  (unsigned long long)seq);
        return true;
    }
    *xml = (struct span){arena_dup_n(&w->page->arena, row.xml.data, row.xml.len), row.xml.len};
    kept_end(&row);
    return true;
}

static bool taken(struct walk *w, const struct archive_entry *entry, struct error *e)
{
    struct archive_page *p = w->page;
    if (p->count == p->max) {
        p->complete = false;
        return false;
    }
    struct archive_row *row = &p->rows[p->count];
    *row = (struct archive_row){.seq = entry->seq, .kept_us = entry->first_us};
    if (!stanza_of(w, entry->seq, &row->xml, e))
        return false;
    w->bytes += row->xml.len;
    if (p->count && w->bytes > PAGE_BYTES) {
        p->complete = false;
        return false;
    }
    p->count += row->xml.data != NULL;
    return true;
}

static bool read_page(struct store_tx *tx, struct archive_page *p, const struct filter *f, struct error *e)
{
    struct walk w = {
        .tx = tx,
        .filter = f,
        .above = (int64_t)p->after > f->above ? (int64_t)p->after : f->above,
        .below = p->before ? (int64_t)p->before : INT64_MAX,
        .is_backwards = p->last_page,
        .each = taken,
        .page = p,
    };
    p->rows = arena_alloc(&p->arena, p->max * sizeof *p->rows);
    p->complete = true;
    if (!walk(&w, e))
        return false;
    for (unsigned i = 0; p->last_page && i < p->count / 2; i++) {
        struct archive_row swap = p->rows[i];
        p->rows[i] = p->rows[p->count - 1 - i];
        p->rows[p->count - 1 - i] = swap;
    }
    return true;
}

static bool find_filter(struct store_tx *tx, struct archive_page *p, struct filter *f, bool *is_empty,
                        struct error *e)
{
    f->start_us = p->start_us ? p->start_us : INT64_MIN;
    f->end_us = p->end_us ? p->end_us : INT64_MAX;
    if (!names_lookup(tx, p->owner, &f->owner, e) || (p->with && !names_lookup(tx, p->with, &f->peer, e)))
        return false;
    *is_empty = !f->owner || (p->with && !f->peer);
    return true;
}

static bool query_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct archive_page *p = container_of(job, struct archive_page, job);
    struct filter f = {0};
    bool is_empty;
    p->count = 0;
    p->total = p->first_index = -1;
    p->complete = true;
    p->after_unknown = p->before_unknown = false;
    if (!find_filter(tx, p, &f, &is_empty, e) ||
        (p->after && !is_in_archive(tx, f.owner, p->after, &p->after_unknown, e)) ||
        (p->before && !is_in_archive(tx, f.owner, p->before, &p->before_unknown, e)))
        return false;
    if (is_empty)
        p->total = 0;
    if (is_empty || p->after_unknown || p->before_unknown)
        return true;
    if (p->start_us && !seq_before(tx, p->start_us, &f.above, e))
        return false;
    if (!count_rows(tx, &f, INT64_MAX, &p->total, e) || (p->max && !read_page(tx, p, &f, e)))
        return false;
    if (p->total < 0 || p->count == 0 || p->last_page) /* an index makes slixmpp 1.8 stop paging backwards */
        return true;
    return count_rows(tx, &f, (int64_t)p->rows[0].seq, &p->first_index, e);
}

void archive_query(struct store *s, struct archive_page *p)
{
    p->job.flush = flush_owner;
    p->job.run = query_run;
    store_read(s, &p->job);
}
