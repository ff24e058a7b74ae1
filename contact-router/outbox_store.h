/* SPDX-License-Identifier: MIT */
/* Deliveries as rows (schemas/sql/0003_devices.sql). Everything is inside a transaction; what is read
 * lives in the arena that is given. outbox.c decides; this only keeps. */
#ifndef CAUSEWAY_CONTACT_ROUTER_OUTBOX_STORE_H
#define CAUSEWAY_CONTACT_ROUTER_OUTBOX_STORE_H

#include "contact-router/device.h"
#include "contact-router/outbox.h"
#include "gateway/base/random.h"
#include "gateway/store/store.h"

/* Why something is sent. */
#define OUTBOX_PURPOSES(P) P(MESSAGE, "message") P(REQUEST, "request") P(CODE, "code") P(TEST, "test") P(REPLY, "reply")
enum outbox_purpose {
#define P(name, word) OUTBOX_PURPOSE_##name,
    OUTBOX_PURPOSES(P)
#undef P
    OUTBOX_PURPOSE_COUNT
};

struct outbox_row {
    struct outbox_delivery d; /* state, attempts, due, created, ref */
    const char *account;
    int64_t n;                /* its device; 0: an answer to an address */
    enum device_kind kind;
    const char *address, *community;
    enum outbox_purpose purpose;
    const char *peer, *peer_domain, *code; /* "": none */
    const char *provider;     /* name; "" for mail */
    int64_t step, told_us, ended_us, texts;
    bool urgent, readable;
    const char *text, *provider_id, *reason;
};

const char *outbox_store_purpose(enum outbox_purpose p);

/* seq 0: it tells of no message. Draws a ref where d.ref is NULL. */
MUST_USE bool outbox_store_insert(struct store_tx *tx, struct outbox_row *row, uint64_t seq, struct arena *a,
                                  struct error *e);
/* One more message goes into a delivery that waits; `text` "": not shown. */
MUST_USE bool outbox_store_join(struct store_tx *tx, const char *account, const char *ref, const char *text,
                                bool readable, uint64_t seq, struct error *e);
/* By ref; row->d.ref NULL: there is none. */
MUST_USE bool outbox_store_get(struct store_tx *tx, const char *ref, struct arena *a, struct outbox_row *row,
                               struct error *e);
MUST_USE bool outbox_store_by_provider_id(struct store_tx *tx, const char *provider, const char *id, struct arena *a,
                                          struct outbox_row *row, struct error *e);
/* Writes d, told_us, ended_us, provider_id, reason; a code's text goes with its end. */
MUST_USE bool outbox_store_update(struct store_tx *tx, const struct outbox_row *row, struct error *e);

/* Another provider sends it. */
MUST_USE bool outbox_store_hand_over(struct store_tx *tx, const char *ref, const char *provider, struct error *e);
/* One that cannot be read: dead, so that nobody looks at it again. */
MUST_USE bool outbox_store_bury(struct store_tx *tx, const char *ref, struct error *e);
/* The next step of message seq becomes due at once. */
MUST_USE bool outbox_store_hurry(struct store_tx *tx, const char *account, uint64_t seq, int64_t step, struct error *e);

struct outbox_rows {
    struct outbox_row *v;
    unsigned count;
    const char *damaged; /* ref of one more, that cannot be read; NULL: all can */
};
/* The rows of a query for OUTBOX_STORE_COLUMNS. `r` NULL: it failed, e says why. */
MUST_USE bool outbox_store_read(struct store_rows *r, struct arena *a, struct outbox_rows *out, struct error *e);
#define OUTBOX_STORE_COLUMNS                                                                                   \
    "ref, account, n, kind, address, community, purpose, peer, peer_domain, code, provider, state, step, "     \
    "urgent, attempts, due_us, created_us, told_us, ended_us, texts, readable, text, provider_id, reason"

/* Erases texts a day after the end and rows 30 days after it; old hooks_seen and held_answers. */
MUST_USE bool outbox_store_sweep(struct store_tx *tx, struct error *e);

#endif
