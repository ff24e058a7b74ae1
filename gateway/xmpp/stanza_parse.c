/* SPDX-License-Identifier: MIT */
/* One stanza from a document of its own: what the store kept. Any of the three content namespaces
 * may be the root's. */
#include <stdint.h>

#include "gateway/xmpp/xml_parser_internal.h"

static void take(void *user, struct stanza *st)
{
    *(struct stanza **)user = st; /* expat refuses a second root */
}

struct stanza *stanza_parse(const char *xml, size_t len)
{
    static const struct xml_sink sink = {.on_stanza = take};
    if (len > INT32_MAX / 16)
        return NULL;
    const struct xml_limits limits = {len, BUILD_MAX_DEPTH, UINT16_MAX, UINT32_MAX};
    struct stanza *st = NULL;
    struct xml_parser *p = xml_parser_create(true);
    p->sink = &sink;
    p->user = &st;
    if (!xml_parser_feed(p, xml, len, &limits) || !xml_parser_is_clean(p))
        stanza_unref(&st);
    xml_parser_destroy(&p);
    return st;
}
