/* SPDX-License-Identifier: MIT */
/* Streams that can be resumed after a restart (XEP-0198). What came in: `handled` is the newest stanza of the
 * stream that a commit covers, written by that commit; `serial` numbers the messages worth keeping and what
 * changes presence and flags, `done` counts those that are kept, refused or in the row: while they differ, one
 * before `handled` was still under way, and nobody can say what has arrived. What went out: `outs` are the kept
 * messages that were sent and not acknowledged, each with its number on the stream, written before they are sent. */
#ifndef CAUSEWAY_STORE_STREAMS_H
#define CAUSEWAY_STORE_STREAMS_H

#include "gateway/store/store.h"

enum { STREAM_OUT_BYTES = 12 }; /* of one in `outs`: number (4), row of the journal (8), little endian */

struct stream_row {
    const char *token, *account, *resource; /* account: bare JID */
    int64_t handled, serial, done;
    int64_t acked;        /* what the client had acknowledged when `outs` was written */
    struct span outs;
    struct span presence; /* a stanza as stanza_write(.., NULL) wrote it; empty: not available */
    struct span directed; /* JIDs that got directed presence, each with a line feed behind it */
    int64_t flags;        /* the edge's */
};

/* Inside a transaction. A new stream; others of that resource are over. */
MUST_USE bool streams_put(struct store_tx *tx, const struct stream_row *row, struct error *e);
/* Message `serial` of the stream is kept by this transaction; it was stanza `handled`. */
MUST_USE bool streams_kept(struct store_tx *tx, const char *token, int64_t handled, int64_t serial, struct error *e);

struct stream_save {
    const char *token;
    int64_t handled;  /* of what need not be kept, too: it may be told after the commit */
    int64_t resolved; /* so many messages were refused or needed no keeping; with `quiet` all up to `serial` */
    int64_t serial;
    bool quiet;       /* nothing is under way */
    int64_t acked;
    struct span outs;
    bool with_presence; /* `presence` and `flags` have changed */
    struct span presence;
    int64_t flags;
    bool with_directed; /* `directed` has changed */
    struct span directed;
};
MUST_USE bool streams_save(struct store_tx *tx, const struct stream_save *s, struct error *e);
MUST_USE bool streams_drop(struct store_tx *tx, const char *token, struct error *e);
/* Those that nobody has used since then. */
MUST_USE bool streams_forget_old(struct store_tx *tx, int64_t before_us, struct error *e);

/* Inside a transaction: all there are; what a row points to is gone when fn returns. */
MUST_USE bool streams_each(struct store_tx *tx, void (*fn)(void *user, const struct stream_row *row), void *user,
                           struct error *e);

#endif
