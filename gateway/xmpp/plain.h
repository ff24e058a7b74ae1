/* SPDX-License-Identifier: MIT */
/* PLAIN (RFC 4616): the message's parts. The password is checked by scram_keys_match. */
#ifndef CAUSEWAY_XMPP_PLAIN_H
#define CAUSEWAY_XMPP_PLAIN_H

#include <stdbool.h>

#include "gateway/base/bytes.h"

struct plain_message {
    struct span authzid; /* empty: none */
    struct span username, password;
};

/* Borrowed from `message`. false: not the syntax. */
MUST_USE bool plain_parse(struct plain_message *out, const char *message, size_t len);

#endif
