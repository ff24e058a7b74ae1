/* SPDX-License-Identifier: MIT */
/* Addresses that prove themselves: the last segment is an HMAC (128 bits) over those before it. */
#ifndef CAUSEWAY_CONTACT_ROUTER_CAPABILITY_H
#define CAUSEWAY_CONTACT_ROUTER_CAPABILITY_H

#include "gateway/base/bytes.h"
#include "gateway/store/secret.h"

enum { CAPABILITY_SEGMENTS_MAX = 6, CAPABILITY_SEGMENT_MAX = 64 };

struct capability_path { char v[CAPABILITY_SEGMENTS_MAX][CAPABILITY_SEGMENT_MAX]; unsigned count; };

/* "/hook/a/b?c" gives hook, a, b. false: too long, or too deep. */
MUST_USE bool capability_split(const char *target, struct capability_path *out);
/* Appends the token for `over`. */
void capability_append(const unsigned char key[SECRET_LEN], const char *over, struct bytes *out);
/* In a time that says nothing of where they differ. */
bool capability_fits(const unsigned char key[SECRET_LEN], const char *over, const char *token);

#endif
