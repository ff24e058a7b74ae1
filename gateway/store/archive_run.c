/* SPDX-License-Identifier: MIT */
/* See archive_run.h. Differences are taken modulo 2^64, so that any three numbers survive. */
#include "gateway/store/archive_run.h"

static void put_number(struct bytes *out, uint64_t v)
{
    unsigned char text[10];
    size_t len = 0;
    for (; v >= 0x80; v >>= 7)
        text[len++] = (unsigned char)(v | 0x80);
    text[len++] = (unsigned char)v;
    bytes_append(out, text, len);
}

static uint64_t zigzag(uint64_t difference)
{
    return difference << 1 ^ (difference >> 63 ? UINT64_MAX : 0);
}

static uint64_t unzigzag(uint64_t v)
{
    return v >> 1 ^ (v & 1 ? UINT64_MAX : 0);
}

void archive_run_put(struct bytes *out, const struct archive_entry *newer, const struct archive_entry *older)
{
    put_number(out, newer->seq - older->seq);
    put_number(out, zigzag((uint64_t)newer->peer - (uint64_t)older->peer));
    put_number(out, zigzag((uint64_t)newer->first_us - (uint64_t)older->first_us));
}

static bool take_number(struct span *in, uint64_t *v)
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

unsigned archive_run_read(struct archive_entry run[RUN_MOST], struct span older)
{
    unsigned count = 1;
    for (; older.len; count++) {
        uint64_t seq, peer, first;
        if (count == RUN_MOST || !take_number(&older, &seq) || !take_number(&older, &peer) ||
            !take_number(&older, &first))
            return 0;
        const struct archive_entry *newer = &run[count - 1];
        if (seq == 0 || seq >= newer->seq)
            return 0;
        run[count] = (struct archive_entry){
            .seq = newer->seq - seq,
            .peer = (int64_t)((uint64_t)newer->peer - unzigzag(peer)),
            .first_us = (int64_t)((uint64_t)newer->first_us - unzigzag(first)),
        };
    }
    return count;
}

unsigned archive_run_row(struct store_rows *r, struct archive_entry run[RUN_MOST])
{
    run[0] = (struct archive_entry){(uint64_t)store_int(r, 0), store_int(r, 1), store_int(r, 2)};
    return archive_run_read(run, store_blob(r, 3));
}
