/* SPDX-License-Identifier: MIT */
/* SCRAM by the RFCs' own examples and by what a hostile client may send; the frame around it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/base64.h"
#include "gateway/xmpp/sasl.h"
#include "gateway/xmpp/scram_client.h"

#define CHANNEL                                                                                    \
    "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\21\22\23\24\25\26\27\30\31\32\33\34\35\36\37"

static char exporter[] = "tls-exporter";

/* A channel that has one type, named by `user`. */
static bool find_binding(void *user, const char *type, struct bytes *out)
{
    if (strcmp(type, user) != 0)
        return false;
    bytes_append(out, CHANNEL, sizeof CHANNEL - 1);
    return true;
}

/* RFC 5802 section 5, RFC 7677 section 3: user "user", password "pencil"; and the same bound to a
 * channel, and by SHA-512, reckoned apart with Python's hashlib. */
static const struct vector {
    const char *binding; /* NULL: none */
    enum scram_hash hash;
    const char *client_nonce, *server_nonce, *salt, *first, *challenge, *final, *verdict;
} vectors[] = {
    {NULL, SCRAM_SHA1, "fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j", "QSXCR+Q6sek8bf92",
     "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
     "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
     "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
     "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="},
    {NULL, SCRAM_SHA256, "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
     "W22ZaJ0SNY7soEsUEjb6gQ==", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
    {"tls-server-end-point", SCRAM_SHA1, "fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j",
     "QSXCR+Q6sek8bf92", "p=tls-server-end-point,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
     "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
     "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,"
     "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=z8dLQJmun2sA+XpCkRPSWO61Enc=",
     "v=if1R+hByy96r9wlpTEFxowaJvkg="},
    {"tls-exporter", SCRAM_SHA256, "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
     "W22ZaJ0SNY7soEsUEjb6gQ==", "p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO",
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     "c=cD10bHMtZXhwb3J0ZXIsLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f,"
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "p=QC6CS20quADQRb3mT99YUH+n3VJxUvzuK0K0E1Vrs2M=",
     "v=2GiAgapEppLVlUXbxUDksL3VgYHzuqiK5tR4mhJGgvs="},
    {NULL, SCRAM_SHA512, "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "W22ZaJ0SNY7soEsUEjb6gQ==",
     "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p="
     "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
     "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw=="},
    {"tls-exporter", SCRAM_SHA512, "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "W22ZaJ0SNY7soEsUEjb6gQ==",
     "p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO",
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     "c=cD10bHMtZXhwb3J0ZXIsLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p="
     "jVaGV/PIJ7hgkpxV9a1jdpzyYkHQH9gW6fn3DbAL2oEA+5w4CCSJjoq8G37bn2FsGaVEMsk4kiHRqMUoN/aiiA==",
     "v=bTvxua5nsJsvSd2bk+1WbSe84MBgjkACQPOqiN7MhTBLYxVX2QUqwET2NLcZEv2CfexR6NbAMluKltOEs5vLYw=="},
};

static struct scram_keys keys_of(const struct vector *v)
{
    struct scram_keys keys = {.hash = v->hash, .iterations = 4096};
    struct bytes salt = BYTES_EMPTY;
    assert_true(base64_decode(&salt, v->salt, strlen(v->salt)));
    memcpy(keys.salt, salt.data, salt.len);
    keys.salt_len = (unsigned)salt.len;
    bytes_fini(&salt);
    assert_true(scram_keys_derive(&keys, "pencil"));
    return keys;
}

static void rfc_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct vector *v = &vectors[i];
        struct scram_keys keys = keys_of(v);
        struct scram_server s;
        struct scram_client c;
        struct bytes out = BYTES_EMPTY;
        scram_client_init(&c, v->hash, "user", v->client_nonce);
        struct scram_binding binding = {v->binding ? find_binding : NULL, (void *)v->binding};
        if (v->binding)
            scram_client_bind(&c, v->binding, SPAN(CHANNEL));
        scram_client_first(&c, &out);
        assert_string_equal(out.data, v->first);
        scram_server_init(&s, binding);
        assert_int_equal(scram_server_start(&s, out.data, out.len, v->binding), SCRAM_FINE);
        assert_string_equal(bytes_text(&s.username), "user");
        scram_server_challenge(&s, &keys, v->server_nonce);
        assert_string_equal(bytes_text(&s.challenge), v->challenge);
        bytes_clear(&out);
        assert_true(scram_client_final(&c, "pencil", bytes_span(&s.challenge), &out));
        assert_string_equal(out.data, v->final);
        struct bytes verdict = BYTES_EMPTY;
        assert_int_equal(scram_server_finish(&s, out.data, out.len, &verdict), SCRAM_FINE);
        assert_string_equal(verdict.data, v->verdict);
        assert_true(scram_client_verify(&c, bytes_span(&verdict)));
        assert_false(scram_client_verify(&c, SPAN("v=rmF9")));
        bytes_fini(&verdict);
        bytes_fini(&out);
        scram_server_fini(&s);
        scram_client_fini(&c);
    }
}

