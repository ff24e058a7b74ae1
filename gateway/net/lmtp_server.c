/* SPDX-License-Identifier: MIT */
/* LMTP (RFC 2033) on our wires, one mail at a time a connection. Decided here: the order of commands, times, sizes. A
 * mail belongs to itself: it outlives its connection until it is answered, and then its sender, who has heard nothing,
 * brings it again. */
#include "gateway/net/lmtp_server.h"

#include <string.h>

#include "gateway/base/arena.h"
#include "gateway/base/list.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/listener.h"
#include "gateway/net/lmtp_parse.h"
#include "gateway/net/timer.h"
#include "gateway/net/wire.h"

enum {
    DEFAULT_BYTES = 1024 * 1024,
    DEFAULT_CONNECTIONS = 20,
    IDLE_MS = 5 * 60 * 1000, /* RFC 5321 4.5.3.2.7 */
    MAIL_MS = 10 * 60 * 1000, /* from DATA to its end */
    LINGER_MS = 2000,
    MISTAKES_MAX = 20,
    UNREAD_BYTES = 65536, /* answers that wait for a peer that does not read */
};

#define CONN_STATES(S) /* name  may be followed by                                                 */ \
    S(GREETED,  TO(READY) | TO(CLOSING))                    /* LHLO is awaited                    */ \
    S(READY,    TO(READY) | TO(ENVELOPE) | TO(CLOSING))     /* MAIL is awaited                    */ \
    S(ENVELOPE, TO(READY) | TO(READING) | TO(CLOSING))      /* recipients, then DATA              */ \
    S(READING,  TO(READY) | TO(WAITING) | TO(CLOSING))      /* the mail comes                     */ \
    S(WAITING,  TO(READY) | TO(CLOSING))                    /* its owner answers; nothing is read */ \
    S(CLOSING,  0)                                          /* only the wire's end remains        */

#define TO(name) (1u << CONN_##name)
enum conn_state {
#define S(name, next) CONN_##name,
    CONN_STATES(S)
#undef S
};
static const unsigned may_follow[] = {
#define S(name, next) next,
    CONN_STATES(S)
#undef S
};
#undef TO

struct lmtp_server {
    struct lmtp_server_options o; /* texts copied */
    struct listener *listener;
    struct list conns;
    struct arena arena;
};

struct lmtp_mail {
    struct lmtp_conn *conn; /* NULL: it has gone */
    struct loop *loop;
    struct arena arena;
    struct bytes message;
    struct lmtp_incoming in;
    const char *recipients[LMTP_RECIPIENTS_MAX];
    const char *replies[LMTP_RECIPIENTS_MAX]; /* NULL: not answered yet */
    unsigned unanswered;
};

struct lmtp_conn {
    struct list node;
    struct lmtp_server *server; /* NULL: closed before the wire's end */
    struct wire *wire;
    struct sockaddr_storage peer;
    struct timer timer;
    struct turn_hook hook; /* goes on with `rest` */
    enum conn_state state;
    struct lmtp_parse parse;
    struct lmtp_mail *mail; /* from ENVELOPE to the last answer */
    struct bytes rest;      /* came behind the mail that is WAITING */
    unsigned mistakes;
};

static void on_timer(struct timer *t);

static void enter(struct lmtp_conn *c, enum conn_state next)
{
    CHECK(may_follow[c->state] & 1u << next);
    c->state = next;
    switch (next) {
    case CONN_GREETED:
    case CONN_READY:
    case CONN_ENVELOPE:
        timer_start(&c->timer, c->server->o.loop, IDLE_MS, on_timer);
        return;
    case CONN_READING:
        timer_start(&c->timer, c->server->o.loop, MAIL_MS, on_timer);
        return;
    case CONN_WAITING:
    case CONN_CLOSING:
        timer_stop(&c->timer);
        return;
    }
}

/* --- mails --- */

static struct lmtp_mail *mail_create(struct lmtp_conn *c, const char *sender)
{
    struct lmtp_mail *m = mem_new(struct lmtp_mail);
    m->conn = c;
    m->loop = c->server->o.loop;
    arena_init(&m->arena);
    m->in.sender = arena_dup(&m->arena, sender);
    m->in.recipients = m->recipients;
    return m;
}

