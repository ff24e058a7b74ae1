/* SPDX-License-Identifier: MIT */
/* Tree and canonical bytes grow together. While a stanza is built an element's xml.data holds the
 * offset in the scratch; build_end copies the bytes into the arena and turns offsets to pointers.
 * Envelope and payload lie in one arena, the payload's. */
#include "gateway/xmpp/stanza_build.h"

#include <stdint.h>
#include <string.h>

#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_internal.h"

enum {
    BLOCK_BYTES = 1280,        /* a chat message or an iq with all that belongs to it */
    RETURNED_MAX_BYTES = 8192, /* of the payload that an error gives back */
};

struct arena *build_arena(struct builder *b)
{
    return &b->stanza->payload->arena;
}

static const char *keep(struct builder *b, struct span s)
{
    return arena_dup_n(build_arena(b), s.data, s.len);
}

static bool span_is(struct span s, const char *text)
{
    return strncmp(text, s.data, s.len) == 0 && text[s.len] == '\0';
}

/* -- beginning */

static struct stanza *allocate(size_t hint)
{
    struct arena a;
    arena_init_sized(&a, hint);
    struct payload *p = arena_new(&a, struct payload);
    struct stanza *st = arena_new(&a, struct stanza);
    p->root = arena_new(&a, struct element);
    ref_init(&p->ref);
    ref_init(&st->ref);
    st->payload = p;
    p->arena = a;
    return st;
}

void build_begin_raw(struct builder *b, enum stanza_kind kind, enum stanza_type type,
                     struct span name, struct span ns, size_t hint)
{
    b->stanza = allocate(hint);
    b->stanza->kind = kind;
    b->stanza->type = type;
    struct element *root = b->stanza->payload->root;
    root->name = kind == STANZA_NONZA ? keep(b, name) : stanza_kind_name(kind);
    root->ns = span_eq_text(ns, NS_CLIENT) ? NS_CLIENT : keep(b, ns);
    root->text = "";
    bytes_clear(&b->xml);
    bytes_clear(&b->text);
    b->open[0] = root;
    b->last_child[0] = NULL;
    b->start_at[0] = b->text_at[0] = 0;
    b->attr_cap[0] = b->attr_cap[1] = 0;
    b->depth = 0;
    b->tag_open = false;
}

static void begin(struct builder *b, enum stanza_kind kind, enum stanza_type type, const char *name,
                  const char *ns)
{
    b->xml = b->text = BYTES_EMPTY;
    b->keeps_scratch = false;
    build_begin_raw(b, kind, type, span_of(name), span_of(ns), BLOCK_BYTES);
}

void build_begin(struct builder *b, enum stanza_kind kind, enum stanza_type type)
{
    CHECK(kind != STANZA_NONZA);
    begin(b, kind, type, NULL, NS_CLIENT);
}

void build_begin_nonza(struct builder *b, const char *name, const char *ns)
{
    begin(b, STANZA_NONZA, STANZA_TYPE_NONE, name, ns);
}

/* -- envelope */

void build_from(struct builder *b, const struct jid *from)
{
    b->stanza->from = jid_copy(build_arena(b), from);
}

void build_to(struct builder *b, const struct jid *to)
{
    b->stanza->to = jid_copy(build_arena(b), to);
}

static const char *clean_copy(struct builder *b, const char *text)
{
    if (!text)
        return NULL;
    return keep(b, xml_escape_clean(build_arena(b), text, strlen(text)));
}

void build_id(struct builder *b, const char *id)
{
    b->stanza->id = clean_copy(b, id);
}

void build_lang(struct builder *b, const char *lang)
{
    b->stanza->lang = clean_copy(b, lang);
}

/* -- attributes */

static void reserve_attrs(struct builder *b, struct element *e, unsigned cap)
{
    struct attr *grown = arena_alloc(build_arena(b), cap * sizeof *grown);
    if (e->attr_count)
        memcpy(grown, e->attrs, e->attr_count * sizeof *grown);
    e->attrs = grown;
    b->attr_cap[e != b->open[0]] = cap;
}

