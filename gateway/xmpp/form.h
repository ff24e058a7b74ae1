/* SPDX-License-Identifier: MIT */
/* Data forms (XEP-0004, with the FORM_TYPE of XEP-0068): reading what was submitted, writing forms,
 * answers and tables. */
#ifndef CAUSEWAY_XMPP_FORM_H
#define CAUSEWAY_XMPP_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/xmpp/stanza_build.h"

/* wire name of a form */
#define FORM_KINDS(F)                                                                              \
    F(FORM, "form")                                                                                \
    F(SUBMIT, "submit")                                                                            \
    F(CANCEL, "cancel")                                                                            \
    F(RESULT, "result")

enum form_kind {
#define FORM_KIND_ENUM(name, wire) FORM_KIND_##name,
    FORM_KINDS(FORM_KIND_ENUM)
#undef FORM_KIND_ENUM
};

/* wire name of a field's type */
#define FORM_TYPES(F)                                                                              \
    F(TEXT_SINGLE, "text-single")                                                                  \
    F(TEXT_MULTI, "text-multi")                                                                    \
    F(TEXT_PRIVATE, "text-private")                                                                \
    F(BOOLEAN, "boolean")                                                                          \
    F(FIXED, "fixed")                                                                              \
    F(HIDDEN, "hidden")                                                                            \
    F(JID_SINGLE, "jid-single")                                                                    \
    F(JID_MULTI, "jid-multi")                                                                      \
    F(LIST_SINGLE, "list-single")                                                                  \
    F(LIST_MULTI, "list-multi")

enum form_type {
#define FORM_TYPE_ENUM(name, wire) FORM_##name,
    FORM_TYPES(FORM_TYPE_ENUM)
#undef FORM_TYPE_ENUM
};

/* -- reading */

struct form_value {
    const char *var;           /* never NULL */
    const char *const *values; /* texts, borrowed from the stanza */
    size_t count;              /* 0: the field is there and empty */
};

struct form {
    enum form_kind kind;
    const char *form_type; /* value of FORM_TYPE; NULL: absent */
    const struct form_value *fields;
    size_t count;
};

/* Reads the <x xmlns='jabber:x:data'/> inside `parent`. NULL: none, or its type is unknown, or a
 * field has no var (other than fixed ones). Lives in `a` and as long as the stanza. */
MUST_USE const struct form *form_parse(struct arena *a, const struct element *parent);
/* NULL: no such field. */
const struct form_value *form_find(const struct form *f, const char *var);
/* Its first value; NULL: no such field, or it is empty. */
const char *form_text(const struct form *f, const char *var);
/* 1, true, 0, false; `otherwise` when the field is absent or says something else. */
bool form_bool(const struct form *f, const char *var, bool otherwise);

/* -- writing */

/* Begins <x/> in what is open; form_type, title, instructions may be NULL. End with build_close. */
void form_open(struct builder *b, enum form_kind kind, const char *form_type, const char *title,
               const char *instructions);

struct form_field {
    enum form_type type;
    const char *var;   /* NULL only for fixed ones */
    const char *label; /* NULL: none */
    const char *value; /* NULL: none; lines of text-multi and the like are split at line feeds */
    bool required;
    bool bare; /* var and value only, as results and submissions are written */
};

void form_add(struct builder *b, const struct form_field *field);
/* The same left open, for what else stands in a field (a description, options, XEP-0122): build_close. */
void form_open_field(struct builder *b, const struct form_field *field);
/* The same for fields that are chosen from: options as label, value pairs, ended by a NULL value.
 */
struct form_option {
    const char *label, *value;
};
void form_add_list(struct builder *b, const struct form_field *field,
                   const struct form_option *options);

/* Tables (XEP-0004 3.4): <reported/> names the columns, then items. End each with build_close. */
void form_open_reported(struct builder *b);
void form_open_item(struct builder *b);

#endif
