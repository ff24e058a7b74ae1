/* SPDX-License-Identifier: MIT */
/* See endings.h. */
#include "gateway/net/endings.h"

static void tell_all(struct endings *e)
{
    struct list *node;
    CHECK(!e->telling);
    e->telling = true;
    while ((node = list_first(&e->ended))) {
        list_remove(node);
        e->tell(node);
    }
    e->telling = false;
}

static void on_turn_end(struct turn_hook *h)
{
    tell_all(container_of(h, struct endings, hook));
}

void endings_init(struct endings *e, struct loop *l, void (*tell)(struct list *node))
{
    *e = (struct endings){.loop = l, .tell = tell, .hook.run = on_turn_end};
    list_init(&e->ended);
}

void endings_add(struct endings *e, struct list *node)
{
    list_append(&e->ended, node);
    loop_at_turn_end(e->loop, &e->hook);
}

void endings_fini(struct endings *e)
{
    tell_all(e);
    loop_cancel_hook(&e->hook);
}
