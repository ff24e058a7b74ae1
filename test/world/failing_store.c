/* SPDX-License-Identifier: MIT */
/* A connection that may only read begins no write, so it is mended by a read: in memory the writer's
 * connection serves those too. */
#include "test/world/failing_store.h"

#include <semaphore.h>

static bool may_only_read(struct store_tx *tx, void *user, struct error *e)
{
    (void)user;
    return store_exec(tx, e, "pragma query_only = 1", "") &&
           store_exec(tx, e, "update journal_state set last_us = last_us", "");
}

void failing_store_break(struct store *s)
{
    struct error e = ERROR_INIT;
    CHECK(!store_write_wait(s, may_only_read, NULL, &e) && store_is_failing(s));
}

struct mend {
    struct store_job job;
    sem_t done;
};

static bool may_write(struct store_tx *tx, struct store_job *job, struct error *e)
{
    (void)job;
    return store_exec(tx, e, "pragma query_only = 0", "");
}

static void on_mended(struct store_job *job)
{
    sem_post(&container_of(job, struct mend, job)->done);
}

static bool nothing(struct store_tx *tx, void *user, struct error *e)
{
    (void)tx, (void)user, (void)e;
    return true;
}

void failing_store_mend(struct store *s)
{
    struct mend m = {.job = {.run = may_write, .discard = on_mended}};
    struct error e = ERROR_INIT;
    sem_init(&m.done, 0, 0);
    store_read(s, &m.job);
    while (sem_wait(&m.done) != 0)
        ;
    sem_destroy(&m.done);
    CHECK(m.job.error.code == ERROR_NONE && store_write_wait(s, nothing, NULL, &e) && !store_is_failing(s));
}
