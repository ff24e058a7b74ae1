/* SPDX-License-Identifier: MIT */
/* How a service shows that it knows its secret (XEP-0114 section 3). */
#ifndef CAUSEWAY_XMPP_COMPONENT_KEY_H
#define CAUSEWAY_XMPP_COMPONENT_KEY_H

#include <stdbool.h>

#include "gateway/base/check.h"

enum { COMPONENT_KEY_LEN = 40 };

/* Lower-case hexadecimal, NUL-terminated. */
void component_key_make(char out[COMPONENT_KEY_LEN + 1], const char *stream_id, const char *secret);
/* In constant time. NULL is wrong. */
MUST_USE bool component_key_check(const char *key, const char *stream_id, const char *secret);

#endif
