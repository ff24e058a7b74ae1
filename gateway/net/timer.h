/* SPDX-License-Identifier: MIT */
/* Timers on a loop's own clock: a timing wheel, so that a million of them cost nothing while they
 * wait. A fake clock fires them when it was advanced and the loop takes a turn. */
#ifndef CAUSEWAY_NET_TIMER_H
#define CAUSEWAY_NET_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/list.h"

struct loop;

struct timer {
    struct list node; /* zero: not running */
    uint64_t due_mono_ms;
    void (*on_due)(struct timer *t);
};

/* (Re)starts; fires once, not before `delay_ms` passed, on time to about 10 ms + 1/64 of the delay.
 * on_due may start it again or free it. Loop: l. */
void timer_start(struct timer *t, struct loop *l, uint64_t delay_ms, void (*on_due)(struct timer *));
void timer_stop(struct timer *t); /* harmless when it does not run */
bool timer_is_running(const struct timer *t);

#endif