static void first_message_table(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        bool plus;
        enum scram_result result;
        const char *username, *authzid, *proves;
    } rows[] = {
        {"n,,n=a=2Cb=3Dc,r=x", false, SCRAM_FINE, "a,b=c", "", "escapes in names"},
        {"y,,n=a,r=x", false, SCRAM_FINE, "a", "", "the client could bind, we do not announce it"},
        {"n,a=b@c,n=a,r=x", false, SCRAM_FINE, "a", "b@c", "authorization identity"},
        {"n,,n=a,r=x,e=extension", false, SCRAM_FINE, "a", "", "an optional extension"},
        {"p=tls-exporter,,n=a,r=x", true, SCRAM_FINE, "a", "", "channel binding"},
        {"p=tls-unique,,n=a,r=x", true, SCRAM_WRONG, 0, 0, "another channel binding"},
        {"p=,,n=a,r=x", true, SCRAM_WRONG, 0, 0, "no name of a channel binding"},
        {"p=x23456789x23456789x23456789x23456789x23456789x23456789x23456789,,n=a,r=x", true, SCRAM_WRONG, 0, 0,
         "a name that no channel binding has"},
        {"y,,n=a,r=x", true, SCRAM_WRONG, 0, 0, "a -PLUS mechanism that does not bind"},
        {"p=tls-exporter,,n=a,r=x", false, SCRAM_WRONG, 0, 0, "binding without a -PLUS mechanism"},
        {"n,,n=a,r=x", true, SCRAM_WRONG, 0, 0, "a -PLUS mechanism without binding"},
        {"", false, SCRAM_MALFORMED, 0, 0, "empty"},
        {"n", false, SCRAM_MALFORMED, 0, 0, "cut in the flag"},
        {"n,", false, SCRAM_MALFORMED, 0, 0, "cut in the header"},
        {"n,,", false, SCRAM_MALFORMED, 0, 0, "no name"},
        {"n,,n=,r=x", false, SCRAM_MALFORMED, 0, 0, "empty name"},
        {"n,,n=a", false, SCRAM_MALFORMED, 0, 0, "no nonce"},
        {"n,,n=a,r=", false, SCRAM_MALFORMED, 0, 0, "empty nonce"},
        {"n,,n=a,r=x y", false, SCRAM_MALFORMED, 0, 0, "nonce with a space"},
        {"n,,n=a=2,r=x", false, SCRAM_MALFORMED, 0, 0, "broken escape"},
        {"n,,n=a=41,r=x", false, SCRAM_MALFORMED, 0, 0, "an escape that is none"},
        {"n,,n=\xff,r=x", false, SCRAM_MALFORMED, 0, 0, "broken UTF-8"},
        {"n,,m=x,n=a,r=x", false, SCRAM_MALFORMED, 0, 0, "a mandatory extension"},
        {"n,b=x,n=a,r=x", false, SCRAM_MALFORMED, 0, 0, "not an authorization identity"},
        {"z,,n=a,r=x", false, SCRAM_MALFORMED, 0, 0, "unknown flag"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scram_server s;
        scram_server_init(&s, rows[i].plus ? (struct scram_binding){find_binding, exporter}
                                           : (struct scram_binding){0});
        if (scram_server_start(&s, rows[i].message, strlen(rows[i].message), rows[i].plus) !=
            rows[i].result)
            fail_msg("%s", rows[i].proves);
        if (rows[i].username) {
            assert_string_equal(bytes_text(&s.username), rows[i].username);
            assert_string_equal(bytes_text(&s.authzid), rows[i].authzid);
        }
        scram_server_fini(&s);
    }
    struct scram_server s;
    scram_server_init(&s, (struct scram_binding){find_binding, exporter});
    assert_int_equal(scram_server_start(&s, "y,,n=a,r=x", 10, false), SCRAM_WRONG); /* downgrade */
    scram_server_fini(&s);
    scram_server_init(&s, (struct scram_binding){find_binding, exporter});
    assert_int_equal(scram_server_start(&s, "n,,n=a,r=x", 10, false), SCRAM_FINE); /* cannot bind */
    scram_server_fini(&s);
}

