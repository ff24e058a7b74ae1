/* SPDX-License-Identifier: MIT */
/* The gate and http-parser behind it (RFC 9112). Decided here: what is let through. The gate reads
 * every framing byte (head, chunk sizes, trailers) before http-parser does and cuts the input so
 * that http-parser never sees a byte behind the piece that the gate has passed. Invariant:
 * http-parser's idea of where the body ends is the gate's, or the request is refused. Trailers are
 * read and dropped (RFC 9112 7.1.2); chunk extensions are ignored (7.1.1). */
#include "gateway/net/http_parse.h"

#include <http_parser.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"

enum { MAX_CHUNK_LINE = 128 };

enum gate {
    GATE_START,        /* nothing of the request yet; empty lines are skipped (2.2) */
    GATE_REQUEST_LINE, /* between its first byte and its LF */
    GATE_LINE_START,   /* a field line or the empty line comes */
    GATE_NAME,         /* in a field name */
    GATE_VALUE,        /* behind its colon */
    GATE_BODY,         /* content of known length, or the data of a chunk */
    GATE_CHUNK_SIZE,   /* hexadecimal digits */
    GATE_CHUNK_EXT,    /* behind them, until LF */
    GATE_CHUNK_END,    /* CRLF behind the data of a chunk */
};

struct http_parse {
    http_parser parser;
    struct arena *arena;
    size_t max_head_bytes, max_body_bytes;
    enum gate gate;
    bool cr;                /* the last framing byte was CR */
    bool head_done;         /* field lines are trailers from now on */
    bool message_done;      /* http-parser has said so */
    unsigned blanks;        /* spaces seen in the request line */
    unsigned version_bytes; /* seen behind the second of them */
    size_t head_bytes;      /* head and trailers */
    size_t line_bytes;      /* of the chunk-size line */
    size_t piece_left;      /* in GATE_BODY: bytes to come */
    struct bytes target, name, value, body;
    bool in_value; /* of the field that http-parser is reporting */
    struct http_header *last;
    struct http_parsed parsed;
    int status; /* 0: not refused */
    const char *reason;
};

static int refuse(struct http_parse *p, int status, const char *reason)
{
    if (!p->status) {
        p->status = status;
        p->reason = reason;
    }
    return -1;
}

/* --- what http-parser reports --- */

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct http_parse *p = parser->data;
    bytes_append(&p->target, at, len);
    return 0;
}

static void end_field(struct http_parse *p)
{
    if (!p->in_value)
        return;
    while (p->value.len > 0 && strchr(" \t", p->value.data[p->value.len - 1]))
        p->value.data[--p->value.len] = '\0';
    struct http_header *h = arena_new(p->arena, struct http_header);
    h->name = arena_dup(p->arena, bytes_text(&p->name));
    h->value = arena_dup(p->arena, bytes_text(&p->value));
    if (p->last)
        p->last->next = h;
    else
        p->parsed.headers = h;
    p->last = h;
    bytes_clear(&p->name);
    bytes_clear(&p->value);
    p->in_value = false;
}

static int on_header_field(http_parser *parser, const char *at, size_t len)
{
    struct http_parse *p = parser->data;
    if (p->head_done)
        return 0;
    end_field(p);
    bytes_append(&p->name, at, len);
    return 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t len)
{
    struct http_parse *p = parser->data;
    if (p->head_done)
        return 0;
    p->in_value = true;
    bytes_append(&p->value, at, len);
    return 0;
}

static unsigned count_headers(const struct http_parse *p, const char *name)
{
    unsigned n = 0;
    for (const struct http_header *h = p->parsed.headers; h; h = h->next)
        n += text_eq_nocase(h->name, name);
    return n;
}

