/* SPDX-License-Identifier: MIT */
/* The mailbox and the turn: order a sender, no lost wake-up, own posts, hooks at the turn's end. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/net/loop.h"

enum { SENDERS = 4, EACH = 20000 };

struct shared {
    struct loop *loop;
    int next[SENDERS]; /* number that must come next of each */
    int total;
    bool out_of_order;
};

struct item {
    struct command command;
    struct shared *shared;
    int sender, number;
};

static void on_item(struct command *c)
{
    struct item *it = container_of(c, struct item, command);
    struct shared *s = it->shared;
    if (!loop_is_current(s->loop) || it->number != s->next[it->sender]++)
        s->out_of_order = true;
    if (++s->total == SENDERS * EACH)
        loop_stop(s->loop);
    free(it);
}

struct sender {
    struct shared *shared;
    int id;
};

static void post(struct shared *s, int sender, int number)
{
    struct item *it = calloc(1, sizeof *it);
    *it = (struct item){{NULL, on_item}, s, sender, number};
    loop_post(s->loop, &it->command);
}

static void *sender_main(void *arg)
{
    struct sender *me = arg;
    unsigned seed = (unsigned)me->id;
    for (int i = 0; i < EACH; i++) {
        post(me->shared, me->id, i);
        if (rand_r(&seed) % 64 == 0)
            sched_yield(); /* lets the loop fall asleep in between */
    }
    return NULL;
}

/* Four threads at once: everything arrives, each in its order, and a sleeping loop always wakes. */
static void across_threads(void **state)
{
    (void)state;
    struct shared s = {.loop = loop_create("test", clock_real())};
    loop_start_thread(s.loop);
    assert_false(loop_is_current(s.loop));
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){&s, i};
        pthread_create(&threads[i], NULL, sender_main, &senders[i]);
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    loop_join(s.loop);
    assert_int_equal(s.total, SENDERS * EACH);
    assert_false(s.out_of_order);
    loop_destroy(&s.loop);
}

struct ping {
    struct command command;
    struct loop *to;
    struct ping *other;
    int left;
};

static void on_ping(struct command *c)
{
    struct ping *p = container_of(c, struct ping, command);
    if (--p->left > 0) {
        loop_post(p->other->to, &p->other->command);
        return;
    }
    loop_stop(p->to);
    loop_stop(p->other->to);
}

/* Two loops that each sleep until the other posts: a lost wake-up would hang here. */
static void ping_pong(void **state)
{
    (void)state;
    struct ping a, b;
    a = (struct ping){{NULL, on_ping}, loop_create("a", clock_real()), &b, 5000};
    b = (struct ping){{NULL, on_ping}, loop_create("b", clock_real()), &a, 5000};
    loop_start_thread(a.to);
    loop_start_thread(b.to);
    loop_post(a.to, &a.command);
    loop_join(a.to);
    loop_join(b.to);
    assert_int_equal(a.left, 0);
    loop_destroy(&a.to);
    loop_destroy(&b.to);
}

struct note {
    struct command command;
    struct turn_hook hook;
    struct loop *loop;
    char *trace;
    const char *name;
    struct note *posts; /* posted from inside run */
    bool hooks;         /* asks for its hook from inside run, twice */
};

static void trace(struct note *n, const char *what)
{
    strcat(n->trace, n->name);
    strcat(n->trace, what);
}

static void on_note_hook(struct turn_hook *h)
{
    trace(container_of(h, struct note, hook), "! ");
}

static void on_note(struct command *c)
{
    struct note *n = container_of(c, struct note, command);
    trace(n, "( ");
    if (n->posts)
        loop_post(n->loop, &n->posts->command);
    if (n->hooks) {
        n->hook.run = on_note_hook;
        loop_at_turn_end(n->loop, &n->hook);
        loop_at_turn_end(n->loop, &n->hook);
    }
    trace(n, ") ");
}

/* A post from the loop's own thread runs after the poster returned, in the same turn, and before
 * the turn's hooks; a hook that was asked for twice runs once. */
