/* SPDX-License-Identifier: MIT */
/* The connection: policy of gateway/net/stream for clients. Which features in which state, what may
 * come when (RFC 6120 sections 4 to 8), how long each step may take, how much may be under way.
 *
 * Whatever a client does ends in one of three ways: it is mailed to the link, it is answered here,
 * or the stream closes with the error that RFC 6120 names. A connection that is CLOSING only waits
 * for on_end. */
#include "c2s/c2s_conn.h"

#include <inttypes.h>
#include <string.h>

#include "c2s/c2s_auth.h"
#include "c2s/c2s_census.h"
#include "c2s/c2s_register.h"
#include "c2s/c2s_sasl2.h"
#include "c2s/c2s_web.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/stream_carried.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

enum { STUCK_MS = 10000, UNBOUND_ANSWERS_BYTES = 64 * 1024 };

static const char *state_name(enum c2s_conn_state s)
{
    static const char *const names[] = {
#define C2S_CONN_STATE_NAME(name, next) #name,
        C2S_CONN_STATES(C2S_CONN_STATE_NAME)
#undef C2S_CONN_STATE_NAME
    };
    return names[s];
}

/* The only writer of k->state. */
void c2s_conn_enter(struct c2s_conn *k, enum c2s_conn_state state)
{
    static const unsigned follows[] = {
#define C2S_CONN_STATE_NEXT(name, next) next,
        C2S_CONN_STATES(C2S_CONN_STATE_NEXT)
#undef C2S_CONN_STATE_NEXT
    };

    CHECK(follows[k->state] & (1u << state));
    log_debug(k->stream ? stream_log(k->stream) : NULL, "c2s %s -> %s", state_name(k->state),
              state_name(state));
    k->state = state;
}

void c2s_conn_pause(struct c2s_conn *k, enum c2s_pause why)
{
    if (!k->pauses && k->stream && k->state != C2S_CONN_CLOSING)
        stream_pause(k->stream);
    k->pauses |= (uint8_t)why;
}

void c2s_conn_resume(struct c2s_conn *k, enum c2s_pause why)
{
    if (!(k->pauses & why))
        return;
    k->pauses &= (uint8_t)~why;
    if (!k->pauses && k->stream && k->state != C2S_CONN_CLOSING)
        stream_resume(k->stream);
}

static void conn_close_with(struct c2s_conn *k, enum stream_error e, const char *text,
                            struct span app_xml)
{
    if (!k->stream || k->state == C2S_CONN_CLOSING)
        return;
    c2s_auth_drop(k);
    c2s_register_drop(k);
    c2s_conn_enter(k, C2S_CONN_CLOSING);
    timer_stop(&k->timer);
    stream_close_with(k->stream, e, text, app_xml);
}

void c2s_conn_close(struct c2s_conn *k, enum stream_error e, const char *text)
{
    conn_close_with(k, e, text, (struct span){0});
}

/* Without a word: the client reads nothing, so it would not read the word either. */
static void conn_cut(struct c2s_conn *k, const char *why)
{
    log_info(stream_log(k->stream), "connection is cut: %s", why);
    c2s_auth_drop(k);
    c2s_register_drop(k);
    c2s_conn_enter(k, C2S_CONN_CLOSING);
    timer_stop(&k->timer);
    stream_abort(k->stream);
}

void c2s_conn_unref(struct c2s_conn **k)
{
    struct c2s_conn *gone = *k;

    *k = NULL;
    if (!gone || !ref_drop(&gone->ref))
        return;
    CHECK(!gone->stream && !gone->auth && !gone->sasl2 && !gone->registering && !gone->link);
    jid_destroy(&gone->account);
    mem_free(gone->from);
    mem_free(gone->agent);
    c2s_external_forget(gone);
    mem_free(gone);
}

/* ---- time ---- */

static void on_login_due(struct timer *t)
{
    struct c2s_conn *k = container_of(t, struct c2s_conn, timer);

    c2s_conn_close(k, STREAM_CONNECTION_TIMEOUT, "not logged in in time");
}

void c2s_conn_give_time(struct c2s_conn *k, uint64_t ms)
{
    if (k->state != C2S_CONN_CLOSING)
        timer_start(&k->timer, k->io->loop, ms, on_login_due);
}

