/* SPDX-License-Identifier: MIT */
/* A connection as a stack of byte layers under one interface: TCP at the bottom, TLS on it when it
 * was started. Whoever owns the wire sees bytes and does not know which layers.
 *
 * Input is read into a loop-wide buffer; an idle wire holds none. Output of one turn of the loop is
 * gathered into one TLS record where it fits and one write. Loop: the one it was made on. */
#ifndef CAUSEWAY_NET_WIRE_H
#define CAUSEWAY_NET_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/bytes.h"
#include "gateway/base/error.h"
#include "gateway/net/loop.h"
#include "gateway/net/tls.h"

struct wire;

enum wire_end {
    WIRE_END_CLOSED,   /* by us */
    WIRE_END_EOF,      /* by the peer */
    WIRE_END_RESET,    /* connection broke */
    WIRE_END_TLS,      /* TLS failed; error text says how */
};

struct wire_events {
    /* Bytes, borrowed for the call. The callback may close the wire (it stays until on_end). */
    void (*on_bytes)(void *user, const char *data, size_t len);
    /* A TLS handshake that wire_start_tls or a direct-TLS start began is done. */
    void (*on_secure)(void *user, const struct tls_info *info);
    /* Queued output went below `low_bytes` after it was above `high_bytes` (wire_set_marks). */
    void (*on_drained)(void *user);
    /* Last callback; the wire is gone when it returns. Never called from inside wire_close. */
    void (*on_end)(void *user, enum wire_end end, const struct error *e);
};

/* Takes over a connected or accepted socket. */
struct wire *wire_open(struct loop *l, uv_os_sock_t fd, const struct wire_events *ev, void *user);
/* Gives the wire to another owner (a listener to a stream, HTTP to WebSocket). */
void wire_set_owner(struct wire *w, const struct wire_events *ev, void *user);
/* Starts reading; a wire is born paused. */
void wire_resume(struct wire *w);
void wire_pause(struct wire *w);

/* As a server: the certificate is picked by SNI, else `domain` (may be NULL: the store's first).
 * `ask`: whom for a certificate, which is never required. */
void wire_accept_tls(struct wire *w, struct tls_store *s, const char *domain, enum tls_ask ask,
                     enum tls_alpn alpn);
/* As a client. Verification is recorded in tls_info, not enforced here. */
void wire_connect_tls(struct wire *w, struct tls_store *s, const struct tls_peer *p);
const struct tls_info *wire_tls(const struct wire *w); /* NULL before the handshake is done */
bool wire_is_securing(const struct wire *w); /* a TLS handshake is under way */
/* RFC 9266 tls-exporter, RFC 5929 tls-server-end-point or tls-unique; false: not to be had.
 * `out` NULL: only whether, which costs next to nothing. */
bool wire_channel_binding(struct wire *w, const char *type, struct bytes *out);

void wire_write(struct wire *w, const char *data, size_t len); /* copied; sent at the turn's end */
size_t wire_queued(const struct wire *w);                      /* bytes not yet taken by the kernel */
void wire_set_marks(struct wire *w, size_t low_bytes, size_t high_bytes);
/* Sends what is queued, then close_notify and FIN; at most `linger_ms`, then it is cut. */
void wire_close(struct wire *w, uint64_t linger_ms);
void wire_abort(struct wire *w); /* at once */

const char *wire_peer_text(const struct wire *w); /* "192.0.2.1:5269" */
struct loop *wire_loop(const struct wire *w);

#endif
