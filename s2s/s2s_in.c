/* SPDX-License-Identifier: MIT */
/* Incoming streams of other communities. Decided here: nothing is taken before TLS (unless the admin made it optional
 * for that domain) and before the domain is proved: by SASL EXTERNAL, which is offered only to who shows a certificate
 * of the domain that its header names, or by dialback (XEP-0220, receiving and authoritative server), which may prove
 * more on the same stream. What is proved, and what comes then, is in the reception.
 * A peer that asked for it (XEP-0288) is sent our stanzas on the same stream, where the pair is of this shard. */
#include "s2s/s2s_in.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"
#include "s2s/s2s_dialback.h"
#include "s2s/s2s_errand.h"
#include "s2s/s2s_external.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_pair.h"
#include "s2s/s2s_policy.h"
#include "s2s/s2s_reception.h"
#include "s2s/s2s_way.h"

enum {
    AUTH_TIMEOUT_MS = 60000,
    HEADER_TIMEOUT_MS = 30000,
    IDLE_MS = 30 * 60 * 1000,
    QUESTIONS_MAX = 16, /* dialback questions under way a stream */
    PROVED_MAX = 1000,
    WRONGS_MAX = 100,             /* keys that are not ours and questions that were refused, a stream */
};

/* clang-format off */
#define IN_STATES(S) /* name may be followed by                                                      */ \
    S(PLAIN,   TO(PLAIN) | TO(SECURE) | TO(CLOSING) | TO(ENDED)) /* only STARTTLS                    */ \
    S(SECURE,  TO(PLAIN) | TO(PROVED) | TO(TRUSTED) | TO(CLOSING) | TO(ENDED)) /* the proof may      */ \
                                                /* begin: under TLS, or without, if the admin allows */ \
    S(PROVED,  TO(TRUSTED) | TO(CLOSING) | TO(ENDED)) /* by EXTERNAL: the peer's new header is awaited */ \
    S(TRUSTED, TO(TRUSTED) | TO(CLOSING) | TO(ENDED)) /* at least one pair is proved: stanzas may    */ \
                                                /* come, and another pair may be proved             */ \
    S(CLOSING, TO(ENDED))                       /* we have ended it; only on_end is awaited          */ \
    S(ENDED,   0)                               /* no stream; what came waits for its settles        */
/* clang-format on */

#define TO(name) (1u << IN_##name)
enum in_state {
#define S(name, next) IN_##name,
    IN_STATES(S)
#undef S
};
static const unsigned may_follow[] = {
#define S(name, next) next,
    IN_STATES(S)
#undef S
};
#undef TO
static const char *const state_names[] = {
#define S(name, next) #name,
    IN_STATES(S)
#undef S
};

struct s2s_in {
    enum in_state state;
    struct s2s_shard *shard;
    struct list node; /* in shard->ins */
    struct listener *listener;
    struct sockaddr_storage peer;
    struct stream *stream;      /* NULL: ENDED */
    char id[RANDOM_ID_LEN + 1]; /* of our header: what dialback keys are made over */
    char *local, *remote;       /* domains that the header named; NULL: none, or none of ours */
    struct s2s_trail *trail;
    bool asked;                 /* it only had a question (dialback), so far: nobody is told how that went */
    bool tls;
    bool both_ways, takes_queue; /* the peer asked for XEP-0288; and it knows what is numbered */
    struct s2s_reception reception; /* what is proved, and what came */
    struct list questions;      /* struct question */
    unsigned question_count;
    unsigned wrongs;            /* of WRONGS_MAX */
    struct timer timer;         /* until something is proved; then silence */
};

struct question {
    struct list node;
    struct s2s_in *in;
    struct s2s_verify *verify;
    char *remote, *local;
};

struct s2s_in *s2s_in_from_node(struct list *node)
{
    return list_entry(node, struct s2s_in, node);
}

static void on_timer(struct timer *t);
static void close_way_back(struct s2s_in *in, const struct s2s_proved *pair);
static void close_ways_back(struct s2s_in *in);
static struct s2s_pair *pair_back(const struct s2s_in *in, const struct s2s_proved *proved);

