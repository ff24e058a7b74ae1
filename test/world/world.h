/* SPDX-License-Identifier: MIT */
/* A world in one process: some gateways with a store in memory, a clock that stands still until it is
 * moved, links without sockets, and a wire between the gateways that can be cut. Everything runs on the
 * caller's thread, in turns; only the stores have threads of their own.
 *
 * world_settle takes turns until nothing moves any more, waiting for the stores: so a test never waits
 * for time. */
#ifndef CAUSEWAY_TEST_WORLD_H
#define CAUSEWAY_TEST_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/admin/adhoc.h"
#include "gateway/exchange/exchange.h"
#include "test/world/devices.h"

struct world;
struct peer; /* a client on a link */

/* A wire between two gateways. */
enum world_wire {
    WIRE_UP,
    WIRE_HOLDS,  /* nothing arrives; it goes on, in order, when the wire is up again */
    WIRE_FAILS,  /* everything comes back with remote-server-timeout */
};

struct world_gateway {
    const char *domain;
    unsigned loops;      /* 0: 1 */
    bool no_archive;
    enum strangers_policy strangers;
    struct reach *reach; /* NULL: none, or that of the devices */
    const struct world_devices_life *devices; /* NULL: none; else a contact-router (test/world/devices.h) */
    unsigned texts_a_day; /* its budget */
    const struct service *const *services; /* NULL: all that world_services lists */
    unsigned resources_max;
    const struct adhoc_command *const *commands; /* NULL: all that world_commands lists */
};

struct world *world_create(const struct world_gateway *gateways, unsigned count);
void world_destroy(struct world **w);
extern const struct service *const world_services[]; /* what a gateway offers; ends with NULL */
extern const struct adhoc_command *const world_commands[];

struct exchange *world_exchange(struct world *w, const char *domain);
struct store *world_store(struct world *w, const char *domain);
struct adhoc *world_adhoc(struct world *w, const char *domain);
struct world_devices *world_devices(struct world *w, const char *domain); /* NULL: it has none */
/* The number that a query of the store gives. */
int64_t world_count(struct world *w, const char *domain, const char *sql);
void world_account(struct world *w, const char *bare);
void world_admin(struct world *w, const char *bare); /* an account that is an admin, or is made one */
void world_wire(struct world *w, enum world_wire state);
void world_settle(struct world *w);
void world_advance(struct world *w, uint64_t ms); /* by seconds; with devices from timer to timer, settling after each */
int64_t world_now_us(struct world *w);

/* Binds; resourcepart from `full`, or the server's choice when it is a bare JID. NULL: refused, and
 * world_refusal says why. */
struct peer *world_bind(struct world *w, const char *full);
/* By what was proved when exchange_revocations() said so. */
struct peer *world_bind_as_of(struct world *w, const char *full, uint64_t proved);
enum stanza_error world_refusal(struct world *w);
/* The terminal writes. false: the gateway refused `from`. */
bool peer_send(struct peer *p, const char *xml);
/* Reports of arrival: at once (the default), or not until peer_report (a link with XEP-0198). */
void peer_hold_reports(struct peer *p);
void peer_report(struct peer *p);
/* The link ends; what was not reported goes back. */
void peer_vanish(struct peer *p);
/* As if the gateway were killed and started again: the link goes without a word and is there again, asleep. */
void peer_fall_asleep(struct peer *p);
void peer_wake(struct peer *p);
void peer_link_state(struct peer *p, enum link_state state);
/* The next stanza that arrived, as stanza_write wrote it; NULL: none. Borrowed until the next call. */
struct stanza *peer_next(struct peer *p);
struct stanza *peer_look(struct peer *p, unsigned i); /* i-th that waits; NULL: none */
void peer_take(struct peer *p, unsigned i);
unsigned peer_settled(const struct peer *p); /* stanzas of this peer that are settled */
unsigned peer_sent(const struct peer *p);
enum stream_error peer_replaced(const struct peer *p); /* STREAM_OK: it was not */
const char *peer_jid(const struct peer *p);

#endif
