/* SPDX-License-Identifier: MIT */
/* The edge to other communities: server-to-server streams (RFC 6120) with STARTTLS and dialback inside
 * it (XEP-0220), one outgoing queue a pair of domains, durable for messages. */
#ifndef CAUSEWAY_S2S_S2S_H
#define CAUSEWAY_S2S_S2S_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/exchange/edge.h"
#include "gateway/exchange/listing.h"
#include "gateway/net/egress.h"
#include "gateway/net/loop.h"
#include "gateway/net/tls.h"
#include "gateway/store/store.h"
#include "s2s/s2s_rate.h"

struct s2s;
struct s2s_deny_list;

struct s2s_listener {
    const char *address; /* numeric */
    uint16_t port;       /* 0: 5269, with direct TLS 5270 */
    bool direct_tls;     /* XEP-0368: TLS from the first byte */
};

/* Whom a community federates with, and how they must prove themselves. */
struct s2s_community {
    const char *domain;
    bool listed_only;              /* with nobody but those in `allow` */
    bool certificate_required;     /* dialback is not enough */
    const char *const *allow, *const *deny; /* domains, "*.example" for all below one; end with NULL; NULL: none */
    const char *const *deny_lists; /* names of lists (s2s_set_deny_list); ends with NULL; NULL: none */
    const char *const *block_lists; /* of lists that are asked for, "SERVICE/NODE"; the same */
};

enum s2s_certificate { S2S_CERTIFICATE_AS_COMMUNITY, S2S_CERTIFICATE_OPTIONAL, S2S_CERTIFICATE_REQUIRED };

/* What the admin says of one other domain. */
struct s2s_remote {
    const char *domain;
    const char *host;   /* instead of SRV: name or numeric address; NULL: SRV */
    uint16_t port;      /* 0: 5269, with direct TLS 5270 */
    bool direct_tls;    /* there: TLS from the first byte (XEP-0368) */
    bool tls_optional;  /* streams without TLS are allowed with this domain */
    bool deny;          /* no streams with this domain */
    enum s2s_certificate certificate;
    struct s2s_rate_limits rate; /* 0: as for all */
    size_t stanza_bytes;         /* the same */
};

/* A service that attaches by XEP-0114; the exchange knows it as attached. */
struct s2s_component {
    const char *domain, *secret;
};

struct s2s_options {
    struct loop *const *loops; /* I/O loops; streams and pairs are spread over them */
    unsigned loop_count;
    struct exchange *exchange;
    struct store *store;
    struct tls_store *tls;
    const struct egress *egress;
    const char *dns_server, *dns_trust_anchor; /* as dns_options.server, .trust_anchor */
    const struct s2s_listener *listeners;
    unsigned listener_count;
    const struct s2s_listener *component_listeners; /* where services attach; open while there is one */
    unsigned component_listener_count;
    const struct s2s_component *components; /* those of the start; not kept */
    unsigned component_count;
    const struct s2s_remote *remotes; /* copied */
    unsigned remote_count;
    const struct s2s_community *communities; /* copied; of those that are not here nothing is said */
    unsigned community_count;
    struct s2s_rate_limits rate; /* what one domain may bring by the streams of one loop */
    size_t stanza_bytes;         /* the largest stanza that is taken; 0: 256 KiB */
    const unsigned char *dialback_secret; /* 32 bytes, the same on every node and after a restart */
    uint64_t queue_epoch;       /* names the life of the store, drawn with it; 0: what is sent has no numbers */
    uint64_t queue_deadline_s;  /* a message waits so long for a peer; 0: 24 h */
    uint64_t delayed_notice_s;  /* who waits so long for a peer that cannot be reached is told; 0: nobody is */
    size_t queue_bytes;         /* held in memory a pair; 0: 1 MiB; more waits in the store alone */
    uint64_t connect_timeout_ms; /* a whole attempt; 0: 30 s */
    unsigned attempts_max;      /* under way at a time, a loop; 0: 200 */
    bool bidi_off;              /* streams go one way (no XEP-0288) */
    uint64_t idle_close_ms;     /* an outgoing stream without traffic; 0: 10 min */
    unsigned per_address_max;   /* incoming connections of one address; 0: 64 */
};

/* NULL and *e filled: which address cannot be bound, or which resolver is wrong. */
MUST_USE struct s2s *s2s_create(const struct s2s_options *o, struct error *e);
/* For exchange_attach. */
struct edge_remote *s2s_edge(struct s2s *s);
/* The table of streams with other communities (listing.h): "communities"; key NULL or the other domain. */
struct listing s2s_listing(struct s2s *s);
/* How the last attempts went between the community and one other domain (the key), step by step: "federation". */
struct listing s2s_explain(struct s2s *s);
/* From now on that is the policy of a community; any thread. Copied. */
void s2s_set_community(struct s2s *s, const struct s2s_community *c);
/* From now on that is the list of its name; any thread. Counted anew. */
void s2s_set_deny_list(struct s2s *s, struct s2s_deny_list *l);
/* Begins to accept. Before the loops run; when there is only one, also on it. */
MUST_USE bool s2s_start(struct s2s *s, struct error *e);
/* Services that come while it runs (before exchange_add_attached), and go (after exchange_remove_attached). Any thread.
 */
void s2s_add_component(struct s2s *s, const struct s2s_component *c);
void s2s_remove_component(struct s2s *s, const char *domain);
/* A domain that goes (exchange_close_community). First what leaves in its name ends, once peers have said what they
 * have of us, at most 3 s later; then what comes for it. Any thread. */
void s2s_leave_domain(struct s2s *s, const char *domain);
void s2s_forget_domain(struct s2s *s, const char *domain);
/* A connection that somebody else accepted, on the I/O loop `l`: direct TLS begins there. Takes over the socket. */
void s2s_take(struct s2s *s, struct loop *l, uv_os_sock_t fd, const struct sockaddr_storage *peer);
/* Any thread: closes listeners; when peers have said what they have of us, or after 3 s, streams (system-shutdown);
 * on_stopped once, on the first loop. */
void s2s_stop(struct s2s *s, void (*on_stopped)(void *user), void *user);
void s2s_destroy(struct s2s **s); /* after on_stopped and after the loops ended */

#endif
