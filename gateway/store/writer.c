/* SPDX-License-Identifier: MIT */
/* The one thread that writes. All jobs that came while the last group was synced are the next group:
 * one transaction, one sync, no timer.
 *
 * A job that fails takes nobody with it: if it changed nothing it fails where it stands; otherwise
 * the group is rolled back and its jobs run again one by one. When the disk refuses, everything in
 * the group fails, and the store counts as failing until a write holds again. */
#include <string.h>

#include "gateway/store/journal_internal.h"
#include "gateway/store/store_internal.h"

enum {
    GROUP_JOBS = 1024,     /* bounds what a rollback repeats and what a crash leaves in doubt */
    PROBE_MS = 1000,       /* how often a failing store tries the disk by itself */
    IDLE_INDEX_MS = 2000,  /* quiet for so long: what is left is indexed */
};

struct writer {
    struct store *s;
    uint64_t probe_at_ms; /* while failing */
    uint64_t last_group_ms;
    bool may_sleep_long;  /* one short sleep passed since the last group (see wait_for_work) */
};

bool writer_must_wake(struct store *s, uint64_t not_later_than_ms)
{
    if (s->writer_sleeps_until_ms <= not_later_than_ms)
        return false;
    s->writer_sleeps_until_ms = 0; /* one signal a sleep */
    return true;
}

/* -- one group -- */

static int64_t group_time(struct store *s)
{
    int64_t now = clock_unix_us(s->clock), last = atomic_load(&s->last_us);
    return now > last ? now : last;
}

static bool begin_tx(struct store *s, struct store_tx *tx, struct error *e)
{
    *tx = (struct store_tx){.store = s, .conn = s->conn, .is_write = true, .now_us = group_time(s)};
    if (!s->ops->begin(s->conn, true, e))
        return false;
    if (journal_begin(tx, s->journal, e))
        return true;
    s->ops->rollback(s->conn);
    journal_rolled_back(s->journal);
    return false;
}

static void rollback_tx(struct store_tx *tx)
{
    tx->store->ops->rollback(tx->conn);
    journal_rolled_back(tx->store->journal);
}

static bool commit_tx(struct store_tx *tx, struct error *e)
{
    struct store *s = tx->store;
    if (s->conn->is_broken) {
        rollback_tx(tx);
        return error_set(e, ERROR_IO, "store %s: the database failed within the transaction", s->path);
    }
    if (!journal_before_commit(tx, s->journal, e)) {
        rollback_tx(tx);
        return false;
    }
    if (!s->ops->commit(s->conn, e)) {
        journal_rolled_back(s->journal);
        return false;
    }
    atomic_store(&s->last_us, tx->now_us);
    journal_committed(s->journal);
    return true;
}

static bool run_job(struct store_tx *tx, struct store_job *job)
{
    error_clear(&job->error);
    bool ok = job->flush ? job->flush(tx, job, &job->error) : job->run(tx, job, &job->error);
    if (ok)
        error_clear(&job->error);
    else if (job->error.code == ERROR_NONE)
        error_set(&job->error, ERROR_IO, "a write failed without saying why");
    return ok;
}

static void fail_from(struct store_job *job, const struct error *e)
{
    for (; job; job = job->next) {
        job->error = *e;
        job->error.code = ERROR_IO;
    }
}

static void set_failing(struct writer *w, const struct error *e)
{
    struct store *s = w->s;
    w->probe_at_ms = store_mono_ms() + PROBE_MS;
    if (!atomic_exchange(&s->is_failing, true))
        log_error(&s->log, "nothing is acknowledged any more: %s", e->text);
}

static void set_holding(struct store *s)
{
    if (atomic_load(&s->is_failing)) {
        atomic_store(&s->is_failing, false);
        log_warn(&s->log, "writes hold again");
    }
}

/* Each in a transaction of its own. false: the disk refuses. */
static bool run_one_by_one(struct writer *w, struct store_job *job)
{
    struct store_tx tx;
    struct error e = ERROR_INIT;
    for (; job; job = job->next) {
        if (!begin_tx(w->s, &tx, &e))
            goto broken;
        if (!run_job(&tx, job)) {
            bool is_broken = w->s->conn->is_broken;
            e = job->error;
            rollback_tx(&tx);
            if (is_broken)
                goto broken;
            continue;
        }
        if (!commit_tx(&tx, &e))
            goto broken;
    }
    return true;
broken:
    fail_from(job, &e);
    set_failing(w, &e);
    return false;
}

enum group_end { GROUP_COMMITTED, GROUP_SPLIT, GROUP_BROKEN };

static enum group_end try_group(struct store *s, struct store_job *first, struct error *e)
{
    struct store_tx tx;
    if (!begin_tx(s, &tx, e))
        return GROUP_BROKEN;
    for (struct store_job *job = first; job; job = job->next) {
        unsigned writes = s->conn->writes;
        if (run_job(&tx, job))
            continue;
        if (s->conn->writes == writes && !s->conn->is_broken)
            continue; /* it changed nothing: only its own error */
        bool is_broken = s->conn->is_broken;
        *e = job->error;
        rollback_tx(&tx);
        return is_broken ? GROUP_BROKEN : GROUP_SPLIT;
    }
    return commit_tx(&tx, e) ? GROUP_COMMITTED : GROUP_BROKEN;
}

static void run_group(struct writer *w, struct store_job *first)
{
    struct error e = ERROR_INIT;
    switch (try_group(w->s, first, &e)) {
    case GROUP_COMMITTED:
        set_holding(w->s);
        break;
    case GROUP_SPLIT:
        if (first && run_one_by_one(w, first))
            set_holding(w->s);
        break;
    case GROUP_BROKEN:
        fail_from(first, &e);
        set_failing(w, &e);
        break;
    }
}

