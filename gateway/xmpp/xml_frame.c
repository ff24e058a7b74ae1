/* SPDX-License-Identifier: MIT */
/* A walk over tags. It need not understand XML at large: what it reads, this program wrote. */
#include "gateway/xmpp/xml_frame.h"

#include <string.h>

#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"

/* Behind the '>' of the tag that starts at data[at]; quoted values may hold '>'. */
static size_t tag_end(struct span xml, size_t at)
{
    char quote = 0;
    for (; at < xml.len; at++) {
        char c = xml.data[at];
        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '\'' || c == '"')
            quote = c;
        else if (c == '>')
            return at + 1;
    }
    return xml.len;
}

/* Behind the end of the first element, whose start tag begins at 0. */
static size_t element_end(struct span xml)
{
    size_t at = 0, depth = 0;
    do {
        const char *open = memchr(xml.data + at, '<', xml.len - at);
        if (!open)
            return xml.len;
        size_t start = (size_t)(open - xml.data);
        at = tag_end(xml, start);
        if (open + 1 < xml.data + xml.len && open[1] == '/')
            depth--;
        else if (xml.data[at - 2] != '/')
            depth++;
    } while (depth > 0 && at < xml.len);
    return at;
}

static bool declares_default(struct span tag)
{
    char quote = 0;
    for (size_t i = 0; i + 7 < tag.len; i++) {
        char c = tag.data[i];
        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '\'' || c == '"')
            quote = c;
        else if (c == ' ' && memcmp(tag.data + i + 1, "xmlns=", 6) == 0)
            return true;
    }
    return false;
}

bool xml_frame_next(struct bytes *out, struct span *rest)
{
    const char *open = rest->len ? memchr(rest->data, '<', rest->len) : NULL;
    if (!open)
        return false;
    struct span xml = {open, rest->len - (size_t)(open - rest->data)};
    size_t end = element_end(xml);
    struct span tag = {open, tag_end(xml, 0)};
    size_t name = 1;
    while (name < tag.len && !strchr(" />", tag.data[name]))
        name++;
    bytes_append(out, open, name);
    if (tag.len > 8 && memcmp(open, "<stream:", 8) == 0)
        bytes_append_text(out, " xmlns:stream='" NS_STREAM "'");
    else if (!declares_default(tag))
        bytes_append_text(out, " xmlns='" NS_CLIENT "'");
    bytes_append(out, open + name, end - name);
    rest->data = open + end;
    rest->len = xml.len - end;
    return true;
}
