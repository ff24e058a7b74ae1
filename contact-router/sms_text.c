/* SPDX-License-Identifier: MIT */
/* The tables of TS 23.038 section 6.2.1, as Unicode code points, and counting by them. */
#include "contact-router/sms_text.h"

#include <string.h>

#include "gateway/base/utf8.h"

enum { GSM_ONE = 160, GSM_PART = 153, UCS2_ONE = 70, UCS2_PART = 67 };

/* What of the basic table is not plain ASCII; ASCII is in it but for the backquote and the extension. */
static const uint16_t basic[] = {
    0xa3, 0xa5, 0xe8, 0xe9, 0xf9, 0xec, 0xf2, 0xc7, 0xd8, 0xf8, 0xc5, 0xe5, 0x394, 0x3a6, 0x393, 0x39b,
    0x3a9, 0x3a0, 0x3a8, 0x3a3, 0x398, 0x39e, 0xc6, 0xe6, 0xdf, 0xc9, 0xa4, 0xa1, 0xc4, 0xd6, 0xd1,
    0xdc, 0xa7, 0xbf, 0xe4, 0xf6, 0xf1, 0xfc, 0xe0,
};

/* Septets of one code point; 0: not in the alphabet. */
static unsigned septets(uint32_t c)
{
    if (c == '\n' || c == '\r')
        return 1;
    if (c == 0x0c || c == 0x20ac || (c < 128 && strchr("^{}\\[~]|", (int)c) && c))
        return 2;
    if (c < 128)
        return c >= 32 && c != '`' && c != 127;
    for (size_t i = 0; i < sizeof basic / sizeof *basic; i++)
        if (basic[i] == c)
            return 1;
    return 0;
}

static bool is_gsm(const char *text, size_t len)
{
    for (size_t at = 0; at < len;)
        if (!septets(utf8_next(text, len, &at)))
            return false;
    return true;
}

static unsigned units_of(uint32_t c, enum sms_alphabet a)
{
    if (a == SMS_GSM)
        return septets(c);
    return c > 0xffff ? 2 : 1;
}

/* Parts are filled in turn, and neither an escape pair nor a surrogate pair is parted. */
static struct sms_size measure_as(const char *text, size_t len, enum sms_alphabet a)
{
    size_t one = a == SMS_GSM ? GSM_ONE : UCS2_ONE, part = a == SMS_GSM ? GSM_PART : UCS2_PART;
    struct sms_size s = { .alphabet = a };
    size_t in_part = 0;
    unsigned parts = len ? 1 : 0;
    for (size_t at = 0; at < len;) {
        unsigned n = units_of(utf8_next(text, len, &at), a);
        s.units += n;
        if (in_part + n > part) {
            parts++;
            in_part = 0;
        }
        in_part += n;
    }
    s.segments = s.units <= one && len ? 1 : parts;
    return s;
}

struct sms_size sms_text_measure(const char *text, size_t len)
{
    return measure_as(text, len, is_gsm(text, len) ? SMS_GSM : SMS_UCS2);
}

static bool joins(uint32_t c)
{
    return (c >= 0x300 && c <= 0x36f) || (c >= 0x1ab0 && c <= 0x1aff) || (c >= 0x20d0 && c <= 0x20ff) ||
           (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xfe20 && c <= 0xfe2f) || c == 0x200d ||
           (c >= 0x1f3fb && c <= 0x1f3ff) || (c >= 0xe0100 && c <= 0xe01ef);
}

static bool is_flag(uint32_t c)
{
    return c >= 0x1f1e6 && c <= 0x1f1ff;
}

/* End of the character that begins at `at`. */
static size_t grapheme_end(const char *text, size_t len, size_t at)
{
    uint32_t c = utf8_next(text, len, &at);
    bool flag = is_flag(c), joined = false;
    while (at < len) {
        size_t next = at;
        uint32_t d = utf8_next(text, len, &next);
        if (!joins(d) && !joined && !(flag && is_flag(d)) && !(c == '\r' && d == '\n'))
            break;
        flag = false;
        joined = d == 0x200d;
        c = d;
        at = next;
    }
    return at;
}

size_t sms_text_graphemes(const char *text, size_t len, size_t max)
{
    size_t at = 0;
    while (max-- && at < len)
        at = grapheme_end(text, len, at);
    return at;
}

/* Bytes of the longest prefix of whole characters, at most `characters`, that fits with the hint. Bisection:
 * what fits is monotone, for the alphabet only widens with the text. */
static size_t longest(const char *text, size_t len, unsigned segments, size_t characters, const char *hint)
{
    struct bytes trial = BYTES_EMPTY;
    size_t low = 0, high = characters, fits = 0;
    while (low <= high) {
        size_t mid = low + (high - low) / 2, cut = sms_text_graphemes(text, len, mid);
        bytes_clear(&trial);
        bytes_append(&trial, text, cut);
        bytes_append_text(&trial, hint);
        if (sms_text_measure(trial.data, trial.len).segments <= segments) {
            fits = cut;
            low = mid + 1;
        } else if (mid == 0) {
            break;
        } else {
            high = mid - 1;
        }
    }
    bytes_fini(&trial);
    return fits;
}