/* "http://host/path" as a proxy would get it becomes "/path" and host (3.2.2). */
static int reduce_target(struct http_parse *p)
{
    const char *t = arena_dup(p->arena, bytes_text(&p->target));
    p->parsed.target = t;
    p->parsed.host = http_parse_header(p->parsed.headers, "Host");
    if (*t == '/' || (text_eq(t, "*") && p->parser.method == HTTP_OPTIONS))
        return 0;
    const char *colon = strstr(t, "://");
    if (!colon || strcspn(t, "/?#") < (size_t)(colon - t))
        return refuse(p, 400, "the target is neither a path nor a URL");
    const char *host = colon + 3;
    size_t host_len = strcspn(host, "/?#");
    p->parsed.host = arena_dup_n(p->arena, host, host_len);
    const char *rest = host + host_len;
    p->parsed.target = *rest == '/' ? rest : arena_printf(p->arena, "/%s", rest);
    return 0;
}

static int check_framing(struct http_parse *p)
{
    unsigned te = count_headers(p, "Transfer-Encoding");
    unsigned cl = count_headers(p, "Content-Length");
    if (te && cl)
        return refuse(p, 400, "Content-Length beside Transfer-Encoding");
    if (cl > 1 || te > 1)
        return refuse(p, 400, "the length is given more than once");
    if (te && p->parser.http_minor == 0)
        return refuse(p, 400, "Transfer-Encoding in HTTP/1.0");
    if (te && !text_eq_nocase(http_parse_header(p->parsed.headers, "Transfer-Encoding"), "chunked"))
        return refuse(p, 501, "the only transfer coding known here is chunked");
    const char *length = http_parse_header(p->parsed.headers, "Content-Length");
    uint64_t n = 0;
    if (length && !text_to_u64(length, &n))
        return refuse(p, 400, "Content-Length is no number");
    if (n > p->max_body_bytes)
        return refuse(p, 413, "the body is larger than allowed");
    p->piece_left = (size_t)n;
    p->gate = te ? GATE_CHUNK_SIZE : GATE_BODY;
    return 0;
}

static int check_head(struct http_parse *p)
{
    if (p->parser.http_major != 1)
        return refuse(p, 505, "only HTTP/1.x is spoken here");
    if (p->parser.method == HTTP_CONNECT)
        return refuse(p, 501, "CONNECT is not offered");
    unsigned hosts = count_headers(p, "Host");
    if (hosts > 1 || (hosts == 0 && p->parser.http_minor > 0))
        return refuse(p, 400, hosts ? "more than one Host" : "no Host");
    return check_framing(p);
}

static int on_headers_complete(http_parser *parser)
{
    struct http_parse *p = parser->data;
    end_field(p);
    p->head_done = true;
    p->parsed.method = http_method_str((enum http_method)parser->method);
    if (check_head(p) || reduce_target(p))
        return -1;
    const char *expect = http_parse_header(p->parsed.headers, "Expect");
    if (expect && !text_eq_nocase(expect, "100-continue"))
        return refuse(p, 417, "the only expectation known here is 100-continue");
    p->parsed.expect_continue =
        expect && parser->http_minor > 0 && (p->gate == GATE_CHUNK_SIZE || p->piece_left > 0);
    parser->upgrade = 0; /* an offer to upgrade is ignored (RFC 9110 7.8) */
    return 0;
}

static int on_chunk_header(http_parser *parser)
{
    struct http_parse *p = parser->data;
    if (parser->content_length > p->max_body_bytes - p->body.len)
        return refuse(p, 413, "the body is larger than allowed");
    p->piece_left = (size_t)parser->content_length;
    p->gate = p->piece_left ? GATE_BODY : GATE_LINE_START;
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct http_parse *p = parser->data;
    bytes_append(&p->body, at, len);
    return 0;
}