void build_reserve_root_attrs(struct builder *b, unsigned attr_count)
{
    if (attr_count)
        reserve_attrs(b, b->open[0], attr_count);
}

static void add_attr(struct builder *b, struct element *e, struct span ns, struct span name,
                     struct span value)
{
    unsigned cap = b->attr_cap[e != b->open[0]];
    CHECK(e->attr_count < UINT16_MAX);
    if (e->attr_count == cap)
        reserve_attrs(b, e, cap ? 2 * cap : 2);
    struct attr *a = (struct attr *)&e->attrs[e->attr_count++];
    a->ns = !ns.len ? NULL : span_eq_text(ns, NS_XML) ? NS_XML : keep(b, ns);
    a->name = keep(b, name);
    a->value = keep(b, value);
}

void build_attr_raw(struct builder *b, struct span ns, struct span name, struct span value)
{
    struct element *e = b->open[b->depth];
    CHECK(b->depth == 0 || b->tag_open); /* attributes come before anything inside */
    if (b->depth > 0)
        xml_escape_attr(&b->xml, ns, name, value, e->attr_count);
    add_attr(b, e, ns, name, value);
}

void build_root_attr(struct builder *b, const char *name, const char *value)
{
    if (value)
        add_attr(b, b->open[0], (struct span){0}, span_of(name),
                 xml_escape_clean(build_arena(b), value, strlen(value)));
}

void build_attr_ns(struct builder *b, const char *ns, const char *name, const char *value)
{
    CHECK(b->depth > 0);
    if (value)
        build_attr_raw(b, span_of(ns), span_of(name),
                       xml_escape_clean(build_arena(b), value, strlen(value)));
}

void build_attr(struct builder *b, const char *name, const char *value)
{
    build_attr_ns(b, NULL, name, value);
}

/* -- elements */

static const char *scope(const struct builder *b)
{
    return b->depth == 0 ? stanza_scope(b->open[0]) : b->open[b->depth]->ns;
}

static const char *keep_ns(struct builder *b, struct span ns)
{
    const char *parent = b->open[b->depth]->ns;
    if (span_is(ns, parent))
        return parent;
    return span_is(ns, NS_CLIENT) ? NS_CLIENT : keep(b, ns);
}

static void end_start_tag(struct builder *b)
{
    if (b->tag_open)
        bytes_append_char(&b->xml, '>');
    b->tag_open = false;
}

/* Links a new element under the open one. */
static struct element *add_element(struct builder *b, const char *name, const char *ns)
{
    struct element *e = arena_new(build_arena(b), struct element);
    struct element *last = b->last_child[b->depth];
    e->name = name;
    e->ns = ns;
    e->text = "";
    if (last)
        last->next = e;
    else
        b->open[b->depth]->first_child = e;
    b->last_child[b->depth] = e;
    return e;
}

static void write_start(struct builder *b, const struct element *e, const char *around)
{
    bytes_append_char(&b->xml, '<');
    bytes_append_text(&b->xml, e->name);
    if (e->ns != around && strcmp(e->ns, around) != 0) {
        bytes_append(&b->xml, " xmlns='", 8);
        xml_escape(&b->xml, e->ns, strlen(e->ns));
        bytes_append_char(&b->xml, '\'');
    }
}

void build_open_raw(struct builder *b, struct span name, struct span ns, unsigned attr_count)
{
    CHECK(b->depth < BUILD_MAX_DEPTH);
    end_start_tag(b);
    const char *around = scope(b);
    struct element *e = add_element(b, keep(b, name), keep_ns(b, ns));
    b->depth++;
    b->open[b->depth] = e;
    b->last_child[b->depth] = NULL;
    b->start_at[b->depth] = b->xml.len;
    b->text_at[b->depth] = b->text.len;
    b->attr_cap[1] = 0;
    if (attr_count)
        reserve_attrs(b, e, attr_count);
    write_start(b, e, around);
    b->tag_open = true;
}

void build_open(struct builder *b, const char *name, const char *ns)
{
    build_open_raw(b, span_of(name), span_of(ns ? ns : b->open[b->depth]->ns), 0);
}

