/* SPDX-License-Identifier: MIT */
/* The link: a bound resource on the loop of its account. It hands the client's stanzas to the
 * exchange, each with a settle, and the exchange's to the connection.
 *
 * In: `unsettled` holds what is not settled, in order of arrival; it shrinks from the front only,
 * so what has left it is a settled prefix. That is `h` (handled), and it is the credit that goes
 * back. Out: the ring holds what the client may still lose; with XEP-0198 every stanza until it is
 * acknowledged, without it kept messages until the socket took them.
 *
 * The exchange calls deliver and on_replaced from its own work, so nothing is unbound or freed
 * inside of them: that waits for the end of the turn. */
#include "c2s/c2s_link.h"

#include "c2s/c2s_conn.h"
#include "c2s/c2s_csi.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

enum { SPARES_MAX = 1024, RING_MIN = 8 };

#define PING_ID "causeway-alive"

static void mail(struct c2s_link *l, struct c2s_mail m)
{
    m.conn = l->conn;
    c2s_mail_to_conn(&m);
}

/* ---- the ring of what is on its way to the client ---- */

struct c2s_out *c2s_link_out_at(struct c2s_link *l, uint32_t index)
{
    return &l->out[(l->out_first + index) & (l->out_cap - 1)];
}

static void ring_grow(struct c2s_link *l)
{
    uint32_t cap = l->out_cap ? l->out_cap * 2 : RING_MIN;
    struct c2s_out *bigger = mem_array(cap, sizeof(*bigger));

    for (uint32_t i = 0; i < l->out_count; i++)
        bigger[i] = *c2s_link_out_at(l, i);
    mem_free(l->out);
    l->out = bigger;
    l->out_cap = cap;
    l->out_first = 0;
}

static void ring_push(struct c2s_link *l, struct c2s_out o)
{
    if (l->out_count == l->out_cap)
        ring_grow(l);
    *c2s_link_out_at(l, l->out_count++) = o;
    l->out_bytes += o.bytes;
    if (l->out_bytes > l->shard->c2s->limits.unacked_bytes && !l->overfull) {
        l->overfull = true;
        loop_at_turn_end(l->shard->loop, &l->hook);
    }
}

static void ring_free(struct c2s_link *l)
{
    mem_free(l->out);
    l->out = NULL;
    l->out_cap = l->out_first = 0;
}

void c2s_link_out_pop(struct c2s_link *l, bool arrived)
{
    CHECK(l->out_count);
    struct c2s_out o = *c2s_link_out_at(l, 0);

    l->out_first = (l->out_first + 1) & (l->out_cap - 1);
    l->out_count--;
    l->out_bytes -= o.bytes;
    if (l->released)
        l->released--;
    if (l->plain_count)
        l->plain_count--;
    if (!l->out_count && l->out_cap > RING_MIN)
        ring_free(l);
    stanza_unref(&o.st);
    if (arrived && o.seq && l->edge.resource) /* may deliver more at once: the ring is in order */
        exchange_delivered(l->edge.resource, o.seq);
}

/* ---- life ---- */

static void on_turn_end(struct turn_hook *h);
static const struct edge_link_ops link_ops;

void c2s_link_take_login(struct c2s_link *l, const struct c2s_conn *k)
{
    l->edge.by_certificate = k->by_certificate;
    if (!k->agent)
        return;
    mem_free(l->agent);
    l->edge.agent = l->agent = mem_dup(k->agent);
}

struct c2s_link *c2s_link_create(struct c2s_shard *shard, const struct jid *account)
{
    struct c2s_link *l = mem_new(struct c2s_link);

    l->edge.ops = &link_ops;
    ref_init(&l->ref);
    l->shard = shard;
    l->state = C2S_LINK_BINDING;
    l->account = jid_dup(account);
    l->hook.run = on_turn_end;
    list_init(&l->unsettled);
    list_append(&shard->links, &l->node);
    shard->link_count++;
    atomic_fetch_add(&shard->c2s->links, 1);
    return l;
}

struct c2s_link *c2s_link_ref(struct c2s_link *l)
{
    ref_take(&l->ref);
    return l;
}

void c2s_link_unref(struct c2s_link **l)
{
    struct c2s_link *gone = *l;

    *l = NULL;
    if (!gone || !ref_drop(&gone->ref))
        return;
    CHECK(gone->state == C2S_LINK_ENDED && !gone->conn && !gone->resuming && !gone->out_count);
    jid_destroy(&gone->account);
    mem_free(gone->agent);
    mem_free(gone->out);
    mem_free(gone);
}

void c2s_link_detach(struct c2s_link *l)
{
    l->generation++;
    l->credit_bytes = 0;
    c2s_conn_unref(&l->conn);
    c2s_conn_unref(&l->resuming);
    stanza_unref(&l->request);
}

