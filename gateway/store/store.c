/* SPDX-License-Identifier: MIT */
/* Opening and closing, the queues of jobs, and SQL as the record families see it. The threads are
 * writer.c, readers.c and checkpoint.c.
 *
 * Invariant: a job is in exactly one list until store_complete handed it on; tickets finish in
 * order. */
#include "gateway/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/journal_internal.h"
#include "gateway/store/secret.h"
#include "gateway/store/store_internal.h"
#include "gateway/store/waker.h"

/* -- lists and time -- */

void job_list_append(struct job_list *l, struct store_job *job)
{
    job->next = NULL;
    if (l->last)
        l->last->next = job;
    else
        l->first = job;
    l->last = job;
}

struct store_job *job_list_take(struct job_list *l)
{
    struct store_job *job = l->first;
    if (!job)
        return NULL;
    l->first = job->next;
    if (!l->first)
        l->last = NULL;
    job->next = NULL;
    return job;
}

uint64_t store_mono_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* -- completion -- */

/* On the loop: the jobs of one group that were asked from here. */
static void run_batch(struct command *cmd)
{
    struct store_job *job = container_of(cmd, struct store_job, cmd);
    while (job) {
        struct store_job *next = job->next;
        struct error e; /* done may free the job */
        error_clear(&e);
        if (job->error.code)
            e = job->error;
        if (job->done)
            job->done(job, &e);
        job = next;
    }
}

enum { BATCH_LOOPS = 32 };

static void post_batches(struct job_list *batches, struct loop **loops, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct store_job *head = batches[i].first;
        head->cmd.run = run_batch;
        loop_post(loops[i], &head->cmd);
    }
}

void store_complete(struct store *s, struct job_list *jobs)
{
    struct job_list batches[BATCH_LOOPS];
    struct loop *loops[BATCH_LOOPS];
    unsigned count = 0;
    struct store_job *job;
    while ((job = job_list_take(jobs))) {
        atomic_fetch_sub(&s->backlog_bytes, job->bytes);
        if (!job->reply_on) {
            if (job->discard)
                job->discard(job);
            continue;
        }
        unsigned i = 0;
        while (i < count && loops[i] != job->reply_on)
            i++;
        if (i == BATCH_LOOPS) {
            post_batches(batches, loops, count);
            i = count = 0;
        }
        if (i == count) {
            loops[count] = job->reply_on;
            batches[count++] = (struct job_list){0};
        }
        job_list_append(&batches[i], job);
    }
    post_batches(batches, loops, count);
}

/* -- asking -- */

static uint64_t ask_writer(struct store *s, struct store_job *job)
{
    CHECK(job->run);
    error_clear(&job->error);
    atomic_fetch_add(&s->backlog_bytes, job->bytes);
    pthread_mutex_lock(&s->lock);
    CHECK(!s->is_closing);
    uint64_t ticket = job->ticket = ++s->asked;
    job_list_append(&s->writes, job);
    bool wake = waker_asked(s, job->reply_on);
    pthread_mutex_unlock(&s->lock);
    if (wake)
        pthread_cond_signal(&s->writer_wake);
    return ticket;
}

uint64_t store_write(struct store *s, struct store_job *job)
{
    CHECK(!job->flush);
    return ask_writer(s, job);
}

/* Under the lock. In memory mode the writer runs the reads. */
static void add_read(struct store *s, struct store_job *job)
{
    job_list_append(&s->reads, job);
    if (s->is_memory ? writer_must_wake(s, 0) : s->readers_asleep > 0)
        pthread_cond_signal(s->is_memory ? &s->writer_wake : &s->reader_wake);
}

void store_read(struct store *s, struct store_job *job)
{
    if (job->flush) { /* becomes a read when its group is through */
        ask_writer(s, job);
        return;
    }
    CHECK(job->run && !job->bytes);
    job->error = ERROR_INIT;
    pthread_mutex_lock(&s->lock);
    CHECK(!s->is_closing && job->must_see <= s->asked);
    if (job->must_see > s->finished) {
        job_list_append(&s->waiting, job);
    } else {
        add_read(s, job);
    }
    pthread_mutex_unlock(&s->lock);
}

void store_release_reads(struct store *s)
{
    struct job_list still = {0};
    struct store_job *job;
    while ((job = job_list_take(&s->waiting))) {
        if (job->must_see > s->finished) {
            job_list_append(&still, job);
        } else {
            add_read(s, job);
        }
    }
    s->waiting = still;
}

uint64_t store_ticket(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t ticket = s->asked;
    pthread_mutex_unlock(&s->lock);
    return ticket;
}