static bool output_is_stuck(struct c2s_conn *k)
{
    const struct c2s_limits *lim = &k->io->c2s->limits;
    size_t queued = stream_queued(k->stream);
    uint64_t now = loop_now_ms(k->io->loop);

    if (queued <= lim->output_bytes) {
        k->full_ms = 0;
        return false;
    }
    if (!k->full_ms || queued < k->full_bytes) { /* slow is not stuck */
        k->full_ms = now;
        k->full_bytes = queued;
    }
    return queued > lim->output_bytes + lim->unacked_bytes || now - k->full_ms > STUCK_MS;
}

/* Nonzas cost no credit, but are answered: before there is a link, few answers are enough. */
static bool answers_are_stuck(struct c2s_conn *k)
{
    return k->link ? output_is_stuck(k) : stream_queued(k->stream) > UNBOUND_ANSWERS_BYTES;
}

static void on_silence_due(struct timer *t)
{
    struct c2s_conn *k = container_of(t, struct c2s_conn, timer);
    const struct c2s_times *times = &k->io->c2s->times;
    uint64_t silent = loop_now_ms(k->io->loop) - k->heard_ms;

    if (output_is_stuck(k)) {
        conn_cut(k, "it does not read what it is sent");
        return;
    }
    if (k->pauses) { /* it may have said much that was not read */
        timer_start(t, k->io->loop, times->idle_ms, on_silence_due);
        return;
    }
    if (silent < times->idle_ms) {
        k->asked = false;
        timer_start(t, k->io->loop, times->idle_ms - silent, on_silence_due);
        return;
    }
    if (k->asked) {
        c2s_conn_close(k, STREAM_CONNECTION_TIMEOUT, "no sign of life");
        return;
    }
    k->asked = true;
    timer_start(t, k->io->loop, times->answer_ms, on_silence_due);
    c2s_mail_to_link(k->shard, &(struct c2s_mail){C2S_MAIL_SILENT, .conn = k, .link = k->link});
}

/* ---- header and features ---- */

/* What may be had once there is a resource. */
#define SM_FEATURE "<sm xmlns='" NS_SM "'/>"
#define BOUND_FEATURES                                                                                      \
    "<ver xmlns='" NS_ROSTERVER "'/><sub xmlns='" NS_PREAPPROVAL "'/><csi xmlns='" NS_CSI "'/>"

/* XEP-0478: what a stanza may weigh, and after how long a silence we act. */
static void put_limits(const struct c2s_conn *k, struct bytes *out)
{
    const struct c2s *c = k->io->c2s;
    bool in = k->state == C2S_CONN_PROVED || k->state == C2S_CONN_BOUND;

    bytes_printf(out,
                 "<limits xmlns='" NS_LIMITS "'><max-bytes>%zu</max-bytes><idle-seconds>%" PRIu64
                 "</idle-seconds></limits>",
                 in ? c->limits.after_auth.stanza_bytes : c->limits.before_auth.stanza_bytes,
                 (in ? c->times.idle_ms : c->times.login_ms) / 1000);
}

void c2s_conn_send_features(struct c2s_conn *k)
{
    struct bytes out = BYTES_EMPTY;

    bytes_append_text(&out, "<stream:features>");
    switch (k->state) {
    case C2S_CONN_PLAIN:
        bytes_append_text(&out, "<starttls xmlns='" NS_TLS "'><required/></starttls>");
        break;
    case C2S_CONN_SECURE:
        c2s_external_look(k);
        k->sha512 = c2s_census_all_have(k->io->c2s, k->domain);
        c2s_sasl2_features(k, &out);
        c2s_sasl1_features(k, &out);
        c2s_offer_write_bindings(k, &out);
        c2s_register_features(k, &out);
        break;
    case C2S_CONN_PROVED:
        bytes_append_text(&out,
                          "<bind xmlns='" NS_BIND "'/><session xmlns='" NS_SESSION
                          "'><optional/></session>" SM_FEATURE BOUND_FEATURES);
        break;
    case C2S_CONN_BOUND: /* in one with the login */
        if (!k->counted) /* clients begin again with whatever is offered */
            bytes_append_text(&out, SM_FEATURE);
        bytes_append_text(&out, BOUND_FEATURES);
        break;
    case C2S_CONN_SECURING:
    case C2S_CONN_PROVING:
    case C2S_CONN_BINDING:
    case C2S_CONN_CLOSING:
        break; /* no header is awaited there */
    }
    put_limits(k, &out);
    bytes_append_text(&out, "</stream:features>");
    stream_send_raw(k->stream, bytes_span(&out));
    bytes_fini(&out);
}

