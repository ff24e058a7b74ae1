/* SPDX-License-Identifier: MIT */
/* Keeps the write-ahead log bounded without stalling commits. A passive checkpoint on a thread of
 * its own moves nearly everything; but beside a writer that always adds, the log never starts again.
 * So the writer runs one short passive checkpoint itself between two groups, which finds little left
 * to do, and the log restarts (measured: 18-50 MB instead of growing for ever). */
#include "gateway/store/store_internal.h"

void *checkpoint_main(void *store)
{
    struct store *s = store;
    struct error e = ERROR_INIT;
    struct backend_conn *conn = NULL;
    pthread_mutex_lock(&s->lock);
    while (!s->checkpointer_stops) {
        if (!s->checkpoint_wanted) {
            pthread_cond_wait(&s->checkpoint_wake, &s->lock);
            continue;
        }
        pthread_mutex_unlock(&s->lock);
        e = ERROR_INIT;
        if (!conn)
            conn = s->ops->open(s->path, BACKEND_CHECKPOINTER, s->durability, &e);
        if (!conn || !s->ops->checkpoint(conn, &e))
            log_error(&s->log, "%s", e.text);
        pthread_mutex_lock(&s->lock);
        s->checkpoint_wanted = false;
        s->checkpoint_made = true;
        if (writer_must_wake(s, 0))
            pthread_cond_signal(&s->writer_wake);
    }
    pthread_mutex_unlock(&s->lock);
    if (conn)
        s->ops->close(conn);
    return NULL;
}

void checkpoint_after_group(struct store *s)
{
    if (!s->has_checkpointer)
        return;
    pthread_mutex_lock(&s->lock);
    bool finish = s->checkpoint_made;
    s->checkpoint_made = false;
    bool busy = s->checkpoint_wanted;
    pthread_mutex_unlock(&s->lock);
    if (finish) {
        struct error e = ERROR_INIT;
        if (!s->ops->checkpoint(s->conn, &e))
            log_error(&s->log, "%s", e.text);
    } else if (!busy && s->ops->log_pages(s->conn) >= CHECKPOINT_PAGES) {
        pthread_mutex_lock(&s->lock);
        s->checkpoint_wanted = true;
        pthread_cond_signal(&s->checkpoint_wake);
        pthread_mutex_unlock(&s->lock);
    }
}
