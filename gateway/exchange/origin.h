/* SPDX-License-Identifier: MIT */
/* Where numbered messages come from: a pair of a domain of another community and one of ours, whose
 * gateway numbers what it keeps (urn:causeway:queue:1). What is taken once is not taken again. Internal
 * to gateway/exchange. */
#ifndef CAUSEWAY_EXCHANGE_ORIGIN_H
#define CAUSEWAY_EXCHANGE_ORIGIN_H

#include "gateway/exchange/exchange_internal.h"
#include "gateway/store/received.h"

struct origin;
struct origin_mark; /* a message that is on its way to what becomes of it */

/* A stanza from `remote` to `local` (st NULL: only word of what is settled). Takes over the settle's
 * count; the rest is borrowed. Any loop. */
struct origin_arrival {
    const char *remote, *local;
    uint64_t epoch;
    struct queue_id id; /* of st; seq 0: not numbered. st NULL: settled up to it */
};
void origin_receive(struct exchange *x, const struct origin_arrival *a, struct stanza *st, struct settle *s);
/* Inside the transaction that keeps what becomes of the message. */
MUST_USE bool origin_mark_put(struct store_tx *tx, const struct origin_mark *m, struct error *e);
void origin_destroy(struct origin **o); /* after the shard's persons and pairs */

#endif