static int on_message_complete(http_parser *parser)
{
    struct http_parse *p = parser->data;
    p->message_done = true;
    p->parsed.body = bytes_span(&p->body);
    p->parsed.keep_alive = parser->http_minor > 0 && http_should_keep_alive(parser);
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_chunk_header = on_chunk_header,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- the gate --- */

static bool is_token(unsigned char c) /* RFC 9110 5.6.2 */
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* A line has ended with CRLF. true: http-parser must see what came so far. */
static bool end_line(struct http_parse *p)
{
    switch (p->gate) {
    case GATE_START:
        return false;
    case GATE_REQUEST_LINE:
        if (p->version_bytes != 8)
            refuse(p, 400, "the request line names no HTTP version");
        p->gate = GATE_LINE_START;
        return false;
    case GATE_VALUE:
        p->gate = GATE_LINE_START;
        return false;
    case GATE_LINE_START: /* the empty line; on_headers_complete says what follows */
    case GATE_CHUNK_EXT:  /* on_chunk_header says what follows */
        return true;
    case GATE_CHUNK_SIZE:
        if (p->line_bytes == 2)
            refuse(p, 400, "a chunk has no size");
        return true;
    case GATE_CHUNK_END:
        p->gate = GATE_CHUNK_SIZE;
        p->line_bytes = 0;
        return true;
    case GATE_NAME:
        refuse(p, 400, "a header line has no colon");
        return true;
    case GATE_BODY:
        break;
    }
    CHECK(!"a line ended inside the body");
    return true;
}

static void line_start_byte(struct http_parse *p, unsigned char c)
{
    if (c == ' ' || c == '\t')
        refuse(p, 400, "a header line is folded");
    else if (!is_token(c))
        refuse(p, 400, "a header line begins with no name");
    p->gate = GATE_NAME;
}

static void name_byte(struct http_parse *p, unsigned char c)
{
    if (c == ':')
        p->gate = GATE_VALUE;
    else if (!is_token(c))
        refuse(p, 400,
               c == ' ' || c == '\t' ? "space before a colon" : "a header name is no token");
}

static bool is_version_byte(unsigned at, unsigned char c)
{
    static const char shape[] = "HTTP/0.0"; /* 0: any digit */
    if (at >= sizeof shape - 1)
        return false;
    return shape[at] == '0' ? c >= '0' && c <= '9' : c == shape[at];
}

/* http-parser as distributions build it is lenient here: it reads HTTX/1.1 and 8-bit targets. */
static void request_line_byte(struct http_parse *p, unsigned char c)
{
    p->gate = GATE_REQUEST_LINE;
    bool ok = c >= ' ' && c <= '~' && (p->blanks > 0 || c == ' ' || is_token(c));
    if (p->blanks == 2)
        ok = is_version_byte(p->version_bytes++, c);
    else if (c == ' ')
        p->blanks++;
    if (!ok)
        refuse(p, 400, "the request line is not METHOD SP TARGET SP HTTP/x.y");
}

static void chunk_size_byte(struct http_parse *p, unsigned char c)
{
    if (p->line_bytes > 1 && (c == ';' || c == ' ' || c == '\t'))
        p->gate = GATE_CHUNK_EXT;
    else if (!is_hex(c))
        refuse(p, 400, "a chunk's size is no number");
}

static void text_byte(struct http_parse *p, unsigned char c)
{
    if ((c < ' ' && c != '\t') || c == 0x7f)
        refuse(p, 400, "control character in a header");
}

/* Any byte but CR and LF. */
static void plain_byte(struct http_parse *p, unsigned char c)
{
    switch (p->gate) {
    case GATE_START:
    case GATE_REQUEST_LINE:
        request_line_byte(p, c);
        return;
    case GATE_LINE_START:
        line_start_byte(p, c);
        return;
    case GATE_NAME:
        name_byte(p, c);
        return;
    case GATE_VALUE:
    case GATE_CHUNK_EXT:
        text_byte(p, c);
        return;
    case GATE_CHUNK_SIZE:
        chunk_size_byte(p, c);
        return;
    case GATE_CHUNK_END:
        refuse(p, 400, "a chunk is longer than its size says");
        return;
    case GATE_BODY:
        break;
    }
    CHECK(!"the gate saw a byte of the body");
}

static void count_byte(struct http_parse *p)
{
    bool chunk =
        p->gate == GATE_CHUNK_SIZE || p->gate == GATE_CHUNK_EXT || p->gate == GATE_CHUNK_END;
    if (chunk && ++p->line_bytes > MAX_CHUNK_LINE)
        refuse(p, 400, "a chunk's size line is too long");
    if (!chunk && ++p->head_bytes > p->max_head_bytes)
        refuse(p, 431, "the head is larger than allowed");
}

/* Reads framing bytes; returns how many http-parser may see now. */
static size_t gate_run(struct http_parse *p, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        bool after_cr = p->cr;
        p->cr = c == '\r';
        count_byte(p);
        if (after_cr && c != '\n')
            refuse(p, 400, "CR without LF");
        else if (c == '\n' && !after_cr)
            refuse(p, 400, "LF without CR");
        else if (c == '\n' && end_line(p))
            return i + 1;
        else if (c != '\n' && c != '\r')
            plain_byte(p, c);
        if (p->status)
            return i;
    }
    return len;
}

