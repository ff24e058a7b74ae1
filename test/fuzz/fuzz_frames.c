/* SPDX-License-Identifier: MIT */
/* Any bytes as a WebSocket's frames, then their messages as a stream's: read whole and in pieces of a size that the first
 * byte says, both must bring the same messages and the same end; nothing is larger than allowed or not UTF-8. */
#include <stdint.h>
#include <string.h>

#include "gateway/base/utf8.h"
#include "gateway/net/frames.h"
#include "gateway/xmpp/xml_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 1024 };

/* All that came, as a text to compare. */
static void read_all(const char *data, size_t len, size_t step, struct bytes *seen, struct xml_reader *r)
{
    struct frames *f = frames_create(MAX);
    struct frames_event ev = {.kind = FRAMES_MORE};
    for (size_t at = 0; at < len && ev.kind == FRAMES_MORE; at += step) {
        struct span in = {data + at, len - at < step ? len - at : step};
        do {
            frames_next(f, &in, 0, &ev);
            CHECK(ev.data.len <= MAX && (ev.kind != FRAMES_TEXT || utf8_valid(ev.data.data ? ev.data.data : "", ev.data.len)));
            if (ev.kind != FRAMES_MORE) /* how often that is said is the pieces' business */
                bytes_printf(seen, "%d %u %zu ", ev.kind, ev.code, ev.data.len);
            bytes_append(seen, ev.data.data, ev.data.len);
            if (ev.kind == FRAMES_TEXT && r)
                xml_reader_message(r, ev.data.data, ev.data.len);
        } while (ev.kind == FRAMES_TEXT || ev.kind == FRAMES_PING);
        CHECK(ev.kind != FRAMES_MORE || in.len == 0);
    }
    frames_destroy(&f);
}

static void drain(struct xml_reader *r)
{
    struct xml_event ev;
    do {
        xml_reader_next(r, &ev);
        if (ev.kind == XML_STANZA)
            stanza_unref(&ev.stanza);
    } while (ev.kind != XML_NONE && ev.kind != XML_ERROR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct xml_pool *pool = xml_pool_create();
    struct xml_reader *r = xml_reader_create(pool, XML_LIMITS_BEFORE_AUTH);
    struct bytes whole = BYTES_EMPTY, pieces = BYTES_EMPTY;
    const char *text = (const char *)data + 1;
    read_all(text, size - 1, size, &whole, r);
    read_all(text, size - 1, data[0] ? data[0] : 1, &pieces, NULL);
    CHECK(span_eq(bytes_span(&whole), bytes_span(&pieces)));
    drain(r);
    bytes_fini(&whole);
    bytes_fini(&pieces);
    xml_reader_destroy(&r);
    xml_pool_destroy(&pool);
    return 0;
}
