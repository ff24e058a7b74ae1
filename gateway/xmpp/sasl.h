/* SPDX-License-Identifier: MIT */
/* SASL, the server's side (RFC 6120 section 6): one exchange, as a function of what arrives. No
 * I/O: the exchange says when it needs an account's keys and when it has something slow to compute,
 * and the caller does both where it likes.
 *
 *     sasl_begin ---> SASL_CONTINUE: send the challenge, then sasl_respond
 *                     SASL_NEED_KEYS: look up sasl_username() for sasl_hash(), then sasl_give_keys (or sasl_judge)
 *                     SASL_NEED_WORK: sasl_work() on the thread pool, then sasl_worked
 *                     SASL_SUCCESS, SASL_FAILED: over; sasl_begin may follow
 *
 * Between NEED_KEYS or NEED_WORK and the answer nothing else may be called (checked): the caller
 * takes nothing from the stream meanwhile. */
#ifndef CAUSEWAY_XMPP_SASL_H
#define CAUSEWAY_XMPP_SASL_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/xmpp/scram.h"

/* RFC 6120 6.5 */
#define SASL_FAILURES(F)                                                                           \
    F(ABORTED, "aborted")                                                                          \
    F(ACCOUNT_DISABLED, "account-disabled")                                                        \
    F(CREDENTIALS_EXPIRED, "credentials-expired")                                                  \
    F(ENCRYPTION_REQUIRED, "encryption-required")                                                  \
    F(INCORRECT_ENCODING, "incorrect-encoding")                                                    \
    F(INVALID_AUTHZID, "invalid-authzid")                                                          \
    F(INVALID_MECHANISM, "invalid-mechanism")                                                      \
    F(MALFORMED_REQUEST, "malformed-request")                                                      \
    F(MECHANISM_TOO_WEAK, "mechanism-too-weak")                                                    \
    F(NOT_AUTHORIZED, "not-authorized")                                                            \
    F(TEMPORARY_AUTH_FAILURE, "temporary-auth-failure")

enum sasl_failure {
    SASL_OK, /* no failure */
#define SASL_FAILURE_ENUM(name, wire) SASL_##name,
    SASL_FAILURES(SASL_FAILURE_ENUM)
#undef SASL_FAILURE_ENUM
};

/* Strongest first, as they are announced (HT, draft-schmaus-kitten-sasl-ht, apart: XEP-0484): name, wire name, how it
 * works, hash */
#define SASL_MECHANISMS(M)                                                                         \
    M(EXTERNAL, "EXTERNAL", EXTERNAL, SCRAM_SHA256)                                                \
    M(SCRAM_SHA_512_PLUS, "SCRAM-SHA-512-PLUS", SCRAM_PLUS, SCRAM_SHA512)                          \
    M(SCRAM_SHA_256_PLUS, "SCRAM-SHA-256-PLUS", SCRAM_PLUS, SCRAM_SHA256)                          \
    M(SCRAM_SHA_1_PLUS, "SCRAM-SHA-1-PLUS", SCRAM_PLUS, SCRAM_SHA1)                                \
    M(SCRAM_SHA_512, "SCRAM-SHA-512", SCRAM, SCRAM_SHA512)                                         \
    M(SCRAM_SHA_256, "SCRAM-SHA-256", SCRAM, SCRAM_SHA256)                                         \
    M(SCRAM_SHA_1, "SCRAM-SHA-1", SCRAM, SCRAM_SHA1)                                               \
    M(PLAIN, "PLAIN", PLAIN, SCRAM_SHA256)                                                         \
    M(HT_SHA_256_EXPR, "HT-SHA-256-EXPR", HT, SCRAM_SHA256)                                        \
    M(HT_SHA_256_ENDP, "HT-SHA-256-ENDP", HT, SCRAM_SHA256)                                        \
    M(HT_SHA_256_NONE, "HT-SHA-256-NONE", HT, SCRAM_SHA256)

enum sasl_mechanism {
#define SASL_MECHANISM_ENUM(name, wire, family, hash) SASL_MECHANISM_##name,
    SASL_MECHANISMS(SASL_MECHANISM_ENUM)
#undef SASL_MECHANISM_ENUM
        SASL_MECHANISM_COUNT,
};

#define SASL_BIT(mechanism) (1u << SASL_MECHANISM_##mechanism)

const char *sasl_failure_name(enum sasl_failure f); /* wire name; NULL for SASL_OK */
const char *sasl_mechanism_name(enum sasl_mechanism m);
/* false: no mechanism that we know. */
bool sasl_mechanism_parse(const char *wire_name, enum sasl_mechanism *out);
enum scram_hash sasl_mechanism_hash(enum sasl_mechanism m);
/* The mechanism of a hash that does not bind. */
const char *sasl_hash_name(enum scram_hash hash);

