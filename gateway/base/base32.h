/* SPDX-License-Identifier: MIT */
/* Base32 (RFC 4648 section 6) in lower case and without padding: for names whose case may be lost on the way. */
#ifndef CAUSEWAY_BASE_BASE32_H
#define CAUSEWAY_BASE_BASE32_H

#include "gateway/base/bytes.h"
#include "gateway/base/check.h"

void base32_encode(struct bytes *out, const void *data, size_t len);
/* Either case; strict otherwise: no padding, no stray bits. false: not base32; `out` is as before. */
MUST_USE bool base32_decode(struct bytes *out, const char *text, size_t len);

#endif