void c2s_conn_set_from(struct c2s_conn *k, const char *from)
{
    mem_free(k->from);
    k->from = from ? mem_dup(from) : NULL;
}

/* Which of our domains the header means (RFC 6120 4.7.2); NULL: none. */
static const char *header_domain(const struct c2s_conn *k, const struct stream_header *h)
{
    const struct c2s *c = k->io->c2s;
    struct arena a;

    arena_init(&a);
    const char *to = jid_parse_domain(&a, h->to);
    const struct c2s_domain *d = to ? c2s_domain_served(c, to) : NULL;
    arena_fini(&a);
    return d ? d->name : NULL;
}

static void on_header(struct stream *s, const struct stream_header *h)
{
    struct c2s_conn *k = stream_user(s);
    const char *domain = header_domain(k, h);
    char id[RANDOM_ID_LEN + 1];

    k->heard_ms = loop_now_ms(k->io->loop);
    random_id(id);
    stream_send_header(s, domain ? domain : c2s_domain_first(k->io->c2s)->name, NULL, id, "1.0", "en");
    if (!domain) {
        c2s_conn_close(k, STREAM_HOST_UNKNOWN, h->to ? "not served here" : "no 'to' in the header");
        return;
    }
    if (!h->version || text_eq(h->version, "") || text_starts_with(h->version, "0")) {
        c2s_conn_close(k, STREAM_UNSUPPORTED_VERSION, NULL);
        return;
    }
    if (k->account && !text_eq(domain, k->account->domain)) {
        c2s_conn_close(k, STREAM_HOST_UNKNOWN, "the account is of another domain");
        return;
    }
    k->domain = domain;
    c2s_conn_set_from(k, k->account ? NULL : h->from);
    stream_set_content_lang(s, h->lang);
    log_ctx_set(stream_log(s), "c2s %s %s", stream_peer_text(s),
                k->account ? k->account->bare : domain);
    c2s_conn_send_features(k);
}

static void on_secure(struct stream *s, const struct tls_info *info)
{
    struct c2s_conn *k = stream_user(s);

    log_debug(stream_log(s), "%s %s", info->version, info->cipher);
    if (k->state == C2S_CONN_SECURING)
        c2s_conn_enter(k, C2S_CONN_SECURE);
}

/* ---- what comes ---- */

static bool nonza_is(const struct stanza *st, const char *name, const char *ns)
{
    return st->kind == STANZA_NONZA && element_is(st->payload->root, name, ns);
}

/* A first-level element that has no place here. */
static void refuse_element(struct c2s_conn *k, const struct stanza *st)
{
    const char *name = st->payload->root->name;
    bool named_like_stanza =
        text_eq(name, "message") || text_eq(name, "presence") || text_eq(name, "iq");

    if (st->kind != STANZA_NONZA)
        c2s_conn_close(k, STREAM_NOT_AUTHORIZED, "stanzas come after login and binding");
    else if (named_like_stanza)
        c2s_conn_close(k, STREAM_INVALID_NAMESPACE, NULL);
    else
        c2s_conn_close(k, STREAM_UNSUPPORTED_STANZA_TYPE, NULL);
}

static void plain_element(struct c2s_conn *k, const struct stanza *st)
{
    bool sasl1 = nonza_is(st, "auth", NS_SASL), sasl2 = nonza_is(st, "authenticate", NS_SASL2);

    if (nonza_is(st, "starttls", NS_TLS)) {
        stream_send_text(k->stream, "<proceed xmlns='" NS_TLS "'/>");
        c2s_conn_enter(k, C2S_CONN_SECURING);
        stream_accept_tls(k->stream, k->io->c2s->tls, k->domain, TLS_ASK_PEOPLE);
    } else if (sasl1 || sasl2) {
        (sasl1 ? c2s_sasl1_refuse_plain : c2s_sasl2_refuse_plain)(k);
        if (++k->failures >= k->io->c2s->limits.auth_tries)
            c2s_conn_close(k, STREAM_POLICY_VIOLATION, "TLS is required before login");
    } else {
        refuse_element(k, st);
    }
}

