/* SPDX-License-Identifier: MIT */
/* Time, given to whoever needs it, so that a test can hold it still and move it.
 * Monotonic time drives timers; wall time goes into stamps; they are never mixed. */
#ifndef CAUSEWAY_BASE_CLOCK_H
#define CAUSEWAY_BASE_CLOCK_H

#include <stdint.h>

struct clock {
    uint64_t (*mono_ms)(const struct clock *c);
    int64_t (*unix_us)(const struct clock *c); /* microseconds since 1970, UTC */
};

/* The machine's clock. */
const struct clock *clock_real(void);

static inline uint64_t clock_mono_ms(const struct clock *c)
{
    return c->mono_ms(c);
}

static inline int64_t clock_unix_us(const struct clock *c)
{
    return c->unix_us(c);
}

/* A clock that stands still until it is moved. Any thread may read it while one moves it. */
struct clock_fake {
    struct clock clock; /* first: &f.clock is the clock to hand out */
    _Atomic uint64_t now_mono_ms;
    _Atomic int64_t now_unix_us;
};

/* Starts at 2030-01-01T00:00:00Z. */
void clock_fake_init(struct clock_fake *f);
void clock_fake_advance(struct clock_fake *f, uint64_t ms);

#endif
