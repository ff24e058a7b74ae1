/* SPDX-License-Identifier: MIT */
/* Strict: what does not decode to text is refused, so that a signature covers what is read. */
#include "contact-router/urlencoded.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/base64.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

static const char *decode(struct arena *a, const char *from, size_t len)
{
    struct bytes out = BYTES_EMPTY;
    bool ok = true;
    for (size_t i = 0; ok && i < len; i++) {
        if (from[i] == '%') {
            ok = i + 2 < len && base64_unhex(&out, from + i + 1, 2);
            i += 2;
        } else {
            bytes_append_char(&out, from[i] == '+' ? ' ' : from[i]);
        }
    }
    ok = ok && utf8_valid(bytes_text(&out), out.len) && !memchr(bytes_text(&out), 0, out.len);
    const char *text = ok ? arena_dup_n(a, bytes_text(&out), out.len) : NULL;
    bytes_fini(&out);
    return text;
}

bool urlencoded_parse(struct arena *a, struct span text, struct urlencoded *out)
{
    *out = (struct urlencoded){ .v = arena_alloc(a, URLENCODED_MAX * sizeof *out->v) };
    for (size_t at = 0; at < text.len;) {
        const char *field = text.data + at, *end = memchr(field, '&', text.len - at);
        size_t len = end ? (size_t)(end - field) : text.len - at;
        at += len + 1;
        if (!len)
            continue;
        const char *eq = memchr(field, '=', len);
        size_t name_len = eq ? (size_t)(eq - field) : len;
        if (out->count == URLENCODED_MAX)
            return false;
        struct urlencoded_pair *p = &out->v[out->count++];
        p->name = decode(a, field, name_len);
        p->value = eq ? decode(a, eq + 1, len - name_len - 1) : "";
        if (!p->name || !p->value)
            return false;
    }
    return true;
}

const char *urlencoded_get(const struct urlencoded *u, const char *name)
{
    for (unsigned i = 0; i < u->count; i++)
        if (text_eq(u->v[i].name, name))
            return u->v[i].value;
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const struct urlencoded_pair *x = a, *y = b;
    int by_name = strcmp(x->name, y->name);
    return by_name ? by_name : strcmp(x->value, y->value);
}

void urlencoded_sort(struct urlencoded *u)
{
    if (u->count)
        qsort(u->v, u->count, sizeof *u->v, compare);
}
