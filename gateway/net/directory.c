/* SPDX-License-Identifier: MIT */
/* The threads that ask a directory, the queue before them, and what is remembered of who exists.
 *
 * Under `lock`: the queue and the memory. A thread holds it only to take from the one and to write into the other,
 * never while it asks. What has waited longer than a request may take is not asked any more: after a server hung, the
 * queue is empty as soon as one thread looks at it. */
#include "gateway/net/directory.h"

#include <pthread.h>

#include "gateway/base/log.h"
#include "gateway/base/map.h"
#include "gateway/base/mem.h"
#include "gateway/net/directory_ldap.h"

struct known {
    struct list node; /* the oldest first */
    uint64_t until_ms;
    bool is_there;
    char user[];
};

struct directory {
    struct directory_options o; /* without zeros */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list queue; /* of struct directory_ask */
    unsigned queued;
    bool stopping;
    pthread_t *threads;
    struct map known; /* user -> struct known */
    struct list by_age;
};

/* ---- what is remembered; under the lock ---- */

static void forget(struct directory *d, struct known *k)
{
    map_remove(&d->known, k->user);
    list_remove(&k->node);
    mem_free(k);
}

static void remember(struct directory *d, const char *user, bool is_there)
{
    size_t len = strlen(user) + 1;
    struct known *k = map_get(&d->known, user);

    if (k)
        forget(d, k);
    if (!d->o.cache_s)
        return;
    if (d->known.count >= d->o.cache_max)
        forget(d, list_entry(list_first(&d->by_age), struct known, node));
    k = mem_alloc(sizeof(*k) + len);
    memcpy(k->user, user, len);
    k->is_there = is_there;
    k->until_ms = clock_mono_ms(d->o.clock) + (uint64_t)d->o.cache_s * 1000;
    list_append(&d->by_age, &k->node);
    map_put(&d->known, k->user, k);
}

static bool recall(const struct directory *d, const char *user, enum directory_outcome *outcome)
{
    const struct known *k = map_get(&d->known, user);

    if (!k || k->until_ms <= clock_mono_ms(d->o.clock))
        return false;
    *outcome = k->is_there ? DIRECTORY_RIGHT : DIRECTORY_WRONG;
    return true;
}

/* ---- a thread ---- */

static void answer(struct directory_ask *ask, enum directory_outcome outcome)
{
    ask->outcome = outcome;
    loop_post(ask->reply_on, &ask->reply);
}

/* A request may look for the person, connect anew, and prove the password. */
static uint64_t patience_ms(const struct directory *d)
{
    return (uint64_t)d->o.timeout_s * 3000;
}

static enum directory_outcome perform(struct directory *d, void *line, const struct directory_ask *ask)
{
    uint64_t deadline_ms = clock_mono_ms(d->o.clock) + patience_ms(d);
    struct bytes dn = BYTES_EMPTY;
    struct error e = ERROR_INIT;
    enum directory_outcome found = d->o.backend->find(line, ask->user, &dn, deadline_ms, &e), outcome = found;

    if (found == DIRECTORY_RIGHT && ask->password)
        outcome = d->o.backend->prove(line, bytes_text(&dn), ask->password, deadline_ms, &e);
    bytes_fini(&dn);
    if (outcome == DIRECTORY_UNAVAILABLE)
        log_error(NULL, "directory of %s: %s", d->o.domain, e.text);
    else if (e.code)
        log_warn(NULL, "directory of %s: %s", d->o.domain, e.text);
    if (found != DIRECTORY_UNAVAILABLE && directory_can_search(d)) {
        pthread_mutex_lock(&d->lock);
        remember(d, ask->user, found == DIRECTORY_RIGHT);
        pthread_mutex_unlock(&d->lock);
    }
    return outcome;
}

static void *worker_main(void *arg)
{
    struct directory *d = arg;
    void *line = d->o.backend->open(&d->o);

    pthread_mutex_lock(&d->lock);
    for (;;) {
        struct list *node = list_first(&d->queue);
        if (!node && d->stopping)
            break;
        if (!node) {
            pthread_cond_wait(&d->wake, &d->lock);
            continue;
        }
        list_remove(node);
        d->queued--;
        pthread_mutex_unlock(&d->lock);
        struct directory_ask *ask = list_entry(node, struct directory_ask, node);
        bool late = clock_mono_ms(d->o.clock) - ask->since_ms >= patience_ms(d);
        answer(ask, late ? DIRECTORY_UNAVAILABLE : perform(d, line, ask));
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    d->o.backend->close(line);
    return NULL;
}

/* ---- asking ---- */

static void on_reply(struct command *cmd)
{
    struct directory_ask *ask = container_of(cmd, struct directory_ask, reply);

    ask->done(ask);
}

void directory_ask(struct directory *d, struct directory_ask *ask)
{
    enum directory_outcome outcome = DIRECTORY_WRONG;
    bool over = ask->password && !*ask->password;

    ask->reply.run = on_reply;
    ask->since_ms = clock_mono_ms(d->o.clock);
    pthread_mutex_lock(&d->lock);
    CHECK(!d->stopping);
    if (!over && !ask->password && !ask->fresh)
        over = recall(d, ask->user, &outcome);
    if (!over && d->queued >= d->o.queue_max) {
        outcome = DIRECTORY_UNAVAILABLE;
        over = true;
        log_warn(NULL, "directory of %s: %u logins wait for it; one more is refused", d->o.domain, d->queued);
    }
    if (!over) {
        list_append(&d->queue, &ask->node);
        d->queued++;
        pthread_cond_signal(&d->wake);
    }
    pthread_mutex_unlock(&d->lock);
    if (over)
        answer(ask, outcome);
}

bool directory_can_search(const struct directory *d)
{
    return d->o.base || d->o.bind_dn;
}

const char *directory_domain(const struct directory *d)
{
    return d->o.domain;
}

/* ---- life ---- */

struct directory *directory_create(const struct directory_options *o)
{
    struct directory *d = mem_new(struct directory);

    d->o = *o;
    d->o.backend = o->backend ? o->backend : &directory_ldap_backend;
    d->o.clock = o->clock ? o->clock : clock_real();
    d->o.threads = o->threads ? o->threads : 3;
    d->o.queue_max = o->queue_max ? o->queue_max : 64;
    d->o.cache_max = o->cache_max ? o->cache_max : 10000;
    CHECK(pthread_mutex_init(&d->lock, NULL) == 0 && pthread_cond_init(&d->wake, NULL) == 0);
    list_init(&d->queue);
    list_init(&d->by_age);
    d->threads = mem_array(d->o.threads, sizeof(*d->threads));
    for (unsigned i = 0; i < d->o.threads; i++)
        CHECK(pthread_create(&d->threads[i], NULL, worker_main, d) == 0);
    return d;
}

void directory_destroy(struct directory **at)
{
    struct directory *d = *at;

    *at = NULL;
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->stopping = true;
    pthread_cond_broadcast(&d->wake);
    pthread_mutex_unlock(&d->lock);
    for (unsigned i = 0; i < d->o.threads; i++)
        pthread_join(d->threads[i], NULL);
    while (!list_is_empty(&d->by_age))
        forget(d, list_entry(list_first(&d->by_age), struct known, node));
    map_fini(&d->known);
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    mem_free(d->threads);
    mem_free(d);
}
