/* SPDX-License-Identifier: MIT */
/* One expat parser with the restrictions of RFC 6120 11, a memory budget and a stanza builder: what
 * xml_read.c lends to streams and stanza_parse.c uses for a document. */
#ifndef CAUSEWAY_XMPP_XML_PARSER_INTERNAL_H
#define CAUSEWAY_XMPP_XML_PARSER_INTERNAL_H

#include <expat.h>

#include "gateway/xmpp/stanza_internal.h"
#include "gateway/xmpp/xml_read.h"

/* What a stream header declared. Parsers standing behind the same header are interchangeable. */
enum xml_shape {
    XML_SHAPE_CLIENT, /* xmlns and xmlns:stream, nothing else */
    XML_SHAPE_SERVER,
    XML_SHAPE_SERVER_DB, /* and xmlns:db */
    XML_SHAPE_COMPONENT,
    XML_SHAPE_COUNT,
    XML_SHAPE_ODD = XML_SHAPE_COUNT, /* anything else: the parser is its reader's own */
};

/* Who takes what the parser finds. None of the calls may feed or destroy the parser. */
struct xml_sink {
    /* Of a stream header, or of <body/>. Attributes as expat has them. */
    void (*on_header)(void *user, const char **attrs);
    void (*on_stanza)(void *user, struct stanza *st); /* gives the count */
    void (*on_close)(void *user);
};

struct xml_parser {
    struct xml_parser *next_free;
    XML_Parser expat;
    struct builder build;
    const struct xml_sink *sink;
    void *user;
    const struct xml_limits *limits; /* of who is fed; set for each feed */
    const char *content_ns;          /* NULL: any of the three (a document) */
    char *header_ns;                 /* default namespace of the header; NULL: none */
    bool declares_stream, declares_db, declares_dialback, declares_other;
    enum xml_shape shape;
    bool is_body; /* the root is BOSH's <body/> (XEP-0124), its children the stanzas */
    bool building, in_cdata, closed, failed;
    unsigned depth;       /* 1: between first-level elements */
    unsigned children;    /* of the stanza that is being built */
    unsigned declared;    /* xmlns declarations before the next start tag */
    unsigned stalls;      /* feeds with '>' that brought nothing, since the last stanza */
    XML_Index fed;        /* bytes, since it was created */
    XML_Index unit_start; /* where the unfinished first-level element starts; fed: there is none */
    struct span piece;    /* what is being fed */
    size_t used_bytes, budget_bytes;
    enum stream_error error;
    const char *text; /* static */
};

/* `document`: the first element is the stanza; otherwise a stream header comes first. */
struct xml_parser *xml_parser_create(bool document);
/* A parser that stands behind a header of this shape. */
struct xml_parser *xml_parser_create_shape(enum xml_shape shape);
void xml_parser_destroy(struct xml_parser **p);
/* false: p->error and p->text say why; the parser is of no use any more. */
bool xml_parser_feed(struct xml_parser *p, const char *data, size_t len,
                     const struct xml_limits *limits);
/* Other limits from here on; for a sink that has seen the header. Borrowed until the feed ends. */
void xml_parser_relimit(struct xml_parser *p, const struct xml_limits *limits);
/* Nothing of an unfinished element is inside: another stream may use it. */
bool xml_parser_is_clean(const struct xml_parser *p);
/* Old, or grown large: not worth keeping. */
bool xml_parser_is_worn(const struct xml_parser *p);
/* "uri\x01name" to its parts; `ns` empty: none. */
void xml_parser_split(const char *qualified, struct span *ns, struct span *name);
const char *xml_parser_shape_ns(enum xml_shape shape);

#endif
