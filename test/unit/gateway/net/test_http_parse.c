/* SPDX-License-Identifier: MIT */
/* Requests as tables: each is fed whole and byte by byte, and both must come to the same end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/net/http_parse.h"
#include "gateway/base/text.h"

enum { MAX_HEAD = 512, MAX_BODY = 32 };
#define H "Host: a.example\r\n"

/* Feeds `data` in steps; returns the result after the last step that was needed. */
static enum http_parse_result feed(struct http_parse *p, const char *data, size_t len, size_t step,
                                   size_t *taken)
{
    enum http_parse_result r = HTTP_PARSE_MORE;
    *taken = 0;
    while (*taken < len && r == HTTP_PARSE_MORE) {
        size_t n = len - *taken < step ? len - *taken : step, used;
        r = http_parse_feed(p, data + *taken, n, &used);
        assert_true(used <= n && (r != HTTP_PARSE_MORE || used == n));
        *taken += used;
    }
    return r;
}

struct refused_row {
    const char *request;
    int status;
    const char *proves;
};

static void check_refused(const struct refused_row *row, size_t step)
{
    struct arena a;
    arena_init(&a);
    struct http_parse *p = http_parse_create(&a, MAX_HEAD, MAX_BODY);
    size_t taken;
    enum http_parse_result r = feed(p, row->request, strlen(row->request), step, &taken);
    if (r != HTTP_PARSE_REFUSED || http_parse_status(p) != row->status)
        fail_msg("%s (step %zu): result %d, status %d", row->proves, step, r, http_parse_status(p));
    assert_true(http_parse_reason(p)[0] != '\0');
    http_parse_destroy(&p);
    arena_fini(&a);
}

static void refused(void **state)
{
    (void)state;
    static const struct refused_row rows[] = {
        {"GET / HTTP/1.1\n" H "\r\n", 400, "bare LF behind the request line"},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "bare LF in a header"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "bare LF as the empty line"},
        {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400, "bare CR in a value"},
        {"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400, "CR CR LF"},
        {"\nGET / HTTP/1.1\r\n" H "\r\n", 400, "bare LF before the request"},
        {"GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", 400, "obs-fold (RFC 9112 5.2)"},
        {"GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n", 400, "obs-fold with a tab"},
        {"GET / HTTP/1.1\r\n X: a\r\n" H "\r\n", 400, "blank before the first field (2.2)"},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "space before the colon (5.1)"},
        {"GET / HTTP/1.1\r\n" H "Transfer-Encoding\t: chunked\r\n\r\n", 400, "tab before the colon"},
        {"GET / HTTP/1.1\r\n" H ": a\r\n\r\n", 400, "empty name"},
        {"GET / HTTP/1.1\r\n" H "nothing\r\n\r\n", 400, "no colon"},
        {"GET / HTTP/1.1\r\n" H "X(y): a\r\n\r\n", 400, "name is no token"},
        {"GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n", 400, "control character in a value"},
        {"GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", 400, "DEL in a value"},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400, "CL and TE (6.3)"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
         400, "TE and CL"},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, "two CL"},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\nabc", 400, "a list of CL"},
        {"POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\nabc", 400, "sign in CL"},
        {"POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", 400, "negative CL"},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\nabc", 400, "hexadecimal CL"},
        {"POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400, "empty CL"},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n", 400, "CL overflows"},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 33\r\n\r\n", 413, "body larger than the cap"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "other coding"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 501, "unknown coding"},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "TE in HTTP/1.0"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "chunk size no hex"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n\r\n", 400, "no chunk size"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n;x\r\n", 400, "only extension"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\na\r\n", 400, "LF chunk line"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\n", 400,
         "bare LF in a chunk extension"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400,
         "chunk longer than said"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n", 400,
         "bare LF behind chunk data"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n", 400,
         "chunk size overflows"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nffffff\r\n", 413,
         "huge chunk"},
        {"POST / HTTP/1.1\r\n" H
         "Transfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n11\r\n",
         413, "chunks together larger than the cap"},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n b\r\n\r\n", 400,
         "obs-fold in a trailer"},
        {"GET  / HTTP/1.1\r\n" H "\r\n", 400, "two spaces in the request line"},
        {"GET /a b HTTP/1.1\r\n" H "\r\n", 400, "space in the target"},
        {"GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", 400, "not ASCII in the target"},
        {"GET a HTTP/1.1\r\n" H "\r\n", 400, "target without a slash"},
        {"GET * HTTP/1.1\r\n" H "\r\n", 400, "* is for OPTIONS"},
        {"GET /\r\n\r\n", 400, "HTTP/0.9 has no version"},
        {"GET / HTTP/2.0\r\n" H "\r\n", 505, "version 2 in a version 1 line"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501, "HTTP/2 preface"},
        {"GET / HTTX/1.1\r\n" H "\r\n", 400, "not HTTP"},
        {"FROB / HTTP/1.1\r\n" H "\r\n", 501, "unknown method"},
        {"CONNECT a.example:80 HTTP/1.1\r\n" H "\r\n", 501, "no tunnels"},
        {"GET / HTTP/1.1\r\n\r\n", 400, "no Host (3.2)"},
        {"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400, "two Hosts"},
        {"POST / HTTP/1.1\r\n" H "Expect: miracles\r\nContent-Length: 1\r\n\r\n", 417,
         "unknown expectation"},
        {"\x16\x03\x01\x02\x00", 400, "TLS to a plain port"},
        {"<stream:stream>", 400, "XMPP to a web port"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_refused(&rows[i], 1);
        check_refused(&rows[i], 7);
        check_refused(&rows[i], 4096);
    }
}

