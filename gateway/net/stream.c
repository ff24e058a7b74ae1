/* SPDX-License-Identifier: MIT */
/* The XML stream (RFC 6120 section 4). Everything that can end a stream comes through
 * stream_close_with or the peer's </stream:stream>, and every end comes out of on_wire_end, so a
 * policy has one place to clean up. Events are pulled from the reader one at a time, and the
 * state is asked before each: whatever a callback did to the stream holds at once. */
#include "gateway/net/stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/net/stream_carried.h"
#include "gateway/net/stream_internal.h"
#include "gateway/net/wire_internal.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"
#include "gateway/xmpp/xml_frame.h"

enum {
    CLOSE_MS = 5000,
    ELEMENT_MS = 120000, /* a first-level element that was begun must end within this */
    PONG_QUEUE_BYTES = 65536, /* who does not read is owed no pongs */
};

#define TO(name) (1u << STATE_##name)
static const unsigned may_follow[] = {
#define S(name, next) next,
    STREAM_STATES(S)
#undef S
};
#undef TO
static const char *const state_names[] = {
#define S(name, next) #name,
    STREAM_STATES(S)
#undef S
};

static void enter(struct stream *s, enum stream_state next)
{
    CHECK(may_follow[s->state] & 1u << next);
    log_debug(&s->log, "stream %s -> %s", state_names[s->state], state_names[next]);
    s->state = next;
}

static bool can_speak(const struct stream *s)
{
    return s->state == STATE_OPENING || s->state == STATE_OPEN || s->state == STATE_PEER_CLOSED;
}

/* What leaves is a document each: messages of a WebSocket, or children of BOSH's bodies. */
static bool has_documents(const struct stream *s)
{
    return s->frames || s->carrier;
}

