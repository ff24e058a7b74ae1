/* SPDX-License-Identifier: MIT */
/* Readers and the pool of parsers. A parser that has read one stream's header stands where any
 * other stream with the same declarations stands between two stanzas; so it is lent to whoever has
 * bytes and comes back as soon as nothing unfinished is inside. What it found waits in the reader.
 */
#include "gateway/xmpp/xml_read.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/xml_parser_internal.h"

enum {
    FREE_MAX = 32,           /* parsers kept of each shape: 10 KiB each */
    PIECE_BYTES = 4096, /* parsed ahead of who takes the events; limits are looked at after as much */
};

struct xml_pool {
    struct xml_parser *free[XML_SHAPE_COUNT];
    unsigned free_count[XML_SHAPE_COUNT];
    size_t lent;
    size_t readers;
};

enum reader_state {
    READER_HEADER, /* the next bytes begin a stream header */
    READER_STREAM, /* behind a header */
    READER_CLOSED, /* </stream:stream> was read */
    READER_FAILED, /* error and text are set */
};

struct header_box {
    struct stream_header header;
    struct arena arena; /* its texts */
};

struct xml_reader {
    struct xml_pool *pool;
    struct xml_parser *parser; /* lent; NULL: nothing unfinished */
    struct xml_limits limits;
    struct header_box *header; /* found; NULL: none, or taken and dropped */
    struct stanza **queue;     /* owned counts; NULL while empty */
    unsigned head, count, cap;
    struct bytes rest; /* was fed, and is parsed from `rest_at` on when what was found has been taken; empty: nothing */
    size_t rest_at;
    enum reader_state state;
    enum xml_shape shape;
    bool header_taken, close_taken;
    enum stream_error error;
    char *text; /* why; NULL unless FAILED */
};

/* -- pool */

struct xml_pool *xml_pool_create(void)
{
    return mem_new(struct xml_pool);
}

void xml_pool_destroy(struct xml_pool **at)
{
    struct xml_pool *pool = *at;
    *at = NULL;
    if (!pool)
        return;
    CHECK(pool->readers == 0);
    for (unsigned s = 0; s < XML_SHAPE_COUNT; s++) {
        while (pool->free[s]) {
            struct xml_parser *p = pool->free[s];
            pool->free[s] = p->next_free;
            xml_parser_destroy(&p);
        }
    }
    mem_free(pool);
}

size_t xml_pool_lent(const struct xml_pool *pool)
{
    return pool->lent;
}

static const struct xml_sink reader_sink;

static void borrow(struct xml_reader *r)
{
    struct xml_pool *pool = r->pool;
    if (r->state == READER_HEADER) {
        r->parser = xml_parser_create(false);
    } else if (pool->free[r->shape]) {
        r->parser = pool->free[r->shape];
        pool->free[r->shape] = r->parser->next_free;
        pool->free_count[r->shape]--;
    } else {
        r->parser = xml_parser_create_shape(r->shape);
    }
    pool->lent++;
    r->parser->sink = &reader_sink;
    r->parser->user = r;
}

static void drop_parser(struct xml_reader *r)
{
    if (!r->parser)
        return;
    xml_parser_destroy(&r->parser);
    r->pool->lent--;
}

/* The parser goes back between two stanzas, unless it is this stream's own. */
static void give_back(struct xml_reader *r)
{
    struct xml_parser *p = r->parser;
    struct xml_pool *pool = r->pool;
    if (p->shape == XML_SHAPE_ODD)
        return;
    if (xml_parser_is_worn(p) || pool->free_count[p->shape] == FREE_MAX) {
        drop_parser(r);
        return;
    }
    p->sink = NULL;
    p->user = NULL;
    p->stalls = 0;
    p->next_free = pool->free[p->shape];
    pool->free[p->shape] = p;
    pool->free_count[p->shape]++;
    pool->lent--;
    r->parser = NULL;
}

/* -- what the parser finds */

static const char *known_ns(const char *ns)
{
    static const char *const known[] = {NS_CLIENT, NS_SERVER, NS_COMPONENT};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], ns) == 0)
            return known[i];
    return NULL;
}

static void found_header(void *user, const char **attrs)
{
    struct xml_reader *r = user;
    struct header_box *box = mem_new(struct header_box);
    struct stream_header *h = &box->header;
    arena_init(&box->arena);
    const struct {
        const char *name, **value;
    } wanted[] = {
        {"from", &h->from},
        {"to", &h->to},
        {"id", &h->id},
        {"version", &h->version},
        {NS_XML "\x01"
                "lang",
         &h->lang},
    };
    for (; *attrs; attrs += 2)
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
            if (strcmp(attrs[0], wanted[i].name) == 0)
                *wanted[i].value = arena_dup(&box->arena, attrs[1]);
    const char *ns = r->parser->content_ns;
    h->content_ns = known_ns(ns) ? known_ns(ns) : arena_dup(&box->arena, ns);
    h->has_dialback = r->parser->declares_dialback;
    r->header = box;
    r->shape = r->parser->shape;
    r->state = READER_STREAM;
}

