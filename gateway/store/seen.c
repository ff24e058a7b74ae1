/* SPDX-License-Identifier: MIT */
/* One row an account: the newest time that its last link went. Words that are too long are left out, not cut. */
#include "gateway/store/seen.h"

#include <string.h>

#include "gateway/base/list.h"

bool seen_put(struct store_tx *tx, const char *account, const char *status, struct error *e)
{
    const char *kept = status && strlen(status) <= SEEN_STATUS_BYTES ? status : "";
    return store_exec(tx, e,
                      "insert into last_seen (account, at_us, status) values ($1, $2, $3) "
                      "on conflict (account) do update set at_us = $2, status = $3",
                      "tit", account, store_now_us(tx), kept);
}

bool seen_account_gone(struct store_tx *tx, const char *account, struct error *e)
{
    return store_exec(tx, e, "delete from last_seen where account = $1", "t", account);
}

static bool run_get(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct seen_get *g = container_of(job, struct seen_get, job);
    struct store_rows *r =
        store_query(tx, e, "select at_us, status from last_seen where account = $1", "t", g->account);
    g->found = r && store_next(r, e);
    if (g->found) {
        g->at_us = store_int(r, 0);
        g->status = arena_dup(&g->arena, store_text(r, 1));
        store_end(r);
    }
    return r && e->code == ERROR_NONE;
}

void seen_get(struct store *s, struct seen_get *g)
{
    g->job.run = run_get;
    store_read(s, &g->job);
}
