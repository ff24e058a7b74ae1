/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 in (RFC 9110, 9112) on our wires, one request at a time a connection. Decided here: times,
 * sizes, when a connection is kept. Memory for a request exists from its first byte until its answer;
 * it belongs to the exchange, which may outlive the connection when the peer leaves before the answer. */
#include "gateway/net/http_server.h"

#include <arpa/inet.h>
#include <http_parser.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/http_parse.h"
#include "gateway/net/listener.h"
#include "gateway/net/timer.h"
#include "gateway/net/wire.h"

enum {
    MAX_HEAD_BYTES = 16384,
    DEFAULT_BODY_BYTES = 65536,
    REQUEST_MS = 15000, /* from its first byte to its last; also for the first to come */
    IDLE_MS = 30000,    /* between two requests */
    LINGER_MS = 2000,   /* so that a client that is still sending reads our answer */
    CONNECTIONS_A_PEER = 256,
    HELD_REST_BYTES = 16384, /* what is read behind a request that is held */
    UNREAD_BYTES = 65536, /* answers that wait for a peer that does not read: the last one closes */
};

#define CONN_STATES(S) /* name   may be followed by                                              */  \
    S(IDLE,      TO(READING) | TO(CLOSING))                /* no byte of a request yet        */     \
    S(READING,   TO(ANSWERING) | TO(CLOSING))              /* a request is coming             */     \
    S(ANSWERING, TO(IDLE) | TO(CLOSING))                   /* it is whole; its owner answers  */     \
    S(CLOSING,   0)                                        /* only the wire's end remains     */

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

struct http_server {
    struct http_server_options o;
    struct listener *listener;
    struct list conns;
};

struct http_conn {
    struct list node;
    struct http_server *server; /* NULL: closed before the wire's end */
    struct wire *wire;
    struct sockaddr_storage peer; /* as the listener counts it */
    struct timer timer;
    struct turn_hook hook; /* goes on with `rest` */
    enum conn_state state;
    bool paused;           /* the wire, until the answer is given */
    struct bytes rest;     /* came behind the request that is being answered */
    struct http_exchange *exchange; /* while READING and ANSWERING */
};

struct http_exchange {
    struct http_conn *conn; /* NULL: the peer has gone */
    struct loop *loop;
    struct arena arena;
    struct http_parse *parse;
    struct http_incoming incoming;
    bool continued; /* 100 was sent */
    void (*on_news)(void *user, enum http_news news); /* while it is held; NULL: it is not */
    void *news_user;
    bool pressed;        /* it was told */
    const char *upgrade; /* the head of the 101 that goes out at the turn's end; NULL: it is an ordinary request */
};

static void on_timer(struct timer *t);

static void enter(struct http_conn *c, enum conn_state next)
{
    CHECK(may_follow[c->state] & 1u << next);
    c->state = next;
    switch (next) {
    case CONN_IDLE:
        timer_start(&c->timer, c->server->o.loop, IDLE_MS, on_timer);
        return;
    case CONN_READING:
        timer_start(&c->timer, c->server->o.loop, REQUEST_MS, on_timer);
        return;
    case CONN_ANSWERING:
    case CONN_CLOSING:
        timer_stop(&c->timer);
        return;
    }
}

/* --- exchanges --- */

static const char *incoming_header(const struct http_incoming *in, const char *name)
{
    const struct http_exchange *x = container_of(in, const struct http_exchange, incoming);
    return http_parse_header(http_parse_request(x->parse)->headers, name);
}

bool http_incoming_lists(const struct http_incoming *in, const char *name, const char *token)
{
    const struct http_exchange *x = container_of(in, const struct http_exchange, incoming);
    size_t len = strlen(token);
    for (const struct http_header *h = http_parse_request(x->parse)->headers; h; h = h->next) {
        if (!text_eq_nocase(h->name, name))
            continue;
        for (const char *at = h->value; *at; at += *at == ',') {
            at = text_skip_blank(at);
            size_t item = strcspn(at, ", \t");
            if (item == len && strncasecmp(at, token, len) == 0)
                return true;
            at += strcspn(at, ",");
        }
    }
    return false;
}

