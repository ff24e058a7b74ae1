/* SPDX-License-Identifier: MIT */
/* montague.example, whose passwords a scripted directory has. */
#ifndef CAUSEWAY_TEST_OUTSIDE_H
#define CAUSEWAY_TEST_OUTSIDE_H

#include "test/unit/c2s/scripted_world.h"
#include "test/unit/gateway/net/scripted_directory.h"

struct outside {
    struct fixture *f;
    struct script script;
};

static inline int outside_open(void **state, enum arrangement how, struct directory_options o)
{
    struct outside *out = mem_new(struct outside);
    struct fixture *f = out->f = mem_new(struct fixture);

    o.domain = "montague.example";
    script_start(&out->script, o);
    world_open(&f->w, how);
    f->w.directory = out->script.d;
    f->x.loop = f->w.loop;
    f->x.settle_at_once = true;
    f->w.exchange = &f->x;
    world_start(&f->w, (struct c2s_limits){.auth_tries = 100});
    *state = out;
    return 0;
}

/* The directory searches for nobody: a name is a DN. */
static inline int outside_open_blind(void **state)
{
    return outside_open(state, TOGETHER, (struct directory_options){.dn = "uid=%u"});
}

static inline int outside_close(void **state)
{
    struct outside *out = *state;
    void *fixture = out->f;

    teardown(&fixture);
    script_end(&out->script);
    mem_free(out);
    return 0;
}

#endif
