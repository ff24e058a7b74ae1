/* SPDX-License-Identifier: MIT */
/* Connecting to a name: addresses, then one attempt after the other with a head start of 250 ms
 * (RFC 8305), each asked of the egress guard. TCP only; TLS is the caller's next step. */
#ifndef CAUSEWAY_NET_DIAL_H
#define CAUSEWAY_NET_DIAL_H

#include "gateway/net/dns.h"
#include "gateway/net/egress.h"
#include "gateway/net/wire.h"

struct dial;

struct dial_options {
    struct loop *loop;
    struct dns *dns;
    const struct egress *egress;
    enum egress_purpose purpose;
    const char *host; /* name or numeric address */
    uint16_t port;
    uint64_t timeout_ms; /* for the whole; 0: 20 s */
};

struct dialled {
    uv_os_sock_t fd; /* the callee's; -1: `e` says why */
    bool secure;     /* DNSSEC proved the addresses */
    struct error e;
};

/* on_done exactly once, later; *d is borrowed for the call. */
struct dial *dial_start(const struct dial_options *o, void (*on_done)(void *user, const struct dialled *d), void *user);
void dial_cancel(struct dial *d); /* on_done is not called any more */

#endif