static void found_stanza(void *user, struct stanza *st)
{
    struct xml_reader *r = user;
    if (r->count == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 4;
        r->queue = mem_grow(r->queue, r->cap * sizeof(struct stanza *));
    }
    r->queue[r->count++] = st;
}

static void found_close(void *user)
{
    ((struct xml_reader *)user)->state = READER_CLOSED;
}

static const struct xml_sink reader_sink = {found_header, found_stanza, found_close};

/* -- reader */

struct xml_reader *xml_reader_create(struct xml_pool *pool, struct xml_limits limits)
{
    struct xml_reader *r = mem_new(struct xml_reader);
    r->pool = pool;
    pool->readers++;
    xml_reader_set_limits(r, limits);
    return r;
}

static void drop_header(struct xml_reader *r)
{
    if (!r->header)
        return;
    arena_fini(&r->header->arena);
    mem_free(r->header);
    r->header = NULL;
    r->header_taken = false;
}

static void drop_queue(struct xml_reader *r)
{
    while (r->head < r->count)
        stanza_unref(&r->queue[r->head++]);
    mem_free(r->queue);
    r->queue = NULL;
    r->head = r->count = r->cap = 0;
}

void xml_reader_destroy(struct xml_reader **at)
{
    struct xml_reader *r = *at;
    *at = NULL;
    if (!r)
        return;
    xml_reader_restart(r);
    r->pool->readers--;
    mem_free(r);
}

void xml_reader_set_limits(struct xml_reader *r, struct xml_limits limits)
{
    CHECK(limits.depth <= BUILD_MAX_DEPTH);
    r->limits = limits;
}

struct xml_limits xml_reader_limits(const struct xml_reader *r)
{
    return r->limits;
}

static void drop_rest(struct xml_reader *r)
{
    bytes_fini(&r->rest);
    r->rest_at = 0;
}