#define NONCES "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"
#define PROOF  "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="

static void final_message_table(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        enum scram_result result;
        const char *proves;
    } rows[] = {
        {"c=biws," NONCES ",p=" PROOF, SCRAM_FINE, "RFC 5802"},
        {"c=biws," NONCES ",p="
         "A0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
         SCRAM_WRONG, "wrong proof"},
        {"c=eSws," NONCES ",p=" PROOF, SCRAM_WRONG, "another GS2 header than before"},
        {"c=biws," NONCES "x,p=" PROOF, SCRAM_WRONG, "another nonce"},
        {"c=biws," NONCES ",x=1,p=" PROOF, SCRAM_WRONG, "an extension is part of what is proved"},
        {"c=biws," NONCES ",m=1,p=" PROOF, SCRAM_MALFORMED, "a mandatory extension"},
        {"c=biws," NONCES ",p=" PROOF ",x=1", SCRAM_MALFORMED, "the proof is last"},
        {"c=biws," NONCES ",p=" PROOF ",", SCRAM_MALFORMED, "a comma behind"},
        {"c=biws," NONCES ",p=AAAA", SCRAM_MALFORMED, "a proof too short"},
        {"c=biws," NONCES ",p=!", SCRAM_MALFORMED, "a proof that is no base64"},
        {"c=!," NONCES ",p=" PROOF, SCRAM_MALFORMED, "a binding that is no base64"},
        {"c=biws," NONCES, SCRAM_MALFORMED, "no proof"},
        {NONCES ",c=biws,p=" PROOF, SCRAM_MALFORMED, "wrong order"},
        {"", SCRAM_MALFORMED, "empty"},
    };
    struct scram_keys keys = keys_of(&vectors[0]);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scram_server s;
        struct bytes out = BYTES_EMPTY;
        scram_server_init(&s, (struct scram_binding){0});
        assert_int_equal(scram_server_start(&s, vectors[0].first, strlen(vectors[0].first), false),
                         SCRAM_FINE);
        scram_server_challenge(&s, &keys, vectors[0].server_nonce);
        if (scram_server_finish(&s, rows[i].message, strlen(rows[i].message), &out) !=
            rows[i].result)
            fail_msg("%s", rows[i].proves);
        assert_int_equal(out.len > 0, rows[i].result == SCRAM_FINE);
        bytes_fini(&out);
        scram_server_fini(&s);
    }
}

static const struct sasl_config config = {
    .domain = "capulet.example",
    .offered = SASL_BIT(PLAIN) | SASL_BIT(SCRAM_SHA_1) | SASL_BIT(SCRAM_SHA_256) |
               SASL_BIT(SCRAM_SHA_512),
    .fake_secret = {"0123456789abcdef", 16},
    .fake_iterations = SCRAM_ITERATIONS,
};

/* base64 of a literal with NULs inside. */
static const char *encoded(struct bytes *b, const char *data, size_t len)
{
    bytes_clear(b);
    base64_encode(b, data, len);
    return bytes_text(b);
}
#define ENCODED(b, literal) encoded((b), (literal), sizeof(literal) - 1)

