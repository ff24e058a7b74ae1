/* SPDX-License-Identifier: MIT */
/* See adhoc_form.h. A boolean that is left out is false; a list that may be anything else than its
 * options does not exist here. Errors name the field, and never repeat a private value. */
#include "gateway/admin/adhoc_form.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/text.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/ns.h"

const struct adhoc_value *adhoc_form_find(const struct adhoc_value *values, const char *var)
{
    for (; values; values = values->next)
        if (strcmp(values->var, var) == 0)
            return values;
    return NULL;
}

static bool has_many(enum form_type type)
{
    return type == FORM_TEXT_MULTI || type == FORM_JID_MULTI || type == FORM_LIST_MULTI;
}

static bool is_list(enum form_type type)
{
    return type == FORM_LIST_SINGLE || type == FORM_LIST_MULTI;
}

/* ---- out ---- */

static void write_option(struct builder *b, const char *label, const char *value)
{
    build_open(b, "option", NULL);
    build_attr(b, "label", label);
    build_leaf(b, "value", NULL, value);
    build_close(b);
}

static void write_options(struct builder *b, const struct adhoc_field *f, const struct adhoc_offers *offers)
{
    for (const struct form_option *o = f->options; o && o->value; o++)
        write_option(b, o->label, o->value);
    for (const struct adhoc_offer *o = f->options ? NULL : offers->first; o; o = o->next)
        if (strcmp(o->var, f->var) == 0)
            write_option(b, o->label, o->value);
}

static void write_number(struct builder *b, const char *name, long long n)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", n);
    build_attr(b, name, text);
}

/* XEP-0122 section 3. */
static void write_validation(struct builder *b, const struct adhoc_field *f)
{
    if (!f->datatype)
        return;
    build_open(b, "validate", NS_VALIDATE);
    build_attr(b, "datatype", f->datatype);
    if (f->min || f->max) {
        build_open(b, "range", NULL);
        write_number(b, "min", f->min);
        write_number(b, "max", f->max);
        build_close(b);
    } else {
        build_leaf(b, "basic", NULL, NULL);
    }
    build_close(b);
}

static const char *joined(struct bytes *text, const struct adhoc_value *v)
{
    for (unsigned i = 0; i < v->count; i++) {
        if (i)
            bytes_append_char(text, '\n');
        bytes_append_text(text, v->values[i]);
    }
    return v->count ? bytes_text(text) : NULL;
}

static void write_field(struct builder *b, const struct adhoc_field *f, const struct adhoc_offers *offers,
                        const struct adhoc_value *presets)
{
    struct bytes text = BYTES_EMPTY;
    const struct adhoc_value *preset = f->type == FORM_TEXT_PRIVATE ? NULL : adhoc_form_find(presets, f->var);
    form_open_field(b, &(struct form_field){.type = f->type,
                                            .var = f->type == FORM_FIXED ? NULL : f->var,
                                            .label = f->label,
                                            .value = preset ? joined(&text, preset) : f->value,
                                            .required = f->required});
    bytes_fini(&text);
    if (f->hint)
        build_leaf(b, "desc", NULL, f->hint);
    write_options(b, f, offers);
    write_validation(b, f);
    build_close(b);
}

void adhoc_form_write(struct builder *b, const char *form_type, const struct adhoc_stage *stage,
                      const struct adhoc_offers *offers, const struct adhoc_value *presets)
{
    form_open(b, FORM_KIND_FORM, form_type, stage->title, stage->instructions);
    for (const struct adhoc_field *f = stage->fields; f && f->var; f++)
        write_field(b, f, offers, presets);
    build_close(b);
}

/* ---- in ---- */

static bool is_offered(const struct adhoc_field *f, const struct adhoc_offers *offers, const char *value)
{
    for (const struct form_option *o = f->options; o && o->value; o++)
        if (strcmp(o->value, value) == 0)
            return true;
    for (const struct adhoc_offer *o = f->options ? NULL : offers->first; o; o = o->next)
        if (strcmp(o->var, f->var) == 0 && strcmp(o->value, value) == 0)
            return true;
    return false;
}

static bool check_integer(const struct adhoc_field *f, const char *value, struct error *e)
{
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (errno || end == value || *end || value[0] == ' ')
        return error_set(e, ERROR_INVALID, "%s: this is not a whole number", f->var);
    if ((f->min || f->max) && (n < f->min || n > f->max))
        return error_set(e, ERROR_INVALID, "%s: from %lld to %lld", f->var, f->min, f->max);
    return true;
}

static bool check_jid(struct arena *a, const struct adhoc_field *f, const char **value, struct error *e)
{
    const struct jid *j = jid_parse_text(a, *value);
    if (!j)
        return error_set(e, ERROR_INVALID, "%s: '%.80s' is not an address", f->var, *value);
    *value = j->full; /* prepared: comparisons are of bytes */
    return true;
}

