/* SPDX-License-Identifier: MIT */
/* Reads beside the writer, each in one short snapshot: a read transaction that stays open keeps the
 * write-ahead log from starting again, so nothing here waits inside one. */
#include "gateway/store/store_internal.h"

void readers_run(struct store *s, struct backend_conn *conn, struct store_job *job)
{
    int64_t now = clock_unix_us(s->clock), last = atomic_load(&s->last_us);
    struct store_tx tx = {.store = s, .conn = conn, .now_us = now > last ? now : last};
    if (s->ops->begin(conn, false, &job->error)) {
        bool ok = job->run(&tx, job, &job->error);
        if (!ok && job->error.code == ERROR_NONE)
            error_set(&job->error, ERROR_IO, "a read failed without saying why");
        s->ops->rollback(conn); /* nothing was written: the cheapest end */
    }
    struct job_list one = {0};
    job_list_append(&one, job);
    store_complete(s, &one);
}

/* A reader that cannot open its connection still answers, with that error. */
static void refuse(struct store *s, struct store_job *job, const struct error *e)
{
    job->error = *e;
    struct job_list one = {0};
    job_list_append(&one, job);
    store_complete(s, &one);
}

void *readers_main(void *store)
{
    struct store *s = store;
    struct error e = ERROR_INIT;
    struct backend_conn *conn = NULL;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        struct store_job *job = job_list_take(&s->reads);
        if (!job) {
            if (s->readers_stop)
                break;
            s->readers_asleep++;
            pthread_cond_wait(&s->reader_wake, &s->lock);
            s->readers_asleep--;
            continue;
        }
        pthread_mutex_unlock(&s->lock);
        if (!conn)
            conn = s->ops->open(s->path, BACKEND_READER, s->durability, &e);
        if (conn)
            readers_run(s, conn, job);
        else
            refuse(s, job, &e);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    if (conn)
        s->ops->close(conn);
    return NULL;
}
