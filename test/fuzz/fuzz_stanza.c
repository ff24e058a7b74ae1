/* SPDX-License-Identifier: MIT */
/* What stanza_write makes is read back to the same bytes, and so is every copy of a child. */
#include <stdint.h>
#include <string.h>

#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_spans(const struct element *e, struct span around)
{
    for (const struct element *c = e->first_child; c; c = c->next) {
        CHECK(c->xml.data >= around.data);
        CHECK(c->xml.data + c->xml.len <= around.data + around.len);
        CHECK(c->xml.data[0] == '<' && c->xml.data[c->xml.len - 1] == '>');
        check_spans(c, c->xml);
    }
}

static void check_copy(const struct stanza *st)
{
    struct builder b;
    struct bytes want = BYTES_EMPTY;
    build_begin(&b, STANZA_MESSAGE, MESSAGE_NORMAL);
    build_lang(&b, "en");
    for (const struct element *e = stanza_first(st); e; e = e->next)
        build_copy(&b, e);
    struct stanza *copy = build_end(&b);
    check_spans(copy->payload->root, copy->payload->xml);
    stanza_write(&want, copy, NULL);
    struct stanza *again = stanza_parse(want.data, want.len);
    CHECK(again != NULL);
    CHECK(span_eq(again->payload->xml, copy->payload->xml));
    stanza_unref(&again);
    stanza_unref(&copy);
    bytes_fini(&want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stanza *st = stanza_parse((const char *)data, size);
    if (!st)
        return 0;
    struct bytes first = BYTES_EMPTY, second = BYTES_EMPTY;
    stanza_write(&first, st, NULL);
    CHECK(first.len <= stanza_size(st));
    struct stanza *again = stanza_parse(first.data, first.len);
    CHECK(again != NULL);
    stanza_write(&second, again, NULL);
    CHECK(span_eq(bytes_span(&first), bytes_span(&second)));
    check_spans(st->payload->root, st->payload->xml);
    check_copy(st);
    (void)stanza_body(st);
    struct stanza *error = build_error(st, STANZA_BAD_REQUEST, "text", st->to);
    stanza_unref(&error);
    stanza_unref(&again);
    stanza_unref(&st);
    bytes_fini(&first);
    bytes_fini(&second);
    return 0;
}