/* Gives the ring back. Kept messages stay pending in the store by themselves. */
static void unbind(struct c2s_link *l)
{
    struct stanza **lost = mem_array(l->out_count + 1, sizeof(struct stanza *));
    struct resource *r = l->edge.resource;
    unsigned n = 0;

    for (uint32_t i = 0; i < l->out_count; i++) {
        struct c2s_out *o = c2s_link_out_at(l, i);
        if (o->st && !o->seq)
            lost[n++] = stanza_ref(o->st);
    }
    l->edge.resource = NULL;
    c2s_csi_drop(&l->idle); /* no iq among it */
    while (l->out_count)
        c2s_link_out_pop(l, false);
    if (r)
        exchange_unbind(r, lost, n);
    l->edge.resource = NULL;
    for (unsigned i = 0; i < n; i++)
        stanza_unref(&lost[i]);
    mem_free(lost);
}

void c2s_link_end(struct c2s_link *l)
{
    if (l->state == C2S_LINK_ENDED)
        return;
    c2s_sm_forget(l);
    if (l->state == C2S_LINK_HIBERNATING)
        atomic_fetch_sub(&l->shard->c2s->hibernating, 1);
    l->state = C2S_LINK_ENDED;
    timer_stop(&l->timer);
    timer_stop(&l->answer_timer);
    unbind(l);
    c2s_link_detach(l);
    list_remove(&l->node);
    atomic_fetch_sub(&l->shard->c2s->links, 1);
    /* The shard's count: the exchange may still look at the edge_link in this turn. */
    loop_at_turn_end(l->shard->loop, &l->hook);
}

static void end_overfull(struct c2s_link *l)
{
    log_info(NULL, "%s: too much is not acknowledged, the link ends", l->account->bare);
    if (l->conn)
        mail(l, (struct c2s_mail){C2S_MAIL_CLOSE, .error = STREAM_RESOURCE_CONSTRAINT,
                                  .why = "too much is not acknowledged"});
    c2s_link_end(l);
}

static void on_turn_end(struct turn_hook *h)
{
    struct c2s_link *l = container_of(h, struct c2s_link, hook);
    size_t credit = l->credit_bytes;

    if (l->state == C2S_LINK_ENDED) {
        struct c2s_shard *shard = l->shard;
        shard->link_count--;
        c2s_link_unref(&l);
        c2s_shard_quiet(shard);
        return;
    }
    if (l->overfull) {
        end_overfull(l);
        return;
    }
    l->credit_bytes = 0;
    c2s_keep_turn_end(l);
    if (l->conn)
        c2s_sm_turn_end(l);
    if (l->conn && credit)
        mail(l, (struct c2s_mail){C2S_MAIL_CREDIT, .n = credit});
}

/* ---- from the exchange ---- */

void c2s_link_send(struct c2s_link *l, const struct c2s_out *o)
{
    mail(l, (struct c2s_mail){C2S_MAIL_SEND, .st = o->st, .n = o->seq && !l->managed});
}

void c2s_link_send_nonza(struct c2s_link *l, struct span xml)
{
    mail(l, (struct c2s_mail){C2S_MAIL_TEXT, .text = xml});
}

void c2s_link_pump(struct c2s_link *l)
{
    while (l->conn && l->state == C2S_LINK_ATTACHED && l->released < l->out_count) {
        struct c2s_out *o = c2s_link_out_at(l, l->released);
        uint32_t number = l->acked + 1 + l->released - l->plain_count;
        if (o->seq && l->kept && (int32_t)(number - l->saved_out) > 0) {
            c2s_keep_want(l);
            return;
        }
        if ((int32_t)(number - l->sent_top) > 0)
            l->sent_top = number;
        l->released++;
        c2s_link_send(l, o);
        c2s_sm_sent(l);
    }
}

static void give(struct c2s_link *l, struct stanza *st, uint64_t seq)
{
    struct c2s_out o = {st, seq, 0};

    if (l->managed) {
        o.bytes = (uint32_t)stanza_size(st);
        stanza_ref(st);
        ring_push(l, o);
        c2s_link_pump(l);
        return;
    }
    if (seq) {
        ring_push(l, (struct c2s_out){NULL, seq, 0});
        l->plain_count++;
        l->released++;
    }
    if (l->conn)
        c2s_link_send(l, &o);
}

/* What waited has no number on the stream before it is sent: a stream that is resumed first brings the ring,
 * then this. */
static void give_idle(struct c2s_link *l)
{
    struct stanza *st;
    uint64_t seq;

    while (c2s_csi_take(&l->idle, &st, &seq)) {
        give(l, st, seq);
        stanza_unref(&st);
    }
}

static void deliver(struct edge_link *edge, struct stanza *st, uint64_t seq)
{
    struct c2s_link *l = container_of(edge, struct c2s_link, edge);

    if (l->state == C2S_LINK_ENDED || (l->inactive && c2s_csi_hold(&l->idle, st, seq)))
        return;
    if (l->idle)
        give_idle(l);
    give(l, st, seq);
}

