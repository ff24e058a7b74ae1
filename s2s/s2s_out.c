/* SPDX-License-Identifier: MIT */
/* One outgoing stream: SRV, addresses, TCP, header, STARTTLS, header again, features. Decided here:
 * where a domain is (RFC 6120 3.2: SRV, and the domain's own addresses only when there is no SRV at
 * all; the next target also when one takes the connection and fails before its features), and that TLS is
 * not optional unless the admin says so for that domain.
 * Only so many streams of a shard are on their way at a time; the others wait by urgency, and each urgency has
 * its turn: a thousand domains that do not answer hold up neither those that were well nor questions.
 * Users: the pair, and dialback's question to the authoritative server. */
#include "s2s/s2s_out.h"

#include <idn2.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/dial.h"
#include "gateway/xmpp/ns.h"
#include "s2s/s2s_internal.h"

enum { DEFAULT_PORT = 5269, TARGETS_MAX = 16 };

/* clang-format off */
#define OUT_STATES(S) /* name may be followed by                                                        */ \
    S(WAITING,   TO(RESOLVING) | TO(CLOSING)) /* as many as may be are on their way                     */ \
    S(RESOLVING, TO(DIALLING) | TO(CLOSING))  /* SRV is asked                                           */ \
    S(DIALLING,  TO(DIALLING) | TO(PLAIN) | TO(CLOSING)) /* one target after the other                  */ \
    S(PLAIN,     TO(STARTTLS) | TO(READY) | ANOTHER) /* header sent without TLS; features awaited       */ \
    S(STARTTLS,  TO(SECURING) | ANOTHER)      /* <starttls/> sent                                       */ \
    S(SECURING,  TO(SECURE) | ANOTHER)        /* handshake, then header again                           */ \
    S(SECURE,    TO(READY) | ANOTHER)         /* header sent under TLS; features awaited                */ \
    S(LEAVING,   ANOTHER)                     /* this target failed: its stream ends, then the next     */ \
    S(READY,     TO(CLOSING))                 /* on_ready was called                                    */ \
    S(CLOSING,   0)                           /* the stream ends; on_end comes                          */
/* The target's stream fails, or ends: */
#define ANOTHER (TO(LEAVING) | TO(DIALLING) | TO(CLOSING))
/* clang-format on */

#define TO(name) (1u << OUT_##name)
enum out_state {
#define S(name, next) OUT_##name,
    OUT_STATES(S)
#undef S
};
static const unsigned may_follow[] = {
#define S(name, next) next,
    OUT_STATES(S)
#undef S
};
#undef ANOTHER
#undef TO
static const char *const state_names[] = {
#define S(name, next) #name,
    OUT_STATES(S)
#undef S
};

struct target {
    char host[256];
    uint16_t port;
};

struct s2s_out {
    enum out_state state;
    struct s2s_shard *shard;
    struct list node; /* in shard->outs */
    struct list wait_node; /* in shard->waiting, while WAITING */
    bool has_turn;         /* counts in shard->under_way */
    char *local, *remote;
    const struct s2s_out_events *ev;
    void *user;
    struct dns_query *query;
    struct dial *dial;
    struct stream *stream;
    struct target *targets; /* room for TARGETS_MAX; NULL once it is ready */
    unsigned target_count, target_next;
    bool temporary, refused; /* how targets failed: a later attempt may succeed; policy */
    struct timer timeout;        /* of the attempt */
    struct timer target_timeout; /* of a target that is not the last */
    struct command turn; /* begins, or ends without a stream: later */
    bool posted;         /* `turn` is on its way */
    enum s2s_failure why;
    char text[200];
    char ascii[256];     /* remote, as DNS knows it */
    char stream_id[256]; /* of the peer's newest header */
    bool offers_dialback, offers_queue;
    struct s2s_trail *trail;
    struct log_ctx log;
};

static void try_next_target(struct s2s_out *o);
static void start(struct s2s_out *o);
static void on_timeout(struct timer *t);

static void enter(struct s2s_out *o, enum out_state next)
{
    CHECK(may_follow[o->state] & 1u << next);
    log_debug(&o->log, "outgoing stream %s -> %s", state_names[o->state], state_names[next]);
    o->state = next;
}

