/* SPDX-License-Identifier: MIT */
/* The session: which request is the next, which waits for an answer, what an answer says, and how long all that may
 * last (XEP-0124 sections 7 to 16). It carries one stream and knows nothing of what it says.
 *
 * Requests are taken in the order of their numbers and answered in it. Of each the slot stays until `window` more were
 * taken, so that one whose answer was lost is answered again, in the same words. The stream ends before the session:
 * what is left then is the last answer, for the request that will come for it. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "c2s/c2s_bosh.h"
#include "c2s/c2s_conn.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/stream_carried.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

enum {
    HOLD_MAX = 2,
    RING = 8, /* at least twice HOLD_MAX + 1 */
    WAIT_MAX_S = 55, /* reverse proxies give up after 60 */
    INACTIVITY_S = 60,
    PAUSE_MAX_S = 120,
    POLLING_S = 2,   /* who may wait need not ask sooner */
    POLLS_BURST = 5, /* may come sooner all the same */
    LINGER_MS = 10000,
    ANSWER_BYTES = 65536, /* an element more makes another answer */
    KEY_LEN = 40,
};
#define RID_MAX ((UINT64_C(1) << 53) - 1)

enum slot_state {
    SLOT_FREE,
    SLOT_EARLY,    /* came; one before it has not been taken yet, or the stream is paused */
    SLOT_HELD,     /* taken, to be answered */
    SLOT_ANSWERED, /* kept for who asks again */
};

struct slot {
    enum slot_state state;
    struct c2s_bosh_request *r; /* EARLY, HELD; NULL: its connection is lost */
    struct xml_body *body;      /* EARLY */
    struct bytes kept;          /* ANSWERED */
    char *key;                  /* of the request, where the session has keys */
    uint64_t due_ms;            /* HELD */
};

enum session_state {
    SESSION_OPEN,
    SESSION_ENDING, /* stream_carried_end is on its way; nothing goes to the stream any more */
    SESSION_OVER,   /* the stream has ended: only the last answer is left */
};

struct part {
    struct part *next;
    struct bytes xml; /* whole elements */
};

struct c2s_bosh_session {
    struct stream_carrier carrier;
    struct c2s_port *port;
    struct list node;
    struct stream *stream; /* NULL: ended */
    struct sockaddr_storage peer;
    bool counted;
    char peer_text[INET6_ADDRSTRLEN];
    char sid[2 + RANDOM_ID_LEN + 1];
    enum session_state state;
    uint8_t hold;
    bool acks;      /* the client uses 'ack' */
    bool paused;    /* by the stream */
    bool flushes;   /* what is held is answered: a pause was asked for */
    bool final_sent;
    uint64_t wait_ms;
    uint64_t quiet_ms;       /* how long nothing need be held */
    uint64_t since_ms;       /* when the last request was answered, or lost */
    uint64_t next, oldest;   /* number to be taken; lowest that waits for its answer */
    struct slot ring[RING];  /* by number */
    struct part *parts, **parts_end;
    size_t out_bytes;
    unsigned polls;          /* that came too soon */
    uint64_t polls_ms;       /* when the count last went down */
    uint64_t pressed_ms;     /* when one was answered because of what came behind it on its connection */
    char *head;              /* attributes of the first answer; NULL: it was given */
    char *to, *lang, *version; /* of the first request, for restarts */
    char *key;               /* what the next one's hash must be; NULL: no keys */
    const char *content_type;
    const char *condition; /* of the end; NULL: none */
    const char *why;       /* for the log */
    struct timer timer;
    struct turn_hook hook;
    struct command end;
};

static uint64_t now_of(const struct c2s_bosh_session *s)
{
    return loop_now_ms(s->carrier.loop);
}

static struct slot *slot_of(struct c2s_bosh_session *s, uint64_t rid)
{
    return &s->ring[rid % RING];
}

static unsigned window_of(const struct c2s_bosh_session *s)
{
    return s->hold + 1u;
}

static void set_text(char **at, const char *text)
{
    mem_free(*at);
    *at = text ? mem_dup(text) : NULL;
}

