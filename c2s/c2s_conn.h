/* SPDX-License-Identifier: MIT */
/* The connection's half of the edge: one stream, on one I/O loop, until on_end. */
#ifndef CAUSEWAY_C2S_C2S_CONN_H
#define CAUSEWAY_C2S_C2S_CONN_H

#include <netinet/in.h>

#include "c2s/c2s_internal.h"
#include "gateway/net/stream.h"
#include "gateway/net/timer.h"

struct c2s_auth;
struct stream_carrier;
struct c2s_sasl2;
struct c2s_register;

#define C2S_TO(state) (1u << C2S_CONN_##state)
/* clang-format off */
#define C2S_CONN_STATES(S) /* name     may be followed by                                              */ \
        S(PLAIN,    C2S_TO(SECURING) | C2S_TO(CLOSING))                /* no TLS yet                   */ \
        S(SECURING, C2S_TO(SECURE) | C2S_TO(CLOSING))                  /* TLS handshake                */ \
        S(SECURE,   C2S_TO(PROVING) | C2S_TO(CLOSING))                 /* SASL may begin               */ \
        S(PROVING,  C2S_TO(SECURE) | C2S_TO(PROVED) | C2S_TO(CLOSING)) /* SASL exchange                */ \
        S(PROVED,   C2S_TO(BINDING) | C2S_TO(CLOSING))                 /* account known, no resource   */ \
        S(BINDING,  C2S_TO(PROVED) | C2S_TO(BOUND) | C2S_TO(CLOSING))  /* bind or resume was asked     */ \
        S(BOUND,    C2S_TO(CLOSING))                                   /* has a link                   */ \
        S(CLOSING,  0)                                                 /* only on_end is awaited       */
/* clang-format on */

enum c2s_conn_state {
#define C2S_CONN_STATE_ENUM(name, next) C2S_CONN_##name,
    C2S_CONN_STATES(C2S_CONN_STATE_ENUM)
#undef C2S_CONN_STATE_ENUM
};

/* Why a connection is not read; a set. */
enum c2s_pause {
    C2S_PAUSE_ANSWER = 1, /* SASL or bind is being answered */
    C2S_PAUSE_CREDIT = 2, /* too much of it is not settled */
    C2S_PAUSE_STORE = 4,  /* nothing can be kept: until the gate opens */
};

struct c2s_conn {
    struct ref ref; /* its life on the loop until on_end, its link, mail under way */
    struct c2s_io *io;
    struct c2s_port *port;
    struct list node;
    struct stream *stream; /* NULL after on_end */
    enum c2s_conn_state state;
    uint8_t pauses;          /* of enum c2s_pause */
    uint8_t failures;        /* of SASL */
    bool by_certificate;     /* it logged in by one; false before PROVED */
    bool by_sasl2; /* the shard's answer will be a part of <success/>; changes only while it is asked nothing */
    bool counted;            /* XEP-0198 came with the binding */
    bool sha512;             /* SCRAM by it was announced, and may be used */
    bool asked;              /* BOUND: the client was asked whether it lives */
    const char *domain;      /* a c2s_domain's name, from the header; NULL before */
    struct jid *account;     /* owned; NULL before PROVED */
    uint64_t proved;         /* of the login: edge_link.proved */
    struct c2s_shard *shard; /* of the account; NULL before PROVED */
    struct c2s_link *link;   /* counted; NULL before BOUND */
    struct c2s_auth *auth;   /* owned; NULL outside PROVING */
    struct c2s_sasl2 *sasl2; /* owned; its <success/> waits for the shard; NULL outside of BINDING */
    char **people; /* owned, as its strings: whom its certificate names in `domain`; ends with NULL. NULL: nobody, or
                      PROVED */
    char *agent;             /* owned; user-agent id of XEP-0388; NULL: not told, or not PROVED */
    struct c2s_register *registering; /* owned; NULL: no account was asked for, or PROVED */
    char *from;              /* owned; of the header; NULL: none, or PROVED */
    struct timer timer;      /* login_ms until BOUND, then silence */
    uint64_t heard_ms;       /* when something last came */
    uint64_t full_ms;  /* since when output is over its bound and goes nowhere; 0: it is not */
    size_t full_bytes; /* what was queued then */
    size_t unsettled_bytes;
    unsigned given_count; /* kept stanzas that went into the stream and were not reported */
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } peer;
};

/* A new socket. Takes it over. `peer` as the listener counts it. */
void c2s_conn_accept(struct c2s_port *port, uv_os_sock_t fd, const struct sockaddr_storage *peer);
/* A WebSocket, behind its handshake; TLS is ours and done, or a proxy's. */
void c2s_conn_accept_web(struct c2s_port *port, struct wire *w, const struct sockaddr *peer);
/* A session of BOSH; the carrier stays until stream_carried_end. */
struct stream *c2s_conn_accept_bosh(struct c2s_port *port, struct stream_carrier *c, const struct sockaddr *peer);
void c2s_conn_enter(struct c2s_conn *k, enum c2s_conn_state state);
void c2s_conn_pause(struct c2s_conn *k, enum c2s_pause why);
void c2s_conn_resume(struct c2s_conn *k, enum c2s_pause why);
/* Closes with an error (STREAM_OK: none). Harmless when it is closing. */
void c2s_conn_close(struct c2s_conn *k, enum stream_error e, const char *text);

/* Those of its state. */
void c2s_conn_send_features(struct c2s_conn *k);
/* Bind or resume, as `st` asks: BINDING until the answer. */
void c2s_conn_ask_shard(struct c2s_conn *k, enum c2s_mail_kind kind, struct stanza *st);
/* Before BOUND: so long from now on until it must be. */
void c2s_conn_give_time(struct c2s_conn *k, uint64_t ms);
void c2s_conn_set_from(struct c2s_conn *k, const char *from); /* copied; NULL: none */

/* SASL of RFC 6120 (c2s_sasl1.c). The connection is in SECURE or PROVING. */
void c2s_sasl1_features(const struct c2s_conn *k, struct bytes *out);
void c2s_sasl1_nonza(struct c2s_conn *k, const struct stanza *st);
void c2s_sasl1_refuse_plain(struct c2s_conn *k); /* before TLS */
/* The connection ends, or the exchange was given up: what is under way will find nobody. */
void c2s_auth_drop(struct c2s_conn *k);

#endif
