/* SPDX-License-Identifier: MIT */
/* Messages that the gateway makes itself and keeps: prompts and notices, what a person said on a
 * device, and the error that comes of a message which had left for another community. */
#include "gateway/exchange/own.h"

#include "gateway/base/log.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/route.h"

/* ---- to a person of ours, kept ---- */

static enum event_state own_admit(struct event *ev)
{
    struct person *p = ev->person;
    const char *archive_peer = ev->data;
    struct keep *k = event_keep_new(ev);
    k->queue[0] = p->queue;
    if (archive_peer) {
        k->archive[0] = p->jid->bare;
        k->peer[0] = archive_peer;
    }
    event_keep_start(ev);
    return EVENT_WAITS;
}

static enum event_fate own_perform(struct event *ev)
{
    if (ev->error.code == ERROR_NONE)
        route_deliver(ev);
    else
        log_error(NULL, "our message to %s was not kept: %s", ev->person->jid->bare,
                  ev->error.text);
    return EVENT_FINISHED;
}

static const struct event_ops own_ops = {"own message", own_admit, own_perform};

void own_deliver(struct person *p, struct stanza *msg, const char *archive_peer)
{
    struct event *ev = event_create(p->x, &own_ops, msg);
    ev->ours = true;
    ev->person = p;
    ev->loop = p->loop;
    ev->data = arena_dup_or_null(&ev->arena, archive_peer);
    event_submit(ev, &p->in);
}

/* ---- a bounce: kept for the sender in the transaction that ends the row in the pair's queue ----
 */

static bool end_queue_row(struct store_tx *tx, struct keep *k, struct error *e)
{
    struct event *ev = container_of(k, struct event_keep, keep)->ev;
    return journal_done_now(tx, ev->data, ev->queue_seq, e);
}

static enum event_state bounce_admit(struct event *ev)
{
    struct person *p = ev->person;
    ev->data = arena_printf(&ev->arena, "s:%s %s", ev->st->to->domain, ev->st->from->domain);
    if (p->state == PERSON_NOBODY) {
        journal_done(ev->x->store, ev->data, ev->queue_seq);
        return EVENT_READY;
    }
    struct keep *k = event_keep_new(ev);
    k->queue[0] = p->queue;
    k->also = end_queue_row;
    event_keep_start(ev);
    return EVENT_WAITS;
}

static enum event_fate bounce_perform(struct event *ev)
{
    return ev->person->state == PERSON_NOBODY ? EVENT_FINISHED : own_perform(ev);
}

static const struct event_ops bounce_ops = {"bounce", bounce_admit, bounce_perform};

void own_bounce(struct exchange *x, struct stanza *error, uint64_t queue_seq)
{
    struct event *ev = event_create(x, &bounce_ops, error);
    ev->ours = true;
    ev->queue_seq = queue_seq;
    event_post(ev, ev->st->to);
}

/* ---- a notice, from any loop ---- */

static enum event_state tell_admit(struct event *ev)
{
    return ev->person->state == PERSON_NOBODY ? EVENT_READY : own_admit(ev);
}

static const struct event_ops tell_ops = {"notice", tell_admit, bounce_perform};

void own_tell(struct exchange *x, struct stanza *msg)
{
    struct event *ev = event_create(x, &tell_ops, msg);
    ev->ours = true;
    event_post(ev, ev->st->to);
}

/* ---- in a person's name ---- */

void own_send_as(struct person *p, struct stanza *msg,
                 void (*done)(void *user, const struct error *e), void *user)
{
    struct stanza *own = stanza_readdress(msg, p->jid, msg->to, (struct span){0});
    struct event *ev = event_create(p->x, &route_sent_message_ops, own);
    stanza_unref(&own);
    ev->on_done = done;
    ev->on_done_user = user;
    ev->person = p;
    ev->loop = p->loop;
    event_submit(ev, &p->out);
}