static void own_posts_then_hooks(void **state)
{
    (void)state;
    char text[128] = "";
    struct loop *l = loop_create("test", clock_real());
    struct note b = {{NULL, on_note}, .loop = l, .trace = text, .name = "b", .hooks = true};
    struct note a = {{NULL, on_note}, .loop = l,   .trace = text,
                     .name = "a",     .posts = &b, .hooks = true};
    loop_post(l, &a.command);
    assert_string_equal(text, ""); /* never inside loop_post */
    while (loop_turn(l))
        ;
    assert_string_equal(text, "a( a) b( b) a! b! ");
    loop_cancel_hook(&a.hook);
    loop_destroy(&l);
}

/* A last hook runs behind what the other hooks ask for, so that it gathers all of it. */
static void ask_a_hook(struct turn_hook *h)
{
    struct note *n = container_of(h, struct note, hook);
    struct note *next = n->posts;
    on_note_hook(h);
    loop_at_turn_end(n->loop, &next->hook);
}

static void last_hooks_run_last(void **state)
{
    (void)state;
    char text[64] = "";
    struct loop *l = loop_create("test", clock_real());
    struct note last = {.loop = l, .trace = text, .name = "last", .hook.run = on_note_hook};
    struct note b = {.loop = l, .trace = text, .name = "b", .hook.run = on_note_hook};
    struct note a = {.loop = l, .trace = text, .name = "a", .hook.run = ask_a_hook, .posts = &b};
    loop_at_turn_last(l, &last.hook);
    loop_at_turn_end(l, &a.hook);
    while (loop_turn(l))
        ;
    assert_string_equal(text, "a! b! last! ");
    loop_destroy(&l);
}

static void cancelled_hook(void **state)
{
    (void)state;
    char text[64] = "";
    struct loop *l = loop_create("test", clock_real());
    struct note a = {.loop = l, .trace = text, .name = "a", .hook.run = on_note_hook};
    loop_at_turn_end(l, &a.hook);
    loop_cancel_hook(&a.hook);
    while (loop_turn(l))
        ;
    assert_string_equal(text, "");
    loop_destroy(&l);
}

/* A descriptor that is always readable keeps a loop from being quiet, but not for ever. */
static void on_readable(uv_poll_t *p, int status, int events)
{
    (void)p, (void)status, (void)events;
}

static void quiet_hook_waits_for_work_but_not_for_ever(void **state)
{
    (void)state;
    struct loop *l = loop_create("t", clock_real());
    char text[64] = "";
    struct note a = {.loop = l, .trace = text, .name = "a", .hook.run = on_note_hook};
    loop_when_quiet(l, &a.hook);
    loop_turn(l);
    assert_string_equal(text, "a! "); /* nothing was ready: at the end of that very turn */

    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    uv_poll_t poll;
    uv_poll_init(loop_uv(l), &poll, ends[0]);
    uv_poll_start(&poll, UV_READABLE, on_readable);
    loop_turn(l);
    loop_when_quiet(l, &a.hook);
    loop_turn(l);
    assert_string_equal(text, "a! "); /* more is ready */
    unsigned turns = 1;
    for (; strcmp(text, "a! ") == 0; turns++)
        loop_turn(l);
    assert_string_equal(text, "a! a! ");
    assert_in_range(turns, 2, 20);
    uv_close((uv_handle_t *)&poll, NULL);
    while (loop_turn(l))
        ;
    close(ends[0]);
    close(ends[1]);
    loop_destroy(&l);
}

static void on_stop(struct command *c)
{
    struct note *n = container_of(c, struct note, command);
    trace(n, ". ");
    loop_stop(n->loop);
}

/* What is still posted when the loop is told to stop runs before loop_run returns. */
static void stops_after_what_is_posted(void **state)
{
    (void)state;
    char text[64] = "";
    struct loop *l = loop_create("test", clock_real());
    struct note b = {{NULL, on_note}, .loop = l, .trace = text, .name = "b"};
    struct note a = {{NULL, on_stop}, .loop = l, .trace = text, .name = "a"};
    loop_post(l, &a.command);
    loop_post(l, &b.command);
    loop_run(l);
    assert_string_equal(text, "a. b( b) ");
    loop_destroy(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(across_threads),
        cmocka_unit_test(ping_pong),
        cmocka_unit_test(own_posts_then_hooks),
        cmocka_unit_test(last_hooks_run_last),
        cmocka_unit_test(cancelled_hook),
        cmocka_unit_test(quiet_hook_waits_for_work_but_not_for_ever),
        cmocka_unit_test(stops_after_what_is_posted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
