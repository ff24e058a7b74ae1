/* SPDX-License-Identifier: MIT */
/* Everything in c2s, sockets, TLS and store are real; the exchange is scripted. A test that includes this is one program. */
#ifndef TEST_C2S_SCRIPTED_WORLD_H
#define TEST_C2S_SCRIPTED_WORLD_H

#include "test/unit/c2s/c2s_world.h"
#include "test/unit/c2s/scripted_exchange.h"

struct fixture {
    struct world w;
    struct exchange x;
};

static inline int setup_timed(void **state, enum arrangement how, struct c2s_limits limits, struct c2s_times times)
{
    struct fixture *f = mem_new(struct fixture);

    world_open(&f->w, how);
    f->w.times = times;
    f->x.loop = f->w.loop;
    f->x.settle_at_once = true;
    f->w.exchange = &f->x;
    world_start(&f->w, limits);
    *state = f;
    return 0;
}

static inline int setup(void **state)
{
    return setup_timed(state, TOGETHER, (struct c2s_limits){0}, (struct c2s_times){0});
}

static inline int setup_threaded(void **state)
{
    return setup_timed(state, THREADED, (struct c2s_limits){0}, (struct c2s_times){0});
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    script_reset(&f->x);
    world_stop(&f->w);
    script_free_resources(&f->x);
    world_close(&f->w);
    mem_free(f);
    return 0;
}

/* clang-format off */
#define BOTH(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, setup, teardown),                                        \
    {#test " (I/O on its own thread)", test, setup_threaded, teardown, NULL}
/* clang-format on */

#endif
