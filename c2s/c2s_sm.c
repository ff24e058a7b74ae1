/* SPDX-License-Identifier: MIT */
/* Stream management (XEP-0198): counters, acknowledgements, hibernation, resumption.
 *
 * `h` promises: what it covers is settled, so it survives us. When it is asked for while something
 * is on its way to the disk, the answer waits for that, at most ANSWER_MS (XEP-0198 section 4
 * allows a time-out and nothing else): one packet instead of a short answer and a second one behind
 * it. When a commit raises it after an answer that was short, it is told again unasked. A
 * resumption waits until everything that the old connection brought has settled: the client repeats
 * what <resumed h/> does not cover, and that must not be under way already. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "c2s/c2s_conn.h"
#include "c2s/c2s_link.h"
#include "c2s/c2s_sasl2.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/sm_count.h"

enum {
    ASK_AFTER = 16, /* so many unacknowledged stanzas do not wait for the delay */
    ASK_AGAIN_MS = 5000,
    ANSWER_MS = 50, /* a commit takes a few; a store that fails holds no answer back */
};

#define UNEXPECTED "<failed xmlns='" NS_SM "'><unexpected-request xmlns='" NS_STANZA_ERRORS "'/></failed>"

static struct loop *loop_of(struct c2s_link *l)
{
    return l->shard->loop;
}

/* ---- what the client acknowledges ---- */

/* Sent and not acknowledged. */
static uint32_t unacked(const struct c2s_link *l)
{
    return l->sent_top - l->acked;
}

static void close_too_high(struct c2s_conn *k, uint32_t h, uint32_t count)
{
    struct bytes xml = BYTES_EMPTY;

    bytes_printf(&xml,
                 "<handled-count-too-high xmlns='" NS_SM "' h='%" PRIu32 "' send-count='%" PRIu32
                 "'/>",
                 h, count);
    c2s_mail_to_conn(
        &(struct c2s_mail){C2S_MAIL_CLOSE, .conn = k, .error = STREAM_UNDEFINED_CONDITION,
                           .why = "acknowledged more than was sent", .text = bytes_span(&xml)});
    bytes_fini(&xml);
}

/* `n` is at most what was sent. */
static void take_ack(struct c2s_link *l, uint32_t n)
{
    l->acked += n;
    if (n)
        while (l->plain_count)
            c2s_link_out_pop(l, true);
    while (n--)
        c2s_link_out_pop(l, true);
}

static void on_timer(struct timer *t);

static bool may_ask(const struct c2s_link *l)
{
    return l->unasked >= ASK_AFTER || loop_now_ms(l->shard->loop) >= l->may_ask_ms;
}

/* Something is unacknowledged and nobody was asked: at the end of this turn, or after the delay. */
static void want_ack(struct c2s_link *l)
{
    if (may_ask(l))
        loop_at_turn_end(loop_of(l), &l->hook);
    else
        timer_start(&l->timer, loop_of(l), l->may_ask_ms - loop_now_ms(loop_of(l)), on_timer);
}

static void on_ack(struct c2s_link *l, const struct stanza *st)
{
    uint32_t h, n;

    if (!stanza_attr(st, "h") || !text_to_u32(stanza_attr(st, "h"), &h)) {
        c2s_mail_to_conn(&(struct c2s_mail){C2S_MAIL_CLOSE, .conn = l->conn,
                                            .error = STREAM_BAD_FORMAT,
                                            .why = "'h' is not a count"});
        return;
    }
    if (!sm_count_ack(l->acked, l->sent_top, h, &n)) {
        close_too_high(l->conn, h, l->sent_top);
        return;
    }
    l->asked = false;
    take_ack(l, n);
    timer_stop(&l->timer);
    if (l->unasked)
        want_ack(l);
    else if (unacked(l)) /* it has been asked for these: not again at once */
        timer_start(&l->timer, loop_of(l), ASK_AGAIN_MS, on_timer);
}

static void ask(struct c2s_link *l)
{
    l->asked = true;
    l->unasked = 0;
    l->may_ask_ms = loop_now_ms(loop_of(l)) + l->shard->c2s->times.ack_delay_ms;
    c2s_link_send_nonza(l, SPAN(C2S_SM_ASK));
    timer_start(&l->timer, loop_of(l), l->shard->c2s->times.answer_ms, on_timer);
}

/* ATTACHED: an <r/> is due, or its answer is overdue. HIBERNATING: nobody came back. */
static void on_timer(struct timer *t)
{
    struct c2s_link *l = container_of(t, struct c2s_link, timer);

    switch (l->state) {
    case C2S_LINK_ATTACHED:
        if (!l->asked) {
            ask(l);
            break;
        }
        timer_start(t, loop_of(l), l->shard->c2s->times.answer_ms, on_timer);
        c2s_mail_to_conn(&(struct c2s_mail){C2S_MAIL_OVERDUE, .conn = l->conn});
        break;
    case C2S_LINK_HIBERNATING:
        log_debug(NULL, "%s: not resumed in time", l->account->bare);
        c2s_link_end(l);
        break;
    case C2S_LINK_BINDING:
    case C2S_LINK_ENDED:
        break;
    }
}

