/* SPDX-License-Identifier: MIT */
/* Rosters as rows: RFC 6121 section 2 with versions (2.6), and subscription requests that wait for
 * their answer (3.1.3) with the stanza that brought them. */
#ifndef CAUSEWAY_STORE_ROSTERS_H
#define CAUSEWAY_STORE_ROSTERS_H

#include "gateway/base/arena.h"
#include "gateway/store/store.h"

struct roster_row {
    const char *contact; /* bare JID (or domain) */
    const char *name;    /* NULL: none */
    const char *groups;  /* group names joined by '\n'; "" none */
    int64_t state;       /* exchange/subscription.h: the states of RFC 6121 appendix A */
    int64_t approved;    /* pre-approval, 3.4 */
    int64_t in_roster;   /* 0: only a pending request in; not shown to clients */
    struct span request; /* the subscribe stanza that waits, as stanza_write(.., NULL); empty: none */
    int64_t version;     /* of the roster when this row last changed */
};

/* Read: the whole roster of one account. */
struct roster_load {
    struct store_job job;
    struct arena arena;
    const char *owner;
    bool account_exists;
    bool account_disabled;   /* it exists, but nobody may log in */
    struct roster_row *rows; /* out, in arena */
    unsigned count;
    int64_t version;         /* newest */
};
void roster_load(struct store *s, struct roster_load *l);

/* Inside a transaction. The version is the caller's (the exchange counts). A removed row leaves a
 * tombstone with its version, so that a client with an older version learns of it. */
MUST_USE bool roster_put(struct store_tx *tx, const char *owner, const struct roster_row *row, struct error *e);
MUST_USE bool roster_remove(struct store_tx *tx, const char *owner, const char *contact, int64_t version,
                            struct error *e);
/* What changed after `version`: rows and tombstones (removed true). *complete false: too old, send all. */
MUST_USE bool roster_changes(struct store_tx *tx, const char *owner, int64_t version,
                             void (*each)(void *user, const struct roster_row *row, bool removed), void *user,
                             bool *complete, struct error *e);

#endif
