/* SPDX-License-Identifier: MIT */
/* Any bytes as the beginning of TLS: what is said of some of them is not taken back when more come. */
#include <stdint.h>

#include "gateway/net/tls_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum tls_hello before = TLS_HELLO_MORE;
    for (size_t n = 0; n <= size; n += n < 64 ? 1 : 97) {
        enum tls_hello now = tls_hello_read(data, n, TLS_ALPN_XMPP_SERVER);
        CHECK(before == TLS_HELLO_MORE || now == before);
        before = now;
    }
    return 0;
}
