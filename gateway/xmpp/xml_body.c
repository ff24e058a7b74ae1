/* SPDX-License-Identifier: MIT */
/* The stream's own parser with another root, so that every limit and refusal of a stream holds here to the byte. The
 * start tag is read under the limits of who has not logged in: nobody knows yet whose it is. */
#include "gateway/xmpp/xml_body.h"

#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/xml_parser_internal.h"

enum { TAG_BYTES = 4096 };

struct xml_body_attr {
    const struct xml_body_attr *next;
    const char *ns, *name, *value;
};

enum { CHILDREN_MAX = 256 }; /* each costs a block of memory, however short it is */

struct reading {
    struct xml_body *body;
    struct xml_parser *parser;
    const struct xml_body_reader *how;
};

static void fail(struct xml_body *b, enum stream_error e, const char *text)
{
    if (b->error)
        return;
    b->error = e;
    b->text = text;
}

static void keep_attrs(struct xml_body *b, const char **attrs)
{
    for (; *attrs; attrs += 2) {
        struct xml_body_attr *a = arena_new(&b->arena, struct xml_body_attr);
        struct span ns, name;
        xml_parser_split(attrs[0], &ns, &name);
        a->ns = arena_dup_n(&b->arena, ns.data, ns.len);
        a->name = arena_dup_n(&b->arena, name.data, name.len);
        a->value = arena_dup(&b->arena, attrs[1]);
        a->next = b->attrs;
        b->attrs = a;
    }
}

static void on_root(void *user, const char **attrs)
{
    struct reading *r = user;
    struct xml_body *b = r->body;
    if (r->parser->unit_start > TAG_BYTES) {
        fail(b, STREAM_POLICY_VIOLATION, "a start tag larger than allowed");
        XML_StopParser(r->parser->expat, XML_FALSE);
        return;
    }
    keep_attrs(b, attrs);
    b->rooted = true;
    const struct xml_limits *limits = r->how->limits_of(r->how->user, b);
    if (limits) {
        b->limits = *limits;
        xml_parser_relimit(r->parser, &b->limits);
    } else {
        b->stopped = true;
        XML_StopParser(r->parser->expat, XML_FALSE);
    }
}

static void on_child(void *user, struct stanza *st)
{
    struct reading *r = user;
    struct xml_body *b = r->body;
    if (b->count == CHILDREN_MAX) {
        fail(b, STREAM_POLICY_VIOLATION, "more elements in a body than allowed");
        stanza_unref(&st);
        XML_StopParser(r->parser->expat, XML_FALSE);
        return;
    }
    if (b->count == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 4;
        b->stanzas = mem_grow(b->stanzas, b->cap * sizeof(struct stanza *));
    }
    b->stanzas[b->count++] = st;
}

static void on_close(void *user)
{
    (void)user;
}

/* Behind </body> only white space may stand. */
static bool ends_there(const struct xml_parser *p, struct span text)
{
    size_t at = (size_t)(XML_GetCurrentByteIndex(p->expat) + XML_GetCurrentByteCount(p->expat));
    while (at < text.len && strchr(" \t\r\n", text.data[at]) && text.data[at])
        at++;
    return at >= text.len;
}

struct xml_body *xml_body_read(struct span text, const struct xml_body_reader *how)
{
    static const struct xml_sink sink = {on_root, on_child, on_close};
    static const struct xml_limits first = XML_LIMITS_BEFORE_AUTH;
    struct xml_body *b = mem_new(struct xml_body);
    struct xml_parser *p = xml_parser_create(false);
    struct reading r = {b, p, how};
    arena_init(&b->arena);
    p->is_body = true;
    p->sink = &sink;
    p->user = &r;
    bool fine = text.len > 0 && xml_parser_feed(p, text.data, text.len, &first);
    if (b->stopped)
        b->text = NULL;
    else if (!fine)
        fail(b, text.len ? p->error : STREAM_NOT_WELL_FORMED, text.len ? p->text : "an empty body");
    else if (!p->closed)
        fail(b, STREAM_NOT_WELL_FORMED, "a body that does not end");
    else if (!ends_there(p, text))
        fail(b, STREAM_NOT_WELL_FORMED, "something behind the body");
    xml_parser_destroy(&p);
    return b;
}

void xml_body_destroy(struct xml_body **at)
{
    struct xml_body *b = *at;
    *at = NULL;
    if (!b)
        return;
    for (unsigned i = 0; i < b->count; i++)
        stanza_unref(&b->stanzas[i]);
    mem_free(b->stanzas);
    arena_fini(&b->arena);
    mem_free(b);
}

const char *xml_body_attr(const struct xml_body *b, const char *ns, const char *name)
{
    for (const struct xml_body_attr *a = b->attrs; a; a = a->next)
        if (text_eq(a->name, name) && text_eq(a->ns, ns))
            return a->value;
    return NULL;
}

bool xml_body_number(const struct xml_body *b, const char *name, uint64_t max, uint64_t *out)
{
    const char *text = xml_body_attr(b, "", name);
    return text && text_to_u64(text, out) && *out <= max;
}

struct stanza *xml_body_take(struct xml_body *b, unsigned i)
{
    struct stanza *st = b->stanzas[i];
    b->stanzas[i] = NULL;
    return st;
}
