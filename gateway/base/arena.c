/* SPDX-License-Identifier: MIT */
/* Chunks double up to 64 KiB; a request larger than half a chunk gets a chunk of its own, so that
 * one large text does not waste the rest of the newest chunk. */
#include "gateway/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"

enum { FIRST_BYTES = 1024, LARGEST_BYTES = 65536 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

static struct arena_chunk *chunk_create(struct arena *a, size_t size)
{
    struct arena_chunk *c = mem_alloc(sizeof *c + size);
    c->size = size;
    a->total_bytes += sizeof *c + size;
    return c;
}

static void add_newest(struct arena *a, size_t size)
{
    struct arena_chunk *c = chunk_create(a, size);
    c->older = a->chunks;
    a->chunks = c;
    a->next = c->data;
    a->end = c->data + size;
}

void arena_init_sized(struct arena *a, size_t hint)
{
    arena_init(a);
    add_newest(a, hint < 64 ? 64 : hint);
}

void arena_fini(struct arena *a)
{
    struct arena_chunk *c = a->chunks;
    while (c) {
        struct arena_chunk *older = c->older;
        mem_free(c);
        c = older;
    }
    arena_init(a);
}

static void *alloc_aligned(struct arena *a, size_t size, size_t align)
{
    CHECK(size <= SIZE_MAX / 4);
    size_t pad = (size_t)(-(uintptr_t)a->next & (align - 1));
    if (a->next && size + pad <= (size_t)(a->end - a->next)) {
        char *p = a->next + pad;
        a->next = p + size;
        return p;
    }
    size_t want = a->chunks ? a->chunks->size * 2 : FIRST_BYTES;
    if (want > LARGEST_BYTES)
        want = LARGEST_BYTES;
    if (a->chunks && size > want / 2) { /* a chunk of its own, behind the newest */
        struct arena_chunk *own = chunk_create(a, size);
        own->older = a->chunks->older;
        a->chunks->older = own;
        return own->data;
    }
    add_newest(a, size > want ? size : want);
    char *p = a->next;
    a->next += size;
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return alloc_aligned(a, size, alignof(max_align_t));
}

char *arena_dup_n(struct arena *a, const char *data, size_t len)
{
    char *copy = alloc_aligned(a, len + 1, 1);
    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

char *arena_dup(struct arena *a, const char *text)
{
    return arena_dup_n(a, text, strlen(text));
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);
    CHECK(len >= 0);
    char *out = alloc_aligned(a, (size_t)len + 1, 1);
    vsnprintf(out, (size_t)len + 1, fmt, again);
    va_end(again);
    return out;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *out = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return out;
}
