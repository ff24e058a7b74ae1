/* SPDX-License-Identifier: MIT */
/* Escaping, and keeping out what XML 1.0 cannot carry (its section 2.2). Runs of plain bytes are
 * copied whole. */
#include "gateway/base/utf8.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"
#include "gateway/xmpp/stanza_internal.h"

#include <string.h>

struct entity {
    unsigned char len;
    char text[7];
};

/* Indexed by what escape_class says; 0 is plain. */
static const struct entity entities[] = {
    {0, ""},       {5, "&amp;"}, {4, "&lt;"},  {4, "&gt;"}, {6, "&apos;"},
    {6, "&quot;"}, {5, "&#13;"}, {5, "&#10;"}, {4, "&#9;"}, {3, "\xef\xbf\xbd"},
};
enum { PLAIN, AMP, LT, GT, APOS, QUOT, CR, LF, TAB, ILLEGAL };

static const unsigned char in_attribute[256] = {
    ['&'] = AMP,    ['<'] = LT,     ['>'] = GT,     ['\''] = APOS,  ['"'] = QUOT,   ['\r'] = CR,
    ['\n'] = LF,    ['\t'] = TAB,   [0] = ILLEGAL,  [1] = ILLEGAL,  [2] = ILLEGAL,  [3] = ILLEGAL,
    [4] = ILLEGAL,  [5] = ILLEGAL,  [6] = ILLEGAL,  [7] = ILLEGAL,  [8] = ILLEGAL,  [11] = ILLEGAL,
    [12] = ILLEGAL, [14] = ILLEGAL, [15] = ILLEGAL, [16] = ILLEGAL, [17] = ILLEGAL, [18] = ILLEGAL,
    [19] = ILLEGAL, [20] = ILLEGAL, [21] = ILLEGAL, [22] = ILLEGAL, [23] = ILLEGAL, [24] = ILLEGAL,
    [25] = ILLEGAL, [26] = ILLEGAL, [27] = ILLEGAL, [28] = ILLEGAL, [29] = ILLEGAL, [30] = ILLEGAL,
    [31] = ILLEGAL,
};

enum { LANES = 16 };
typedef unsigned char lanes __attribute__((vector_size(LANES)));

/* Are the LANES bytes at `text` all PLAIN? Control characters count as not: their class decides. */
static inline bool all_plain(const char *text)
{
    lanes v;
    memcpy(&v, text, sizeof v);
    lanes special = (lanes)(v < ' ') | (lanes)(v == '&') | (lanes)(v == '<') | (lanes)(v == '>') |
                    (lanes)(v == '\'') | (lanes)(v == '"');
    uint64_t half[2];
    memcpy(half, &special, sizeof half);
    return (half[0] | half[1]) == 0;
}

/* Fewer than LANES bytes, filled up with what is plain. */
static inline bool few_plain(const char *text, size_t len)
{
    char filled[LANES];
    memset(filled, ' ', sizeof filled);
    memcpy(filled, text, len);
    return all_plain(filled);
}

/* How many bytes from `at` on are surely PLAIN; the last step overlaps the one before. */
static inline size_t plain_run(const char *text, size_t at, size_t len)
{
    size_t i = at;
    while (len - i >= LANES && all_plain(text + i))
        i += LANES;
    if (len - i < LANES && (len >= LANES ? all_plain(text + len - LANES) : few_plain(text, len)))
        i = len;
    return i - at;
}

/* `everywhere`: also what may stand as it is in character data (quotes, line feeds, tabs). A constant
 * in each caller, so that the loop has no test for it. */
static inline void escape(struct bytes *out, const char *text, size_t len, bool everywhere)
{
    size_t plain = 0, i = 0;
    while (i < len) {
        i += plain_run(text, i, len);
        size_t end = len - i > LANES ? i + LANES : len;
        for (; i < end; i++) {
            unsigned char class = in_attribute[(unsigned char)text[i]];
            bool stays = !everywhere && class > GT && class != CR && class != ILLEGAL;
            if (class == PLAIN || stays)
                continue;
            bytes_append(out, text + plain, i - plain);
            bytes_append(out, entities[class].text, entities[class].len);
            plain = i + 1;
        }
    }
    bytes_append(out, text + plain, len - plain);
}

