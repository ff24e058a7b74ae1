/* SPDX-License-Identifier: MIT */
/* Rows of numbered messages. Pairs that nobody has used for a month are forgotten when others are
 * opened, a few at a time: senders give up long before that. */
#include "gateway/store/received.h"

#include "gateway/base/mem.h"
#include "gateway/store/journal_internal.h"

enum { EXPIRED_AT_ONCE = 8 };

#define UNUSED_LIFE_US (INT64_C(30) * 24 * 3600 * 1000000)
#define USED_AGAIN_US (INT64_C(24) * 3600 * 1000000) /* used_us need not be newer than that */

static bool forget(struct store_tx *tx, int64_t number, struct error *e)
{
    return store_exec(tx, e, "delete from received where pair = $1", "i", number) &&
           store_exec(tx, e, "delete from received_pairs where pair = $1", "i", number);
}

static bool expire(struct store_tx *tx, struct error *e)
{
    int64_t old[EXPIRED_AT_ONCE];
    unsigned count = 0;
    struct store_rows *r = store_query(tx, e,
                                       "select pair from received_pairs where used_us < $1 order by used_us limit $2",
                                       "ii", store_now_us(tx) - UNUSED_LIFE_US, (int64_t)EXPIRED_AT_ONCE);
    while (r && store_next(r, e))
        old[count++] = store_int(r, 0);
    if (!r || e->code)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (!forget(tx, old[i], e))
            return false;
    return true;
}

/* *found: the pair's row is of this epoch. */
static bool read_pair(struct store_tx *tx, struct received_open *o, bool *found, int64_t *used_us, struct error *e)
{
    *found = false;
    struct store_rows *r = store_query(
        tx, e, "select epoch, settled_us, settled_seq, used_us from received_pairs where pair = $1", "i", o->number);
    while (r && store_next(r, e)) {
        *found = (uint64_t)store_int(r, 0) == o->epoch;
        if (*found)
            o->settled = (struct queue_id){store_int(r, 1), (uint64_t)store_int(r, 2)};
        *used_us = store_int(r, 3);
    }
    return r && e->code == ERROR_NONE;
}

static bool read_ids(struct store_tx *tx, struct received_open *o, struct error *e)
{
    struct store_rows *r = store_query(tx, e,
                                       "select at_us, seq from received where pair = $1 and at_us >= $2"
                                       " order by at_us desc, seq desc limit $3",
                                       "iii", o->number, o->settled.at_us, (int64_t)o->limit);
    o->ids = NULL;
    size_t cap = 0;
    while (r && store_next(r, e)) {
        struct queue_id id = {store_int(r, 0), (uint64_t)store_int(r, 1)};
        if (queue_id_compare(id, o->settled) <= 0)
            continue;
        if (o->count == cap) {
            struct queue_id *more = arena_alloc(&o->arena, (cap = cap ? 2 * cap : 64) * sizeof *more);
            for (size_t i = 0; i < o->count; i++)
                more[i] = o->ids[i];
            o->ids = more;
        }
        o->ids[o->count++] = id;
    }
    return r && e->code == ERROR_NONE;
}

static bool put_pair(struct store_tx *tx, const struct received_open *o, struct error *e)
{
    return store_exec(tx, e,
                      "insert into received_pairs (pair, epoch, settled_us, settled_seq, used_us)"
                      " values ($1, $2, $3, $4, $5) on conflict (pair) do update set epoch = excluded.epoch,"
                      " settled_us = excluded.settled_us, settled_seq = excluded.settled_seq,"
                      " used_us = excluded.used_us",
                      "iiiii", o->number, (int64_t)o->epoch, o->settled.at_us, (int64_t)o->settled.seq,
                      store_now_us(tx));
}

static bool open_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct received_open *o = container_of(job, struct received_open, job);
    int64_t used_us = 0;
    bool found;
    o->settled = (struct queue_id){0, 0};
    o->count = 0;
    char *name = arena_printf(&o->arena, "r:%s", o->pair);
    if (!names_put(tx, &journal_of(tx)->names, name, &o->number, e) || !read_pair(tx, o, &found, &used_us, e))
        return false;
    if (!found)
        return expire(tx, e) && forget(tx, o->number, e) && put_pair(tx, o, e);
    if (used_us < store_now_us(tx) - USED_AGAIN_US && !put_pair(tx, o, e))
        return false;
    return read_ids(tx, o, e);
}

void received_open(struct store *s, struct received_open *o)
{
    o->job.run = open_run;
    store_write(s, &o->job);
}

bool received_put(struct store_tx *tx, int64_t number, struct queue_id id, struct error *e)
{
    return store_exec(tx, e, "insert into received (pair, at_us, seq) values ($1, $2, $3) on conflict do nothing",
                      "iii", number, id.at_us, (int64_t)id.seq);
}

static bool settle_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    const struct received_settle *s = container_of(job, struct received_settle, job);
    return store_exec(tx, e,
                      "update received_pairs set settled_us = $2, settled_seq = $3, used_us = $4 where pair = $1",
                      "iiii", s->number, s->settled.at_us, (int64_t)s->settled.seq, store_now_us(tx)) &&
           store_exec(tx, e, "delete from received where pair = $1 and at_us < $2", "ii", s->number,
                      s->settled.at_us) &&
           store_exec(tx, e, "delete from received where pair = $1 and at_us = $2 and seq <= $3", "iii", s->number,
                      s->settled.at_us, (int64_t)s->settled.seq);
}

void received_settle(struct store *s, struct received_settle *r)
{
    r->job.run = settle_run;
    store_write(s, &r->job);
}
