/* SPDX-License-Identifier: MIT */
/* Incoming HTTP/1.1 for webhooks, spoken audio and small pages, and the way from there to a WebSocket. Parsed by
 * http-parser (llhttp where the system has it) behind stricter checks: no obs-fold, no CL with TE, no bare CR or LF. */
#ifndef CAUSEWAY_NET_HTTP_SERVER_H
#define CAUSEWAY_NET_HTTP_SERVER_H

#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/bytes.h"
#include "gateway/base/error.h"
#include "gateway/net/loop.h"
#include "gateway/net/tls.h"

struct http_server;
struct sockaddr_storage;
struct wire;
struct http_exchange; /* one request and its answer */

struct http_incoming {
    const char *method, *target; /* target as it came: "/hook/x?y=z" */
    const char *host;            /* Host header; NULL: none */
    const char *peer;            /* numeric address */
    struct span body;
    struct arena *arena; /* lives until the answer is given */
    const char *(*header)(const struct http_incoming *in, const char *name); /* NULL: none */
};

struct http_server_options {
    struct loop *loop;
    const char *address;
    uint16_t port;
    struct tls_store *tls; /* NULL: plain HTTP (behind a reverse proxy, or on loopback) */
    enum tls_ask ask;
    size_t max_body_bytes; /* 0: 64 KiB */
    unsigned connections_per_address; /* 0: 256; UINT32_MAX: no bound */
    /* Must answer exactly once, now or later, with http_answer. */
    void (*on_request)(void *user, struct http_exchange *x, const struct http_incoming *in);
    /* After http_upgrade, unless the peer left: takes over the wire, which is paused and has the answer queued. The
     * connection stays counted until http_server_forget. NULL: nobody upgrades. */
    void (*on_upgrade)(void *user, struct wire *w, const struct sockaddr_storage *peer, const struct http_incoming *in);
    void *user;
};

MUST_USE struct http_server *http_server_open(const struct http_server_options *o, struct error *e);
void http_server_close(struct http_server **s);
uint16_t http_server_port(const struct http_server *s);
void http_server_forget(struct http_server *s, const struct sockaddr_storage *peer);
void http_answer(struct http_exchange *x, int status, const char *content_type, struct span body);
/* The same with header lines of its own, each ended by CRLF. */
void http_answer_with(struct http_exchange *x, int status, const char *lines, const char *content_type,
                      struct span body);
/* What happens while an answer is awaited. */
enum http_news {
    HTTP_GONE,    /* the peer has left; the answer is due all the same, and goes nowhere */
    HTTP_PRESSED, /* another request came behind this one and waits for its answer (RFC 9112 9.3.2); told once */
};
/* The answer may take its time (long polling): the connection is watched meanwhile. Inside on_request; `on_news` comes
 * later, not from inside a call of the owner's, and not after the answer. */
void http_hold(struct http_exchange *x, void (*on_news)(void *user, enum http_news news), void *user);
/* 101 with these lines besides Upgrade and Connection; then on_upgrade. A peer that has already sent more is refused:
 * it could not know the answer. */
void http_upgrade(struct http_exchange *x, const char *protocol, const char *lines);
/* May the page that the request comes from read what is here? `origins` ends with NULL; NULL: any may. Only browsers
 * send Origin, so its absence refuses nobody. */
bool http_origin_is_welcome(const struct http_incoming *in, const char *const *origins);
/* Some header `name` has `token` in its list (RFC 9110 5.6.1); ASCII case ignored. */
bool http_incoming_lists(const struct http_incoming *in, const char *name, const char *token);

#endif
