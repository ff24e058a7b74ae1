/* SPDX-License-Identifier: MIT */
/* See mem.h. */
#include "gateway/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"

void *mem_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
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
    char *copy = mem_alloc(len + 1);
    if (len)
        memcpy(copy, data, len);
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
