/* SPDX-License-Identifier: MIT */
/* Incoming HTTP/1.1 for webhooks, spoken audio and small pages. Parsed by http-parser (llhttp where
 * the system has it) behind stricter checks: no obs-fold, no CL with TE, no bare CR or LF. */
#ifndef CAUSEWAY_NET_HTTP_SERVER_H
#define CAUSEWAY_NET_HTTP_SERVER_H

#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/bytes.h"
#include "gateway/base/error.h"
#include "gateway/net/loop.h"
#include "gateway/net/tls.h"

struct http_server;
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
    size_t max_body_bytes; /* 0: 64 KiB */
    /* Must answer exactly once, now or later, with http_answer. */
    void (*on_request)(void *user, struct http_exchange *x, const struct http_incoming *in);
    void *user;
};

MUST_USE struct http_server *http_server_open(const struct http_server_options *o, struct error *e);
void http_server_close(struct http_server **s);
uint16_t http_server_port(const struct http_server *s);
void http_answer(struct http_exchange *x, int status, const char *content_type, struct span body);

#endif
