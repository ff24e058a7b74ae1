/* SPDX-License-Identifier: MIT */
#include "contact-router/mail_answer.h"

#include <string.h>

#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

static const char *const kinds[] = {"words", "automatic", "failed", "delayed", "delivered", "unknown"};

/* What stands in a line: no ends of lines, no other control characters. */
static void put_line(struct bytes *out, const char *name, const char *value)
{
    enum { VALUE_MAX = 400 };
    size_t len = strlen(value);
    bytes_printf(out, "%s: ", name);
    if (len > VALUE_MAX)
        len = utf8_cut(value, len, VALUE_MAX);
    for (size_t i = 0; i < len; i++)
        bytes_append_char(out, (unsigned char)value[i] < ' ' || value[i] == 127 ? ' ' : value[i]);
    bytes_append_char(out, '\n');
}

void mail_answer_write(const struct mail_answer *m, struct bytes *out)
{
    put_line(out, "kind", kinds[m->kind]);
    put_line(out, "from", m->from);
    put_line(out, "id", m->id);
    put_line(out, "status", m->status);
    put_line(out, "reason", m->reason);
    bytes_printf(out, "attachments: %u\n\n", m->attachments);
    size_t len = strlen(m->text);
    bytes_append(out, m->text, len > MAIL_ANSWER_TEXT_MAX ? utf8_cut(m->text, len, MAIL_ANSWER_TEXT_MAX) : len);
}

/* The value of the line that begins at *at; NULL: another stands there. */
static const char *get_line(struct arena *a, struct span text, size_t *at, const char *name)
{
    size_t n = strlen(name);
    const char *line = text.data + *at, *end = memchr(line, '\n', text.len - *at);
    if (!end || (size_t)(end - line) < n + 2 || memcmp(line, name, n) != 0 || memcmp(line + n, ": ", 2) != 0)
        return NULL;
    *at = (size_t)(end + 1 - text.data);
    return arena_dup_n(a, line + n + 2, (size_t)(end - line) - n - 2);
}

static bool read_kind(const char *word, enum mail_answer_kind *out)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (text_eq(word, kinds[i])) {
            *out = (enum mail_answer_kind)i;
            return true;
        }
    return false;
}

/* Text may have lines and tabs, and no other control characters (XML 1.0 2.2 has none of them either). */
static bool is_clean(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < ' ' && *text != '\n' && *text != '\t') || *text == 127)
            return false;
    return true;
}

bool mail_answer_read(struct span text, struct arena *a, struct mail_answer *out, struct error *e)
{
    size_t at = 0;
    const char *kind, *count;
    if (!text.len || text.len > MAIL_ANSWER_MAX || memchr(text.data, 0, text.len) || !utf8_valid(text.data, text.len))
        return error_set(e, ERROR_INVALID, "what was read of a mail is empty, too long or no text");
    if (!(kind = get_line(a, text, &at, "kind")) || !read_kind(kind, &out->kind) ||
        !(out->from = get_line(a, text, &at, "from")) || !(out->id = get_line(a, text, &at, "id")) ||
        !(out->status = get_line(a, text, &at, "status")) || !(out->reason = get_line(a, text, &at, "reason")) ||
        !(count = get_line(a, text, &at, "attachments")) || !text_to_u32(count, &out->attachments) ||
        at == text.len || text.data[at] != '\n')
        return error_set(e, ERROR_INVALID, "what was read of a mail has another form than it should");
    out->text = arena_dup_n(a, text.data + at + 1, text.len - at - 1);
    if (!is_clean(out->text) || !is_clean(out->from) || !is_clean(out->id) || !is_clean(out->reason))
        return error_set(e, ERROR_INVALID, "what was read of a mail holds control characters");
    return true;
}
