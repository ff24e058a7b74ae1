/* SPDX-License-Identifier: MIT */
/* Streams as rows. When what is written is the edge's (c2s/c2s_keep.c). */
#include "gateway/store/streams.h"

bool streams_put(struct store_tx *tx, const struct stream_row *row, struct error *e)
{
    return store_exec(tx, e, "delete from streams where account = $1 and resource = $2", "tt", row->account,
                      row->resource) &&
           store_exec(tx, e,
                      "insert into streams (token, account, resource, handled, serial, done, acked, outs, presence, "
                      "flags, saved_us, directed) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                      "tttiiiibbiib", row->token, row->account, row->resource, row->handled, row->serial, row->done,
                      row->acked, &row->outs, &row->presence, row->flags, store_now_us(tx),
                      &row->directed);
}

bool streams_kept(struct store_tx *tx, const char *token, int64_t handled, int64_t serial, struct error *e)
{
    return store_exec(tx, e,
                      "update streams set handled = case when handled < $2 then $2 else handled end, "
                      "serial = case when serial < $3 then $3 else serial end, done = done + 1 where token = $1",
                      "tii", token, handled, serial);
}

bool streams_save(struct store_tx *tx, const struct stream_save *s, struct error *e)
{
    if (s->quiet && !store_exec(tx, e, "update streams set serial = $2, done = $2 where token = $1", "ti", s->token,
                                s->serial))
        return false;
    if (!store_exec(tx, e,
                    "update streams set handled = case when handled < $2 then $2 else handled end, done = done + $3, "
                    "acked = $4, outs = $5, saved_us = $6 where token = $1",
                    "tiiibi", s->token, s->handled, s->quiet ? (int64_t)0 : s->resolved, s->acked, &s->outs,
                    store_now_us(tx)))
        return false;
    if (s->with_presence && !store_exec(tx, e, "update streams set presence = $2, flags = $3 where token = $1", "tbi",
                                        s->token, &s->presence, s->flags))
        return false;
    return !s->with_directed ||
           store_exec(tx, e, "update streams set directed = $2 where token = $1", "tb", s->token, &s->directed);
}

bool streams_drop(struct store_tx *tx, const char *token, struct error *e)
{
    return store_exec(tx, e, "delete from streams where token = $1", "t", token);
}

bool streams_forget_old(struct store_tx *tx, int64_t before_us, struct error *e)
{
    return store_exec(tx, e, "delete from streams where saved_us < $1", "i", before_us);
}

bool streams_each(struct store_tx *tx, void (*fn)(void *user, const struct stream_row *row), void *user,
                  struct error *e)
{
    struct store_rows *r = store_query(tx, e,
                                       "select token, account, resource, handled, serial, done, acked, outs, presence, "
                                       "flags, directed from streams",
                                       "");
    while (r && store_next(r, e))
        fn(user, &(struct stream_row){
                     .token = store_text(r, 0),
                     .account = store_text(r, 1),
                     .resource = store_text(r, 2),
                     .handled = store_int(r, 3),
                     .serial = store_int(r, 4),
                     .done = store_int(r, 5),
                     .acked = store_int(r, 6),
                     .outs = store_blob(r, 7),
                     .presence = store_blob(r, 8),
                     .flags = store_int(r, 9),
                     .directed = store_blob(r, 10),
                 });
    return r && e->code == ERROR_NONE;
}
