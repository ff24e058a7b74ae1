/* SPDX-License-Identifier: MIT */
/* One outgoing stream: its turn, where the domain is, TCP, header, STARTTLS, header again, features. Decided here:
 * that the next target is tried also when one takes the connection and fails before its features, and that TLS is
 * not optional unless the admin says so for that domain.
 * Users: the pair, and dialback's question to the authoritative server. */
#include "s2s/s2s_out.h"

#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "s2s/s2s_external.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_locate.h"
#include "s2s/s2s_policy.h"
#include "s2s/s2s_reach.h"

/* clang-format off */
#define OUT_STATES(S) /* name may be followed by                                                        */ \
    S(WAITING,   TO(LOCATING) | TO(CLOSING))  /* as many as may be are on their way                     */ \
    S(LOCATING,  TO(DIALLING) | TO(CLOSING))  /* where is the domain?                                   */ \
    S(DIALLING,  TO(PLAIN) | TO(SECURING) | TO(CLOSING)) /* one target after the other                  */ \
    S(PLAIN,     TO(STARTTLS) | TO(READY) | ANOTHER) /* header sent without TLS; features awaited       */ \
    S(STARTTLS,  TO(SECURING) | ANOTHER)      /* <starttls/> sent                                       */ \
    S(SECURING,  TO(SECURE) | ANOTHER)        /* handshake, then header again                           */ \
    S(SECURE,    TO(READY) | ANOTHER)         /* header sent under TLS; features awaited                */ \
    S(LEAVING,   ANOTHER)                     /* this target failed: its stream ends, then the next     */ \
    S(READY,     TO(RESTARTING) | TO(CLOSING)) /* on_ready was called                                   */ \
    S(RESTARTING, TO(READY) | TO(CLOSING))    /* SASL has succeeded: header sent, features awaited      */ \
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

struct s2s_out {
    enum out_state state;
    struct s2s_shard *shard;
    struct list node; /* in shard->outs */
    struct s2s_turn turn;
    char *local, *remote;
    const struct s2s_out_events *ev;
    void *user;
    struct s2s_locate *locate;          /* from its turn until it is ready */
    struct s2s_reach *reach;            /* from its answer until it is ready */
    const struct s2s_target *target;    /* that took the connection; NULL: none yet, or it is ready */
    struct stream *stream;
    bool temporary, refused; /* how targets failed: a later attempt may succeed; policy */
    struct timer timeout;        /* of the attempt */
    struct timer target_timeout; /* of a target that is not the last */
    struct command later; /* begins, or ends without a stream */
    bool posted;          /* `later` is on its way */
    enum s2s_failure why;
    char text[200];
    char last_text[200]; /* how the newest target failed */
    char stream_id[256]; /* of the peer's newest header */
    struct s2s_features features;
    enum s2s_proof proof; /* of the peer */
    struct s2s_trail *trail;
    struct log_ctx log;
};

static void on_timeout(struct timer *t);

static void enter(struct s2s_out *o, enum out_state next)
{
    CHECK(may_follow[o->state] & 1u << next);
    log_debug(&o->log, "outgoing stream %s -> %s", state_names[o->state], state_names[next]);
    o->state = next;
}

/* ---- the end ---- */

static void forget_targets(struct s2s_out *o)
{
    o->target = NULL;
    s2s_reach_free(&o->reach);
    s2s_locate_free(&o->locate);
}

static void out_free(struct s2s_out *o)
{
    struct s2s_shard *sh = o->shard;
    timer_stop(&o->timeout);
    timer_stop(&o->target_timeout);
    list_remove(&o->node);
    s2s_turn_end(&sh->turns, &o->turn);
    o->ev->on_end(o->user, o->why, o->text);
    s2s_trail_unref(&o->trail);
    forget_targets(o);
    mem_free(o->local);
    mem_free(o->remote);
    mem_free(o);
    s2s_shard_check_stopped(sh);
}

static void run_later(struct command *c);

static void post_later(struct s2s_out *o)
{
    if (o->posted)
        return;
    o->posted = true;
    o->later.run = run_later;
    loop_post(o->shard->loop, &o->later);
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
    forget_targets(o);
    timer_stop(&o->timeout);
    list_remove(&o->turn.node);
    enter(o, OUT_CLOSING);
    post_later(o);
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
    case OUT_LOCATING:
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
    case OUT_RESTARTING:
    case OUT_CLOSING:
        break;
    }
    return S2S_STEP_STREAM;
}

static void on_timeout(struct timer *t)
{
    struct s2s_out *o = container_of(t, struct s2s_out, timeout);
    s2s_trail_fail(o->trail, step_of(o), S2S_WHY_NO_ANSWER, "no answer in time");
    bool knows = !o->stream && o->last_text[0];
    end_stream(o, S2S_TIMEOUT, STREAM_CONNECTION_TIMEOUT, knows ? o->last_text : "no answer in time");
}

