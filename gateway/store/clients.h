/* SPDX-License-Identifier: MIT */
/* Clients that may log in by a token (XEP-0484), by account and installation. Of each there are at most two tokens: the
 * one in use, and a fresh one that was given out and not yet shown. What lies here is the seed of a token; whoever
 * asks makes the token of it (c2s/c2s_fast.c). */
#ifndef CAUSEWAY_STORE_CLIENTS_H
#define CAUSEWAY_STORE_CLIENTS_H

#include "gateway/store/store.h"

enum { CLIENT_SEED_LEN = 32, CLIENT_TOKENS_MAX = 2, CLIENTS_MAX = 50 /* of an account; the newest stay */ };

struct client_token {
    char mechanism[20];
    unsigned char seed[CLIENT_SEED_LEN];
    int64_t issued_us, expires_us;
    int64_t count; /* the highest that was used with it; 0: none */
    bool fresh;    /* never used */
};

struct client_tokens {
    struct client_token list[CLIENT_TOKENS_MAX];
    unsigned count;
};

/* Inside a transaction. */
MUST_USE bool clients_tokens(struct store_tx *tx, const char *bare, const char *agent, struct client_tokens *out,
                             struct error *e);

/* A login, all in one transaction. */
struct client_use {
    const char *bare, *agent, *software, *device;
    const struct client_token *used; /* NULL: it came by a password */
    int64_t count;                   /* that it said, must be higher than any before; 0: it said none */
    bool end;                        /* the client is logged out: no token of it holds */
    const struct client_token *give; /* mechanism, seed, expires_us of a fresh one; NULL: none */
    bool refused;                    /* out: `used` holds no more, or the count is not higher; nothing was done */
};
MUST_USE bool clients_use(struct store_tx *tx, struct client_use *u, struct error *e);

/* One installation loses its tokens and is forgotten; agent NULL: all of the account. */
MUST_USE bool clients_forget(struct store_tx *tx, const char *bare, const char *agent, struct error *e);
MUST_USE bool clients_forget_others(struct store_tx *tx, const char *bare, const char *agent, struct error *e);
/* By name of the account's installations that can log in by a token still, in the order of the last use. seen_us is of
 * the last login that was written down: most of those by a token are not (one of each day is). */
struct client_row {
    const char *agent, *software, *device;
    int64_t first_us, seen_us;
};
MUST_USE bool clients_each(struct store_tx *tx, const char *bare,
                           void (*each)(void *user, const struct client_row *row), void *user, struct error *e);

#endif