/* ---- turns ---- */

/* The first of the next urgency that has somebody waiting. */
static struct s2s_out *whose_turn(struct s2s_shard *sh)
{
    for (unsigned i = 0; i < S2S_URGENCIES; i++) {
        unsigned u = (sh->next_urgency + i) % S2S_URGENCIES;
        struct list *first = list_first(&sh->waiting[u]);
        if (!first)
            continue;
        sh->next_urgency = u + 1;
        return list_entry(first, struct s2s_out, wait_node);
    }
    return NULL;
}

static void give_turns(struct s2s_shard *sh)
{
    struct s2s_out *o;
    while (sh->under_way < sh->s2s->o.attempts_max && (o = whose_turn(sh))) {
        list_remove(&o->wait_node);
        o->has_turn = true;
        sh->under_way++;
        timer_start(&o->timeout, sh->loop, sh->s2s->o.connect_timeout_ms, on_timeout);
        enter(o, OUT_RESOLVING);
        start(o);
    }
}

static void end_turn(struct s2s_out *o)
{
    if (!o->has_turn)
        return;
    o->has_turn = false;
    o->shard->under_way--;
    give_turns(o->shard);
}

/* ---- the end ---- */

static void out_free(struct s2s_out *o)
{
    struct s2s_shard *sh = o->shard;
    timer_stop(&o->timeout);
    timer_stop(&o->target_timeout);
    list_remove(&o->node);
    end_turn(o);
    o->ev->on_end(o->user, o->why, o->text);
    s2s_trail_unref(&o->trail);
    mem_free(o->targets);
    mem_free(o->local);
    mem_free(o->remote);
    mem_free(o);
    s2s_shard_check_stopped(sh);
}

static void run_turn(struct command *c);

static void post_turn(struct s2s_out *o)
{
    if (o->posted)
        return;
    o->posted = true;
    o->turn.run = run_turn;
    loop_post(o->shard->loop, &o->turn);
}

/* Notes why; the first reason stands. */
static void note(struct s2s_out *o, enum s2s_failure why, const char *text)
{
    if (o->text[0])
        return;
    o->why = why;
    text_copy(o->text, sizeof o->text, text);
}

/* Before there is a stream: on_end comes with the next turn. */
static void end_early(struct s2s_out *o, enum s2s_failure why, const char *text)
{
    if (o->state == OUT_CLOSING)
        return;
    note(o, why, text);
    if (o->query)
        dns_cancel(o->query);
    if (o->dial)
        dial_cancel(o->dial);
    o->query = NULL;
    o->dial = NULL;
    timer_stop(&o->timeout);
    list_remove(&o->wait_node);
    enter(o, OUT_CLOSING);
    post_turn(o);
}

static void end_stream(struct s2s_out *o, enum s2s_failure why, enum stream_error e, const char *text)
{
    if (!o->stream) {
        end_early(o, why, text);
        return;
    }
    note(o, why, text ? text : "closed");
    if (o->state == OUT_CLOSING)
        return;
    enter(o, OUT_CLOSING);
    timer_stop(&o->timeout);
    timer_stop(&o->target_timeout);
    stream_close(o->stream, e, text);
}

/* What is under way. */
static enum s2s_step step_of(const struct s2s_out *o)
{
    switch (o->state) {
    case OUT_WAITING:
    case OUT_RESOLVING:
        return S2S_STEP_DNS;
    case OUT_DIALLING:
        return S2S_STEP_TCP;
    case OUT_STARTTLS:
    case OUT_SECURING:
        return S2S_STEP_TLS;
    case OUT_PLAIN:
    case OUT_SECURE:
    case OUT_LEAVING:
    case OUT_READY:
    case OUT_CLOSING:
        break;
    }
    return S2S_STEP_STREAM;
}

static void on_timeout(struct timer *t)
{
    struct s2s_out *o = container_of(t, struct s2s_out, timeout);
    s2s_trail_fail(o->trail, step_of(o), S2S_WHY_NO_ANSWER, "no answer in time");
    end_stream(o, S2S_TIMEOUT, STREAM_CONNECTION_TIMEOUT, "no answer in time");
}

