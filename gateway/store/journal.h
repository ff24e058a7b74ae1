/* SPDX-License-Identifier: MIT */
/* The journal: every kept message, payload once, in the order of commits. Archives and queues refer to
 * it by `seq`; it goes when nothing refers to it. What an archive holds is
 * packed, several messages a row (pack.h).
 *
 * A queue is a named list of journal rows that somebody has not been served yet:
 *     u:BARE              pending for an account (offline, or unacknowledged on a stream)
 *     h:CALLEE PEER       held by a contact request (bare JIDs)
 *     b:ERROR CALLEE PEER was held, and goes back to its sender with that error
 *     s:LOCAL REMOTE      waiting for another community
 *
 * On the acknowledging path only the journal is written, and one row a group that lists what was
 * done. An indexer on the writer's thread, between groups, turns them into archive and queue rows in
 * owner-sorted slices; reads first flush what their owner has in the backlog; after a crash the rest
 * is redone from the journal. */
#ifndef CAUSEWAY_STORE_JOURNAL_H
#define CAUSEWAY_STORE_JOURNAL_H

#include "gateway/base/arena.h"
#include "gateway/store/store.h"
#include "gateway/xmpp/stanza.h"

struct keep {
    struct store_job job;   /* job.reply_on and job.done are the caller's; job.run is journal_keep's */
    struct stanza *stanza;  /* the caller's count, held until done */
    const char *archive[2]; /* bare JIDs whose archives get it; NULL: none. Live until done */
    const char *peer[2];    /* the other side of each, bare (a full JID of a room's occupant: bare) */
    const char *queue[2];   /* queues that get it; NULL: none */
    int64_t sent_us;        /* 0: now; else when it was first said (delay) */
    /* More to write in the same transaction, after seq and kept_us are set; may be NULL. */
    bool (*also)(struct store_tx *tx, struct keep *k, struct error *e);
    void *also_user;        /* for also; whoever set it owns it until done */
    uint64_t seq;           /* out: its place, > 0, rising in commit order */
    int64_t kept_us;        /* out: its time */
};
void journal_keep(struct store *s, struct keep *k);

/* Row `seq` of `queue` was served. With the next group, at the latest after 50 ms; nobody waits. Any
 * thread. After a crash within that time the row is there again: it was in doubt. */
void journal_done(struct store *s, const char *queue, uint64_t seq);

/* Read a queue in order. Rows whose journal_done was asked before this read are not in it. */
struct queue_row {
    uint64_t seq;
    int64_t kept_us;       /* when it was first said: its delay stamp */
    struct stanza *stanza; /* the job's count: queue_read_fini drops it */
};
struct queue_read {
    struct store_job job;
    struct arena arena;
    const char *queue;
    uint64_t after; /* rows behind this one; 0: from the start */
    unsigned limit;
    size_t max_bytes; /* 0: 256 KiB; at least one row is given */
    struct queue_row *rows; /* out */
    unsigned count;
    bool more; /* out: there are rows behind */
};
void journal_read_queue(struct store *s, struct queue_read *q);
void queue_read_fini(struct queue_read *q); /* rows and arena */

/* Names of queues that hold something and begin with `prefix` ("s:"), at start. */
struct queue_names {
    struct store_job job;
    struct arena arena;
    const char *prefix;
    const char **names; /* out */
    unsigned *rows;     /* out: how many each holds */
    unsigned count;
};
void journal_queue_names(struct store *s, struct queue_names *n);

/* What an accepted, declined or expired request needs: each row of `from` is taken out; with `to` it is
 * entered there, in order, under a new sequence number: so nothing appears behind a client's cursor. */
struct journal_move {
    const char *from;
    const char *to;                               /* NULL: no queue takes it */
    const char *archive_owner, *archive_peer;     /* NULL: no archive does */
    bool (*is_archived)(const struct stanza *st); /* NULL: each is; its first time is its delay stamp */
    /* Sees every row with its new seq (0 when it was only dropped); NULL: nobody does. */
    void (*each)(void *user, uint64_t seq, int64_t first_us, struct stanza *st);
    void *user;
};
/* Inside a transaction. */
MUST_USE bool journal_move(struct store_tx *tx, const struct journal_move *what, struct error *e);
/* Inside a transaction: as journal_done, but now; for a job that must do more with it. */
MUST_USE bool journal_done_now(struct store_tx *tx, const char *queue, uint64_t seq, struct error *e);

/* The public, opaque, unique archive id of a row (XEP-0359 stanza-id, XEP-0313 id): a bijection of
 * seq under a secret of the store, so that nobody reads from it how much is said here. Any thread. */
enum { ARCHIVE_ID_LEN = 13 };
void archive_id(const struct store *s, uint64_t seq, char out[ARCHIVE_ID_LEN + 1]);
/* false: no id of this store's making (it may still name a row that is not there). Any thread. */
MUST_USE bool archive_id_parse(const struct store *s, const char *id, uint64_t *seq);

/* One page of an archive (XEP-0313), made on a reader. */
struct archive_row {
    uint64_t seq;
    int64_t kept_us;   /* when it was first said */
    struct span xml;   /* the message as stanza_write(.., NULL) wrote it, from and to included */
};
struct archive_page {
    struct store_job job;
    struct arena arena;
    const char *owner;
    const char *with;            /* bare JID or NULL */
    int64_t start_us, end_us;    /* 0: open */
    uint64_t after, before;      /* rows strictly behind / in front of; 0: open */
    bool last_page;              /* RSM <before/>: the last `max` in front of `before` */
    bool after_unknown, before_unknown; /* out: that row is not in this archive: item-not-found */
    unsigned max;                /* 0: only count */
    struct archive_row *rows;    /* out, oldest first */
    unsigned count;
    bool complete;               /* out: nothing lies beyond this page in its direction */
    int64_t total;               /* out: rows that match start, end and with; -1: not counted */
    int64_t first_index;         /* out: -1: not known; never of a last_page */
};
void archive_query(struct store *s, struct archive_page *p);

#endif
