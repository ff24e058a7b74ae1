/* SPDX-License-Identifier: MIT */
/* Reach, performed: an event for contact-router with each message that finds nobody linked, what its
 * reports mean to the one who wrote, and what the person answers on a device. Who wrote learns of
 * devices only with a subscription to the person's presence, and if the person allows it. */
#include <stddef.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/message.h"
#include "gateway/exchange/session_internal.h"
#include "gateway/exchange/session_text.h"
#include "gateway/xmpp/ns.h"

static bool may_learn(struct person *p, const struct jid *peer)
{
    enum roster_subscription sub = person_subscription(p, peer);
    return p->sessions->prefs.tell && (sub == SUB_FROM || sub == SUB_BOTH);
}

/* ---- events ---- */

bool session_reach_may(const struct person *p, const struct stanza *msg)
{
    return exchange_reach(p->x) && p->state == PERSON_READY && msg->from && msg->type != MESSAGE_ERROR &&
           !jid_eq_bare(msg->from, p->jid) && !session_text_is_machine(msg) && !session_text_is_delayed(msg) &&
           message_weigh(msg).says;
}

static void owe_receipt(struct person *p, const struct stanza *msg, struct arena *a, struct session_event *out)
{
    if (!msg->id || !stanza_child(msg, "request", NS_RECEIPTS) || !may_learn(p, msg->from))
        return;
    out->receipt_to = arena_dup(a, msg->from->full);
    out->receipt_id = arena_dup(a, msg->id);
}

void session_reach_prepare(struct person *p, struct session *s, const struct stanza *msg,
                           enum reach_kind kind, struct arena *a, struct session_event *out)
{
    struct reach_state_outcome o = reach_state_step(s->reach, REACH_STATE_ON_MESSAGE);
    CHECK(o.effects & REACH_STATE_PUT_EVENT);
    s->reach = o.next;
    (void)session_code(p, s);
    out->row = session_reach_row(p, s, a);
    out->ev = (struct reach_event){
        .kind = kind,
        .callee = arena_dup(a, p->jid->bare),
        .peer = out->row.peer,
        .code = out->row.code,
    };
    if (!msg)
        return;
    const char *body = session_text_is_sealed(msg) ? NULL : stanza_body(msg);
    out->ev.text = arena_dup_or_null(a, body);
    out->ev.urgency = session_text_urgency(msg); /* a literal */
    if (kind == REACH_MESSAGE)
        owe_receipt(p, msg, a, out);
}

bool session_reach_put(struct store_tx *tx, const char *callee, struct session_event *se, uint64_t seq,
                       int64_t at_us, struct error *e)
{
    se->ev.seq = seq;
    se->ev.at_us = at_us;
    return sessions_put(tx, callee, &se->row, e) && sessions_put_event(tx, &se->ev, e) &&
           (!se->receipt_id || sessions_put_receipt(tx, callee, seq, se->receipt_to, se->receipt_id, e));
}

void session_reach_wake(struct person *p)
{
    struct reach *r = exchange_reach(p->x);
    if (r)
        r->ops->wake(r, p->jid->bare);
}

static void stop(struct person *p, const char *peer)
{
    struct reach *r = exchange_reach(p->x);
    if (r)
        r->ops->stop(r, p->jid->bare, peer);
}

/* ---- writes of their own ---- */

/* Rows of the person's conversations; with an event for a message that was kept before. */
struct write {
    struct store_job job;
    struct arena arena;
    struct person *p; /* counted in p->jobs */
    const char *callee;
    struct session_row *rows;
    unsigned count;
    struct session_event event;
    uint64_t seq; /* 0: no event */
};

static bool run_write(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct write *w = container_of(job, struct write, job);
    for (unsigned i = 0; i < w->count; i++)
        if (!sessions_put(tx, w->callee, &w->rows[i], e))
            return false;
    return !w->seq || session_reach_put(tx, w->callee, &w->event, w->seq, store_now_us(tx), e);
}

static void on_written(struct store_job *job, const struct error *e)
{
    struct write *w = container_of(job, struct write, job);
    struct person *p = w->p;
    if (e->code != ERROR_NONE)
        log_error(NULL, "%s: reach was not kept: %s", w->callee, e->text);
    else if (w->seq)
        session_reach_wake(p);
    arena_fini(&w->arena);
    mem_free(w);
    p->jobs--;
    person_idle(p);
}