struct sasl_config {
    const char *domain;      /* prepared; the account is sasl_username()@domain */
    unsigned offered;        /* SASL_BIT()s; others are refused with invalid-mechanism */
    struct span fake_secret; /* of the server, stable: makes salts for accounts that do not exist */
    unsigned fake_iterations;     /* as new accounts have; PLAIN takes at least so long */
    /* Of the accounts that there are, `share` of 65536 show fewer rounds: so do those that there are not. */
    struct {
        unsigned share, iterations;
    } older[SCRAM_HASH_COUNT];
    /* Channel binding; find NULL: none. Given where a -PLUS mechanism was announced, and only there:
     * then a client that says it saw none has been lied to. */
    struct scram_binding binding;
    /* Localparts, prepared, that the client's certificate names in this domain (EXTERNAL, XEP-0178); ends with NULL;
     * NULL: none. Borrowed while exchanges begin. */
    const char *const *people;
    /* Of sasl_advertised(): the client learns from SCRAM whether it saw the same (XEP-0474). NULL: not told. */
    const char *advertised;
};

/* Appends what XEP-0474 hashes: the mechanisms of `offered` and the types of channel binding (ends with NULL;
 * itself NULL: none were announced), sorted. */
void sasl_advertised(struct bytes *out, unsigned offered, const char *const *bindings);

enum sasl_step {
    SASL_CONTINUE,  /* send sasl_data() as a challenge */
    SASL_NEED_KEYS, /* sasl_username() is set */
    SASL_NEED_WORK, /* PBKDF2: milliseconds */
    SASL_SUCCESS,   /* send sasl_data() with it, if there is any */
    SASL_FAILED,    /* sasl_failure() says why */
};

struct sasl;

/* What `config` points to is copied, but for the binding's user and the secret: borrowed. */
struct sasl *sasl_create(const struct sasl_config *config);
void sasl_destroy(struct sasl **s);

/* <auth mechanism=.../>; `base64` is its text, "" when there was none (RFC 6120 6.4.2). */
enum sasl_step sasl_begin(struct sasl *s, const char *mechanism, const char *base64);
/* <response/> */
enum sasl_step sasl_respond(struct sasl *s, const char *base64);
/* NULL: no such account (or it may not log in); the exchange goes on and fails at its end. Keys for
 * another hash than sasl_hash() are fit for PLAIN only. */
enum sasl_step sasl_give_keys(struct sasl *s, const struct scram_keys *keys);
/* PLAIN, after SASL_NEED_KEYS: the password, for who looks at it elsewhere and then says by sasl_judge whether it is
 * right, instead of sasl_give_keys. */
const char *sasl_password(const struct sasl *s);
enum sasl_step sasl_judge(struct sasl *s, bool right);
/* After SASL_NEED_WORK: if the password is right, make new keys of these hashes (bits of enum scram_hash) of it. */
void sasl_want_keys(struct sasl *s, unsigned hashes);
/* After SASL_SUCCESS, until the next exchange; NULL: none were made. */
const struct scram_keys *sasl_made_keys(const struct sasl *s, enum scram_hash hash);
/* Any thread, while nobody else touches `s`. */
void sasl_work(struct sasl *s);
enum sasl_step sasl_worked(struct sasl *s);
/* The same where sasl_takes_token(): what the client may show, each NUL-terminated. SASL_SUCCESS: it was sasl_token().
 */
enum sasl_step sasl_give_tokens(struct sasl *s, const char *const *tokens, unsigned count);
/* The same where sasl_takes_certificate(). */
enum sasl_step sasl_give_account(struct sasl *s, bool exists);
/* Ends the exchange: the store could not be asked, the account is disabled. Returns SASL_FAILED. */
enum sasl_step sasl_refuse(struct sasl *s, enum sasl_failure why);

bool sasl_takes_token(const struct sasl *s); /* not a password */
bool sasl_takes_certificate(const struct sasl *s); /* nor here */
unsigned sasl_token(const struct sasl *s);   /* index of the one that fitted */
/* Prepared localpart; NULL before SASL_NEED_KEYS. */
const char *sasl_username(const struct sasl *s);
enum scram_hash sasl_hash(const struct sasl *s);
/* Base64, NULL: nothing. Valid until the next call. */
const char *sasl_data(const struct sasl *s);
enum sasl_failure sasl_failure(const struct sasl *s);
enum sasl_mechanism sasl_mechanism(const struct sasl *s);

#endif
