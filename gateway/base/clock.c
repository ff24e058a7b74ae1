/* SPDX-License-Identifier: MIT */
/* See clock.h. */
#include "gateway/base/clock.h"

#include <stddef.h>
#include <time.h>

#include "gateway/base/check.h"

static uint64_t real_mono_ms(const struct clock *c)
{
    (void)c;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int64_t real_unix_us(const struct clock *c)
{
    (void)c;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

const struct clock *clock_real(void)
{
    static const struct clock real = {real_mono_ms, real_unix_us};
    return &real;
}

static uint64_t fake_mono_ms(const struct clock *c)
{
    return container_of(c, struct clock_fake, clock)->now_mono_ms;
}

static int64_t fake_unix_us(const struct clock *c)
{
    return container_of(c, struct clock_fake, clock)->now_unix_us;
}

void clock_fake_init(struct clock_fake *f)
{
    *f = (struct clock_fake){{fake_mono_ms, fake_unix_us}, 1000000, 1893456000000000};
}

void clock_fake_advance(struct clock_fake *f, uint64_t ms)
{
    f->now_mono_ms += ms;
    f->now_unix_us += (int64_t)ms * 1000;
}
