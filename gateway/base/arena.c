/* SPDX-License-Identifier: MIT */
/* Chunks double up to 64 KiB; a request larger than half a chunk gets a chunk of its own, so that
 * one large text does not waste the rest of the newest chunk.
 *
 * Every stanza and every event takes a chunk or two, many live at once, and malloc's own cache holds
 * seven of a size: so each thread keeps the small chunks that it gave back. Not under a sanitizer,
 * which shall see them go. A thread that ends does not give them to the others: ours end with the
 * process. */
#include "gateway/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"

enum {
    FIRST_BYTES = 1024,
    LARGEST_BYTES = 65536,
    GRAIN_BYTES = 256,   /* chunks that are kept differ in size by this much */
    KEPT_GRAINS = 8,     /* larger ones are not kept */
    KEPT_OF_A_SIZE = 128 /* 1.2 MiB a thread at most */
};

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* of data */
    alignas(max_align_t) char data[];
};

#ifdef CAUSEWAY_SANITIZED
enum { IS_KEEPING = 0 };
#else
enum { IS_KEEPING = 1 };
#endif

/* The one mutable global of this folder: nobody can see it but by the time that it saves. */
static _Thread_local struct kept {
    struct arena_chunk *first;
    unsigned count;
} kept[KEPT_GRAINS + 1]; /* by grains; 0 is not used */

static struct arena_chunk *chunk_take(size_t *bytes)
{
    size_t grains = (*bytes + GRAIN_BYTES - 1) / GRAIN_BYTES;
    if (!IS_KEEPING || grains > KEPT_GRAINS)
        return mem_raw(*bytes);
    *bytes = grains * GRAIN_BYTES;
    struct kept *k = &kept[grains];
    struct arena_chunk *c = k->first;
    if (!c)
        return mem_raw(*bytes);
    k->first = c->older;
    k->count--;
    return c;
}

static void chunk_give(struct arena_chunk *c)
{
    size_t grains = (sizeof *c + c->size) / GRAIN_BYTES;
    if (!IS_KEEPING || grains > KEPT_GRAINS || kept[grains].count == KEPT_OF_A_SIZE) {
        mem_free(c);
        return;
    }
    c->older = kept[grains].first;
    kept[grains].first = c;
    kept[grains].count++;
}

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

static struct arena_chunk *chunk_create(struct arena *a, size_t size)
{
    size_t bytes = sizeof(struct arena_chunk) + size;
    struct arena_chunk *c = chunk_take(&bytes);
    c->size = bytes - sizeof *c;
    a->total_bytes += bytes;
    return c;
}

static void add_newest(struct arena *a, size_t size)
{
    struct arena_chunk *c = chunk_create(a, size);
    c->older = a->chunks;
    a->chunks = c;
    a->next = c->data;
    a->end = c->data + c->size;
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
        chunk_give(c);
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
    void *p = alloc_aligned(a, size, alignof(max_align_t));
    memset(p, 0, size);
    return p;
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

char *arena_dup_or_null(struct arena *a, const char *text)
{
    return text ? arena_dup(a, text) : NULL;
}

const char *const *arena_dup_texts(struct arena *a, const char *const *texts)
{
    size_t n = 0;
    while (texts && texts[n])
        n++;
    if (!texts)
        return NULL;
    const char **to = arena_alloc(a, (n + 1) * sizeof *to);
    for (size_t i = 0; i < n; i++)
        to[i] = arena_dup(a, texts[i]);
    return to;
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
