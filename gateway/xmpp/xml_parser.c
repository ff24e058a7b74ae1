/* SPDX-License-Identifier: MIT */
/* expat's callbacks to the builder; every limit and refusal of RFC 6120 11 is here.
 *
 * Memory: expat knows only malloc-like functions without an owner, so the parser that is being fed
 * is noted for the thread, and each block remembers whom it was charged to. */
#include "gateway/xmpp/xml_parser_internal.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"

enum {
    SEPARATOR = '\x01', /* cannot stand in XML */
    STALLS_MAX = 64,
    WORN_FED_BYTES = 1 << 20,
    WORN_USED_BYTES = 128 * 1024,
    BUDGET_BASE_BYTES = 192 * 1024,
    BUDGET_FACTOR = 8, /* expat holds a large attribute several times while it grows */
    BLOCK_MIN_BYTES = 448,
    BLOCK_MAX_BYTES = 8192,
    LEFT_FEW_BYTES = 512,
};

/* -- memory */

struct charge {
    _Alignas(max_align_t) struct xml_parser *owner;
    size_t size;
};

static _Thread_local struct xml_parser *charged;

static void *budget_realloc(void *old, size_t size)
{
    struct charge *c = old ? (struct charge *)old - 1 : NULL;
    struct xml_parser *owner = c ? c->owner : charged;
    size_t had = c ? c->size : 0;
    if (size > owner->budget_bytes || owner->used_bytes - had > owner->budget_bytes - size)
        return NULL;
    c = mem_grow(c, sizeof *c + size);
    c->owner = owner;
    c->size = size;
    owner->used_bytes += size - had;
    return c + 1;
}

static void *budget_malloc(size_t size)
{
    return budget_realloc(NULL, size);
}

static void budget_free(void *p)
{
    if (!p)
        return;
    struct charge *c = (struct charge *)p - 1;
    c->owner->used_bytes -= c->size;
    mem_free(c);
}

/* -- refusing */

static void fail(struct xml_parser *p, enum stream_error error, const char *text)
{
    if (p->failed)
        return;
    p->failed = true;
    p->error = error;
    p->text = text;
    XML_StopParser(p->expat, XML_FALSE);
}

static void on_doctype(void *user, const XML_Char *name, const XML_Char *system_id,
                       const XML_Char *public_id, int has_subset)
{
    (void)name, (void)system_id, (void)public_id, (void)has_subset;
    fail(user, STREAM_RESTRICTED_XML, "a document type declaration");
}

static void on_comment(void *user, const XML_Char *data)
{
    (void)data;
    fail(user, STREAM_RESTRICTED_XML, "a comment");
}

static void on_instruction(void *user, const XML_Char *target, const XML_Char *data)
{
    (void)target, (void)data;
    fail(user, STREAM_RESTRICTED_XML, "a processing instruction");
}

static void on_xml_declaration(void *user, const XML_Char *version, const XML_Char *encoding,
                               int standalone)
{
    (void)standalone;
    if (version && strcmp(version, "1.0") != 0)
        fail(user, STREAM_NOT_WELL_FORMED, "not XML 1.0");
    if (encoding && strcasecmp(encoding, "UTF-8") != 0)
        fail(user, STREAM_UNSUPPORTED_ENCODING, "the encoding is not UTF-8");
}

/* -- elements */

void xml_parser_split(const char *qualified, struct span *ns, struct span *name)
{
    const char *sep = strchr(qualified, SEPARATOR);
    *ns = sep ? (struct span){qualified, (size_t)(sep - qualified)} : (struct span){"", 0};
    *name = span_of(sep ? sep + 1 : qualified);
}

static bool is_content_ns(const struct xml_parser *p, struct span ns)
{
    if (p->is_body) /* a child that declares nothing means its stream's namespace all the same */
        return span_eq_text(ns, NS_CLIENT) || span_eq_text(ns, NS_BOSH);
    if (p->content_ns)
        return span_eq_text(ns, p->content_ns);
    return span_eq_text(ns, NS_CLIENT) || span_eq_text(ns, NS_SERVER) ||
           span_eq_text(ns, NS_COMPONENT);
}

