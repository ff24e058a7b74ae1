/* SPDX-License-Identifier: MIT */
/* Blocked domains and resources as rows. What they match is decided in gateway/exchange (blocklist.c). */
#include "gateway/store/blocks.h"

bool blocks_put(struct store_tx *tx, const char *owner, const char *jid, struct error *e)
{
    return store_exec(tx, e, "insert into blocks (owner, jid) values ($1, $2) on conflict (owner, jid) do nothing",
                      "tt", owner, jid);
}

bool blocks_drop(struct store_tx *tx, const char *owner, const char *jid, struct error *e)
{
    return store_exec(tx, e, "delete from blocks where owner = $1 and jid = $2", "tt", owner, jid);
}

bool blocks_read(struct store_tx *tx, const char *owner, struct arena *a, const char ***jids, unsigned *count,
                 struct error *e)
{
    unsigned cap = 0;
    *jids = NULL;
    *count = 0;
    struct store_rows *r = store_query(tx, e, "select jid from blocks where owner = $1 order by jid", "t", owner);
    while (r && store_next(r, e)) {
        if (*count == cap) {
            cap = cap ? 2 * cap : 16;
            const char **more = arena_alloc(a, cap * sizeof *more);
            for (unsigned i = 0; i < *count; i++)
                more[i] = (*jids)[i];
            *jids = more;
        }
        (*jids)[(*count)++] = arena_dup(a, store_text(r, 0));
    }
    return r && e->code == ERROR_NONE;
}

bool blocks_account_gone(struct store_tx *tx, const char *owner, struct error *e)
{
    return store_exec(tx, e, "delete from blocks where owner = $1", "t", owner);
}
