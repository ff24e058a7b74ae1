/* SPDX-License-Identifier: MIT */
/* A kept message by its seq, whether it stands in a pack or in a row of its own. Internal to
 * gateway/store; any store thread. */
#ifndef CAUSEWAY_STORE_KEPT_H
#define CAUSEWAY_STORE_KEPT_H

#include "gateway/base/bytes.h"
#include "gateway/store/indexer.h"
#include "gateway/store/store.h"

/* What a row of the journal says of its message; select these columns first. */
#define KEPT_COLUMNS "seq, kept_us, first_us, archive1, peer1, archive2, peer2, queue1, queue2"
struct index_entry kept_entry(struct store_rows *r);

/* A message as it stands in the store. */
struct kept_row {
    struct index_entry entry; /* seq 0: there is no such message */
    struct span xml;          /* borrowed until kept_end */
    struct store_rows *rows;
};

/* By seq, wherever it is. On success kept_end is due. */
MUST_USE bool kept_find(struct store_tx *tx, uint64_t seq, struct kept_row *out, struct error *e);
void kept_end(struct kept_row *row);

/* When the newest message not above `seq` was committed, packed or not; 0: there is none. */
MUST_USE bool kept_time(struct store_tx *tx, int64_t seq, int64_t *kept_us, struct error *e);

#endif
