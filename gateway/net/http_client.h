/* SPDX-License-Identifier: MIT */
/* Outgoing HTTP/1.1 by libcurl's multi interface on the loop. Names are resolved by our own
 * resolver; no redirects, no proxy from the environment; each address is asked of the egress guard
 * before it is connected. A connection is used again only by calls of the same purpose that are
 * safe to repeat. */
#ifndef CAUSEWAY_NET_HTTP_CLIENT_H
#define CAUSEWAY_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/bytes.h"
#include "gateway/base/error.h"
#include "gateway/net/dns.h"
#include "gateway/net/egress.h"
#include "gateway/net/loop.h"

struct http_client;
struct http_call;

/* `d` and `g` must outlive it. `ca_file` NULL: the system's trust anchors. */
struct http_client *http_client_create(struct loop *l, struct dns *d, const struct egress *g,
                                       const char *ca_file);
/* Calls under way complete with ERROR_CANCELLED first. Not from inside on_done. */
void http_client_destroy(struct http_client **c);

struct http_request {
    enum egress_purpose purpose;
    const char *method, *url;
    const char *const *headers; /* "Name: value"; NULL ends; checked for CR and LF. NULL: none */
    struct span body;
    uint64_t timeout_ms;   /* for the whole; 0: 30 s */
    size_t max_body_bytes; /* of the answer; 0: 64 KiB */
    bool allow_http;       /* plain http is allowed (an address that the admin configured) */
};

struct http_response {
    int status; /* 0: there was none, or the answer broke off */
    struct span body;
    const char *retry_after; /* header value; NULL: none */
    const char *(*header)(const struct http_response *r, const char *name); /* NULL: none */
    bool sent;          /* the request may have reached the server: outcome unknown when status 0 */
    struct error error; /* set when status is 0; ERROR_LIMIT with a status: the body is cut */
};

/* on_done exactly once, later; the response is borrowed for the call. The request is copied. */
struct http_call *http_call(struct http_client *c, const struct http_request *r,
                            void (*on_done)(void *user, const struct http_response *), void *user);
void http_call_cancel(struct http_call *c); /* on_done is not called any more */

#endif