static struct write *new_write(struct person *p)
{
    struct write *w = mem_new(struct write);
    arena_init(&w->arena);
    w->p = p;
    w->callee = arena_dup(&w->arena, p->jid->bare);
    w->job.reply_on = p->loop;
    w->job.run = run_write;
    w->job.done = on_written;
    p->jobs++;
    return w;
}

void session_reach_late(struct person *p, struct session *s, struct stanza *msg, enum reach_kind kind,
                        uint64_t seq)
{
    struct write *w = new_write(p);
    w->seq = s->reached_seq = seq;
    session_reach_prepare(p, s, msg, kind, &w->arena, &w->event);
    store_write(exchange_store(p->x), &w->job);
}

static void save_reach(struct person *p, struct session *s)
{
    struct write *w = new_write(p);
    (void)session_code(p, s);
    w->rows = arena_new(&w->arena, struct session_row);
    w->rows[w->count++] = session_reach_row(p, s, &w->arena);
    store_write(exchange_store(p->x), &w->job);
}

void session_reach_linked(struct person *p)
{
    struct sessions *ss = p->sessions;
    struct write *w = NULL;
    struct session *s;
    for (size_t i = 0; (s = map_next(&ss->peers, &i));) {
        struct reach_state_outcome o = reach_state_step(s->reach, REACH_STATE_ON_LINK);
        if (o.next == s->reach)
            continue;
        s->reach = o.next;
        if (!w) {
            w = new_write(p);
            w->rows = arena_alloc(&w->arena, ss->peers.count * sizeof *w->rows);
        }
        w->rows[w->count++] = session_reach_row(p, s, &w->arena);
    }
    if (!w)
        return;
    store_write(exchange_store(p->x), &w->job);
    stop(p, NULL);
}

/* ---- reports ---- */

struct receipt {
    struct store_job job;
    struct arena arena;
    struct person *p; /* counted in p->jobs */
    const char *callee;
    uint64_t seq;
    const char *to, *id; /* out */
};

static bool run_receipt(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct receipt *r = container_of(job, struct receipt, job);
    return sessions_take_receipt(tx, r->callee, r->seq, &r->arena, &r->to, &r->id, e);
}

static void on_receipt(struct store_job *job, const struct error *e)
{
    struct receipt *r = container_of(job, struct receipt, job);
    struct person *p = r->p;
    const struct jid *to = r->id ? jid_parse_text(&r->arena, r->to) : NULL;
    if (e->code != ERROR_NONE) {
        log_error(NULL, "%s: receipt: %s", r->callee, e->text);
    } else if (to && may_learn(p, to)) {
        struct stanza *st = session_text_receipt(p->jid, to, r->id);
        exchange_answer(p->x, st);
    }
    arena_fini(&r->arena);
    mem_free(r);
    p->jobs--;
    person_idle(p);
}

static void send_receipt(struct person *p, uint64_t seq)
{
    struct receipt *r = mem_new(struct receipt);
    arena_init(&r->arena);
    r->p = p;
    r->callee = arena_dup(&r->arena, p->jid->bare);
    r->seq = seq;
    r->job.reply_on = p->loop;
    r->job.run = run_receipt;
    r->job.done = on_receipt;
    p->jobs++;
    store_write(exchange_store(p->x), &r->job);
}

/* Nobody was told, for a reason that who wrote should know: a message that is held back is never silently dropped. */
static bool untold_why(enum reach_progress pr, enum session_untold *why)
{
    *why = pr == REACH_FAILED        ? SESSION_UNTOLD_FAILED
           : pr == REACH_OVER_BUDGET ? SESSION_UNTOLD_SPENT
                                     : SESSION_UNTOLD_ENOUGH;
    return pr == REACH_FAILED || pr == REACH_OVER_BUDGET || pr == REACH_OVER_LIMIT;
}

static void tell_peer(struct person *p, const struct session *s, enum reach_progress pr, const char *device)
{
    struct arena a;
    arena_init(&a);
    const struct jid *peer = jid_parse_text(&a, s->peer);
    if (peer && may_learn(p, peer)) {
        enum session_untold why;
        struct stanza *st = untold_why(pr, &why) ? session_text_untold(p->jid, peer, s->lang, why)
                                                 : session_text_told(p->jid, peer, s->lang, device);
        exchange_answer(p->x, st);
    }
    arena_fini(&a);
}

