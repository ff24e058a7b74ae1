/* SPDX-License-Identifier: MIT */
/* Values are texts here, whatever type JSON gave them. */
#include "contact-router/pick.h"

#include <jansson.h>
#include <string.h>

#include "gateway/base/text.h"

static const char *unescape(char *word)
{
    char *to = word;
    for (const char *c = word; *c; c++) {
        bool tilde = *c == '~' && (c[1] == '0' || c[1] == '1');
        *to++ = tilde ? (c[1] == '0' ? '~' : '/') : *c;
        c += tilde;
    }
    *to = 0;
    return word;
}

json_t *pick_json(json_t *root, const char *pointer)
{
    json_t *here = root;
    while (here && *pointer == '/') {
        char word[256];
        size_t len = strcspn(++pointer, "/");
        if (len >= sizeof word)
            return NULL;
        memcpy(word, pointer, len);
        word[len] = 0;
        pointer += len;
        uint32_t i;
        if (json_is_object(here))
            here = json_object_get(here, unescape(word));
        else
            here = text_to_u32(word, &i) ? json_array_get(here, i) : NULL;
    }
    return here;
}

static const char *json_text(struct arena *a, const json_t *j)
{
    if (json_is_string(j))
        return arena_dup(a, json_string_value(j));
    if (json_is_integer(j))
        return arena_printf(a, "%lld", (long long)json_integer_value(j));
    if (json_is_real(j))
        return arena_printf(a, "%g", json_real_value(j));
    if (json_is_boolean(j))
        return json_is_true(j) ? "true" : "false";
    return json_is_object(j) || json_is_array(j) ? "" : NULL;
}

static const char *text_value(const regex_t *re, const struct pick_source *s)
{
    const char *text = arena_dup_n(s->arena, s->text.data ? s->text.data : "", s->text.len);
    if (!re)
        return text;
    regmatch_t m[2];
    if (regexec(re, text, 2, m, 0) != 0 || m[1].rm_so < 0)
        return NULL;
    return arena_dup_n(s->arena, text + m[1].rm_so, (size_t)(m[1].rm_eo - m[1].rm_so));
}

const char *pick_value(const struct profile_pick *p, const struct pick_source *s)
{
    switch (p->kind) {
    case PICK_NONE:
        return NULL;
    case PICK_JSON:
        return json_text(s->arena, pick_json(s->json, p->arg));
    case PICK_XML:
        return pick_xml(s->arena, s->text, p->arg);
    case PICK_TEXT:
        return text_value(p->re, s);
    case PICK_HEADER: {
        const char *value = s->header ? s->header(s->user, p->arg) : NULL;
        return value ? arena_dup(s->arena, value) : NULL;
    }
    case PICK_FORM:
        return urlencoded_get(&s->form, p->arg);
    case PICK_QUERY:
        return urlencoded_get(&s->query, p->arg);
    case PICK_CONST:
        return p->arg;
    }
    return NULL;
}

bool pick_holds(const struct profile_test *t, const struct pick_source *s)
{
    const char *v = pick_value(&t->what, s);
    switch (t->op) {
    case PROFILE_EQ:
        return v && text_eq(v, t->value);
    case PROFILE_NE:
        return !v || !text_eq(v, t->value);
    case PROFILE_EXISTS:
        return v != NULL;
    case PROFILE_MATCH:
        return v && regexec(t->re, v, 0, NULL, 0) == 0;
    }
    return false;
}

bool pick_hold_all(const struct profile_tests *t, const struct pick_source *s)
{
    for (unsigned i = 0; i < t->count; i++)
        if (!pick_holds(&t->v[i], s))
            return false;
    return true;
}