/* White space that keeps a connection alive needs no parser. */
static size_t skip_blank(const char *data, size_t len)
{
    size_t i = 0;
    while (i < len && (data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t'))
        i++;
    return i;
}

static size_t count_untaken(const struct xml_reader *r)
{
    size_t n = r->count - r->head, left = r->rest.len - r->rest_at;
    n += left && skip_blank(r->rest.data + r->rest_at, left) < left;
    n += r->header && !r->header_taken;
    n += r->state == READER_CLOSED && !r->close_taken;
    n += r->state == READER_FAILED;
    return n + (xml_reader_partial(r) > 0);
}

size_t xml_reader_restart(struct xml_reader *r)
{
    size_t untaken = count_untaken(r);
    drop_parser(r);
    drop_header(r);
    drop_queue(r);
    drop_rest(r);
    mem_free(r->text);
    r->text = NULL;
    r->close_taken = false;
    r->state = READER_HEADER;
    return untaken;
}

static void fail(struct xml_reader *r)
{
    r->error = r->parser->error;
    r->text = mem_dup(r->parser->text);
    r->state = READER_FAILED;
    drop_parser(r);
}

static void feed_piece(struct xml_reader *r, const char *data, size_t len)
{
    if (!r->parser)
        borrow(r);
    if (!xml_parser_feed(r->parser, data, len, &r->limits))
        fail(r);
    else if (r->parser->closed)
        drop_parser(r);
    else if (xml_parser_is_clean(r->parser))
        give_back(r);
}

static bool is_reading(const struct xml_reader *r)
{
    return r->state == READER_HEADER || r->state == READER_STREAM;
}

/* Until something is found, or all was read; returns how much was. */
static size_t feed_some(struct xml_reader *r, const char *data, size_t len)
{
    size_t at = 0;
    while (at < len && is_reading(r) && (!r->header || r->header_taken) && r->head == r->count) {
        if (!r->parser)
            at += skip_blank(data + at, len - at);
        size_t piece = len - at < PIECE_BYTES ? len - at : PIECE_BYTES;
        if (piece > 0)
            feed_piece(r, data + at, piece);
        at += piece;
    }
    return is_reading(r) ? at : len; /* behind an end nothing counts */
}

/* A stanza takes many times its bytes: so no more are made of one read than of a piece, before they are taken. */
void xml_reader_feed(struct xml_reader *r, const char *data, size_t len)
{
    size_t read = r->rest.len ? 0 : feed_some(r, data, len);
    if (read < len && is_reading(r))
        bytes_append(&r->rest, data + read, len - read);
}

static void feed_rest(struct xml_reader *r)
{
    r->rest_at += feed_some(r, r->rest.data + r->rest_at, r->rest.len - r->rest_at);
    if (r->rest_at == r->rest.len || !is_reading(r))
        drop_rest(r);
}

/* -- elements that are documents of their own (RFC 7395, XEP-0206) */

void xml_reader_give_error(struct xml_reader *r, enum stream_error e, const char *text)
{
    if (r->state == READER_FAILED || r->state == READER_CLOSED)
        return;
    r->error = e;
    r->text = mem_dup(text);
    r->state = READER_FAILED;
}

void xml_reader_give_header(struct xml_reader *r, const struct stream_header *h)
{
    if (r->state != READER_HEADER) {
        xml_reader_give_error(r, STREAM_BAD_FORMAT, "a stream is opened inside an open stream");
        return;
    }
    struct header_box *box = mem_new(struct header_box);
    arena_init(&box->arena);
    const struct {
        const char *value, **into;
    } found[] = {
        {h->from, &box->header.from},       {h->to, &box->header.to},     {h->id, &box->header.id},
        {h->version, &box->header.version}, {h->lang, &box->header.lang},
    };
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        if (found[i].value)
            *found[i].into = arena_dup(&box->arena, found[i].value);
    box->header.content_ns = NS_CLIENT;
    r->header = box;
    r->state = READER_STREAM;
}

void xml_reader_give(struct xml_reader *r, struct stanza *st)
{
    if (r->state == READER_STREAM) {
        found_stanza(r, st);
        return;
    }
    if (r->state == READER_HEADER)
        xml_reader_give_error(r, STREAM_BAD_FORMAT, "the stream is not opened yet");
    stanza_unref(&st);
}

void xml_reader_give_close(struct xml_reader *r)
{
    if (r->state == READER_HEADER || r->state == READER_STREAM)
        found_close(r);
}

/* RFC 7395 3.4: what the attributes of <stream:stream> say, <open/> says. */
static void take_open(struct xml_reader *r, const struct stanza *st)
{
    const struct element *e = st->payload->root;
    xml_reader_give_header(r, &(struct stream_header){.from = element_attr(e, "from"),
                                                      .to = element_attr(e, "to"),
                                                      .id = element_attr(e, "id"),
                                                      .version = element_attr(e, "version"),
                                                      .lang = st->lang});
}

static void take_message(struct xml_reader *r, struct stanza *st)
{
    const struct element *root = st->payload->root;
    bool framing = st->kind == STANZA_NONZA && text_eq(root->ns, NS_FRAMING);
    bool open = framing && text_eq(root->name, "open"), close = framing && text_eq(root->name, "close");
    if (!framing) {
        xml_reader_give(r, st);
        return;
    }
    if (open)
        take_open(r, st);
    else if (close)
        xml_reader_give_close(r);
    else
        xml_reader_give_error(r, STREAM_BAD_FORMAT, "the framing knows only <open/> and <close/>");
    stanza_unref(&st);
}

static void take_document(void *user, struct stanza *st)
{
    *(struct stanza **)user = st; /* expat refuses a second root */
}

/* A header as TCP has it never ends, so it is no document: it is worth a word of its own. */
static const char *unended(const char *data, size_t len)
{
    return len > 14 && memmem(data, len, "<stream:stream", 14) ? "a stream header instead of <open/>"
                                                                : "a message that is no whole element";
}

static void read_document(struct xml_reader *r, const char *data, size_t len)
{
    static const struct xml_sink sink = {.on_stanza = take_document};
    struct stanza *st = NULL;
    struct xml_parser *p = xml_parser_create(true);
    p->content_ns = NS_CLIENT;
    p->sink = &sink;
    p->user = &st;
    if (!xml_parser_feed(p, data, len, &r->limits))
        xml_reader_give_error(r, p->error, p->text);
    else if (!st || !xml_parser_is_clean(p))
        xml_reader_give_error(r, STREAM_BAD_FORMAT, unended(data, len));
    else {
        take_message(r, st);
        st = NULL;
    }
    stanza_unref(&st);
    xml_parser_destroy(&p);
}

void xml_reader_message(struct xml_reader *r, const char *data, size_t len)
{
    size_t blank = skip_blank(data, len);
    data += blank;
    len -= blank;
    while (len > 0 && skip_blank(data + len - 1, 1))
        len--;
    if (len > 0 && (r->state == READER_HEADER || r->state == READER_STREAM))
        read_document(r, data, len);
}

/* -- events */

static void tell_end(struct xml_reader *r, struct xml_event *ev)
{
    if (r->state == READER_CLOSED && !r->close_taken) {
        r->close_taken = true;
        ev->kind = XML_CLOSE;
    } else if (r->state == READER_FAILED) {
        ev->kind = XML_ERROR;
        ev->error = r->error;
        text_copy(ev->text, sizeof ev->text, r->text);
    }
}

void xml_reader_next(struct xml_reader *r, struct xml_event *ev)
{
    ev->kind = XML_NONE;
    ev->stanza = NULL;
    ev->text[0] = '\0';
    if (r->header_taken)
        drop_header(r);
    if (!r->header && r->head == r->count) {
        drop_queue(r);
        if (r->rest.len)
            feed_rest(r);
    }
    if (r->header) {
        r->header_taken = true;
        ev->kind = XML_HEADER;
        ev->header = r->header->header;
    } else if (r->head < r->count) {
        ev->kind = XML_STANZA;
        ev->stanza = r->queue[r->head++];
    } else {
        tell_end(r, ev);
    }
}

size_t xml_reader_partial(const struct xml_reader *r)
{
    return r->parser ? (size_t)(r->parser->fed - r->parser->unit_start) : 0;
}