static void secure_element(struct c2s_conn *k, struct stanza *st)
{
    if (st->kind == STANZA_NONZA && text_eq(st->payload->root->ns, NS_SASL))
        c2s_sasl1_nonza(k, st);
    else if (st->kind == STANZA_NONZA && text_eq(st->payload->root->ns, NS_SASL2))
        c2s_sasl2_nonza(k, st);
    else if (k->state != C2S_CONN_SECURE || !c2s_register_take(k, st))
        refuse_element(k, st);
}

void c2s_conn_ask_shard(struct c2s_conn *k, enum c2s_mail_kind kind, struct stanza *st)
{
    c2s_conn_enter(k, C2S_CONN_BINDING);
    c2s_conn_pause(k, C2S_PAUSE_ANSWER);
    c2s_mail_to_link(k->shard, &(struct c2s_mail){kind, .conn = k, .st = st});
}

static void proved_element(struct c2s_conn *k, struct stanza *st)
{
    if (st->kind == STANZA_IQ && st->type == IQ_SET && stanza_child(st, "bind", NS_BIND))
        c2s_conn_ask_shard(k, C2S_MAIL_BIND, st);
    else if (nonza_is(st, "resume", NS_SM))
        c2s_conn_ask_shard(k, C2S_MAIL_RESUME, st);
    else if (nonza_is(st, "enable", NS_SM))
        stream_send_text(k->stream, "<failed xmlns='" NS_SM "'><unexpected-request xmlns='" //
                         NS_STANZA_ERRORS "'/></failed>");
    else
        refuse_element(k, st);
}

static size_t credit_of(const struct c2s *c)
{
    return store_backlog_bytes(c->store) > c->limits.backlog_bytes ? 0 : c->limits.credit_bytes;
}

static void bound_element(struct c2s_conn *k, struct stanza *st)
{
    struct c2s_mail m = {C2S_MAIL_STANZA, .conn = k, .link = k->link, .st = st};

    if (st->kind != STANZA_NONZA) {
        m.n = stanza_size(st);
        k->unsettled_bytes += m.n;
        c2s_mail_to_link(k->shard, &m);
        if (k->unsettled_bytes > credit_of(k->io->c2s))
            c2s_conn_pause(k, C2S_PAUSE_CREDIT);
        if (!gate_is_open(&k->io->gate))
            c2s_conn_pause(k, C2S_PAUSE_STORE);
        return;
    }
    const char *ns = st->payload->root->ns;
    if (!text_eq(ns, NS_SM) && !text_eq(ns, NS_CSI)) {
        refuse_element(k, st);
        return;
    }
    m.kind = C2S_MAIL_NONZA;
    c2s_mail_to_link(k->shard, &m);
}

static void on_stanza(struct stream *s, struct stanza *st)
{
    struct c2s_conn *k = stream_user(s);

    k->heard_ms = loop_now_ms(k->io->loop);
    if (nonza_is(st, "error", NS_STREAM)) { /* the stream ends by itself */
        stanza_unref(&st);
        return;
    }
    switch (k->state) {
    case C2S_CONN_PLAIN:
        plain_element(k, st);
        break;
    case C2S_CONN_SECURE:
    case C2S_CONN_PROVING:
        secure_element(k, st);
        break;
    case C2S_CONN_PROVED:
        proved_element(k, st);
        break;
    case C2S_CONN_BOUND:
        bound_element(k, st);
        break;
    case C2S_CONN_SECURING:
    case C2S_CONN_BINDING:
    case C2S_CONN_CLOSING:
        break; /* the stream is not read there */
    }
    stanza_unref(&st);
    if (k->stream && k->state != C2S_CONN_CLOSING && answers_are_stuck(k))
        conn_cut(k, "it does not read what it is answered");
}

/* ---- from the link ---- */

static void report_given(struct c2s_conn *k)
{
    unsigned n = k->given_count;

    if (!n || !k->link)
        return;
    k->given_count = 0;
    c2s_mail_to_link(k->shard,
                     &(struct c2s_mail){C2S_MAIL_GIVEN, .conn = k, .link = k->link, .n = n});
}

static void on_drained(struct stream *s)
{
    struct c2s_conn *k = stream_user(s);

    k->full_ms = 0;
    report_given(k);
}