static void enter(struct s2s_in *in, enum in_state next)
{
    CHECK(may_follow[in->state] & 1u << next);
    if (next != in->state)
        log_debug(stream_log(in->stream), "incoming stream %s -> %s", state_names[in->state], state_names[next]);
    in->state = next;
    switch (next) {
    case IN_PLAIN:
    case IN_SECURE:
    case IN_PROVED:
        break; /* the time for all that comes before TRUSTED runs from the start */
    case IN_TRUSTED:
        timer_start(&in->timer, in->shard->loop, IDLE_MS, on_timer);
        break;
    case IN_CLOSING:
    case IN_ENDED:
        timer_stop(&in->timer);
        close_ways_back(in);
        s2s_reception_stop(&in->reception);
        break;
    }
}

static bool is_over(const struct s2s_in *in)
{
    return in->state == IN_CLOSING || in->state == IN_ENDED;
}

/* ---- as an admin sees it ---- */

enum s2s_proof s2s_in_proof(const struct s2s_in *in, const char *local, const char *remote)
{
    const struct s2s_proved *pair = s2s_reception_find(&in->reception, remote, local);
    return pair ? pair->how : S2S_PROOF_NONE;
}

void s2s_in_each_proved(const struct s2s_in *in, void (*each)(void *user, const struct s2s_in_look *look), void *user)
{
    struct s2s_in_look look = {.state = state_names[in->state], .local = in->local, .remote = in->remote,
                               .both_ways = in->both_ways};
    const struct s2s_proved *pair;
    bool any = false;
    for (size_t i = 0; (pair = map_next(&in->reception.proved, &i)); any = true) {
        look.local = pair->local;
        look.remote = pair->remote;
        look.how = pair->how;
        each(user, &look);
    }
    if (!any)
        each(user, &look);
}

static void in_free(struct s2s_in *in)
{
    struct s2s_shard *sh = in->shard;
    timer_stop(&in->timer);
    list_remove(&in->node);
    s2s_reception_fini(&in->reception);
    s2s_trail_unref(&in->trail);
    mem_free(in->local);
    mem_free(in->remote);
    mem_free(in);
    s2s_shard_check_stopped(sh);
}

/* All that it brought has settled. */
static void on_empty(struct s2s_reception *r)
{
    in_free(container_of(r, struct s2s_in, reception));
}

void s2s_in_close(struct s2s_in *in, enum stream_error e, const char *text)
{
    if (is_over(in))
        return;
    if (e != STREAM_OK)
        log_warn(stream_log(in->stream), "%s: %s", stream_error_name(e), text ? text : "");
    enter(in, IN_CLOSING);
    stream_close(in->stream, e, text);
}

/* Only who speaks with nobody else here loses the stream. */
void s2s_in_forget(struct s2s_in *in, const char *local)
{
    struct s2s_proved *pair;
    while ((pair = s2s_reception_find_local(&in->reception, local))) {
        struct s2s_pair *back = pair_back(in, pair);
        if (back)
            s2s_pair_way_back_ended(back, in, S2S_TIMEOUT, "that domain is not served here any more");
        close_way_back(in, pair);
        s2s_reception_forget(&in->reception, pair);
    }
    if (in->reception.proved.count == 0 && in->local && text_eq(in->local, local))
        s2s_in_close(in, STREAM_HOST_GONE, "that domain is not served here any more");
}

/* Without a word: the peer reads nothing, so it would not read the word either. */
static void in_cut(struct s2s_in *in)
{
    log_warn(stream_log(in->stream), "connection is cut: it does not read what it is answered");
    enter(in, IN_CLOSING);
    stream_abort(in->stream);
}

static void on_timer(struct timer *t)
{
    struct s2s_in *in = container_of(t, struct s2s_in, timer);
    if (s2s_intake_is_held_up(&in->reception.intake)) { /* it may have said much that was not read */
        timer_start(t, in->shard->loop, IDLE_MS, on_timer);
        return;
    }
    s2s_in_close(in, STREAM_CONNECTION_TIMEOUT,
                 in->state == IN_TRUSTED ? "nothing came for a long time" : "not authenticated in time");
}

/* ---- the way back (XEP-0288) ---- */

