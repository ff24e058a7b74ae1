/* SPDX-License-Identifier: MIT */
/* Dialback (XEP-0220): keys by XEP-0185, and the receiving server's question to the authoritative one.
 * Each question has a stream of its own; on streams that are up already it is not piggybacked yet. */
#include "s2s/s2s_dialback.h"

#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/dialback_key.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_out.h"

enum { ANSWER_TIMEOUT_MS = 20000 };

struct s2s_verify {
    struct s2s_out *out;
    struct loop *loop;
    struct timer timer; /* the answer's */
    char *local, *remote, *id, *key;
    void (*on_result)(void *user, bool valid, enum stanza_error e);
    void *user;
    struct s2s_trail *trail;
    bool answered; /* on_result was called, or nobody waits */
};

void s2s_dialback_key(const struct s2s *s, const char *receiving, const char *originating,
                      const char *id, struct bytes *out)
{
    char key[DIALBACK_KEY_LEN + 1];
    dialback_key_make(key, s->o.dialback_secret, S2S_SECRET_LEN,
                      &(struct dialback_names){receiving, originating, id});
    bytes_append_text(out, key);
}

bool s2s_dialback_key_is_ours(const struct s2s *s, const char *receiving, const char *originating,
                              const char *id, const char *key)
{
    return dialback_key_check(key, s->o.dialback_secret, S2S_SECRET_LEN,
                              &(struct dialback_names){receiving, originating, id});
}

bool s2s_dialback_read(const struct stanza *st, struct s2s_dialback *out)
{
    *out = (struct s2s_dialback){.id = stanza_attr(st, "id"),
                                 .type = stanza_attr(st, "type"),
                                 .key = st->payload->root->text};
    arena_init(&out->arena);
    out->from = jid_parse_domain(&out->arena, stanza_attr(st, "from"));
    out->to = jid_parse_domain(&out->arena, stanza_attr(st, "to"));
    if (out->from && out->to)
        return true;
    arena_fini(&out->arena);
    return false;
}

static void send_word(struct stream *st, const struct s2s_dialback_word *w, struct span inside)
{
    struct bytes b = BYTES_EMPTY;
    const char *const attrs[][2] = {{"from", w->from}, {"to", w->to}, {"id", w->id}, {"type", w->type}};
    bytes_printf(&b, "<db:%s", w->element);
    for (size_t i = 0; i < sizeof attrs / sizeof *attrs; i++) {
        if (!attrs[i][1])
            continue;
        bytes_printf(&b, " %s='", attrs[i][0]);
        xml_escape(&b, attrs[i][1], strlen(attrs[i][1]));
        bytes_append_char(&b, '\'');
    }
    bytes_append_char(&b, '>');
    if (w->key)
        xml_escape(&b, w->key, strlen(w->key));
    bytes_append(&b, inside.data, inside.len);
    bytes_printf(&b, "</db:%s>", w->element);
    stream_send_raw(st, bytes_span(&b));
    bytes_fini(&b);
}

void s2s_dialback_send(struct stream *st, const struct s2s_dialback_word *w)
{
    send_word(st, w, (struct span){0});
}

void s2s_dialback_send_error(struct stream *st, const struct s2s_dialback_word *w, enum stanza_error e)
{
    struct s2s_dialback_word answer = {
        .element = w->element, .from = w->from, .to = w->to, .id = w->id, .type = "error"};
    struct bytes b = BYTES_EMPTY;
    bytes_printf(&b, "<error type='%s'><%s xmlns='" NS_STANZA_ERRORS "'/></error>",
                 stanza_error_type(e), stanza_error_name(e));
    send_word(st, &answer, bytes_span(&b));
    bytes_fini(&b);
}

/* ---- as authoritative server ---- */

static bool answer_about(struct s2s_shard *sh, struct stream *st, const struct s2s_dialback *d)
{
    struct s2s_dialback_word answer = {.element = "verify", .from = d->to, .to = d->from, .id = d->id};
    if (!exchange_is_local_domain(sh->s2s->o.exchange, d->to)) {
        s2s_dialback_send_error(st, &answer, STANZA_ITEM_NOT_FOUND);
        return false;
    }
    bool valid = s2s_dialback_key_is_ours(sh->s2s, d->from, d->to, d->id, d->key);
    if (!valid)
        log_warn(stream_log(st), "%s asked about a dialback key that is not ours", d->from);
    answer.type = valid ? "valid" : "invalid";
    s2s_dialback_send(st, &answer);
    return valid;
}

