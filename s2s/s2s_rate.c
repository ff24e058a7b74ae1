/* SPDX-License-Identifier: MIT */
/* Decided here: how credit comes back. */
#include "s2s/s2s_rate.h"

enum { BURST_S = 2, FULL_AFTER_MS = 3600000 };

static int64_t most(uint64_t per_s)
{
    return (int64_t)per_s * BURST_S * 1000;
}

static int64_t earned(int64_t credit, uint64_t per_s, uint64_t ms)
{
    int64_t sum = credit + (int64_t)(per_s * (ms > FULL_AFTER_MS ? FULL_AFTER_MS : ms));
    return sum > most(per_s) ? most(per_s) : sum;
}

/* A thousandth a second is one a millisecond. */
static void earn(struct s2s_rate *r, uint64_t now_ms)
{
    uint64_t ms = now_ms > r->at_ms ? now_ms - r->at_ms : 0;
    r->stanzas = earned(r->stanzas, r->limits.stanzas_per_s, ms);
    r->bytes = earned(r->bytes, r->limits.bytes_per_s, ms);
    r->at_ms = now_ms;
}

void s2s_rate_init(struct s2s_rate *r, struct s2s_rate_limits limits, uint64_t now_ms)
{
    *r = (struct s2s_rate){.limits = limits,
                           .stanzas = most(limits.stanzas_per_s),
                           .bytes = most(limits.bytes_per_s),
                           .at_ms = now_ms};
}

static uint64_t until_credit(int64_t credit, uint64_t per_s)
{
    return credit >= 0 ? 0 : ((uint64_t)-credit + per_s - 1) / per_s;
}

uint64_t s2s_rate_spend(struct s2s_rate *r, size_t bytes, uint64_t now_ms)
{
    uint64_t a = 0, b = 0;
    earn(r, now_ms);
    if (r->limits.stanzas_per_s) {
        r->stanzas -= 1000;
        a = until_credit(r->stanzas, r->limits.stanzas_per_s);
    }
    if (r->limits.bytes_per_s) {
        r->bytes -= (int64_t)bytes * 1000;
        b = until_credit(r->bytes, r->limits.bytes_per_s);
    }
    return a > b ? a : b;
}

bool s2s_rate_is_full(struct s2s_rate *r, uint64_t now_ms)
{
    earn(r, now_ms);
    return r->stanzas == most(r->limits.stanzas_per_s) && r->bytes == most(r->limits.bytes_per_s);
}
