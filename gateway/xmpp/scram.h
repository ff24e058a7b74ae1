/* SPDX-License-Identifier: MIT */
/* SCRAM (RFC 5802, RFC 7677; SHA-512 as those two would have it): keys as they are stored, and the server's side of an
 * exchange. Pure.
 */
#ifndef CAUSEWAY_XMPP_SCRAM_H
#define CAUSEWAY_XMPP_SCRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/bytes.h"

enum scram_hash { SCRAM_SHA1, SCRAM_SHA256, SCRAM_SHA512, SCRAM_HASH_COUNT };

enum { SCRAM_KEY_MAX = 64, SCRAM_SALT_LEN = 16, SCRAM_SALT_MAX = 64, SCRAM_ITERATIONS = 10000 };

struct scram_keys {
    enum scram_hash hash;
    unsigned iterations;
    unsigned salt_len;
    unsigned char salt[SCRAM_SALT_MAX];
    unsigned char stored_key[SCRAM_KEY_MAX],
        server_key[SCRAM_KEY_MAX]; /* scram_hash_len() of each */
    bool fake;                     /* of an account that does not exist: never matches */
};

/* What a connection can be bound to (RFC 5056). find NULL: nothing, and no -PLUS was announced. */
struct scram_binding {
    /* Appends the data of that type ("tls-exporter", ...); false: not to be had. */
    bool (*find)(void *user, const char *type, struct bytes *out);
    void *user;
};

size_t scram_hash_len(enum scram_hash hash);

/* keys->hash, iterations and salt are given; fills the two keys. Slow. false: the password is empty
 * or not allowed by saslprep. */
MUST_USE bool scram_keys_derive(struct scram_keys *keys, const char *password);
/* The same from the SaltedPassword, scram_hash_len() bytes. */
void scram_keys_from_salted(struct scram_keys *keys, const unsigned char *salted);
/* keys_derive with a fresh salt and SCRAM_ITERATIONS. */
MUST_USE bool scram_keys_make(struct scram_keys *keys, enum scram_hash hash, const char *password);
/* Does the password give these keys? Slow, in constant time at its end. */
MUST_USE bool scram_keys_match(const struct scram_keys *keys, const char *password);
/* Keys that look real and match nothing; the same name has the same salt for ever. */
void scram_keys_fake(struct scram_keys *keys, enum scram_hash hash, unsigned iterations,
                     const char *username, struct span secret);

enum scram_result {
    SCRAM_FINE,
    SCRAM_MALFORMED, /* not the syntax of RFC 5802 section 7 */
    SCRAM_WRONG,     /* proof, nonce or channel binding do not fit */
};

struct scram_server {
    struct scram_keys keys;
    struct bytes gs2;        /* header as it came, "n,,": c= must repeat it */
    struct bytes first_bare; /* client-first-message-bare */
    struct bytes challenge;  /* server-first-message */
    struct bytes username;   /* unescaped, not prepared */
    struct bytes authzid;    /* unescaped; empty: none */
    struct bytes nonce;      /* the client's, then both */
    struct scram_binding binding;
    const char *advertised; /* XEP-0474: what the attribute h is the hash of; borrowed; NULL: no h */
    struct bytes bound; /* the channel's data of the type that the client asked for; else empty */
};

/* `plus`: the mechanism is a -PLUS one, so the client must bind; otherwise it must not. */
void scram_server_init(struct scram_server *s, struct scram_binding binding);
void scram_server_fini(struct scram_server *s);
/* Reads client-first-message; then s->username and s->authzid are known. */
enum scram_result scram_server_start(struct scram_server *s, const char *message, size_t len,
                                     bool plus);
/* Gives the keys (copied) and makes s->challenge. `nonce` NULL: drawn (tests give one). */
void scram_server_challenge(struct scram_server *s, const struct scram_keys *keys,
                            const char *nonce);
/* Reads client-final-message; SCRAM_FINE: `out` gets server-final-message (v=...). */
enum scram_result scram_server_finish(struct scram_server *s, const char *message, size_t len,
                                      struct bytes *out);

/* -- shared with the client's side (scram_client.c) */
void scram_hmac(enum scram_hash hash, const void *key, size_t key_len, struct span text,
                unsigned char *out);
void scram_digest(enum scram_hash hash, const void *data, size_t len, unsigned char *out);
/* SaltedPassword. false: the password is not allowed. */
MUST_USE bool scram_salted(enum scram_hash hash, const char *password, const unsigned char *salt,
                           size_t salt_len, unsigned iterations, unsigned char *out);

#endif