static void begin_table(void **state)
{
    (void)state;
    static const struct {
        const char *mechanism, *raw;
        size_t len;
        enum sasl_step step;
        enum sasl_failure failure;
        const char *proves;
    } rows[] = {
#define RAW(text) text, sizeof(text) - 1
        {"PLAIN", RAW("\0Juliet\0r0m30"), SASL_NEED_KEYS, SASL_OK, "names are prepared"},
        {"PLAIN", RAW("juliet@capulet.example\0juliet\0r0m30"), SASL_NEED_KEYS, SASL_OK,
         "one's own bare JID"},
        {"PLAIN", RAW("nurse@capulet.example\0juliet\0r0m30"), SASL_FAILED, SASL_INVALID_AUTHZID,
         "somebody else"},
        {"PLAIN", RAW("juliet@capulet.example/r\0juliet\0r0m30"), SASL_FAILED, SASL_INVALID_AUTHZID,
         "a full JID"},
        {"PLAIN", RAW("juliet\0r0m30"), SASL_FAILED, SASL_MALFORMED_REQUEST, "a part is missing"},
        {"PLAIN", RAW("\0juliet\0"), SASL_FAILED, SASL_MALFORMED_REQUEST, "no password"},
        {"PLAIN", RAW("\0\0r0m30"), SASL_FAILED, SASL_MALFORMED_REQUEST, "no name"},
        {"PLAIN", RAW("\0a\0b\0c"), SASL_FAILED, SASL_MALFORMED_REQUEST, "a part too many"},
        {"PLAIN", RAW("\0ju liet\0r0m30"), SASL_FAILED, SASL_NOT_AUTHORIZED,
         "a name that no account can have"},
        {"PLAIN", RAW("\0\xff\0r0m30"), SASL_FAILED, SASL_MALFORMED_REQUEST, "broken UTF-8"},
        {"SCRAM-SHA-1", RAW("n,,n=juliet,r=x"), SASL_NEED_KEYS, SASL_OK, "SCRAM"},
        {"SCRAM-SHA-1", RAW("n,,r=x"), SASL_FAILED, SASL_MALFORMED_REQUEST, "bad SCRAM"},
        {"SCRAM-SHA-1", RAW("n,a=nurse@capulet.example,n=juliet,r=x"), SASL_FAILED,
         SASL_INVALID_AUTHZID, "somebody else by SCRAM"},
        {"SCRAM-SHA-1", RAW("p=tls-exporter,,n=juliet,r=x"), SASL_FAILED, SASL_NOT_AUTHORIZED,
         "binding was not offered"},
        {"scram-sha-1", RAW("n,,n=juliet,r=x"), SASL_FAILED, SASL_INVALID_MECHANISM,
         "names of mechanisms are exact"},
        {"DIGEST-MD5", RAW("x"), SASL_FAILED, SASL_INVALID_MECHANISM, "unknown"},
        {NULL, RAW("x"), SASL_FAILED, SASL_INVALID_MECHANISM, "none named"},
#undef RAW
    };
    struct bytes b = BYTES_EMPTY;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sasl *s = sasl_create(&config);
        enum sasl_step step =
            sasl_begin(s, rows[i].mechanism, encoded(&b, rows[i].raw, rows[i].len));
        if (step != rows[i].step || sasl_failure(s) != rows[i].failure)
            fail_msg("%s: %d %s", rows[i].proves, step, sasl_failure_name(sasl_failure(s)));
        if (step == SASL_NEED_KEYS)
            assert_string_equal(sasl_username(s), "juliet");
        sasl_destroy(&s);
    }
    bytes_fini(&b);
}

static void encodings(void **state)
{
    (void)state;
    static const char *const bad[] = {"!", "AAA", "AA=A", "A A=", "AB=="};
    struct sasl *s = sasl_create(&config);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(sasl_begin(s, "PLAIN", bad[i]), SASL_FAILED);
        assert_int_equal(sasl_failure(s), SASL_INCORRECT_ENCODING);
    }
    assert_int_equal(sasl_begin(s, "PLAIN", "="), SASL_FAILED); /* an empty initial response */
    assert_int_equal(sasl_failure(s), SASL_MALFORMED_REQUEST);
    assert_int_equal(sasl_respond(s, "AAAA"), SASL_FAILED); /* nothing was begun */
    sasl_destroy(&s);
    struct sasl_config no_plain = config;
    no_plain.offered = SASL_BIT(SCRAM_SHA_256);
    s = sasl_create(&no_plain);
    assert_int_equal(sasl_begin(s, "PLAIN", "AAAA"), SASL_FAILED);
    assert_int_equal(sasl_failure(s), SASL_INVALID_MECHANISM);
    sasl_destroy(&s);
}

/* What login() binds to. */
static const char *bound_type; /* NULL: nothing */
static struct span bound;