void sms_text_cut(struct bytes *out, const char *text, size_t len, unsigned segments, size_t characters,
                  const char *hint)
{
    size_t most = (size_t)segments * GSM_ONE, tail = utf8_count(hint, strlen(hint));
    if (characters && most > characters)
        most = characters;
    most = most > tail ? most - tail : 0;
    bytes_append(out, text, longest(text, len, segments, most, hint));
    bytes_append_text(out, hint);
}

bool sms_text_fit(struct bytes *out, const char *text, size_t len, unsigned segments, const char *hint)
{
    if (sms_text_measure(text, len).segments > segments) {
        sms_text_cut(out, text, len, segments, 0, hint);
        return true;
    }
    bytes_append(out, text, len);
    return false;
}

static const struct { uint16_t code; const char *as; } likeness[] = {
    { 0x60, "'" },    { 0xa0, " " },    { 0xab, "\"" },   { 0xbb, "\"" },   { 0xb4, "'" },    { 0x2018, "'" },
    { 0x2019, "'" },  { 0x201a, "'" },  { 0x201b, "'" },  { 0x201c, "\"" }, { 0x201d, "\"" }, { 0x201e, "\"" },
    { 0x2039, "'" },  { 0x203a, "'" },  { 0x2010, "-" },  { 0x2011, "-" },  { 0x2012, "-" },  { 0x2013, "-" },
    { 0x2014, "-" },  { 0x2015, "-" },  { 0x2212, "-" },  { 0x2026, "..." }, { 0x2022, "*" }, { 0x202f, " " },
    { 0x2007, " " },  { 0x2009, " " },  { 0x200b, "" },   { 0xfeff, "" },   { 0x2032, "'" },  { 0x2033, "\"" },
    { 0xd7, "x" },    { 0xa9, "(c)" },  { 0xae, "(R)" },  { 0x2122, "TM" }, { '\t', " " },
    { 0xe1, "a" },    { 0xe2, "a" },    { 0xe3, "a" },    { 0xc1, "A" },    { 0xc0, "A" },    { 0xc2, "A" },
    { 0xc3, "A" },    { 0xe7, "c" },    { 0xea, "e" },    { 0xeb, "e" },    { 0xc8, "E" },    { 0xca, "E" },
    { 0xcb, "E" },    { 0xed, "i" },    { 0xee, "i" },    { 0xef, "i" },    { 0xcc, "I" },    { 0xcd, "I" },
    { 0xce, "I" },    { 0xcf, "I" },    { 0xf3, "o" },    { 0xf4, "o" },    { 0xf5, "o" },    { 0xd2, "O" },
    { 0xd3, "O" },    { 0xd4, "O" },    { 0xd5, "O" },    { 0xfa, "u" },    { 0xfb, "u" },    { 0xd9, "U" },
    { 0xda, "U" },    { 0xdb, "U" },    { 0xfd, "y" },    { 0xff, "y" },    { 0xdd, "Y" },    { 0x105, "a" },
    { 0x107, "c" },   { 0x10d, "c" },   { 0x10f, "d" },   { 0x119, "e" },   { 0x11b, "e" },   { 0x11f, "g" },
    { 0x131, "i" },   { 0x130, "I" },   { 0x142, "l" },   { 0x144, "n" },   { 0x148, "n" },   { 0x151, "o" },
    { 0x153, "oe" },  { 0x159, "r" },   { 0x15b, "s" },   { 0x15f, "s" },   { 0x161, "s" },   { 0x165, "t" },
    { 0x16f, "u" },   { 0x171, "u" },   { 0x17a, "z" },   { 0x17c, "z" },   { 0x17e, "z" },   { 0x104, "A" },
    { 0x106, "C" },   { 0x10c, "C" },   { 0x118, "E" },   { 0x141, "L" },   { 0x143, "N" },   { 0x15a, "S" },
    { 0x15e, "S" },   { 0x160, "S" },   { 0x158, "R" },   { 0x179, "Z" },   { 0x17b, "Z" },   { 0x17d, "Z" },
};

void sms_text_to_gsm(struct bytes *out, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t from = at;
        uint32_t c = utf8_next(text, len, &at);
        const char *as = NULL;
        for (size_t i = 0; !septets(c) && !as && i < sizeof likeness / sizeof *likeness; i++)
            if (likeness[i].code == c)
                as = likeness[i].as;
        if (as)
            bytes_append_text(out, as);
        else
            bytes_append(out, text + from, at - from);
    }
}

void sms_text_ucs2_hex(struct bytes *out, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        uint32_t c = utf8_next(text, len, &at);
        if (c > 0xffff) {
            c -= 0x10000;
            bytes_printf(out, "%04X%04X", (unsigned)(0xd800 + (c >> 10)), (unsigned)(0xdc00 + (c & 0x3ff)));
        } else {
            bytes_printf(out, "%04X", (unsigned)c);
        }
    }
}