void c2s_link_set_active(struct c2s_link *l, bool active)
{
    l->inactive = !active;
    if (active && l->idle)
        give_idle(l);
    exchange_link_state(l->edge.resource, active ? LINK_ACTIVE : LINK_INACTIVE);
}

static void refuse_bind(struct c2s_link *l, enum stanza_error why)
{
    struct stanza *error = build_error(l->request, why, NULL, NULL);

    mail(l, (struct c2s_mail){C2S_MAIL_REFUSED, .st = error});
    stanza_unref(&error);
    c2s_link_end(l);
}

static void on_bound(struct edge_link *edge, const struct jid *full, enum stanza_error why)
{
    struct c2s_link *l = container_of(edge, struct c2s_link, edge);
    struct builder b;

    CHECK(l->state == C2S_LINK_BINDING && (l->conn || l->asleep));
    if (l->asleep) {
        c2s_keep_bound(l, full != NULL);
        return;
    }
    if (l->request->kind == STANZA_NONZA) {
        c2s_bind2_bound(l, full);
        return;
    }
    if (!full) {
        refuse_bind(l, why);
        return;
    }
    build_begin_result(&b, l->request);
    build_open(&b, "bind", NS_BIND);
    build_leaf(&b, "jid", NULL, full->full);
    build_close(&b);
    struct stanza *result = build_end(&b);
    stanza_unref(&l->request);
    l->state = C2S_LINK_ATTACHED;
    mail(l, (struct c2s_mail){C2S_MAIL_BOUND, .link = l, .st = result});
    stanza_unref(&result);
}

static void on_replaced(struct edge_link *edge, enum stream_error why)
{
    struct c2s_link *l = container_of(edge, struct c2s_link, edge);
    const char *text = why == STREAM_CONFLICT         ? "replaced by a new connection"
                       : why == STREAM_NOT_AUTHORIZED ? "what you logged in with holds no more"
                                                      : NULL;

    l->edge.resource = NULL;
    if (l->conn)
        mail(l, (struct c2s_mail){C2S_MAIL_CLOSE, .error = why, .why = text});
    c2s_link_end(l);
}

static const struct edge_link_ops link_ops = {on_bound, deliver, on_replaced};

/* ---- from the client ---- */

static struct c2s_inbound *inbound_take(struct c2s_shard *shard)
{
    struct c2s_inbound *in = shard->spares;

    shard->inbound_count++;
    if (!in)
        return mem_new(struct c2s_inbound);
    shard->spares = in->next_spare;
    shard->spare_count--;
    *in = (struct c2s_inbound){0};
    return in;
}

static void inbound_give(struct c2s_shard *shard, struct c2s_inbound *in)
{
    shard->inbound_count--;
    c2s_link_unref(&in->link);
    if (shard->spare_count >= SPARES_MAX) {
        mem_free(in);
        return;
    }
    in->next_spare = shard->spares;
    shard->spares = in;
    shard->spare_count++;
}

static void on_settled(struct command *cmd)
{
    struct c2s_inbound *in = container_of(cmd, struct c2s_inbound, settle.cmd);
    struct c2s_link *l = in->link;
    struct c2s_shard *shard = l->shard;
    struct list *first;

    in->settled = true;
    ref_take(&l->ref);
    while ((first = list_first(&l->unsettled)) &&
           (in = list_entry(first, struct c2s_inbound, node))->settled) {
        list_remove(&in->node);
        if (in->counted) {
            l->handled++;
            c2s_keep_settled(l, in);
        }
        if (in->generation == l->generation)
            l->credit_bytes += in->bytes;
        inbound_give(shard, in);
    }
    if (l->state != C2S_LINK_ENDED) {
        c2s_sm_saved(l);
        if (l->credit_bytes || l->short_answer)
            loop_at_turn_end(shard->loop, &l->hook);
    }
    c2s_link_unref(&l);
    c2s_shard_quiet(shard);
}

/* Stanzas that reach nobody but us. NULL: it is for the exchange. */
static struct stanza *own_answer(const struct stanza *st)
{
    if (st->to_malformed)
        return build_error(st, STANZA_JID_MALFORMED, NULL, NULL);
    if (st->kind != STANZA_IQ || st->type != IQ_SET || (st->to && st->to->local))
        return NULL;
    if (stanza_child(st, "session", NS_SESSION)) /* RFC 3921 section 3: nothing to do any more */
        return build_result(st);
    if (stanza_child(st, "bind", NS_BIND)) /* RFC 6120 7.1: one resource a stream */
        return build_error(st, STANZA_NOT_ALLOWED, "a resource is bound already", NULL);
    return NULL;
}