static void send_stanza(struct c2s_conn *k, const struct c2s_mail *m)
{
    atomic_fetch_add_explicit(&k->io->c2s->stanzas_out, 1, memory_order_relaxed);
    stream_send(k->stream, m->st);
    k->given_count += m->n != 0;
    if (k->state != C2S_CONN_CLOSING && output_is_stuck(k))
        conn_cut(k, "it does not read what it is sent");
}

static void bound(struct c2s_conn *k, const struct c2s_mail *m)
{
    if (!k->stream || k->state == C2S_CONN_CLOSING) { /* it went meanwhile */
        c2s_mail_to_link(k->shard,
                         &(struct c2s_mail){C2S_MAIL_GONE, .conn = k, .link = m->link, .n = 1});
        return;
    }
    k->link = c2s_link_ref(m->link);
    c2s_conn_enter(k, C2S_CONN_BOUND);
    timer_start(&k->timer, k->io->loop, k->io->c2s->times.idle_ms, on_silence_due);
    if (k->sasl2)
        c2s_sasl2_bound(k, m->text);
    else if (m->st)
        stream_send(k->stream, m->st);
    else
        stream_send_raw(k->stream, m->text);
    c2s_conn_resume(k, C2S_PAUSE_ANSWER);
}

static void refused(struct c2s_conn *k, const struct c2s_mail *m)
{
    if (k->state != C2S_CONN_BINDING)
        return;
    c2s_conn_enter(k, C2S_CONN_PROVED);
    c2s_conn_resume(k, C2S_PAUSE_ANSWER);
    if (k->sasl2)
        c2s_sasl2_refused(k, m);
    else if (m->st)
        stream_send(k->stream, m->st);
    else
        stream_send_raw(k->stream, m->text);
}

static void credit(struct c2s_conn *k, size_t n)
{
    CHECK(n <= k->unsettled_bytes);
    k->unsettled_bytes -= n;
    if (k->unsettled_bytes <= credit_of(k->io->c2s) / 2)
        c2s_conn_resume(k, C2S_PAUSE_CREDIT);
}

void c2s_conn_handle(struct c2s_conn *k, const struct c2s_mail *m)
{
    bool open = k->stream && k->state != C2S_CONN_CLOSING;

    if (!k->stream && m->kind != C2S_MAIL_BOUND)
        return; /* k->io may be gone too */
    if (m->kind == C2S_MAIL_BOUND)
        bound(k, m);
    else if (m->kind == C2S_MAIL_REFUSED)
        refused(k, m);
    else if (m->kind == C2S_MAIL_CREDIT)
        credit(k, m->n);
    else if (m->kind == C2S_MAIL_OVERDUE && !k->pauses) /* else it may have come and was not read */
        c2s_conn_close(k, STREAM_CONNECTION_TIMEOUT, "no acknowledgement");
    else if (m->kind == C2S_MAIL_SEND && open)
        send_stanza(k, m);
    else if (m->kind == C2S_MAIL_TEXT && open)
        stream_send_raw(k->stream, m->text);
    else if (m->kind == C2S_MAIL_CLOSE)
        conn_close_with(k, m->error, m->why, m->text);
}

/* ---- beginning and end ---- */

/* What may be resumed: a stream that broke, was cut by us for its slowness, or fell silent. One
 * that was closed, or in which one side saw an error of the other, is over (XEP-0198 section 5). */
static bool may_resume(const struct stream_end *end)
{
    return !end->orderly && end->received == STREAM_OK &&
           (end->sent == STREAM_OK || end->sent == STREAM_CONNECTION_TIMEOUT);
}

static void on_end(struct stream *s, const struct stream_end *end)
{
    struct c2s_conn *k = stream_user(s);
    struct c2s_link *link = k->link;

    log_info(stream_log(s), "stream ended: %s", end->text);
    c2s_auth_drop(k);
    c2s_sasl2_drop(k);
    c2s_register_drop(k);
    if (k->state != C2S_CONN_CLOSING)
        c2s_conn_enter(k, C2S_CONN_CLOSING);
    timer_stop(&k->timer);
    k->stream = NULL;
    k->link = NULL;
    if (link)
        c2s_mail_to_link(k->shard, &(struct c2s_mail){C2S_MAIL_GONE, .conn = k, .link = link,
                                                      .n = may_resume(end)});
    c2s_link_unref(&link);
    if (k->port->listener)
        listener_forget(k->port->listener, &k->peer.sa);
    else if (k->port->web && stream_wire(s))
        c2s_web_forget(k->port, &k->peer.sa);
    list_remove(&k->node);
    c2s_io_left(k->io);
    c2s_conn_unref(&k);
}

