/* SPDX-License-Identifier: MIT */
/* What loop.c, timer.c and wire.c share of a loop. */
#ifndef CAUSEWAY_NET_LOOP_INTERNAL_H
#define CAUSEWAY_NET_LOOP_INTERNAL_H

#include <stdatomic.h>

#include "gateway/net/loop.h"

enum { WHEEL_DIGIT_BITS = 6, WHEEL_SLOTS = 64, WHEEL_LEVELS = 8 };

/* Level k holds the timers whose due time first differs from `now_ms` in digit k (of base 64),
 * in the slot of that digit. So everything in a lower level is due before everything in a higher
 * one. */
struct wheel {
    uint64_t now_ms;
    bool firing;
    uint64_t filled[WHEEL_LEVELS]; /* bit s: slot s may hold timers (timer_stop leaves the bit) */
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

struct wire_shared;

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t before_sleep; /* runs timers, commands and turn hooks, in this order */
    uv_check_t after_sleep;
    uv_idle_t stay_awake; /* active while something waits for the next turn */
    uv_timer_t alarm;     /* the one timer that libuv sees: the wheel's next */
    uint64_t alarm_at_ms; /* what it was set for; 0: it is not set */
    uint64_t done_count;  /* commands, hooks and timers that ran */

    const struct clock *clock;
    char name[32];
    uv_thread_t thread;
    atomic_uintptr_t owner; /* pthread_self of who runs it; 0: nobody */
    atomic_bool stop;

    _Atomic(struct command *) inbox;      /* from other threads, newest first */
    atomic_bool asleep;                   /* a post must wake it */
    struct command *own_first, **own_end; /* from its own thread, oldest first */

    struct list hooks;
    struct list last_hooks;
    struct list quiet_hooks;
    unsigned busy_turns; /* since the oldest of them was asked for */
    struct wheel wheel;
    struct xml_pool *xml_pool;
    struct wire_shared
        *wires; /* buffers that all wires of this loop share; NULL before the first */
};

/* timer.c */
void timer_wheel_init(struct wheel *w, uint64_t now_ms);
/* Fires what is due; returns how many fired. */
unsigned timer_wheel_run(struct loop *l, uint64_t now_ms);
/* When the wheel has to be looked at next; UINT64_MAX: never. */
uint64_t timer_wheel_next(const struct wheel *w);

#endif
