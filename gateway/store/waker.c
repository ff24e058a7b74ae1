/* SPDX-License-Identifier: MIT */
/* See waker.h. Invariant: while a loop's hook is linked, `is_due` is set; only that loop's thread
 * touches the hook. */
#include "gateway/store/waker.h"

#include "gateway/base/mem.h"
#include "gateway/store/store_internal.h"

enum { ASKED_MOST = 64 }; /* then a group is worth its sync whatever else the turn brings */

struct waker {
    struct turn_hook hook;
    struct store *store;
    struct loop *loop;
    struct waker *next;
    bool is_due;    /* under the lock: the hook will run */
    unsigned asked; /* under the lock: jobs since then */
};

/* What is asked may be written. Under the lock; true: the writer must be signalled. */
static bool release(struct store *s)
{
    s->is_released = s->writes.first != NULL;
    return s->is_released && writer_must_wake(s, 0);
}

static void on_quiet(struct turn_hook *h)
{
    struct waker *w = container_of(h, struct waker, hook);
    struct store *s = w->store;
    pthread_mutex_lock(&s->lock);
    w->is_due = false;
    w->asked = 0;
    bool wake = release(s);
    pthread_cond_signal(&s->waker_quiet);
    pthread_mutex_unlock(&s->lock);
    if (wake)
        pthread_cond_signal(&s->writer_wake);
}

static struct waker *waker_of(struct store *s, struct loop *loop)
{
    struct waker *w = s->wakers;
    while (w && w->loop != loop)
        w = w->next;
    if (w)
        return w;
    w = mem_new(struct waker);
    w->hook.run = on_quiet;
    w->store = s;
    w->loop = loop;
    w->next = s->wakers;
    s->wakers = w;
    return w;
}

bool waker_asked(struct store *s, struct loop *reply_on)
{
    if (s->is_released)
        return false;
    if (!reply_on || !loop_runs_here(reply_on))
        return release(s);
    struct waker *w = waker_of(s, reply_on);
    if (!w->is_due) {
        w->is_due = true;
        w->asked = 0;
        loop_when_quiet(w->loop, &w->hook);
    }
    return ++w->asked >= ASKED_MOST && release(s);
}

void waker_fini(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->wakers) {
        struct waker *w = s->wakers;
        if (loop_is_current(w->loop)) /* its turn will not end before this does, or it has none */
            loop_cancel_hook(&w->hook);
        else
            while (w->is_due)
                pthread_cond_wait(&s->waker_quiet, &s->lock);
        s->wakers = w->next;
        mem_free(w);
    }
    pthread_mutex_unlock(&s->lock);
}