static const struct stream_policy policy = {
    .content_ns = NS_CLIENT,
    .receiving = true,
    .on_header = on_header,
    .on_stanza = on_stanza,
    .on_secure = on_secure,
    .on_drained = on_drained,
    .on_end = on_end,
};

static const struct stream_policy framed_policy = {
    .content_ns = NS_CLIENT,
    .receiving = true,
    .framed = true, /* over BOSH it says nothing */
    .on_header = on_header,
    .on_stanza = on_stanza,
    .on_drained = on_drained,
    .on_end = on_end,
};

/* No more of `peer` is kept than an address needs: links are many. */
static void keep_peer(struct c2s_conn *k, const struct sockaddr *peer)
{
    if (peer->sa_family == AF_INET6)
        memcpy(&k->peer.in6, peer, sizeof(k->peer.in6));
    else if (peer->sa_family == AF_INET)
        memcpy(&k->peer.in, peer, sizeof(k->peer.in));
    else
        k->peer.sa.sa_family = peer->sa_family;
}

static struct c2s_conn *conn_create(struct c2s_port *port, const struct sockaddr *peer, enum c2s_conn_state state)
{
    struct c2s_io *io = port->io;
    struct c2s_conn *k = mem_new(struct c2s_conn);

    ref_init(&k->ref);
    k->io = io;
    k->port = port;
    k->state = state;
    k->heard_ms = loop_now_ms(io->loop);
    keep_peer(k, peer);
    list_append(&io->conns, &k->node);
    io->conn_count++;
    atomic_fetch_add(&io->c2s->connections, 1);
    return k;
}

static void conn_begin(struct c2s_conn *k)
{
    struct c2s_io *io = k->io;
    const struct c2s *c = io->c2s;

    log_ctx_set(stream_log(k->stream), "c2s %s", stream_peer_text(k->stream));
    timer_start(&k->timer, io->loop, c->times.login_ms, on_login_due);
    if (io->stopping)
        c2s_conn_close(k, STREAM_SYSTEM_SHUTDOWN, NULL);
    else if (c->limits.connections && io->conn_count > c->limits.connections)
        c2s_conn_close(k, STREAM_RESOURCE_CONSTRAINT, "too many connections");
}

static void conn_open(struct c2s_port *port, struct wire *w, const struct sockaddr *peer, enum c2s_conn_state state,
                      const struct stream_policy *p)
{
    const struct c2s *c = port->io->c2s;
    struct c2s_conn *k = conn_create(port, peer, state);

    wire_set_marks(w, 0, 0); /* on_drained whenever the socket has taken all */
    k->stream = stream_open(w, p, k, c->limits.before_auth, c->times.header_ms);
    conn_begin(k);
}

void c2s_conn_accept(struct c2s_port *port, uv_os_sock_t fd, const struct sockaddr_storage *peer)
{
    struct c2s *c = port->io->c2s;
    struct wire *w = wire_open(port->io->loop, fd, NULL, NULL);

    if (port->direct_tls)
        wire_accept_tls(w, c->tls, c2s_domain_first(c)->name, TLS_ASK_PEOPLE, TLS_ALPN_XMPP_CLIENT);
    conn_open(port, w, (const struct sockaddr *)peer, port->direct_tls ? C2S_CONN_SECURING : C2S_CONN_PLAIN, &policy);
}

void c2s_conn_accept_web(struct c2s_port *port, struct wire *w, const struct sockaddr *peer)
{
    conn_open(port, w, peer, C2S_CONN_SECURE, &framed_policy);
}

struct stream *c2s_conn_accept_bosh(struct c2s_port *port, struct stream_carrier *carrier, const struct sockaddr *peer)
{
    const struct c2s *c = port->io->c2s;
    struct c2s_conn *k = conn_create(port, peer, C2S_CONN_SECURE);

    k->stream = stream_carried_open(carrier, &framed_policy, k, c->limits.before_auth, c->times.header_ms);
    conn_begin(k);
    return k->stream;
}