static enum stanza_kind kind_of(struct span name)
{
    for (unsigned k = STANZA_MESSAGE; k < STANZA_NONZA; k++)
        if (span_eq_text(name, stanza_kind_name((enum stanza_kind)k)))
            return (enum stanza_kind)k;
    return STANZA_NONZA;
}

static const struct jid *read_jid(struct xml_parser *p, const char *text, bool *malformed)
{
    const struct jid *j = jid_parse(build_arena(&p->build), text, strlen(text));
    *malformed = j == NULL;
    return j;
}

/* true: it belongs to the envelope. Nonzas keep theirs as they are. */
static bool take_envelope_attr(struct xml_parser *p, const char *name, const char *value)
{
    static const char xml_lang[] = "http://www.w3.org/XML/1998/namespace\x01lang";
    struct stanza *st = p->build.stanza;
    if (strcmp(name, xml_lang) == 0)
        st->lang = arena_dup(build_arena(&p->build), value);
    else if (st->kind == STANZA_NONZA)
        return false;
    else if (strcmp(name, "from") == 0)
        st->from = read_jid(p, value, &st->from_malformed);
    else if (strcmp(name, "to") == 0)
        st->to = read_jid(p, value, &st->to_malformed);
    else if (strcmp(name, "id") == 0)
        st->id = arena_dup(build_arena(&p->build), value);
    else if (strcmp(name, "type") == 0)
        st->type = stanza_type_parse(st->kind, value);
    else
        return false;
    return true;
}

static unsigned count_attrs(const char **attrs)
{
    unsigned n = 0;
    while (attrs[2 * n])
        n++;
    return n;
}

/* The stanza's bytes, as far as they can be told from what was fed: to its end tag when that is
 * there. */
static size_t guess_size(const struct xml_parser *p, struct span name)
{
    char end_tag[24];
    size_t left = (size_t)(p->fed - p->unit_start), tag = (size_t)XML_GetCurrentByteCount(p->expat);
    if (left <= LEFT_FEW_BYTES || left > p->piece.len || name.len > sizeof end_tag - 3)
        return left;
    const char *start = p->piece.data + p->piece.len - left;
    if (tag >= 2 && tag <= left && start[tag - 2] == '/') /* it has none */
        return tag;
    memcpy(end_tag, "</", 2);
    memcpy(end_tag + 2, name.data, name.len);
    if (left > BLOCK_MAX_BYTES / 3) /* more would not change the hint, and many short ones would each look far */
        left = BLOCK_MAX_BYTES / 3;
    const char *end = memmem(start, left, end_tag, name.len + 2);
    return end ? (size_t)(end - start) : left;
}

/* Measured: 300 bytes and 2.5 to 2.9 for each of the stanza's make one block. */
static size_t block_hint(const struct xml_parser *p, struct span name)
{
    size_t hint = 320 + 3 * guess_size(p, name);
    return hint < BLOCK_MIN_BYTES   ? BLOCK_MIN_BYTES
           : hint > BLOCK_MAX_BYTES ? BLOCK_MAX_BYTES
                                    : hint;
}

static void begin_stanza(struct xml_parser *p, struct span ns, struct span name, const char **attrs,
                         unsigned attr_count)
{
    bool content = is_content_ns(p, ns);
    enum stanza_kind kind = content ? kind_of(name) : STANZA_NONZA;
    p->unit_start = XML_GetCurrentByteIndex(p->expat);
    p->children = 0;
    build_begin_raw(&p->build, kind, stanza_type_parse(kind, NULL), name,
                    content ? SPAN(NS_CLIENT) : ns, block_hint(p, name));
    p->building = true;
    bool reserved = false;
    for (unsigned i = 0; i < attr_count; i++) {
        if (take_envelope_attr(p, attrs[2 * i], attrs[2 * i + 1]))
            continue;
        if (!reserved)
            build_reserve_root_attrs(&p->build, attr_count - i);
        reserved = true;
        struct span attr_ns, attr_name;
        xml_parser_split(attrs[2 * i], &attr_ns, &attr_name);
        build_attr_raw(&p->build, attr_ns, attr_name, span_of(attrs[2 * i + 1]));
    }
}