struct accepted_row {
    const char *request;
    const char *method, *target, *host, *body;
    bool keep_alive;
    const char *proves;
};

static void check_accepted(const struct accepted_row *row, size_t step)
{
    static const char next[] = "GET /next";
    struct bytes in = BYTES_EMPTY;
    bytes_printf(&in, "%s%s", row->request, next);
    struct arena a;
    arena_init(&a);
    struct http_parse *p = http_parse_create(&a, MAX_HEAD, MAX_BODY);
    size_t taken;
    enum http_parse_result r = feed(p, in.data, in.len, step, &taken);
    if (r != HTTP_PARSE_DONE)
        fail_msg("%s (step %zu): %d %s", row->proves, step, r, http_parse_reason(p));
    assert_int_equal(taken, strlen(row->request)); /* what is pipelined stays */
    const struct http_parsed *q = http_parse_request(p);
    assert_string_equal(q->method, row->method);
    assert_string_equal(q->target, row->target);
    assert_true(text_eq(q->host, row->host));
    if (!span_eq_text(q->body, row->body) || q->keep_alive != row->keep_alive)
        fail_msg("%s: body or keep-alive", row->proves);
    http_parse_destroy(&p);
    arena_fini(&a);
    bytes_fini(&in);
}

static void accepted(void **state)
{
    (void)state;
    static const struct accepted_row rows[] = {
        {"GET / HTTP/1.1\r\n" H "\r\n", "GET", "/", "a.example", "", true, "the plainest"},
        {"\r\nGET / HTTP/1.1\r\n" H "\r\n", "GET", "/", "a.example", "", true, "empty line first"},
        {"GET /x?y=z%20 HTTP/1.1\r\nhOST:b.example \t\r\n\r\n", "GET", "/x?y=z%20", "b.example", "",
         true, "names in any case, blanks around values cut"},
        {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "GET", "/", "a.example", "", false,
         "the client wants to close"},
        {"GET / HTTP/1.0\r\n\r\n", "GET", "/", NULL, "", false, "HTTP/1.0 needs no Host"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "/", NULL, "", false,
         "HTTP/1.0 always closes here"},
        {"POST /h HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc", "POST", "/h", "a.example", "abc",
         true, "a body of known length"},
        {"POST /h HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", "POST", "/h", "a.example", "", true,
         "an empty body"},
        {"POST /h HTTP/1.1\r\n" H
         "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n2;x=\"y\"\r\n\r\n\r\n0\r\n\r\n",
         "POST", "/h", "a.example", "abc\r\n", true, "chunks, extension ignored, CRLF as data"},
        {"POST /h HTTP/1.1\r\n" H
         "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\nHost: evil\r\n\r\n",
         "POST", "/h", "a.example", "a", true, "trailers are dropped"},
        {"GET http://c.example:80/p?q HTTP/1.1\r\n" H "\r\n", "GET", "/p?q", "c.example:80", "",
         true, "absolute form wins over Host (RFC 9112 3.2.2)"},
        {"GET http://c.example HTTP/1.1\r\n" H "\r\n", "GET", "/", "c.example", "", true,
         "absolute form without a path"},
        {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS", "*", "a.example", "", true, "asterisk form"},
        {"GET /ws HTTP/1.1\r\n" H
         "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n",
         "GET", "/ws", "a.example", "", true, "an offer to upgrade is ignored"},
        {"POST /ws HTTP/1.1\r\n" H
         "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi",
         "POST", "/ws", "a.example", "hi", true, "also with a body"},
        {"GET / HTTP/1.1\r\n" H "X: \xc3\xa9\r\n\r\n", "GET", "/", "a.example", "", true,
         "obs-text in a value"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_accepted(&rows[i], 1);
        check_accepted(&rows[i], 5);
        check_accepted(&rows[i], 4096);
    }
}

static void head_is_capped(void **state)
{
    (void)state;
    static const struct {
        size_t filler;
        enum http_parse_result result;
    } rows[] = {{MAX_HEAD - 38, HTTP_PARSE_DONE}, {MAX_HEAD - 37, HTTP_PARSE_REFUSED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes in = BYTES_EMPTY;
        bytes_append_text(&in, "GET / HTTP/1.1\r\n" H "X:"); /* 35 bytes */
        for (size_t n = 1; n < rows[i].filler; n++)
            bytes_append_char(&in, 'x');
        bytes_append_text(&in, "\r\n\r\n");
        struct arena a;
        arena_init(&a);
        struct http_parse *p = http_parse_create(&a, MAX_HEAD, MAX_BODY);
        size_t taken;
        assert_int_equal(feed(p, in.data, in.len, 3, &taken), rows[i].result);
        assert_int_equal(http_parse_status(p), rows[i].result == HTTP_PARSE_DONE ? 0 : 431);
        http_parse_destroy(&p);
        arena_fini(&a);
        bytes_fini(&in);
    }
}

static void continue_and_headers(void **state)
{
    (void)state;
    static const char head[] = "POST / HTTP/1.1\r\n" H
                               "X-A: 1\r\nX-B:\r\nx-a: 2\r\nExpect: 100-Continue\r\n"
                               "Content-Length: 2\r\n\r\n";
    struct arena a;
    arena_init(&a);
    struct http_parse *p = http_parse_create(&a, MAX_HEAD, MAX_BODY);
    size_t used;
    assert_false(http_parse_has_begun(p));
    assert_int_equal(http_parse_feed(p, head, sizeof head - 1, &used), HTTP_PARSE_MORE);
    assert_true(http_parse_has_begun(p) && http_parse_head_done(p));
    const struct http_parsed *q = http_parse_request(p);
    assert_true(q->expect_continue);
    assert_string_equal(http_parse_header(q->headers, "x-A"), "1");
    assert_string_equal(http_parse_header(q->headers, "X-b"), "");
    assert_null(http_parse_header(q->headers, "X"));
    assert_int_equal(http_parse_feed(p, "hi", 2, &used), HTTP_PARSE_DONE);
    assert_true(span_eq_text(q->body, "hi"));
    http_parse_destroy(&p);
    http_parse_destroy(&p);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(accepted),
        cmocka_unit_test(head_is_capped),
        cmocka_unit_test(continue_and_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