/* One login by SCRAM; `known` or not; returns how it ended. */
static enum sasl_step login(struct sasl *s, const char *mechanism, enum scram_hash hash,
                            const char *password, const struct scram_keys *keys)
{
    struct scram_client c;
    struct bytes out = BYTES_EMPTY, b = BYTES_EMPTY, challenge = BYTES_EMPTY;
    scram_client_init(&c, hash, "juliet", NULL);
    if (bound_type)
        scram_client_bind(&c, bound_type, bound);
    scram_client_first(&c, &out);
    assert_int_equal(sasl_begin(s, mechanism, encoded(&b, out.data, out.len)), SASL_NEED_KEYS);
    assert_int_equal(sasl_give_keys(s, keys), SASL_CONTINUE);
    assert_true(base64_decode(&challenge, sasl_data(s), strlen(sasl_data(s))));
    bytes_clear(&out);
    assert_true(scram_client_final(&c, password, bytes_span(&challenge), &out));
    enum sasl_step step = sasl_respond(s, encoded(&b, out.data, out.len));
    if (step == SASL_SUCCESS) {
        bytes_clear(&b);
        assert_true(base64_decode(&b, sasl_data(s), strlen(sasl_data(s))));
        assert_true(scram_client_verify(&c, bytes_span(&b)));
    } else {
        assert_int_equal(sasl_failure(s), SASL_NOT_AUTHORIZED);
        assert_null(sasl_data(s));
    }
    bytes_fini(&out);
    bytes_fini(&b);
    bytes_fini(&challenge);
    scram_client_fini(&c);
    return step;
}

/* The channel's data is part of what is proved: somebody in between has another one. */
static void bound_logins(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *data;
        size_t len;
        enum sasl_step step;
        const char *proves;
    } rows[] = {
        {"tls-exporter", CHANNEL, 32, SASL_SUCCESS, "the same channel"},
        {"tls-exporter", CHANNEL "x", 33, SASL_FAILED, "another channel"},
        {"tls-exporter", CHANNEL, 31, SASL_FAILED, "a part of it"},
        {"tls-exporter", "", 0, SASL_FAILED, "none"},
    };
    struct scram_keys keys;
    struct sasl_config with = config;
    with.offered |= SASL_BIT(SCRAM_SHA_256_PLUS);
    with.binding = (struct scram_binding){find_binding, exporter};
    assert_true(scram_keys_make(&keys, SCRAM_SHA256, "r0m30"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sasl *s = sasl_create(&with);
        bound = (struct span){rows[i].data, rows[i].len};
        bound_type = rows[i].type;
        if (login(s, "SCRAM-SHA-256-PLUS", SCRAM_SHA256, "r0m30", &keys) != rows[i].step)
            fail_msg("%s", rows[i].proves);
        sasl_destroy(&s);
    }
    bound_type = NULL;
    /* Without binding it still goes, when the client did not know of it. */
    struct sasl *s = sasl_create(&with);
    assert_int_equal(login(s, "SCRAM-SHA-256", SCRAM_SHA256, "r0m30", &keys), SASL_SUCCESS);
    struct bytes b = BYTES_EMPTY;
    assert_int_equal(sasl_begin(s, "SCRAM-SHA-256", ENCODED(&b, "y,,n=juliet,r=x")), SASL_FAILED);
    assert_int_equal(sasl_failure(s), SASL_NOT_AUTHORIZED);
    assert_int_equal(sasl_begin(s, "SCRAM-SHA-1-PLUS", ENCODED(&b, "p=tls-exporter,,n=juliet,r=x")), SASL_FAILED);
    assert_int_equal(sasl_failure(s), SASL_INVALID_MECHANISM); /* not offered */
    bytes_fini(&b);
    sasl_destroy(&s);
}

