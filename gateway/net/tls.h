/* SPDX-License-Identifier: MIT */
/* TLS contexts: certificates of our domains, and what we ask of others (RFC 7590, RFC 9325: TLS 1.2
 * with forward secrecy and AEAD, or 1.3). A context is counted and immutable; a reload makes a new one. */
#ifndef CAUSEWAY_NET_TLS_H
#define CAUSEWAY_NET_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

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
/* Its name behind a byte with the name's length (RFC 7301 3.1); NULL for NONE. */
const char *tls_alpn_wire(enum tls_alpn alpn);

/* Whom a server asks for a certificate; nobody must show one. */
enum tls_ask {
    TLS_ASK_NOBODY,
    TLS_ASK_ANYBODY,
    TLS_ASK_PEOPLE, /* where tls_store_set_people was called for the domain that the client wants (without SNI: the
                       default) */
};

/* The peer's certificate and the records of its host that DNSSEC proved. */
enum tls_dane_verdict {
    TLS_DANE_NONE,      /* there are no records that could be used */
    TLS_DANE_MATCHED,   /* one of them holds for this peer, name and all: it needs no other proof */
    TLS_DANE_DIFFERENT, /* none of them does: it is somebody else */
};

/* What is known of a TLS layer once its handshake is done. Borrowed from the wire. */
struct tls_info {
    const char *version, *cipher;
    enum tls_alpn alpn;
    const char *sni;        /* name that the client asked for; NULL: none */
    bool peer_has_cert;
    bool peer_chain_valid;  /* chain up to a trust anchor, in time; says nothing of names. Not asked where a record for
                             * the certificate itself, or for an anchor of its own, matched */
    enum tls_dane_verdict dane; /* of who was connected to */
    X509 *peer_cert;        /* borrowed; NULL: none */
    STACK_OF(X509) *peer_chain; /* borrowed; what came beside it; NULL: none, or the session was resumed */
};

/* One TLSA record (RFC 6698 2.1), the values as they came. */
struct tls_dane_record {
    uint8_t usage, selector, matching;
    const unsigned char *data;
    size_t len;
};

/* Whom we connect to. Borrowed for the call. */
struct tls_peer {
    const char *local_domain; /* whose certificate we show, if the store has one; NULL: none */
    const char *name;         /* of the domain, for SNI; NULL: none */
    enum tls_alpn alpn;
    /* Proved by DNSSEC, as was the way from the domain to the host (RFC 7673 3): */
    const char *dane_host; /* where the records stand; certificates may name it instead of `name` */
    const struct tls_dane_record *dane;
    unsigned dane_count;
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
