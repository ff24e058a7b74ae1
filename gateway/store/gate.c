/* SPDX-License-Identifier: MIT */
/* See gate.h. A gate that is shut looks at the store again by itself: the writer finds out within a second
 * that the disk takes writes again, and need know nothing of who waits for that. */
#include "gateway/store/gate.h"

enum { LOOK_MS = 250 };

void gate_init(struct gate *g, struct store *s, struct loop *l, void (*on_open)(struct gate *g))
{
    *g = (struct gate){.store = s, .loop = l, .on_open = on_open};
}

void gate_fini(struct gate *g)
{
    timer_stop(&g->timer);
}

static void on_look(struct timer *t)
{
    struct gate *g = container_of(t, struct gate, timer);
    if (store_is_failing(g->store))
        timer_start(t, g->loop, LOOK_MS, on_look);
    else
        g->on_open(g);
}

bool gate_is_open(struct gate *g)
{
    if (!store_is_failing(g->store) && !timer_is_running(&g->timer))
        return true;
    if (!timer_is_running(&g->timer))
        timer_start(&g->timer, g->loop, LOOK_MS, on_look);
    return false;
}
