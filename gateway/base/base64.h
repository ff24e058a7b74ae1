/* SPDX-License-Identifier: MIT */
/* Base64 (RFC 4648 section 4; section 5 for the URL alphabet) and hexadecimal. */
#ifndef CAUSEWAY_BASE_BASE64_H
#define CAUSEWAY_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/bytes.h"

void base64_encode(struct bytes *out, const void *data, size_t len);
void base64_encode_url(struct bytes *out, const void *data, size_t len); /* no padding */
/* Strict: no white space, right padding, no stray bits. false: not base64; `out` is as before. */
MUST_USE bool base64_decode(struct bytes *out, const char *text, size_t len);
MUST_USE bool base64_decode_url(struct bytes *out, const char *text, size_t len);
void base64_hex(struct bytes *out, const void *data, size_t len); /* lower case */
MUST_USE bool base64_unhex(struct bytes *out, const char *text, size_t len);

#endif
