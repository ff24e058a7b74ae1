/* SPDX-License-Identifier: MIT */
/* What the tests of gateway/store share: a folder that goes away, a loop on a thread of its own, and
 * waiting for a job to be done. A test that includes this is one program. */
#ifndef TEST_STORE_WORLD_H
#define TEST_STORE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"
#include "gateway/net/loop.h"
#include "gateway/store/account.h"
#include "gateway/store/journal.h"
#include "gateway/store/rosters.h"
#include "gateway/store/store.h"

#define SCHEMA_DIR CAUSEWAY_SOURCE_DIR "/schemas/sql"

struct world {
    char dir[64], path[96];
    struct loop *loop;
    struct store *store;
    sem_t done; /* posted by world_done */
};

static struct world world;

/* For struct store_job.done: somebody waits in world_wait. job->error is left to look at. */
static inline void world_done(struct store_job *job, const struct error *e)
{
    (void)job, (void)e;
    sem_post(&world.done);
}

static inline void world_wait(unsigned jobs)
{
    for (unsigned i = 0; i < jobs; i++)
        while (sem_wait(&world.done) != 0)
            ;
}

static inline void world_read(struct store_job *job)
{
    job->reply_on = world.loop;
    job->done = world_done;
    store_read(world.store, job);
    world_wait(1);
}

static inline void world_open_with(const struct store_options *o)
{
    struct error e = ERROR_INIT;
    world.store = store_open(o, &e);
    if (!world.store)
        fail_msg("%s", e.text);
}

static inline void world_open(bool in_memory)
{
    struct store_options o = {.path = in_memory ? ":memory:" : world.path, .schema_dir = SCHEMA_DIR};
    world_open_with(&o);
}

static inline void world_reopen(void)
{
    store_close(&world.store);
    world_open(false);
}

static inline int world_setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(world.dir, sizeof world.dir, "%s/store-test-XXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
    if (!mkdtemp(world.dir))
        return -1;
    snprintf(world.path, sizeof world.path, "%s/store.db", world.dir);
    sem_init(&world.done, 0, 0);
    world.loop = loop_create("test", clock_real());
    loop_start_thread(world.loop);
    return 0;
}

/* The same, with a new store on the disk. */
static inline int world_setup_open(void **state)
{
    int failed = world_setup(state);
    if (!failed)
        world_open(false);
    return failed;
}

static inline int world_teardown(void **state)
{
    (void)state;
    store_close(&world.store);
    loop_stop(world.loop);
    loop_join(world.loop);
    loop_destroy(&world.loop);
    sem_destroy(&world.done);
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", world.dir);
    return system(command);
}

/* A chat message with that body, between bare JIDs; the caller's count. */
static inline struct stanza *world_message(const char *from, const char *to, const char *body)
{
    struct bytes xml = BYTES_EMPTY;
    bytes_printf(&xml,
                 "<message xmlns='jabber:client' from='%s' to='%s' type='chat' id='%s'><body>%s</body></message>",
                 from, to, body, body);
    struct stanza *st = stanza_parse(xml.data, xml.len);
    assert_non_null(st);
    bytes_fini(&xml);
    return st;
}

/* Keeps a message of `from` to `to` and waits; returns its seq. NULL: that reference is left out. */
static inline uint64_t world_keep(const char *from, const char *to, const char *body, const char *queue)
{
    struct keep k = {.job = {.reply_on = world.loop, .done = world_done},
                     .stanza = world_message(from, to, body),
                     .archive = {from, to},
                     .peer = {to, from},
                     .queue = {queue}};
    journal_keep(world.store, &k);
    world_wait(1);
    stanza_unref(&k.stanza);
    assert_int_equal(k.job.error.code, ERROR_NONE);
    return k.seq;
}

/* Bodies of a queue in order, joined by blanks; freed with bytes_fini. */
static inline struct bytes world_queue(const char *queue)
{
    struct bytes out = BYTES_EMPTY;
    struct queue_read q = {.job = {.reply_on = world.loop, .done = world_done}, .queue = queue, .limit = 1000};
    arena_init(&q.arena);
    journal_read_queue(world.store, &q);
    world_wait(1);
    assert_int_equal(q.job.error.code, ERROR_NONE);
    for (unsigned i = 0; i < q.count; i++)
        bytes_printf(&out, "%s%s", i ? " " : "", stanza_body(q.rows[i].stanza));
    queue_read_fini(&q);
    return out;
}

static inline void world_expect_queue(const char *queue, const char *bodies)
{
    struct bytes got = world_queue(queue);
    assert_string_equal(bytes_text(&got), bodies);
    bytes_fini(&got);
}

/* Bodies of a page in order. p: what is asked, without job and arena; results stay in *p but rows. */
static inline struct bytes world_archive(struct archive_page *p)
{
    struct bytes out = BYTES_EMPTY;
    p->job = (struct store_job){.reply_on = world.loop, .done = world_done};
    arena_init(&p->arena);
    archive_query(world.store, p);
    world_wait(1);
    assert_int_equal(p->job.error.code, ERROR_NONE);
    for (unsigned i = 0; i < p->count; i++) {
        struct stanza *st = stanza_parse(p->rows[i].xml.data, p->rows[i].xml.len);
        assert_non_null(st);
        bytes_printf(&out, "%s%s", i ? " " : "", stanza_body(st));
        stanza_unref(&st);
    }
    arena_fini(&p->arena);
    return out;
}

static inline void world_expect_archive(struct archive_page p, const char *bodies)
{
    struct bytes got = world_archive(&p);
    assert_string_equal(bytes_text(&got), bodies);
    bytes_fini(&got);
}

#endif