void build_text_raw(struct builder *b, const char *text, size_t len)
{
    if (len == 0)
        return;
    end_start_tag(b);
    xml_escape_text(&b->xml, text, len);
    bytes_append(&b->text, text, len);
}

void build_text_n(struct builder *b, const char *text, size_t len)
{
    struct span clean = xml_escape_clean(build_arena(b), text, len);
    build_text_raw(b, clean.data, clean.len);
}

void build_text(struct builder *b, const char *text)
{
    if (text)
        build_text_n(b, text, strlen(text));
}

/* The open element's own character data leaves the scratch. */
static void take_text(struct builder *b)
{
    size_t from = b->text_at[b->depth];
    if (b->text.len == from)
        return;
    b->open[b->depth]->text = keep(b, (struct span){b->text.data + from, b->text.len - from});
    b->text.len = from;
}

void build_close(struct builder *b)
{
    CHECK(b->depth > 0);
    struct element *e = b->open[b->depth];
    take_text(b);
    if (b->tag_open) {
        bytes_append(&b->xml, "/>", 2);
        b->tag_open = false;
    } else {
        bytes_append(&b->xml, "</", 2);
        bytes_append_text(&b->xml, e->name);
        bytes_append_char(&b->xml, '>');
    }
    e->xml = (struct span){(const char *)(uintptr_t)b->start_at[b->depth],
                           b->xml.len - b->start_at[b->depth]};
    b->depth--;
}

void build_leaf(struct builder *b, const char *name, const char *ns, const char *text)
{
    build_open(b, name, ns);
    build_text(b, text);
    build_close(b);
}

/* -- copying */

static void copy_attrs(struct builder *b, struct element *to, const struct element *from)
{
    b->attr_cap[1] = 0;
    if (from->attr_count)
        reserve_attrs(b, to, from->attr_count);
    for (unsigned i = 0; i < from->attr_count; i++)
        add_attr(b, to, span_of(from->attrs[i].ns), span_of(from->attrs[i].name),
                 span_of(from->attrs[i].value));
}

/* Below the element that is open; bytes of `top` from `inner` on were copied to `base`. */
static void copy_below(struct builder *b, const struct element *e, const char *inner, size_t base)
{
    for (const struct element *c = e->first_child; c; c = c->next) {
        CHECK(b->depth < BUILD_MAX_DEPTH);
        struct element *copy =
            add_element(b, keep(b, span_of(c->name)), keep_ns(b, span_of(c->ns)));
        b->depth++;
        b->open[b->depth] = copy;
        b->last_child[b->depth] = NULL;
        copy_attrs(b, copy, c);
        copy->text = *c->text ? keep(b, span_of(c->text)) : "";
        copy->xml = (struct span){(const char *)(uintptr_t)(base + (size_t)(c->xml.data - inner)),
                                  c->xml.len};
        copy_below(b, c, inner, base);
        b->depth--;
    }
}

void build_copy(struct builder *b, const struct element *e)
{
    build_open_raw(b, span_of(e->name), span_of(e->ns), e->attr_count);
    for (unsigned i = 0; i < e->attr_count; i++)
        build_attr_raw(b, span_of(e->attrs[i].ns), span_of(e->attrs[i].name),
                       span_of(e->attrs[i].value));
    /* No '>' stands inside a canonical start tag. What is inside depends on e's namespace alone. */
    const char *inner = (const char *)memchr(e->xml.data, '>', e->xml.len) + 1;
    const char *end = e->xml.data + e->xml.len;
    if (inner < end) {
        end_start_tag(b);
        size_t base = b->xml.len;
        bytes_append(&b->xml, inner, (size_t)(end - inner) - strlen(e->name) - 3);
        bytes_append_text(&b->text, e->text);
        copy_below(b, e, inner, base);
    }
    build_close(b);
}

/* -- ending */

static void settle_offsets(const struct element *e, const char *base)
{
    for (struct element *c = e->first_child ? (struct element *)e->first_child : NULL; c;
         c = (struct element *)c->next) {
        c->xml.data = base + (uintptr_t)c->xml.data;
        settle_offsets(c, base);
    }
}