static bool is_on_shard(const struct s2s_in *in, const char *local, const char *remote)
{
    return s2s_shard_of(in->shard->s2s, local, remote) == in->shard;
}

/* Offered where it can be used: a pair of another loop has no way to this stream. */
static bool may_go_both_ways(const struct s2s_in *in)
{
    const struct s2s *s2s = in->shard->s2s;
    if (s2s->o.bidi_off || in->state != IN_SECURE)
        return false;
    return s2s->o.loop_count == 1 || (in->local && in->remote && is_on_shard(in, in->local, in->remote));
}

static void on_bidi(struct s2s_in *in, const struct stanza *st)
{
    if (!may_go_both_ways(in)) {
        s2s_in_close(in, STREAM_UNSUPPORTED_STANZA_TYPE, "bidi was not offered, or comes too late");
        return;
    }
    in->both_ways = true;
    in->takes_queue = stanza_child(st, "queue", NS_QUEUE) != NULL;
    wire_set_marks(stream_wire(in->stream), S2S_OUT_HIGH_BYTES / 4, S2S_OUT_HIGH_BYTES / 2);
}

/* The peer is told that the pair is proved, and takes stanzas for it: of several such streams the first. */
static void open_way_back(struct s2s_in *in, const struct s2s_proved *pair)
{
    struct s2s_shard *sh = in->shard;
    if (in->both_ways && is_on_shard(in, pair->local, pair->remote) && !map_get(&sh->ways_back, pair->name))
        map_put(&sh->ways_back, pair->name, in);
    s2s_errand_alive(sh->s2s, pair->local, pair->remote);
}

static void close_way_back(struct s2s_in *in, const struct s2s_proved *pair)
{
    if (map_get(&in->shard->ways_back, pair->name) == in)
        map_remove(&in->shard->ways_back, pair->name);
}

static void close_ways_back(struct s2s_in *in)
{
    const struct s2s_proved *pair;
    for (size_t i = 0; (pair = map_next(&in->reception.proved, &i));)
        close_way_back(in, pair);
}

struct s2s_in *s2s_in_way_back(struct s2s_shard *sh, const char *local, const char *remote)
{
    char name[S2S_WAY_NAME_MAX];
    s2s_way_name(name, remote, local);
    struct s2s_in *in = map_get(&sh->ways_back, name);
    return in && s2s_in_is_ready(in) ? in : NULL;
}

bool s2s_in_is_ready(const struct s2s_in *in)
{
    return in->state == IN_TRUSTED && stream_is_open(in->stream);
}

struct stream *s2s_in_stream(const struct s2s_in *in)
{
    CHECK(in->stream);
    return in->stream;
}

bool s2s_in_takes_queue(const struct s2s_in *in)
{
    return in->takes_queue;
}

/* The pair that goes back by this stream, if there is one. */
static struct s2s_pair *pair_back(const struct s2s_in *in, const struct s2s_proved *proved)
{
    char name[S2S_WAY_NAME_MAX];
    s2s_way_name(name, proved->local, proved->remote);
    return map_get(&in->shard->pairs, name);
}

static void on_drained(struct stream *s)
{
    struct s2s_in *in = stream_user(s);
    const struct s2s_proved *proved;
    for (size_t i = 0; in->both_ways && (proved = map_next(&in->reception.proved, &i));) {
        struct s2s_pair *p = pair_back(in, proved);
        if (p)
            s2s_pair_way_back_drained(p, in);
    }
}

static void tell_pairs_of_end(struct s2s_in *in, const struct stream_end *end)
{
    const struct s2s_proved *proved;
    for (size_t i = 0; in->both_ways && (proved = map_next(&in->reception.proved, &i));) {
        struct s2s_pair *p = pair_back(in, proved);
        if (p)
            s2s_pair_way_back_ended(p, in, s2s_out_why_ended(end, true), end->text);
    }
}

/* ---- header and features ---- */

/* Does what the peer showed prove whom it says that it is? NULL: not so, or it need not be asked. */
static const char *external_for(const struct s2s_in *in)
{
    bool asks = in->state == IN_SECURE && in->tls && in->local && in->remote;
    if (!asks || exchange_is_local_domain(in->shard->s2s->o.exchange, in->remote))
        return NULL;
    return s2s_external_why_not(wire_tls(stream_wire(in->stream)), in->remote) ? NULL : in->remote;
}

