/* SPDX-License-Identifier: MIT */
/* Comparing stanzas by what is expected of them. */
#include "test/world/match.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"

#define WORD_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define BLANKS " \t\r\n"

static char why[1024];

static const char *variable(const struct match_variables *v, const char *name, size_t len)
{
    for (unsigned i = 0; i < v->count; i++)
        if (strlen(v->list[i].name) == len && !strncmp(v->list[i].name, name, len))
            return v->list[i].value;
    return NULL;
}

/* "{name}" at *pattern: what it stands for at *text, and both go on behind it. */
static bool take_variable(const char **pattern, const char **text, struct match_variables *v)
{
    const char *name = *pattern + 1, *end = strchr(name, '}');
    if (!end)
        return false;
    const char *known = variable(v, name, (size_t)(end - name));
    size_t len = known ? strlen(known) : strspn(*text, WORD_CHARACTERS);
    if (known ? strncmp(*text, known, len) != 0 : !len)
        return false;
    if (!known) {
        CHECK(v->count < MATCH_VARIABLES_MAX && end - name < 32 && len < 512);
        snprintf(v->list[v->count].name, 32, "%.*s", (int)(end - name), name);
        snprintf(v->list[v->count++].value, 512, "%.*s", (int)len, *text);
    }
    *pattern = end + 1;
    *text += len;
    return true;
}

bool match_text(const char *pattern, const char *text, struct match_variables *v)
{
    unsigned before = v->count;
    while (*pattern && *pattern != '*') {
        if (*pattern == '{' && take_variable(&pattern, &text, v))
            continue;
        bool blank = *pattern == ' ' && strchr(BLANKS, *text) && *text;
        if (!blank && *pattern != *text) {
            v->count = before;
            return false;
        }
        pattern++;
        text += blank ? strspn(text, BLANKS) : 1;
    }
    bool ok = *pattern ? false : *text == '\0';
    if (*pattern)
        for (; !(ok = match_text(pattern + 1, text, v)) && *text; text++)
            ;
    if (!ok)
        v->count = before;
    return ok;
}

static bool same(const char *expected, const char *got, struct match_variables *v)
{
    if (!got)
        return false;
    size_t len = strlen(expected);
    if (strchr(expected, '*'))
        return match_text(expected, got, v);
    if (len < 3 || expected[0] != '{' || expected[len - 1] != '}')
        return text_eq(expected, got);
    const char *known = variable(v, expected + 1, len - 2);
    if (known)
        return text_eq(known, got);
    CHECK(v->count < MATCH_VARIABLES_MAX && len - 2 < 32 && strlen(got) < 512);
    snprintf(v->list[v->count].name, 32, "%.*s", (int)len - 2, expected + 1);
    snprintf(v->list[v->count++].value, 512, "%s", got);
    return true;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \n\t\r")] == '\0';
}

static bool element_matches(const struct element *e, const struct element *g,
                            struct match_variables *v);

static bool child_matches(const struct element *e, const struct element *parent,
                          struct match_variables *v)
{
    bool absent = text_eq(element_attr(e, "match"), "absent");
    for (const struct element *g = parent->first_child; g; g = g->next) {
        struct match_variables before = *v;
        if (element_matches(e, g, v))
            return !absent;
        *v = before;
    }
    if (!absent)
        snprintf(why, sizeof(why), "no <%s xmlns='%s'/> as expected", e->name, e->ns);
    else
        return true;
    return false;
}

static bool children_match(const struct element *e, const struct element *g,
                           struct match_variables *v)
{
    for (const struct element *c = e->first_child; c; c = c->next)
        if (!child_matches(c, g, v))
            return false;
    return true;
}

static bool element_matches(const struct element *e, const struct element *g,
                            struct match_variables *v)
{
    if (!text_eq(e->name, g->name) || !text_eq(e->ns, g->ns))
        return false;
    for (unsigned i = 0; i < e->attr_count; i++)
        if (!text_eq(e->attrs[i].name, "match") &&
            !same(e->attrs[i].value, element_attr(g, e->attrs[i].name), v))
            return false;
    if (!is_blank(e->text) && !same(e->text, g->text, v))
        return false;
    return children_match(e, g, v);
}

static bool wrong(const char *what, const char *expected, const char *got)
{
    snprintf(why, sizeof(why), "%s is %s, not %s", what, got ? got : "absent", expected);
    return false;
}

static bool envelope_matches(const struct stanza *e, const struct stanza *g,
                             struct match_variables *v)
{
    const char *type = stanza_type_name(e->type), *got_type = stanza_type_name(g->type);
    if (e->kind != g->kind)
        return wrong("the stanza", stanza_kind_name(e->kind), stanza_kind_name(g->kind));
    if (e->type != g->type)
        return wrong("type", type ? type : "absent", got_type);
    if (e->from && !(g->from && text_eq(e->from->full, g->from->full)))
        return wrong("from", e->from->full, g->from ? g->from->full : NULL);
    if (e->to && !(g->to && text_eq(e->to->full, g->to->full)))
        return wrong("to", e->to->full, g->to ? g->to->full : NULL);
    if (e->id && !same(e->id, g->id, v))
        return wrong("id", e->id, g->id);
    return true;
}

const char *match_stanza(const struct stanza *expected, const struct stanza *got,
                         struct match_variables *v)
{
    struct match_variables before = *v;
    /* What was added for this recipient is not in the tree. */
    struct bytes xml = BYTES_EMPTY;
    stanza_write(&xml, got, NULL);
    struct stanza *whole = stanza_parse(xml.data, xml.len);
    CHECK(whole);
    bool ok = envelope_matches(expected, whole, v) &&
              children_match(expected->payload->root, whole->payload->root, v);
    stanza_unref(&whole);
    bytes_fini(&xml);
    if (!ok)
        *v = before;
    return ok ? NULL : why;
}

struct stanza *match_parse(const char *xml)
{
    size_t name_end = 1 + strcspn(xml + (*xml == '<'), " />");
    struct bytes whole = BYTES_EMPTY;
    bytes_append(&whole, xml, name_end);
    bytes_append_text(&whole, " xmlns='jabber:client'");
    bytes_append_text(&whole, xml + name_end);
    struct stanza *st = stanza_parse(whole.data, whole.len);
    bytes_fini(&whole);
    return st && st->kind != STANZA_NONZA ? st : NULL;
}

char *match_fill(const char *text, const struct match_variables *v)
{
    struct bytes out = BYTES_EMPTY;
    while (*text) {
        const char *end = *text == '{' ? strchr(text, '}') : NULL;
        const char *value = end ? variable(v, text + 1, (size_t)(end - text - 1)) : NULL;
        if (value) {
            bytes_append_text(&out, value);
            text = end + 1;
        } else {
            bytes_append_char(&out, *text++);
        }
    }
    return bytes_take(&out);
}
