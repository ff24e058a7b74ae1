/* SPDX-License-Identifier: MIT */
/* A step of a delivery (outbox.h) with everything that follows from it: its row, the count of failures of
 * its device, the next step of the plan, and what those hear who wait. Inside a transaction of the store. */
#ifndef CAUSEWAY_CONTACT_ROUTER_DELIVERY_H
#define CAUSEWAY_CONTACT_ROUTER_DELIVERY_H

#include "contact-router/outbox_store.h"
#include "gateway/exchange/reach.h"

struct contact_router;

/* What a change means for others: they are told after the transaction. */
struct delivery_news {
    struct delivery_news *next;
    const char *account, *peer, *device; /* in the job's arena; device: a word for people */
    uint64_t seq;
    enum reach_progress progress;
};

/* Steps of one transaction. */
struct delivery_batch {
    struct contact_router *r;
    struct store_tx *tx;
    struct arena *arena;        /* of the job */
    struct delivery_news *news; /* out, in order; NULL: none */
};

/* What is learnt of a delivery, or done with it. */
struct delivery_word {
    enum outbox_event event;
    int64_t retry_after_us; /* 0: not said */
    const char *reason;     /* why, for people; NULL: as it was */
    bool blames_device;     /* a failure is its address's */
};

/* How long after it is due it may still be sent. */
int64_t delivery_life_us(enum device_kind kind, enum outbox_purpose purpose);
MUST_USE bool delivery_step(struct delivery_batch *b, struct outbox_row *row, const struct delivery_word *word,
                            struct error *e);
/* After the commit. Loop: the router's. */
void delivery_tell(struct contact_router *r, const struct delivery_news *news);

#endif