/* Has the end of this stream been nothing but this target's? */
static bool has_next_target(const struct s2s_out *o)
{
    return o->targets && o->target_next < o->target_count && o->state != OUT_CLOSING && o->state != OUT_READY;
}

/* What one target's failure says of the domain. */
static void add_failure(struct s2s_out *o, enum s2s_failure why)
{
    o->refused = o->refused || why == S2S_REFUSED;
    o->temporary = o->temporary || why == S2S_TIMEOUT || why == S2S_FAULTED;
}

/* The domain does not exist only when none of its targets does. */
static enum s2s_failure all_failed(const struct s2s_out *o)
{
    return o->temporary ? S2S_TIMEOUT : o->refused ? S2S_REFUSED : S2S_NOT_FOUND;
}

/* The stream to a target is of no use: the next one, or the end. */
static void leave_target(struct s2s_out *o, enum s2s_failure why, enum stream_error e, const char *text)
{
    if (!has_next_target(o)) {
        end_stream(o, why, e, text);
        return;
    }
    if (o->state == OUT_LEAVING)
        return;
    note(o, why, text);
    enter(o, OUT_LEAVING);
    stream_close(o->stream, e, text);
}

static void on_target_timeout(struct timer *t)
{
    struct s2s_out *o = container_of(t, struct s2s_out, target_timeout);
    note(o, S2S_TIMEOUT, "no answer in time");
    s2s_trail_fail(o->trail, step_of(o), S2S_WHY_NO_ANSWER, "no answer in time");
    enter(o, OUT_LEAVING);
    stream_abort(o->stream);
}

/* ---- the stream ---- */

static void send_header(struct s2s_out *o)
{
    stream_send_header(o->stream, o->local, o->remote, NULL, "1.0", NULL);
}

static void on_header(struct stream *s, const struct stream_header *h)
{
    struct s2s_out *o = stream_user(s);
    text_copy(o->stream_id, sizeof o->stream_id, h->id ? h->id : "");
    if (!o->stream_id[0]) {
        s2s_trail_fail(o->trail, S2S_STEP_STREAM, S2S_WHY_OUR_ERROR, "its header has no id");
        leave_target(o, S2S_TIMEOUT, STREAM_BAD_FORMAT, "the peer's header has no id");
    } else if (!h->version) {
        s2s_trail_fail(o->trail, S2S_STEP_TLS, S2S_WHY_NO_TLS, "it speaks no XMPP 1.0, so no TLS");
        leave_target(o, S2S_REFUSED, STREAM_UNSUPPORTED_VERSION, "the peer speaks no XMPP 1.0, so no TLS");
    }
}

static void become_ready(struct s2s_out *o)
{
    timer_stop(&o->timeout);
    timer_stop(&o->target_timeout);
    mem_free(o->targets);
    o->targets = NULL;
    enter(o, OUT_READY);
    end_turn(o);
    o->ev->on_ready(o->user, o->stream_id, o->offers_dialback);
}

static void on_features(struct s2s_out *o, const struct stanza *st)
{
    o->offers_dialback = stanza_child(st, "dialback", NS_DIALBACK_FEATURE) != NULL;
    o->offers_queue = stanza_child(st, "queue", NS_QUEUE) != NULL;
    if (o->state == OUT_PLAIN && stanza_child(st, "starttls", NS_TLS)) {
        enter(o, OUT_STARTTLS);
        stream_send_text(o->stream, "<starttls xmlns='" NS_TLS "'/>");
    } else if (o->state == OUT_PLAIN && !s2s_remote_of(o->shard->s2s, o->remote)->tls_optional) {
        s2s_trail_fail(o->trail, S2S_STEP_TLS, S2S_WHY_NO_TLS, "it offers no TLS");
        leave_target(o, S2S_REFUSED, STREAM_POLICY_VIOLATION,
                   "the peer offers no TLS; 'remote' with 'tls = optional' would allow that");
    } else if (o->state == OUT_PLAIN || o->state == OUT_SECURE) {
        become_ready(o);
    }
}

