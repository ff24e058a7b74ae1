/* SPDX-License-Identifier: MIT */
/* Certificates of people (XEP-0178, RFC 6120 13.7.1.2): what one proves is looked at apart from the handshake, against
 * the CA of one community, so that a resumed session proves nothing that its certificate does not prove now. */
#ifndef CAUSEWAY_NET_TLS_PEOPLE_H
#define CAUSEWAY_NET_TLS_PEOPLE_H

#include "gateway/net/tls.h"

struct tls_people;

/* `crl_file` NULL: nobody is revoked. NULL and *e filled: a file cannot be read. The caller owns the count. */
MUST_USE struct tls_people *tls_people_load(const char *ca_file, const char *crl_file, struct error *e);
struct tls_people *tls_people_ref(struct tls_people *p);
void tls_people_unref(struct tls_people **p);
/* Asks for a certificate in the handshake that begins, and says of whom. p NULL: of anybody. */
void tls_people_ask(const struct tls_people *p, SSL *ssl);
/* In time, up to the CA, for clients, not revoked, and no CA itself. `chain`: intermediate ones; NULL: none came. */
MUST_USE bool tls_people_verify(const struct tls_people *p, X509 *cert, STACK_OF(X509) *chain, struct error *e);

#endif
