/* SPDX-License-Identifier: MIT */
/* DANE (RFC 6698, 7671, for XMPP 7673) by OpenSSL's own. Decided here: a record for the certificate itself (3) proves
 * the peer whatever the certificate says of names and times (RFC 7671 5.1); any other also wants the domain's name or
 * the host's in it (RFC 7673 4), which we compare ourselves, for OpenSSL knows neither SRV-ID nor XmppAddr. */
#include <openssl/err.h>

#include "gateway/base/mem.h"
#include "gateway/net/tls_internal.h"

enum { USAGE_TRUST_ANCHOR = 2, USAGE_END_ENTITY = 3 };

void tls_dane_offer(SSL *ssl, const struct tls_peer *p, struct tls_side *side)
{
    unsigned usable = 0;
    if (SSL_dane_enable(ssl, p->dane_host) == 1) {
        SSL_set1_host(ssl, NULL); /* the names are ours to compare */
        SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
        for (unsigned i = 0; i < p->dane_count; i++) {
            const struct tls_dane_record *r = &p->dane[i];
            usable += SSL_dane_tlsa_add(ssl, r->usage, r->selector, r->matching, r->data, r->len) == 1;
        }
    }
    ERR_clear_error();
    if (!usable)
        return;
    side->dane = mem_new(struct tls_dane_names);
    side->dane->name = mem_dup(p->name ? p->name : p->dane_host);
    side->dane->host = mem_dup(p->dane_host);
}

enum tls_dane_verdict tls_dane_judge(SSL *ssl, const struct tls_side *side, bool *by_itself)
{
    uint8_t usage = 0;
    if (!side->dane)
        return TLS_DANE_NONE;
    X509 *cert = SSL_get0_peer_certificate(ssl);
    if (!cert || side->chain_bad || SSL_get0_dane_authority(ssl, NULL, NULL) < 0 ||
        SSL_get0_dane_tlsa(ssl, &usage, NULL, NULL, NULL, NULL) < 0)
        return TLS_DANE_DIFFERENT;
    *by_itself = usage == USAGE_END_ENTITY || usage == USAGE_TRUST_ANCHOR;
    bool holds = usage == USAGE_END_ENTITY || tls_cert_matches(cert, side->dane->name) ||
                 tls_cert_matches(cert, side->dane->host);
    return holds ? TLS_DANE_MATCHED : TLS_DANE_DIFFERENT;
}

void tls_dane_settle(struct tls_side *side)
{
    if (side->dane) {
        mem_free(side->dane->name);
        mem_free(side->dane->host);
        mem_free(side->dane);
    }
    side->dane = NULL;
}
