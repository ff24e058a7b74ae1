/* SPDX-License-Identifier: MIT */
/* Reading and filling of ${name|filter} texts. Sizes are bounded by the profile's file and by the
 * values, which are bounded where they arrive. */
#include "contact-router/template.h"

#include <string.h>

#include "contact-router/sms_text.h"
#include "gateway/base/base64.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"
#include "gateway/xmpp/stanza_build.h"

static const struct { const char *name; enum template_filter filter; } filter_names[] = {
    { "digits", FILTER_DIGITS }, { "plus", FILTER_PLUS },   { "cut", FILTER_CUT },
    { "gsm", FILTER_GSM },       { "lower", FILTER_LOWER }, { "b64", FILTER_B64 },
};

static bool parse_filter(struct template_part *p, const char *word, struct error *e)
{
    if (p->step_count == TEMPLATE_STEPS_MAX)
        return error_set(e, ERROR_INVALID, "more than %d filters", TEMPLATE_STEPS_MAX);
    char name[16];
    const char *colon = strchr(word, ':');
    size_t len = colon ? (size_t)(colon - word) : strlen(word);
    if (len >= sizeof name)
        return error_set(e, ERROR_INVALID, "unknown filter `%.40s`", word);
    memcpy(name, word, len);
    name[len] = 0;
    struct template_step *s = &p->steps[p->step_count];
    for (size_t i = 0; i < sizeof filter_names / sizeof *filter_names; i++) {
        if (!text_eq(filter_names[i].name, name))
            continue;
        s->filter = filter_names[i].filter;
        uint32_t n = 0;
        if ((s->filter == FILTER_CUT) != (colon != NULL) ||
            (colon && (!text_to_u32(colon + 1, &n) || n == 0 || n > 100000)))
            return error_set(e, ERROR_INVALID, "filter `%.40s`: cut takes a number, the others none", word);
        s->cut = n;
        p->step_count++;
        return true;
    }
    return error_set(e, ERROR_INVALID, "unknown filter `%.40s`", word);
}

static bool parse_name(struct arena *a, const char *inside, size_t len, struct template_part *p,
                       struct error *e)
{
    char *word = arena_dup_n(a, inside, len), *bar = strchr(word, '|');
    p->name = word;
    while (bar) {
        *bar = 0;
        char *filter = bar + 1;
        bar = strchr(filter, '|');
        if (bar)
            *bar = 0;
        if (!parse_filter(p, filter, e))
            return false;
    }
    if (!*word || strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(word))
        return error_set(e, ERROR_INVALID, "`${%.60s}` is not a name", word);
    return true;
}

bool template_parse(struct arena *a, const char *text, struct template *out, struct error *e)
{
    struct template_part parts[TEMPLATE_PARTS_MAX] = { 0 };
    unsigned count = 0;
    while (*text) {
        if (count == TEMPLATE_PARTS_MAX)
            return error_set(e, ERROR_INVALID, "more than %d parts", TEMPLATE_PARTS_MAX);
        struct template_part *p = &parts[count++];
        const char *dollar = strstr(text, "${");
        if (dollar != text) {
            size_t len = dollar ? (size_t)(dollar - text) : strlen(text);
            p->literal = arena_dup_n(a, text, len);
            text += len;
            continue;
        }
        const char *end = strchr(text, '}');
        if (!end)
            return error_set(e, ERROR_INVALID, "`${` without `}`");
        if (!parse_name(a, text + 2, (size_t)(end - text - 2), p, e))
            return false;
        text = end + 1;
    }
    struct template_part *kept = arena_alloc(a, (count ? count : 1) * sizeof *kept);
    memcpy(kept, parts, count * sizeof *kept);
    *out = (struct template){ .parts = kept, .count = count };
    return true;
}

void template_percent(struct bytes *out, const char *data, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
            c == '.' || c == '_' || c == '~') {
            bytes_append_char(out, (char)c);
        } else {
            char enc[3] = { '%', hex[c >> 4], hex[c & 15] };
            bytes_append(out, enc, 3);
        }
    }
}

void template_form(struct bytes *out, const char *data, size_t len)
{
    size_t from = 0;
    for (size_t i = 0; i < len; i++) {
        if (data[i] != ' ')
            continue;
        template_percent(out, data + from, i - from);
        bytes_append_char(out, '+');
        from = i + 1;
    }
    template_percent(out, data + from, len - from);
}