static void scram_logins(void **state)
{
    (void)state;
    struct scram_keys sha1, sha256, sha512;
    struct sasl *s = sasl_create(&config);
    assert_true(scram_keys_make(&sha1, SCRAM_SHA1, "r0m30"));
    assert_true(scram_keys_make(&sha256, SCRAM_SHA256, "r0m30"));
    assert_true(scram_keys_make(&sha512, SCRAM_SHA512, "r0m30"));
    assert_int_equal(sha512.iterations, 10000); /* what new accounts have */
    assert_int_equal(login(s, "SCRAM-SHA-512", SCRAM_SHA512, "r0m30", &sha512), SASL_SUCCESS);
    assert_int_equal(login(s, "SCRAM-SHA-512", SCRAM_SHA512, "paris", &sha512), SASL_FAILED);
    /* no such account, or one without keys of this hash: the same end */
    assert_int_equal(login(s, "SCRAM-SHA-512", SCRAM_SHA512, "r0m30", NULL), SASL_FAILED);
    assert_int_equal(login(s, "SCRAM-SHA-1", SCRAM_SHA1, "r0m30", &sha1), SASL_SUCCESS);
    assert_int_equal(login(s, "SCRAM-SHA-256", SCRAM_SHA256, "r0m30", &sha256), SASL_SUCCESS);
    assert_int_equal(login(s, "SCRAM-SHA-256", SCRAM_SHA256, "paris", &sha256), SASL_FAILED);
    assert_int_equal(login(s, "SCRAM-SHA-256", SCRAM_SHA256, "r0m30", NULL), SASL_FAILED);
    sasl_destroy(&s);
}

/* An account that does not exist has the same salt each time, another a hash and a name. */
static void fake_keys(void **state)
{
    (void)state;
    struct scram_keys a, b, c, d;
    scram_keys_fake(&a, SCRAM_SHA256, 4096, "x", config.fake_secret);
    scram_keys_fake(&b, SCRAM_SHA256, 4096, "x", config.fake_secret);
    scram_keys_fake(&c, SCRAM_SHA256, 4096, "y", config.fake_secret);
    scram_keys_fake(&d, SCRAM_SHA1, 4096, "x", config.fake_secret);
    assert_memory_equal(a.salt, b.salt, SCRAM_SALT_LEN);
    assert_memory_not_equal(a.salt, c.salt, SCRAM_SALT_LEN);
    assert_memory_not_equal(a.salt, d.salt, SCRAM_SALT_LEN);
    assert_false(scram_keys_match(&a, "anything"));
    assert_false(scram_keys_make(&a, SCRAM_SHA1, "")); /* an empty password is none */
}

/* The challenge that a name gets which has no keys; the same for ever, by domain, name and hash. */
static void fake_challenge(const char *domain, const char *mechanism, const char *raw, struct bytes *salt)
{
    struct sasl_config with = config;
    struct bytes b = BYTES_EMPTY, challenge = BYTES_EMPTY;
    with.domain = domain;
    struct sasl *s = sasl_create(&with);
    assert_int_equal(sasl_begin(s, mechanism, encoded(&b, raw, strlen(raw))), SASL_NEED_KEYS);
    assert_int_equal(sasl_give_keys(s, NULL), SASL_CONTINUE);
    assert_true(base64_decode(&challenge, sasl_data(s), strlen(sasl_data(s))));
    const char *at = strstr(bytes_text(&challenge), ",s=");
    assert_non_null(at);
    assert_non_null(strstr(at, ",i=10000")); /* as an account that was made today */
    bytes_append_text(salt, at);
    bytes_fini(&b);
    bytes_fini(&challenge);
    sasl_destroy(&s);
}

static void nobodys_salt(void **state)
{
    (void)state;
    static const struct {
        const char *domain, *mechanism, *raw;
        bool same;
        const char *proves;
    } rows[] = {
        {"capulet.example", "SCRAM-SHA-512", "n,,n=nobody,r=x", true, "the same each time"},
        {"capulet.example", "SCRAM-SHA-512", "n,,n=NOBODY,r=x", true, "however it is spelt"},
        {"capulet.example", "SCRAM-SHA-512", "n,,n=noone,r=x", false, "another name"},
        {"capulet.example", "SCRAM-SHA-256", "n,,n=nobody,r=x", false, "another hash, as accounts have"},
        {"montague.example", "SCRAM-SHA-512", "n,,n=nobody,r=x", false, "another domain, as accounts have"},
    };
    struct bytes first = BYTES_EMPTY;
    fake_challenge("capulet.example", "SCRAM-SHA-512", "n,,n=nobody,r=x", &first);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes salt = BYTES_EMPTY;
        fake_challenge(rows[i].domain, rows[i].mechanism, rows[i].raw, &salt);
        if (rows[i].same != (strcmp(bytes_text(&first), bytes_text(&salt)) == 0))
            fail_msg("%s", rows[i].proves);
        bytes_fini(&salt);
    }
    bytes_fini(&first);
}

