/* SPDX-License-Identifier: MIT */
/* The edge's two halves and what crosses between them.
 *
 * The connection (struct c2s_conn, I/O loop) owns the stream: header, TLS, SASL, time-outs, what is
 * read and how much is sent. The link (struct c2s_link, loop of its account) owns what survives a
 * connection: the bound resource, XEP-0198's counters and the stanzas that are not acknowledged.
 * They speak by mail: a direct call when both are on one loop, else a command, so that the order is
 * the same in both arrangements. Each holds a count of the other. */
#ifndef CAUSEWAY_C2S_C2S_INTERNAL_H
#define CAUSEWAY_C2S_C2S_INTERNAL_H

#include <stdatomic.h>

#include "c2s/c2s.h"
#include "c2s/c2s_brake.h"
#include "gateway/base/map.h"
#include "gateway/base/registry.h"
#include "gateway/base/random.h"
#include "gateway/base/ref.h"
#include "gateway/net/listener.h"
#include "gateway/store/gate.h"
#include "gateway/xmpp/stream_error.h"

struct c2s_conn;
struct c2s_quota;
struct c2s_link;
struct c2s_inbound;
struct c2s_bosh;

/* ---- the whole, its I/O loops and its shards ---- */

enum { C2S_SECRET_LEN = 32, C2S_PAST_MAX = 512 };

struct c2s_io;

/* One listening address on one I/O loop. */
struct c2s_port {
    struct c2s_io *io;
    bool direct_tls;
    struct listener *listener; /* owned; NULL: closed, or a WebSocket's */
    struct parting *parting;   /* owned; NULL: closed, or no servers come here */
    struct http_server *web;   /* owned; NULL: closed, or none */
    const struct c2s_listener *o;
};

struct c2s_io {
    struct c2s *c2s;
    struct loop *loop;
    struct c2s_port *ports; /* listener_count of them; owned */
    struct list conns;      /* of struct c2s_conn, until on_end */
    unsigned conn_count;
    unsigned request_count; /* of BOSH that came in here and were not answered */
    unsigned auth_count; /* look-ups and derivations under way; they may outlive their connection */
    struct c2s_brake *brake; /* owned */
    struct c2s_bosh *bosh;   /* owned; NULL: closed */
    struct gate gate;    /* while it is shut, who has sent something is not read */
    bool stopping, stopped, quiet_asked;
    struct command stop, quiet;
};

/* A link that cannot be resumed any more, so that the client learns what had arrived. */
struct c2s_past {
    char token[RANDOM_ID_LEN + 1]; /* "": free */
    char *bare;                    /* owned */
    uint32_t handled;
};

/* What lives on one of the exchange's loops. */
struct c2s_shard {
    struct c2s *c2s;
    struct loop *loop;
    struct map by_token;        /* token -> struct c2s_link that can be resumed */
    struct list links;          /* each counted once */
    struct list sleepers;       /* streams of before a restart that are not links yet (c2s_keep.c) */
    struct command lay_down;
    struct c2s_inbound *spares; /* free ones */
    unsigned spare_count, inbound_count, link_count;
    struct c2s_past past[C2S_PAST_MAX]; /* a ring */
    unsigned past_next;
    bool stopping, stopped;
    struct command stop;
};

struct c2s {
    struct exchange *exchange;
    struct store *store;
    struct tls_store *tls;
    struct registry by_name;             /* of struct c2s_domain; c2s_domains.c, as the next four */
    _Atomic(struct c2s_domain *) newest; /* of all that were ever here */
    _Atomic(struct c2s_domain *) first;  /* shown to who names none */
    struct list served;                  /* of struct c2s_domain; the first shard's loop */
    atomic_uint served_count;
    struct c2s_listener *listeners;
    unsigned listener_count, io_count, shard_count;
    struct c2s_io *ios;
    struct c2s_shard *shards;
    struct c2s_limits limits; /* without zeros */
    struct c2s_times times;
    unsigned char secret[C2S_SECRET_LEN];
    bool has_secret;
    bool refuse_plain;
    struct c2s_quota *quota; /* owned; accounts made in-band */
    char *websocket_url, *bosh_url; /* owned; NULL: made of the first such listener with TLS */
    const char *const *public_addresses; /* owned; NULL: not known */
    uint16_t s2s_tls_port;
    void (*take_server)(void *user, struct loop *l, uv_os_sock_t fd, const struct sockaddr_storage *peer);
    void *take_server_user;
    atomic_bool counting;          /* a count is under way */
    atomic_uint connections, links, hibernating;
    atomic_ullong auth_failures, auth_successes, stanzas_in, stanzas_out;
    /* stopping */
    atomic_uint parts_left; /* I/O loops, then shards, that have not ended */
    struct loop *reply_on;
    void (*on_stopped)(void *user);
    void *stopped_user;
    struct command reply;
};