/* ---- slots ---- */

static void answer_empty(struct c2s_bosh_session *s, struct c2s_bosh_request *r)
{
    c2s_bosh_answer(r, SPAN("<body xmlns='" NS_BOSH "'/>"), s->content_type);
}

static void free_slot(struct slot *slot)
{
    CHECK(!slot->r);
    xml_body_destroy(&slot->body);
    bytes_fini(&slot->kept);
    mem_free(slot->key);
    *slot = (struct slot){0};
}

/* The same number again: whoever waited has lost its connection, most likely. */
static void replace_request(struct c2s_bosh_session *s, struct slot *slot, struct c2s_bosh_request *r)
{
    if (slot->r)
        answer_empty(s, slot->r);
    slot->r = r;
    slot->due_ms = now_of(s) + s->wait_ms;
}

/* ---- the end ---- */

static void on_end(struct command *cmd);

static void ending(struct c2s_bosh_session *s, const char *condition, const char *why)
{
    if (s->state != SESSION_OPEN)
        return;
    s->state = SESSION_ENDING;
    if (!s->condition)
        s->condition = condition;
    s->why = why;
    s->end.run = on_end;
    loop_post(s->carrier.loop, &s->end);
    loop_at_turn_end(s->carrier.loop, &s->hook);
}

void c2s_bosh_session_free(struct c2s_bosh_session *s)
{
    CHECK(!s->stream);
    timer_stop(&s->timer);
    loop_cancel_hook(&s->hook);
    for (unsigned i = 0; i < RING; i++) {
        if (s->ring[i].r)
            answer_empty(s, s->ring[i].r);
        s->ring[i].r = NULL;
        free_slot(&s->ring[i]);
    }
    while (s->parts) {
        struct part *gone = s->parts;
        s->parts = gone->next;
        bytes_fini(&gone->xml);
        mem_free(gone);
    }
    map_remove(&s->port->io->bosh->by_sid, s->sid);
    list_remove(&s->node);
    mem_free(s->head);
    mem_free(s->to);
    mem_free(s->lang);
    mem_free(s->version);
    mem_free(s->key);
    mem_free(s);
}

static void on_linger_due(struct timer *t)
{
    c2s_bosh_session_free(container_of(t, struct c2s_bosh_session, timer));
}

static void on_end(struct command *cmd)
{
    struct c2s_bosh_session *s = container_of(cmd, struct c2s_bosh_session, end);
    struct stream *stream = s->stream;

    s->stream = NULL;
    s->state = SESSION_OVER;
    timer_start(&s->timer, s->carrier.loop, LINGER_MS, on_linger_due);
    if (s->counted)
        sources_drop(&s->port->io->bosh->sources, (const struct sockaddr *)&s->peer);
    stream_carried_end(stream, WIRE_END_EOF, s->why);
}

/* XEP-0124 17.2: the condition that says the same as the stream's error, else that there is one inside. */
static const char *condition_of(enum stream_error e)
{
    switch (e) {
    case STREAM_OK:
        return NULL;
    case STREAM_HOST_GONE:
    case STREAM_HOST_UNKNOWN:
    case STREAM_IMPROPER_ADDRESSING:
    case STREAM_INTERNAL_SERVER_ERROR:
    case STREAM_POLICY_VIOLATION:
    case STREAM_SYSTEM_SHUTDOWN:
        return stream_error_name(e);
    default: /* of the stream's many the others are its own */
        return "remote-stream-error";
    }
}

/* ---- answers ---- */

static void put_payload(struct c2s_bosh_session *s, struct bytes *out)
{
    struct part *p = s->parts;

    bytes_append(out, p->xml.data, p->xml.len);
    s->out_bytes -= p->xml.len;
    s->parts = p->next;
    if (!s->parts)
        s->parts_end = &s->parts;
    bytes_fini(&p->xml);
    mem_free(p);
}

