/* SPDX-License-Identifier: MIT */
/* A turn of the loop: libuv's ready descriptors, then (before it sleeps) due timers, commands, and
 * the turn hooks that write what all these gathered.
 *
 * The mailbox is a lock-free stack: senders push, the loop grabs all and reverses. `asleep` is set
 * only between the last look into the mailbox and the end of the wait, so a sender makes the one
 * system call only when the loop would not look by itself. */
#include "gateway/net/loop.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/loop_internal.h"
#include "gateway/net/wire_internal.h"
#include "gateway/xmpp/xml_read.h"

enum {
    COMMANDS_A_TURN = 4096, /* then sockets get their chance again */
    HOOK_ROUNDS = 16,
    BUSY_TURNS = 16,    /* quiet hooks wait no longer */
    LAST_ROUNDS = 1000, /* turns that a stopping loop still gives to what posts to itself */
    ALARM_GRAIN_MS = 8, /* wake-ups are gathered to multiples of this */
};

/* ---- mailbox */

static void push(struct loop *l, struct command *c)
{
    struct command *head = atomic_load_explicit(&l->inbox, memory_order_relaxed);
    do
        c->next = head;
    while (!atomic_compare_exchange_weak(&l->inbox, &head, c));
    /* Both orders are sequentially consistent: either we see asleep, or the loop sees c. */
    if (atomic_load(&l->asleep) && atomic_exchange(&l->asleep, false))
        uv_async_send(&l->wake);
}

bool loop_runs_here(const struct loop *l)
{
    return atomic_load_explicit(&l->owner, memory_order_relaxed) == (uintptr_t)pthread_self();
}

void loop_post(struct loop *l, struct command *c)
{
    CHECK(c->run != NULL);
    if (!loop_runs_here(l)) {
        push(l, c);
        return;
    }
    c->next = NULL;
    *l->own_end = c;
    l->own_end = &c->next;
}

static unsigned run_all(struct loop *l, struct command *c)
{
    unsigned n = 0;
    while (c) {
        struct command *next = c->next; /* run() may free c */
        c->next = NULL;
        c->run(c);
        c = next;
        n++;
    }
    l->done_count += n;
    return n;
}

