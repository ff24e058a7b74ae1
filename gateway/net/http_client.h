/* SPDX-License-Identifier: MIT */
/* Outgoing HTTP and SMTP by libcurl's multi interface on the loop. No redirects, no proxy from the
 * environment; each address is asked of the egress guard before it is connected. */
#ifndef CAUSEWAY_NET_HTTP_CLIENT_H
#define CAUSEWAY_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/bytes.h"
#include "gateway/net/egress.h"
#include "gateway/net/loop.h"

struct http_client;
struct http_call;

struct http_client *http_client_create(struct loop *l, const struct egress *g, const char *ca_file);
void http_client_destroy(struct http_client **c); /* calls under way complete with ERROR_CANCELLED */

struct http_request {
    enum egress_purpose purpose;
    const char *method, *url;
    const char *const *headers; /* "Name: value"; NULL ends; checked for CR and LF */
    struct span body;
    uint64_t timeout_ms;   /* 0: 30 s */
    size_t max_body_bytes; /* of the answer; 0: 64 KiB */
    bool allow_http;       /* plain http is allowed (an address that the admin configured) */
};

struct http_response {
    int status;             /* 0: there was none */
    struct span body;
    const char *retry_after; /* header value; NULL: none */
    const char *(*header)(const struct http_response *r, const char *name); /* NULL: none */
    bool sent;              /* the request may have reached the server: outcome unknown when status 0 */
    struct error error;     /* set when status is 0 */
};

/* on_done exactly once, later; the response is borrowed for the call. */
struct http_call *http_call(struct http_client *c, const struct http_request *r,
                            void (*on_done)(void *user, const struct http_response *), void *user);
void http_call_cancel(struct http_call *c); /* on_done is not called any more */

struct mail_request {
    const char *url; /* smtp://host:port or smtps:// ; STARTTLS is used when offered */
    const char *username, *password; /* NULL: none */
    const char *from, *to;
    struct span message; /* RFC 5322, CRLF lines */
    bool require_tls;
    uint64_t timeout_ms; /* 0: 60 s */
};

struct mail_response {
    int code;           /* SMTP reply of the failing or last command; 0: none */
    bool accepted;
    bool sent;          /* data may have reached the server although no reply came: in doubt */
    struct error error;
};

struct http_call *mail_call(struct http_client *c, const struct mail_request *r,
                            void (*on_done)(void *user, const struct mail_response *), void *user);

#endif