void c2s_sm_sent(struct c2s_link *l)
{
    l->unasked++;
    if (!l->asked)
        want_ack(l);
}

/* ---- what we acknowledge ---- */

/* What a restart would still know: no more is promised. */
static uint32_t tellable(const struct c2s_link *l)
{
    return l->kept && (int32_t)(l->handled - l->saved_top) > 0 ? l->saved_top : l->handled;
}

static void tell(struct c2s_link *l)
{
    char xml[sizeof("<a xmlns='" NS_SM "' h='4294967295'/>")];

    timer_stop(&l->answer_timer);
    l->told = tellable(l);
    l->short_answer = l->told != l->received;
    if (l->told != l->handled)
        c2s_keep_want(l);
    int len = snprintf(xml, sizeof(xml), "<a xmlns='" NS_SM "' h='%" PRIu32 "'/>", l->told);
    c2s_link_send_nonza(l, (struct span){xml, (size_t)len});
}

static void on_answer_due(struct timer *t)
{
    tell(container_of(t, struct c2s_link, answer_timer));
}

static void on_request(struct c2s_link *l)
{
    if (tellable(l) == l->received) {
        tell(l);
        return;
    }
    if (tellable(l) != l->handled)
        c2s_keep_want(l);
    l->short_answer = true;
    if (!timer_is_running(&l->answer_timer))
        timer_start(&l->answer_timer, loop_of(l), ANSWER_MS, on_answer_due);
}

void c2s_sm_turn_end(struct c2s_link *l)
{
    if (l->short_answer && tellable(l) != l->told)
        tell(l);
    else if (l->short_answer && l->handled != l->told && !l->saving && !l->save_wanted)
        c2s_keep_want(l);
    if (!l->asked && l->unasked && may_ask(l))
        ask(l);
}

/* ---- beginning ---- */

void c2s_sm_enable(struct c2s_link *l, const struct element *enable, struct bytes *out)
{
    const char *resume = element_attr(enable, "resume");

    if (l->managed) {
        bytes_append_text(out, UNEXPECTED);
        return;
    }
    l->managed = true;
    l->resumable = text_eq(resume, "true") || text_eq(resume, "1");
    if (!l->resumable) {
        bytes_append_text(out, "<enabled xmlns='" NS_SM "'/>");
        return;
    }
    random_id(l->token);
    map_put(&l->shard->by_token, l->token, l);
    c2s_keep_begin(l);
    bytes_printf(out, "<enabled xmlns='" NS_SM "' id='%s' resume='true' max='%" PRIu64 "'/>", l->token,
                 l->shard->c2s->times.resume_ms / 1000);
}

static void on_enable(struct c2s_link *l, const struct element *enable)
{
    struct bytes out = BYTES_EMPTY;

    c2s_sm_enable(l, enable, &out);
    c2s_link_send_nonza(l, bytes_span(&out));
    bytes_fini(&out);
}

void c2s_sm_nonza(struct c2s_link *l, const struct stanza *st)
{
    const struct element *e = st->payload->root;

    if (element_is(e, "enable", NS_SM))
        on_enable(l, e);
    else if (element_is(e, "r", NS_SM) && l->managed)
        on_request(l);
    else if (element_is(e, "a", NS_SM) && l->managed)
        on_ack(l, st);
    else if (element_is(e, "resume", NS_SM) || l->managed)
        c2s_link_send_nonza(l, SPAN(UNEXPECTED));
    else
        c2s_mail_to_conn(&(struct c2s_mail){C2S_MAIL_CLOSE, .conn = l->conn,
                                            .error = STREAM_UNSUPPORTED_STANZA_TYPE,
                                            .why = "stream management is not on"});
}

/* ---- hibernation ---- */

void c2s_sm_wait(struct c2s_link *l, uint64_t ms)
{
    timer_start(&l->timer, loop_of(l), ms, on_timer);
}

void c2s_sm_hibernate(struct c2s_link *l)
{
    struct c2s *c = l->shard->c2s;

    c2s_link_detach(l);
    l->state = C2S_LINK_HIBERNATING;
    l->asked = l->short_answer = l->pinged = false;
    timer_stop(&l->answer_timer);
    atomic_fetch_add(&c->hibernating, 1);
    c2s_sm_wait(l, c->times.resume_ms);
    exchange_link_state(l->edge.resource, LINK_HIBERNATING);
}

void c2s_sm_forget(struct c2s_link *l)
{
    struct c2s_shard *shard = l->shard;
    bool is_known = list_is_empty(&l->unsettled) && !c2s_keep_in_doubt(l);

    c2s_keep_end(l);
    if (!l->token[0])
        return;
    CHECK(map_remove(&shard->by_token, l->token) == l);
    if (is_known) {
        struct c2s_past *p = &shard->past[shard->past_next++ % C2S_PAST_MAX];
        mem_free(p->bare);
        memcpy(p->token, l->token, sizeof(p->token));
        p->bare = mem_dup(l->account->bare);
        p->handled = l->handled;
    }
    l->token[0] = '\0';
}