static void note_end(struct stream *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void note_end(struct stream *s, const char *fmt, ...)
{
    char text[sizeof((struct stream_end *)0)->text];
    va_list ap;
    if (s->end_text)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    s->end_text = mem_dup(text);
}

/* ---- time */

static void on_time(struct timer *t)
{
    struct stream *s = container_of(t, struct stream, timer);
    if (s->state == STATE_OPENING)
        stream_close(s, STREAM_CONNECTION_TIMEOUT, "no stream header in time");
    else if (s->state == STATE_OPEN)
        stream_close(s, STREAM_CONNECTION_TIMEOUT, "an element was begun and not ended in time");
    else if (s->state == STATE_SECURING || s->state == STATE_CLOSING)
        stream_abort(s);
}

void stream_await_header(struct stream *s)
{
    s->header_sent = false;
    if (s->header_timeout_ms)
        timer_start(&s->timer, stream_loop(s), s->header_timeout_ms, on_time);
}

/* ---- output */

/* What a message holds is gathered first, as its length stands before it. */
static void put_document(struct stream *s, struct span xml)
{
    if (s->carrier) {
        s->carrier->type->put(s->carrier, xml);
        return;
    }
    struct bytes *out = wire_append(s->wire);
    if (!out)
        return;
    frames_put_text(out, xml);
    wire_appended(s->wire);
}

static void put_open(struct bytes *out, const struct stream *s, const char *from)
{
    if (s->frames) {
        bytes_append_text(out, "<open xmlns='" NS_FRAMING "'");
    } else {
        bytes_append_text(out, "<?xml version='1.0'?><stream:stream xmlns:stream='" NS_STREAM "'");
        xml_put_attr(out, "xmlns", s->policy->content_ns);
        if (text_eq(s->policy->content_ns, NS_SERVER))
            xml_put_attr(out, "xmlns:db", NS_DIALBACK);
    }
    xml_put_attr(out, "from", from);
}

void stream_send_header(struct stream *s, const char *from, const char *to, const char *id,
                        const char *version, const char *lang)
{
    if (s->carrier) {
        if (can_speak(s))
            s->carrier->type->header(s->carrier,
                                     &(struct stream_header){from, to, id, lang, version, NS_CLIENT, false});
        s->header_sent = true;
        return;
    }
    struct bytes own = BYTES_EMPTY, *out = can_speak(s) ? wire_append(s->wire) : NULL;
    if (!out)
        return;
    if (s->frames)
        out = &own;
    put_open(out, s, from);
    xml_put_attr(out, "to", to);
    xml_put_attr(out, "id", id);
    xml_put_attr(out, "version", version);
    xml_put_attr(out, "xml:lang", lang);
    bytes_append_text(out, s->frames ? "/>" : ">");
    if (s->frames)
        put_document(s, bytes_span(&own));
    else
        wire_appended(s->wire);
    bytes_fini(&own);
    s->header_sent = true;
}

void stream_send(struct stream *s, const struct stanza *st)
{
    if (!can_speak(s))
        return;
    if (has_documents(s)) {
        struct bytes own = BYTES_EMPTY;
        stanza_write(&own, st, NULL);
        put_document(s, bytes_span(&own));
        bytes_fini(&own);
        return;
    }
    struct bytes *out = wire_append(s->wire);
    if (!out)
        return;
    stanza_write(out, st, s->policy->content_ns);
    wire_appended(s->wire);
}

static void put_documents(struct stream *s, struct span xml)
{
    struct bytes one = BYTES_EMPTY;
    for (; xml_frame_next(&one, &xml); bytes_clear(&one))
        put_document(s, bytes_span(&one));
    bytes_fini(&one);
}

void stream_send_raw(struct stream *s, struct span xml)
{
    if (can_speak(s) && has_documents(s))
        put_documents(s, xml);
    else if (can_speak(s))
        wire_write(s->wire, xml.data, xml.len);
}

void stream_send_text(struct stream *s, const char *fmt, ...)
{
    char small[1024];
    va_list ap;
    if (!can_speak(s))
        return;
    va_start(ap, fmt);
    int len = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    CHECK(len >= 0);
    if ((size_t)len < sizeof small) {
        stream_send_raw(s, (struct span){small, (size_t)len});
    } else {
        char *large = mem_alloc((size_t)len + 1);
        va_start(ap, fmt);
        vsnprintf(large, (size_t)len + 1, fmt, ap);
        va_end(ap);
        stream_send_raw(s, (struct span){large, (size_t)len});
        mem_free(large);
    }
}

static void send_tail(struct stream *s)
{
    if (s->carrier)
        return; /* its close says it */
    stream_send_raw(s, s->frames ? SPAN("<close xmlns='" NS_FRAMING "'/>") : SPAN("</stream:stream>"));
}

/* RFC 6120 4.9.1.2: an error before our header still gets one. The address that the peer asked
 * for is repeated, as the error may be about just that. */
static void send_header_for_error(struct stream *s)
{
    const struct stream_header *h = s->header;
    char id[RANDOM_ID_LEN + 1];
    random_id(id);
    stream_send_header(s, h ? h->to : NULL, h ? h->from : NULL, id, "1.0", "en");
}

static void send_error(struct stream *s, enum stream_error e, const char *text, struct span app_xml)
{
    struct bytes b = BYTES_EMPTY;
    bytes_printf(&b, "<stream:error><%s xmlns='" NS_STREAM_ERRORS "'/>", stream_error_name(e));
    if (text) {
        bytes_append_text(&b, "<text xmlns='" NS_STREAM_ERRORS "' xml:lang='en'>");
        xml_escape(&b, text, strlen(text));
        bytes_append_text(&b, "</text>");
    }
    bytes_append(&b, app_xml.data, app_xml.len);
    bytes_append_text(&b, "</stream:error>");
    stream_send_raw(s, bytes_span(&b));
    bytes_fini(&b);
}

/* ---- ending */

/* RFC 6455 5.5.1: the last frame, with the code that answers what the peer's frames ended by. */
static void say_close(struct stream *s)
{
    struct bytes *out = wire_append(s->wire);
    bool echo = s->left.kind == FRAMES_BAD;
    if (!out)
        return;
    frames_put_close(out, echo ? s->left.code : FRAMES_NORMAL);
    wire_appended(s->wire);
}

static void close_wire(struct stream *s)
{
    if (s->frames)
        say_close(s);
    enter(s, STATE_ENDING);
    timer_stop(&s->timer);
    loop_cancel_hook(&s->hook);
    if (s->carrier)
        s->carrier->type->close(s->carrier, s->sent);
    else
        wire_close(s->wire, CLOSE_MS);
}

void stream_close_with(struct stream *s, enum stream_error e, const char *text, struct span app_xml)
{
    loop_check(stream_loop(s));
    if (s->state == STATE_ENDING || s->state == STATE_CLOSING || s->state == STATE_PEER_CLOSED)
        return; /* PEER_CLOSED: ours is on its way */
    s->sent = e;
    note_end(s, "we ended it: %s%s%s", e ? stream_error_name(e) : "no error", text ? ": " : "",
             text ? text : "");
    bool mute = s->state == STATE_SECURING || (s->wire && wire_is_securing(s->wire));
    if (!mute && !s->header_sent && e && s->policy->receiving)
        send_header_for_error(s);
    if (mute || !s->header_sent) {
        close_wire(s);
        return;
    }
    if (e)
        send_error(s, e, text, app_xml);
    send_tail(s);
    if (s->carrier) { /* a request says nothing back */
        close_wire(s);
        return;
    }
    enter(s, STATE_CLOSING);
    timer_start(&s->timer, stream_loop(s), CLOSE_MS, on_time);
    if (s->paused)
        stream_resume(s); /* to hear the peer's end */
}

void stream_close(struct stream *s, enum stream_error e, const char *text)
{
    stream_close_with(s, e, text, (struct span){0});
}

void stream_abort(struct stream *s)
{
    loop_check(stream_loop(s));
    note_end(s, "we cut it");
    bool had_ended = s->state == STATE_ENDING;
    if (s->state != STATE_ENDING) {
        if (s->state == STATE_OPENING || s->state == STATE_OPEN || s->state == STATE_SECURING)
            log_debug(&s->log, "stream is cut");
        enter(s, STATE_ENDING);
    }
    timer_stop(&s->timer);
    loop_cancel_hook(&s->hook);
    if (s->wire)
        wire_abort(s->wire);
    else if (!had_ended)
        s->carrier->type->close(s->carrier, STREAM_OK);
}

void stream_ended(struct stream *s, enum wire_end how, const char *text)
{
    note_end(s, "%s", text);
    struct stream_end end = {
        .sent = s->sent, .received = s->received, .wire = how, .orderly = s->orderly};
    text_copy(end.text, sizeof end.text, s->end_text);
    s->state = STATE_ENDING; /* from any: what carried it has gone */
    timer_stop(&s->timer);
    loop_cancel_hook(&s->hook);
    s->policy->on_end(s, &end);
    xml_reader_destroy(&s->reader);
    frames_destroy(&s->frames);
    mem_free(s->end_text);
    mem_free(s->lang);
    mem_free(s);
}

static void on_wire_end(void *user, enum wire_end how, const struct error *e)
{
    struct stream *s = user;
    static const char *const how_text[] = {
        [WIRE_END_CLOSED] = "connection closed",
        [WIRE_END_EOF] = "the peer closed the connection without closing the stream",
        [WIRE_END_RESET] = "connection broke",
        [WIRE_END_TLS] = "TLS failed",
    };
    if (e->code)
        note_end(s, "%s: %s", how_text[how], e->text);
    stream_ended(s, how, how_text[how]);
}

/* ---- input */

static void on_peer_header(struct stream *s, const struct stream_header *h)
{
    CHECK(s->state == STATE_OPENING);
    timer_stop(&s->timer);
    s->header = h;
    enter(s, STATE_OPEN);
    if (!text_eq(h->content_ns, s->policy->content_ns))
        stream_close(s, STREAM_INVALID_NAMESPACE, "this stream carries another content namespace");
    else
        s->policy->on_header(s, h);
    s->header = NULL;
}

/* RFC 6120 4.9.2: exactly one condition in its namespace, perhaps text, perhaps an own
 * condition. */
static void keep_received_error(struct stream *s, const struct stanza *st)
{
    const char *text = NULL;
    s->received = STREAM_UNDEFINED_CONDITION;
    for (const struct element *c = st->payload->root->first_child; c; c = c->next) {
        if (!text_eq(c->ns, NS_STREAM_ERRORS))
            continue;
        if (text_eq(c->name, "text"))
            text = c->text;
        else
            s->received = stream_error_parse(c->name);
    }
    note_end(s, "the peer ended it: %s%s%s", stream_error_name(s->received), text ? ": " : "",
             text ? text : "");
}

static void on_peer_stanza(struct stream *s, struct stanza *st)
{
    if (s->state != STATE_OPEN) { /* CLOSING: too late */
        stanza_unref(&st);
        return;
    }
    bool is_error = st->kind == STANZA_NONZA && element_is(st->payload->root, "error", NS_STREAM);
    if (is_error)
        keep_received_error(s, st);
    if (s->lang && !st->lang && st->kind != STANZA_NONZA)
        st->lang = arena_dup(&st->arena, s->lang); /* RFC 6120 8.1.5; nobody else has it yet */
    s->policy->on_stanza(s, st);
    if (is_error)
        stream_close(s, STREAM_OK, NULL);
}

static void on_peer_close(struct stream *s)
{
    s->orderly = true;
    note_end(s, "the peer ended it");
    if (s->state == STATE_CLOSING) {
        close_wire(s);
        return;
    }
    /* What is answered within this turn still goes before our own end tag (RFC 6120 4.4). */
    enter(s, STATE_PEER_CLOSED);
    loop_at_turn_end(stream_loop(s), &s->hook);
}

static void on_bad_xml(struct stream *s, const struct xml_event *ev)
{
    if (s->state != STATE_CLOSING)
        stream_close(s, ev->error, ev->text);
    if (s->state == STATE_CLOSING) /* its end tag cannot be recognised any more */
        close_wire(s);
}

static bool is_reading(const struct stream *s)
{
    return !s->paused &&
           (s->state == STATE_OPENING || s->state == STATE_OPEN || s->state == STATE_CLOSING);
}

static enum stream_error error_of(unsigned code)
{
    return code == FRAMES_NOT_UTF8 ? STREAM_UNSUPPORTED_ENCODING
           : code == FRAMES_TOO_BIG || code == FRAMES_POLICY ? STREAM_POLICY_VIOLATION
                                                             : STREAM_BAD_FORMAT;
}

/* The peer's frames have ended, and all that came before is handled. */
static void on_frames_over(struct stream *s)
{
    if (s->left.kind == FRAMES_BAD && s->state != STATE_CLOSING)
        stream_close(s, error_of(s->left.code), s->left.text);
    else
        note_end(s, "the peer closed the WebSocket (%u) without closing the stream", s->left.code);
    if (s->state != STATE_ENDING)
        close_wire(s); /* nothing of the peer's can be understood any more */
}

static bool has_partial(const struct stream *s)
{
    return s->frames ? frames_partial(s->frames) : xml_reader_partial(s->reader) > 0;
}

/* A slow peer may take its time between elements, not inside one. */
static void watch_element(struct stream *s, bool progress)
{
    if (s->state != STATE_OPEN)
        return;
    if (progress || s->paused)
        timer_stop(&s->timer);
    if (!s->paused && !timer_is_running(&s->timer) && has_partial(s))
        timer_start(&s->timer, stream_loop(s), ELEMENT_MS, on_time);
}

void stream_pump(struct stream *s)
{
    bool progress = false;
    for (; is_reading(s); progress = true) {
        struct xml_event ev;
        xml_reader_next(s->reader, &ev);
        switch (ev.kind) {
        case XML_NONE:
            watch_element(s, progress);
            if (s->frames && s->left.kind != FRAMES_MORE)
                on_frames_over(s);
            return;
        case XML_HEADER:
            if (s->state == STATE_OPENING)
                on_peer_header(s, &ev.header);
            break;
        case XML_STANZA:
            on_peer_stanza(s, ev.stanza);
            break;
        case XML_CLOSE:
            on_peer_close(s);
            break;
        case XML_ERROR:
            on_bad_xml(s, &ev);
            break;
        }
    }
    watch_element(s, progress);
}

static void on_turn_end(struct turn_hook *h)
{
    struct stream *s = container_of(h, struct stream, hook);
    if (s->state != STATE_PEER_CLOSED) {
        stream_pump(s);
        return;
    }
    if (s->header_sent || s->frames) /* <close/> needs no <open/>, and one of it is answered by one */
        send_tail(s);
    close_wire(s);
}

static void answer_ping(struct stream *s, struct span data)
{
    struct bytes *out = wire_queued(s->wire) < PONG_QUEUE_BYTES ? wire_append(s->wire) : NULL;
    if (!out)
        return;
    frames_put_pong(out, data);
    wire_appended(s->wire);
}

static void take_frames(struct stream *s, struct span in)
{
    struct frames_event ev = s->left;
    while (s->left.kind == FRAMES_MORE) {
        frames_next(s->frames, &in, loop_now_ms(stream_loop(s)), &ev);
        if (ev.kind == FRAMES_MORE)
            return;
        if (ev.kind == FRAMES_TEXT)
            xml_reader_message(s->reader, ev.data.data, ev.data.len);
        else if (ev.kind == FRAMES_PING)
            answer_ping(s, ev.data);
        else
            s->left = ev;
    }
}

static void on_wire_bytes(void *user, const char *data, size_t len)
{
    struct stream *s = user;
    if (s->state == STATE_ENDING || s->state == STATE_PEER_CLOSED)
        return;
    if (s->frames)
        take_frames(s, (struct span){data, len});
    else
        xml_reader_feed(s->reader, data, len);
    stream_pump(s);
}

static void on_wire_secure(void *user, const struct tls_info *info)
{
    struct stream *s = user;
    if (s->state == STATE_SECURING)
        enter(s, STATE_OPENING);
    if (s->state == STATE_OPENING && s->policy->on_secure)
        s->policy->on_secure(s, info);
}

void stream_drained(struct stream *s)
{
    if (stream_is_open(s) && s->policy->on_drained)
        s->policy->on_drained(s);
}

static void on_wire_drained(void *user)
{
    stream_drained(user);
}

static const struct wire_events wire_events = {
    .on_bytes = on_wire_bytes,
    .on_secure = on_wire_secure,
    .on_drained = on_wire_drained,
    .on_end = on_wire_end,
};

/* ---- restarts */

/* false: the peer had already sent more plaintext, which must not be taken for protected
 * (RFC 6120 5.4.3.3); the stream is closing. */
static bool leave_plaintext(struct stream *s)
{
    if (xml_reader_restart(s->reader) > 0) {
        stream_close(s, STREAM_POLICY_VIOLATION, "data in the clear after the start of TLS");
        return false;
    }
    enter(s, STATE_SECURING);
    stream_await_header(s);
    return true;
}

void stream_accept_tls(struct stream *s, struct tls_store *t, const char *domain, enum tls_ask ask)
{
    loop_check(stream_loop(s));
    CHECK(s->wire);
    if (stream_is_open(s) && leave_plaintext(s))
        wire_accept_tls(s->wire, t, domain, ask, TLS_ALPN_NONE);
}

void stream_connect_tls(struct stream *s, struct tls_store *t, const struct tls_peer *p)
{
    loop_check(stream_loop(s));
    if (stream_is_open(s) && leave_plaintext(s))
        wire_connect_tls(s->wire, t, p);
}

void stream_expect_restart(struct stream *s)
{
    loop_check(stream_loop(s));
    if (s->state != STATE_OPEN)
        return;
    size_t dropped = xml_reader_restart(s->reader);
    if (dropped)
        log_debug(&s->log, "%zu elements came before the restart; dropped", dropped);
    enter(s, STATE_OPENING);
    stream_await_header(s);
}

void stream_set_limits(struct stream *s, struct xml_limits limits)
{
    xml_reader_set_limits(s->reader, limits);
    if (s->frames)
        frames_set_max(s->frames, limits.stanza_bytes);
}

struct xml_limits stream_limits(const struct stream *s)
{
    return xml_reader_limits(s->reader);
}

void stream_set_content_lang(struct stream *s, const char *lang)
{
    mem_free(s->lang);
    s->lang = lang ? mem_dup(lang) : NULL;
}

/* ---- back-pressure */

void stream_pause(struct stream *s)
{
    loop_check(stream_loop(s));
    if (!stream_is_open(s))
        return;
    s->paused = true;
    if (s->carrier)
        s->carrier->type->pause(s->carrier);
    else
        wire_pause(s->wire);
}

void stream_resume(struct stream *s)
{
    loop_check(stream_loop(s));
    if (!s->paused)
        return;
    s->paused = false;
    loop_at_turn_end(stream_loop(s), &s->hook); /* events that were read before the pause */
    if (s->carrier)
        s->carrier->type->resume(s->carrier);
    else
        wire_resume(s->wire);
}

size_t stream_queued(const struct stream *s)
{
    return s->carrier ? s->carrier->type->queued(s->carrier) : wire_queued(s->wire);
}

/* ---- life */

struct stream *stream_create(struct loop *l, const struct stream_policy *p, void *user, struct xml_limits limits,
                             uint64_t header_timeout_ms, const char *peer_text)
{
    loop_check(l);
    struct stream *s = mem_new(struct stream);
    s->policy = p;
    s->user = user;
    s->reader = xml_reader_create(loop_xml_pool(l), limits);
    s->header_timeout_ms = header_timeout_ms;
    s->hook.run = on_turn_end;
    log_ctx_set(&s->log, "%s", peer_text);
    return s;
}

struct stream *stream_open(struct wire *w, const struct stream_policy *p, void *user,
                           struct xml_limits limits, uint64_t header_timeout_ms)
{
    struct stream *s = stream_create(wire_loop(w), p, user, limits, header_timeout_ms, wire_peer_text(w));
    s->wire = w;
    if (p->framed)
        s->frames = frames_create(limits.stanza_bytes);
    wire_set_owner(w, &wire_events, s);
    stream_await_header(s);
    wire_resume(w);
    return s;
}

void *stream_user(const struct stream *s)
{
    return s->user;
}

struct wire *stream_wire(const struct stream *s)
{
    return s->wire;
}

const char *stream_peer_text(const struct stream *s)
{
    return s->wire ? wire_peer_text(s->wire) : s->carrier->peer_text;
}

bool stream_channel_binding(const struct stream *s, const char *type, struct bytes *out)
{
    return s->wire && wire_channel_binding(s->wire, type, out);
}

struct loop *stream_loop(const struct stream *s)
{
    return s->wire ? wire_loop(s->wire) : s->carrier->loop;
}

struct log_ctx *stream_log(struct stream *s)
{
    return &s->log;
}

bool stream_is_open(const struct stream *s)
{
    return s->state == STATE_OPENING || s->state == STATE_SECURING || s->state == STATE_OPEN;
}