static void put_tag(struct c2s_bosh_session *s, struct bytes *out, uint64_t rid, bool final)
{
    bytes_append_text(out, "<body xmlns='" NS_BOSH "'");
    if (s->head)
        bytes_append_text(out, s->head);
    else if (s->acks && s->next - 1 > rid)
        bytes_printf(out, " ack='%" PRIu64 "'", s->next - 1);
    mem_free(s->head);
    s->head = NULL;
    if (!final)
        return;
    bytes_append_text(out, " type='terminate'");
    if (s->condition)
        bytes_printf(out, " condition='%s'", s->condition);
}

static void answer_slot(struct c2s_bosh_session *s, struct slot *slot, uint64_t rid, bool final)
{
    struct c2s_bosh_request *r = slot->r;
    struct bytes out = BYTES_EMPTY, payload = BYTES_EMPTY;

    if (s->parts && r)
        put_payload(s, &payload);
    while (final && s->parts)
        put_payload(s, &payload);
    put_tag(s, &out, rid, final);
    if (payload.len) {
        bytes_append_char(&out, '>');
        bytes_append(&out, payload.data, payload.len);
        bytes_append_text(&out, "</body>");
    } else {
        bytes_append_text(&out, "/>");
    }
    slot->state = SLOT_ANSWERED;
    slot->r = NULL;
    s->final_sent = s->final_sent || final;
    if (r)
        c2s_bosh_answer(r, bytes_span(&out), s->content_type);
    slot->kept = out;
    s->since_ms = now_of(s);
    if (payload.len && !s->parts && s->stream && s->state == SESSION_OPEN)
        stream_carried_drained(s->stream);
    bytes_fini(&payload);
}

/* Those that were not taken when it ended. */
static void answer_early(struct c2s_bosh_session *s)
{
    for (uint64_t rid = s->next; rid < s->next + window_of(s); rid++) {
        struct slot *slot = slot_of(s, rid);
        if (slot->state == SLOT_EARLY && slot->r)
            answer_slot(s, slot, rid, true);
    }
}

static bool is_due(const struct c2s_bosh_session *s, const struct slot *slot, unsigned held)
{
    return s->state != SESSION_OPEN || s->parts || s->head || s->flushes || held > s->hold ||
           now_of(s) >= slot->due_ms;
}

static void on_time(struct timer *t);

/* When something is to be done though nothing comes. */
static void set_timer(struct c2s_bosh_session *s)
{
    uint64_t now = now_of(s), at = s->since_ms + s->quiet_ms;

    if (s->state != SESSION_OPEN)
        return;
    for (uint64_t rid = s->oldest; rid < s->next; rid++)
        if (slot_of(s, rid)->r) {
            at = slot_of(s, rid)->due_ms;
            break;
        }
    timer_start(&s->timer, s->carrier.loop, at > now ? at - now : 0, on_time);
}

static void answer_due(struct c2s_bosh_session *s)
{
    while (s->oldest < s->next) {
        struct slot *slot = slot_of(s, s->oldest);
        unsigned held = (unsigned)(s->next - s->oldest);
        if (!slot->r && held == 1)
            break; /* it will be asked again, or the next */
        if (slot->r && !is_due(s, slot, held))
            break;
        answer_slot(s, slot, s->oldest, slot->r && s->state != SESSION_OPEN && held == 1);
        s->oldest++;
    }
    s->flushes = false;
    if (s->state != SESSION_OPEN)
        answer_early(s);
    set_timer(s);
}

static void on_time(struct timer *t)
{
    struct c2s_bosh_session *s = container_of(t, struct c2s_bosh_session, timer);
    bool waits = false;

    for (uint64_t rid = s->oldest; rid < s->next; rid++)
        waits = waits || slot_of(s, rid)->r;
    if (!waits && !s->paused && now_of(s) >= s->since_ms + s->quiet_ms) {
        ending(s, "item-not-found", "nothing was asked for too long");
        return;
    }
    if (!waits && s->paused) /* what was asked is not read */
        s->since_ms = now_of(s);
    answer_due(s);
}

/* ---- the stream's side ---- */

static struct c2s_bosh_session *of_carrier(const struct stream_carrier *c)
{
    return (struct c2s_bosh_session *)((char *)c - offsetof(struct c2s_bosh_session, carrier));
}