static void add_element(struct xml_parser *p, struct span ns, struct span name, const char **attrs,
                        unsigned attr_count)
{
    if (++p->children > p->limits->children) {
        fail(p, STREAM_POLICY_VIOLATION, "too many elements in a stanza");
        return;
    }
    build_open_raw(&p->build, name, is_content_ns(p, ns) ? SPAN(NS_CLIENT) : ns, attr_count);
    for (unsigned i = 0; i < attr_count; i++) {
        struct span attr_ns, attr_name;
        xml_parser_split(attrs[2 * i], &attr_ns, &attr_name);
        build_attr_raw(&p->build, attr_ns, attr_name, span_of(attrs[2 * i + 1]));
    }
}

static enum xml_shape shape_of(const struct xml_parser *p)
{
    if (p->declares_other || !p->declares_stream || !p->header_ns)
        return XML_SHAPE_ODD;
    if (strcmp(p->header_ns, NS_SERVER) == 0)
        return p->declares_db ? XML_SHAPE_SERVER_DB : XML_SHAPE_SERVER;
    if (p->declares_db)
        return XML_SHAPE_ODD;
    if (strcmp(p->header_ns, NS_CLIENT) == 0)
        return XML_SHAPE_CLIENT;
    return strcmp(p->header_ns, NS_COMPONENT) == 0 ? XML_SHAPE_COMPONENT : XML_SHAPE_ODD;
}

static XML_Index event_end(const struct xml_parser *p)
{
    return XML_GetCurrentByteIndex(p->expat) + XML_GetCurrentByteCount(p->expat);
}

static void take_body(struct xml_parser *p, struct span ns, struct span name, const char **attrs)
{
    if (!span_eq_text(ns, NS_BOSH) || !span_eq_text(name, "body")) {
        fail(p, STREAM_INVALID_NAMESPACE, "the root is not BOSH's body");
        return;
    }
    p->unit_start = event_end(p);
    p->sink->on_header(p->user, attrs);
}

static void take_header(struct xml_parser *p, struct span ns, struct span name, const char **attrs)
{
    if (!span_eq_text(ns, NS_STREAM)) {
        fail(p, STREAM_INVALID_NAMESPACE, "the root is not in the namespace of streams");
        return;
    }
    if (!span_eq_text(name, "stream")) {
        fail(p, STREAM_BAD_FORMAT, "the root is not a stream");
        return;
    }
    p->shape = shape_of(p);
    p->content_ns = p->header_ns ? p->header_ns : "";
    p->unit_start = event_end(p);
    p->sink->on_header(p->user, attrs);
}

static void on_start(void *user, const XML_Char *qualified, const XML_Char **attrs)
{
    struct xml_parser *p = user;
    if (p->failed || p->closed)
        return;
    struct span ns, name;
    unsigned attr_count = count_attrs(attrs);
    xml_parser_split(qualified, &ns, &name);
    if (attr_count > p->limits->attributes || p->declared > p->limits->attributes)
        fail(p, STREAM_POLICY_VIOLATION, "too many attributes");
    else if (p->depth > p->limits->depth || p->depth > BUILD_MAX_DEPTH)
        fail(p, STREAM_POLICY_VIOLATION, "elements nested too deeply");
    else if (p->depth == 0)
        (p->is_body ? take_body : take_header)(p, ns, name, attrs);
    else if (p->depth == 1)
        begin_stanza(p, ns, name, attrs, attr_count);
    else
        add_element(p, ns, name, attrs, attr_count);
    p->declared = 0;
    p->depth++;
}

static bool is_too_large(struct xml_parser *p, XML_Index end)
{
    if ((size_t)(end - p->unit_start) <= p->limits->stanza_bytes)
        return false;
    fail(p, STREAM_POLICY_VIOLATION, "a stanza larger than allowed");
    return true;
}

static void end_stanza(struct xml_parser *p)
{
    XML_Index end = event_end(p);
    if (is_too_large(p, end))
        return;
    struct stanza *st = build_end(&p->build);
    p->building = false;
    p->unit_start = end;
    p->stalls = 0;
    p->sink->on_stanza(p->user, st);
}

