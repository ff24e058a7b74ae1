/* SPDX-License-Identifier: MIT */
/* What a browser's page may do is the Origin's question (RFC 6455 10.2). Extensions are never accepted: compression of
 * what is secret and what is not in one stream leaks (RFC 7525 3.3), and it costs memory that an idle link must not
 * have. */
#include "gateway/net/web_socket.h"

#include <openssl/evp.h>
#include <string.h>

#include "gateway/base/base64.h"
#include "gateway/base/text.h"

static bool is_key(const char *key)
{
    struct bytes raw = BYTES_EMPTY;
    bool ok = key && base64_decode(&raw, key, strlen(key)) && raw.len == 16;
    bytes_fini(&raw);
    return ok;
}

static void put_accept(struct bytes *lines, const char *key)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct bytes text = BYTES_EMPTY;
    bytes_printf(&text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    CHECK(EVP_Digest(text.data, text.len, digest, &len, EVP_sha1(), NULL) == 1);
    bytes_append_text(lines, "Sec-WebSocket-Accept: ");
    base64_encode(lines, digest, len);
    bytes_append_text(lines, "\r\n");
    bytes_fini(&text);
}

int web_socket_judge(const struct http_incoming *in, const struct web_socket_offer *o, struct bytes *lines,
                     const char **reason)
{
    const char *key = in->header(in, "Sec-WebSocket-Key");
    if (!text_eq(in->method, "GET"))
        return *reason = "a WebSocket begins with GET", 405;
    if (!http_incoming_lists(in, "Connection", "upgrade") || !http_incoming_lists(in, "Upgrade", "websocket")) {
        bytes_append_text(lines, "Upgrade: websocket\r\n");
        return *reason = "here is a WebSocket, for XMPP clients (RFC 7395)", 426;
    }
    if (!text_eq(in->header(in, "Sec-WebSocket-Version"), "13")) {
        bytes_append_text(lines, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
        return *reason = "the only version known here is 13", 426;
    }
    if (!is_key(key))
        return *reason = "no proper Sec-WebSocket-Key", 400;
    if (!http_incoming_lists(in, "Sec-WebSocket-Protocol", o->subprotocol))
        return *reason = "the client does not offer the subprotocol", 400;
    if (!http_origin_is_welcome(in, o->origins))
        return *reason = "pages of this origin may not connect here", 403;
    put_accept(lines, key);
    bytes_printf(lines, "Sec-WebSocket-Protocol: %s\r\n", o->subprotocol);
    return 101;
}
