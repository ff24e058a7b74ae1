/* SPDX-License-Identifier: MIT */
/* XML over a connection (RFC 6120 section 4), a WebSocket (RFC 7395) or whatever else carries documents (BOSH):
 * headers, features, restarts, errors, closing. It knows neither clients nor servers; a policy says what to do. Lives
 * on one I/O loop.
 *
 * Life: OPENING (a header is awaited) -> OPEN -> CLOSING (</stream:stream> sent, the peer's awaited
 * for at most 5 s) -> ended: on_end is the last callback. STARTTLS and SASL restart it to OPENING.
 * A first-level element that was begun must end within two minutes, else connection-timeout. */
#ifndef CAUSEWAY_NET_STREAM_H
#define CAUSEWAY_NET_STREAM_H

#include "gateway/base/log.h"
#include "gateway/net/wire.h"
#include "gateway/xmpp/stanza.h"
#include "gateway/xmpp/stream_error.h"
#include "gateway/xmpp/xml_read.h"

struct stream;

struct stream_end {
    enum stream_error sent;     /* the error that we sent, or STREAM_OK */
    enum stream_error received; /* the error that the peer sent, or STREAM_OK */
    enum wire_end wire;
    bool orderly;               /* both sides said </stream:stream> */
    char text[160];             /* for the log: who ended it and why */
};

struct stream_policy {
    const char *content_ns; /* NS_CLIENT or NS_SERVER; a header with another gets invalid-namespace */
    bool receiving;         /* we are the receiving entity: the peer's header comes first */
    bool framed;            /* over a WebSocket (RFC 7395), whose handshake is done: <open/> and <close/> are
                             * header and end, each element is a message; receiving, NS_CLIENT, no STARTTLS */
    /* The peer's header. A receiving policy answers with stream_send_header and its features. */
    void (*on_header)(struct stream *s, const struct stream_header *h);
    /* A stanza or nonza; the callback owns the count. Stream errors and features of the peer come
     * here too as nonzas ({NS_STREAM}features); errors are also kept for on_end. */
    void (*on_stanza)(struct stream *s, struct stanza *st);
    void (*on_secure)(struct stream *s, const struct tls_info *info);
    void (*on_drained)(struct stream *s);
    /* Last callback: free what hangs on the stream. */
    void (*on_end)(struct stream *s, const struct stream_end *end);
};

/* Takes over the wire. An accepted wire with direct TLS: call wire_accept_tls before. `user` is the
 * policy's. Receiving: `header_timeout_ms` bounds the wait for the peer's header and each restart. */
struct stream *stream_open(struct wire *w, const struct stream_policy *p, void *user,
                           struct xml_limits limits, uint64_t header_timeout_ms);
void *stream_user(const struct stream *s);
struct wire *stream_wire(const struct stream *s); /* NULL: it is carried */
const char *stream_peer_text(const struct stream *s);
/* As wire_channel_binding; what is carried has no one connection that it could be bound to. */
bool stream_channel_binding(const struct stream *s, const char *type, struct bytes *out);
struct loop *stream_loop(const struct stream *s);
struct log_ctx *stream_log(struct stream *s);
bool stream_is_open(const struct stream *s); /* neither closing nor ended */

/* Our header; `id` NULL for an initiating entity. Declares xmlns:db for NS_SERVER. */
void stream_send_header(struct stream *s, const char *from, const char *to, const char *id,
                        const char *version, const char *lang);
void stream_send(struct stream *s, const struct stanza *st);
void stream_send_raw(struct stream *s, struct span xml); /* well-formed first-level elements */
/* Features and other small nonzas by format; values must be escaped by the caller. */
void stream_send_text(struct stream *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* We said (or heard) <proceed/>: TLS starts now. More plaintext that already came is a policy
 * violation (RFC 6120 5.4.3.3) and ends the stream. After on_secure a header is awaited. */
void stream_accept_tls(struct stream *s, struct tls_store *t, const char *domain, enum tls_ask ask);
void stream_connect_tls(struct stream *s, struct tls_store *t, const struct tls_peer *p);
/* The peer's next header is awaited (after SASL success). */
void stream_expect_restart(struct stream *s);
void stream_set_limits(struct stream *s, struct xml_limits limits);
struct xml_limits stream_limits(const struct stream *s);
void stream_set_content_lang(struct stream *s, const char *lang);

/* Back-pressure: nothing is read (and no events come) between pause and resume. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
size_t stream_queued(const struct stream *s);

/* Ends: the error (STREAM_OK: none) with English text (may be NULL), </stream:stream>, then the
 * wire. No callback but on_end comes after it. Harmless when already closing. `app_xml` (may be
 * empty) is an application-specific condition inside the error. */
void stream_close(struct stream *s, enum stream_error e, const char *text);
void stream_close_with(struct stream *s, enum stream_error e, const char *text, struct span app_xml);
void stream_abort(struct stream *s); /* cut: no words; on_end follows */

#endif