/* Hands on what a group leaves: reads that were flushed become reads, the rest is complete. */
static void finish_group(struct store *s, struct job_list *group)
{
    struct job_list done = {0}, reads = {0};
    struct store_job *job;
    uint64_t newest = 0;
    while ((job = job_list_take(group))) {
        newest = job->ticket;
        job_list_append(job->flush && job->error.code == ERROR_NONE ? &reads : &done, job);
    }
    pthread_mutex_lock(&s->lock);
    s->finished = newest;
    while ((job = job_list_take(&reads))) {
        atomic_fetch_sub(&s->backlog_bytes, job->bytes);
        job->bytes = 0;
        job->must_see = job->ticket;
        job_list_append(&s->waiting, job);
    }
    store_release_reads(s);
    pthread_mutex_unlock(&s->lock);
    store_complete(s, &done);
}

/* -- between groups -- */

static void run_memory_reads(struct store *s)
{
    if (!s->is_memory)
        return;
    for (;;) {
        pthread_mutex_lock(&s->lock);
        struct store_job *job = job_list_take(&s->reads);
        pthread_mutex_unlock(&s->lock);
        if (!job)
            return;
        readers_run(s, s->conn, job);
    }
}

/* One slice of indexing, in a transaction of its own. */
static void index_slice(struct writer *w)
{
    struct store_tx tx;
    struct error e = ERROR_INIT;
    if (!begin_tx(w->s, &tx, &e) || !journal_index_slice(&tx, w->s->journal, &e)) {
        if (tx.conn)
            rollback_tx(&tx);
        set_failing(w, &e);
        return;
    }
    if (!commit_tx(&tx, &e))
        set_failing(w, &e);
}

static void upkeep(struct writer *w)
{
    struct store *s = w->s;
    checkpoint_after_group(s);
    bool is_idle = store_mono_ms() - w->last_group_ms >= IDLE_INDEX_MS;
    if (!atomic_load(&s->is_failing) && journal_wants_index(s->journal, is_idle))
        index_slice(w);
}

/* A failing store tries a write of its own, so that it recovers although nobody dares to write. */
static void probe(struct writer *w)
{
    struct store_tx tx;
    struct error e = ERROR_INIT;
    if (begin_tx(w->s, &tx, &e)) {
        if (!store_exec(&tx, &e, "update journal_state set last_us = $1 where one = 1", "i", tx.now_us))
            rollback_tx(&tx);
        else if (commit_tx(&tx, &e))
            set_holding(w->s);
    }
    if (e.code)
        log_debug(&w->s->log, "still failing: %s", e.text);
    w->probe_at_ms = store_mono_ms() + PROBE_MS;
}

/* -- waiting -- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When there is something to do without anybody asking. Under the lock. */
static uint64_t next_deadline(struct writer *w)
{
    struct store *s = w->s;
    if (atomic_load(&s->is_failing))
        return w->probe_at_ms;
    uint64_t at = journal_done_due_ms(s->journal);
    if (journal_wants_index(s->journal, false))
        return 0;
    if (journal_wants_index(s->journal, true))
        at = earlier(at, w->last_group_ms + IDLE_INDEX_MS);
    return at;
}

/* Under the lock; true: woken or due; false: the end. After a group the first sleep is short, so
 * that a journal_done, which may wait 50 ms, need not wake a thread that will wake anyway. */
static void sleep_until(struct writer *w, uint64_t at)
{
    struct store *s = w->s;
    uint64_t now = store_mono_ms();
    if (!w->may_sleep_long)
        at = earlier(at, now + JOURNAL_DONE_WAIT_MS);
    s->writer_sleeps_until_ms = at;
    if (at == UINT64_MAX) {
        pthread_cond_wait(&s->writer_wake, &s->lock);
    } else {
        struct timespec t = {(time_t)(at / 1000), (long)(at % 1000) * 1000000};
        if (pthread_cond_timedwait(&s->writer_wake, &s->lock, &t) != 0)
            w->may_sleep_long = true;
    }
    s->writer_sleeps_until_ms = 0;
}

static void wait_for_work(struct writer *w)
{
    struct store *s = w->s;
    while (!s->is_released && !s->is_closing && !s->checkpoint_made && !(s->is_memory && s->reads.first)) {
        uint64_t at = next_deadline(w);
        if (at <= store_mono_ms())
            return;
        sleep_until(w, at);
    }
}

static struct job_list take_group(struct store *s)
{
    struct job_list group = {0};
    for (unsigned n = 0; n < GROUP_JOBS && s->writes.first; n++)
        job_list_append(&group, job_list_take(&s->writes));
    s->is_released = s->writes.first != NULL;
    return group;
}

void *writer_main(void *store)
{
    struct store *s = store;
    struct writer w = {.s = s, .last_group_ms = store_mono_ms()};
    pthread_mutex_lock(&s->lock);
    for (;;) {
        wait_for_work(&w);
        struct job_list group = take_group(s);
        bool dones = journal_done_due_ms(s->journal) <= (s->is_closing ? UINT64_MAX - 1 : store_mono_ms());
        bool is_failing = atomic_load(&s->is_failing);
        bool is_last = s->is_closing && !group.first && !(s->is_memory && s->reads.first);
        pthread_mutex_unlock(&s->lock);
        if (group.first || (dones && (!is_failing || is_last))) {
            run_group(&w, group.first);
            w.last_group_ms = store_mono_ms();
            w.may_sleep_long = false;
        } else if (is_failing && store_mono_ms() >= w.probe_at_ms) {
            probe(&w);
        }
        if (group.first)
            finish_group(s, &group);
        if (is_last)
            return NULL;
        run_memory_reads(s);
        upkeep(&w);
        pthread_mutex_lock(&s->lock);
    }
}