static bool is_boolean(const char *value)
{
    return text_eq(value, "0") || text_eq(value, "1") || text_eq(value, "true") || text_eq(value, "false");
}

static bool check_value(struct arena *a, const struct adhoc_field *f, const struct adhoc_offers *offers,
                        const char **value, struct error *e)
{
    int64_t us;
    size_t max = f->max_bytes ? f->max_bytes : ADHOC_VALUE_BYTES;
    if (f->type == FORM_JID_SINGLE || f->type == FORM_JID_MULTI)
        max = 3071; /* RFC 7622 section 3.1 */
    if (strlen(*value) > max)
        return error_set(e, ERROR_INVALID, "%s: longer than %zu bytes", f->var, max);
    if (f->type == FORM_JID_SINGLE || f->type == FORM_JID_MULTI)
        return check_jid(a, f, value, e);
    if (is_list(f->type) && !is_offered(f, offers, *value))
        return error_set(e, ERROR_INVALID, "%s: '%.80s' is not one of the choices", f->var, *value);
    if (f->type == FORM_BOOLEAN && !is_boolean(*value))
        return error_set(e, ERROR_INVALID, "%s: true or false", f->var);
    if (text_eq(f->datatype, "xs:integer"))
        return check_integer(f, *value, e);
    if (text_eq(f->datatype, "xs:dateTime") && !datetime_parse(*value, &us))
        return error_set(e, ERROR_INVALID, "%s: a date and time like 2030-01-31T08:00:00Z", f->var);
    return true;
}

/* Empty values of what need not be given are as if they were not there. */
static bool take_field(struct arena *a, const struct adhoc_field *f, const struct adhoc_offers *offers,
                       const struct form_value *given, struct adhoc_value **values, struct error *e)
{
    struct adhoc_value *v = arena_new(a, struct adhoc_value);
    size_t count = given ? given->count : 0;
    if (count > (has_many(f->type) ? ADHOC_VALUES_MAX : 1))
        return error_set(e, ERROR_INVALID, "%s: %zu values are too many", f->var, count);
    v->var = f->var;
    v->values = arena_alloc(a, (count + 1) * sizeof *v->values);
    for (size_t i = 0; i < count; i++) {
        if (!given->values[i][0])
            continue;
        const char *value = arena_dup(a, given->values[i]);
        if (!check_value(a, f, offers, &value, e))
            return false;
        v->values[v->count++] = value;
    }
    if (f->required && !v->count)
        return error_set(e, ERROR_INVALID, "%s: this field is required", f->var);
    v->next = *values;
    *values = v;
    return true;
}

static const struct adhoc_field *field_named(const struct adhoc_stage *stage, const char *var)
{
    for (const struct adhoc_field *f = stage->fields; f && f->var; f++)
        if (strcmp(f->var, var) == 0 && f->type != FORM_FIXED)
            return f;
    return NULL;
}

static bool check_names(const struct form *form, const char *form_type, const struct adhoc_stage *stage,
                        struct error *e)
{
    if (form->count > ADHOC_FIELDS_MAX)
        return error_set(e, ERROR_INVALID, "the form has %zu fields, more than %d", form->count, ADHOC_FIELDS_MAX);
    if (form->form_type && !text_eq(form->form_type, form_type))
        return error_set(e, ERROR_INVALID, "FORM_TYPE: this form is not '%.80s'", form->form_type);
    for (size_t i = 0; i < form->count; i++) {
        const char *var = form->fields[i].var;
        if (form_find(form, var) != &form->fields[i])
            return error_set(e, ERROR_INVALID, "%.80s: this field stands twice", var);
        if (strcmp(var, "FORM_TYPE") != 0 && !field_named(stage, var))
            return error_set(e, ERROR_INVALID, "%.80s: the form has no such field", var);
    }
    return true;
}

bool adhoc_form_read(struct arena *a, const struct element *command, const char *form_type,
                     const struct adhoc_stage *stage, const struct adhoc_offers *offers, struct adhoc_value **values,
                     struct error *e)
{
    static const struct form none = {.kind = FORM_KIND_SUBMIT};
    const struct element *x = element_child(command, "x", NS_DATA);
    const struct form *form = x ? form_parse(a, command) : &none;
    struct adhoc_value *found = *values;
    if (!form || form->kind != FORM_KIND_SUBMIT)
        return error_set(e, ERROR_INVALID, "this is not a submitted form");
    if (x && element_next(x, "x", NS_DATA))
        return error_set(e, ERROR_INVALID, "there is more than one form");
    if (!check_names(form, form_type, stage, e))
        return false;
    for (const struct adhoc_field *f = stage->fields; f && f->var; f++)
        if (f->type != FORM_FIXED && !take_field(a, f, offers, form_find(form, f->var), &found, e))
            return false;
    *values = found;
    return true;
}
