/* SPDX-License-Identifier: MIT */
/* Any bytes as a request: fed whole and in pieces of a size that the first byte says, both must come
 * to the same end; an accepted head must hold no control character. */
#include <stdint.h>
#include <string.h>

#include "gateway/net/http_parse.h"
#include "gateway/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct arena arena;
    struct http_parse *parse;
    enum http_parse_result result;
    size_t taken;
};

static void run_begin(struct run *r, const char *data, size_t len, size_t step)
{
    arena_init(&r->arena);
    r->parse = http_parse_create(&r->arena, 1024, 256);
    r->result = HTTP_PARSE_MORE;
    r->taken = 0;
    while (r->taken < len && r->result == HTTP_PARSE_MORE) {
        size_t n = len - r->taken < step ? len - r->taken : step, used;
        r->result = http_parse_feed(r->parse, data + r->taken, n, &used);
        CHECK(used <= n && (r->result != HTTP_PARSE_MORE || used == n));
        r->taken += used;
    }
}

static void run_end(struct run *r)
{
    http_parse_destroy(&r->parse);
    arena_fini(&r->arena);
}

static void check_clean(const char *text)
{
    for (; *text; text++)
        CHECK(*text != '\r' && *text != '\n');
}

static void check_done(const struct http_parsed *a, const struct http_parsed *b)
{
    CHECK(text_eq(a->method, b->method) && text_eq(a->target, b->target));
    CHECK(text_eq(a->host, b->host) && span_eq(a->body, b->body));
    CHECK(a->keep_alive == b->keep_alive && a->body.len <= 256);
    CHECK(a->target[0] == '/' || text_eq(a->target, "*"));
    check_clean(a->target);
    for (const struct http_header *h = a->headers; h; h = h->next) {
        check_clean(h->name);
        check_clean(h->value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct run whole, pieces;
    const char *text = (const char *)data + 1;
    run_begin(&whole, text, size - 1, size);
    run_begin(&pieces, text, size - 1, 1 + data[0] % 32);
    CHECK(whole.result == pieces.result);
    if (whole.result == HTTP_PARSE_DONE) {
        CHECK(whole.taken == pieces.taken);
        check_done(http_parse_request(whole.parse), http_parse_request(pieces.parse));
    }
    run_end(&whole);
    run_end(&pieces);
    return 0;
}
