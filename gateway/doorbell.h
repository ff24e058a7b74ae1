/* SPDX-License-Identifier: MIT */
/* How a tool beside a running gateway tells it that an account has changed: a datagram to the socket
 * STORE.bell, which the gateway makes for its own user alone. What changed is read from the store; the bell
 * only says where to look, so that nobody has to ask again and again. */
#ifndef CAUSEWAY_DOORBELL_H
#define CAUSEWAY_DOORBELL_H

#include "gateway/base/error.h"
#include "gateway/net/loop.h"

struct doorbell;

enum doorbell_news {
    DOORBELL_ACCOUNT = 'a',  /* deleted, disabled or enabled */
    DOORBELL_PASSWORD = 'p', /* has a new password: who logged in with the old one goes */
    DOORBELL_CLIENT = 'c',   /* "BARE AGENT": that client was revoked, and goes */
};

/* The gateway's side; it has the store's lock, so what lies there from a former life is removed. on_ring on
 * `l`, once a datagram. NULL and *e filled: what is wrong with which path. */
MUST_USE struct doorbell *doorbell_open(struct loop *l, const char *store_path,
                                        void (*on_ring)(void *user, enum doorbell_news news, const char *bare),
                                        void *user, struct error *e);
/* No on_ring comes after this. Before the loop stops. */
void doorbell_close(struct doorbell **d);

/* The tool's side, after its commit; blocks while the gateway is behind. Nobody runs: true. */
MUST_USE bool doorbell_ring(const char *store_path, enum doorbell_news news, const char *bare, struct error *e);

#endif