static void on_starttls_answer(struct s2s_out *o, const struct stanza *st)
{
    if (element_is(st->payload->root, "proceed", NS_TLS)) {
        enter(o, OUT_SECURING);
        stream_connect_tls(o->stream, o->shard->s2s->o.tls, o->local, o->remote);
    } else {
        s2s_trail_fail(o->trail, S2S_STEP_TLS, S2S_WHY_TLS_FAILED, "it offers TLS, and then refuses to start it");
        leave_target(o, S2S_TIMEOUT, STREAM_UNDEFINED_CONDITION, "the peer refused to start TLS");
    }
}

static void on_stanza(struct stream *s, struct stanza *st)
{
    struct s2s_out *o = stream_user(s);
    const struct element *root = st->payload->root;
    if (st->kind != STANZA_NONZA) /* only we speak on this stream (RFC 6120 4.3) */
        leave_target(o, S2S_TIMEOUT, STREAM_NOT_AUTHORIZED, "stanza on a stream that only we may use");
    else if (element_is(root, "features", NS_STREAM))
        on_features(o, st);
    else if (element_is(root, "error", NS_STREAM))
        ; /* on_stream_end tells */
    else if (o->state == OUT_STARTTLS)
        on_starttls_answer(o, st);
    else if (o->state == OUT_READY)
        o->ev->on_element(o->user, st);
    stanza_unref(&st);
}

static void on_secure(struct stream *s, const struct tls_info *info)
{
    struct s2s_out *o = stream_user(s);
    struct bytes b = BYTES_EMPTY;
    log_debug(&o->log, "TLS with %s, %s", info->version, info->cipher);
    s2s_trail_note(o->trail, S2S_STEP_TLS, "%s, %s", info->version, info->cipher);
    enum s2s_reason why = s2s_reason_of_certificate(info, o->remote, &b);
    s2s_trail_fail(o->trail, S2S_STEP_CERTIFICATE, why, "%s", bytes_text(&b));
    bytes_fini(&b);
    enter(o, OUT_SECURE);
    send_header(o);
}

static void on_drained(struct stream *s)
{
    struct s2s_out *o = stream_user(s);
    if (o->ev->on_drained && o->state == OUT_READY)
        o->ev->on_drained(o->user);
}

/* Could what we sent be the reason? */
static bool is_innocent(enum stream_error received)
{
    static const enum stream_error innocent[] = {
        STREAM_OK,    STREAM_SYSTEM_SHUTDOWN,       STREAM_CONNECTION_TIMEOUT,       STREAM_CONFLICT,
        STREAM_RESET, STREAM_RESOURCE_CONSTRAINT,   STREAM_REMOTE_CONNECTION_FAILED, STREAM_SEE_OTHER_HOST,
    };
    for (size_t i = 0; i < sizeof innocent / sizeof *innocent; i++)
        if (innocent[i] == received)
            return true;
    return false;
}

static enum s2s_failure why_ended(const struct s2s_out *o, const struct stream_end *end)
{
    if (end->received == STREAM_HOST_UNKNOWN || end->received == STREAM_HOST_GONE)
        return S2S_NOT_FOUND;
    if (end->received == STREAM_POLICY_VIOLATION || end->received == STREAM_NOT_AUTHORIZED)
        return S2S_REFUSED;
    return o->state == OUT_READY && !is_innocent(end->received) ? S2S_FAULTED : S2S_TIMEOUT;
}

static void on_stream_end(struct stream *s, const struct stream_end *end)
{
    struct s2s_out *o = stream_user(s);
    o->stream = NULL;
    timer_stop(&o->target_timeout);
    s2s_trail_end(o->trail, s2s_reason_of_end(end), end->text);
    note(o, why_ended(o, end), end->text);
    if (o->targets)
        add_failure(o, o->why);
    if (has_next_target(o)) {
        log_info(&o->log, "%s: %s", o->targets[o->target_next - 1].host, o->text);
        o->text[0] = '\0';
        o->offers_dialback = o->offers_queue = false;
        try_next_target(o);
        return;
    }
    if (o->targets)
        o->why = all_failed(o);
    out_free(o);
}

static const struct stream_policy policy = {
    .content_ns = NS_SERVER,
    .receiving = false,
    .on_header = on_header,
    .on_stanza = on_stanza,
    .on_secure = on_secure,
    .on_drained = on_drained,
    .on_end = on_stream_end,
};

/* ---- getting there ---- */