/* Has the end of this stream been nothing but this target's? */
static bool has_next_target(const struct s2s_out *o)
{
    return o->target && s2s_reach_has_next(o->reach) && o->state != OUT_CLOSING;
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

static void become_ready(struct s2s_out *o)
{
    timer_stop(&o->timeout);
    timer_stop(&o->target_timeout);
    forget_targets(o);
    enter(o, OUT_READY);
    s2s_turn_end(&o->shard->turns, &o->turn);
    o->ev->on_ready(o->user);
}

static struct tls_peer tls_peer_of(const struct s2s_out *o)
{
    struct tls_peer p = {.local_domain = o->local,
                         .name = o->remote,
                         .alpn = o->target->direct_tls ? TLS_ALPN_XMPP_SERVER : TLS_ALPN_NONE};
    s2s_reach_fill_dane(o->reach, &p);
    return p;
}

static bool has_dane(const struct s2s_out *o)
{
    return tls_peer_of(o).dane_count > 0;
}

static bool may_do_without_tls(const struct s2s_out *o)
{
    return !has_dane(o) && s2s_remote_of(o->shard->s2s, o->remote)->tls_optional &&
           !s2s_policy_wants_certificate(o->shard, o->local, o->remote);
}

static void on_header(struct stream *s, const struct stream_header *h)
{
    struct s2s_out *o = stream_user(s);
    text_copy(o->stream_id, sizeof o->stream_id, h->id ? h->id : "");
    if (!o->stream_id[0]) {
        s2s_trail_fail(o->trail, S2S_STEP_STREAM, S2S_WHY_OUR_ERROR, "its header has no id");
        leave_target(o, S2S_TIMEOUT, STREAM_BAD_FORMAT, "the peer's header has no id");
    } else if (!h->version && o->state == OUT_PLAIN && may_do_without_tls(o)) {
        become_ready(o); /* no features will come (RFC 6120 4.7.5) */
    } else if (!h->version) {
        s2s_trail_fail(o->trail, S2S_STEP_TLS, S2S_WHY_NO_TLS, "it speaks no XMPP 1.0, so no TLS");
        leave_target(o, S2S_REFUSED, STREAM_UNSUPPORTED_VERSION, "the peer speaks no XMPP 1.0, so no TLS");
    }
}

/* XEP-0478; what is no number is no limit. */
static uint64_t read_max_bytes(const struct stanza *st)
{
    const struct element *limits = stanza_child(st, "limits", NS_LIMITS);
    const struct element *bytes = limits ? element_child(limits, "max-bytes", NS_LIMITS) : NULL;
    uint64_t n = 0;
    return bytes && text_to_u64(bytes->text, &n) ? n : 0;
}

/* A certificate is shown under TLS alone. */
static void read_features(struct s2s_out *o, const struct stanza *st)
{
    struct s2s_features *f = &o->features;
    const struct element *dialback = stanza_child(st, "dialback", NS_DIALBACK_FEATURE);
    f->dialback = dialback != NULL;
    f->dialback_errors = dialback && element_child(dialback, "errors", NS_DIALBACK_FEATURE);
    f->external = wire_tls(stream_wire(o->stream)) && s2s_external_is_offered(st);
    f->bidi = stanza_child(st, "bidi", NS_BIDI_FEATURE) != NULL;
    f->queue = stanza_child(st, "queue", NS_QUEUE) != NULL;
    f->max_bytes = read_max_bytes(st);
}

static void on_features(struct s2s_out *o, const struct stanza *st)
{
    read_features(o, st);
    if (o->state == OUT_PLAIN && stanza_child(st, "starttls", NS_TLS)) {
        enter(o, OUT_STARTTLS);
        stream_send_text(o->stream, "<starttls xmlns='" NS_TLS "'/>");
    } else if (o->state == OUT_PLAIN && has_dane(o)) {
        s2s_trail_fail(o->trail, S2S_STEP_TLS, S2S_WHY_NO_TLS, "it offers no TLS; DNSSEC says that it has it (TLSA)");
        leave_target(o, S2S_REFUSED, STREAM_POLICY_VIOLATION,
                     "the peer offers no TLS; DNSSEC says that it has it (TLSA)");
    } else if (o->state == OUT_PLAIN && !may_do_without_tls(o)) {
        s2s_trail_fail(o->trail, S2S_STEP_TLS, S2S_WHY_NO_TLS, "it offers no TLS");
        leave_target(o, S2S_REFUSED, STREAM_POLICY_VIOLATION,
                   "the peer offers no TLS; 'remote' with 'tls = optional' would allow that");
    } else if (o->state == OUT_PLAIN || o->state == OUT_SECURE || o->state == OUT_RESTARTING) {
        become_ready(o);
    }
}

static void on_starttls_answer(struct s2s_out *o, const struct stanza *st)
{
    if (element_is(st->payload->root, "proceed", NS_TLS)) {
        enter(o, OUT_SECURING);
        const struct tls_peer p = tls_peer_of(o);
        stream_connect_tls(o->stream, o->shard->s2s->o.tls, &p);
    } else {
        s2s_trail_fail(o->trail, S2S_STEP_TLS, S2S_WHY_TLS_FAILED, "it offers TLS, and then refuses to start it");
        leave_target(o, S2S_TIMEOUT, STREAM_UNDEFINED_CONDITION, "the peer refused to start TLS");
    }
}

static void on_stanza(struct stream *s, struct stanza *st)
{
    struct s2s_out *o = stream_user(s);
    const struct element *root = st->payload->root;
    if (st->kind != STANZA_NONZA && o->state != OUT_READY)
        leave_target(o, S2S_TIMEOUT, STREAM_NOT_AUTHORIZED, "stanza before its time");
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

static void note_secure(struct s2s_out *o, const struct tls_info *info)
{
    struct bytes b = BYTES_EMPTY;
    s2s_trail_note(o->trail, S2S_STEP_TLS, "%s, %s", info->version, info->cipher);
    enum s2s_reason why = s2s_reason_of_certificate(info, o->remote, &b);
    s2s_trail_fail(o->trail, S2S_STEP_CERTIFICATE, why, "%s", bytes_text(&b));
    bytes_fini(&b);
}

/* What it showed does not prove it. */
static void require_certificate(struct s2s_out *o)
{
    if (!s2s_policy_wants_certificate(o->shard, o->local, o->remote))
        return;
    s2s_trail_fail(o->trail, S2S_STEP_POLICY, S2S_WHY_CERTIFICATE_WANTED, "its certificate does not prove it");
    leave_target(o, S2S_REFUSED, STREAM_POLICY_VIOLATION, "our policy wants a certificate that proves the peer");
}

static void on_secure(struct stream *s, const struct tls_info *info)
{
    struct s2s_out *o = stream_user(s);
    log_debug(&o->log, "TLS with %s, %s", info->version, info->cipher);
    note_secure(o, info);
    if (info->dane == TLS_DANE_MATCHED)
        o->proof = S2S_PROOF_DANE;
    else if (!s2s_external_why_not(info, o->remote))
        o->proof = S2S_PROOF_CERTIFICATE;
    enter(o, OUT_SECURE);
    send_header(o);
    if (info->dane == TLS_DANE_DIFFERENT)
        leave_target(o, S2S_REFUSED, STREAM_POLICY_VIOLATION,
                     "the peer's certificate is not the one that DNSSEC tells of (TLSA)");
    else if (!s2s_proof_is_certificate(o->proof))
        require_certificate(o);
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

enum s2s_failure s2s_out_why_ended(const struct stream_end *end, bool was_ready)
{
    if (end->received == STREAM_HOST_UNKNOWN || end->received == STREAM_HOST_GONE)
        return S2S_NOT_FOUND;
    if (end->received == STREAM_POLICY_VIOLATION || end->received == STREAM_NOT_AUTHORIZED)
        return S2S_REFUSED;
    return was_ready && !is_innocent(end->received) ? S2S_FAULTED : S2S_TIMEOUT;
}

static void on_stream_end(struct stream *s, const struct stream_end *end)
{
    struct s2s_out *o = stream_user(s);
    o->stream = NULL;
    timer_stop(&o->target_timeout);
    s2s_trail_end(o->trail, s2s_reason_of_end(end), end->text);
    note(o, s2s_out_why_ended(end, o->state == OUT_READY), end->text);
    if (o->target)
        add_failure(o, o->why);
    if (has_next_target(o)) {
        log_info(&o->log, "%s: %s", o->target->host, o->text);
        o->text[0] = '\0';
        o->features = (struct s2s_features){0};
        o->proof = S2S_PROOF_NONE;
        o->target = NULL;
        enter(o, OUT_DIALLING);
        s2s_reach_next(o->reach);
        return;
    }
    if (o->target)
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

static void open_stream(struct s2s_out *o, uv_os_sock_t fd)
{
    static const struct wire_events none = {0};
    struct wire *w = wire_open(o->shard->loop, fd, &none, NULL);
    wire_set_marks(w, S2S_OUT_HIGH_BYTES / 4, S2S_OUT_HIGH_BYTES / 2);
    if (o->target->direct_tls) {
        const struct tls_peer p = tls_peer_of(o);
        wire_connect_tls(w, o->shard->s2s->o.tls, &p);
    }
    o->stream = stream_open(w, &policy, o, XML_LIMITS_DEFAULT, 0);
    log_ctx_set(stream_log(o->stream), "s2s-out %s>%s", o->local, o->remote);
    log_debug(&o->log, "connected to %s, %s", o->target->host, wire_peer_text(w));
    s2s_trail_note(o->trail, S2S_STEP_TCP, "connected to %s, %s", o->target->host, wire_peer_text(w));
}

static void on_reached(void *user, uv_os_sock_t fd, const struct s2s_target *t)
{
    struct s2s_out *o = user;
    o->target = t;
    open_stream(o, fd);
    enter(o, t->direct_tls ? OUT_SECURING : OUT_PLAIN);
    if (has_next_target(o))
        timer_start(&o->target_timeout, o->shard->loop, o->shard->s2s->o.connect_timeout_ms / 3, on_target_timeout);
    if (!t->direct_tls)
        send_header(o);
}

static void on_target_failed(void *user, const struct s2s_target *t, enum s2s_failure why, const char *text)
{
    struct s2s_out *o = user;
    (void)t;
    log_info(&o->log, "%s", text);
    add_failure(o, why);
    text_copy(o->last_text, sizeof o->last_text, text);
}

static void on_no_target(void *user)
{
    struct s2s_out *o = user;
    end_early(o, all_failed(o), o->last_text);
}

static void on_located(void *user, const struct s2s_located *l)
{
    static const struct s2s_reach_events events = {on_reached, on_target_failed, on_no_target};
    struct s2s_out *o = user;
    if (!l->count) {
        end_early(o, l->why, l->text);
        return;
    }
    o->reach = s2s_reach_create(o->shard, l, o->trail, &events, o);
    enter(o, OUT_DIALLING);
    s2s_reach_next(o->reach);
}

static void begin(struct s2s_turn *t)
{
    struct s2s_out *o = container_of(t, struct s2s_out, turn);
    char text[S2S_POLICY_TEXT];
    const char *denied;
    timer_start(&o->timeout, o->shard->loop, o->shard->s2s->o.connect_timeout_ms, on_timeout);
    enter(o, OUT_LOCATING);
    if (o->shard->stopping) {
        end_early(o, S2S_TIMEOUT, "we are shutting down");
    } else if ((denied = s2s_policy_denies(o->shard, o->local, o->remote, text))) {
        s2s_trail_fail(o->trail, S2S_STEP_POLICY, S2S_WHY_OUR_POLICY, "%s", denied);
        end_early(o, S2S_DENIED, denied);
    } else {
        o->locate = s2s_locate_start(o->shard, o->remote, o->trail, on_located, o);
    }
}

static void run_later(struct command *c)
{
    struct s2s_out *o = container_of(c, struct s2s_out, later);
    o->posted = false;
    if (o->state == OUT_CLOSING)
        out_free(o); /* ended before there was a stream */
    else
        s2s_turns_give(&o->shard->turns);
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
    o->ev = ev;
    o->user = user;
    o->why = S2S_TIMEOUT;
    o->trail = s2s_trail_new(sh->loop);
    log_ctx_set(&o->log, "s2s-out %s>%s", local, remote);
    list_append(&sh->outs, &o->node);
    o->turn.begin = begin;
    s2s_turn_wait(&sh->turns, &o->turn, u);
    if (u == S2S_QUESTION) /* the one who waits for the answer does so no longer either */
        timer_start(&o->timeout, sh->loop, sh->s2s->o.connect_timeout_ms, on_timeout);
    post_later(o);
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

const struct s2s_features *s2s_out_features(const struct s2s_out *o)
{
    return &o->features;
}

const char *s2s_out_stream_id(const struct s2s_out *o)
{
    return o->stream_id;
}

enum s2s_proof s2s_out_proof(const struct s2s_out *o)
{
    return o->proof;
}

bool s2s_out_is_ready(const struct s2s_out *o)
{
    return o->state == OUT_READY && stream_is_open(o->stream);
}

void s2s_out_restart(struct s2s_out *o)
{
    if (!s2s_out_is_ready(o))
        return;
    enter(o, OUT_RESTARTING);
    stream_expect_restart(o->stream);
    send_header(o);
}

void s2s_out_close(struct s2s_out *o, enum stream_error e, const char *text)
{
    end_stream(o, S2S_TIMEOUT, e, text ? text : "closed");
}

void s2s_out_give_up(struct s2s_out *o, enum s2s_failure why, const char *text)
{
    end_stream(o, why, STREAM_OK, text);
}