/* Behind a restart there is nothing to say: the session goes on. */
static void carry_header(struct stream_carrier *c, const struct stream_header *ours)
{
    struct c2s_bosh_session *s = of_carrier(c);
    struct bytes head = BYTES_EMPTY;

    if (!s->head)
        return;
    bytes_append_text(&head, s->head);
    xml_put_attr(&head, "from", ours->from);
    xml_put_attr(&head, "authid", ours->id);
    xml_put_attr(&head, "xmpp:version", ours->version);
    xml_put_attr(&head, "xml:lang", ours->lang);
    mem_free(s->head);
    s->head = bytes_take(&head);
}

static void carry_put(struct stream_carrier *c, struct span xml)
{
    struct c2s_bosh_session *s = of_carrier(c);
    struct part *last = s->parts ? container_of(s->parts_end, struct part, next) : NULL;

    if (s->final_sent)
        return;
    if (!last || last->xml.len + xml.len > ANSWER_BYTES) {
        last = mem_new(struct part);
        *s->parts_end = last;
        s->parts_end = &last->next;
    }
    bytes_append(&last->xml, xml.data, xml.len);
    s->out_bytes += xml.len;
    loop_at_turn_end(c->loop, &s->hook);
}

static void carry_pause(struct stream_carrier *c)
{
    of_carrier(c)->paused = true;
}

static void carry_resume(struct stream_carrier *c)
{
    struct c2s_bosh_session *s = of_carrier(c);

    s->paused = false;
    loop_at_turn_end(c->loop, &s->hook);
}

static size_t carry_queued(const struct stream_carrier *c)
{
    return of_carrier(c)->out_bytes;
}

static void carry_close(struct stream_carrier *c, enum stream_error e)
{
    ending(of_carrier(c), condition_of(e), "the session was closed");
}

static const struct stream_carrier_type carrier_type = {carry_header, carry_put,    carry_pause,
                                                        carry_resume, carry_queued, carry_close};

/* ---- requests ---- */

static bool is_hash_of(const char *hash, const char *key)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[KEY_LEN + 1];
    unsigned len = 0;

    CHECK(EVP_Digest(key, strlen(key), digest, &len, EVP_sha1(), NULL) == 1 && len == KEY_LEN / 2);
    for (unsigned i = 0; i < len; i++)
        snprintf(hex + 2 * i, sizeof(hex) - 2 * i, "%02x", digest[i]);
    return text_eq_secret(hash, strlen(hash), hex, KEY_LEN);
}

/* XEP-0124 15: each key is what the one before is the hash of. */
static bool key_fits(struct c2s_bosh_session *s, struct slot *slot)
{
    const char *key = xml_body_attr(slot->body, "", "key"), *newkey = xml_body_attr(slot->body, "", "newkey");

    if (s->key && (!key || !is_hash_of(s->key, key)))
        return false;
    if (s->key)
        slot->key = mem_dup(key);
    if (s->key && !newkey)
        set_text(&s->key, key);
    else if (newkey)
        set_text(&s->key, newkey);
    return true;
}

static bool is_true(const char *text)
{
    return text_eq(text, "true") || text_eq(text, "1");
}

/* XEP-0124 12: a request that only asks, though as many wait already as are held, or it is too early to ask. */
static bool polls_too_often(struct c2s_bosh_session *s, bool asks_only)
{
    uint64_t now = now_of(s), forgiven = (now - s->polls_ms) / (POLLING_S * 1000);
    unsigned waiting = now - s->pressed_ms <= 1; /* it would, had that which comes now not pressed */

    s->polls = forgiven >= s->polls ? 0 : s->polls - (unsigned)forgiven;
    s->polls_ms = s->polls ? s->polls_ms + forgiven * (POLLING_S * 1000) : now;
    for (uint64_t rid = s->oldest; rid + 1 < s->next; rid++)
        waiting += slot_of(s, rid)->r != NULL;
    if (asks_only && !s->parts && waiting >= s->hold)
        s->polls++;
    return s->polls > POLLS_BURST;
}

