/* SPDX-License-Identifier: MIT */
/* SQL of what came back. */
#include "contact-router/returns_store.h"

bool returns_store_seen(struct store_tx *tx, const char *provider, const char *id, int64_t since_us, bool *was_done,
                        int64_t *first_us, struct error *e)
{
    *was_done = false;
    *first_us = store_now_us(tx);
    struct store_rows *r =
        store_query(tx, e, "select done, at_us from hooks_seen where provider = $1 and id = $2 and at_us >= $3", "tti",
                    provider, id, since_us);
    while (r && store_next(r, e)) {
        *was_done = store_int(r, 0) != 0;
        *first_us = store_int(r, 1);
    }
    return r && e->code == ERROR_NONE &&
           store_exec(tx, e,
                      "insert into hooks_seen (provider, id, done, at_us) values ($1, $2, 0, $3)"
                      " on conflict (provider, id) do update set done = 0, at_us = excluded.at_us"
                      " where hooks_seen.at_us < $4", "ttii", provider, id, *first_us, since_us);
}

bool returns_store_done(struct store_tx *tx, const char *provider, const char *id, struct error *e)
{
    return store_exec(tx, e, "update hooks_seen set done = 1 where provider = $1 and id = $2", "tt", provider, id);
}

bool returns_store_count(struct store_tx *tx, const char *provider, const char *ref, int64_t since_us, int64_t *count,
                         struct error *e)
{
    struct store_rows *r = store_query(tx, e,
                                       "select count(*) from hooks_seen where provider = $1 and id >= $2 || '/'"
                                       " and id < $2 || '0' and at_us >= $3", /* '0' comes behind '/' */
                                       "tti", provider, ref, since_us);
    while (r && store_next(r, e))
        *count = store_int(r, 0);
    return r && e->code == ERROR_NONE;
}

bool returns_store_hold(struct store_tx *tx, const char *provider, const char *address, const char *text,
                        const char *dedup, const char *choices, struct error *e)
{
    return store_exec(
        tx, e,
        "insert into held_answers (provider, address, text, dedup, choices, at_us) values ($1, $2, $3, $4, $5, $6)"
        " on conflict (provider, address) do update set text = excluded.text, dedup = excluded.dedup,"
        " choices = excluded.choices, at_us = excluded.at_us",
        "tttt"
        "ti",
        provider, address, text, dedup, choices, store_now_us(tx));
}

bool returns_store_held(struct store_tx *tx, const char *provider, const char *address, int64_t since_us,
                        struct arena *a, struct returns_held *out, struct error *e)
{
    *out = (struct returns_held){ 0 };
    struct store_rows *r =
        store_query(tx, e,
                    "select text, dedup, choices from held_answers where provider = $1 and address = $2"
                    " and at_us > $3",
                    "tti", provider, address, since_us);
    while (r && store_next(r, e))
        *out = (struct returns_held){arena_dup(a, store_text(r, 0)), arena_dup(a, store_text(r, 1)),
                                     arena_dup(a, store_text(r, 2))};
    return r && e->code == ERROR_NONE;
}

bool returns_store_unhold(struct store_tx *tx, const char *provider, const char *address, struct error *e)
{
    return store_exec(tx, e, "delete from held_answers where provider = $1 and address = $2", "tt", provider, address);
}
