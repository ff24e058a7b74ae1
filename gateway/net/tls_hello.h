/* SPDX-License-Identifier: MIT */
/* What somebody who begins TLS wants to speak, told by the first bytes that they send. PURE. */
#ifndef CAUSEWAY_NET_TLS_HELLO_H
#define CAUSEWAY_NET_TLS_HELLO_H

#include <stddef.h>

#include "gateway/net/tls.h"

enum tls_hello {
    TLS_HELLO_MORE,   /* the beginning of a ClientHello */
    TLS_HELLO_OFFERS, /* it offers that protocol */
    TLS_HELLO_OTHER,  /* it does not, or no ClientHello begins so */
};

enum { TLS_HELLO_MAX = 16384 }; /* a longer one is OTHER */

enum tls_hello tls_hello_read(const void *data, size_t len, enum tls_alpn protocol);

#endif
