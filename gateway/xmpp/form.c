/* SPDX-License-Identifier: MIT */
/* See form.h. */
#include "gateway/xmpp/form.h"

#include <string.h>

#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"

static const char *const kind_names[] = {
#define FORM_KIND_NAME(name, wire) [FORM_KIND_##name] = wire,
    FORM_KINDS(FORM_KIND_NAME)
#undef FORM_KIND_NAME
};

static const char *const type_names[] = {
#define FORM_TYPE_NAME(name, wire) [FORM_##name] = wire,
    FORM_TYPES(FORM_TYPE_NAME)
#undef FORM_TYPE_NAME
};

/* -- reading */

static bool read_kind(enum form_kind *out, const char *wire)
{
    for (unsigned i = 0; wire && i < sizeof kind_names / sizeof *kind_names; i++) {
        if (strcmp(kind_names[i], wire) == 0) {
            *out = (enum form_kind)i;
            return true;
        }
    }
    return false;
}

static size_t count_children(const struct element *e, const char *name)
{
    size_t n = 0;
    for (const struct element *c = element_child(e, name, NS_DATA); c;
         c = element_next(c, name, NS_DATA))
        n++;
    return n;
}

static void read_values(struct arena *a, struct form_value *out, const struct element *field)
{
    size_t n = count_children(field, "value");
    const char **values = arena_alloc(a, (n ? n : 1) * sizeof *values);
    out->values = values;
    out->count = n;
    for (const struct element *v = element_child(field, "value", NS_DATA); v;
         v = element_next(v, "value", NS_DATA))
        *values++ = v->text;
}

static bool read_fields(struct arena *a, struct form *f, const struct element *x)
{
    size_t n = count_children(x, "field");
    struct form_value *fields = arena_alloc(a, (n ? n : 1) * sizeof *fields);
    f->fields = fields;
    for (const struct element *e = element_child(x, "field", NS_DATA); e;
         e = element_next(e, "field", NS_DATA)) {
        const char *var = element_attr(e, "var");
        if (!var && text_eq(element_attr(e, "type"), type_names[FORM_FIXED]))
            continue;
        if (!var)
            return false;
        fields[f->count].var = var;
        read_values(a, &fields[f->count++], e);
    }
    return true;
}

const struct form *form_parse(struct arena *a, const struct element *parent)
{
    const struct element *x = element_child(parent, "x", NS_DATA);
    struct form *f = arena_new(a, struct form);
    if (!x || !read_kind(&f->kind, element_attr(x, "type")) || !read_fields(a, f, x))
        return NULL;
    f->form_type = form_text(f, "FORM_TYPE");
    return f;
}

const struct form_value *form_find(const struct form *f, const char *var)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->fields[i].var, var) == 0)
            return &f->fields[i];
    return NULL;
}

const char *form_text(const struct form *f, const char *var)
{
    const struct form_value *v = form_find(f, var);
    return v && v->count ? v->values[0] : NULL;
}

bool form_bool(const struct form *f, const char *var, bool otherwise)
{
    const char *text = form_text(f, var);
    if (text_eq(text, "1") || text_eq(text, "true"))
        return true;
    if (text_eq(text, "0") || text_eq(text, "false"))
        return false;
    return otherwise;
}

/* -- writing */

void form_open(struct builder *b, enum form_kind kind, const char *form_type, const char *title,
               const char *instructions)
{
    build_open(b, "x", NS_DATA);
    build_attr(b, "type", kind_names[kind]);
    if (title)
        build_leaf(b, "title", NULL, title);
    if (instructions)
        build_leaf(b, "instructions", NULL, instructions);
    if (form_type)
        form_add(b,
                 &(struct form_field){.type = FORM_HIDDEN, .var = "FORM_TYPE", .value = form_type});
}

static bool has_many_values(enum form_type type)
{
    return type == FORM_TEXT_MULTI || type == FORM_JID_MULTI || type == FORM_LIST_MULTI;
}

static void put_values(struct builder *b, const struct form_field *field)
{
    const char *at = field->value, *end;
    if (!at)
        return;
    while (has_many_values(field->type) && (end = strchr(at, '\n'))) {
        build_open(b, "value", NULL);
        build_text_n(b, at, (size_t)(end - at));
        build_close(b);
        at = end + 1;
    }
    build_leaf(b, "value", NULL, at);
}

void form_open_field(struct builder *b, const struct form_field *field)
{
    build_open(b, "field", NULL);
    build_attr(b, "type", field->bare ? NULL : type_names[field->type]);
    build_attr(b, "var", field->var);
    build_attr(b, "label", field->bare ? NULL : field->label);
    if (field->required)
        build_leaf(b, "required", NULL, NULL);
    put_values(b, field);
}

void form_add(struct builder *b, const struct form_field *field)
{
    form_open_field(b, field);
    build_close(b);
}

void form_add_list(struct builder *b, const struct form_field *field,
                   const struct form_option *options)
{
    form_open_field(b, field);
    for (; options->value; options++) {
        build_open(b, "option", NULL);
        build_attr(b, "label", options->label);
        build_leaf(b, "value", NULL, options->value);
        build_close(b);
    }
    build_close(b);
}

void form_open_reported(struct builder *b)
{
    build_open(b, "reported", NULL);
}

void form_open_item(struct builder *b)
{
    build_open(b, "item", NULL);
}
