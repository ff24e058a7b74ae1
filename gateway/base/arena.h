/* SPDX-License-Identifier: MIT */
/* An arena: memory that is handed out piece by piece and given back as a whole. One event, one
 * stanza or one request has one; nothing inside it is freed, grows or outlives it. */
#ifndef CAUSEWAY_BASE_ARENA_H
#define CAUSEWAY_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "gateway/base/check.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    char *next, *end;           /* free part of the newest chunk */
    size_t total_bytes;         /* taken from the heap so far: what the object costs */
};

void arena_init(struct arena *a);
/* As arena_init, with the first chunk sized for `hint` bytes: one allocation for what is known. */
void arena_init_sized(struct arena *a, size_t hint);
void arena_fini(struct arena *a);

/* Zeroed, aligned for any object. Never NULL. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));
/* A NUL-terminated copy. */
char *arena_dup(struct arena *a, const char *text) __attribute__((returns_nonnull));
char *arena_dup_n(struct arena *a, const char *data, size_t len) __attribute__((returns_nonnull));
/* NULL stays NULL. */
char *arena_dup_or_null(struct arena *a, const char *text);
/* A list that ends with NULL, with its texts. NULL stays NULL. */
const char *const *arena_dup_texts(struct arena *a, const char *const *texts);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
