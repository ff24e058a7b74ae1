/* SPDX-License-Identifier: MIT */
/* See utf8.h. Surrogates, overlong forms and what lies above U+10FFFF are not valid. */
#include "gateway/base/utf8.h"

/* Length of the sequence at p (1 to 4), its code point in *code; 0: not valid. */
static size_t decode_one(const unsigned char *p, size_t len, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char c = p[0];
    if (c < 0x80) {
        *code = c;
        return 1;
    }
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || len < n)
        return 0;
    uint32_t v = c & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3f);
    }
    if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return 0;
    *code = v;
    return n;
}

bool utf8_valid(const char *data, size_t len)
{
    const unsigned char *p = (const unsigned char *)data;
    uint32_t code;
    for (size_t i = 0; i < len;) {
        size_t n = decode_one(p + i, len - i, &code);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t utf8_count(const char *data, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)data[i] & 0xc0) != 0x80;
    return count;
}

uint32_t utf8_next(const char *data, size_t len, size_t *at)
{
    uint32_t code = 0xfffd;
    size_t n = decode_one((const unsigned char *)data + *at, len - *at, &code);
    *at += n ? n : 1;
    return code;
}

size_t utf8_put(char out[4], uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((0xf00u >> n & 0xff) | code);
    return n;
}

size_t utf8_cut(const char *data, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)data[max] & 0xc0) == 0x80)
        max--;
    return max;
}