static void send_features(struct s2s_in *in)
{
    static const char external[] = "<mechanisms xmlns='" NS_SASL "'><mechanism>EXTERNAL</mechanism></mechanisms>";
    bool offer_tls = !in->tls;
    bool offer_dialback = in->state != IN_PLAIN;
    stream_send_text(in->stream,
                     "<stream:features>%s%s%s%s%s<limits xmlns='" NS_LIMITS "'><max-bytes>%zu</max-bytes>"
                     "<idle-seconds>%u</idle-seconds></limits></stream:features>",
                     !offer_tls         ? ""
                     : offer_dialback   ? "<starttls xmlns='" NS_TLS "'/>"
                                        : "<starttls xmlns='" NS_TLS "'><required/></starttls>",
                     external_for(in) ? external : "",
                     offer_dialback ? "<dialback xmlns='" NS_DIALBACK_FEATURE "'><errors/></dialback>" : "",
                     may_go_both_ways(in) ? "<bidi xmlns='" NS_BIDI_FEATURE "'/>" : "",
                     in->tls ? "<queue xmlns='" NS_QUEUE "'/>" : "",
                     s2s_policy_stanza_bytes(in->shard->s2s, in->remote), IDLE_MS / 1000);
}

/* Takes the names of a header. false: it may not have them. */
static bool take_names(struct s2s_in *in, const struct stream_header *h)
{
    struct arena a;
    arena_init(&a);
    const char *remote = jid_parse_domain(&a, h->from), *local = jid_parse_domain(&a, h->to);
    if (local && !exchange_is_local_domain(in->shard->s2s->o.exchange, local))
        local = NULL;
    bool same = text_eq(local, in->local) && text_eq(remote, in->remote);
    random_id(in->id);
    if (in->state != IN_PROVED) {
        mem_free(in->local);
        mem_free(in->remote);
        in->local = local ? mem_dup(local) : NULL;
        in->remote = remote ? mem_dup(remote) : NULL;
        same = true;
    }
    arena_fini(&a);
    return same;
}

static void show_trail(struct s2s_in *in, const char *local, const char *remote)
{
    in->asked = false;
    s2s_trace_show(&in->shard->trace, S2S_IN, local, remote, in->trail);
}

static enum s2s_reason reason_of(enum stream_error refused)
{
    return refused == STREAM_HOST_UNKNOWN          ? S2S_WHY_NOT_SERVED_HERE
           : refused == STREAM_UNSUPPORTED_VERSION ? S2S_WHY_NO_TLS
           : refused == STREAM_INVALID_FROM        ? S2S_WHY_AUTH_WRONG
                                                   : S2S_WHY_OUR_POLICY;
}

/* `wanted`: whom it called, served here or not. */
static void refuse_header(struct s2s_in *in, const char *wanted, enum stream_error e, const char *text)
{
    enum s2s_step step = e == STREAM_UNSUPPORTED_VERSION ? S2S_STEP_TLS : S2S_STEP_POLICY;
    s2s_trail_fail(in->trail, step, reason_of(e), "%s", text);
    if (in->remote)
        show_trail(in, in->local ? in->local : wanted && s2s_way_is_domain(wanted) ? wanted : "", in->remote);
    s2s_in_close(in, e, text);
}

static enum stream_error judge_header(const struct s2s_in *in, const struct stream_header *h,
                                      char denied[S2S_POLICY_TEXT], const char **text)
{
    const struct s2s_remote *r = in->remote ? s2s_remote_of(in->shard->s2s, in->remote) : NULL;
    *text = "that domain is not served here";
    if (h->to && !in->local)
        return STREAM_HOST_UNKNOWN;
    *text = r ? s2s_policy_denies(in->shard, in->local, in->remote, denied) : NULL;
    if (*text)
        return STREAM_POLICY_VIOLATION;
    *text = "XMPP 1.0 with TLS is required";
    return !h->version && !in->tls && !(r && r->tls_optional) ? STREAM_UNSUPPORTED_VERSION : STREAM_OK;
}