void xml_escape(struct bytes *out, const char *text, size_t len)
{
    escape(out, text, len, true);
}

void xml_put_attr(struct bytes *out, const char *name, const char *value)
{
    if (!value)
        return;
    bytes_append_char(out, ' ');
    bytes_append_text(out, name);
    bytes_append_text(out, "='");
    xml_escape(out, value, strlen(value));
    bytes_append_char(out, '\'');
}

void xml_escape_text(struct bytes *out, const char *text, size_t len)
{
    escape(out, text, len, false);
}

/* U+FFFE and U+FFFF. */
static bool is_noncharacter(const char *p, size_t len)
{
    return len >= 3 && (unsigned char)p[0] == 0xef && (unsigned char)p[1] == 0xbf &&
           (unsigned char)p[2] >= 0xbe;
}

static size_t sequence_length(const char *p, size_t len)
{
    unsigned char c = (unsigned char)*p;
    size_t want = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return want <= len && utf8_valid(p, want) && !is_noncharacter(p, want) ? want : 0;
}

static bool is_clean(const char *text, size_t len)
{
    bool ascii = true;
    for (size_t i = 0; i < len; i++) {
        if (in_attribute[(unsigned char)text[i]] == ILLEGAL)
            return false;
        ascii = ascii && (unsigned char)text[i] < 0x80;
    }
    if (ascii)
        return true;
    if (!utf8_valid(text, len))
        return false;
    for (size_t i = 0; i + 3 <= len; i++)
        if (is_noncharacter(text + i, 3))
            return false;
    return true;
}

struct span xml_escape_clean(struct arena *a, const char *text, size_t len)
{
    if (is_clean(text, len))
        return (struct span){text, len};
    char *out = arena_alloc(a, 3 * len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        size_t good = sequence_length(text + i, len - i);
        if (good == 0 || in_attribute[(unsigned char)text[i]] == ILLEGAL) {
            memcpy(out + n, entities[ILLEGAL].text, 3);
            n += 3;
            i += is_noncharacter(text + i, len - i) ? 3 : 1;
        } else {
            memcpy(out + n, text + i, good);
            n += good;
            i += good;
        }
    }
    return (struct span){out, n};
}

static char *put(char *at, struct span s)
{
    memcpy(at, s.data, s.len);
    return at + s.len;
}

/* ` name='value'` of a value that stays as it is: nearly all do, and a stanza has five. */
static void plain_attr(struct bytes *out, struct span name, struct span value)
{
    size_t len = name.len + value.len + 4;
    bytes_reserve(out, len);
    char *at = out->data + out->len;
    *at++ = ' ';
    at = put(at, name);
    *at++ = '=';
    *at++ = '\'';
    at = put(at, value);
    *at++ = '\'';
    *at = '\0';
    out->len += len;
}

void xml_escape_attr(struct bytes *out, struct span ns, struct span name, struct span value,
                     unsigned n)
{
    if (ns.len == 0 && value.len && plain_run(value.data, 0, value.len) == value.len) {
        plain_attr(out, name, value);
        return;
    }
    bytes_reserve(out, name.len + value.len + 8);
    if (ns.len == 0) {
        bytes_append_char(out, ' ');
    } else if (span_eq_text(ns, NS_XML)) {
        bytes_append(out, " xml:", 5);
    } else {
        bytes_printf(out, " xmlns:n%u='", n);
        xml_escape(out, ns.data, ns.len);
        bytes_printf(out, "' n%u:", n);
    }
    bytes_append(out, name.data, name.len);
    bytes_append(out, "='", 2);
    xml_escape(out, value.data, value.len);
    bytes_append_char(out, '\'');
}