bool s2s_dialback_answer(struct s2s_shard *sh, struct stream *st, const struct stanza *question, bool *wrong)
{
    struct s2s_dialback d;
    if (!element_is(question->payload->root, "verify", NS_DIALBACK) || !s2s_dialback_read(question, &d))
        return false;
    bool sound = d.id && !d.type, valid = sound && answer_about(sh, st, &d);
    if (wrong)
        *wrong = !valid;
    arena_fini(&d.arena);
    return sound;
}

/* ---- as receiving server: the question ---- */

static void verify_free(struct s2s_verify *v)
{
    timer_stop(&v->timer);
    s2s_trail_unref(&v->trail);
    mem_free(v->local);
    mem_free(v->remote);
    mem_free(v->id);
    mem_free(v->key);
    mem_free(v);
}

static void answer(struct s2s_verify *v, bool valid, enum stanza_error e)
{
    if (v->answered)
        return;
    v->answered = true;
    v->on_result(v->user, valid, e);
}

static void on_no_answer(struct timer *t)
{
    struct s2s_verify *v = container_of(t, struct s2s_verify, timer);
    s2s_trail_fail(v->trail, S2S_STEP_AUTHENTICATION, S2S_WHY_CANNOT_ASK_THEM,
                   "dialback: %s takes our question and does not answer it", v->remote);
    answer(v, false, STANZA_REMOTE_SERVER_TIMEOUT);
    s2s_out_close(v->out, STREAM_CONNECTION_TIMEOUT, "no answer to dialback in time");
}

static void verify_ready(void *user)
{
    struct s2s_verify *v = user;
    const struct s2s_dialback_word ask = {
        .element = "verify", .from = v->local, .to = v->remote, .id = v->id, .key = v->key};
    s2s_dialback_send(s2s_out_stream(v->out), &ask);
    timer_start(&v->timer, v->loop, ANSWER_TIMEOUT_MS, on_no_answer);
}

static void verify_element(void *user, struct stanza *st)
{
    struct s2s_verify *v = user;
    struct s2s_dialback d;
    if (st->kind != STANZA_NONZA)
        s2s_out_close(v->out, STREAM_NOT_AUTHORIZED, "stanza on a stream that only we may use");
    if (!element_is(st->payload->root, "verify", NS_DIALBACK) || !s2s_dialback_read(st, &d))
        return; /* not the answer to our question; the timer watches */
    if (text_eq(d.id, v->id) && strcmp(d.from, v->remote) == 0 && strcmp(d.to, v->local) == 0) {
        bool valid = text_eq(d.type, "valid"), invalid = text_eq(d.type, "invalid");
        answer(v, valid, valid || invalid ? STANZA_OK : STANZA_REMOTE_SERVER_TIMEOUT);
        s2s_out_close(v->out, STREAM_OK, NULL);
    }
    arena_fini(&d.arena);
}

static void verify_end(void *user, enum s2s_failure why, const char *text)
{
    struct s2s_verify *v = user;
    v->out = NULL;
    if (!v->answered)
        s2s_trail_fail(v->trail, S2S_STEP_AUTHENTICATION, S2S_WHY_CANNOT_ASK_THEM,
                       "dialback: %s cannot be asked back: %s", v->remote, text);
    answer(v, false, why == S2S_NOT_FOUND ? STANZA_REMOTE_SERVER_NOT_FOUND : STANZA_REMOTE_SERVER_TIMEOUT);
    verify_free(v);
}

struct s2s_verify *s2s_dialback_verify(struct s2s_shard *sh, const struct s2s_dialback_question *q)
{
    static const struct s2s_out_events events = {verify_ready, verify_element, NULL, verify_end};
    struct s2s_verify *v = mem_new(struct s2s_verify);
    v->local = mem_dup(q->local);
    v->remote = mem_dup(q->remote);
    v->id = mem_dup(q->id);
    v->key = mem_dup(q->key);
    v->loop = sh->loop;
    v->on_result = q->on_result;
    v->user = q->user;
    v->trail = s2s_trail_ref(q->trail);
    v->out = s2s_out_open(sh, v->local, v->remote, S2S_QUESTION, &events, v);
    return v;
}

void s2s_dialback_cancel(struct s2s_verify *v)
{
    if (v->answered)
        return; /* its stream is closing; verify_end frees */
    v->answered = true;
    s2s_out_close(v->out, STREAM_OK, NULL);
}
