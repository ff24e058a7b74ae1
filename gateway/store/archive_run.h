/* SPDX-License-Identifier: MIT */
/* A run: up to RUN_MOST neighbours of one owner's archive in one row, because a row a message costs
 * the writer more than the message itself. The newest stands in the row's columns; `older` holds the
 * rest, newest first, each as three differences to the one behind it (seq, peer, first_us) in
 * variable-length numbers, the last two zigzag. Any thread. */
#ifndef CAUSEWAY_STORE_ARCHIVE_RUN_H
#define CAUSEWAY_STORE_ARCHIVE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/bytes.h"
#include "gateway/store/store.h"

enum { RUN_MOST = 100 }; /* some 700 bytes: it stays inside its page */

struct archive_entry {
    uint64_t seq;
    int64_t peer, first_us;
};

/* Appends the encoding of `older`, which stands before `newer` in its archive. */
void archive_run_put(struct bytes *out, const struct archive_entry *newer,
                     const struct archive_entry *older);
/* `run[0]` is given; fills the rest from `older`, newest first, and returns how many there are in
 * all; 0: these are not the bytes of a run. */
MUST_USE unsigned archive_run_read(struct archive_entry run[RUN_MOST], struct span older);
/* The same of a row whose columns are seq, peer, first_us, older. */
MUST_USE unsigned archive_run_row(struct store_rows *r, struct archive_entry run[RUN_MOST]);

#endif
