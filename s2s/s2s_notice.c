/* SPDX-License-Identifier: MIT */
/* Decided here: which messages a notice is due for, and when. */
#include "s2s/s2s_notice.h"

#include <stdio.h>

#include "gateway/base/hash.h"
#include "gateway/base/mem.h"
#include "gateway/exchange/message.h"
#include "gateway/store/journal.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_way.h"

enum {
    ROWS = 256,
    TOLD_MAX = 1024, /* conversations of an outage; who comes later learns from the error alone */
    TOLD_STEP = 16,
    READ_AGAIN_MS = 10000,
};

static const struct s2s_options *options_of(const struct s2s_notice *n)
{
    return &n->way->shard->s2s->o;
}

static int64_t now_us(const struct s2s_notice *n)
{
    return clock_unix_us(loop_clock(n->way->shard->loop));
}

static int64_t delay_us(const struct s2s_notice *n)
{
    return (int64_t)options_of(n)->delayed_notice_s * 1000000;
}

/* ---- who knows already ---- */

/* true: not yet, but now. */
static bool is_first(struct s2s_notice *n, const struct stanza *st)
{
    uint64_t h = hash_text(st->from->bare) * 31 + hash_text(st->to->bare);
    for (unsigned i = 0; i < n->told_count; i++)
        if (n->told[i] == h)
            return false;
    if (n->told_count == TOLD_MAX)
        return false;
    if (n->told_count % TOLD_STEP == 0)
        n->told = mem_grow(n->told, (n->told_count + TOLD_STEP) * sizeof *n->told);
    n->told[n->told_count++] = h;
    return true;
}

static void tell(struct s2s_notice *n, const struct queue_row *r)
{
    int64_t until = r->kept_us + (int64_t)options_of(n)->queue_deadline_s * 1000000;
    if (r->stanza->from->local && message_weigh(r->stanza).says && is_first(n, r->stanza))
        exchange_remote_delayed(options_of(n)->exchange, r->stanza, r->kept_us, until);
}

/* ---- what waits ---- */

struct look {
    struct queue_read read;
    struct s2s_notice *notice;
};

static void read_next(struct s2s_notice *n);

static void on_due(struct timer *t)
{
    read_next(container_of(t, struct s2s_notice, timer));
}

static void wait_until(struct s2s_notice *n, int64_t kept_us)
{
    int64_t left = kept_us + delay_us(n) - now_us(n);
    timer_start(&n->timer, n->way->shard->loop, left > 0 ? (uint64_t)left / 1000 + 1 : 1, on_due);
}

static void take_rows(struct s2s_notice *n, const struct queue_read *read)
{
    for (unsigned i = 0; i < read->count; i++) {
        const struct queue_row *r = &read->rows[i];
        if (r->kept_us + delay_us(n) > now_us(n)) {
            wait_until(n, r->kept_us);
            return;
        }
        tell(n, r);
        n->looked_at = r->seq;
    }
    if (read->more)
        read_next(n);
}

static void on_rows(struct store_job *job, const struct error *e)
{
    struct look *l = container_of(job, struct look, read.job);
    struct s2s_notice *n = l->notice;
    struct s2s_shard *sh = n->way->shard;
    n->reading = false;
    sh->reads--;
    if (!n->on || n->closed)
        ; /* it is over meanwhile */
    else if (e->code != ERROR_NONE)
        timer_start(&n->timer, sh->loop, READ_AGAIN_MS, on_due);
    else
        take_rows(n, &l->read);
    queue_read_fini(&l->read);
    mem_free(l);
    s2s_shard_check_stopped(sh);
}

static void read_next(struct s2s_notice *n)
{
    if (n->reading || n->closed || !n->on)
        return;
    struct look *l = mem_new(struct look);
    arena_init(&l->read.arena);
    l->notice = n;
    l->read.job.reply_on = n->way->shard->loop;
    l->read.job.done = on_rows;
    l->read.queue = n->way->queue;
    l->read.after = n->looked_at;
    l->read.limit = ROWS;
    n->reading = true;
    n->way->shard->reads++;
    journal_read_queue(options_of(n)->store, &l->read);
}

/* ---- life ---- */

void s2s_notice_init(struct s2s_notice *n, const struct s2s_way *way)
{
    *n = (struct s2s_notice){.way = way};
}

void s2s_notice_close(struct s2s_notice *n)
{
    n->closed = true;
    timer_stop(&n->timer);
}

void s2s_notice_fini(struct s2s_notice *n)
{
    CHECK(!n->reading);
    timer_stop(&n->timer);
    mem_free(n->told);
}

void s2s_notice_outage(struct s2s_notice *n, int64_t oldest_us)
{
    if (n->on || n->closed || !options_of(n)->delayed_notice_s)
        return;
    n->on = true;
    wait_until(n, oldest_us ? oldest_us : now_us(n));
}

void s2s_notice_kept(struct s2s_notice *n)
{
    if (n->on && !n->closed && !n->reading && !timer_is_running(&n->timer))
        wait_until(n, now_us(n));
}

void s2s_notice_over(struct s2s_notice *n)
{
    n->on = false;
    n->looked_at = 0;
    n->told_count = 0;
    mem_free(n->told);
    n->told = NULL;
    timer_stop(&n->timer);
}
