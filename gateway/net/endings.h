/* SPDX-License-Identifier: MIT */
/* Calls that have ended and whose callbacks come next: at the end of the turn, in the order of the ends, never
 * from inside the call that caused one. Internal to gateway/net: each owner of asynchronous calls has one. */
#ifndef CAUSEWAY_NET_ENDINGS_H
#define CAUSEWAY_NET_ENDINGS_H

#include "gateway/net/loop.h"

struct endings {
    struct loop *loop;
    struct list ended;
    struct turn_hook hook;
    bool telling;
    void (*tell)(struct list *node);
};

/* `tell` gets the node of a call that is in no list any more; calls its callback, frees it. Meanwhile other calls
 * may begin, end and be cancelled. */
void endings_init(struct endings *e, struct loop *l, void (*tell)(struct list *node));
/* The node is in no other list. A call that is cancelled takes it out again (list_remove). */
void endings_add(struct endings *e, struct list *node);
/* When the owner is destroyed, which no callback may do: tells of all now. */
void endings_fini(struct endings *e);

#endif
