/* SPDX-License-Identifier: MIT */
/* Reports as rows; each write drops what is beyond the bounds. */
#include "gateway/store/reports.h"

#include "gateway/base/list.h"

/* ---- keeping ---- */

static bool put_one(struct store_tx *tx, const char *community, const struct report *p, int64_t n, struct error *e)
{
    return store_exec(tx, e, "delete from reports where reporter = $1 and jid = $2", "tt", p->reporter, p->jid) &&
           store_exec(tx, e,
                      "insert into reports (n, community, reporter, jid, reason, words, messages, to_origin, "
                      "to_others, at_us) "
                      "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                      "itttt"
                      "ttiii",
                      n, community, p->reporter, p->jid, p->reason, p->words, p->messages, (int64_t)p->to_origin,
                      (int64_t)p->to_others, store_now_us(tx));
}

static bool trim(struct store_tx *tx, const char *community, const char *reporter, struct error *e)
{
    return store_exec(tx, e,
                      "delete from reports where reporter = $1 and n <= "
                      "(select n from reports where reporter = $1 order by n desc limit 1 offset $2)",
                      "ti", reporter, (int64_t)REPORTS_OF_ONE_MAX) &&
           store_exec(tx, e,
                      "delete from reports where community = $1 and n <= "
                      "(select n from reports where community = $1 order by n desc limit 1 offset $2)",
                      "ti", community, (int64_t)REPORTS_MAX);
}

static bool run_put(struct store_tx *tx, struct store_job *job, struct error *e)
{
    const struct reports_put *p = container_of(job, struct reports_put, job);
    int64_t newest;
    if (!store_number(store_query(tx, e, "select n from reports order by n desc limit 1", ""), 0, &newest, e))
        return false;
    for (unsigned i = 0; i < p->count; i++)
        if (!put_one(tx, p->community, &p->all[i], newest + 1 + i, e))
            return false;
    return !p->count || trim(tx, p->community, p->all[0].reporter, e);
}

void reports_put(struct store *s, struct reports_put *p)
{
    p->job.run = run_put;
    store_write(s, &p->job);
}

/* ---- reading ---- */

static void read_one(struct store_rows *r, struct arena *a, struct report *out)
{
    *out = (struct report){
        .reporter = arena_dup(a, store_text(r, 0)),
        .jid = arena_dup(a, store_text(r, 1)),
        .reason = arena_dup(a, store_text(r, 2)),
        .words = arena_dup(a, store_text(r, 3)),
        .messages = arena_dup(a, store_text(r, 4)),
        .to_origin = store_int(r, 5) != 0,
        .to_others = store_int(r, 6) != 0,
        .at_us = store_int(r, 7),
    };
}

static bool run_get(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct reports_get *g = container_of(job, struct reports_get, job);
    g->count = 0;
    g->all = arena_alloc(&g->arena, (g->limit + 1) * sizeof *g->all);
    struct store_rows *r =
        store_query(tx, e,
                    "select reporter, jid, reason, words, messages, to_origin, to_others, at_us from reports "
                    "where community = $1 and ($2 = '' or jid = $2) order by n desc limit $3",
                    "tti", g->community, g->jid ? g->jid : "", (int64_t)g->limit);
    while (r && store_next(r, e))
        read_one(r, &g->arena, &g->all[g->count++]);
    return r && e->code == ERROR_NONE;
}

void reports_get(struct store *s, struct reports_get *g)
{
    g->job.run = run_get;
    store_read(s, &g->job);
}