/* Without a good one it may still prove itself by dialback. */
static void look_at_certificate(struct s2s_in *in)
{
    const struct tls_info *tls = wire_tls(stream_wire(in->stream));
    const char *why = s2s_external_why_not(tls, in->remote);
    struct bytes b = BYTES_EMPTY;
    s2s_reason_of_certificate(tls, in->remote, &b);
    s2s_trail_note(in->trail, S2S_STEP_CERTIFICATE, "%s", bytes_text(&b));
    bytes_fini(&b);
    if (why)
        log_info(stream_log(in->stream), "EXTERNAL is not offered to %s: %s", in->remote, why);
}

/* What the header lets the peer do next. */
static void go_on(struct s2s_in *in)
{
    bool optional = in->remote && s2s_remote_of(in->shard->s2s, in->remote)->tls_optional;
    if (in->state == IN_PLAIN && (in->tls || optional))
        enter(in, IN_SECURE);
    if (in->state == IN_SECURE && in->tls && in->remote)
        look_at_certificate(in);
}

/* The new stream after EXTERNAL is that of the pair, and goes back too if the peer asked for that. */
static void trust(struct s2s_in *in);

static void on_header(struct stream *s, const struct stream_header *h)
{
    struct s2s_in *in = stream_user(s);
    char denied[S2S_POLICY_TEXT];
    const char *text;
    bool same = take_names(in, h);
    s2s_trail_note(in->trail, S2S_STEP_STREAM, "%s calls %s", in->remote ? in->remote : "somebody without a name",
                   h->to ? h->to : "nobody by name");
    stream_send_header(s, in->local, in->remote, in->id, h->version ? "1.0" : NULL, NULL);
    log_ctx_set(stream_log(s), "s2s-in %s %s>%s", wire_peer_text(stream_wire(s)), in->remote ? in->remote : "?",
                in->local ? in->local : "?");
    enum stream_error e = judge_header(in, h, denied, &text);
    if (e == STREAM_OK && !same) {
        e = STREAM_INVALID_FROM;
        text = "EXTERNAL proved another pair than this header names";
    }
    if (e != STREAM_OK) {
        refuse_header(in, h->to, e, text);
        return;
    }
    go_on(in);
    if (h->version)
        send_features(in);
    if (in->state == IN_PROVED)
        trust(in);
}

static void on_secure(struct stream *s, const struct tls_info *info)
{
    struct s2s_in *in = stream_user(s);
    log_debug(stream_log(s), "TLS with %s, %s", info->version, info->cipher);
    s2s_trail_note(in->trail, S2S_STEP_TLS, "%s, %s", info->version, info->cipher);
    in->tls = true;
}

/* ---- proof ---- */

static struct s2s_proved *note_proof(struct s2s_in *in, const char *remote, const char *local, enum s2s_proof how)
{
    struct s2s_proved *pair = s2s_reception_prove(&in->reception, remote, local, how);
    if (!pair)
        return NULL;
    s2s_policy_set_limits(in->shard, in->stream, remote);
    log_info(stream_log(in->stream), "%s proved %s", s2s_proof_name(how), remote);
    s2s_trail_well(in->trail, S2S_STEP_AUTHENTICATION, "%s proved that it is %s, to %s", s2s_proof_name(how), remote,
                   local);
    show_trail(in, local, remote);
    return pair;
}

static void trust(struct s2s_in *in)
{
    enter(in, IN_TRUSTED);
    open_way_back(in, s2s_reception_find(&in->reception, in->remote, in->local));
}

static void prove_by_dialback(struct s2s_in *in, const char *remote, const char *local)
{
    struct s2s_proved *pair = note_proof(in, remote, local, S2S_PROOF_DIALBACK);
    if (!pair)
        return;
    enter(in, IN_TRUSTED);
    open_way_back(in, pair);
}

static void question_free(struct question *q)
{
    q->in->question_count--;
    list_remove(&q->node);
    mem_free(q->remote);
    mem_free(q->local);
    mem_free(q);
}

static void count_wrong(struct s2s_in *in)
{
    if (++in->wrongs >= WRONGS_MAX)
        s2s_in_close(in, STREAM_POLICY_VIOLATION, "too much dialback that leads nowhere");
}

