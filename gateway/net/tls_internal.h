/* SPDX-License-Identifier: MIT */
/* What wire_tls.c needs of tls.c: sessions with the callbacks that pick certificate and
 * protocol. */
#ifndef CAUSEWAY_NET_TLS_INTERNAL_H
#define CAUSEWAY_NET_TLS_INTERNAL_H

#include "gateway/base/bytes.h"
#include "gateway/net/tls.h"

/* Hangs on the SSL for OpenSSL's callbacks; must live as long as it. */
struct tls_side {
    struct tls_store *store; /* counted; NULL once the handshake is over */
    enum tls_alpn alpn;      /* what we speak; NONE: the peer's wish is ignored */
    enum tls_ask ask;        /* as a server */
    bool server;
    bool chain_bad; /* the peer's chain failed a check */
    struct tls_dane_names *dane; /* records decide; NULL: there are none */
};

/* What a certificate may bear where the record that matched is not for the certificate itself. */
struct tls_dane_names {
    char *name, *host;
};

/* NULL and *e: the store holds no certificate to show. */
MUST_USE SSL *tls_session_accept(struct tls_store *s, const char *domain, enum tls_ask ask,
                                 struct tls_side *side, struct error *e);
MUST_USE SSL *tls_session_connect(struct tls_store *s, const struct tls_peer *p, struct tls_side *side,
                                  struct error *e);
/* The handshake is over (or will never be): what was for it alone is let go. */
void tls_session_settle(struct tls_side *side);
void tls_session_describe(SSL *ssl, const struct tls_side *side, struct tls_info *info);
/* As wire_channel_binding. */
bool tls_session_binding(SSL *ssl, const struct tls_side *side, const char *type,
                         struct bytes *out);
/* Fills *e with what OpenSSL's error queue says, and empties the queue. Returns false. */
bool tls_session_error(struct error *e, const char *what);

/* tls_dane.c. Gives `ssl` the peer's records; those that OpenSSL cannot use are left out. */
void tls_dane_offer(SSL *ssl, const struct tls_peer *p, struct tls_side *side);
/* After the handshake; `by_itself`: what matched needs no chain up to a trust anchor. */
enum tls_dane_verdict tls_dane_judge(SSL *ssl, const struct tls_side *side, bool *by_itself);
void tls_dane_settle(struct tls_side *side);

#endif
