/* SPDX-License-Identifier: MIT */
/* The root's start tag in front of canonical bytes (stanza.h). Payloads are copied, never walked.
 */
#include <stdio.h>
#include <string.h>

#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_internal.h"

enum { ESCAPED_MAX = 6 }; /* bytes that one byte may become */

const char *stanza_prefix(const char *root_ns)
{
    if (strcmp(root_ns, NS_STREAM) == 0)
        return "stream:";
    return strcmp(root_ns, NS_DIALBACK) == 0 ? "db:" : NULL;
}

const char *stanza_scope(const struct element *root)
{
    return stanza_prefix(root->ns) ? NS_CLIENT : root->ns;
}

static void put_attr(struct bytes *out, const char *name, const char *value)
{
    if (value)
        xml_escape_attr(out, (struct span){0}, span_of(name), span_of(value), 0);
}

static void put_namespaces(struct bytes *out, const struct element *root, const char *prefix,
                           bool document)
{
    if (prefix && document) {
        bytes_append_text(out, " xmlns='" NS_CLIENT "'");
        bytes_printf(out, " xmlns:%.*s='%s'", (int)strlen(prefix) - 1, prefix, root->ns);
    } else if (!prefix && (document || strcmp(root->ns, NS_CLIENT) != 0)) {
        put_attr(out, "xmlns", root->ns);
    }
}

static void put_root_attrs(struct bytes *out, const struct element *root)
{
    for (unsigned i = 0; i < root->attr_count; i++) {
        const struct attr *a = &root->attrs[i];
        xml_escape_attr(out, span_of(a->ns), span_of(a->name), span_of(a->value), i);
    }
}

static void put_start(struct bytes *out, const struct stanza *st, const char *prefix, bool document)
{
    const struct element *root = st->payload->root;
    bytes_append_char(out, '<');
    if (prefix)
        bytes_append_text(out, prefix);
    bytes_append_text(out, root->name);
    put_namespaces(out, root, prefix, document);
    put_attr(out, "from", st->from ? st->from->full : NULL);
    put_attr(out, "to", st->to ? st->to->full : NULL);
    put_attr(out, "id", st->id);
    put_attr(out, "type", stanza_type_name(st->type));
    put_attr(out, "xml:lang", st->lang);
    put_root_attrs(out, root);
}

static size_t payload_bytes(const struct payload *p)
{
    return p->xml.len + p->tail.len + (p->inner ? p->inner->xml.len : 0);
}

void stanza_write(struct bytes *out, const struct stanza *st, const char *content_ns)
{
    const struct payload *p = st->payload;
    const struct element *root = p->root;
    const char *prefix = stanza_prefix(root->ns);
    bytes_reserve(out, payload_bytes(p) + st->extra.len + 256);
    put_start(out, st, prefix, content_ns == NULL);
    if (p->xml.len + st->extra.len == 0) {
        bytes_append(out, "/>", 2);
        return;
    }
    bytes_append_char(out, '>');
    bytes_append(out, p->xml.data, p->xml.len);
    if (p->inner) {
        bytes_append(out, p->inner->xml.data, p->inner->xml.len);
        bytes_append(out, p->tail.data, p->tail.len);
    }
    bytes_append(out, st->extra.data, st->extra.len);
    bytes_append(out, "</", 2);
    if (prefix)
        bytes_append_text(out, prefix);
    bytes_append_text(out, root->name);
    bytes_append_char(out, '>');
}

size_t stanza_size(const struct stanza *st)
{
    const struct element *root = st->payload->root;
    size_t values = strlen(root->ns), plain = 160 + 2 * strlen(root->name);
    values += st->from ? strlen(st->from->full) : 0;
    values += st->to ? strlen(st->to->full) : 0;
    values += span_of(st->id).len + span_of(st->lang).len;
    for (unsigned i = 0; i < root->attr_count; i++) {
        values += span_of(root->attrs[i].ns).len + strlen(root->attrs[i].value);
        plain += strlen(root->attrs[i].name) + 48;
    }
    return plain + values * ESCAPED_MAX + payload_bytes(st->payload) + st->extra.len;
}