static struct stanza *finish(struct builder *b)
{
    struct stanza *st = b->stanza;
    b->stanza = NULL;
    if (!b->keeps_scratch) {
        bytes_fini(&b->xml);
        bytes_fini(&b->text);
    }
    return st;
}

struct stanza *build_end(struct builder *b)
{
    CHECK(b->depth == 0);
    struct payload *p = b->stanza->payload;
    take_text(b);
    if (b->xml.len)
        p->xml = (struct span){keep(b, bytes_span(&b->xml)), b->xml.len};
    settle_offsets(p->root, p->xml.data);
    return finish(b);
}

void build_abort(struct builder *b)
{
    struct stanza *st = finish(b);
    stanza_unref(&st);
}

/* -- what is asked for all the time */

void build_begin_result(struct builder *b, const struct stanza *iq)
{
    build_begin(b, STANZA_IQ, IQ_RESULT);
    build_from(b, iq->to);
    build_to(b, iq->from);
    build_id(b, iq->id);
}

struct stanza *build_result(const struct stanza *iq)
{
    struct builder b;
    build_begin_result(&b, iq);
    return build_end(&b);
}

static enum stanza_type error_type(enum stanza_kind kind)
{
    switch (kind) {
    case STANZA_MESSAGE:
        return MESSAGE_ERROR;
    case STANZA_PRESENCE:
        return PRESENCE_ERROR;
    case STANZA_IQ:
        return IQ_ERROR;
    case STANZA_NONZA:
        break;
    }
    return STANZA_TYPE_NONE;
}

static void return_payload(struct builder *b, const struct stanza *st)
{
    size_t left = RETURNED_MAX_BYTES;
    for (const struct element *e = stanza_first(st); e; e = e->next) {
        if (e->xml.len > left)
            break;
        left -= e->xml.len;
        build_copy(b, e);
    }
}

static void open_error(struct builder *b, enum stanza_error e, const struct jid *by)
{
    build_open(b, "error", NULL);
    build_attr(b, "by", by ? by->full : NULL);
    build_attr(b, "type", stanza_error_type(e));
    build_leaf(b, stanza_error_name(e), NS_STANZA_ERRORS, NULL);
}

static struct stanza *end_error(struct builder *b, const char *text)
{
    if (text) {
        build_open(b, "text", NS_STANZA_ERRORS);
        build_attr_ns(b, NS_XML, "lang", "en");
        build_text(b, text);
        build_close(b);
    }
    build_close(b);
    return build_end(b);
}

/* Up to the condition; the error stays open. false: RFC 6120 8.3.1 forbids one. */
static bool begin_error(struct builder *b, const struct stanza *st, enum stanza_error e, const struct jid *by)
{
    CHECK(e != STANZA_OK);
    if (st->kind == STANZA_NONZA || st->type == error_type(st->kind) || st->type == IQ_RESULT)
        return false;
    build_begin(b, st->kind, error_type(st->kind));
    build_from(b, st->to);
    build_to(b, st->from);
    build_id(b, st->id);
    return_payload(b, st);
    open_error(b, e, by);
    return true;
}

struct stanza *build_error_with(const struct stanza *st, enum stanza_error e, const char *app, const char *app_ns)
{
    struct builder b;
    if (!begin_error(&b, st, e, NULL))
        return NULL;
    build_leaf(&b, app, app_ns, NULL);
    build_close(&b);
    return build_end(&b);
}

struct stanza *build_error(const struct stanza *st, enum stanza_error e, const char *text,
                           const struct jid *by)
{
    struct builder b;
    return begin_error(&b, st, e, by) ? end_error(&b, text) : NULL;
}

struct stanza *build_error_bare(const struct stanza *iq, const struct jid *from, enum stanza_error e, const char *text)
{
    struct builder b;
    build_begin(&b, STANZA_IQ, IQ_ERROR);
    build_from(&b, from);
    build_to(&b, iq->from);
    build_id(&b, iq->id);
    open_error(&b, e, NULL);
    return end_error(&b, text);
}
