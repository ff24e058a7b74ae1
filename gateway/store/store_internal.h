/* SPDX-License-Identifier: MIT */
/* What the files of this folder share: the store's queues and threads, and the open transaction.
 * Fields name the thread or lock they belong to. */
#ifndef CAUSEWAY_STORE_STORE_INTERNAL_H
#define CAUSEWAY_STORE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/base/log.h"
#include "gateway/store/archive_id.h"
#include "gateway/store/store.h"
#include "gateway/store/store_backend.h"

struct journal;
struct waker;

struct store_tx {
    struct store *store;
    struct backend_conn *conn;
    bool is_write;
    int64_t now_us;
    int64_t changes; /* of the last store_exec */
};

/* Jobs in the order in which they came. */
struct job_list {
    struct store_job *first, *last;
};

struct store {
    const struct backend *ops;
    char *path;
    bool is_memory; /* readers share the writer's thread and connection */
    enum store_durability durability;
    const struct clock *clock;
    bool is_beside; /* another process has the store; this one only helps itself to accounts */
    int lock_fd; /* flock on PATH.lock; -1: none */
    struct log_ctx log;
    struct journal *journal; /* the writer's, but for what journal.c says */
    struct backend_conn *conn; /* the writer's */
    struct archive_id_key archive_key;

    _Atomic int64_t last_us; /* newest time that was given out; written by the writer */
    atomic_size_t backlog_bytes;
    atomic_bool is_failing;

    pthread_mutex_t lock; /* of all that follows, but for the threads' own */
    struct job_list writes;
    bool is_released; /* the writer may take them (waker.h) */
    uint64_t asked, finished; /* tickets */
    bool is_closing;
    pthread_cond_t writer_wake;
    uint64_t writer_sleeps_until_ms; /* 0: it is awake; UINT64_MAX: until it is woken */
    struct waker *wakers;            /* one a loop that asked while the writer slept */
    pthread_cond_t waker_quiet;      /* a loop has told the writer */

    struct job_list reads;   /* may run */
    struct job_list waiting; /* must_see a ticket that is not finished */
    bool readers_stop;
    unsigned readers_asleep;
    pthread_cond_t reader_wake;

    bool checkpoint_wanted; /* set by the writer, cleared by the checkpointer when it is through */
    bool checkpoint_made;   /* then the writer finishes it between two groups */
    bool checkpointer_stops;
    pthread_cond_t checkpoint_wake;

    pthread_t writer_thread, checkpointer_thread, reader_threads[16];
    unsigned reader_count;
    bool has_checkpointer;
};

void job_list_append(struct job_list *l, struct store_job *job);
struct store_job *job_list_take(struct job_list *l); /* NULL: empty */

/* Monotonic milliseconds of the machine: for waiting on conditions, whatever clock stamps rows. */
uint64_t store_mono_ms(void);
/* Hands finished jobs to their loops, one post a loop, in order; frees those nobody waits for. */
void store_complete(struct store *s, struct job_list *jobs);
/* Under the lock, on the writer: reads whose ticket is finished may run now. */
void store_release_reads(struct store *s);

/* writer.c: commits groups, indexes, finishes checkpoints. */
void *writer_main(void *store);
/* Under the lock. true: the caller signals writer_wake, best after it unlocked, so that the writer does
 * not wake into a lock that is held. */
MUST_USE bool writer_must_wake(struct store *s, uint64_t not_later_than_ms);
/* readers.c */
void *readers_main(void *store);
void readers_run(struct store *s, struct backend_conn *conn, struct store_job *job);
/* checkpoint.c */
enum { CHECKPOINT_PAGES = 4000 };
void *checkpoint_main(void *store);
void checkpoint_after_group(struct store *s); /* on the writer, between two groups */

/* migrate.c: brings the schema to what `dir` holds. `conn` is outside a transaction. */
MUST_USE bool migrate_run(struct backend_conn *conn, const char *path, const char *dir, int64_t now_us,
                          struct error *e);

#endif
