/* SPDX-License-Identifier: MIT */
/* How much a remote domain may bring: two token buckets, of stanzas and of bytes, that hold two seconds' worth. Who
 * overdraws them is not read until they are in credit again; nothing is dropped. PURE. */
#ifndef CAUSEWAY_S2S_S2S_RATE_H
#define CAUSEWAY_S2S_S2S_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct s2s_rate_limits {
    uint64_t stanzas_per_s, bytes_per_s; /* 0: any number */
};

struct s2s_rate {
    struct s2s_rate_limits limits;
    int64_t stanzas, bytes; /* credit, in thousandths; below 0: overdrawn */
    uint64_t at_ms;         /* of that */
};

void s2s_rate_init(struct s2s_rate *r, struct s2s_rate_limits limits, uint64_t now_ms);
/* A stanza of that size has come. How long nothing more may be read; 0: it may. */
uint64_t s2s_rate_spend(struct s2s_rate *r, size_t bytes, uint64_t now_ms);
/* Is it as if nothing had ever come? */
bool s2s_rate_is_full(struct s2s_rate *r, uint64_t now_ms);

#endif
