/* SPDX-License-Identifier: MIT */
/* See ctl_print.h. In a table a value of several lines stands on one, and control characters become blanks:
 * what others wrote must not steer the terminal. */
#include "gateway/ctl/ctl_print.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"
#include "gateway/ctl/ctl_xml.h"

enum { COLUMNS_MAX = 32 };

/* ---- for people ---- */

/* Displayed columns, roughly: code points. */
static size_t width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static const char *plain(struct arena *a, const char *text)
{
    char *out = arena_dup(a, text);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    return out;
}

static const char *joined(struct arena *a, xmpp_stanza_t *field)
{
    const char *text = "";
    for (xmpp_stanza_t *v = ctl_xml_child(field, "value"); v; v = ctl_xml_next(v, "value"))
        text = arena_printf(a, "%s%s%s", text, *text ? ", " : "", ctl_xml_text(a, v));
    return plain(a, text);
}

struct table {
    struct arena *a;
    const char *vars[COLUMNS_MAX], *labels[COLUMNS_MAX];
    size_t widths[COLUMNS_MAX];
    unsigned columns;
};

static void read_columns(struct table *t, xmpp_stanza_t *reported)
{
    for (xmpp_stanza_t *f = ctl_xml_child(reported, "field"); f && t->columns < COLUMNS_MAX;
         f = ctl_xml_next(f, "field")) {
        const char *var = xmpp_stanza_get_attribute(f, "var"), *label = xmpp_stanza_get_attribute(f, "label");
        if (!var)
            continue;
        t->vars[t->columns] = var;
        t->labels[t->columns] = plain(t->a, label ? label : var);
        t->widths[t->columns] = width(t->labels[t->columns]);
        t->columns++;
    }
}

static const char *cell(struct table *t, xmpp_stanza_t *item, unsigned column)
{
    for (xmpp_stanza_t *f = ctl_xml_child(item, "field"); f; f = ctl_xml_next(f, "field"))
        if (text_eq(xmpp_stanza_get_attribute(f, "var"), t->vars[column]))
            return joined(t->a, f);
    return "";
}

static void print_cell(const struct table *t, unsigned column, const char *text)
{
    bool last = column + 1 == t->columns;
    printf("%s%*s", text, last ? 0 : (int)(t->widths[column] - width(text) + 2), "");
}

static void print_row(struct table *t, xmpp_stanza_t *item)
{
    for (unsigned i = 0; i < t->columns; i++)
        print_cell(t, i, item ? cell(t, item, i) : t->labels[i]);
    putchar('\n');
}

static void print_table(struct arena *a, xmpp_stanza_t *x)
{
    struct table t = {.a = a};
    read_columns(&t, ctl_xml_child(x, "reported"));
    for (xmpp_stanza_t *item = ctl_xml_child(x, "item"); item; item = ctl_xml_next(item, "item"))
        for (unsigned i = 0; i < t.columns; i++) {
            size_t w = width(cell(&t, item, i));
            t.widths[i] = w > t.widths[i] ? w : t.widths[i];
        }
    if (!ctl_xml_child(x, "item"))
        return;
    print_row(&t, NULL);
    for (xmpp_stanza_t *item = ctl_xml_child(x, "item"); item; item = ctl_xml_next(item, "item"))
        print_row(&t, item);
}

static void print_field(struct arena *a, xmpp_stanza_t *f)
{
    const char *label = xmpp_stanza_get_attribute(f, "label"), *var = xmpp_stanza_get_attribute(f, "var");
    xmpp_stanza_t *v = ctl_xml_child(f, "value");
    if (text_eq(xmpp_stanza_get_type(f), "hidden"))
        return;
    printf("%s:", plain(a, label ? label : var ? var : ""));
    if (!v || !ctl_xml_next(v, "value")) {
        printf(" %s\n", plain(a, ctl_xml_text(a, v)));
        return;
    }
    putchar('\n');
    for (; v; v = ctl_xml_next(v, "value"))
        printf("  %s\n", plain(a, ctl_xml_text(a, v)));
}

static void print_notes(struct arena *a, xmpp_stanza_t *command)
{
    for (xmpp_stanza_t *n = ctl_xml_child(command, "note"); n; n = ctl_xml_next(n, "note")) {
        const char *type = xmpp_stanza_get_type(n), *text = ctl_xml_text(a, n);
        bool info = !type || text_eq(type, "info");
        for (const char *at = text; *at;) {
            size_t len = strcspn(at, "\n");
            fprintf(info ? stdout : stderr, "%s%s\n", info ? "" : "warning: ", plain(a, arena_dup_n(a, at, len)));
            at += len + (at[len] == '\n');
        }
    }
}

/* ---- for programs ---- */

static json_t *values_of(struct arena *a, xmpp_stanza_t *f)
{
    const char *type = xmpp_stanza_get_type(f);
    xmpp_stanza_t *v = ctl_xml_child(f, "value");
    size_t len = type ? strlen(type) : 0;
    if (text_eq(type, "boolean")) {
        const char *text = ctl_xml_text(a, v);
        return json_boolean(text_eq(text, "1") || text_eq(text, "true"));
    }
    if ((len > 6 && strcmp(type + len - 6, "-multi") == 0) || (v && ctl_xml_next(v, "value"))) {
        json_t *all = json_array();
        for (; v; v = ctl_xml_next(v, "value"))
            json_array_append_new(all, json_string(ctl_xml_text(a, v)));
        return all;
    }
    return v ? json_string(ctl_xml_text(a, v)) : json_null();
}

