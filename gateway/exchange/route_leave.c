/* SPDX-License-Identifier: MIT */
/* What goes to another community: in the lane of the two domains it is kept, and handed to the edge after its
 * commit. */
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/route_internal.h"

/* The error that answers a numbered message is kept in the transaction that says that the message was
 * taken: else a crash would lose it, or let the message come again. Errors are cheap to provoke, so there
 * is a bound; beyond it they go as others do. */
static bool keeps_answer(struct event *ev)
{
    if (!ev->mark)
        return false;
    if (atomic_fetch_add(&ev->x->answers_kept, 1) < ANSWERS_KEPT_MAX)
        return true;
    route_leave_answer_gone(ev->x);
    return false;
}

void route_leave_answer_gone(struct exchange *x)
{
    unsigned was = atomic_load(&x->answers_kept);
    while (was && !atomic_compare_exchange_weak(&x->answers_kept, &was, was - 1))
        ; /* 0: it was kept before the last start */
}

static enum event_state leave_admit(struct event *ev)
{
    if (!ev->x->remote) {
        ev->refused = STANZA_REMOTE_SERVER_NOT_FOUND;
        return EVENT_READY;
    }
    event_weigh(ev);
    if (ev->st->kind != STANZA_MESSAGE || !(ev->weight.keep || keeps_answer(ev)))
        return EVENT_READY;
    struct keep *k = event_keep_new(ev);
    k->queue[0] = pair_queue(ev->pair);
    if (ev->sender_archives) {
        k->archive[0] = ev->st->from->bare;
        k->peer[0] = ev->st->to->bare;
    }
    event_keep_start(ev);
    return EVENT_WAITS;
}

static enum event_fate leave_perform(struct event *ev)
{
    bool failed = ev->error.code != ERROR_NONE, is_answer = ev->mark && ev->st->type == MESSAGE_ERROR;
    struct queue_id id = {ev->seq ? ev->kept->keep.kept_us : 0, ev->seq};
    if (failed && is_answer)
        route_leave_answer_gone(ev->x); /* and it goes unkept */
    else if (failed)
        ev->refused = STANZA_RESOURCE_CONSTRAINT;
    if (ev->refused != STANZA_OK)
        route_refuse(ev, ev->refused, NULL);
    else
        ev->x->remote->ops->send(ev->x->remote, ev->st, id);
    return EVENT_FINISHED;
}

const struct event_ops route_leave_ops = {"leave", leave_admit, leave_perform};
