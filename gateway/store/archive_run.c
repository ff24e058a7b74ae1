/* SPDX-License-Identifier: MIT */
/* See archive_run.h. */
#include "gateway/store/archive_run.h"

#include "gateway/store/varint.h"

void archive_run_put(struct bytes *out, const struct archive_entry *newer, const struct archive_entry *older)
{
    char text[3 * VARINT_MOST], *at = text;
    at = varint_put(at, newer->seq - older->seq);
    at = varint_put(at, varint_zigzag((uint64_t)newer->peer - (uint64_t)older->peer));
    at = varint_put(at, varint_zigzag((uint64_t)newer->first_us - (uint64_t)older->first_us));
    bytes_append(out, text, (size_t)(at - text));
}

unsigned archive_run_read(struct archive_entry run[RUN_MOST], struct span older)
{
    unsigned count = 1;
    for (; older.len; count++) {
        uint64_t seq, peer, first;
        if (count == RUN_MOST || !varint_take(&older, &seq) || !varint_take(&older, &peer) ||
            !varint_take(&older, &first))
            return 0;
        const struct archive_entry *newer = &run[count - 1];
        if (seq == 0 || seq >= newer->seq)
            return 0;
        run[count] = (struct archive_entry){
            .seq = newer->seq - seq,
            .peer = (int64_t)((uint64_t)newer->peer - varint_unzigzag(peer)),
            .first_us = (int64_t)((uint64_t)newer->first_us - varint_unzigzag(first)),
        };
    }
    return count;
}

unsigned archive_run_row(struct store_rows *r, struct archive_entry run[RUN_MOST])
{
    run[0] = (struct archive_entry){(uint64_t)store_int(r, 0), store_int(r, 1), store_int(r, 2)};
    return archive_run_read(run, store_blob(r, 3));
}