/* XEP-0474: the text of its own example, with our names; the hash in the challenge is signed by both. */
static void advertised(void **state)
{
    (void)state;
    static const char *const types[] = {"tls-server-end-point", "tls-exporter", NULL};
    static const char *const none[] = {NULL};
    static const struct {
        unsigned offered;
        const char *const *bindings;
        const char *text, *h, *proves;
    } rows[] = {
        {SASL_BIT(SCRAM_SHA_1_PLUS) | SASL_BIT(SCRAM_SHA_1), types,
         "SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point", ",h=G6k/rBLDqgOhRRaCuuatSDFkJ08=",
         "the example of section 5"},
        {SASL_BIT(SCRAM_SHA_1) | SASL_BIT(PLAIN) | SASL_BIT(SCRAM_SHA_512), NULL,
         "PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-512", NULL, "no XEP-0440: nothing of it"},
        {SASL_BIT(SCRAM_SHA_1), none, "SCRAM-SHA-1\x1f", NULL, "XEP-0440 with an empty list"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes text = BYTES_EMPTY, b = BYTES_EMPTY;
        struct scram_keys keys;
        sasl_advertised(&text, rows[i].offered, rows[i].bindings);
        assert_string_equal(bytes_text(&text), rows[i].text);
        struct sasl_config with = config;
        with.offered = rows[i].offered;
        with.advertised = bytes_text(&text);
        struct sasl *s = sasl_create(&with);
        bytes_clear(&text); /* it is copied */
        assert_true(scram_keys_make(&keys, SCRAM_SHA1, "r0m30"));
        assert_int_equal(login(s, "SCRAM-SHA-1", SCRAM_SHA1, "r0m30", &keys), SASL_SUCCESS);
        assert_int_equal(sasl_begin(s, "SCRAM-SHA-1", ENCODED(&b, "n,,n=juliet,r=x")), SASL_NEED_KEYS);
        assert_int_equal(sasl_give_keys(s, &keys), SASL_CONTINUE);
        assert_true(base64_decode(&text, sasl_data(s), strlen(sasl_data(s))));
        if (rows[i].h && !strstr(bytes_text(&text), rows[i].h))
            fail_msg("%s: %s", rows[i].proves, bytes_text(&text));
        sasl_destroy(&s);
        bytes_fini(&text);
        bytes_fini(&b);
    }
}

static void plain_logins(void **state)
{
    (void)state;
    struct bytes b = BYTES_EMPTY;
    struct scram_keys keys;
    struct sasl *s = sasl_create(&config);
    assert_true(scram_keys_make(&keys, SCRAM_SHA1, "r0m30"));
    /* Without initial response: an empty challenge comes first (RFC 6120 6.4.2). */
    assert_int_equal(sasl_begin(s, "PLAIN", ""), SASL_CONTINUE);
    assert_string_equal(sasl_data(s), "");
    assert_int_equal(sasl_respond(s, ENCODED(&b, "\0juliet\0r0m30")), SASL_NEED_KEYS);
    assert_int_equal(sasl_give_keys(s, &keys), SASL_NEED_WORK);
    sasl_work(s);
    assert_int_equal(sasl_worked(s), SASL_SUCCESS);
    assert_null(sasl_data(s));
    assert_int_equal(sasl_begin(s, "PLAIN", ENCODED(&b, "\0juliet\0paris")), SASL_NEED_KEYS);
    assert_int_equal(sasl_give_keys(s, &keys), SASL_NEED_WORK);
    sasl_work(s);
    assert_int_equal(sasl_worked(s), SASL_FAILED);
    assert_int_equal(sasl_failure(s), SASL_NOT_AUTHORIZED);
    assert_int_equal(sasl_begin(s, "PLAIN", ENCODED(&b, "\0juliet\0r0m30")), SASL_NEED_KEYS);
    assert_int_equal(sasl_give_keys(s, NULL), SASL_NEED_WORK); /* no such account: same steps */
    sasl_work(s);
    assert_int_equal(sasl_worked(s), SASL_FAILED);
    assert_int_equal(sasl_begin(s, "PLAIN", ENCODED(&b, "\0juliet\0r0m30")), SASL_NEED_KEYS);
    assert_int_equal(sasl_refuse(s, SASL_TEMPORARY_AUTH_FAILURE), SASL_FAILED);
    assert_string_equal(sasl_failure_name(sasl_failure(s)), "temporary-auth-failure");
    sasl_destroy(&s);
    bytes_fini(&b);
}

/* New keys are made of a password that was right, and of no other. */
static void made_keys(void **state)
{
    (void)state;
    struct bytes b = BYTES_EMPTY;
    struct scram_keys keys = {.hash = SCRAM_SHA1, .iterations = 4096, .salt_len = SCRAM_SALT_LEN};
    struct sasl *s = sasl_create(&config);
    assert_true(scram_keys_derive(&keys, "r0m30"));
    for (int right = 1; right >= 0; right--) {
        const char *raw = right ? ENCODED(&b, "\0juliet\0r0m30") : ENCODED(&b, "\0juliet\0paris");
        assert_int_equal(sasl_begin(s, "PLAIN", raw), SASL_NEED_KEYS);
        assert_int_equal(sasl_give_keys(s, &keys), SASL_NEED_WORK);
        sasl_want_keys(s, 1u << SCRAM_SHA256 | 1u << SCRAM_SHA512);
        sasl_work(s);
        assert_int_equal(sasl_worked(s), right ? SASL_SUCCESS : SASL_FAILED);
        assert_null(sasl_made_keys(s, SCRAM_SHA1));
        for (int h = SCRAM_SHA256; h <= SCRAM_SHA512; h++) {
            const struct scram_keys *made = sasl_made_keys(s, (enum scram_hash)h);
            assert_int_equal(made != NULL, right);
            assert_true(!right || (made->iterations == SCRAM_ITERATIONS && scram_keys_match(made, "r0m30")));
        }
    }
    sasl_destroy(&s);
    bytes_fini(&b);
}

/* So many names of nobody show fewer rounds as accounts do, the same ones always, and by each hash. */
static void nobodys_rounds(void **state)
{
    (void)state;
    static const struct {
        unsigned share, least, most;
    } rows[] = {{0, 0, 0}, {65536 / 4, 25, 80}, {65536, 200, 200}};
    struct bytes b = BYTES_EMPTY, raw = BYTES_EMPTY;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sasl_config c = config;
        unsigned few = 0;
        for (unsigned h = 0; h < SCRAM_HASH_COUNT; h++) {
            c.older[h].share = rows[i].share;
            c.older[h].iterations = 4096;
        }
        struct sasl *s = sasl_create(&c);
        for (unsigned n = 0; n < 200; n++) {
            bool is_few[2];
            for (int k = 0; k < 2; k++) {
                bytes_clear(&raw);
                bytes_printf(&raw, "n,,n=nobody%u,r=x", n);
                assert_int_equal(sasl_begin(s, k ? "SCRAM-SHA-1" : "SCRAM-SHA-256", encoded(&b, raw.data, raw.len)), SASL_NEED_KEYS);
                assert_int_equal(sasl_give_keys(s, NULL), SASL_CONTINUE);
                bytes_clear(&raw);
                assert_true(base64_decode(&raw, sasl_data(s), strlen(sasl_data(s))));
                is_few[k] = strstr(bytes_text(&raw), ",i=4096") != NULL;
                assert_true(is_few[k] || strstr(bytes_text(&raw), ",i=10000"));
                assert_int_equal(sasl_refuse(s, SASL_ABORTED), SASL_FAILED);
            }
            assert_int_equal(is_few[0], is_few[1]);
            few += is_few[0];
        }
        if (few < rows[i].least || few > rows[i].most)
            fail_msg("%u of 200 show few rounds", few);
        sasl_destroy(&s);
    }
    bytes_fini(&b);
    bytes_fini(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_vectors),         cmocka_unit_test(first_message_table),
        cmocka_unit_test(final_message_table), cmocka_unit_test(begin_table),
        cmocka_unit_test(encodings),           cmocka_unit_test(scram_logins),
        cmocka_unit_test(bound_logins),        cmocka_unit_test(fake_keys),
        cmocka_unit_test(nobodys_salt),        cmocka_unit_test(advertised),           cmocka_unit_test(plain_logins),
        cmocka_unit_test(made_keys),           cmocka_unit_test(nobodys_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
