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
};

/* NULL and *e: the store holds no certificate to show. */
MUST_USE SSL *tls_session_accept(struct tls_store *s, const char *domain, enum tls_ask ask,
                                 struct tls_side *side, struct error *e);
MUST_USE SSL *tls_session_connect(struct tls_store *s, const char *local_domain,
                                  const char *peer_name, struct tls_side *side, struct error *e);
/* The handshake is over (or will never be): the store is let go. */
void tls_session_settle(struct tls_side *side);
void tls_session_describe(SSL *ssl, const struct tls_side *side, struct tls_info *info);
/* As wire_channel_binding. */
bool tls_session_binding(SSL *ssl, const struct tls_side *side, const char *type,
                         struct bytes *out);
/* Fills *e with what OpenSSL's error queue says, and empties the queue. Returns false. */
bool tls_session_error(struct error *e, const char *what);

#endif
