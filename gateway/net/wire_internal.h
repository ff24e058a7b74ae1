/* SPDX-License-Identifier: MIT */
/* What the layers of a wire share: the loop-wide buffers, and TLS as bytes in, bytes out. */
#ifndef CAUSEWAY_NET_WIRE_INTERNAL_H
#define CAUSEWAY_NET_WIRE_INTERNAL_H

#include "gateway/net/tls_internal.h"
#include "gateway/net/wire.h"

enum {
    WIRE_READ_BYTES = 65536,
    WIRE_PLAIN_BYTES = WIRE_READ_BYTES + 32768, /* a read, and the record begun in earlier ones */
    WIRE_SEAL_BYTES = 65536,                    /* encrypted at a time: four full records */
};

/* One a loop. No wire owns any of it between two callbacks of libuv. */
struct wire_shared {
    BIO_METHOD *method;
    const char *feed; /* what OpenSSL may read: the rest of the bytes that just came */
    size_t feed_len;
    bool starved; /* it asked for more than that */
    struct bytes sealed; /* what OpenSSL wrote */
    struct bytes spare;  /* an output buffer that the last flushed wire gave back */
    char read[WIRE_READ_BYTES];
    char plain[WIRE_PLAIN_BYTES];
};

struct wire_shared *wire_tls_shared_create(void);
void wire_tls_shared_destroy(struct wire_shared **sh);

struct wire_tls;

struct wire_tls *wire_tls_accept(struct wire_shared *sh, struct tls_store *s, const char *domain,
                                 enum tls_ask ask, enum tls_alpn alpn, struct error *e);
struct wire_tls *wire_tls_connect(struct wire_shared *sh, struct tls_store *s, const struct tls_peer *p,
                                  struct error *e);
void wire_tls_destroy(struct wire_tls **t);

enum wire_tls_result {
    WIRE_TLS_MORE,   /* goes on with the next bytes */
    WIRE_TLS_CLOSED, /* the peer said close_notify */
    WIRE_TLS_FAILED, /* *e says how; the alert for the peer is in sh->sealed */
};

/* Takes all of `data`. sh->sealed gets what must be sent, sh->plain the first *plain_len bytes of
 * decrypted text; *secured is true when the handshake ended within these bytes. */
enum wire_tls_result wire_tls_input(struct wire_tls *t, struct wire_shared *sh, const char *data,
                                    size_t len, size_t *plain_len, bool *secured, struct error *e);
/* Appends records with all of `data` to sh->sealed. */
MUST_USE bool wire_tls_seal(struct wire_tls *t, struct wire_shared *sh, const char *data,
                            size_t len, struct error *e);
void wire_tls_bye(struct wire_tls *t, struct wire_shared *sh); /* close_notify, at most once */
const struct tls_info *
wire_tls_info(const struct wire_tls *t); /* NULL before the handshake is done */
bool wire_tls_binding(struct wire_tls *t, const char *type, struct bytes *out);

/* For stream.c: the output buffer itself, so that a stanza is serialised in place; what was
 * appended is sent at the turn's end, after wire_appended. NULL: the wire is closing. */
struct bytes *wire_append(struct wire *w);
void wire_appended(struct wire *w);

#endif