size_t store_backlog_bytes(struct store *s)
{
    return atomic_load(&s->backlog_bytes);
}

bool store_is_failing(struct store *s)
{
    return atomic_load(&s->is_failing);
}

/* -- waiting for a write -- */

struct awaited {
    struct store_job job;
    bool (*run)(struct store_tx *tx, void *user, struct error *e);
    void *user;
    pthread_mutex_t lock;
    pthread_cond_t through;
    bool is_through;
};

static bool awaited_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct awaited *a = container_of(job, struct awaited, job);
    return a->run(tx, a->user, e);
}

static void awaited_through(struct store_job *job)
{
    struct awaited *a = container_of(job, struct awaited, job);
    pthread_mutex_lock(&a->lock);
    a->is_through = true;
    pthread_cond_signal(&a->through);
    pthread_mutex_unlock(&a->lock);
}

bool store_write_wait(struct store *s, bool (*run)(struct store_tx *tx, void *user, struct error *e),
                      void *user, struct error *e)
{
    struct awaited a = {.job = {.run = awaited_run, .discard = awaited_through}, .run = run, .user = user};
    pthread_mutex_init(&a.lock, NULL);
    pthread_cond_init(&a.through, NULL);
    store_write(s, &a.job);
    pthread_mutex_lock(&a.lock);
    while (!a.is_through)
        pthread_cond_wait(&a.through, &a.lock);
    pthread_mutex_unlock(&a.lock);
    pthread_cond_destroy(&a.through);
    pthread_mutex_destroy(&a.lock);
    if (a.job.error.code == ERROR_NONE)
        return true;
    if (e)
        *e = a.job.error;
    return false;
}

/* -- SQL -- */

bool store_exec(struct store_tx *tx, struct error *e, const char *sql, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    bool ok = tx->conn->ops->exec(tx->conn, sql, types, ap, &tx->changes, e);
    va_end(ap);
    return ok;
}

int64_t store_changes(struct store_tx *tx)
{
    return tx->changes;
}

struct store_rows *store_query(struct store_tx *tx, struct error *e, const char *sql, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    struct store_rows *r = tx->conn->ops->query(tx->conn, sql, types, ap, e);
    va_end(ap);
    return r;
}

bool store_next(struct store_rows *r, struct error *e)
{
    return r->ops->next(r, e);
}

void store_end(struct store_rows *r)
{
    if (r)
        r->ops->end(r);
}

bool store_is_null(struct store_rows *r, int column)
{
    return r->ops->is_null(r, column);
}

int64_t store_int(struct store_rows *r, int column)
{
    return r->ops->integer(r, column);
}

const char *store_text(struct store_rows *r, int column)
{
    return r->ops->text(r, column);
}

struct span store_blob(struct store_rows *r, int column)
{
    return r->ops->blob(r, column);
}

bool store_number(struct store_rows *r, int64_t otherwise, int64_t *out, struct error *e)
{
    *out = otherwise;
    if (!r || !store_next(r, e))
        return r && e->code == ERROR_NONE;
    if (!store_is_null(r, 0))
        *out = store_int(r, 0);
    store_end(r);
    return true;
}

int64_t store_now_us(struct store_tx *tx)
{
    return tx->now_us;
}

/* -- opening -- */

/* One process a store: two would each believe they know the last sequence number. */
static bool take_lock(struct store *s, bool may_be_beside, struct error *e)
{
    struct bytes name = BYTES_EMPTY;
    bytes_printf(&name, "%s.lock", s->path);
    s->lock_fd = open(name.data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bool ok = s->lock_fd >= 0;
    if (!ok)
        error_set(e, ERROR_IO, "store: cannot create %s: %s%s", name.data, strerror(errno),
                  errno == ENOENT ? "; make its folder, for the user that runs causeway" : "");
    bool taken = ok && flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0;
    if (ok && !taken && may_be_beside) {
        s->is_beside = true;
    } else if (ok && !taken) {
        char owner[24] = "";
        ssize_t n = pread(s->lock_fd, owner, sizeof owner - 1, 0);
        owner[n > 0 ? strcspn(owner, "\n") : 0] = '\0';
        ok = error_set(e, ERROR_EXISTS, "store %s is in use by process %s (%s is locked): stop it first",
                       s->path, owner[0] ? owner : "?", name.data);
    }
    if (taken) {
        char me[24];
        int len = snprintf(me, sizeof me, "%ld\n", (long)getpid());
        if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, me, (size_t)len, 0) != len)
            log_warn(&s->log, "cannot write my number into %s: %s", name.data, strerror(errno));
    }
    bytes_fini(&name);
    return ok;
}