static void restart(struct c2s_bosh_session *s, const struct xml_body *b)
{
    const char *to = xml_body_attr(b, "", "to"), *lang = xml_body_attr(b, NS_XML, "lang");

    stream_carried_header(s->stream, &(struct stream_header){.from = xml_body_attr(b, "", "from"),
                                                             .to = to ? to : s->to,
                                                             .lang = lang ? lang : s->lang,
                                                             .version = s->version});
}

static void take_body(struct c2s_bosh_session *s, struct xml_body *b)
{
    const char *type = xml_body_attr(b, "", "type");
    bool restarts = is_true(xml_body_attr(b, NS_XBOSH, "restart")), ends = text_eq(type, "terminate");
    uint64_t pause = 0;

    if (xml_body_number(b, "pause", UINT32_MAX, &pause)) {
        s->quiet_ms = (pause < PAUSE_MAX_S ? pause : PAUSE_MAX_S) * 1000;
        s->flushes = true;
    }
    if (polls_too_often(s, !b->error && !b->count && !restarts && !ends && !s->flushes)) {
        stream_close(s->stream, STREAM_POLICY_VIOLATION, "it asks too often");
        return;
    }
    if (b->error) {
        stream_carried_error(s->stream, b->error, b->text);
        return;
    }
    if (restarts)
        restart(s, b);
    for (unsigned i = 0; i < b->count && s->state == SESSION_OPEN; i++)
        stream_carried_stanza(s->stream, xml_body_take(b, i));
    if (ends && s->state == SESSION_OPEN)
        stream_carried_close(s->stream);
}

static void forget_answers(struct c2s_bosh_session *s, const struct xml_body *b)
{
    uint64_t acked, rid = s->next - 1 - window_of(s); /* the window is behind it */

    if (slot_of(s, rid)->state == SLOT_ANSWERED)
        free_slot(slot_of(s, rid));
    if (!s->acks || !xml_body_number(b, "ack", RID_MAX, &acked))
        return;
    for (rid++; rid < s->next && rid <= acked; rid++)
        if (slot_of(s, rid)->state == SLOT_ANSWERED)
            free_slot(slot_of(s, rid));
}

static void take_next(struct c2s_bosh_session *s, struct slot *slot)
{
    struct xml_body *b = slot->body;
    bool fits = key_fits(s, slot);

    slot->body = NULL;
    slot->state = SLOT_HELD;
    slot->due_ms = now_of(s) + s->wait_ms;
    s->next++;
    s->quiet_ms = INACTIVITY_S * 1000;
    s->since_ms = now_of(s);
    forget_answers(s, b);
    if (fits)
        take_body(s, b);
    else
        ending(s, "item-not-found", "a key that does not fit");
    xml_body_destroy(&b);
}

/* More wait for an answer than a client may have under way (XEP-0124 11): the oldest have theirs at once, before their
 * places are taken by what comes behind them. */
static void answer_overmuch(struct c2s_bosh_session *s)
{
    for (; s->next - s->oldest > window_of(s); s->oldest++)
        answer_slot(s, slot_of(s, s->oldest), s->oldest, false);
}

static void take_all(struct c2s_bosh_session *s)
{
    while (s->state == SESSION_OPEN && !s->paused && slot_of(s, s->next)->state == SLOT_EARLY) {
        take_next(s, slot_of(s, s->next));
        answer_overmuch(s);
    }
}

static void on_turn_end(struct turn_hook *h)
{
    struct c2s_bosh_session *s = container_of(h, struct c2s_bosh_session, hook);

    take_all(s);
    answer_due(s);
}

/* One that was asked before, or too long ago. */
static void take_old(struct c2s_bosh_session *s, struct c2s_bosh_request *r, const struct xml_body *b)
{
    struct slot *slot = slot_of(s, r->rid);
    bool kept = r->rid + window_of(s) >= s->next && slot->state != SLOT_FREE;

    if (!kept || !text_eq(slot->key, slot->key ? xml_body_attr(b, "", "key") : NULL)) {
        c2s_bosh_refuse(r, "item-not-found");
        ending(s, "item-not-found", "a request of long ago came");
    } else if (slot->state == SLOT_ANSWERED) {
        c2s_bosh_answer(r, bytes_span(&slot->kept), s->content_type);
    } else {
        replace_request(s, slot, r);
        r->session = s;
    }
}

