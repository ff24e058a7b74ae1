/* SPDX-License-Identifier: MIT */
/* Incoming streams of other communities. Decided here: nothing is taken before TLS (unless the admin
 * made it optional for that domain) and before dialback proved the domain (XEP-0220, receiving and
 * authoritative server); every stanza is from a proved domain and to one of ours (RFC 6120 4.9.3,
 * 8.1). Each proved (remote, local) pair is entered in `proved`. */
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
#include "s2s/s2s_intake.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_numbering.h"
#include "s2s/s2s_way.h"

enum {
    AUTH_TIMEOUT_MS = 60000,
    HEADER_TIMEOUT_MS = 30000,
    IDLE_MS = 30 * 60 * 1000,
    QUESTIONS_MAX = 16, /* dialback questions under way a stream */
    PROVED_MAX = 1000,
    WRONGS_MAX = 100,             /* keys that are not ours and questions that were refused, a stream */
    ANSWERS_MAX_BYTES = 256 * 1024, /* answers that wait for a peer that does not read */
};

/* clang-format off */
#define IN_STATES(S) /* name may be followed by                                                      */ \
    S(PLAIN,   TO(PLAIN) | TO(SECURE) | TO(CLOSING) | TO(ENDED)) /* only STARTTLS                    */ \
    S(SECURE,  TO(PLAIN) | TO(TRUSTED) | TO(CLOSING) | TO(ENDED)) /* dialback may begin: under TLS, or */ \
                                                /* without, where the admin allows that             */ \
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
    char *local;                /* domain that the header named; NULL: none yet */
    char *caller;               /* who it says that it is; NULL: it does not */
    struct s2s_trail *trail;
    bool asked;                 /* it only had a question (dialback), so far: nobody is told how that went */
    bool tls;
    struct map proved;          /* "REMOTE LOCAL" -> struct proved */
    struct queue_id next;       /* of the message that comes next; seq 0: it has none */
    struct list questions;      /* struct question */
    unsigned question_count;
    unsigned wrongs;            /* of WRONGS_MAX */
    struct s2s_intake intake;   /* what it has brought */
    struct timer timer;         /* until something is proved; then silence */
};

