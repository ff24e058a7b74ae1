/* SPDX-License-Identifier: MIT */
/* Reading queues: on a reader, after the writer has brought what concerns them out of the backlog. */
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/store/journal_internal.h"

enum { DEFAULT_BYTES = 262144 };

static bool flush_queue(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct queue_read *q = container_of(job, struct queue_read, job);
    int64_t id;
    return names_find(tx, &journal_of(tx)->names, q->queue, &id, e) && (!id || journal_flush(tx, id, e));
}

static bool add_row(struct queue_read *q, const struct kept_row *row, struct error *e)
{
    struct stanza *st = stanza_parse(row->xml.data, row->xml.len);
    if (!st)
        return error_set(e, ERROR_IO, "journal row %llu holds no stanza", (unsigned long long)row->entry.seq);
    q->rows[q->count++] =
        (struct queue_row){.seq = row->entry.seq, .kept_us = row->entry.first_us, .stanza = st};
    return true;
}

/* *bytes: of the rows so far. q->more: this one has no room. */
static bool read_row(struct store_tx *tx, struct queue_read *q, uint64_t seq, size_t *bytes, struct error *e)
{
    size_t most = q->max_bytes ? q->max_bytes : DEFAULT_BYTES;
    struct kept_row row;
    if (!kept_find(tx, seq, &row, e))
        return false;
    if (!row.entry.seq) /* its message is gone: nothing to serve */
        return true;
    bool ok = true;
    q->more = q->count > 0 && *bytes + row.xml.len > most;
    if (!q->more) {
        *bytes += row.xml.len;
        ok = add_row(q, &row, e);
    }
    kept_end(&row);
    return ok;
}

static bool read_queue(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct queue_read *q = container_of(job, struct queue_read, job);
    int64_t id;
    size_t bytes = 0;
    q->count = 0;
    q->more = false;
    if (!names_lookup(tx, q->queue, &id, e))
        return false;
    if (!id || q->limit == 0)
        return true;
    q->rows = arena_alloc(&q->arena, q->limit * sizeof *q->rows);
    struct store_rows *r = store_query(tx, e,
                                       "select seq from queue where queue = $1 and seq > $2 order by seq limit $3",
                                       "iii", id, (int64_t)q->after, (int64_t)q->limit + 1);
    while (r && store_next(r, e)) {
        q->more = q->count == q->limit;
        if (q->more || !read_row(tx, q, (uint64_t)store_int(r, 0), &bytes, e) || q->more) {
            store_end(r);
            break;
        }
    }
    return r && e->code == ERROR_NONE;
}

void journal_read_queue(struct store *s, struct queue_read *q)
{
    q->job.flush = flush_queue;
    q->job.run = read_queue;
    store_read(s, &q->job);
}

void queue_read_fini(struct queue_read *q)
{
    for (unsigned i = 0; i < q->count; i++)
        stanza_unref(&q->rows[i].stanza);
    q->count = 0;
    q->rows = NULL;
    arena_fini(&q->arena);
}

/* -- names -- */

static bool flush_all(struct store_tx *tx, struct store_job *job, struct error *e)
{
    (void)job;
    return journal_flush(tx, 0, e);
}

/* The least text that is greater than every text that begins with `prefix`. */
static char *prefix_end(struct arena *a, const char *prefix)
{
    char *end = arena_dup(a, prefix);
    size_t len = strlen(end);
    CHECK(len > 0 && (unsigned char)end[len - 1] < 0x7f);
    end[len - 1]++;
    return end;
}

static bool read_names(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct queue_names *n = container_of(job, struct queue_names, job);
    unsigned cap = 64;
    n->count = 0;
    n->names = arena_alloc(&n->arena, cap * sizeof *n->names);
    n->rows = arena_alloc(&n->arena, cap * sizeof *n->rows);
    struct store_rows *r = store_query(tx, e,
                                       "select n.name, count(*) from names n cross join queue q where q.queue = n.id"
                                       " and n.name >= $1 and n.name < $2 group by n.name order by n.name",
                                       "tt", n->prefix, prefix_end(&n->arena, n->prefix));
    while (r && store_next(r, e)) {
        if (n->count == cap) {
            const char **names = arena_alloc(&n->arena, 2 * cap * sizeof *names);
            unsigned *rows = arena_alloc(&n->arena, 2 * cap * sizeof *rows);
            memcpy(names, n->names, cap * sizeof *names);
            memcpy(rows, n->rows, cap * sizeof *rows);
            n->names = names;
            n->rows = rows;
            cap *= 2;
        }
        n->names[n->count] = arena_dup(&n->arena, store_text(r, 0));
        n->rows[n->count++] = (unsigned)store_int(r, 1);
    }
    return r && e->code == ERROR_NONE;
}

void journal_queue_names(struct store *s, struct queue_names *n)
{
    n->job.flush = flush_all;
    n->job.run = read_names;
    store_read(s, &n->job);
}