void c2s_bosh_session_take(struct c2s_bosh_session *s, struct c2s_bosh_request *r, struct xml_body *b)
{
    if (!xml_body_number(b, "rid", RID_MAX, &r->rid)) {
        c2s_bosh_refuse(r, "bad-request");
        ending(s, "bad-request", "a request without a number");
    } else if (r->rid < s->next) {
        take_old(s, r, b);
    } else if (s->state != SESSION_OPEN && s->final_sent) {
        c2s_bosh_refuse(r, s->condition ? s->condition : "item-not-found");
    } else if (r->rid >= s->next + window_of(s)) {
        c2s_bosh_refuse(r, "item-not-found");
        ending(s, "item-not-found", "a request beyond the window came");
    } else {
        struct slot *slot = slot_of(s, r->rid);
        if (slot->state != SLOT_EARLY && !slot->r) /* what was answered eight numbers ago */
            free_slot(slot);
        replace_request(s, slot, r);
        r->session = s;
        slot->state = SLOT_EARLY;
        xml_body_destroy(&slot->body);
        slot->body = b;
        b = NULL;
        take_all(s);
    }
    xml_body_destroy(&b);
    loop_at_turn_end(s->carrier.loop, &s->hook);
}

void c2s_bosh_session_news(struct c2s_bosh_session *s, struct c2s_bosh_request *r, enum http_news news)
{
    struct slot *slot = slot_of(s, r->rid);

    CHECK(slot->r == r);
    if (news == HTTP_GONE) {
        slot->r = NULL;
        s->since_ms = now_of(s);
        answer_empty(s, r);
    } else if (slot->state == SLOT_HELD) {
        s->flushes = true;
        s->pressed_ms = now_of(s);
    }
    loop_at_turn_end(s->carrier.loop, &s->hook);
}

struct xml_limits c2s_bosh_session_limits(const struct c2s_bosh_session *s)
{
    return s->stream ? stream_limits(s->stream) : s->port->io->c2s->limits.before_auth;
}

/* ---- beginning ---- */

/* What a page may make of an answer is for nobody to choose but us. */
static const char *content_type_of(const char *wish)
{
    static const char *const types[] = {"text/xml; charset=utf-8", "text/xml", "application/xml; charset=utf-8",
                                        "application/xml", "text/plain; charset=utf-8", "text/plain"};

    for (size_t i = 0; wish && i < sizeof(types) / sizeof(*types); i++)
        if (text_eq_nocase(wish, types[i]))
            return types[i];
    return types[0];
}

static uint64_t number_or(const struct xml_body *b, const char *name, uint64_t most, uint64_t otherwise)
{
    uint64_t n;

    if (!xml_body_number(b, name, UINT32_MAX, &n))
        n = otherwise;
    return n < most ? n : most;
}

/* The lower of both (XEP-0124 7.2). */
static unsigned minor_version(const char *ver)
{
    unsigned major, minor;

    return ver && sscanf(ver, "%u.%u", &major, &minor) == 2 && major == 1 && minor < 11 ? minor : 11;
}

static void make_head(struct c2s_bosh_session *s, const struct xml_body *b, uint64_t rid)
{
    struct bytes head = BYTES_EMPTY;

    bytes_printf(&head,
                 " xmlns:xmpp='" NS_XBOSH "' xmlns:stream='" NS_STREAM "' sid='%s' wait='%" PRIu64
                 "' requests='%u' hold='%u' inactivity='%d' polling='%d' maxpause='%d' ver='1.%u' secure='true'"
                 " xmpp:restartlogic='true'",
                 s->sid, s->wait_ms / 1000, window_of(s), s->hold, INACTIVITY_S, POLLING_S, PAUSE_MAX_S,
                 minor_version(xml_body_attr(b, "", "ver")));
    if (s->acks)
        bytes_printf(&head, " ack='%" PRIu64 "'", rid);
    s->head = bytes_take(&head);
}