static bool is_ping_answer(struct c2s_link *l, const struct stanza *st)
{
    return l->pinged && stanza_is_answer(st) && text_eq(st->id, PING_ID);
}

static void receive(struct c2s_link *l, struct stanza *st, size_t bytes)
{
    struct c2s_inbound *in = inbound_take(l->shard);
    struct settle *s = &in->settle;
    struct stanza *answer;

    atomic_fetch_add_explicit(&l->shard->c2s->stanzas_in, 1, memory_order_relaxed);
    settle_init(s, l->shard->loop, on_settled);
    ref_take(&l->ref);
    in->link = l;
    in->bytes = (uint32_t)bytes;
    in->generation = l->generation;
    in->counted = l->managed;
    l->received += l->managed;
    list_append(&l->unsettled, &in->node);
    if (l->managed)
        c2s_keep_inbound(l, in, st);
    if (is_ping_answer(l, st)) {
        l->pinged = false;
    } else if ((answer = own_answer(st))) {
        deliver(&l->edge, answer, 0);
        stanza_unref(&answer);
    } else if (st->to_malformed) {
        log_debug(NULL, "%s: 'to' is not a JID", l->account->bare); /* and no error may follow */
    } else if (!st->from_malformed && exchange_receive(l->edge.resource, st, s)) {
        return;
    } else {
        mail(l, (struct c2s_mail){C2S_MAIL_CLOSE, .error = STREAM_INVALID_FROM,
                                  .why = "'from' is not this stream's address"});
    }
    settle_release(&s);
}

static void nonza(struct c2s_link *l, const struct stanza *st)
{
    const struct element *e = st->payload->root;

    if (text_eq(e->ns, NS_SM))
        c2s_sm_nonza(l, st);
    else if (element_is(e, "active", NS_CSI) || element_is(e, "inactive", NS_CSI))
        c2s_link_set_active(l, text_eq(e->name, "active"));
    else
        mail(l, (struct c2s_mail){C2S_MAIL_CLOSE, .error = STREAM_UNSUPPORTED_STANZA_TYPE,
                                  .why = "no such client state"});
}

static void given(struct c2s_link *l, size_t n)
{
    while (n-- && l->plain_count)
        c2s_link_out_pop(l, true);
}

static void ask_alive(struct c2s_link *l)
{
    struct builder b;

    if (l->managed) {
        c2s_link_send_nonza(l, SPAN(C2S_SM_ASK));
        l->asked = true;
        return;
    }
    build_begin(&b, STANZA_IQ, IQ_GET);
    build_id(&b, PING_ID);
    build_to(&b, exchange_resource_jid(l->edge.resource));
    build_open(&b, "ping", NS_PING);
    build_close(&b);
    struct stanza *ping = build_end(&b);
    l->pinged = true;
    deliver(&l->edge, ping, 0);
    stanza_unref(&ping);
}

static void bind_resource(struct c2s_shard *shard, const struct c2s_mail *m)
{
    const struct element *e = stanza_child(m->st, "bind", NS_BIND);
    const struct element *wish = element_child(e, "resource", NS_BIND);
    struct c2s_link *l = c2s_link_create(shard, m->conn->account);

    ref_take(&m->conn->ref);
    l->conn = m->conn;
    c2s_link_take_login(l, l->conn);
    l->edge.proved = m->conn->proved;
    l->request = stanza_ref(m->st);
    exchange_bind(shard->c2s->exchange, &l->edge, l->account,
                  wish && *wish->text ? wish->text : NULL);
}

static void gone(struct c2s_link *l, bool may_resume)
{
    if (may_resume && l->resumable && !l->shard->stopping)
        c2s_sm_hibernate(l);
    else
        c2s_link_end(l);
}

void c2s_link_handle(struct c2s_shard *shard, const struct c2s_mail *m)
{
    struct c2s_link *l = m->link;

    if (m->kind == C2S_MAIL_BIND && m->st->kind == STANZA_NONZA)
        c2s_bind2_begin(shard, m->conn, m->st);
    else if (m->kind == C2S_MAIL_BIND)
        bind_resource(shard, m);
    else if (m->kind == C2S_MAIL_RESUME)
        c2s_sm_resume(shard, m->conn, m->st);
    else if (l->conn != m->conn || l->state != C2S_LINK_ATTACHED)
        return; /* it was replaced, resumed elsewhere or has ended: unread is not acknowledged */
    else if (m->kind == C2S_MAIL_STANZA)
        receive(l, m->st, m->n);
    else if (m->kind == C2S_MAIL_NONZA)
        nonza(l, m->st);
    else if (m->kind == C2S_MAIL_GIVEN)
        given(l, m->n);
    else if (m->kind == C2S_MAIL_SILENT)
        ask_alive(l);
    else if (m->kind == C2S_MAIL_GONE)
        gone(l, m->n);
}