static void mail_free(struct lmtp_mail *m)
{
    bytes_fini(&m->message);
    arena_fini(&m->arena);
    mem_free(m);
}

/* The connection leaves its mail: it is freed, or left to whoever still has to answer. */
static void drop_mail(struct lmtp_conn *c)
{
    struct lmtp_mail *m = c->mail;
    c->mail = NULL;
    if (!m)
        return;
    m->conn = NULL;
    if (!m->unanswered)
        mail_free(m);
}

/* --- answers --- */

static void say(struct lmtp_conn *c, const char *reply)
{
    wire_write(c->wire, reply, strlen(reply));
    wire_write(c->wire, "\r\n", 2);
}

static void close_conn(struct lmtp_conn *c)
{
    enter(c, CONN_CLOSING);
    loop_cancel_hook(&c->hook);
    drop_mail(c);
    wire_close(c->wire, LINGER_MS);
}

static void refuse(struct lmtp_conn *c, const char *reply)
{
    say(c, reply);
    if (++c->mistakes < MISTAKES_MAX)
        return;
    say(c, "421 4.7.0 Too many mistakes");
    close_conn(c);
}

static void on_timer(struct timer *t)
{
    struct lmtp_conn *c = container_of(t, struct lmtp_conn, timer);
    say(c, "421 4.4.2 Nothing came for too long");
    close_conn(c);
}

/* --- commands --- */

static void on_lhlo(struct lmtp_conn *c, const char *rest)
{
    struct bytes out = BYTES_EMPTY;
    if (!*rest) {
        refuse(c, "501 5.5.4 LHLO wants a name");
        return;
    }
    drop_mail(c);
    bytes_printf(&out,
                 "250-%s\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE %zu",
                 c->server->o.name, c->server->o.max_bytes);
    say(c, out.data);
    bytes_fini(&out);
    enter(c, CONN_READY);
}

/* NULL: they are all known, and allow the mail. */
static const char *check_parameters(struct lmtp_conn *c, const char *parameters)
{
    struct lmtp_parameter p;
    while (lmtp_parse_parameter(&parameters, &p)) {
        uint64_t size;
        if (text_eq_nocase(p.name, "SIZE")) {
            if (!text_to_u64(p.value, &size))
                return "501 5.5.4 SIZE is no number";
            if (size > c->server->o.max_bytes)
                return "552 5.3.4 The mail is too big";
        } else if (!text_eq_nocase(p.name, "BODY") && !text_eq_nocase(p.name, "SMTPUTF8")) {
            return "555 5.5.4 A parameter that is not known";
        }
    }
    return NULL;
}

static void on_mail_from(struct lmtp_conn *c, const char *rest)
{
    char sender[LMTP_PATH_MAX];
    const char *parameters, *wrong;
    if (c->state != CONN_READY)
        refuse(c, c->state == CONN_GREETED ? "503 5.5.1 LHLO comes first" : "503 5.5.1 There is a mail already");
    else if (!lmtp_parse_path(rest, "FROM:", sender, &parameters))
        refuse(c, "501 5.1.7 MAIL FROM:<ADDRESS>");
    else if ((wrong = check_parameters(c, parameters)) != NULL)
        refuse(c, wrong);
    else {
        c->mail = mail_create(c, sender);
        enter(c, CONN_ENVELOPE);
        say(c, "250 2.1.0 Sender taken");
    }
}

static void on_rcpt_to(struct lmtp_conn *c, const char *rest)
{
    char recipient[LMTP_PATH_MAX];
    const char *parameters;
    struct lmtp_mail *m = c->mail;
    if (c->state != CONN_ENVELOPE) {
        refuse(c, "503 5.5.1 MAIL comes first");
        return;
    }
    if (!lmtp_parse_path(rest, "TO:", recipient, &parameters) || !*recipient) {
        refuse(c, "501 5.1.3 RCPT TO:<ADDRESS>");
        return;
    }
    if (*parameters) {
        refuse(c, "555 5.5.4 A parameter that is not known");
        return;
    }
    if (m->in.recipient_count == LMTP_RECIPIENTS_MAX) {
        refuse(c, "452 4.5.3 Too many recipients");
        return;
    }
    const char *why = c->server->o.refuse_recipient(c->server->o.user, recipient);
    if (why) {
        refuse(c, arena_printf(&m->arena, "550 5.1.1 %s", why));
        return;
    }
    m->recipients[m->in.recipient_count++] = arena_dup(&m->arena, recipient);
    say(c, "250 2.1.5 Recipient taken");
}

