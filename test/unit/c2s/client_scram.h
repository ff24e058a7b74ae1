/* SPDX-License-Identifier: MIT */
/* A client's logins by SCRAM, bound to TLS or not, over a c2s_world. */
#ifndef CAUSEWAY_TEST_C2S_CLIENT_SCRAM_H
#define CAUSEWAY_TEST_C2S_CLIENT_SCRAM_H

#include "gateway/xmpp/sasl.h"
#include "test/unit/c2s/c2s_world.h"

/* What client_scram() binds to; type NULL: nothing. */
struct bound {
    const char *type;
    struct span data;
};

/* How SASL is spelt on the stream. */
struct spelling {
    const char *begin, *begin_end; /* around the mechanism, then the first message */
    const char *begun;
    const char *success_end; /* of the element with the server's own proof */
    const char *success, *respond, *responded;
};

#define SASL2 "xmlns='urn:xmpp:sasl:2'"
static const struct spelling spelt_sasl = {
    "<auth " SASL " mechanism='", "'>", "</auth>", "</success>", "<success", "<response " SASL ">", "</response>",
};

/* One login by SCRAM: both sides prove the password. `want` is awaited at its end. */
static inline void client_scram(struct client *c, const struct spelling *sp, enum scram_hash hash, const char *user,
                                const char *password, struct bound bound, const char *want)
{
    struct scram_client s;
    struct bytes text = BYTES_EMPTY, b64 = BYTES_EMPTY, challenge = BYTES_EMPTY;

    scram_client_init(&s, hash, user, NULL);
    if (bound.type)
        scram_client_bind(&s, bound.type, bound.data);
    scram_client_first(&s, &text);
    base64_encode(&b64, text.data, text.len);
    client_send(c, sp->begin);
    client_send(c, sasl_hash_name(hash));
    client_send(c, bound.type ? "-PLUS" : "");
    client_send(c, sp->begin_end);
    client_send(c, bytes_text(&b64));
    client_send(c, sp->begun);
    client_expect(c, "<challenge");
    client_expect(c, ">");
    client_expect(c, "</challenge>");
    assert_true(base64_decode(&challenge, c->got, strcspn(c->got, "<")));
    bytes_clear(&text);
    bytes_clear(&b64);
    assert_true(scram_client_final(&s, password, bytes_span(&challenge), &text));
    base64_encode(&b64, text.data, text.len);
    client_send(c, sp->respond);
    client_send(c, bytes_text(&b64));
    client_send(c, sp->responded);
    client_expect(c, want);
    if (strcmp(want, sp->success) == 0) {
        client_expect(c, ">");
        client_expect(c, sp->success_end);
        bytes_clear(&text);
        assert_true(base64_decode(&text, c->got, strcspn(c->got, "<")));
        assert_true(scram_client_verify(&s, bytes_span(&text)));
    }
    bytes_fini(&text);
    bytes_fini(&b64);
    bytes_fini(&challenge);
    scram_client_fini(&s);
}

/* Of the client's end of the connection, as RFC 9266 and RFC 5929 say. */
static inline void client_binding(struct client *c, const char *type, struct bytes *out)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    unsigned char data[64];
    unsigned len = 32;

    if (strcmp(type, "tls-exporter") == 0) {
        assert_int_equal(SSL_export_keying_material(c->ssl, data, 32, label, sizeof(label) - 1,
                                                    (const unsigned char *)"", 0, 1),
                         1);
    } else if (strcmp(type, "tls-server-end-point") == 0) {
        assert_int_equal(X509_digest(SSL_get0_peer_certificate(c->ssl), EVP_sha256(), data, &len),
                         1);
    } else {
        len = (unsigned)SSL_get_finished(c->ssl, data, sizeof(data));
    }
    bytes_append(out, data, len);
}

#endif
