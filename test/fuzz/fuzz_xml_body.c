/* SPDX-License-Identifier: MIT */
/* BOSH's <body/> out of any bytes (XEP-0124). The first byte chooses limits and when nobody wants to know. However it goes:
 * asked once, no more stanzas than the document has, each within the limits and a document again, and a broken one says why. */
#include <stdint.h>
#include <string.h>

#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/xml_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct asking {
    struct xml_limits limits;
    bool refuses;
    unsigned asked;
};

static const struct xml_limits *limits_of(void *user, const struct xml_body *b)
{
    struct asking *a = user;
    CHECK(b->rooted && !b->error && b->count == 0 && ++a->asked == 1);
    return a->refuses && xml_body_attr(b, "", "sid") ? NULL : &a->limits;
}

static void check_stanza(struct stanza *st, size_t size)
{
    struct bytes out = BYTES_EMPTY;
    stanza_write(&out, st, NULL);
    struct stanza *again = stanza_parse(out.data, out.len); /* to which jabber:server is content too */
    CHECK(again && (again->kind == st->kind || st->kind == STANZA_NONZA) && size > 0);
    stanza_unref(&again);
    stanza_unref(&st);
    bytes_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t rid;
    if (size < 1 || size > 65536)
        return 0;
    struct asking a = {.limits = {300, 4, 4, 6}, .refuses = data[0] & 2};
    if (data[0] & 1)
        a.limits = XML_LIMITS_DEFAULT;
    struct xml_body *b = xml_body_read((struct span){(const char *)data + 1, size - 1}, &(struct xml_body_reader){limits_of, &a});
    CHECK(b->rooted == (a.asked == 1) && (b->rooted || b->error));
    CHECK(!b->error || (stream_error_name(b->error) && b->text && b->text[0]));
    CHECK(!b->stopped || (!b->error && b->count == 0));
    if (xml_body_number(b, "rid", 1 << 20, &rid))
        CHECK(rid <= 1 << 20);
    for (unsigned i = 0; i < b->count; i += 1 + (data[0] >> 7))
        check_stanza(xml_body_take(b, i), size);
    xml_body_destroy(&b);
    return 0;
}