/* A pair that dialback has proved. */
struct proved {
    bool numbers;   /* the peer has begun to number what it keeps (s2s_numbering.c) */
    uint64_t epoch;
    char name[];
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

static void enter(struct s2s_in *in, enum in_state next)
{
    CHECK(may_follow[in->state] & 1u << next);
    if (next != in->state)
        log_debug(stream_log(in->stream), "incoming stream %s -> %s", state_names[in->state], state_names[next]);
    in->state = next;
    switch (next) {
    case IN_PLAIN:
    case IN_SECURE:
        break; /* the time for all that comes before TRUSTED runs from the start */
    case IN_TRUSTED:
        timer_start(&in->timer, in->shard->loop, IDLE_MS, on_timer);
        break;
    case IN_CLOSING:
    case IN_ENDED:
        timer_stop(&in->timer);
        s2s_intake_stop(&in->intake);
        break;
    }
}

static bool is_over(const struct s2s_in *in)
{
    return in->state == IN_CLOSING || in->state == IN_ENDED;
}

/* ---- as an admin sees it ---- */

const char *s2s_in_state(const struct s2s_in *in)
{
    return state_names[in->state];
}

void s2s_in_each_proved(const struct s2s_in *in, void (*each)(void *user, const char *local, const char *remote),
                        void *user)
{
    const struct proved *pair;
    char remote[S2S_WAY_NAME_MAX];
    bool any = false;
    for (size_t i = 0; (pair = map_next(&in->proved, &i)); any = true) {
        size_t len = strcspn(pair->name, " ");
        snprintf(remote, sizeof remote, "%.*s", (int)len, pair->name);
        each(user, pair->name + len + 1, remote);
    }
    if (!any)
        each(user, in->local, NULL);
}

static void in_free(struct s2s_in *in)
{
    struct s2s_shard *sh = in->shard;
    timer_stop(&in->timer);
    list_remove(&in->node);
    size_t i = 0;
    struct proved *pair;
    while ((pair = map_next(&in->proved, &i)))
        mem_free(pair);
    map_fini(&in->proved);
    s2s_trail_unref(&in->trail);
    mem_free(in->local);
    mem_free(in->caller);
    mem_free(in);
    s2s_shard_check_stopped(sh);
}

/* All that it brought has settled. */
static void on_empty(struct s2s_intake *k)
{
    struct s2s_in *in = container_of(k, struct s2s_in, intake);
    if (in->state == IN_ENDED)
        in_free(in);
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
    struct proved *pair, *gone;
    do {
        gone = NULL;
        for (size_t i = 0; !gone && (pair = map_next(&in->proved, &i));)
            gone = text_eq(strchr(pair->name, ' ') + 1, local) ? pair : NULL;
        if (gone)
            map_remove(&in->proved, gone->name);
        mem_free(gone);
    } while (gone);
    if (in->proved.count == 0 && in->local && text_eq(in->local, local))
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
    if (s2s_intake_is_held_up(&in->intake)) { /* it may have said much that was not read */
        timer_start(t, in->shard->loop, IDLE_MS, on_timer);
        return;
    }
    s2s_in_close(in, STREAM_CONNECTION_TIMEOUT,
                 in->state == IN_TRUSTED ? "nothing came for a long time" : "not authenticated in time");
}

void s2s_in_gate_open(struct gate *g)
{
    struct s2s_shard *sh = container_of(g, struct s2s_shard, gate);
    list_each(node, &sh->ins)
        s2s_intake_gate_open(&s2s_in_from_node(node)->intake);
}

/* ---- header and features ---- */

static void send_features(struct s2s_in *in)
{
    bool offer_tls = !in->tls;
    bool offer_dialback = in->state != IN_PLAIN;
    stream_send_text(in->stream, "<stream:features>%s%s%s</stream:features>",
                     !offer_tls         ? ""
                     : offer_dialback   ? "<starttls xmlns='" NS_TLS "'/>"
                                        : "<starttls xmlns='" NS_TLS "'><required/></starttls>",
                     offer_dialback ? "<dialback xmlns='" NS_DIALBACK_FEATURE "'><errors/></dialback>" : "",
                     in->tls ? "<queue xmlns='" NS_QUEUE "'/>" : "");
}

static void show_trail(struct s2s_in *in, const char *local, const char *remote)
{
    in->asked = false;
    s2s_trace_show(&in->shard->trace, S2S_IN, local, remote, in->trail);
}

static void refuse_header(struct s2s_in *in, const char *local, const char *remote, enum s2s_reason why,
                          enum stream_error e, const char *text)
{
    s2s_trail_fail(in->trail, S2S_STEP_POLICY, why, "%s", text);
    if (remote)
        show_trail(in, local, remote);
    s2s_in_close(in, e, text);
}

static void on_header(struct stream *s, const struct stream_header *h)
{
    struct s2s_in *in = stream_user(s);
    struct s2s *s2s = in->shard->s2s;
    struct arena a;
    arena_init(&a);
    const struct jid *to = h->to ? jid_parse_text(&a, h->to) : NULL;
    const struct jid *from = h->from ? jid_parse_text(&a, h->from) : NULL;
    bool known = to && !to->local && !to->resource && exchange_is_local_domain(s2s->o.exchange, to->domain);
    random_id(in->id);
    mem_free(in->local);
    in->local = known ? mem_dup(to->domain) : NULL;
    mem_free(in->caller);
    in->caller = from ? mem_dup(from->domain) : NULL;
    s2s_trail_note(in->trail, S2S_STEP_STREAM, "%s calls %s", from ? from->domain : "somebody without a name",
                   h->to ? h->to : "nobody by name");
    stream_send_header(s, known ? to->domain : NULL, from ? from->domain : NULL, in->id,
                       h->version ? "1.0" : NULL, NULL);
    log_ctx_set(stream_log(s), "s2s-in %s %s>%s", wire_peer_text(stream_wire(s)), from ? from->domain : "?",
                known ? to->domain : "?");
    if (h->to && !known)
        refuse_header(in, to ? to->domain : h->to, in->caller, S2S_WHY_NOT_SERVED_HERE, STREAM_HOST_UNKNOWN,
                      "that domain is not served here");
    else if (from && s2s_remote_of(s2s, from->domain)->deny)
        refuse_header(in, known ? to->domain : "", in->caller, S2S_WHY_OUR_POLICY, STREAM_POLICY_VIOLATION,
                      "our policy denies streams with your domain");
    else {
        bool optional = from && s2s_remote_of(s2s, from->domain)->tls_optional;
        if (in->state == IN_PLAIN && (in->tls || optional))
            enter(in, IN_SECURE);
        if (h->version)
            send_features(in);
        else if (in->state == IN_PLAIN)
            s2s_in_close(in, STREAM_UNSUPPORTED_VERSION, "XMPP 1.0 with TLS is required");
    }
    arena_fini(&a);
}

static void on_secure(struct stream *s, const struct tls_info *info)
{
    struct s2s_in *in = stream_user(s);
    log_debug(stream_log(s), "TLS with %s, %s", info->version, info->cipher);
    s2s_trail_note(in->trail, S2S_STEP_TLS, "%s, %s", info->version, info->cipher);
    in->tls = true;
}

/* ---- dialback ---- */

static struct proved *proved_of(struct s2s_in *in, const char *remote, const char *local)
{
    char name[S2S_WAY_NAME_MAX];
    s2s_way_name(name, remote, local);
    return map_get(&in->proved, name);
}

static void prove(struct s2s_in *in, const char *remote, const char *local)
{
    if (proved_of(in, remote, local))
        return;
    size_t size = strlen(remote) + strlen(local) + 2;
    struct proved *pair = mem_alloc(sizeof *pair + size);
    *pair = (struct proved){0};
    snprintf(pair->name, size, "%s %s", remote, local);
    map_put(&in->proved, pair->name, pair);
    enter(in, IN_TRUSTED);
    stream_set_limits(in->stream, XML_LIMITS_DEFAULT);
    log_info(stream_log(in->stream), "dialback proved %s", remote);
    s2s_trail_well(in->trail, S2S_STEP_AUTHENTICATION, "dialback proved that it is %s, to %s", remote, local);
    show_trail(in, local, remote);
    s2s_errand_alive(in->shard->s2s, local, remote);
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
        prove(in, q->remote, q->local);
    else
        count_wrong(in);
}

static void on_verified(void *user, bool valid, enum stanza_error e)
{
    struct question *q = user;
    if (!is_over(q->in))
        conclude(q->in, q, valid && e == STANZA_OK, e);
    question_free(q);
}

static enum stanza_error may_ask(struct s2s_in *in, const struct s2s_dialback *d)
{
    struct s2s *s2s = in->shard->s2s;
    if (!exchange_is_local_domain(s2s->o.exchange, d->to))
        return STANZA_ITEM_NOT_FOUND;
    if (exchange_is_local_domain(s2s->o.exchange, d->from))
        return STANZA_NOT_ALLOWED;
    const struct s2s_remote *r = s2s_remote_of(s2s, d->from);
    if (r->deny || (!in->tls && !r->tls_optional))
        return STANZA_POLICY_VIOLATION;
    bool full = in->question_count >= QUESTIONS_MAX || in->proved.count + in->question_count >= PROVED_MAX;
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
                       e == STANZA_ITEM_NOT_FOUND ? S2S_WHY_NOT_SERVED_HERE : S2S_WHY_OUR_POLICY,
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

/* Authoritative server: did we make this key? */
static void on_verify(struct s2s_in *in, const struct s2s_dialback *d)
{
    struct s2s *s2s = in->shard->s2s;
    struct s2s_dialback_word answer = {.element = "verify", .from = d->to, .to = d->from, .id = d->id};
    in->asked = in->asked || !in->proved.count;
    if (!d->id || d->type) {
        s2s_in_close(in, STREAM_BAD_FORMAT, "db:verify must have an id and no type");
    } else if (!exchange_is_local_domain(s2s->o.exchange, d->to)) {
        s2s_dialback_send_error(in->stream, &answer, STANZA_ITEM_NOT_FOUND);
        count_wrong(in);
    } else {
        bool valid = s2s_dialback_key_is_ours(s2s, d->from, d->to, d->id, d->key);
        if (!valid)
            log_warn(stream_log(in->stream), "%s asked about a dialback key that is not ours", d->from);
        answer.type = valid ? "valid" : "invalid";
        s2s_dialback_send(in->stream, &answer);
        if (!valid)
            count_wrong(in);
    }
}

static void on_dialback(struct s2s_in *in, const struct stanza *st)
{
    const char *name = st->payload->root->name;
    struct s2s_dialback d;
    if (!s2s_dialback_read(st, &d)) {
        s2s_in_close(in, STREAM_IMPROPER_ADDRESSING, "dialback needs from and to, each a domain");
        return;
    }
    if (in->state == IN_PLAIN)
        s2s_in_close(in, STREAM_POLICY_VIOLATION, "STARTTLS is required before dialback");
    else if (strcmp(name, "verify") == 0)
        on_verify(in, &d);
    else if (strcmp(name, "result") == 0)
        on_result(in, &d);
    else
        s2s_in_close(in, STREAM_UNSUPPORTED_STANZA_TYPE, "dialback has result and verify");
    arena_fini(&d.arena);
}

/* ---- numbers (s2s_numbering.c) ---- */

static void on_settled_word(struct s2s_in *in, const struct stanza *st)
{
    struct arena a;
    struct s2s_settled w;
    arena_init(&a);
    bool sound = s2s_numbering_read_settled(st, &a, &w);
    struct proved *pair = sound ? proved_of(in, w.from, w.to) : NULL;
    if (!sound) {
        s2s_in_close(in, STREAM_BAD_FORMAT, "settled needs from, to, epoch, seq and at");
    } else if (!pair) {
        s2s_in_close(in, STREAM_NOT_AUTHORIZED, "settled speaks of a pair that this stream has not proved");
    } else {
        pair->numbers = true;
        pair->epoch = w.epoch;
        exchange_remote_settled(in->shard->s2s->o.exchange, w.from, w.to, w.epoch, w.id);
    }
    arena_fini(&a);
}

static void on_queue(struct s2s_in *in, const struct stanza *st)
{
    const char *name = st->payload->root->name;
    if (strcmp(name, "settled") == 0)
        on_settled_word(in, st);
    else if (strcmp(name, "next") != 0)
        s2s_in_close(in, STREAM_UNSUPPORTED_STANZA_TYPE, "a queue has settled and next");
    else if (!s2s_numbering_read_next(st, &in->next))
        s2s_in_close(in, STREAM_BAD_FORMAT, "next needs seq and at");
}

static bool is_stanza_name(const char *name)
{
    return strcmp(name, "message") == 0 || strcmp(name, "presence") == 0 || strcmp(name, "iq") == 0;
}

/* What was learnt in the clear must not hold under TLS (RFC 6120 5.4.3.3), so it comes first. */
static void on_starttls(struct s2s_in *in)
{
    if (in->proved.count || in->question_count) {
        s2s_in_close(in, STREAM_POLICY_VIOLATION, "STARTTLS comes before dialback");
        return;
    }
    stream_send_text(in->stream, "<proceed xmlns='" NS_TLS "'/>");
    enter(in, IN_PLAIN);
    stream_accept_tls(in->stream, in->shard->s2s->o.tls, in->local, false);
}

static void on_nonza(struct s2s_in *in, const struct stanza *st)
{
    const struct element *root = st->payload->root;
    if (element_is(root, "starttls", NS_TLS) && !in->tls) {
        on_starttls(in);
    } else if (strcmp(root->ns, NS_DIALBACK) == 0) {
        on_dialback(in, st);
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

static void take(struct s2s_in *in, struct stanza *st, const struct proved *pair)
{
    struct s2s_place place = {.epoch = pair->epoch, .id = in->next};
    in->next = (struct queue_id){0};
    s2s_intake_take(&in->intake, st, pair->numbers ? &place : NULL);
}

/* The stream error for a stanza that may not be here; STREAM_OK: it may. */
static enum stream_error check(struct s2s_in *in, const struct stanza *st, struct proved **pair, const char **text)
{
    *text = "not authenticated: dialback first";
    if (in->state != IN_TRUSTED)
        return STREAM_NOT_AUTHORIZED;
    *text = "every stanza between servers needs from and to";
    if (!st->from || !st->to)
        return STREAM_IMPROPER_ADDRESSING;
    *pair = proved_of(in, st->from->domain, st->to->domain);
    *text = "that domain is not served here";
    if (!*pair && !exchange_is_local_domain(in->shard->s2s->o.exchange, st->to->domain))
        return STREAM_HOST_UNKNOWN;
    *text = "from is not a domain that this stream has proved";
    if (!*pair)
        return STREAM_INVALID_FROM;
    *text = "next stands before a message of a pair that has settled";
    return in->next.seq && (!(*pair)->numbers || st->kind != STANZA_MESSAGE) ? STREAM_BAD_FORMAT : STREAM_OK;
}

/* A domain answers a domain: something that one of our pairs asked, perhaps. */
static bool answers_us(const struct stanza *st)
{
    return st->kind == STANZA_IQ && (st->type == IQ_RESULT || st->type == IQ_ERROR) && st->id && !st->to->local &&
           !st->to->resource && !st->from->local && !st->from->resource;
}

static void on_stanza(struct stream *s, struct stanza *st)
{
    struct s2s_in *in = stream_user(s);
    const char *text;
    struct proved *pair;
    enum stream_error e = STREAM_OK;
    if (st->kind == STANZA_NONZA)
        on_nonza(in, st);
    else if ((e = check(in, st, &pair, &text)) != STREAM_OK)
        s2s_in_close(in, e, text);
    else {
        timer_start(&in->timer, in->shard->loop, IDLE_MS, on_timer);
        if (answers_us(st))
            s2s_errand_answer(in->shard->s2s, st->to->domain, st->from->domain, st->id);
        else
            take(in, st, pair);
    }
    stanza_unref(&st);
    if (!is_over(in) && stream_queued(in->stream) > ANSWERS_MAX_BYTES)
        in_cut(in);
}

static void on_end(struct stream *s, const struct stream_end *end)
{
    struct s2s_in *in = stream_user(s);
    enum s2s_reason why = s2s_reason_of_end(end);
    log_info(stream_log(s), "ended: %s", end->text);
    s2s_trail_end(in->trail, why, end->text);
    if (why != S2S_WHY_NONE && !in->asked && in->caller && in->local)
        show_trail(in, in->local, in->caller);
    enter(in, IN_ENDED);
    in->stream = NULL;
    if (!in->shard->stopping) /* then the listeners are closed */
        listener_forget(in->listener, (const struct sockaddr *)&in->peer);
    list_each(node, &in->questions) {
        struct question *q = list_entry(node, struct question, node);
        s2s_dialback_cancel(q->verify);
        question_free(q);
    }
    if (s2s_intake_is_empty(&in->intake))
        in_free(in);
}

static const struct stream_policy policy = {
    .content_ns = NS_SERVER,
    .receiving = true,
    .on_header = on_header,
    .on_stanza = on_stanza,
    .on_secure = on_secure,
    .on_end = on_end,
};

void s2s_in_accept(struct s2s_shard *sh, struct listener *li, bool direct_tls, uv_os_sock_t fd)
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
        wire_accept_tls(w, sh->s2s->o.tls, NULL, TLS_ASK_NOBODY, TLS_ALPN_XMPP_SERVER);
    in->peer = listener_peer(li);
    in->stream = stream_open(w, &policy, in, XML_LIMITS_BEFORE_AUTH, HEADER_TIMEOUT_MS);
    s2s_intake_init(&in->intake, sh, in->stream, on_empty);
    log_ctx_set(stream_log(in->stream), "s2s-in %s", wire_peer_text(w));
    in->trail = s2s_trail_new(sh->loop);
    s2s_trail_note(in->trail, S2S_STEP_TCP, "%s called", wire_peer_text(w));
    timer_start(&in->timer, sh->loop, AUTH_TIMEOUT_MS, on_timer);
}