static void refused_key(struct s2s_in *in, const struct question *q)
{
    log_warn(stream_log(in->stream), "%s says that the dialback key is not its own", q->remote);
    s2s_trail_fail(in->trail, S2S_STEP_AUTHENTICATION, S2S_WHY_THEIR_KEY_WRONG,
                   "dialback: the server that DNS names for %s says that the key is not its own", q->remote);
}

/* May that pair be proved by dialback on this stream? Asked again when the answer is there: what is served and the
 * policy may have changed since. */
static enum stanza_error may_prove(const struct s2s_in *in, const char *remote, const char *local)
{
    const struct s2s *s2s = in->shard->s2s;
    char denied[S2S_POLICY_TEXT];
    if (!exchange_is_local_domain(s2s->o.exchange, local))
        return STANZA_ITEM_NOT_FOUND;
    if (exchange_is_local_domain(s2s->o.exchange, remote))
        return STANZA_NOT_ALLOWED;
    if (!in->tls && !s2s_remote_of(s2s, remote)->tls_optional)
        return STANZA_POLICY_VIOLATION;
    if (s2s_policy_denies(in->shard, local, remote, denied))
        return STANZA_POLICY_VIOLATION;
    return s2s_policy_wants_certificate(in->shard, local, remote) ? STANZA_NOT_AUTHORIZED : STANZA_OK;
}

/* The authoritative server has spoken, or cannot be asked (`e`). */
static void conclude(struct s2s_in *in, const struct question *q, bool valid, enum stanza_error e)
{
    struct s2s_dialback_word answer = {
        .element = "result", .from = q->local, .to = q->remote, .type = valid ? "valid" : "invalid"};
    if (e != STANZA_OK) {
        log_warn(stream_log(in->stream), "cannot verify %s: %s", q->remote, stanza_error_name(e));
        s2s_dialback_send_error(in->stream, &answer, e);
    } else {
        if (!valid)
            refused_key(in, q);
        s2s_dialback_send(in->stream, &answer);
    }
    if (valid)
        prove_by_dialback(in, q->remote, q->local);
    else
        count_wrong(in);
}

static void on_verified(void *user, bool valid, enum stanza_error e)
{
    struct question *q = user;
    if (!is_over(q->in)) {
        if (e == STANZA_OK && valid)
            e = may_prove(q->in, q->remote, q->local);
        conclude(q->in, q, valid && e == STANZA_OK, e);
    }
    question_free(q);
}

static enum stanza_error may_ask(struct s2s_in *in, const struct s2s_dialback *d)
{
    enum stanza_error e = may_prove(in, d->from, d->to);
    if (e != STANZA_OK)
        return e;
    bool full = in->question_count >= QUESTIONS_MAX || in->reception.proved.count + in->question_count >= PROVED_MAX;
    return full ? STANZA_RESOURCE_CONSTRAINT : STANZA_OK;
}

/* Receiving server: <db:result>key</db:result>, the peer wants to be `from`. */
static void on_result(struct s2s_in *in, const struct s2s_dialback *d)
{
    if (d->type) { /* an answer to what we never asked on this stream */
        s2s_in_close(in, STREAM_POLICY_VIOLATION, "unsolicited dialback result");
        return;
    }
    enum stanza_error e = may_ask(in, d);
    show_trail(in, d->to, d->from);
    if (e != STANZA_OK) {
        s2s_trail_fail(in->trail, S2S_STEP_AUTHENTICATION,
                       e == STANZA_ITEM_NOT_FOUND   ? S2S_WHY_NOT_SERVED_HERE
                       : e == STANZA_NOT_AUTHORIZED ? S2S_WHY_CERTIFICATE_WANTED
                                                    : S2S_WHY_OUR_POLICY,
                       "dialback of %s to %s is refused: %s", d->from, d->to, stanza_error_name(e));
        log_warn(stream_log(in->stream), "dialback of %s to %s refused: %s", d->from, d->to, stanza_error_name(e));
        s2s_dialback_send_error(in->stream,
                                &(struct s2s_dialback_word){.element = "result", .from = d->to, .to = d->from}, e);
        count_wrong(in);
        return;
    }
    s2s_trail_note(in->trail, S2S_STEP_AUTHENTICATION, "dialback: its key came; the server of %s is asked", d->from);
    struct question *q = mem_new(struct question);
    q->in = in;
    q->remote = mem_dup(d->from);
    q->local = mem_dup(d->to);
    list_append(&in->questions, &q->node);
    in->question_count++;
    q->verify = s2s_dialback_verify(in->shard, &(struct s2s_dialback_question){.local = q->local,
                                                                               .remote = q->remote,
                                                                               .id = in->id,
                                                                               .key = d->key,
                                                                               .on_result = on_verified,
                                                                               .user = q,
                                                                               .trail = in->trail});
}