static void on_end(void *user, const XML_Char *qualified)
{
    struct xml_parser *p = user;
    (void)qualified;
    if (p->failed || p->closed)
        return;
    p->depth--;
    if (p->depth > 1) {
        build_close(&p->build);
    } else if (p->depth == 1) {
        end_stanza(p);
    } else {
        p->closed = true;
        XML_StopParser(p->expat, XML_FALSE);
        p->sink->on_close(p->user);
    }
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr(" \t\r\n", text[i]) || text[i] == '\0')
            return false;
    return true;
}

static void on_text(void *user, const XML_Char *text, int len)
{
    struct xml_parser *p = user;
    if (p->failed || p->closed)
        return;
    if (p->depth > 1)
        build_text_raw(&p->build, text, (size_t)len);
    else if (!is_blank(text, (size_t)len))
        fail(p, STREAM_BAD_FORMAT, "text between stanzas");
}

static void on_cdata_start(void *user)
{
    struct xml_parser *p = user;
    p->in_cdata = true;
    if (p->depth <= 1)
        fail(p, STREAM_BAD_FORMAT, "text between stanzas");
}

static void on_cdata_end(void *user)
{
    ((struct xml_parser *)user)->in_cdata = false;
}

static void on_namespace(void *user, const XML_Char *prefix, const XML_Char *uri)
{
    struct xml_parser *p = user;
    p->declared++;
    if (p->depth > 0 || p->failed)
        return;
    bool dialback = uri && strcmp(uri, NS_DIALBACK) == 0;
    p->declares_dialback = p->declares_dialback || dialback;
    if (!prefix && !p->header_ns && uri)
        p->header_ns = mem_dup(uri);
    else if (prefix && uri && strcmp(prefix, "stream") == 0 && strcmp(uri, NS_STREAM) == 0)
        p->declares_stream = true;
    else if (prefix && dialback && strcmp(prefix, "db") == 0)
        p->declares_db = true;
    else if (!prefix || strcmp(prefix, "xml") != 0) /* that one is always bound */
        p->declares_other = true;
}

/* -- life */

static const XML_Memory_Handling_Suite *suite(void)
{
    static const XML_Memory_Handling_Suite functions = {budget_malloc, budget_realloc, budget_free};
    return &functions;
}

struct xml_parser *xml_parser_create(bool document)
{
    struct xml_parser *p = mem_new(struct xml_parser);
    p->budget_bytes = BUDGET_BASE_BYTES;
    charged = p;
    p->expat = XML_ParserCreate_MM("UTF-8", suite(), (const XML_Char[]){SEPARATOR, 0});
    CHECK(p->expat != NULL);
    XML_SetUserData(p->expat, p);
    XML_SetElementHandler(p->expat, on_start, on_end);
    XML_SetCharacterDataHandler(p->expat, on_text);
    XML_SetCdataSectionHandler(p->expat, on_cdata_start, on_cdata_end);
    XML_SetStartNamespaceDeclHandler(p->expat, on_namespace);
    XML_SetStartDoctypeDeclHandler(p->expat, on_doctype);
    XML_SetCommentHandler(p->expat, on_comment);
    XML_SetProcessingInstructionHandler(p->expat, on_instruction);
    XML_SetXmlDeclHandler(p->expat, on_xml_declaration);
    charged = NULL;
    p->build.keeps_scratch = true;
    p->depth = document ? 1 : 0;
    p->shape = XML_SHAPE_ODD;
    return p;
}

const char *xml_parser_shape_ns(enum xml_shape shape)
{
    switch (shape) {
    case XML_SHAPE_CLIENT:
        return NS_CLIENT;
    case XML_SHAPE_SERVER:
    case XML_SHAPE_SERVER_DB:
        return NS_SERVER;
    case XML_SHAPE_COMPONENT:
        return NS_COMPONENT;
    case XML_SHAPE_ODD:
        break;
    }
    return NULL;
}

static void ignore_header(void *user, const char **attrs)
{
    (void)user, (void)attrs;
}

