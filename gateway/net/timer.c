/* SPDX-License-Identifier: MIT */
/* The timing wheel: eight levels of 64 slots, a millisecond a slot on the lowest. Starting and
 * stopping are O(1); a timer moves down at most once a level on its way. Level k is found from the
 * highest digit in which the due time differs from now, so the next slot to look at is the lowest
 * filled one of the lowest filled level. */
#include "gateway/net/timer.h"

#include "gateway/net/loop_internal.h"

void timer_wheel_init(struct wheel *w, uint64_t now_ms)
{
    w->now_ms = now_ms;
    for (int k = 0; k < WHEEL_LEVELS; k++) {
        w->filled[k] = 0;
        for (int s = 0; s < WHEEL_SLOTS; s++)
            list_init(&w->slots[k][s]);
    }
}

static void insert(struct wheel *w, struct timer *t)
{
    uint64_t differs = t->due_mono_ms ^ w->now_ms;
    int k = differs ? (63 - __builtin_clzll(differs)) / WHEEL_DIGIT_BITS : 0;
    CHECK(k < WHEEL_LEVELS);
    unsigned s = (unsigned)(t->due_mono_ms >> (k * WHEEL_DIGIT_BITS)) % WHEEL_SLOTS;
    list_append(&w->slots[k][s], &t->node);
    w->filled[k] |= UINT64_C(1) << s;
}

/* Lowest filled slot of the lowest filled level; false: the wheel is empty. */
static bool next_slot(const struct wheel *w, int *level, unsigned *slot, uint64_t *at_ms)
{
    for (int k = 0; k < WHEEL_LEVELS; k++) {
        if (!w->filled[k])
            continue;
        int shift = k * WHEEL_DIGIT_BITS;
        uint64_t above = w->now_ms >> (shift + WHEEL_DIGIT_BITS) << (shift + WHEEL_DIGIT_BITS);
        *level = k;
        *slot = (unsigned)__builtin_ctzll(w->filled[k]);
        *at_ms = above | (uint64_t)*slot << shift;
        return true;
    }
    return false;
}

uint64_t timer_wheel_next(const struct wheel *w)
{
    int k;
    unsigned s;
    uint64_t at;
    return next_slot(w, &k, &s, &at) ? at : UINT64_MAX;
}

unsigned timer_wheel_run(struct loop *l, uint64_t now_ms)
{
    struct wheel *w = &l->wheel;
    unsigned fired = 0, s;
    uint64_t at;
    int k;

    w->firing = true;
    while (next_slot(w, &k, &s, &at) && at <= now_ms) {
        struct list batch;
        list_init(&batch);
        list_splice(&batch, &w->slots[k][s]);
        w->filled[k] &= ~(UINT64_C(1) << s);
        if (at > w->now_ms)
            w->now_ms = at;
        /* One at a time: on_due may stop any other timer of this batch. */
        for (struct list *n; (n = list_first(&batch)) != NULL;) {
            struct timer *t = list_entry(n, struct timer, node);
            list_remove(n);
            if (t->due_mono_ms <= w->now_ms) {
                fired++;
                t->on_due(t);
            } else {
                insert(w, t);
            }
        }
    }
    if (now_ms > w->now_ms)
        w->now_ms = now_ms;
    w->firing = false;
    return fired;
}

void timer_start(struct timer *t, struct loop *l, uint64_t delay_ms, void (*on_due)(struct timer *))
{
    loop_check(l);
    const uint64_t longest = UINT64_C(1) << 42; /* 139 years: everything beyond is "never" */
    list_remove(&t->node);
    t->due_mono_ms = loop_now_ms(l) + (delay_ms < longest ? delay_ms : longest);
    if (delay_ms == 0 && l->wheel.firing)
        t->due_mono_ms++; /* else one that restarts itself "at once" would never let go */
    if (t->due_mono_ms < l->wheel.now_ms)
        t->due_mono_ms = l->wheel.now_ms;
    t->on_due = on_due;
    insert(&l->wheel, t);
}

void timer_stop(struct timer *t)
{
    list_remove(&t->node);
}

bool timer_is_running(const struct timer *t)
{
    return list_is_linked(&t->node);
}