static void target_failed(struct s2s_out *o, const struct error *e)
{
    enum s2s_reason why = s2s_reason_of_dial(e);
    bool is_itself = strcmp(o->targets[o->target_next - 1].host, o->ascii) == 0;
    log_info(&o->log, "%s", e->text);
    s2s_trail_fail(o->trail, why == S2S_WHY_NO_ADDRESS || why == S2S_WHY_DNS_SILENT ? S2S_STEP_DNS : S2S_STEP_TCP,
                   why == S2S_WHY_NO_ADDRESS && is_itself ? S2S_WHY_NO_NAME : why, "%s", e->text);
    add_failure(o, e->code == ERROR_DENIED      ? S2S_REFUSED
                   : e->code == ERROR_NOT_FOUND ? S2S_NOT_FOUND
                                                : S2S_TIMEOUT);
    if (has_next_target(o))
        try_next_target(o);
    else
        end_early(o, all_failed(o), e->text);
}

static void on_dialled(void *user, uv_os_sock_t fd, const struct error *e)
{
    struct s2s_out *o = user;
    o->dial = NULL;
    if (fd < 0) {
        target_failed(o, e);
        return;
    }
    static const struct wire_events none = {0};
    struct wire *w = wire_open(o->shard->loop, fd, &none, NULL);
    wire_set_marks(w, S2S_OUT_HIGH_BYTES / 4, S2S_OUT_HIGH_BYTES / 2);
    o->stream = stream_open(w, &policy, o, XML_LIMITS_DEFAULT, 0);
    log_ctx_set(stream_log(o->stream), "s2s-out %s>%s", o->local, o->remote);
    s2s_trail_note(o->trail, S2S_STEP_TCP, "connected to %s, %s", o->targets[o->target_next - 1].host,
                   wire_peer_text(w));
    enter(o, OUT_PLAIN);
    if (has_next_target(o))
        timer_start(&o->target_timeout, o->shard->loop, o->shard->s2s->o.connect_timeout_ms / 3, on_target_timeout);
    send_header(o);
}

static void try_next_target(struct s2s_out *o)
{
    const struct target *t = &o->targets[o->target_next++];
    enter(o, OUT_DIALLING);
    o->dial = dial_start(&(struct dial_options){.loop = o->shard->loop,
                                                .dns = o->shard->dns,
                                                .egress = o->shard->s2s->o.egress,
                                                .purpose = EGRESS_S2S,
                                                .host = t->host,
                                                .port = t->port},
                         on_dialled, o);
}

static void add_target(struct s2s_out *o, const char *host, uint16_t port)
{
    if (o->target_count == TARGETS_MAX)
        return;
    struct target *t = &o->targets[o->target_count];
    if (text_copy(t->host, sizeof t->host, host)) {
        t->port = port;
        o->target_count++;
    }
}

static void note_srv(struct s2s_out *o, const struct dns_answer *a)
{
    struct bytes b = BYTES_EMPTY;
    for (unsigned i = 0; a->status == DNS_FOUND && i < a->count; i++)
        bytes_printf(&b, "%s%s port %u", i ? ", " : "", a->srv[i].target, a->srv[i].port);
    if (b.len)
        s2s_trail_note(o->trail, S2S_STEP_DNS, "SRV _xmpp-server._tcp.%s: %s", o->ascii, bytes_text(&b));
    else
        s2s_trail_note(o->trail, S2S_STEP_DNS, "no SRV _xmpp-server._tcp.%s; its own address, port %u", o->ascii,
                       DEFAULT_PORT);
    bytes_fini(&b);
}

static void on_srv(void *user, const struct dns_answer *a)
{
    struct s2s_out *o = user;
    o->query = NULL;
    if (a->status == DNS_FAILED) {
        char text[160];
        snprintf(text, sizeof text, "DNS does not answer for _xmpp-server._tcp.%s: %s", o->remote, a->text);
        s2s_trail_fail(o->trail, S2S_STEP_DNS, S2S_WHY_DNS_SILENT, "%s", text);
        end_early(o, S2S_TIMEOUT, text);
        return;
    }
    note_srv(o, a);
    for (unsigned i = 0; a->status == DNS_FOUND && i < a->count; i++)
        if (strcmp(a->srv[i].target, ".") != 0)
            add_target(o, a->srv[i].target, a->srv[i].port);
    if (a->status == DNS_FOUND && o->target_count == 0) {
        s2s_trail_fail(o->trail, S2S_STEP_DNS, S2S_WHY_NO_SERVER, "the target of its SRV record is \".\"");
        end_early(o, S2S_NOT_FOUND, "the domain's SRV record says that it has no XMPP server");
        return;
    }
    if (o->target_count == 0)
        add_target(o, o->ascii, DEFAULT_PORT);
    try_next_target(o);
}