/* Authoritative server: did we make this key? Answered in any state: who asks in the clear learns nothing that it
 * could not learn under TLS, and who answers in our place needs no answer of ours. */
static void on_verify(struct s2s_in *in, const struct stanza *st)
{
    bool wrong = false;
    in->asked = in->asked || !in->reception.proved.count;
    if (!s2s_dialback_answer(in->shard, in->stream, st, &wrong))
        s2s_in_close(in, STREAM_BAD_FORMAT, "db:verify must have an id and no type");
    else if (wrong)
        count_wrong(in);
}

static void on_dialback(struct s2s_in *in, const struct stanza *st)
{
    const char *name = st->payload->root->name;
    struct s2s_dialback d;
    if (!s2s_dialback_read(st, &d)) {
        s2s_in_close(in, STREAM_IMPROPER_ADDRESSING, "dialback needs from and to, each a domain");
        return;
    }
    if (strcmp(name, "verify") == 0)
        on_verify(in, st);
    else if (in->state == IN_PLAIN)
        s2s_in_close(in, STREAM_POLICY_VIOLATION, "STARTTLS is required before dialback");
    else if (strcmp(name, "result") == 0)
        on_result(in, &d);
    else
        s2s_in_close(in, STREAM_UNSUPPORTED_STANZA_TYPE, "dialback has result and verify");
    arena_fini(&d.arena);
}

/* What a certificate proves is one pair: the one that the header named. Not while dialback is under way: its answer
 * would come into the middle of the new stream's beginning. */
static void on_sasl(struct s2s_in *in, const struct stanza *st)
{
    switch (s2s_external_take(in->stream, st, in->question_count ? NULL : external_for(in))) {
    case S2S_EXTERNAL_PROVED:
        note_proof(in, in->remote, in->local, S2S_PROOF_CERTIFICATE);
        enter(in, IN_PROVED);
        stream_expect_restart(in->stream);
        break;
    case S2S_EXTERNAL_CONTINUES:
        break;
    case S2S_EXTERNAL_FAILED:
        s2s_trail_fail(in->trail, S2S_STEP_AUTHENTICATION, S2S_WHY_AUTH_WRONG, "its try at SASL EXTERNAL failed");
        count_wrong(in);
        break;
    }
}

static bool is_stanza_name(const char *name)
{
    return strcmp(name, "message") == 0 || strcmp(name, "presence") == 0 || strcmp(name, "iq") == 0;
}

/* What was learnt in the clear must not hold under TLS (RFC 6120 5.4.3.3), so it comes first. */
static void on_starttls(struct s2s_in *in)
{
    if (in->reception.proved.count || in->question_count || in->both_ways || in->state == IN_TRUSTED) {
        s2s_in_close(in, STREAM_POLICY_VIOLATION, "STARTTLS comes before all else");
        return;
    }
    stream_send_text(in->stream, "<proceed xmlns='" NS_TLS "'/>");
    enter(in, IN_PLAIN);
    stream_accept_tls(in->stream, in->shard->s2s->o.tls, in->local, TLS_ASK_ANYBODY);
}

static void on_queue(struct s2s_in *in, const struct stanza *st)
{
    const char *text;
    enum stream_error e = s2s_reception_queue_word(&in->reception, st, &text);
    if (e != STREAM_OK)
        s2s_in_close(in, e, text);
}