static void on_data(struct lmtp_conn *c, const char *rest)
{
    if (*rest) {
        refuse(c, "501 5.5.4 DATA stands alone");
    } else if (c->state != CONN_ENVELOPE || !c->mail->in.recipient_count) {
        refuse(c, "503 5.5.1 No recipients"); /* RFC 2033 4.2 */
    } else {
        enter(c, CONN_READING);
        lmtp_parse_expect_mail(&c->parse);
        say(c, "354 Go on; end with a dot alone");
    }
}

static void on_rset(struct lmtp_conn *c)
{
    drop_mail(c);
    if (c->state == CONN_ENVELOPE)
        enter(c, CONN_READY);
    say(c, "250 2.0.0 Forgotten");
}

static void on_line(struct lmtp_conn *c)
{
    const char *rest;
    if (c->parse.bad) {
        refuse(c, "500 5.5.2 Lines end with CR and LF, which stand nowhere else");
        return;
    }
    switch (lmtp_parse_verb(bytes_text(&c->parse.data), &rest)) {
    case LMTP_LHLO:
        on_lhlo(c, rest);
        return;
    case LMTP_MAIL:
        on_mail_from(c, rest);
        return;
    case LMTP_RCPT:
        on_rcpt_to(c, rest);
        return;
    case LMTP_DATA:
        on_data(c, rest);
        return;
    case LMTP_RSET:
        on_rset(c);
        return;
    case LMTP_NOOP:
        say(c, "250 2.0.0 OK");
        return;
    case LMTP_QUIT:
        say(c, "221 2.0.0 Good bye");
        close_conn(c);
        return;
    case LMTP_VRFY:
        say(c, "252 2.1.5 Try it");
        return;
    case LMTP_HELO: case LMTP_EHLO:
        refuse(c, "500 5.5.1 This is LMTP: LHLO"); /* RFC 2033 4.1 */
        return;
    case LMTP_UNKNOWN:
        break;
    }
    refuse(c, "500 5.5.1 That is no command");
}

/* The mail is whole. */
static void hand_over(struct lmtp_conn *c)
{
    struct lmtp_mail *m = c->mail;
    enter(c, CONN_WAITING);
    wire_pause(c->wire);
    unsigned count = m->unanswered = m->in.recipient_count;
    if (c->parse.too_big) {
        for (unsigned i = 0; i < count; i++) /* the last of them ends the mail */
            lmtp_answer(m, i, "552 5.3.4 The mail is too big");
        return;
    }
    m->message = c->parse.data;
    c->parse.data = BYTES_EMPTY;
    m->in.message = bytes_span(&m->message);
    c->server->o.on_mail(c->server->o.user, m, &m->in);
}

static void consume(struct lmtp_conn *c, const char *data, size_t len)
{
    while (len > 0 && c->server && c->state != CONN_WAITING && c->state != CONN_CLOSING) {
        enum lmtp_piece piece;
        size_t used = lmtp_parse_feed(&c->parse, data, len, &piece);
        data += used;
        len -= used;
        switch (piece) {
        case LMTP_PIECE_NONE:
            break;
        case LMTP_PIECE_LINE:
            if (c->state != CONN_READING)
                timer_start(&c->timer, c->server->o.loop, IDLE_MS, on_timer);
            on_line(c);
            break;
        case LMTP_PIECE_MAIL:
            hand_over(c);
            break;
        case LMTP_PIECE_LONG:
            say(c, "500 5.5.2 The line is too long");
            close_conn(c);
            break;
        }
        if (c->state != CONN_CLOSING && wire_queued(c->wire) > UNREAD_BYTES)
            close_conn(c);
    }
    if (c->server && c->state == CONN_WAITING)
        bytes_append(&c->rest, data, len);
}

static void on_bytes(void *user, const char *data, size_t len)
{
    struct lmtp_conn *c = user;
    if (c->rest.len) /* its turn comes first */
        bytes_append(&c->rest, data, len);
    else
        consume(c, data, len);
}

