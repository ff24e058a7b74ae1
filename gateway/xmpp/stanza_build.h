/* SPDX-License-Identifier: MIT */
/* Making a stanza: tree and canonical bytes at once. The XML reader uses the same calls.
 *
 *     struct builder b;
 *     build_begin(&b, STANZA_IQ, IQ_RESULT);
 *     build_to(&b, asker);
 *     build_open(&b, "query", NS_DISCO_INFO);
 *     build_attr(&b, "node", node);          // NULL value: nothing
 *     build_close(&b);
 *     struct stanza *st = build_end(&b);      // frozen; the builder is finished
 */
#ifndef CAUSEWAY_XMPP_STANZA_BUILD_H
#define CAUSEWAY_XMPP_STANZA_BUILD_H

#include "gateway/xmpp/stanza.h"

enum { BUILD_MAX_DEPTH = 64 };

struct builder {
    struct stanza *stanza;
    struct bytes xml;  /* scratch, copied into the payload at the end */
    struct bytes text; /* character data of the open elements, one behind the other */
    /* by depth; 0 is the root */
    struct element *open[BUILD_MAX_DEPTH + 1], *last_child[BUILD_MAX_DEPTH + 1];
    size_t start_at[BUILD_MAX_DEPTH + 1]; /* where the open element starts in xml */
    size_t text_at[BUILD_MAX_DEPTH + 1];  /* where its character data starts in text */
    unsigned attr_cap[2]; /* room for attributes: of the root, of the newest element */
    int depth;            /* 0: directly under the root */
    bool tag_open;        /* '>' of the newest start tag not written yet */
    bool keeps_scratch;   /* xml and text are used again for the next stanza (the reader) */
};

/* kind NONZA: build_begin_nonza. */
void build_begin(struct builder *b, enum stanza_kind kind, enum stanza_type type);
void build_begin_nonza(struct builder *b, const char *name, const char *ns);
/* Envelope; copied. NULL: absent. */
void build_from(struct builder *b, const struct jid *from);
void build_to(struct builder *b, const struct jid *to);
void build_id(struct builder *b, const char *id);
void build_lang(struct builder *b, const char *lang);
/* Attribute of the root that is not one of the envelope's (nonzas). NULL value: nothing. */
void build_root_attr(struct builder *b, const char *name, const char *value);

/* ns NULL: the namespace of the parent; for a child of the root of a stanza, the content namespace.
 */
void build_open(struct builder *b, const char *name, const char *ns);
void build_attr(struct builder *b, const char *name, const char *value); /* NULL value: nothing */
void build_attr_ns(struct builder *b, const char *ns, const char *name, const char *value);
/* Escaped; NULL: nothing. What XML cannot carry (control characters, broken UTF-8) becomes U+FFFD,
 * here and in attributes. */
void build_text(struct builder *b, const char *text);
void build_text_n(struct builder *b, const char *text, size_t len);
void build_close(struct builder *b);
/* <name xmlns=ns>text</name> */
void build_leaf(struct builder *b, const char *name, const char *ns, const char *text);
/* A copy of `e` and all inside it. */
void build_copy(struct builder *b, const struct element *e);
/* Freezes; the caller owns the count. Every build_open must be closed. */
struct stanza *build_end(struct builder *b);
/* Gives up. */
void build_abort(struct builder *b);

/* -- what is asked for all the time */
/* Empty <iq type='result'/> to the sender of `iq`. */
struct stanza *build_result(const struct stanza *iq);
/* Begins a result to the sender of `iq`, for children to follow. */
void build_begin_result(struct builder *b, const struct stanza *iq);
/* The error for `st` (RFC 6120 8.3): from and to swapped, payload returned up to 8 KiB of it.
 * NULL when RFC 6120 8.3.1 forbids one: st is an error itself or an iq result. `text` (English, for
 * people) and `by` may be NULL. */
struct stanza *build_error(const struct stanza *st, enum stanza_error e, const char *text,
                           const struct jid *by);
/* The error for an iq get or set, `from` whom it is to come, without the payload: what it holds must not come back
 * (passwords, XEP-0077 section 3.3). `text` may be NULL. */
struct stanza *build_error_bare(const struct stanza *iq, const struct jid *from, enum stanza_error e, const char *text);
/* As build_error without text, with an application's condition (RFC 6120 8.3.4). */
struct stanza *build_error_with(const struct stanza *st, enum stanza_error e, const char *app, const char *app_ns);

/* Escapes for character data and attribute values. */
void xml_escape(struct bytes *out, const char *text, size_t len);
/* " NAME='VALUE'", escaped; NULL: nothing. */
void xml_put_attr(struct bytes *out, const char *name, const char *value);

#endif