static enum reach_state_event event_of(enum reach_progress pr)
{
    switch (pr) {
    case REACH_SENT:
        return REACH_STATE_ON_SENT;
    case REACH_DELIVERED:
    case REACH_READ:
        return REACH_STATE_ON_CONFIRMED;
    case REACH_EXHAUSTED:
    case REACH_OVER_LIMIT:
    case REACH_OVER_BUDGET:
    case REACH_FAILED:
        return REACH_STATE_ON_EXHAUSTED;
    }
    CHECK(false);
}

void session_reach_progress(struct person *p, const char *peer, uint64_t seq, enum reach_progress pr,
                            const char *device)
{
    struct session *s = p->state == PERSON_READY ? session_find(p, peer) : NULL;
    if (!s)
        return;
    struct reach_state_outcome o = reach_state_step(s->reach, event_of(pr));
    log_debug(NULL, "%s: reach for %s: %s -> %s", p->jid->bare, peer, reach_state_name(s->reach),
              reach_state_name(o.next));
    if (o.next != s->reach) {
        s->reach = o.next;
        save_reach(p, s);
    }
    if (s->expires_us) /* a request waits: its asker has had the only notice there is */
        return;
    enum session_untold why;
    bool untold = untold_why(pr, &why) && o.next == REACH_STATE_EXHAUSTED;
    if ((o.effects & REACH_STATE_TELL_ASKER) || untold) /* the latter each time */
        tell_peer(p, s, pr, device);
    if (o.effects & REACH_STATE_RECEIPT)
        send_receipt(p, seq);
}

/* ---- answers ---- */

static void refuse_answer(const struct reach_answer *a, enum error_code code, const char *text)
{
    struct error e = ERROR_INIT;
    (void)error_set(&e, code, "%s", text);
    if (a->done)
        a->done(a->user, &e);
}

static void say(struct person *p, struct session *s, const struct reach_answer *a)
{
    struct arena arena;
    arena_init(&arena);
    const struct jid *peer = jid_parse_text(&arena, s->peer);
    if (!peer || !a->text || s->consent == CONSENT_BLOCKED) {
        refuse_answer(a, ERROR_DENIED, "There is nobody to whom this can be said.");
        arena_fini(&arena);
        return;
    }
    struct stanza *st = session_text_answer(p->jid, peer, a->text, a->via, a->dedup, s->sealed);
    session_wrote_to(p, peer, st);
    struct reach_state_outcome o = reach_state_step(s->reach, REACH_STATE_ON_ANSWER);
    if (o.next != s->reach) {
        s->reach = o.next;
        save_reach(p, s);
    }
    if (o.effects & REACH_STATE_STOP)
        stop(p, s->peer);
    person_send_as(p, st, a->done, a->user);
    stanza_unref(&st);
    arena_fini(&arena);
}

static void answer_request(struct person *p, struct session *s, const struct reach_answer *a,
                           enum consent_event event)
{
    if (s->consent != CONSENT_ASKED || !s->expires_us) {
        refuse_answer(a, ERROR_NOT_FOUND, "No request of that person is waiting.");
        return;
    }
    session_consent_apply(p, s, event, false, a->done, a->user);
    if (event != CONSENT_ACCEPT_EVENT)
        stop(p, s->peer);
}

void session_reach_answer(struct person *p, const struct reach_answer *a)
{
    struct session *s = p->state == PERSON_READY ? session_find(p, a->peer) : NULL;
    if (!s) {
        refuse_answer(a, ERROR_NOT_FOUND, "There is no such conversation.");
        return;
    }
    switch (a->verb) {
    case REACH_SAY:
        say(p, s, a);
        return;
    case REACH_ACCEPT:
        answer_request(p, s, a, CONSENT_ACCEPT_EVENT);
        return;
    case REACH_DECLINE:
        answer_request(p, s, a, CONSENT_DECLINE_EVENT);
        return;
    case REACH_BLOCK:
        answer_request(p, s, a, CONSENT_BLOCK_EVENT);
        return;
    }
    CHECK(false);
}
