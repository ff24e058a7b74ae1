/* SPDX-License-Identifier: MIT */
/* Alternately a write and a read that must see it: their answers come behind those of every job
 * before. */
#include "gateway/settling.h"

#include "gateway/base/log.h"

enum { ROUNDS = 3 };

static bool run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    (void)tx, (void)job, (void)e;
    return true;
}

static void on_done(struct store_job *job, const struct error *e);

static void next(struct settling *s)
{
    s->job = (struct store_job){.reply_on = s->job.reply_on, .run = run, .done = on_done};
    if (s->left % 2) {
        store_write(s->store, &s->job);
    } else {
        s->job.must_see = store_ticket(s->store);
        store_read(s->store, &s->job);
    }
}

static void on_done(struct store_job *job, const struct error *e)
{
    struct settling *s = container_of(job, struct settling, job);
    if (e->code != ERROR_NONE)
        log_error(NULL, "the store, while what is under way is waited for: %s", e->text);
    if (--s->left)
        next(s);
    else
        s->done(s);
}

void settling_begin(struct settling *s, struct store *store, struct loop *l,
                    void (*done)(struct settling *s))
{
    *s = (struct settling){.job = {.reply_on = l}, .store = store, .left = ROUNDS, .done = done};
    next(s);
}
