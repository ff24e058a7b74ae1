/* SPDX-License-Identifier: MIT */
/* Bits go through a window from the highest down; what is left at the end must be zero. */
#include "gateway/base/base32.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

void base32_encode(struct bytes *out, const void *data, size_t len)
{
    const unsigned char *in = data;
    unsigned have = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | in[i];
        for (have += 8; have >= 5; have -= 5)
            bytes_append_char(out, digits[bits >> (have - 5) & 31]);
    }
    if (have)
        bytes_append_char(out, digits[bits << (5 - have) & 31]);
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        c = (char)(c - 'A' + 'a');
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool undo(struct bytes *out, size_t before)
{
    out->len = before;
    if (out->data)
        out->data[before] = 0;
    return false;
}

bool base32_decode(struct bytes *out, const char *text, size_t len)
{
    size_t before = out->len;
    unsigned have = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        int v = value_of(text[i]);
        if (v < 0)
            return undo(out, before);
        bits = bits << 5 | (uint32_t)v;
        have += 5;
        if (have >= 8) {
            bytes_append_char(out, (char)(bits >> (have - 8) & 255));
            have -= 8;
        }
    }
    return (have < 5 && !(bits & ((1u << have) - 1))) || undo(out, before);
}