/* --- outside --- */

struct http_parse *http_parse_create(struct arena *a, size_t max_head_bytes, size_t max_body_bytes)
{
    struct http_parse *p = mem_new(struct http_parse);
    http_parser_init(&p->parser, HTTP_REQUEST);
    p->parser.data = p;
    p->arena = a;
    p->max_head_bytes = max_head_bytes;
    p->max_body_bytes = max_body_bytes;
    return p;
}

void http_parse_destroy(struct http_parse **p)
{
    if (!*p)
        return;
    bytes_fini(&(*p)->target);
    bytes_fini(&(*p)->name);
    bytes_fini(&(*p)->value);
    bytes_fini(&(*p)->body);
    mem_free(*p);
    *p = NULL;
}

static void feed_parser(struct http_parse *p, const char *data, size_t n)
{
    size_t taken = http_parser_execute(&p->parser, &settings, data, n);
    if (taken == n && HTTP_PARSER_ERRNO(&p->parser) == HPE_OK)
        return;
    enum http_errno why = HTTP_PARSER_ERRNO(&p->parser);
    refuse(p, why == HPE_INVALID_METHOD ? 501 : 400, http_errno_description(why));
}

/* One piece: framing up to a border, or what is here of the body. Returns the bytes taken. */
static size_t feed_piece(struct http_parse *p, const char *data, size_t len)
{
    bool in_body = p->gate == GATE_BODY;
    size_t n = in_body ? (len < p->piece_left ? len : p->piece_left) : gate_run(p, data, len);
    if (p->status)
        return n;
    if (in_body)
        p->piece_left -= n;
    feed_parser(p, data, n);
    if (in_body && !p->piece_left && !p->message_done) {
        p->gate = GATE_CHUNK_END;
        p->line_bytes = 0;
    }
    return n;
}

enum http_parse_result http_parse_feed(struct http_parse *p, const char *data, size_t len,
                                       size_t *used)
{
    CHECK(!p->status && !p->message_done);
    *used = 0;
    while (*used < len && !p->status && !p->message_done)
        *used += feed_piece(p, data + *used, len - *used);
    if (p->status)
        return HTTP_PARSE_REFUSED;
    return p->message_done ? HTTP_PARSE_DONE : HTTP_PARSE_MORE;
}

bool http_parse_head_done(const struct http_parse *p)
{
    return p->head_done;
}

bool http_parse_has_begun(const struct http_parse *p)
{
    return p->gate != GATE_START;
}

const struct http_parsed *http_parse_request(const struct http_parse *p)
{
    return &p->parsed;
}

int http_parse_status(const struct http_parse *p)
{
    return p->status;
}

const char *http_parse_reason(const struct http_parse *p)
{
    return p->reason;
}

const char *http_parse_header(const struct http_header *headers, const char *name)
{
    for (const struct http_header *h = headers; h; h = h->next) {
        if (text_eq_nocase(h->name, name))
            return h->value;
    }
    return NULL;
}
