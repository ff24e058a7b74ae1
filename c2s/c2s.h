/* SPDX-License-Identifier: MIT */
/* The edge for terminals: clients connect here, prove who they are and bind a resource (RFC 6120
 * sections 4 to 8, XEP-0198). Implements the terminal's side of gateway/exchange/edge.h.
 *
 * Plain data in, four calls: create, start, stop, destroy. Loop: c2s_create and c2s_start before
 * the I/O loops run, or on the one I/O loop there is. */
#ifndef CAUSEWAY_C2S_C2S_H
#define CAUSEWAY_C2S_C2S_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/error.h"
#include "gateway/exchange/exchange.h"
#include "gateway/net/loop.h"
#include "gateway/net/tls.h"
#include "gateway/store/store.h"
#include "gateway/xmpp/xml_read.h"

struct c2s;
struct directory;

struct c2s_listener {
    const char *address; /* numeric */
    uint16_t port;       /* 0: the system chooses (c2s_port) */
    bool direct_tls;     /* TLS from the first byte, ALPN xmpp-client; else STARTTLS is required */
    bool servers;        /* with direct_tls: who offers ALPN xmpp-server there is given to take_server */
    /* A WebSocket at that path (RFC 7395), and host-meta; direct_tls: TLS is ours, else a reverse proxy's, which alone
     * must reach the address: the last address of its X-Forwarded-For is the client's. NULL: plain TCP. */
    const char *path;
    const char *const *origins; /* web pages that may connect, "https://chat.example"; ends with NULL. NULL: any */
    const char *bosh_path;      /* beside `path`, at the same door: BOSH (XEP-0206); NULL: none */
};

/* Bounds; 0 gives the default that stands behind each. */
struct c2s_limits {
    struct xml_limits before_auth, after_auth; /* stanza_bytes 0: XML_LIMITS_* */
    unsigned connections_per_address;          /* 200; UINT32_MAX: no bound */
    unsigned connections;                      /* of one I/O loop: 0: no bound */
    unsigned auth_tries;                       /* 4 failures, then policy-violation */
    size_t credit_bytes;  /* 64 KiB: a connection is not read while so much is unsettled */
    size_t backlog_bytes; /* 64 MiB: with so much waiting for the disk no connection is
                           * read beyond a stanza at a time */
    size_t output_bytes;  /* 1 MiB: a client that lets more wait in its socket and takes
                           * nothing of it for 10 s is cut */
    size_t unacked_bytes; /* 16 MiB: one that lets so much unacknowledged is unbound; and with
                           * so much more in its socket it is cut at once */
};

/* Time, in ms; 0 gives the default that stands behind each. */
struct c2s_times {
    uint64_t header_ms; /* 30000: for the header, and for each restart */
    uint64_t login_ms;  /* 60000: from the connection to a bound (or resumed) stream */
    uint64_t idle_ms;   /* 300000: silence after which the client is asked whether it lives */
    uint64_t answer_ms; /* 60000: time it has for the answer */
    uint64_t token_ms;  /* 21 days: how long a token of XEP-0484 logs in; it is replaced after a day of 21 */
    uint64_t resume_ms; /* 300000: how long a cut stream can be resumed */
    /* 250: <r/> goes out with what is delivered, but not sooner than this after the last one unless
     * 16 stanzas are unacknowledged: what follows in a lively chat is asked for together. */
    uint64_t ack_delay_ms;
};

struct c2s_options {
    struct loop *const *io_loops; /* connections are spread over them */
    unsigned io_loop_count;
    /* The same that the exchange was given; may be the I/O loops. */
    struct loop *const *exchange_loops;
    unsigned exchange_loop_count;
    struct exchange *exchange;
    struct store *store; /* accounts */
    struct tls_store *tls;
    const struct c2s_listener *listeners; /* copied, as everything here */
    unsigned listener_count;
    const char *const *domains; /* local domains, prepared; ends with NULL; at least one */
    /* Where the passwords of each domain are; NULL: here. As many as domains; NULL: none has one. They outlive us. */
    struct directory *const *directories;
    /* 32 bytes that stay the same over restarts: salts of accounts that do not exist are made of
     * it, so that they look like any other. NULL: the store's. */
    const unsigned char *login_secret;
    /* What host-meta tells (XEP-0156), "wss://..."; NULL: the first WebSocket with TLS of our own, at the community's
     * name and that port. */
    const char *websocket_url;
    const char *bosh_url; /* the same for BOSH, "https://..." */
    /* Where the world reaches us, numeric; ends with NULL. NULL: not known, and XEP-0487 has nothing to tell. */
    const char *const *public_addresses;
    uint16_t s2s_tls_port; /* where servers find direct TLS; 0: nowhere */
    /* Takes over the socket of a server, before its first byte was read. On the I/O loop `l`. */
    void (*take_server)(void *user, struct loop *l, uv_os_sock_t fd, const struct sockaddr_storage *peer);
    void *take_server_user;
    bool refuse_plain; /* SASL PLAIN is not offered (it never is without TLS) */
    struct c2s_limits limits;
    struct c2s_times times;
};

struct c2s *c2s_create(const struct c2s_options *o);
/* Listens. false: *e says which address; nothing listens then. */
MUST_USE bool c2s_start(struct c2s *c, struct error *e);
/* Port of listener `index` of the options, for port 0. */
uint16_t c2s_port(const struct c2s *c, unsigned index);

struct http_exchange;
struct http_incoming;
/* host-meta (XEP-0156, XEP-0487), for whoever else serves HTTP: answers where the target is one of its two. Any thread.
 */
bool c2s_meta_answer(const struct c2s *c, struct http_exchange *x, const struct http_incoming *in);
/* The page of an invitation, for the same: answers where the target is below /invite/. `l` is the caller's loop. */
bool c2s_invite_page(struct c2s *c, struct loop *l, struct http_exchange *x, const struct http_incoming *in);

/* An account was added, deleted, disabled or enabled, or has a new password: what is announced to its domain may
 * change. Loop: exchange_loop_of(bare). */
void c2s_account_changed(struct c2s *c, const char *bare);

/* Domains that come while it runs, and go. Who is on the way to a link of one that goes is sent away (host-gone); links
 * are the exchange's to end (exchange_close_community). `directory` as in the options, and it stays until the end.
 * Loop: the first of exchange_loops. */
void c2s_add_domain(struct c2s *c, const char *domain, struct directory *directory);
void c2s_remove_domain(struct c2s *c, const char *domain);

/* Drains: no new connections, every stream is closed with system-shutdown, every link unbound. Then
 * on_stopped, once, later, on `reply_on`. Any thread. */
void c2s_stop(struct c2s *c, struct loop *reply_on, void (*on_stopped)(void *user), void *user);
/* After on_stopped, or before c2s_start, or once all loops have ended. */
void c2s_destroy(struct c2s **c);

/* For metrics and tests. Any thread; figures of the moment. */
struct c2s_counts {
    unsigned connections; /* sockets */
    unsigned links;       /* bound resources, hibernating ones included */
    unsigned hibernating;
    uint64_t auth_failures, auth_successes;
    uint64_t stanzas_in, stanzas_out;
};
void c2s_count(const struct c2s *c, struct c2s_counts *out);

#endif
