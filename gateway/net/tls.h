/* SPDX-License-Identifier: MIT */
/* TLS contexts: certificates of our domains, and what we ask of others (RFC 7590, RFC 9325: TLS 1.2
 * with forward secrecy and AEAD, or 1.3). A context is counted and immutable; a reload makes a new one. */
#ifndef CAUSEWAY_NET_TLS_H
#define CAUSEWAY_NET_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "gateway/base/error.h"

/* Certificates by domain for accepting, and the trust store for connecting. Any thread may read. */
struct tls_store;

/* `ca_file` NULL: the system's trust anchors. NULL and *e filled when it cannot be read. */
MUST_USE struct tls_store *tls_store_create(const char *ca_file, struct error *e);
void tls_store_destroy(struct tls_store **s);
/* Adds or replaces the certificate of a domain: PEM chain and key. The file's names are not checked
 * against the domain (tls_certificate_covers does). */
MUST_USE bool tls_store_set(struct tls_store *s, const char *domain, const char *chain_file,
                            const char *key_file, struct error *e);
bool tls_certificate_covers(struct tls_store *s, const char *domain);

/* The parts below are for wire_tls.c, s2s and c2s. */
enum tls_alpn { TLS_ALPN_NONE, TLS_ALPN_XMPP_CLIENT, TLS_ALPN_XMPP_SERVER, TLS_ALPN_HTTP };

/* What is known of a TLS layer once its handshake is done. Borrowed from the wire. */
struct tls_info {
    const char *version, *cipher;
    enum tls_alpn alpn;
    const char *sni;        /* name that the client asked for; NULL: none */
    bool peer_has_cert;
    bool peer_chain_valid;  /* chain up to a trust anchor, in time; says nothing of names */
    X509 *peer_cert;        /* borrowed; NULL: none */
};

/* Does the certificate prove this XMPP domain (RFC 6125, dNSName with one-label wildcard, SRV-ID,
 * XmppAddr)? */
bool tls_cert_matches(X509 *cert, const char *domain);

/* Makes OpenSSL take its record buffers from blocks that each thread keeps. Once, before anything else
 * of OpenSSL runs; later it has no effect. */
void tls_memory_init(void);

#endif