bool http_origin_is_welcome(const struct http_incoming *in, const char *const *origins)
{
    const char *origin = in->header(in, "Origin");
    if (!origin || !origins)
        return true;
    while (*origins && !text_eq_nocase(*origins, origin))
        origins++;
    return *origins != NULL;
}

static void exchange_open(struct http_conn *c)
{
    struct http_exchange *x = mem_new(struct http_exchange);
    size_t max = c->server->o.max_body_bytes;
    x->conn = c;
    x->loop = c->server->o.loop;
    arena_init(&x->arena);
    x->parse = http_parse_create(&x->arena, MAX_HEAD_BYTES, max ? max : DEFAULT_BODY_BYTES);
    c->exchange = x;
}

static void exchange_free(struct http_exchange *x)
{
    if (x->conn)
        x->conn->exchange = NULL;
    http_parse_destroy(&x->parse);
    arena_fini(&x->arena);
    mem_free(x);
}

/* The connection leaves it: freed, or left to whoever still has to answer. */
static void exchange_orphan(struct http_conn *c)
{
    struct http_exchange *x = c->exchange;
    if (!x)
        return;
    c->exchange = NULL;
    if (c->state == CONN_READING || !x->incoming.method || x->upgrade) {
        x->conn = NULL;
        exchange_free(x);
        return;
    }
    x->conn = NULL;
    if (x->on_news)
        x->on_news(x->news_user, HTTP_GONE);
}

/* --- answers --- */

static const char *status_words(int status)
{
    switch (status) {
#define WORDS(code, name, words)                                                                   \
    case code:                                                                                     \
        return #words;
        HTTP_STATUS_MAP(WORDS)
#undef WORDS
    default: /* codes that nobody has named */
        return "Status";
    }
}

static void append_date(struct bytes *out, const struct clock *clock)
{
    char text[64];
    struct tm tm;
    time_t now = (time_t)(clock_unix_us(clock) / 1000000);
    gmtime_r(&now, &tm);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    bytes_printf(out, "Date: %s\r\n", text);
}

struct answer {
    int status;
    const char *lines, *content_type; /* NULL: none */
    struct span body;
    bool head_only, keep;
};

static void write_answer(struct http_conn *c, struct answer a)
{
    struct bytes out = BYTES_EMPTY;
    bytes_printf(&out, "HTTP/1.1 %d %s\r\n", a.status, status_words(a.status));
    append_date(&out, loop_clock(wire_loop(c->wire)));
    if (a.status != 204 && a.status != 304)
        bytes_printf(&out, "Content-Length: %zu\r\n", a.body.len);
    if (a.content_type && a.body.len > 0)
        bytes_printf(&out, "Content-Type: %s\r\n", a.content_type);
    bytes_append_text(&out, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
    if (a.lines)
        bytes_append_text(&out, a.lines);
    bytes_append_text(&out, a.keep ? "\r\n" : "Connection: close\r\n\r\n");
    if (!a.head_only && a.status != 204 && a.status != 304)
        bytes_append(&out, a.body.data, a.body.len);
    wire_write(c->wire, out.data, out.len);
    bytes_fini(&out);
}

static void close_conn(struct http_conn *c)
{
    enter(c, CONN_CLOSING);
    loop_cancel_hook(&c->hook);
    exchange_orphan(c);
    wire_close(c->wire, LINGER_MS);
}

/* An answer of our own, after which the connection is of no use. */
static void refuse(struct http_conn *c, int status, const char *reason)
{
    struct bytes text = BYTES_EMPTY;
    log_info(NULL, "http: %s: %d, %s", wire_peer_text(c->wire), status, reason);
    bytes_printf(&text, "%s\n", reason);
    write_answer(c, (struct answer){status, NULL, "text/plain; charset=utf-8", bytes_span(&text), false, false});
    bytes_fini(&text);
    close_conn(c);
}

static void on_timer(struct timer *t)
{
    struct http_conn *c = container_of(t, struct http_conn, timer);
    if (c->state == CONN_READING)
        refuse(c, 408, "the request did not come in time");
    else
        close_conn(c);
}

/* --- requests --- */

static const char *peer_address(const struct http_conn *c, struct arena *a)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (c->peer.ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)&c->peer)->sin_addr, text, sizeof text);
    else if (c->peer.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&c->peer)->sin6_addr, text, sizeof text);
    return arena_dup(a, text);
}

