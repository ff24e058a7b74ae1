/* SPDX-License-Identifier: MIT */
/* Names to addresses by libunbound, on the loop. Answers carry whether DNSSEC proved them; bogus
 * answers are failures. Own time-out of 5 s a query. */
#ifndef CAUSEWAY_NET_DNS_H
#define CAUSEWAY_NET_DNS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/error.h"
#include "gateway/net/loop.h"

struct dns;
struct dns_query;

struct dns_options {
    const char *server; /* "ADDRESS" or "ADDRESS@PORT" of a resolver; NULL: /etc/resolv.conf */
    const char
        *trust_anchor; /* file with DS or DNSKEY; NULL: the system's root key if there is one */
};

MUST_USE struct dns *dns_create(struct loop *l, const struct dns_options *o, struct error *e);
void dns_destroy(struct dns **d); /* queries under way complete with ERROR_CANCELLED first */

enum dns_status {
    DNS_FOUND,
    DNS_NO_DATA, /* the name exists, the record does not */
    DNS_NO_NAME, /* NXDOMAIN, proved or not */
    DNS_FAILED,  /* time-out, SERVFAIL, bogus: temporary */
};

struct dns_srv {
    char target[256]; /* "." : the service is decidedly not there */
    uint16_t port, priority, weight;
    uint8_t service; /* which of those that were asked for */
    bool secure;     /* DNSSEC proved it */
};

struct dns_tlsa { /* RFC 6698 2.1; values that nobody knows too */
    uint8_t usage, selector, matching;
    const unsigned char *data;
    size_t len;
};

struct dns_answer {
    enum dns_status status;
    bool secure;                   /* DNSSEC proved all of it; of services and of TLSA also that there is none */
    struct dns_srv *srv;           /* for SRV, in the order to try: priority, weighted at random */
    struct dns_tlsa *tlsa;         /* for TLSA */
    struct sockaddr_storage *addr; /* for addresses: AAAA and A interleaved; port 0 */
    unsigned count;
    char text[128]; /* why, for DNS_FAILED */
};

/* `on_answer` is called exactly once, later, on the loop; the answer is borrowed for the call.
 * `name` without trailing dot, ASCII (A-labels). */
struct dns_query *dns_srv(struct dns *d, const char *service /* "_xmpp-server._tcp" */,
                          const char *name,
                          void (*on_answer)(void *user, const struct dns_answer *), void *user);
/* The records of two services in one order (XEP-0368). DNS_FOUND: at least one service has some; "." among
 * them says that this service is not there. DNS_FAILED: none has, and one may have. */
struct dns_query *dns_srv_mixed(struct dns *d, const char *const services[2], const char *name,
                                void (*on_answer)(void *user, const struct dns_answer *), void *user);
/* What stands of certificates at _PORT._tcp.HOST. */
struct dns_query *dns_tlsa(struct dns *d, const char *host, uint16_t port,
                           void (*on_answer)(void *user, const struct dns_answer *), void *user);
struct dns_query *dns_addresses(struct dns *d, const char *name,
                                void (*on_answer)(void *user, const struct dns_answer *),
                                void *user);
/* on_answer is not called any more. */
void dns_cancel(struct dns_query *q);

#endif