struct xml_parser *xml_parser_create_shape(enum xml_shape shape)
{
    static const struct xml_sink ignore = {.on_header = ignore_header};
    static const struct xml_limits limits = XML_LIMITS_BEFORE_AUTH;
    struct xml_parser *p = xml_parser_create(false);
    struct bytes header = BYTES_EMPTY;
    bytes_printf(&header, "<stream:stream xmlns='%s' xmlns:stream='" NS_STREAM "'%s>",
                 xml_parser_shape_ns(shape),
                 shape == XML_SHAPE_SERVER_DB ? " xmlns:db='" NS_DIALBACK "'" : "");
    p->sink = &ignore;
    CHECK(xml_parser_feed(p, header.data, header.len, &limits));
    CHECK(p->shape == shape && xml_parser_is_clean(p));
    bytes_fini(&header);
    return p;
}

void xml_parser_destroy(struct xml_parser **at)
{
    struct xml_parser *p = *at;
    *at = NULL;
    if (!p)
        return;
    if (p->building)
        build_abort(&p->build);
    XML_ParserFree(p->expat);
    bytes_fini(&p->build.xml);
    bytes_fini(&p->build.text);
    mem_free(p->header_ns);
    mem_free(p);
}

static void fail_by_expat(struct xml_parser *p)
{
    enum XML_Error code = XML_GetErrorCode(p->expat);
    const char *text = XML_ErrorString(code);
    if (code == XML_ERROR_NO_MEMORY)
        fail(p, STREAM_POLICY_VIOLATION, "the XML takes too much memory");
    else if (code == XML_ERROR_UNDEFINED_ENTITY)
        fail(p, STREAM_RESTRICTED_XML, text);
    else if (code == XML_ERROR_UNKNOWN_ENCODING || code == XML_ERROR_INCORRECT_ENCODING)
        fail(p, STREAM_UNSUPPORTED_ENCODING, text);
    else
        fail(p, STREAM_NOT_WELL_FORMED, text ? text : "not XML");
}

/* expat puts off another look at an unfinished tag until much more has come, which would delay
 * stanzas that end exactly where a read ends; without that, a large tag in small pieces is an
 * attack. So: look again when a '>' came, but not without end. true: it looks again. */
static bool set_deferral(struct xml_parser *p, const char *data, size_t len)
{
    bool look = p->stalls < STALLS_MAX && memchr(data, '>', len) != NULL;
#ifdef CAUSEWAY_EXPAT_DEFERRAL
    XML_SetReparseDeferralEnabled(p->expat, !look);
#endif
    return look;
}

void xml_parser_relimit(struct xml_parser *p, const struct xml_limits *limits)
{
    p->limits = limits;
    p->budget_bytes = BUDGET_BASE_BYTES + BUDGET_FACTOR * limits->stanza_bytes;
}

bool xml_parser_feed(struct xml_parser *p, const char *data, size_t len,
                     const struct xml_limits *limits)
{
    CHECK(!p->failed && !p->closed && len <= INT32_MAX);
    XML_Index before = XML_GetCurrentByteIndex(p->expat);
    bool was_clean = p->unit_start == p->fed;
    xml_parser_relimit(p, limits);
    p->fed += (XML_Index)len;
    p->piece = (struct span){data, len};
    bool looked = set_deferral(p, data, len);
    charged = p;
    enum XML_Status status = XML_Parse(p->expat, data, (int)len, XML_FALSE);
    charged = NULL;
    p->piece = (struct span){0};
    if (p->closed)
        return true;
    if (status != XML_STATUS_OK && !p->failed)
        fail_by_expat(p);
    if (p->failed)
        return false;
    if (looked && !was_clean && XML_GetCurrentByteIndex(p->expat) == before)
        p->stalls++;
    if (xml_parser_is_clean(p))
        p->unit_start = p->fed;
    return !is_too_large(p, p->fed);
}

bool xml_parser_is_clean(const struct xml_parser *p)
{
    return p->depth == 1 && !p->in_cdata && XML_GetCurrentByteIndex(p->expat) == p->fed;
}

bool xml_parser_is_worn(const struct xml_parser *p)
{
    return p->fed > WORN_FED_BYTES || p->used_bytes > WORN_USED_BYTES ||
           p->build.xml.cap + p->build.text.cap > WORN_USED_BYTES;
}
