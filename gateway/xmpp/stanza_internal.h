/* SPDX-License-Identifier: MIT */
/* What the files around the stanza share: the builder's calls for text that is known to be sound
 * and is not NUL-terminated, as expat gives it. */
#ifndef CAUSEWAY_XMPP_STANZA_INTERNAL_H
#define CAUSEWAY_XMPP_STANZA_INTERNAL_H

#include "gateway/xmpp/stanza_build.h"

/* Begins a stanza in one block of about `hint` bytes; b->xml and b->text are used as they are. */
void build_begin_raw(struct builder *b, enum stanza_kind kind, enum stanza_type type,
                     struct span name, struct span ns, size_t hint);
/* `ns` is compared with the parent's, so that equal ones are kept once. */
void build_open_raw(struct builder *b, struct span name, struct span ns, unsigned attr_count);
/* Depth 0: an attribute of the root. `ns` empty: none. */
void build_attr_raw(struct builder *b, struct span ns, struct span name, struct span value);
void build_reserve_root_attrs(struct builder *b, unsigned attr_count);
void build_text_raw(struct builder *b, const char *text, size_t len);
/* Where the envelope and the payload are allocated while they are built. */
struct arena *build_arena(struct builder *b);

/* Character data only: quotes, line feeds and tabs stay as they are. */
void xml_escape_text(struct bytes *out, const char *text, size_t len);
/* `text` itself when XML can carry it, otherwise a copy in `a` with U+FFFD for what it cannot. */
struct span xml_escape_clean(struct arena *a, const char *text, size_t len);
/* Attribute ` name='value'`; `n` numbers the prefixes of the element's foreign attributes. */
void xml_escape_attr(struct bytes *out, struct span ns, struct span name, struct span value,
                     unsigned n);

/* The default namespace that stands where the root's children do: the content namespace for roots
 * that are written with a prefix. */
const char *stanza_scope(const struct element *root);
/* "stream:", "db:" or NULL. */
const char *stanza_prefix(const char *root_ns);
enum stanza_type stanza_type_parse(enum stanza_kind kind, const char *wire); /* NULL: absent */

#endif
