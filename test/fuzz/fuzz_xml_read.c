/* SPDX-License-Identifier: MIT */
/* The reader, fed in pieces. The first byte chooses how large they are and whether limits are
 * small; whatever the pieces, the events are those of the whole, and no parser stays lent. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/bytes.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/xml_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* false: the stream failed. */
static bool take(struct xml_reader *r, struct bytes *out)
{
    struct xml_event ev;
    for (;;) {
        xml_reader_next(r, &ev);
        switch (ev.kind) {
        case XML_NONE:
            return true;
        case XML_HEADER:
            bytes_printf(out, "H %s\n", ev.header.content_ns);
            break;
        case XML_STANZA:
            stanza_write(out, ev.stanza, NS_CLIENT);
            CHECK(stanza_size(ev.stanza) > 0);
            stanza_unref(&ev.stanza);
            break;
        case XML_CLOSE:
            bytes_append_text(out, "X\n");
            break;
        case XML_ERROR:
            CHECK(stream_error_name(ev.error) && ev.text[0]);
            return false;
        }
    }
}

static bool run(const uint8_t *data, size_t size, size_t step, struct xml_limits limits,
                struct bytes *out)
{
    struct xml_pool *pool = xml_pool_create();
    struct xml_reader *r = xml_reader_create(pool, limits);
    bool fine = true;
    for (size_t at = 0; at < size && fine; at += step) {
        xml_reader_feed(r, (const char *)data + at, size - at < step ? size - at : step);
        fine = take(r, out);
    }
    xml_reader_destroy(&r);
    CHECK(xml_pool_lent(pool) == 0);
    xml_pool_destroy(&pool);
    return fine;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    static const struct xml_limits tiny = {300, 4, 4, 6};
    size_t step = 1 + (data[0] & 0x3f);
    struct bytes pieces = BYTES_EMPTY, whole = BYTES_EMPTY;
    if (data[0] & 0x80) {
        run(data + 1, size - 1, step, tiny, &pieces);
    } else {
        run(data + 1, size - 1, step, XML_LIMITS_DEFAULT, &pieces);
        run(data + 1, size - 1, size, XML_LIMITS_DEFAULT, &whole);
        /* A mistake in a tag that never ends may be seen late, but what is whole is told. */
        CHECK(span_eq(bytes_span(&pieces), bytes_span(&whole)));
    }
    bytes_fini(&pieces);
    bytes_fini(&whole);
    return 0;
}
