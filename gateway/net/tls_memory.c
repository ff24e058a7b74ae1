/* SPDX-License-Identifier: MIT */
/* OpenSSL's record buffers come from a few blocks that each thread keeps. Idle links give their two
 * buffers of 16 KiB back after each record (SSL_MODE_RELEASE_BUFFERS), so a busy loop takes and
 * returns one a record; malloc has no cache for blocks of that size, merges them with their
 * neighbours and takes them apart again, which cost more than the record's cipher. Not under a
 * sanitizer, which shall see them go. */
#include <malloc.h>

#include <openssl/crypto.h>

#include "gateway/base/mem.h"
#include "gateway/net/tls.h"

enum {
    BLOCK_BYTES = 18 * 1024,
    LEAST_BYTES = 16 * 1024, /* smaller ones are malloc's */
    KEPT_MOST = 8            /* one or two are in use at a time: 144 KiB a thread at most */
};

#ifndef CAUSEWAY_SANITIZED

struct block {
    struct block *next;
};

/* Nobody can see it but by the time that it saves. */
static _Thread_local struct kept {
    struct block *first;
    unsigned count;
} kept;

static void *block_take(void)
{
    struct block *b = kept.first;
    if (!b)
        return mem_raw(BLOCK_BYTES);
    kept.first = b->next;
    kept.count--;
    return b;
}

static void *take(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return size >= LEAST_BYTES && size <= BLOCK_BYTES ? block_take() : mem_raw(size);
}

static void *resize(void *p, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return mem_grow(p, size);
}

/* A block is known by its usable size; another allocation of that very size is as good. */
static void give(void *p, const char *file, int line)
{
    (void)file, (void)line;
    size_t usable = p ? malloc_usable_size(p) : 0;
    if (usable < BLOCK_BYTES || usable >= BLOCK_BYTES + 64 || kept.count == KEPT_MOST) {
        mem_free(p);
        return;
    }
    struct block *b = p;
    b->next = kept.first;
    kept.first = b;
    kept.count++;
}

void tls_memory_init(void)
{
    (void)CRYPTO_set_mem_functions(take, resize, give); /* too late: only slower */
}

#else

void tls_memory_init(void)
{
}

#endif
