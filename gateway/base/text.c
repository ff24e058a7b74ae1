/* SPDX-License-Identifier: MIT */
/* See text.h. */
#include "gateway/base/text.h"

#include <string.h>
#include <strings.h>

bool text_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool text_eq_nocase(const char *a, const char *b)
{
    return a == b || (a && b && strcasecmp(a, b) == 0);
}

bool text_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_copy(char *out, size_t cap, const char *from)
{
    size_t len = strlen(from);
    size_t n = len < cap ? len : cap - 1;
    memcpy(out, from, n);
    out[n] = '\0';
    return n == len;
}

bool text_to_u64(const char *text, uint64_t *out)
{
    uint64_t v = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

bool text_to_u32(const char *text, uint32_t *out)
{
    uint64_t v;
    if (!text_to_u64(text, &v) || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

bool text_eq_secret(const void *a, size_t a_len, const void *b, size_t b_len)
{
    if (a_len != b_len)
        return false;
    const volatile unsigned char *p = a, *q = b;
    unsigned char diff = 0;
    for (size_t i = 0; i < a_len; i++)
        diff |= p[i] ^ q[i];
    return diff == 0;
}

const char *text_skip_blank(const char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}
