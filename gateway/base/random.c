/* SPDX-License-Identifier: MIT */
/* getrandom(2), through a buffer a thread: one system call serves many identifiers. */
#include "gateway/base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "gateway/base/check.h"

static _Thread_local struct {
    unsigned char data[512];
    size_t left;
} pool;

static void from_kernel(unsigned char *out, size_t len)
{
    while (len) {
        ssize_t n = getrandom(out, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        CHECK(n > 0);
        out += n;
        len -= (size_t)n;
    }
}

void random_bytes(void *out, size_t len)
{
    if (len > sizeof pool.data / 4) {
        from_kernel(out, len);
        return;
    }
    if (pool.left < len) {
        from_kernel(pool.data, sizeof pool.data);
        pool.left = sizeof pool.data;
    }
    pool.left -= len;
    memcpy(out, pool.data + pool.left, len);
    explicit_bzero(pool.data + pool.left, len);
}

uint32_t random_below(uint32_t bound)
{
    CHECK(bound > 0);
    uint32_t limit = UINT32_MAX - UINT32_MAX % bound;
    uint32_t r;
    do
        random_bytes(&r, sizeof r);
    while (r >= limit);
    return r % bound;
}

void random_id(char out[RANDOM_ID_LEN + 1])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char raw[RANDOM_ID_LEN];
    random_bytes(raw, sizeof raw);
    for (size_t i = 0; i < RANDOM_ID_LEN; i++)
        out[i] = letters[raw[i] & 63];
    out[RANDOM_ID_LEN] = '\0';
}
