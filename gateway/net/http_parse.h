/* SPDX-License-Identifier: MIT */
/* One HTTP/1.x request out of bytes (RFC 9112), by http-parser behind a gate that lets nothing
 * through which two readers could read in two ways: bare CR or LF, folded lines, a space before the
 * colon, Content-Length beside Transfer-Encoding, repeated Host. For one request; then make
 * another. */
#ifndef CAUSEWAY_NET_HTTP_PARSE_H
#define CAUSEWAY_NET_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/arena.h"
#include "gateway/base/bytes.h"

struct http_parse;

struct http_header {
    struct http_header *next;
    const char *name, *value; /* as they came; blanks around the value are cut */
};

/* What was read. Everything but the body lives in the arena. */
struct http_parsed {
    const char *method,
        *target;      /* the target begins with '/' or is "*"; absolute form is reduced */
    const char *host; /* NULL: none (HTTP/1.0 only) */
    const struct http_header *headers;
    struct span body;     /* the parser's; valid once done, until it is destroyed */
    bool keep_alive;      /* HTTP/1.1 and no `Connection: close` */
    bool expect_continue; /* the head is read and the client waits for 100 before the body */
};

enum http_parse_result {
    HTTP_PARSE_MORE,    /* all was taken, more is needed */
    HTTP_PARSE_DONE,    /* the request is whole; bytes behind it were not taken */
    HTTP_PARSE_REFUSED, /* see http_parse_status; the connection must be closed after the answer */
};

struct http_parse *http_parse_create(struct arena *a, size_t max_head_bytes, size_t max_body_bytes);
void http_parse_destroy(struct http_parse **p);
/* `*used`: bytes taken. Not to be called again after DONE or REFUSED. */
enum http_parse_result http_parse_feed(struct http_parse *p, const char *data, size_t len,
                                       size_t *used);
bool http_parse_head_done(const struct http_parse *p);
bool http_parse_has_begun(const struct http_parse *p); /* a byte of a request line came */
const struct http_parsed *http_parse_request(const struct http_parse *p);
/* Of a refusal: 400, 413, 417, 431, 501 or 505, and why in words. */
int http_parse_status(const struct http_parse *p);
const char *http_parse_reason(const struct http_parse *p);

/* Value of the first header of that name, ASCII case ignored; NULL: none. */
const char *http_parse_header(const struct http_header *headers, const char *name);

#endif