/* -- filters: each rewrites the value in place -- */

static void cut(struct bytes *v, unsigned max)
{
    size_t end = sms_text_graphemes(v->data ? v->data : "", v->len, max);
    if (end < v->len) {
        v->len = end;
        v->data[end] = 0;
    }
}

static void apply(struct bytes *v, const struct template_step *s)
{
    struct bytes out = BYTES_EMPTY;
    switch (s->filter) {
    case FILTER_DIGITS:
        if (v->len && v->data[0] == '+')
            bytes_drop(v, 1);
        return;
    case FILTER_PLUS:
        if (v->len && v->data[0] != '+') {
            bytes_append_char(&out, '+');
            bytes_append(&out, v->data, v->len);
            break;
        }
        return;
    case FILTER_CUT:
        cut(v, s->cut);
        return;
    case FILTER_GSM:
        sms_text_to_gsm(&out, v->data, v->len);
        break;
    case FILTER_LOWER:
        for (size_t i = 0; i < v->len; i++)
            if (v->data[i] >= 'A' && v->data[i] <= 'Z')
                v->data[i] = (char)(v->data[i] + ('a' - 'A'));
        return;
    case FILTER_B64:
        base64_encode(&out, v->data, v->len);
        break;
    }
    bytes_fini(v);
    *v = out;
}

/* -- landing -- */

static bool header_holds(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)data[i] > 126 || ((unsigned char)data[i] < 32 && data[i] != '\t'))
            return false;
    return true;
}

/* The base address stands as the admin wrote it, if it can be one. */
static bool base_address(const struct bytes *v)
{
    for (size_t i = 0; i < v->len; i++)
        if (v->data[i] <= 32 || v->data[i] > 126)
            return false;
    return text_starts_with(bytes_text(v), "https://") || text_starts_with(bytes_text(v), "http://");
}

/* RFC 8259, section 7: what must be escaped. */
static void json_inside(struct bytes *out, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '"' || data[i] == '\\')
            bytes_append_char(out, '\\');
        if ((unsigned char)data[i] < 32)
            bytes_printf(out, "\\u%04x", (unsigned)data[i]);
        else
            bytes_append_char(out, data[i]);
    }
}

static bool land(struct bytes *out, struct bytes *v, enum template_context c, bool first,
                 const char *name, struct error *e)
{
    switch (c) {
    case TEMPLATE_PLAIN:
        bytes_append(out, bytes_text(v), v->len);
        return true;
    case TEMPLATE_URL:
        if (!first)
            template_percent(out, bytes_text(v), v->len);
        else if (base_address(v))
            bytes_append(out, v->data, v->len);
        else
            return error_set(e, ERROR_INVALID, "${%s} begins an address but is none", name);
        return true;
    case TEMPLATE_XML:
        xml_escape(out, bytes_text(v), v->len);
        return true;
    case TEMPLATE_JSON:
        json_inside(out, bytes_text(v), v->len);
        return true;
    case TEMPLATE_HEADER:
        if (!header_holds(bytes_text(v), v->len))
            return error_set(e, ERROR_INVALID, "${%s} holds what a header must not", name);
        bytes_append(out, bytes_text(v), v->len);
        return true;
    }
    return true;
}

bool template_render(const struct template *t, enum template_context c, const struct template_names *names,
                     struct bytes *out, struct error *e)
{
    size_t before = out->len;
    for (unsigned i = 0; i < t->count; i++) {
        const struct template_part *p = &t->parts[i];
        if (p->literal) {
            bytes_append_text(out, p->literal);
            continue;
        }
        struct bytes v = BYTES_EMPTY;
        bool ok = names->value(names, p->name, &v) || error_set(e, ERROR_INVALID, "there is no ${%s} here", p->name);
        for (unsigned s = 0; ok && s < p->step_count; s++)
            apply(&v, &p->steps[s]);
        ok = ok && land(out, &v, c, i == 0, p->name, e);
        bytes_fini(&v);
        if (!ok) {
            out->len = before;
            if (out->data)
                out->data[before] = 0;
            return false;
        }
    }
    return true;
}
