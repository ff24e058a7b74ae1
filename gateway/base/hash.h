/* SPDX-License-Identifier: MIT */
/* SipHash-1-3 under a key drawn at the first use: for hash tables, not for secrets that last. */
#ifndef CAUSEWAY_BASE_HASH_H
#define CAUSEWAY_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *data, size_t len);
uint64_t hash_text(const char *text);
/* The same in every process and for ever (FNV-1a): for splitting by bare JID and for jitter. */
uint64_t hash_stable(const char *text);

#endif
