/* SPDX-License-Identifier: MIT */
/* Settling: an edge hands a stanza in with a settle, and learns when all that must become of it has:
 * committed, refused to its sender with an error, or, where nothing is kept, handed on. Whoever takes
 * part in that holds a count; the last release settles. From it come the `h` of stream management
 * (the longest settled prefix) and the credit that is given back to the connection. */
#ifndef CAUSEWAY_EXCHANGE_SETTLE_H
#define CAUSEWAY_EXCHANGE_SETTLE_H

#include "gateway/base/error.h"
#include "gateway/base/ref.h"
#include "gateway/exchange/message.h"
#include "gateway/net/loop.h"

struct store_tx;

struct settle {
    struct ref ref;
    struct loop *loop;    /* the edge's: on_settled runs there, posted through cmd */
    struct command cmd;   /* cmd.run is the edge's on_settled */
    /* Store thread, in the transaction that keeps what this covers (set after settle_init; it may run again,
     * and what it wrote may be rolled back). NULL: the edge has nothing to write. */
    bool (*save)(struct store_tx *tx, struct settle *s, struct error *e);
    struct message_weight weight; /* what the edge found the message to weigh, if it had to know */
};

/* One count, the edge's caller's. */
void settle_init(struct settle *s, struct loop *loop, void (*on_settled)(struct command *cmd));
struct settle *settle_hold(struct settle *s); /* any thread; NULL gives NULL */
void settle_release(struct settle **s);       /* any thread; NULL inside is harmless; clears */

#endif
