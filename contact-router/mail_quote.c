/* SPDX-License-Identifier: MIT */
/* Rules and no knowledge of programs or languages: our own line; a line of dashes around words ("-----Original
 * Message-----") or of underscores; a block of three and more header lines with an address in it (Outlook's From, Sent,
 * To, Subject in whatever language); lines that begin with ">" at the end, and what announces them, which ends with a
 * colon ("On Tuesday Romeo wrote:"); "-- " (RFC 3676 4.3). When nothing stands above, the answer stands below or
 * between: then whatever is not quoted is taken. */
#include "contact-router/mail_quote.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "gateway/base/mem.h"

struct lines {
    struct span *v; /* without their ends */
    size_t count;
};

static struct lines split(struct span text)
{
    struct lines l = {NULL, 0};
    size_t room = 1;
    for (size_t i = 0; i < text.len; i++)
        room += text.data[i] == '\n';
    l.v = mem_alloc(room * sizeof *l.v);
    for (size_t at = 0; at < text.len;) {
        const char *nl = memchr(text.data + at, '\n', text.len - at);
        size_t len = nl ? (size_t)(nl - (text.data + at)) : text.len - at, next = at + len + 1;
        while (len && text.data[at + len - 1] == '\r')
            len--;
        l.v[l.count++] = (struct span){text.data + at, len};
        at = next;
    }
    return l;
}

static struct span trimmed(struct span s)
{
    while (s.len && (*s.data == ' ' || *s.data == '\t')) {
        s.data++;
        s.len--;
    }
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool is_blank(struct span line)
{
    return !trimmed(line).len;
}

static bool is_quoted(struct span line)
{
    struct span t = trimmed(line);
    return t.len && *t.data == '>';
}

/* "-- " (RFC 3676 4.3). */
static bool is_signature(struct span line)
{
    return span_eq_text(line, "-- ");
}

/* Ours, quoted or not. */
static bool is_our_line(struct span line)
{
    size_t n = sizeof MAIL_QUOTE_LINE - 1;
    for (size_t i = 0; i + n <= line.len; i++)
        if (line.data[i] == '-' && strncasecmp(line.data + i, MAIL_QUOTE_LINE, n) == 0)
            return true;
    return false;
}

static bool is_divider(struct span line)
{
    struct span t = trimmed(line);
    size_t left = 0, right = 0, under = 0;
    while (left < t.len && t.data[left] == '-')
        left++;
    while (right < t.len && t.data[t.len - 1 - right] == '-')
        right++;
    while (under < t.len && t.data[under] == '_')
        under++;
    return (left >= 3 && right >= 3 && left + right < t.len) || (under >= 10 && under == t.len);
}

/* "Von: Romeo <romeo@montague.example>": one to three words, a colon, and something. */
static bool is_header(struct span line, bool *has_address)
{
    struct span t = trimmed(line);
    const char *colon = t.len ? memchr(t.data, ':', t.len) : NULL;
    size_t name = colon ? (size_t)(colon - t.data) : 0, blanks = 0;
    if (!name || name > 24 || name + 1 >= t.len)
        return false;
    for (size_t i = 0; i < name; i++)
        blanks += t.data[i] == ' ';
    *has_address = *has_address || memchr(t.data, '@', t.len);
    return blanks <= 2;
}

static bool begins_headers(const struct lines *l, size_t at)
{
    bool has_address = false;
    size_t n = 0;
    while (at + n < l->count && n < 8 && is_header(l->v[at + n], &has_address))
        n++;
    return n >= 3 && has_address;
}

/* Where what is not of the writer begins. */
static size_t find_cut(const struct lines *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (is_signature(l->v[i]) || is_our_line(l->v[i]) || is_divider(l->v[i]) || begins_headers(l, i))
            return i;
    }
    return l->count;
}

/* Without blank lines at the end. */
static size_t without_blank(const struct lines *l, size_t end)
{
    while (end && is_blank(l->v[end - 1]))
        end--;
    return end;
}

/* Without what announces a quotation: up to three lines, the last of which ends with a colon. */
static size_t without_announcement(const struct lines *l, size_t end)
{
    size_t last = without_blank(l, end);
    struct span t = last ? trimmed(l->v[last - 1]) : (struct span){NULL, 0};
    if (!t.len || t.data[t.len - 1] != ':')
        return end;
    size_t first = last - 1;
    while (first && last - first < 3 && !is_blank(l->v[first - 1]))
        first--;
    bool whole = !first || is_blank(l->v[first - 1]); /* a paragraph of its own; else only its last line is taken */
    return whole ? first : last - 1;
}

static size_t without_quotation(const struct lines *l, size_t end, bool cut)
{
    size_t before = without_blank(l, end), at = before;
    while (at && (is_quoted(l->v[at - 1]) || is_blank(l->v[at - 1])))
        at--;
    cut = cut || at < before;
    return without_blank(l, cut ? without_announcement(l, at) : at);
}

static void append_lines(const struct lines *l, size_t end, bool unquoted_alone, struct bytes *out)
{
    size_t before = out->len;
    for (size_t i = 0; i < end; i++) {
        if ((out->len == before && is_blank(l->v[i])) ||
            (unquoted_alone && (is_quoted(l->v[i]) || is_our_line(l->v[i]))))
            continue;
        bytes_append(out, l->v[i].data, l->v[i].len);
        bytes_append_char(out, '\n');
    }
}

/* The answer stands below what it answers, or between. */
static void take_unquoted(const struct lines *l, struct bytes *out)
{
    size_t end = 0, first = 0;
    while (end < l->count && !is_signature(l->v[end]))
        end++;
    while (first < end && !is_quoted(l->v[first]))
        first++;
    if (first == end) /* nothing is quoted: it is ours from our line on */
        return;
    struct lines rest = {l->v + first, l->count - first};
    append_lines(&rest, without_blank(&rest, end - first), true, out);
}

void mail_quote_strip(struct span text, struct bytes *out)
{
    struct lines l = split(text);
    size_t before = out->len, cut = find_cut(&l);
    bool announced = cut < l.count && !is_signature(l.v[cut]);
    append_lines(&l, without_quotation(&l, cut, announced), false, out);
    if (out->len == before)
        take_unquoted(&l, out);
    while (out->len > before && strchr(" \t\n", out->data[out->len - 1]))
        out->data[--out->len] = 0;
    mem_free(l.v);
}

void mail_quote_unflow(struct span text, bool delsp, struct bytes *out)
{
    struct lines l = split(text);
    for (size_t i = 0; i < l.count; i++) {
        struct span line = l.v[i];
        bool signature = is_signature(line);
        if (line.len && *line.data == ' ') { /* space-stuffed (RFC 3676 4.4) */
            line.data++;
            line.len--;
        }
        bool flows = !signature && line.len && line.data[line.len - 1] == ' ' && !is_quoted(line) && i + 1 < l.count;
        if (flows && delsp)
            line.len--;
        bytes_append(out, line.data, line.len);
        if (!flows)
            bytes_append_char(out, '\n');
    }
    mem_free(l.v);
}