struct c2s_shard *c2s_shard_of(struct c2s *c, const char *bare);
void c2s_io_left(struct c2s_io *io);           /* a connection ended */
void c2s_io_quiet(struct c2s_io *io);          /* something else did */
void c2s_io_request_done(struct c2s_io *io);   /* one of BOSH; this may be a call of the HTTP server's */
void c2s_shard_quiet(struct c2s_shard *shard); /* a link or an inbound ended */

/* A domain that is served, or was since the start. */
struct c2s_domain {
    char *name;               /* owned */
    struct c2s_domain *older; /* what came before it; NULL: nothing */
    struct list node;         /* while it is served */
    atomic_bool is_served;
    _Atomic(struct directory *) directory; /* where its passwords are; NULL: here */
    struct c2s_census *census; /* owned */
};

/* c2s_domains.c. What is returned stays until the end; any thread. NULL: there is none. */
struct c2s_domain *c2s_domain_served(const struct c2s *c, const char *name);
struct c2s_domain *c2s_domain_known(const struct c2s *c, const char *name); /* served, or once */
struct c2s_domain *c2s_domain_first(const struct c2s *c);
/* Which community a Host header means. Behind a proxy the name may be the proxy's: where there is only one community it
 * is meant. */
struct c2s_domain *c2s_domain_of_host(const struct c2s *c, const char *host);
/* As c2s_add_domain, before anything runs. */
void c2s_domain_begin(struct c2s *c, const char *name, struct directory *directory);
void c2s_domains_fini(struct c2s *c);

/* c2s_keep.c. Before anybody can connect: the links that a restart cut. */
bool c2s_keep_start(struct c2s *c, struct error *e);
void c2s_keep_fini(struct c2s_shard *shard);

/* ---- mail ---- */

enum c2s_mail_kind {
    /* connection to link */
    C2S_MAIL_BIND,   /* st: the iq, or <authenticate/> with <bind/> of XEP-0386 */
    C2S_MAIL_RESUME, /* st: the nonza, or <authenticate/> with it */
    C2S_MAIL_STANZA, /* st, n: its bytes */
    C2S_MAIL_NONZA,  /* st: XEP-0198 or 0352 */
    C2S_MAIL_GIVEN,  /* n kept stanzas were taken by the socket */
    C2S_MAIL_SILENT, /* ask the client whether it lives */
    C2S_MAIL_GONE,   /* n: 1 when the stream may be resumed */
    /* link to connection */
    C2S_MAIL_BOUND,   /* link; st or text: the answer (by_sasl2: identifier and outcome) */
    C2S_MAIL_REFUSED, /* st or text: the answer */
    C2S_MAIL_SEND,    /* st; n: 1 when it is to be reported with GIVEN */
    C2S_MAIL_TEXT,    /* text: nonzas */
    C2S_MAIL_CREDIT,  /* n bytes are settled */
    C2S_MAIL_OVERDUE, /* <r/> was not answered in time */
    C2S_MAIL_CLOSE,   /* error, why (static text), text: application's condition */
};

struct c2s_mail {
    enum c2s_mail_kind kind;
    enum stream_error error;
    struct c2s_conn *conn;
    struct c2s_link *link;
    struct stanza *st;
    size_t n;
    const char *why;
    struct span text;
};

/* Either half takes its mail; m->link is NULL for BIND and RESUME. */
void c2s_link_handle(struct c2s_shard *shard, const struct c2s_mail *m);
void c2s_conn_handle(struct c2s_conn *k, const struct c2s_mail *m);
/* Counts of either half; any thread. */
struct c2s_link *c2s_link_ref(struct c2s_link *l);
void c2s_link_unref(struct c2s_link **l);
void c2s_conn_unref(struct c2s_conn **k);
/* Everything in `m` is borrowed. On one loop it is handled before this returns. */
void c2s_mail_to_link(struct c2s_shard *shard, const struct c2s_mail *m);
void c2s_mail_to_conn(const struct c2s_mail *m); /* m->conn, from m->link's loop or the shard's */

#endif
