/* SPDX-License-Identifier: MIT */
/* JSON Web Tokens in compact form (RFC 7519, RFC 7515): made to ask a provider, read from its webhooks. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_JWT_H
#define CAUSEWAY_CONTACT_ROUTER_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/bytes.h"
#include "gateway/base/error.h"

struct json_t;

/* Appends a token over `claims` (an object, borrowed), signed by RS256, or by ES256 when `ec`. ERROR_INVALID: the key.
 */
MUST_USE bool jwt_sign(const struct json_t *claims, struct span pem, bool ec, struct bytes *out, struct error *e);
/* The claims of a token that is signed by HS256 with `key` and holds at `now_s` by its nbf and exp; with
 * `tolerance_s` above 0 it also must say when it was made, not further off than that. The caller's, json_decref.
 * NULL and ERROR_DENIED: which of these does not hold. No other algorithm is taken, whatever the header says. */
MUST_USE struct json_t *jwt_open_hs256(const char *token, struct span key, int64_t now_s, unsigned tolerance_s,
                                       struct error *e);

#endif
