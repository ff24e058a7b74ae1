/* SPDX-License-Identifier: MIT */
/* Settling: the last count posts the edge's command to the edge's loop. */
#include "gateway/exchange/settle.h"

#include <stddef.h>

void settle_init(struct settle *s, struct loop *loop, void (*on_settled)(struct command *cmd))
{
    ref_init(&s->ref);
    s->loop = loop;
    s->save = NULL;
    s->weight = (struct message_weight){0};
    s->cmd.next = NULL;
    s->cmd.run = on_settled;
}

struct settle *settle_hold(struct settle *s)
{
    if (s)
        ref_take(&s->ref);
    return s;
}

void settle_release(struct settle **s)
{
    struct settle *gone = *s;
    *s = NULL;
    if (gone && ref_drop(&gone->ref))
        loop_post(gone->loop, &gone->cmd);
}