static void on_nonza(struct s2s_in *in, const struct stanza *st)
{
    const struct element *root = st->payload->root;
    if (element_is(root, "starttls", NS_TLS) && !in->tls) {
        on_starttls(in);
    } else if (strcmp(root->ns, NS_DIALBACK) == 0) {
        on_dialback(in, st);
    } else if (strcmp(root->ns, NS_SASL) == 0) {
        on_sasl(in, st);
    } else if (element_is(root, "bidi", NS_BIDI)) {
        on_bidi(in, st);
    } else if (strcmp(root->ns, NS_QUEUE) == 0 && in->state == IN_TRUSTED) {
        on_queue(in, st);
    } else if (element_is(root, "error", NS_STREAM)) {
        log_info(stream_log(in->stream), "the peer reports a stream error");
    } else if (is_stanza_name(root->name)) { /* else it would have come as a stanza */
        s2s_in_close(in, STREAM_INVALID_NAMESPACE, "stanzas between servers are in jabber:server");
    } else {
        s2s_in_close(in, STREAM_UNSUPPORTED_STANZA_TYPE, "that element is not understood here");
    }
}

/* ---- stanzas ---- */

static void on_stanza(struct stream *s, struct stanza *st)
{
    struct s2s_in *in = stream_user(s);
    const char *text;
    enum stream_error e = STREAM_OK;
    if (st->kind == STANZA_NONZA)
        on_nonza(in, st);
    else if ((e = s2s_reception_stanza(&in->reception, st, &text)) != STREAM_OK)
        s2s_in_close(in, e, text);
    else
        timer_start(&in->timer, in->shard->loop, IDLE_MS, on_timer);
    stanza_unref(&st);
    if (!is_over(in) && stream_queued(in->stream) > s2s_output_max(in->both_ways))
        in_cut(in);
}

static void on_end(struct stream *s, const struct stream_end *end)
{
    struct s2s_in *in = stream_user(s);
    enum s2s_reason why = s2s_reason_of_end(end);
    log_info(stream_log(s), "ended: %s", end->text);
    s2s_trail_end(in->trail, why, end->text);
    if (why != S2S_WHY_NONE && !in->asked && in->remote && in->local)
        show_trail(in, in->local, in->remote);
    enter(in, IN_ENDED);
    in->stream = NULL;
    tell_pairs_of_end(in, end);
    if (!in->listener)
        sources_drop(&in->shard->taken, (const struct sockaddr *)&in->peer);
    else if (!in->shard->stopping) /* then the listeners are closed */
        listener_forget(in->listener, (const struct sockaddr *)&in->peer);
    list_each(node, &in->questions) {
        struct question *q = list_entry(node, struct question, node);
        s2s_dialback_cancel(q->verify);
        question_free(q);
    }
    if (s2s_reception_end(&in->reception))
        in_free(in);
}

static const struct stream_policy policy = {
    .content_ns = NS_SERVER,
    .receiving = true,
    .on_header = on_header,
    .on_stanza = on_stanza,
    .on_secure = on_secure,
    .on_drained = on_drained,
    .on_end = on_end,
};

void s2s_in_accept(struct s2s_shard *sh, struct listener *li, bool direct_tls, uv_os_sock_t fd,
                   const struct sockaddr_storage *peer)
{
    static const struct wire_events none = {0};
    struct s2s_in *in = mem_new(struct s2s_in);
    in->state = IN_PLAIN;
    in->shard = sh;
    in->listener = li;
    list_init(&in->questions);
    list_append(&sh->ins, &in->node);
    struct wire *w = wire_open(sh->loop, fd, &none, NULL);
    if (direct_tls)
        wire_accept_tls(w, sh->s2s->o.tls, NULL, TLS_ASK_ANYBODY, TLS_ALPN_XMPP_SERVER);
    in->peer = *peer;
    in->stream = stream_open(w, &policy, in, XML_LIMITS_BEFORE_AUTH, HEADER_TIMEOUT_MS);
    s2s_reception_init(&in->reception, sh, in->stream, on_empty);
    log_ctx_set(stream_log(in->stream), "s2s-in %s", wire_peer_text(w));
    in->trail = s2s_trail_new(sh->loop);
    s2s_trail_note(in->trail, S2S_STEP_TCP, "%s called", wire_peer_text(w));
    timer_start(&in->timer, sh->loop, AUTH_TIMEOUT_MS, on_timer);
}
