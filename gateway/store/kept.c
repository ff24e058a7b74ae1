/* SPDX-License-Identifier: MIT */
/* See kept.h. */
#include "gateway/store/kept.h"

#include "gateway/store/pack.h"

static bool find_packed(struct store_tx *tx, uint64_t seq, struct kept_row *out, struct error *e)
{
    struct store_rows *r;
    if (!pack_row(tx, seq, &r, e) || !r)
        return e->code == ERROR_NONE;
    struct pack_walk w = pack_walk_of(r);
    while (pack_next(&w, &out->entry, &out->xml)) {
        if (out->entry.seq < seq)
            continue;
        if (out->entry.seq > seq)
            break;
        out->rows = r;
        return true;
    }
    out->entry.seq = 0;
    if (w.is_broken)
        pack_say_broken(r, e);
    store_end(r);
    return e->code == ERROR_NONE;
}

struct index_entry kept_entry(struct store_rows *r)
{
    return (struct index_entry){
        .seq = (uint64_t)store_int(r, 0),
        .first_us = store_int(r, 2) ? store_int(r, 2) : store_int(r, 1),
        .archive = {store_int(r, 3), store_int(r, 5)},
        .peer = {store_int(r, 4), store_int(r, 6)},
        .queue = {store_int(r, 7), store_int(r, 8)},
    };
}

static bool find_single(struct store_tx *tx, uint64_t seq, struct kept_row *out, struct error *e)
{
    static const char sql[] = "select " KEPT_COLUMNS ", stanza from journal where seq = $1";
    struct store_rows *r = store_query(tx, e, sql, "i", (int64_t)seq);
    if (!r || !store_next(r, e))
        return r && e->code == ERROR_NONE;
    *out = (struct kept_row){
        .entry = kept_entry(r),
        .xml = store_blob(r, 9),
        .rows = r,
    };
    return true;
}

bool kept_find(struct store_tx *tx, uint64_t seq, struct kept_row *out, struct error *e)
{
    *out = (struct kept_row){0};
    return find_packed(tx, seq, out, e) && (out->entry.seq || find_single(tx, seq, out, e));
}

void kept_end(struct kept_row *row)
{
    store_end(row->rows);
    *row = (struct kept_row){0};
}

bool kept_time(struct store_tx *tx, int64_t seq, int64_t *kept_us, struct error *e)
{
    static const char packed[] =
        "select kept_us from packs where seq <= $1 order by seq desc limit 1";
    static const char single[] =
        "select kept_us from journal where seq <= $1 order by seq desc limit 1";
    int64_t other;
    if (!store_number(store_query(tx, e, packed, "i", seq), 0, kept_us, e) ||
        !store_number(store_query(tx, e, single, "i", seq), 0, &other, e))
        return false;
    if (other > *kept_us)
        *kept_us = other;
    return true;
}
