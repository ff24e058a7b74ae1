/* SPDX-License-Identifier: MIT */
/* The one egress guard: every outgoing connection asks it with the address that is about to be
 * connected, so a name that is rebound gains nothing. Loopback, private, link-local, CGNAT,
 * multicast, unspecified, v4-mapped and NAT64 addresses are refused unless an `egress allow` entry
 * lists them for that purpose. Immutable after it was made; any thread. */
#ifndef CAUSEWAY_NET_EGRESS_H
#define CAUSEWAY_NET_EGRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "gateway/base/error.h"

enum egress_purpose {
    EGRESS_S2S,
    EGRESS_PROVIDER,
    EGRESS_MAIL,
    EGRESS_PUSH,
    EGRESS_WEBHOOK,
    EGRESS_TERMINAL,
    EGRESS_PURPOSES
};

struct egress;
struct egress *egress_create(void);
void egress_destroy(struct egress **g);
/* `rule`: "PURPOSE CIDR" or "any CIDR"; purposes s2s provider mail push webhook terminal. */
MUST_USE bool egress_allow(struct egress *g, const char *rule, struct error *e);
/* false: refused, *e says which range it lies in and which line would allow it. */
MUST_USE bool egress_check(const struct egress *g, enum egress_purpose purpose,
                           const struct sockaddr *addr, struct error *e);

#endif