static bool prepare_data(struct store *s, struct error *e)
{
    unsigned char secret[SECRET_LEN];
    struct store_tx tx = {.store = s, .conn = s->conn, .is_write = true, .now_us = clock_unix_us(s->clock)};
    if (!s->ops->begin(s->conn, true, e))
        return false;
    if (!secret_get(&tx, "archive-id", secret, e) || !journal_load(&tx, s->journal, e)) {
        s->ops->rollback(s->conn);
        return false;
    }
    archive_id_key_init(&s->archive_key, secret);
    mem_wipe(secret, sizeof secret);
    return s->ops->commit(s->conn, e);
}

static void start_thread(pthread_t *t, void *(*run)(void *), struct store *s, const char *name)
{
    int rc = pthread_create(t, NULL, run, s);
    CHECK(rc == 0);
    pthread_setname_np(*t, name);
}

static void start_threads(struct store *s, unsigned readers)
{
    s->has_checkpointer = !s->is_memory && !s->is_beside;
    start_thread(&s->writer_thread, writer_main, s, "store-writer");
    if (s->is_memory)
        return;
    if (s->has_checkpointer)
        start_thread(&s->checkpointer_thread, checkpoint_main, s, "store-checkpt");
    unsigned most = sizeof s->reader_threads / sizeof *s->reader_threads;
    s->reader_count = readers == 0 ? 2 : readers > most ? most : readers;
    for (unsigned i = 0; i < s->reader_count; i++)
        start_thread(&s->reader_threads[i], readers_main, s, "store-reader");
}

static void init_sync(struct store *s)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->writer_wake, &attr);
    pthread_cond_init(&s->reader_wake, &attr);
    pthread_cond_init(&s->checkpoint_wake, &attr);
    pthread_cond_init(&s->waker_quiet, &attr);
    pthread_condattr_destroy(&attr);
}

static void store_free(struct store *s)
{
    journal_destroy(&s->journal);
    if (s->conn)
        s->ops->close(s->conn);
    if (s->lock_fd >= 0)
        close(s->lock_fd); /* the file stays: removing it would race with another's open */
    pthread_cond_destroy(&s->writer_wake);
    pthread_cond_destroy(&s->reader_wake);
    pthread_cond_destroy(&s->checkpoint_wake);
    pthread_cond_destroy(&s->waker_quiet);
    pthread_mutex_destroy(&s->lock);
    mem_wipe(&s->archive_key, sizeof s->archive_key);
    mem_free(s->path);
    mem_free(s);
}

struct store *store_open(const struct store_options *o, struct error *e)
{
    struct store *s = mem_new(struct store);
    s->ops = &backend_sqlite;
    s->path = mem_dup(o->path);
    s->is_memory = text_eq(o->path, ":memory:");
    s->durability = o->durability;
    s->clock = o->clock ? o->clock : clock_real();
    s->lock_fd = -1;
    log_ctx_set(&s->log, "store %s", s->path);
    init_sync(s);
    s->journal = journal_create(s);
    if (!s->is_memory && !take_lock(s, o->beside, e))
        goto fail;
    s->conn = s->ops->open(s->path, BACKEND_WRITER, s->durability, e);
    if (!s->conn)
        goto fail;
    if (!s->is_beside && (!migrate_run(s->conn, s->path, o->schema_dir ? o->schema_dir : CAUSEWAY_DATA_DIR "/sql",
                                       clock_unix_us(s->clock), e) ||
                          !prepare_data(s, e)))
        goto fail;
    start_threads(s, o->readers);
    return s;
fail:
    store_free(s);
    return NULL;
}

void store_close(struct store **sp)
{
    struct store *s = *sp;
    if (!s)
        return;
    *sp = NULL;
    pthread_mutex_lock(&s->lock);
    s->is_closing = true;
    s->writer_sleeps_until_ms = 0;
    pthread_cond_signal(&s->writer_wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->writer_thread, NULL);
    waker_fini(s);

    pthread_mutex_lock(&s->lock);
    CHECK(!s->waiting.first && !s->writes.first);
    s->readers_stop = s->checkpointer_stops = true;
    pthread_cond_broadcast(&s->reader_wake);
    pthread_cond_broadcast(&s->checkpoint_wake);
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->reader_count; i++)
        pthread_join(s->reader_threads[i], NULL);
    if (s->has_checkpointer)
        pthread_join(s->checkpointer_thread, NULL);
    store_free(s);
}