/* ---- resumption ---- */

static void refuse(struct c2s_conn *k, const char *h, const char *condition)
{
    struct bytes xml = BYTES_EMPTY;

    bytes_printf(&xml, "<failed xmlns='" NS_SM "'%s><%s xmlns='" NS_STANZA_ERRORS "'/></failed>", h,
                 condition);
    c2s_mail_to_conn(&(struct c2s_mail){C2S_MAIL_REFUSED, .conn = k, .text = bytes_span(&xml)});
    bytes_fini(&xml);
}

/* Not found among the living: the count is told if it is remembered. */
void c2s_sm_refuse_unknown(struct c2s_shard *shard, struct c2s_conn *k, const char *token)
{
    char h[24] = "";

    for (unsigned i = 0; i < C2S_PAST_MAX; i++) {
        const struct c2s_past *p = &shard->past[i];
        if (p->token[0] && text_eq(p->token, token) && text_eq(p->bare, k->account->bare))
            snprintf(h, sizeof(h), " h='%" PRIu32 "'", p->handled);
    }
    refuse(k, h, "item-not-found");
}

/* The old connection is half-dead, or the client has forgotten it. */
static void dismiss(struct c2s_conn *old)
{
    if (old)
        c2s_mail_to_conn(&(struct c2s_mail){C2S_MAIL_CLOSE, .conn = old, .error = STREAM_CONFLICT,
                                            .why = "the stream was resumed on another connection"});
}

void c2s_sm_resume(struct c2s_shard *shard, struct c2s_conn *k, struct stanza *request)
{
    const struct element *root = request->payload->root;
    const struct element *e = element_is(root, "resume", NS_SM) ? root : element_child(root, "resume", NS_SM);
    const char *token = element_attr(e, "previd");
    struct c2s_link *l = token ? map_get(&shard->by_token, token) : NULL;
    uint32_t h, n;

    if (!token || !element_attr(e, "h") || !text_to_u32(element_attr(e, "h"), &h)) {
        refuse(k, "", "bad-request");
        return;
    }
    if (!l || !jid_eq_bare(l->account, k->account)) {
        c2s_sm_refuse_unknown(shard, k, token);
        return;
    }
    if (l->asleep) {
        c2s_keep_wake(l, k, h);
        return;
    }
    if (!sm_count_ack(l->acked, l->sent_top, h, &n)) {
        close_too_high(k, h, l->sent_top);
        return;
    }
    dismiss(l->conn);
    dismiss(l->resuming);
    if (l->state == C2S_LINK_ATTACHED)
        c2s_sm_hibernate(l);
    else
        c2s_link_detach(l);
    ref_take(&k->ref);
    l->resuming = k;
    l->resume_acked = n;
    timer_stop(&l->timer); /* from here the connection's own time-out watches */
    if (tellable(l) != l->handled)
        c2s_keep_want(l);
    c2s_sm_saved(l);
}

void c2s_sm_saved(struct c2s_link *l)
{
    if (l->resuming && list_is_empty(&l->unsettled)) {
        if (tellable(l) == l->handled)
            c2s_sm_settled(l);
        else
            c2s_keep_want(l);
    } else if (l->short_answer) {
        loop_at_turn_end(loop_of(l), &l->hook);
    }
}

void c2s_sm_tell_resumed(struct c2s_link *l)
{
    struct bytes out = BYTES_EMPTY;

    if (l->conn->by_sasl2)
        c2s_sasl2_identifier(&out, exchange_resource_jid(l->edge.resource)->full);
    bytes_printf(&out, "<resumed xmlns='" NS_SM "' previd='%s' h='%" PRIu32 "'/>", l->token, l->handled);
    c2s_mail_to_conn(&(struct c2s_mail){C2S_MAIL_BOUND, .conn = l->conn, .link = l, .text = bytes_span(&out)});
    bytes_fini(&out);
}

void c2s_sm_settled(struct c2s_link *l)
{
    /* While hibernating: what the exchange delivers meanwhile only joins the ring. */
    take_ack(l, l->resume_acked);
    l->conn = l->resuming;
    l->resuming = NULL;
    c2s_link_take_login(l, l->conn);
    l->state = C2S_LINK_ATTACHED;
    atomic_fetch_sub(&l->shard->c2s->hibernating, 1);
    l->unasked = 0;
    c2s_sm_tell_resumed(l);
    if (!l->conn)
        return; /* it has ended meanwhile, and hibernates again */
    l->released = l->plain_count;
    c2s_link_pump(l);
    c2s_link_set_active(l, true); /* XEP-0352 section 4: it says so again if nobody looks */
}
