/* SPDX-License-Identifier: MIT */
/* Who waits for a peer that cannot be reached is told once, after a while: one notice a conversation and outage.
 * What waits is read from the store, so that nothing of it must be in memory. After a restart of the gateway an
 * outage counts as a new one. Loop: the pair's. */
#ifndef CAUSEWAY_S2S_S2S_NOTICE_H
#define CAUSEWAY_S2S_S2S_NOTICE_H

#include "gateway/net/timer.h"

struct s2s_way;

struct s2s_notice {
    const struct s2s_way *way;
    bool on;            /* there is an outage */
    bool reading, closed;
    uint64_t looked_at; /* rows up to this one have been looked at */
    uint64_t *told;     /* conversations, hashed; NULL: none */
    unsigned told_count;
    struct timer timer; /* the next row is due */
};

void s2s_notice_init(struct s2s_notice *n, const struct s2s_way *way);
void s2s_notice_fini(struct s2s_notice *n); /* not while it is reading */
void s2s_notice_close(struct s2s_notice *n); /* nobody is told any more */
/* An attempt failed, and more will be made. `oldest_us`: when the oldest that waits was kept; 0: not known. */
void s2s_notice_outage(struct s2s_notice *n, int64_t oldest_us);
void s2s_notice_kept(struct s2s_notice *n); /* another message waits now */
void s2s_notice_over(struct s2s_notice *n); /* the peer is there, or all was refused */

#endif