/* The mail is answered: goes on with what came behind it. */
static void on_turn_end(struct turn_hook *h)
{
    struct lmtp_conn *c = container_of(h, struct lmtp_conn, hook);
    struct bytes rest = c->rest;
    c->rest = BYTES_EMPTY;
    consume(c, rest.data, rest.len);
    bytes_fini(&rest);
    if (c->server && c->state != CONN_WAITING && c->state != CONN_CLOSING)
        wire_resume(c->wire);
}

void lmtp_answer(struct lmtp_mail *m, unsigned recipient, const char *reply)
{
    loop_check(m->loop);
    CHECK(recipient < m->in.recipient_count && !m->replies[recipient] && m->unanswered);
    m->replies[recipient] = arena_dup(&m->arena, reply);
    if (--m->unanswered)
        return;
    struct lmtp_conn *c = m->conn;
    if (!c) {
        mail_free(m);
        return;
    }
    for (unsigned i = 0; i < m->in.recipient_count; i++) /* in the order of the recipients (RFC 2033 4.2) */
        say(c, m->replies[i]);
    drop_mail(c);
    enter(c, CONN_READY);
    loop_at_turn_end(c->server->o.loop, &c->hook);
}

static void on_end(void *user, enum wire_end end, const struct error *e)
{
    struct lmtp_conn *c = user;
    (void)end, (void)e;
    loop_cancel_hook(&c->hook);
    timer_stop(&c->timer);
    drop_mail(c);
    if (c->server)
        listener_forget(c->server->listener, (const struct sockaddr *)&c->peer);
    list_remove(&c->node);
    lmtp_parse_fini(&c->parse);
    bytes_fini(&c->rest);
    mem_free(c);
}

static const struct wire_events events = {.on_bytes = on_bytes, .on_end = on_end};

static void on_accept(void *user, uv_os_sock_t fd)
{
    struct lmtp_server *s = user;
    struct lmtp_conn *c = mem_new(struct lmtp_conn);
    struct bytes greeting = BYTES_EMPTY;
    c->server = s;
    c->hook.run = on_turn_end;
    c->state = CONN_GREETED;
    c->peer = listener_peer(s->listener);
    c->wire = wire_open(s->o.loop, fd, &events, c);
    lmtp_parse_init(&c->parse, s->o.max_bytes);
    list_append(&s->conns, &c->node);
    timer_start(&c->timer, s->o.loop, IDLE_MS, on_timer);
    bytes_printf(&greeting, "220 %s LMTP", s->o.name);
    say(c, greeting.data);
    bytes_fini(&greeting);
    wire_resume(c->wire);
}

/* --- outside --- */

struct lmtp_server *lmtp_server_open(const struct lmtp_server_options *o, struct error *e)
{
    loop_check(o->loop);
    struct lmtp_server *s = mem_new(struct lmtp_server);
    s->o = *o;
    arena_init(&s->arena);
    s->o.address = NULL; /* borrowed for the call */
    s->o.name = arena_dup(&s->arena, o->name);
    s->o.max_bytes = o->max_bytes ? o->max_bytes : DEFAULT_BYTES;
    list_init(&s->conns);
    s->listener = listener_open(o->loop, o->address, o->port,
                                o->connections_max ? o->connections_max : DEFAULT_CONNECTIONS, on_accept, s, e);
    if (s->listener)
        return s;
    arena_fini(&s->arena);
    mem_free(s);
    return NULL;
}

void lmtp_server_close(struct lmtp_server **sp)
{
    struct lmtp_server *s = *sp;
    if (!s)
        return;
    loop_check(s->o.loop);
    list_each(it, &s->conns) {
        struct lmtp_conn *c = list_entry(it, struct lmtp_conn, node);
        timer_stop(&c->timer);
        loop_cancel_hook(&c->hook);
        drop_mail(c);
        c->server = NULL;
        list_remove(&c->node);
        wire_abort(c->wire);
    }
    listener_close(&s->listener);
    arena_fini(&s->arena);
    mem_free(s);
    *sp = NULL;
}

uint16_t lmtp_server_port(const struct lmtp_server *s)
{
    return listener_port(s->listener);
}