static json_t *fields_of(struct arena *a, xmpp_stanza_t *parent)
{
    json_t *all = json_object();
    for (xmpp_stanza_t *f = ctl_xml_child(parent, "field"); f; f = ctl_xml_next(f, "field")) {
        const char *var = xmpp_stanza_get_attribute(f, "var");
        if (var && !text_eq(var, "FORM_TYPE"))
            json_object_set_new(all, var, values_of(a, f));
    }
    return all;
}

static void print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(value);
}

static json_t *result_of(struct arena *a, xmpp_stanza_t *command)
{
    json_t *all = json_object(), *notes = json_array(), *items = json_array();
    xmpp_stanza_t *x = ctl_xml_child(command, "x");
    for (xmpp_stanza_t *n = ctl_xml_child(command, "note"); n; n = ctl_xml_next(n, "note")) {
        const char *type = xmpp_stanza_get_type(n);
        json_array_append_new(notes, json_pack("{s:s, s:s}", "type", type ? type : "info", "text", ctl_xml_text(a, n)));
    }
    for (xmpp_stanza_t *item = x ? ctl_xml_child(x, "item") : NULL; item; item = ctl_xml_next(item, "item"))
        json_array_append_new(items, fields_of(a, item));
    json_object_set_new(all, "node", json_string(xmpp_stanza_get_attribute(command, "node")));
    json_object_set_new(all, "notes", notes);
    json_object_set_new(all, "fields", x ? fields_of(a, x) : json_object());
    json_object_set_new(all, "items", items);
    return all;
}

/* ---- what there is to print ---- */

void ctl_print_result(xmpp_stanza_t *command, bool json)
{
    struct arena a;
    arena_init(&a);
    xmpp_stanza_t *x = ctl_xml_child(command, "x");
    if (json) {
        print_json(result_of(&a, command));
    } else {
        for (xmpp_stanza_t *f = x ? ctl_xml_child(x, "field") : NULL; f; f = ctl_xml_next(f, "field"))
            print_field(&a, f);
        if (x)
            print_table(&a, x);
        print_notes(&a, command);
    }
    arena_fini(&a);
}

void ctl_print_list(xmpp_stanza_t *query, bool json)
{
    struct arena a;
    json_t *all = json_array();
    size_t widest = 0;
    arena_init(&a);
    for (xmpp_stanza_t *i = ctl_xml_child(query, "item"); i; i = ctl_xml_next(i, "item")) {
        const char *node = xmpp_stanza_get_attribute(i, "node"), *name = xmpp_stanza_get_attribute(i, "name");
        if (!node)
            continue;
        widest = width(node) > widest ? width(node) : widest;
        json_array_append_new(all, json_pack("{s:s, s:s}", "node", node, "name", name ? name : ""));
    }
    size_t index;
    json_t *entry;
    json_array_foreach(json ? NULL : all, index, entry)
        printf("%-*s  %s\n", (int)widest, plain(&a, json_string_value(json_object_get(entry, "node"))),
               plain(&a, json_string_value(json_object_get(entry, "name"))));
    if (json)
        print_json(all);
    else
        json_decref(all);
    arena_fini(&a);
}

static json_t *describe(struct arena *a, xmpp_stanza_t *f)
{
    const char *type = xmpp_stanza_get_type(f), *label = xmpp_stanza_get_attribute(f, "label");
    xmpp_stanza_t *validate = ctl_xml_child(f, "validate");
    json_t *options = json_array();
    for (xmpp_stanza_t *o = ctl_xml_child(f, "option"); o; o = ctl_xml_next(o, "option"))
        json_array_append_new(options, json_string(ctl_xml_text(a, ctl_xml_child(o, "value"))));
    return json_pack("{s:s, s:s, s:s, s:b, s:s, s:s, s:o}", "field", xmpp_stanza_get_attribute(f, "var"), "type",
                     type ? type : "text-single", "label", label ? label : "", "required",
                     ctl_xml_child(f, "required") != NULL, "value", joined(a, f), "datatype",
                     validate && xmpp_stanza_get_attribute(validate, "datatype")
                         ? xmpp_stanza_get_attribute(validate, "datatype")
                         : "",
                     "options", options);
}

static void print_described(struct arena *a, json_t *d)
{
    const char *field = json_string_value(json_object_get(d, "field")),
               *value = json_string_value(json_object_get(d, "value"));
    bool secret = text_eq(json_string_value(json_object_get(d, "type")), "text-private");
    bool many = strstr(json_string_value(json_object_get(d, "type")), "-multi") != NULL;
    printf("--%s%s VALUE%s%s  %s", plain(a, field), secret ? "-file" : "", many ? " (again and again)" : "",
           json_is_true(json_object_get(d, "required")) ? " (required)" : "",
           plain(a, json_string_value(json_object_get(d, "label"))));
    if (*value)
        printf("; unless given: %s", value);
    size_t index;
    json_t *option;
    json_array_foreach(json_object_get(d, "options"), index, option)
        printf("%s%s", index ? ", " : "; one of: ", plain(a, json_string_value(option)));
    putchar('\n');
}

void ctl_print_form(xmpp_stanza_t *form, bool json)
{
    struct arena a;
    json_t *all = json_array();
    arena_init(&a);
    for (xmpp_stanza_t *f = ctl_xml_child(form, "field"); f; f = ctl_xml_next(f, "field")) {
        const char *type = xmpp_stanza_get_type(f), *var = xmpp_stanza_get_attribute(f, "var");
        if (var && !text_eq(type, "hidden") && !text_eq(type, "fixed"))
            json_array_append_new(all, describe(&a, f));
    }
    size_t index;
    json_t *d;
    json_array_foreach(json ? NULL : all, index, d)
        print_described(&a, d);
    if (json)
        print_json(all);
    else
        json_decref(all);
    arena_fini(&a);
}