/* What other threads sent, oldest first. */
static unsigned run_inbox(struct loop *l)
{
    if (!atomic_load_explicit(&l->inbox, memory_order_relaxed))
        return 0;
    struct command *newest = atomic_exchange(&l->inbox, NULL), *oldest = NULL;
    while (newest) {
        struct command *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return run_all(l, oldest);
}

static unsigned run_own(struct loop *l)
{
    struct command *first = l->own_first;
    l->own_first = NULL;
    l->own_end = &l->own_first;
    return run_all(l, first);
}

static void run_commands(struct loop *l)
{
    for (unsigned done = 0; done < COMMANDS_A_TURN;) {
        unsigned n = run_inbox(l) + run_own(l);
        if (!n)
            break;
        done += n;
    }
}

/* ---- the end of a turn */

static void run_round(struct loop *l, struct list *hooks)
{
    struct list batch;
    list_init(&batch);
    list_splice(&batch, hooks);
    for (struct list *n; (n = list_first(&batch)) != NULL;) {
        struct turn_hook *h = list_entry(n, struct turn_hook, node);
        list_remove(n);
        l->done_count++;
        h->run(h);
    }
}

/* The last hooks run when no other is left; what these ask for runs in a further round. */
static void run_hooks(struct loop *l)
{
    for (int round = 0; round < HOOK_ROUNDS; round++) {
        struct list *hooks = list_is_empty(&l->hooks) ? &l->last_hooks : &l->hooks;
        if (list_is_empty(hooks))
            return;
        run_round(l, hooks);
    }
}

static void on_alarm(uv_timer_t *t)
{
    struct loop *l = t->data;
    l->alarm_at_ms = 0; /* before_sleep runs the wheel */
}

static void set_alarm(struct loop *l)
{
    uint64_t at = timer_wheel_next(&l->wheel), now = l->wheel.now_ms;
    if (at == UINT64_MAX) {
        if (l->alarm_at_ms)
            uv_timer_stop(&l->alarm);
        l->alarm_at_ms = 0;
        return;
    }
    if (at > now)
        at = (at + ALARM_GRAIN_MS - 1) / ALARM_GRAIN_MS * ALARM_GRAIN_MS;
    if (at == l->alarm_at_ms)
        return;
    uv_update_time(&l->uv);
    uv_timer_start(&l->alarm, on_alarm, at > now ? at - now : 0, 0);
    l->alarm_at_ms = at;
}

/* libuv does not say whether it found something to do, but its epoll descriptor does. */
static bool is_ready(struct loop *l)
{
    struct pollfd p = {.fd = uv_backend_fd(&l->uv), .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

static bool has_work(const struct loop *l)
{
    return l->own_first || !list_is_empty(&l->hooks) || !list_is_empty(&l->last_hooks) ||
           atomic_load(&l->inbox);
}

static void run_quiet_hooks(struct loop *l)
{
    if (list_is_empty(&l->quiet_hooks) ||
        (++l->busy_turns < BUSY_TURNS && !atomic_load(&l->stop) && (has_work(l) || is_ready(l))))
        return;
    l->busy_turns = 0;
    run_round(l, &l->quiet_hooks);
}

static void nothing(uv_idle_t *idle)
{
    (void)idle;
}

static void on_before_sleep(uv_prepare_t *p)
{
    struct loop *l = p->data;
    l->done_count += timer_wheel_run(l, loop_now_ms(l));
    run_commands(l);
    run_hooks(l);
    run_quiet_hooks(l);
    set_alarm(l);
    atomic_store(&l->asleep, true);
    if (has_work(l)) {
        atomic_store(&l->asleep, false);
        uv_idle_start(&l->stay_awake, nothing);
    } else {
        uv_idle_stop(&l->stay_awake);
    }
}

static void on_after_sleep(uv_check_t *c)
{
    struct loop *l = c->data;
    atomic_store_explicit(&l->asleep, false, memory_order_relaxed);
}

static void on_wake(uv_async_t *a)
{
    struct loop *l = a->data;
    if (atomic_load(&l->stop))
        uv_stop(&l->uv);
}

void loop_at_turn_end(struct loop *l, struct turn_hook *h)
{
    if (!list_is_linked(&h->node))
        list_append(&l->hooks, &h->node);
}

void loop_at_turn_last(struct loop *l, struct turn_hook *h)
{
    if (!list_is_linked(&h->node))
        list_append(&l->last_hooks, &h->node);
}

void loop_when_quiet(struct loop *l, struct turn_hook *h)
{
    if (!list_is_linked(&h->node))
        list_append(&l->quiet_hooks, &h->node);
}

void loop_cancel_hook(struct turn_hook *h)
{
    list_remove(&h->node);
}

/* ---- life */

struct loop *loop_create(const char *name, const struct clock *clock)
{
    struct loop *l = mem_new(struct loop);
    l->clock = clock;
    text_copy(l->name, sizeof l->name, name);
    l->own_end = &l->own_first;
    list_init(&l->hooks);
    list_init(&l->last_hooks);
    list_init(&l->quiet_hooks);
    l->xml_pool = xml_pool_create();
    timer_wheel_init(&l->wheel, clock_mono_ms(clock));
    atomic_init(&l->asleep, true);
    signal(SIGPIPE, SIG_IGN); /* libuv and OpenSSL write with write(2) */

    CHECK(uv_loop_init(&l->uv) == 0);
    CHECK(uv_async_init(&l->uv, &l->wake, on_wake) == 0);
    uv_prepare_init(&l->uv, &l->before_sleep);
    uv_check_init(&l->uv, &l->after_sleep);
    uv_idle_init(&l->uv, &l->stay_awake);
    uv_timer_init(&l->uv, &l->alarm);
    l->wake.data = l->before_sleep.data = l->after_sleep.data = l->alarm.data = l;
    uv_prepare_start(&l->before_sleep, on_before_sleep);
    uv_check_start(&l->after_sleep, on_after_sleep);
    return l;
}

void loop_destroy(struct loop **lp)
{
    struct loop *l = *lp;
    if (!l)
        return;
    *lp = NULL;
    CHECK(atomic_load(&l->owner) == 0);
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->before_sleep, NULL);
    uv_close((uv_handle_t *)&l->after_sleep, NULL);
    uv_close((uv_handle_t *)&l->stay_awake, NULL);
    uv_close((uv_handle_t *)&l->alarm, NULL);
    uv_run(&l->uv, UV_RUN_NOWAIT);
    CHECK(uv_loop_close(&l->uv) == 0); /* somebody's handle is still open */
    wire_tls_shared_destroy(&l->wires);
    xml_pool_destroy(&l->xml_pool);
    mem_free(l);
}

static void enter(struct loop *l)
{
    uintptr_t nobody = 0;
    CHECK(atomic_compare_exchange_strong(&l->owner, &nobody, (uintptr_t)pthread_self()));
}

static void leave(struct loop *l)
{
    atomic_store(&l->owner, 0);
}

static void run_until_stopped(struct loop *l)
{
    while (!atomic_load(&l->stop))
        uv_run(&l->uv, UV_RUN_DEFAULT);
    int rounds = 0;
    do
        uv_run(&l->uv, UV_RUN_NOWAIT);
    while (l->uv.closing_handles || (has_work(l) && ++rounds < LAST_ROUNDS));
    atomic_store(&l->stop, false);
    leave(l);
}

void loop_run(struct loop *l)
{
    enter(l);
    run_until_stopped(l);
}

struct start {
    struct loop *loop;
    uv_sem_t entered;
};

static void thread_main(void *arg)
{
    struct start *s = arg;
    struct loop *l = s->loop;
    enter(l);
    uv_sem_post(&s->entered);
    run_until_stopped(l);
}

void loop_start_thread(struct loop *l)
{
    struct start s = {.loop = l};
    CHECK(uv_sem_init(&s.entered, 0) == 0);
    CHECK(uv_thread_create(&l->thread, thread_main, &s) == 0);
    uv_sem_wait(&s.entered);
    uv_sem_destroy(&s.entered);
}

void loop_join(struct loop *l)
{
    CHECK(uv_thread_join(&l->thread) == 0);
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stop, true);
    uv_async_send(&l->wake);
}

/* ---- questions */

uv_loop_t *loop_uv(struct loop *l)
{
    return &l->uv;
}

const struct clock *loop_clock(const struct loop *l)
{
    return l->clock;
}

struct xml_pool *loop_xml_pool(struct loop *l)
{
    return l->xml_pool;
}

uint64_t loop_now_ms(const struct loop *l)
{
    return clock_mono_ms(l->clock);
}

bool loop_is_current(const struct loop *l)
{
    uintptr_t owner = atomic_load_explicit(&l->owner, memory_order_relaxed);
    return owner == 0 || owner == (uintptr_t)pthread_self();
}

const char *loop_name(const struct loop *l)
{
    return l->name;
}

bool loop_turn(struct loop *l)
{
    /* A watcher that is not yet registered may find its event within this very turn. */
    bool unregistered = l->uv.watcher_queue[0] != &l->uv.watcher_queue;
    bool did = unregistered || l->uv.closing_handles || is_ready(l);
    uint64_t before = l->done_count;
    enter(l);
    uv_run(&l->uv, UV_RUN_NOWAIT);
    leave(l);
    return did || l->done_count != before || has_work(l) || is_ready(l);
}
