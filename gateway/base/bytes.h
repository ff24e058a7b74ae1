/* SPDX-License-Identifier: MIT */
/* `struct bytes`: a buffer that grows; `struct span`: a borrowed piece of somebody's memory. */
#ifndef CAUSEWAY_BASE_BYTES_H
#define CAUSEWAY_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "gateway/base/check.h"

struct span {
    const char *data; /* NULL only when len is 0 */
    size_t len;
};

struct bytes {
    char *data; /* always NUL-terminated behind len once anything was appended */
    size_t len, cap;
};

#define BYTES_EMPTY ((struct bytes){0})
#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})

struct span span_of(const char *text); /* NULL gives an empty span */
bool span_eq(struct span a, struct span b);
bool span_eq_text(struct span a, const char *text);

void bytes_fini(struct bytes *b); /* b is empty and usable again */
void bytes_clear(struct bytes *b); /* keeps the memory */
void bytes_grow(struct bytes *b, size_t more); /* of bytes_reserve */
/* Room for `more` and the closing NUL. */
static inline void bytes_reserve(struct bytes *b, size_t more)
{
    if (more >= b->cap - b->len) /* cap 0: len 0 */
        bytes_grow(b, more);
}
static inline void bytes_append(struct bytes *b, const void *data, size_t len)
{
    bytes_reserve(b, len);
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}
static inline void bytes_append_text(struct bytes *b, const char *text)
{
    bytes_append(b, text, strlen(text));
}
static inline void bytes_append_char(struct bytes *b, char c)
{
    bytes_append(b, &c, 1);
}
/* The `n` (at most 8) low bytes of `v`, the lowest first; and back. */
void bytes_append_le(struct bytes *b, uint64_t v, unsigned n);
uint64_t bytes_read_le(const void *at, unsigned n);
void bytes_printf(struct bytes *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Drops `len` bytes at the front. */
void bytes_drop(struct bytes *b, size_t len);
/* Gives the memory away (free with mem_free); b is empty afterwards. Never NULL. */
char *bytes_take(struct bytes *b);
const char *bytes_text(const struct bytes *b); /* never NULL */
struct span bytes_span(const struct bytes *b);

#endif
