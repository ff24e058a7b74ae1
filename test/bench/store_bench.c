/* SPDX-License-Identifier: MIT */
/* What a kept message costs the store's writer: CPU of that thread, time of a group.
 *
 *     store_bench FILE [group [messages [owners [archived]]]]
 *
 * `group` messages are asked at once and awaited; each is archived for sender and recipient (archived
 * 0: for nobody), queued for the recipient and done at once, as on a live link. Owners are drawn at random, which is
 * the worst case for the index. Every 8,000 messages the backlog is flushed by a read, and its cost
 * taken apart. */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/store/journal.h"
#include "gateway/store/store.h"

enum { SECTION = 8000, GROUP_MAX = 1000 };

static sem_t through;
static unsigned awaited; /* the loop's, while a group is under way */

static void on_done(struct store_job *job, const struct error *e)
{
    (void)job;
    if (e->code)
        fprintf(stderr, "%s\n", e->text), exit(1);
    if (--awaited == 0)
        sem_post(&through);
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct cpu {
    double all, user; /* seconds */
};

static bool cpu_run(struct store_tx *tx, void *user, struct error *e)
{
    (void)tx, (void)e;
    struct cpu *cpu = user;
    struct rusage u;
    getrusage(RUSAGE_THREAD, &u);
    cpu->all = seconds(CLOCK_THREAD_CPUTIME_ID);
    cpu->user = (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6;
    return true;
}

static struct cpu writer_cpu(struct store *s)
{
    struct error e = ERROR_INIT;
    struct cpu cpu = {0};
    if (!store_write_wait(s, cpu_run, &cpu, &e))
        fprintf(stderr, "%s\n", e.text), exit(1);
    return cpu;
}

struct bench {
    struct store *store;
    struct loop *loop;
    struct stanza *stanza;
    char (*owners)[32], (*queues)[34];
    unsigned owner_count, group;
    bool is_archived;
    double *group_us;
    size_t groups;
};

static void one_group(struct bench *b)
{
    static struct keep keeps[GROUP_MAX];
    static unsigned to[GROUP_MAX];
    double start = seconds(CLOCK_MONOTONIC);
    awaited = b->group;
    for (unsigned i = 0; i < b->group; i++) {
        unsigned from = random_below(b->owner_count);
        to[i] = random_below(b->owner_count);
        keeps[i] = (struct keep){.job = {.reply_on = b->loop, .done = on_done}, .stanza = b->stanza,
                                 .queue = {b->queues[to[i]]}};
        if (b->is_archived) {
            keeps[i].archive[0] = keeps[i].peer[1] = b->owners[from];
            keeps[i].archive[1] = keeps[i].peer[0] = b->owners[to[i]];
        }
        journal_keep(b->store, &keeps[i]);
    }
    sem_wait(&through);
    b->group_us[b->groups++] = (seconds(CLOCK_MONOTONIC) - start) * 1e6;
    for (unsigned i = 0; i < b->group; i++)
        journal_done(b->store, b->queues[to[i]], keeps[i].seq);
}

static void flush(struct bench *b)
{
    struct queue_names n = {.job = {.reply_on = b->loop, .done = on_done}, .prefix = "none:"};
    arena_init(&n.arena);
    awaited = 1;
    journal_queue_names(b->store, &n);
    sem_wait(&through);
    arena_fini(&n.arena);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void name_owners(struct bench *b)
{
    b->owners = mem_array(b->owner_count, sizeof *b->owners);
    b->queues = mem_array(b->owner_count, sizeof *b->queues);
    for (unsigned i = 0; i < b->owner_count; i++) {
        snprintf(b->owners[i], sizeof *b->owners, "user%05u@montague.example", i);
        snprintf(b->queues[i], sizeof *b->queues, "u:%s", b->owners[i]);
    }
}

static struct stanza *sample(void)
{
    static const char xml[] =
        "<message xmlns='jabber:client' from='user00001@montague.example/balcony' to='user00002@montague.example'"
        " type='chat' id='b7c1d2e3-0001'><body>But, soft! what light through yonder window breaks? It is the east, "
        "and the sun.</body><origin-id xmlns='urn:xmpp:sid:0' id='b7c1d2e3-0001'/><request "
        "xmlns='urn:xmpp:receipts'/><active xmlns='http://jabber.org/protocol/chatstates'/></message>";
    return stanza_parse(xml, sizeof xml - 1);
}

static void run(struct bench *b, unsigned messages)
{
    double keep_cpu = 0, keep_user = 0, index_cpu = 0, start = seconds(CLOCK_MONOTONIC);
    unsigned done = 0;
    while (done < messages) {
        struct cpu before = writer_cpu(b->store);
        unsigned section = 0;
        for (; section < SECTION && done + section < messages; section += b->group)
            one_group(b);
        done += section;
        struct cpu kept = writer_cpu(b->store);
        flush(b);
        keep_cpu += kept.all - before.all;
        keep_user += kept.user - before.user;
        index_cpu += writer_cpu(b->store).all - kept.all;
    }
    double wall = seconds(CLOCK_MONOTONIC) - start;
    qsort(b->group_us, b->groups, sizeof *b->group_us, by_value);
    printf("group %u: %u messages, %.0f a second; writer CPU a message: %.2f us kept (%.2f of it outside the kernel), "
           "%.2f us indexed; "
           "group p50 %.0f, p99 %.0f, max %.0f us\n",
           b->group, done, done / wall, keep_cpu / done * 1e6,
           keep_user / done * 1e6, index_cpu / done * 1e6, b->group_us[b->groups / 2],
           b->group_us[b->groups * 99 / 100], b->group_us[b->groups - 1]);
}

int main(int argc, char **argv)
{
    struct bench b = {.group = argc > 2 ? (unsigned)atoi(argv[2]) : 20,
                      .owner_count = argc > 4 ? (unsigned)atoi(argv[4]) : 10000,
                      .is_archived = argc > 5 ? atoi(argv[5]) != 0 : true};
    unsigned messages = argc > 3 ? (unsigned)atoi(argv[3]) : 200000;
    if (argc < 2 || b.group < 1 || b.group > GROUP_MAX || messages < 1 || b.owner_count < 1) {
        fprintf(stderr, "store_bench FILE [group [messages [owners [archived]]]]\n");
        return 2;
    }
    struct error e = ERROR_INIT;
    struct store_options o = {.path = argv[1], .schema_dir = CAUSEWAY_SOURCE_DIR "/schemas/sql"};
    b.store = store_open(&o, &e);
    if (!b.store) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    sem_init(&through, 0, 0);
    b.loop = loop_create("bench", clock_real());
    loop_start_thread(b.loop);
    b.stanza = sample();
    b.group_us = mem_array(messages / b.group + SECTION, sizeof *b.group_us);
    name_owners(&b);
    run(&b, messages);
    store_close(&b.store);
    loop_stop(b.loop);
    loop_join(b.loop);
    loop_destroy(&b.loop);
    stanza_unref(&b.stanza);
    mem_free(b.group_us);
    mem_free(b.owners);
    mem_free(b.queues);
    return 0;
}
