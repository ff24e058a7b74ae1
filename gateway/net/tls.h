/* SPDX-License-Identifier: MIT */
/* TLS contexts: certificates of our domains, and what we ask of others (RFC 7590, RFC 9325: TLS 1.2
 * with forward secrecy and AEAD, or 1.3). A context is counted and immutable; a reload makes a new one. */
#ifndef CAUSEWAY_NET_TLS_H
#define CAUSEWAY_NET_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "gateway/base/bytes.h"
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
/* Nobody is shown that domain's certificate any more; connections that are there keep it. Harmless when it has none. */
void tls_store_remove(struct tls_store *s, const char *domain);
bool tls_certificate_covers(struct tls_store *s, const char *domain);
/* The CA of those who may log in to that domain by a certificate (PEM, with intermediate ones if the certificates come
 * without), and lists of those that are revoked (PEM; NULL: none are). Adds or replaces; ERROR_NOT_FOUND: the domain
 * has no certificate of its own. */
MUST_USE bool tls_store_set_people(struct tls_store *s, const char *domain, const char *ca_file, const char *crl_file,
                                   struct error *e);

/* The parts below are for wire_tls.c, s2s and c2s. */
enum tls_alpn { TLS_ALPN_NONE, TLS_ALPN_XMPP_CLIENT, TLS_ALPN_XMPP_SERVER, TLS_ALPN_HTTP };

/* Whom a server asks for a certificate; nobody must show one. */
enum tls_ask {
    TLS_ASK_NOBODY,
    TLS_ASK_ANYBODY,
    TLS_ASK_PEOPLE, /* where tls_store_set_people was called for the domain that the client wants (without SNI: the
                       default) */
};

/* What is known of a TLS layer once its handshake is done. Borrowed from the wire. */
struct tls_info {
    const char *version, *cipher;
    enum tls_alpn alpn;
    const char *sni;        /* name that the client asked for; NULL: none */
    bool peer_has_cert;
    bool peer_chain_valid;  /* chain up to a trust anchor, in time; says nothing of names */
    X509 *peer_cert;        /* borrowed; NULL: none */
    STACK_OF(X509) *peer_chain; /* borrowed; what came beside it; NULL: none, or the session was resumed */
};

/* Does the certificate prove this XMPP domain (RFC 6125, dNSName with one-label wildcard, SRV-ID,
 * XmppAddr)? */
bool tls_cert_matches(X509 *cert, const char *domain);

/* Is that a certificate by which people log in to that domain, now? false and *e: why not; ERROR_NOT_FOUND: the domain
 * has no CA for people. What it names is another question. */
MUST_USE bool tls_store_proves_person(struct tls_store *s, const char *domain, const struct tls_info *info,
                                      struct error *e);
/* Each id-on-xmppAddr (RFC 6120 13.7.1.4), as it stands there. */
void tls_cert_addresses(X509 *cert, void (*each)(void *user, struct span address), void *user);

/* Makes OpenSSL take its record buffers from blocks that each thread keeps. Once, before anything else
 * of OpenSSL runs; later it has no effect. */
void tls_memory_init(void);

#endif