/* DNS knows names as A-labels; false: it cannot know this one. */
static bool to_ascii(char out[256], const char *domain)
{
    uint8_t *labels = NULL;
    const char *p = domain;
    while (*p && !(*p & 0x80))
        p++;
    if (!*p)
        return text_copy(out, 256, domain);
    if (idn2_lookup_u8((const uint8_t *)domain, &labels, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    bool fits = text_copy(out, 256, (const char *)labels);
    idn2_free(labels);
    return fits;
}

static void start(struct s2s_out *o)
{
    const struct s2s_remote *r = s2s_remote_of(o->shard->s2s, o->remote);
    if (o->shard->stopping) {
        end_early(o, S2S_TIMEOUT, "we are shutting down");
    } else if (r->deny) {
        s2s_trail_fail(o->trail, S2S_STEP_POLICY, S2S_WHY_OUR_POLICY, "our policy denies streams with this domain");
        end_early(o, S2S_REFUSED, "our policy denies streams with this domain");
    } else if (r->host) {
        s2s_trail_note(o->trail, S2S_STEP_DNS, "the configuration names %s port %u", r->host,
                       r->port ? r->port : DEFAULT_PORT);
        add_target(o, r->host, r->port ? r->port : DEFAULT_PORT);
        try_next_target(o);
    } else if (!to_ascii(o->ascii, o->remote)) {
        s2s_trail_fail(o->trail, S2S_STEP_DNS, S2S_WHY_NO_NAME, "it is no name that DNS could know");
        end_early(o, S2S_NOT_FOUND, "the domain is no name that DNS could know");
    } else {
        o->query = dns_srv(o->shard->dns, "_xmpp-server._tcp", o->ascii, on_srv, o);
    }
}

static void run_turn(struct command *c)
{
    struct s2s_out *o = container_of(c, struct s2s_out, turn);
    o->posted = false;
    if (o->state == OUT_CLOSING)
        out_free(o); /* ended before there was a stream */
    else
        give_turns(o->shard);
}

struct s2s_out *s2s_out_open(struct s2s_shard *sh, const char *local, const char *remote, enum s2s_urgency u,
                             const struct s2s_out_events *ev, void *user)
{
    loop_check(sh->loop);
    struct s2s_out *o = mem_new(struct s2s_out);
    o->state = OUT_WAITING;
    o->shard = sh;
    o->local = mem_dup(local);
    o->remote = mem_dup(remote);
    o->targets = mem_array(TARGETS_MAX, sizeof *o->targets);
    o->ev = ev;
    o->user = user;
    o->why = S2S_TIMEOUT;
    o->trail = s2s_trail_new(sh->loop);
    log_ctx_set(&o->log, "s2s-out %s>%s", local, remote);
    list_append(&sh->outs, &o->node);
    list_append(&sh->waiting[u], &o->wait_node);
    if (u == S2S_QUESTION) /* the one who waits for the answer does so no longer either */
        timer_start(&o->timeout, sh->loop, sh->s2s->o.connect_timeout_ms, on_timeout);
    post_turn(o);
    return o;
}

struct stream *s2s_out_stream(struct s2s_out *o)
{
    CHECK(o->state == OUT_READY);
    return o->stream;
}

struct s2s_trail *s2s_out_trail(struct s2s_out *o)
{
    return o->trail;
}

bool s2s_out_offers_queue(const struct s2s_out *o)
{
    return o->offers_queue;
}

bool s2s_out_is_ready(const struct s2s_out *o)
{
    return o->state == OUT_READY && stream_is_open(o->stream);
}

void s2s_out_close(struct s2s_out *o, enum stream_error e, const char *text)
{
    end_stream(o, S2S_TIMEOUT, e, text ? text : "closed");
}