static void hand_over(struct http_conn *c)
{
    struct http_exchange *x = c->exchange;
    const struct http_parsed *p = http_parse_request(x->parse);
    x->incoming = (struct http_incoming){.method = p->method,
                                         .target = p->target,
                                         .host = p->host,
                                         .peer = peer_address(c, &x->arena),
                                         .body = p->body,
                                         .arena = &x->arena,
                                         .header = incoming_header};
    enter(c, CONN_ANSWERING);
    c->server->o.on_request(c->server->o.user, x, &x->incoming);
}

static void say_continue(struct http_conn *c)
{
    struct http_exchange *x = c->exchange;
    static const char words[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (x->continued || !http_parse_request(x->parse)->expect_continue)
        return;
    x->continued = true;
    wire_write(c->wire, words, sizeof words - 1);
}

/* Feeds one request; returns the bytes taken. */
static size_t feed(struct http_conn *c, const char *data, size_t len)
{
    size_t used;
    if (!c->exchange)
        exchange_open(c);
    enum http_parse_result r = http_parse_feed(c->exchange->parse, data, len, &used);
    if (c->state == CONN_IDLE && (http_parse_has_begun(c->exchange->parse) || r != HTTP_PARSE_MORE))
        enter(c, CONN_READING);
    switch (r) {
    case HTTP_PARSE_MORE:
        say_continue(c);
        break;
    case HTTP_PARSE_DONE:
        hand_over(c);
        break;
    case HTTP_PARSE_REFUSED:
        refuse(c, http_parse_status(c->exchange->parse), http_parse_reason(c->exchange->parse));
        break;
    }
    return used;
}

static bool takes_requests(const struct http_conn *c)
{
    return c->state == CONN_IDLE || c->state == CONN_READING;
}

/* Behind the request that is being answered. Nothing is read meanwhile, unless somebody wants to know whether the peer
 * is still there. */
static void keep_rest(struct http_conn *c, const char *data, size_t len)
{
    struct http_exchange *x = c->exchange;
    bytes_append(&c->rest, data, len);
    if (!c->paused && (!x || !x->on_news || c->rest.len > HELD_REST_BYTES)) {
        wire_pause(c->wire);
        c->paused = true;
    }
    if (x && x->on_news && c->rest.len && !x->pressed) {
        x->pressed = true;
        x->on_news(x->news_user, HTTP_PRESSED);
    }
}

static void consume(struct http_conn *c, const char *data, size_t len)
{
    while (len > 0 && c->server && takes_requests(c)) {
        size_t used = feed(c, data, len);
        data += used;
        len -= used;
    }
    if (c->server && c->state == CONN_ANSWERING)
        keep_rest(c, data, len);
}

static void on_bytes(void *user, const char *data, size_t len)
{
    struct http_conn *c = user;
    if (c->rest.len) /* its turn comes first */
        keep_rest(c, data, len);
    else
        consume(c, data, len);
}

static void upgrade(struct http_conn *c)
{
    struct http_exchange *x = c->exchange;
    struct http_server *server = c->server;
    if (c->rest.len) {
        exchange_free(x);
        refuse(c, 400, "data before the upgrade was answered");
        return;
    }
    CHECK(c->state == CONN_ANSWERING && c->paused);
    wire_write(c->wire, x->upgrade, strlen(x->upgrade));
    list_remove(&c->node);
    server->o.on_upgrade(server->o.user, c->wire, &c->peer, &x->incoming);
    exchange_free(x);
    bytes_fini(&c->rest);
    mem_free(c);
}

/* The answer is given: goes on with what came behind the request, then with the wire. */
static void on_turn_end(struct turn_hook *h)
{
    struct http_conn *c = container_of(h, struct http_conn, hook);
    if (c->exchange && c->exchange->upgrade) {
        upgrade(c);
        return;
    }
    struct bytes rest = c->rest;
    c->rest = BYTES_EMPTY;
    consume(c, rest.data, rest.len);
    bytes_fini(&rest);
    if (c->server && takes_requests(c) && c->paused) {
        c->paused = false;
        wire_resume(c->wire);
    }
}

static void on_end(void *user, enum wire_end end, const struct error *e)
{
    struct http_conn *c = user;
    if (end == WIRE_END_TLS)
        log_info(NULL, "http: %s", e->text);
    loop_cancel_hook(&c->hook);
    timer_stop(&c->timer);
    exchange_orphan(c);
    if (c->server)
        listener_forget(c->server->listener, (const struct sockaddr *)&c->peer);
    list_remove(&c->node);
    bytes_fini(&c->rest);
    mem_free(c);
}

static const struct wire_events events = {.on_bytes = on_bytes, .on_end = on_end};

static void on_accept(void *user, uv_os_sock_t fd)
{
    struct http_server *s = user;
    struct http_conn *c = mem_new(struct http_conn);
    c->server = s;
    c->hook.run = on_turn_end;
    c->state = CONN_IDLE;
    c->peer = listener_peer(s->listener);
    c->wire = wire_open(s->o.loop, fd, &events, c);
    list_append(&s->conns, &c->node);
    timer_start(&c->timer, s->o.loop, REQUEST_MS, on_timer);
    if (s->o.tls)
        wire_accept_tls(c->wire, s->o.tls, NULL, s->o.ask, TLS_ALPN_HTTP);
    wire_resume(c->wire);
}

/* --- outside --- */

struct http_server *http_server_open(const struct http_server_options *o, struct error *e)
{
    loop_check(o->loop);
    struct http_server *s = mem_new(struct http_server);
    s->o = *o;
    s->o.address = NULL; /* borrowed for the call */
    list_init(&s->conns);
    unsigned most = o->connections_per_address;
    most = most == UINT32_MAX ? 0 : most ? most : CONNECTIONS_A_PEER;
    s->listener = listener_open(o->loop, o->address, o->port, most, on_accept, s, e);
    if (!s->listener) {
        mem_free(s);
        return NULL;
    }
    return s;
}

void http_server_close(struct http_server **sp)
{
    struct http_server *s = *sp;
    if (!s)
        return;
    loop_check(s->o.loop);
    list_each(it, &s->conns) {
        struct http_conn *c = list_entry(it, struct http_conn, node);
        timer_stop(&c->timer);
        loop_cancel_hook(&c->hook);
        exchange_orphan(c);
        c->server = NULL;
        list_remove(&c->node);
        wire_abort(c->wire);
    }
    listener_close(&s->listener);
    mem_free(s);
    *sp = NULL;
}

uint16_t http_server_port(const struct http_server *s)
{
    return listener_port(s->listener);
}

void http_server_forget(struct http_server *s, const struct sockaddr_storage *peer)
{
    listener_forget(s->listener, (const struct sockaddr *)peer);
}

void http_upgrade(struct http_exchange *x, const char *protocol, const char *lines)
{
    loop_check(x->loop);
    struct http_conn *c = x->conn;
    if (!c) {
        exchange_free(x);
        return;
    }
    CHECK(c->state == CONN_ANSWERING && c->server->o.on_upgrade);
    x->upgrade = arena_printf(
        &x->arena, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: Upgrade\r\n%s\r\n", protocol, lines);
    loop_at_turn_end(c->server->o.loop, &c->hook);
}

void http_hold(struct http_exchange *x, void (*on_news)(void *user, enum http_news news), void *user)
{
    loop_check(x->loop);
    CHECK(x->conn && x->conn->state == CONN_ANSWERING && !x->on_news);
    x->on_news = on_news;
    x->news_user = user;
}

void http_answer(struct http_exchange *x, int status, const char *content_type, struct span body)
{
    http_answer_with(x, status, NULL, content_type, body);
}

void http_answer_with(struct http_exchange *x, int status, const char *lines, const char *content_type,
                      struct span body)
{
    loop_check(x->loop);
    struct http_conn *c = x->conn;
    if (!c) {
        exchange_free(x);
        return;
    }
    CHECK(c->state == CONN_ANSWERING);
    bool refused = status / 100 == 4, unread = wire_queued(c->wire) > UNREAD_BYTES;
    bool keep = http_parse_request(x->parse)->keep_alive && !refused && !unread;
    write_answer(c, (struct answer){status, lines, content_type, body, text_eq(x->incoming.method, "HEAD"), keep});
    exchange_free(x);
    if (!keep) {
        close_conn(c);
        return;
    }
    enter(c, CONN_IDLE);
    if (c->paused || c->rest.len)
        loop_at_turn_end(c->server->o.loop, &c->hook);
}
