/* SPDX-License-Identifier: MIT */
/* See bytes.h. Capacity doubles; one byte is always kept for the closing NUL. */
#include "gateway/base/bytes.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"

struct span span_of(const char *text)
{
    return text ? (struct span){text, strlen(text)} : (struct span){0};
}

bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool span_eq_text(struct span a, const char *text)
{
    return span_eq(a, span_of(text));
}

void bytes_fini(struct bytes *b)
{
    mem_free(b->data);
    *b = BYTES_EMPTY;
}

void bytes_clear(struct bytes *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

void bytes_grow(struct bytes *b, size_t more)
{
    CHECK(more < SIZE_MAX / 4 && b->len < SIZE_MAX / 4);
    size_t need = b->len + more + 1;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap *= 2;
    b->data = mem_grow(b->data, cap);
    b->cap = cap;
    b->data[b->len] = '\0';
}

void bytes_append_le(struct bytes *b, uint64_t v, unsigned n)
{
    unsigned char le[8];
    CHECK(n <= sizeof le);
    for (unsigned i = 0; i < n; i++)
        le[i] = (unsigned char)(v >> (8 * i));
    bytes_append(b, le, n);
}

uint64_t bytes_read_le(const void *at, unsigned n)
{
    const unsigned char *le = at;
    uint64_t v = 0;
    while (n--)
        v = v << 8 | le[n];
    return v;
}

void bytes_printf(struct bytes *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    CHECK(len >= 0);
    bytes_reserve(b, (size_t)len);
    vsnprintf(b->data + b->len, (size_t)len + 1, fmt, again);
    va_end(again);
    b->len += (size_t)len;
}

void bytes_drop(struct bytes *b, size_t len)
{
    CHECK(len <= b->len);
    if (len == 0)
        return;
    b->len -= len;
    memmove(b->data, b->data + len, b->len);
    b->data[b->len] = '\0';
}

char *bytes_take(struct bytes *b)
{
    bytes_reserve(b, 0);
    b->data[b->len] = '\0';
    char *data = b->data;
    *b = BYTES_EMPTY;
    return data;
}

const char *bytes_text(const struct bytes *b)
{
    return b->data ? b->data : "";
}

struct span bytes_span(const struct bytes *b)
{
    return (struct span){b->data, b->len};
}
