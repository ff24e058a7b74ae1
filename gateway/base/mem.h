/* SPDX-License-Identifier: MIT */
/* Heap memory that cannot fail: sizes from a peer are bounded before they are allocated, and when
 * the machine has no memory left the process ends: what it has acknowledged is on disk.
 * The only callers of malloc in the product are here. */
#ifndef CAUSEWAY_BASE_MEM_H
#define CAUSEWAY_BASE_MEM_H

#include <stddef.h>

/* Zeroed memory; free with mem_free. */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
/* As it comes, for who writes all of it. */
void *mem_raw(size_t size) __attribute__((malloc, returns_nonnull));
/* Zeroed memory for `count` objects of `size`; the product is checked. */
void *mem_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_grow(void *old, size_t new_size) __attribute__((returns_nonnull));
void mem_free(void *p);
char *mem_dup(const char *text) __attribute__((malloc, returns_nonnull));
char *mem_dup_n(const char *data, size_t len) __attribute__((malloc, returns_nonnull));
/* Overwrites `len` bytes in a way that the compiler keeps: for keys and passwords. */
void mem_wipe(void *p, size_t len);

#define mem_new(type) ((type *)mem_alloc(sizeof(type)))

#endif
