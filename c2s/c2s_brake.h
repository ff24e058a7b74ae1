/* SPDX-License-Identifier: MIT */
/* How soon the outcome of a login is told: later after each wrong password from the same network, for the
 * account and for the network as a whole, so that closing the connection and trying again gains nothing.
 * Right and wrong are told equally late, or silence would say "wrong", and until it is told, a right password counts as
 * a wrong one does, or the next guess would be answered for both. Nobody is locked out: the worst is a wait of
 * C2S_BRAKE_MAX_MS, and another network's failures do not count against the owner.
 *
 * A network is an IPv4 /24 or an IPv6 /48. PURE but for its own table, whose size is fixed: what was quiet
 * the longest is forgotten. One an I/O loop, so no lock: with n loops a guesser has n tables to fill. */
#ifndef CAUSEWAY_C2S_C2S_BRAKE_H
#define CAUSEWAY_C2S_C2S_BRAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/check.h"

struct sockaddr;
struct c2s_brake;

enum {
    C2S_BRAKE_MAX_MS = 16000,
    C2S_BRAKE_FREE = 2,          /* wrong passwords for one account that cost nothing: people mistype */
    C2S_BRAKE_NETWORK_FREE = 20, /* for a whole network */
    C2S_BRAKE_FORGIVE_MS = 60000, /* one is forgiven each minute */
    C2S_BRAKE_WAITING = 4,        /* outcomes for one account that may wait at a time */
    C2S_BRAKE_NETWORK_WAITING = 64,
};

struct c2s_brake_key { uint64_t account, network; };

struct c2s_brake *c2s_brake_create(void);
void c2s_brake_destroy(struct c2s_brake **b);

/* `peer` as the listener counted it; `user` prepared. */
struct c2s_brake_key c2s_brake_key(const struct sockaddr *peer, const char *user, const char *domain);
/* A password was looked at. true: the outcome is told after *delay_ms, and when that is above 0,
 * c2s_brake_told follows then, or when the client has gone. false: too many wait already; what the
 * password was must not be told at all. `mono_ms` never falls. */
MUST_USE bool c2s_brake_judged(struct c2s_brake *b, struct c2s_brake_key key, bool wrong, uint64_t mono_ms,
                               uint64_t *delay_ms);
/* `right`: the client learns that it was. */
void c2s_brake_told(struct c2s_brake *b, struct c2s_brake_key key, bool right);

#endif