static void read_wishes(struct c2s_bosh_session *s, const struct xml_body *b)
{
    const char *version = xml_body_attr(b, NS_XBOSH, "version");

    s->wait_ms = number_or(b, "wait", WAIT_MAX_S, WAIT_MAX_S) * 1000;
    s->hold = (uint8_t)(s->wait_ms ? number_or(b, "hold", HOLD_MAX, 1) : 0);
    s->acks = text_eq(xml_body_attr(b, "", "ack"), "1");
    s->content_type = content_type_of(xml_body_attr(b, "", "content"));
    set_text(&s->to, xml_body_attr(b, "", "to"));
    set_text(&s->lang, xml_body_attr(b, NS_XML, "lang"));
    set_text(&s->version, version ? version : "1.0"); /* clients of before XEP-0206 say none */
    if (!s->to)
        s->condition = "improper-addressing";
}

static void name_session(struct c2s_bosh_session *s)
{
    struct c2s_io *io = s->port->io;
    char id[RANDOM_ID_LEN + 1];

    random_id(id);
    CHECK((size_t)snprintf(s->sid, sizeof(s->sid), "%02x%s", (unsigned)(io - io->c2s->ios), id) < sizeof(s->sid));
    map_put(&io->bosh->by_sid, s->sid, s);
    list_append(&io->bosh->sessions, &s->node);
}

static void tell_peer(struct c2s_bosh_session *s, const struct c2s_bosh_request *r)
{
    s->peer = r->peer;
    s->counted = r->counted;
    if (s->peer.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&s->peer)->sin6_addr, s->peer_text, sizeof(s->peer_text));
    else if (s->peer.ss_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)&s->peer)->sin_addr, s->peer_text, sizeof(s->peer_text));
    else
        text_copy(s->peer_text, sizeof(s->peer_text), r->in->peer);
}

void c2s_bosh_session_open(struct c2s_bosh_request *r, struct xml_body *b)
{
    struct c2s_port *port = r->port;
    uint64_t rid;

    if (!xml_body_number(b, "rid", RID_MAX, &rid) || rid == 0) {
        c2s_bosh_refuse(r, "bad-request");
        xml_body_destroy(&b);
        return;
    }
    if (r->counted && !sources_add(&port->io->bosh->sources, (const struct sockaddr *)&r->peer)) {
        c2s_bosh_refuse(r, "policy-violation");
        xml_body_destroy(&b);
        return;
    }
    struct c2s_bosh_session *s = mem_new(struct c2s_bosh_session);
    s->port = port;
    s->parts_end = &s->parts;
    s->hook.run = on_turn_end;
    s->quiet_ms = INACTIVITY_S * 1000;
    s->since_ms = s->polls_ms = loop_now_ms(port->io->loop);
    s->next = rid + 1;
    s->oldest = rid;
    tell_peer(s, r);
    name_session(s);
    read_wishes(s, b);
    make_head(s, b, rid);
    s->carrier = (struct stream_carrier){&carrier_type, port->io->loop, s->peer_text};
    s->ring[rid % RING] = (struct slot){.state = SLOT_HELD, .r = r};
    r->rid = rid;
    r->session = s;
    set_text(&s->key, xml_body_attr(b, "", "newkey"));
    s->stream = c2s_conn_accept_bosh(port, &s->carrier, (const struct sockaddr *)&s->peer);
    if (s->state == SESSION_OPEN)
        restart(s, b);
    for (unsigned i = 0; i < b->count && s->state == SESSION_OPEN; i++)
        stream_carried_stanza(s->stream, xml_body_take(b, i));
    xml_body_destroy(&b);
    loop_at_turn_end(port->io->loop, &s->hook);
}

struct c2s_bosh_session *c2s_bosh_session_at(struct list *node)
{
    return list_entry(node, struct c2s_bosh_session, node);
}
