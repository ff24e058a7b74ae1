/* SPDX-License-Identifier: MIT */
/* Dialback keys that need no memory (XEP-0185): whoever knows the secret can check one. */
#ifndef CAUSEWAY_XMPP_DIALBACK_KEY_H
#define CAUSEWAY_XMPP_DIALBACK_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/check.h"

enum { DIALBACK_KEY_LEN = 64 };

struct dialback_names {
    const char *receiving, *originating; /* domains, prepared */
    const char *stream_id;               /* that the receiving server gave */
};

/* Lower-case hexadecimal, NUL-terminated. */
void dialback_key_make(char out[DIALBACK_KEY_LEN + 1], const void *secret, size_t secret_len,
                       const struct dialback_names *names);
/* In constant time. */
MUST_USE bool dialback_key_check(const char *key, const void *secret, size_t secret_len,
                                 const struct dialback_names *names);

#endif
