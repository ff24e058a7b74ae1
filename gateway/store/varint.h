/* SPDX-License-Identifier: MIT */
/* Numbers of variable length inside rows: seven bits a byte, the lowest first; the highest bit says
 * that more follow. Zigzag folds the sign of a difference into the lowest bit. Differences are taken
 * modulo 2^64, so that any two numbers survive. Internal to gateway/store. */
#ifndef CAUSEWAY_STORE_VARINT_H
#define CAUSEWAY_STORE_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/bytes.h"

enum { VARINT_MOST = 10 };

/* At most VARINT_MOST bytes; returns what follows. */
static inline char *varint_put(char *at, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *at++ = (char)(v | 0x80);
    *at++ = (char)v;
    return at;
}

/* false: `in` does not begin with a number. */
static inline bool varint_take(struct span *in, uint64_t *v)
{
    *v = 0;
    for (unsigned shift = 0; shift < 64 && in->len; shift += 7) {
        unsigned char byte = (unsigned char)*in->data;
        in->data++;
        in->len--;
        *v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static inline uint64_t varint_zigzag(uint64_t difference)
{
    return difference << 1 ^ (difference >> 63 ? UINT64_MAX : 0);
}

static inline uint64_t varint_unzigzag(uint64_t v)
{
    return v >> 1 ^ (v & 1 ? UINT64_MAX : 0);
}

#endif
