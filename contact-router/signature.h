/* SPDX-License-Identifier: MIT */
/* Signing and comparing, by OpenSSL. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_SIGNATURE_H
#define CAUSEWAY_CONTACT_ROUTER_SIGNATURE_H

#include "contact-router/profile.h"

/* Appends the raw HMAC; `kind` is one of the three. */
void signature_hmac(enum profile_verify kind, struct span key, struct span over, struct bytes *out);
/* `key` is the raw public key (32 bytes), `sig` 64. */
bool signature_ed25519(struct span key, struct span over, struct span sig);
/* Appends the raw SHA-256. */
void signature_sha256(struct span data, struct bytes *out);
/* `pem` is a private key: RSA of 2048 bits or more (`ec` false) or on the curve P-256 (`ec`). ERROR_INVALID: it is not.
 */
MUST_USE bool signature_key_check(struct span pem, bool ec, struct error *e);
/* Appends the raw signature over SHA-256: PKCS #1 v1.5, or r and s (RFC 7518 3.3, 3.4). ERROR_INVALID: the key. */
MUST_USE bool signature_private(struct span pem, bool ec, struct span over, struct bytes *out, struct error *e);
/* Appends the raw bytes of `text` in that encoding; false: it is not. */
MUST_USE bool signature_decode(enum profile_encoding enc, struct span text, struct bytes *out);

#endif
