/* SPDX-License-Identifier: MIT */
/* See mem.h. */
#include "gateway/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"

enum { SMALL_BYTES = 1024 };

void *mem_raw(size_t size)
{
    void *p = malloc(size ? size : 1);
    CHECK(p != NULL);
    return p;
}

/* glibc's calloc passes by the thread's cache, and zeroes nothing that comes fresh from the system. */
void *mem_alloc(size_t size)
{
    if (size <= SMALL_BYTES)
        return memset(mem_raw(size), 0, size);
    void *p = calloc(1, size);
    CHECK(p != NULL);
    return p;
}

void *mem_array(size_t count, size_t size)
{
    CHECK(size == 0 || count <= SIZE_MAX / size);
    return mem_alloc(count * size);
}

void *mem_grow(void *old, size_t new_size)
{
    void *p = realloc(old, new_size ? new_size : 1);
    CHECK(p != NULL);
    return p;
}

void mem_free(void *p)
{
    free(p);
}

char *mem_dup_n(const char *data, size_t len)
{
    char *copy = mem_raw(len + 1);
    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

char *mem_dup(const char *text)
{
    return mem_dup_n(text, strlen(text));
}

void mem_wipe(void *p, size_t len)
{
    explicit_bzero(p, len);
}
