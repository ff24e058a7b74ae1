/* SPDX-License-Identifier: MIT */
/* Written here because OpenSSL's decoder accepts what RFC 6120 6.4.2 wants refused (white space,
 * stray bits), and SASL must answer incorrect-encoding to those. */
#include "gateway/base/base64.h"

#include <stdint.h>
#include <string.h>

static const char plain_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(struct bytes *out, const unsigned char *p, size_t len, const char *letters,
                   bool pad)
{
    bytes_reserve(out, len / 3 * 4 + 4);
    for (; len >= 3; len -= 3, p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        char four[4] = {letters[v >> 18], letters[v >> 12 & 63], letters[v >> 6 & 63],
                        letters[v & 63]};
        bytes_append(out, four, 4);
    }
    if (len == 0)
        return;
    uint32_t v = (uint32_t)p[0] << 16 | (len == 2 ? (uint32_t)p[1] << 8 : 0);
    char four[4] = {letters[v >> 18], letters[v >> 12 & 63], len == 2 ? letters[v >> 6 & 63] : '=',
                    '='};
    bytes_append(out, four, pad ? 4 : len + 1);
}

void base64_encode(struct bytes *out, const void *data, size_t len)
{
    encode(out, data, len, plain_letters, true);
}

void base64_encode_url(struct bytes *out, const void *data, size_t len)
{
    encode(out, data, len, url_letters, false);
}

static int value_of(char c, const char *letters)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == letters[62])
        return 62;
    return c == letters[63] ? 63 : -1;
}

/* `len` letters, padding already taken off. */
static bool decode(struct bytes *out, const char *text, size_t len, const char *letters)
{
    if (len % 4 == 1)
        return false;
    size_t before = out->len;
    uint32_t v = 0;
    int bits = 0;
    for (size_t i = 0; i < len; i++) {
        int d = value_of(text[i], letters);
        if (d < 0) {
            out->len = before;
            return false;
        }
        v = v << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes_append_char(out, (char)(v >> bits));
            v &= (1u << bits) - 1;
        }
    }
    if (v != 0) { /* stray bits */
        out->len = before;
        return false;
    }
    bytes_reserve(out, 0);
    out->data[out->len] = '\0';
    return true;
}

bool base64_decode(struct bytes *out, const char *text, size_t len)
{
    if (len % 4 != 0)
        return false;
    size_t letters = len;
    for (int i = 0; i < 2 && letters && text[letters - 1] == '='; i++)
        letters--;
    return decode(out, text, letters, plain_letters);
}

bool base64_decode_url(struct bytes *out, const char *text, size_t len)
{
    return decode(out, text, len, url_letters);
}

void base64_hex(struct bytes *out, const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = data;
    bytes_reserve(out, len * 2);
    for (size_t i = 0; i < len; i++) {
        bytes_append_char(out, digits[p[i] >> 4]);
        bytes_append_char(out, digits[p[i] & 15]);
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool base64_unhex(struct bytes *out, const char *text, size_t len)
{
    if (len % 2)
        return false;
    for (size_t i = 0; i < len; i++)
        if (hex_value(text[i]) < 0)
            return false;
    for (size_t i = 0; i < len; i += 2)
        bytes_append_char(out, (char)(hex_value(text[i]) << 4 | hex_value(text[i + 1])));
    return true;
}
