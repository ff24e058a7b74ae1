/* SPDX-License-Identifier: MIT */
/* The client's side of SCRAM: for tools, tests, and where Causeway itself logs in. */
#ifndef CAUSEWAY_XMPP_SCRAM_CLIENT_H
#define CAUSEWAY_XMPP_SCRAM_CLIENT_H

#include "gateway/xmpp/scram.h"

struct scram_client {
    enum scram_hash hash;
    struct bytes gs2;     /* "n,," or "p=TYPE,," */
    struct bytes binding; /* the channel's data; empty: not bound */
    struct bytes first_bare;
    struct bytes nonce;
    unsigned char signature[SCRAM_KEY_MAX]; /* that the server must show */
};

/* `nonce` NULL: drawn (tests give one). */
void scram_client_init(struct scram_client *c, enum scram_hash hash, const char *username,
                       const char *nonce);
/* For a -PLUS mechanism: the channel's data of that type. `data` is copied. */
void scram_client_bind(struct scram_client *c, const char *type, struct span data);
void scram_client_fini(struct scram_client *c);
/* Appends client-first-message, without authzid. */
void scram_client_first(const struct scram_client *c, struct bytes *out);
/* Reads server-first-message, appends client-final-message. Slow. false: not to be answered. */
MUST_USE bool scram_client_final(struct scram_client *c, const char *password,
                                 struct span challenge, struct bytes *out);
/* Reads server-final-message. false: the server does not know the password. */
MUST_USE bool scram_client_verify(const struct scram_client *c, struct span message);

#endif
