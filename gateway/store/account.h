/* SPDX-License-Identifier: MIT */
/* Accounts: a name in a local domain and its SCRAM keys. Passwords are not kept. */
#ifndef CAUSEWAY_STORE_ACCOUNT_H
#define CAUSEWAY_STORE_ACCOUNT_H

#include "gateway/base/arena.h"
#include "gateway/store/store.h"
#include "gateway/xmpp/scram.h"

enum { ACCOUNT_KEYS_MAX = 4 };

struct account_keys {
    char mechanism[16]; /* "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512" */
    uint32_t iterations;
    unsigned char salt[32], stored_key[64], server_key[64];
    unsigned salt_len, key_len;
};

struct account {
    const char *bare; /* prepared */
    struct account_keys keys[ACCOUNT_KEYS_MAX];
    unsigned key_count;
    bool is_admin, disabled;
    bool gone;         /* disabled because the directory has it no more */
    bool of_directory; /* its password is in a directory outside (gateway/net/directory.h): it has no keys */
    int64_t created_us;
};

/* Read. After done: `found` and `account` (in `arena`). */
struct account_get {
    struct store_job job;
    struct arena arena; /* the caller's: arena_init before, arena_fini after */
    const char *bare;
    bool found;
    struct account account;
};
void account_get(struct store *s, struct account_get *g);

/* Inside a transaction, for whoever needs it (tools, tests, other families). */
MUST_USE bool account_put(struct store_tx *tx, const struct account *a, bool replace,
                          struct error *e); /* ERROR_EXISTS */
/* A new password: the keys of `a` replace all that a->bare has, tokens go; nothing else changes. ERROR_NOT_FOUND. */
MUST_USE bool account_renew_keys(struct store_tx *tx, const struct account *a, struct error *e);
MUST_USE bool account_delete(struct store_tx *tx, const char *bare,
                             struct error *e); /* ERROR_NOT_FOUND; with all that is its own */
/* Nobody may log in; what comes for the account is kept. ERROR_NOT_FOUND. */
/* Disabling takes the tokens of all its clients (clients.h): what was given to them does not come back. */
MUST_USE bool account_set_disabled(struct store_tx *tx, const char *bare, bool disabled, struct error *e);
/* The directory has that person: the account is made if there is none; one that was gone may log in again, one of ours
 * is the directory's from then on, without keys and tokens of old. *changed: it is not as before. */
MUST_USE bool account_of_directory(struct store_tx *tx, const char *bare, bool *changed, struct error *e);
/* The directory has it no more: as account_set_disabled, until account_of_directory. An account that is not of a
 * directory, or disabled already, stays as it is (*changed false). */
MUST_USE bool account_left_directory(struct store_tx *tx, const char *bare, bool *changed, struct error *e);
MUST_USE bool account_find(struct store_tx *tx, const char *bare, struct arena *a, struct account *out, bool *found,
                           struct error *e);
/* Names in order, from `after` (NULL: the first) on; domain NULL: all. */
MUST_USE bool account_list(struct store_tx *tx, const char *domain, const char *after, unsigned limit,
                           void (*each)(void *user, const struct account *a), void *user, struct error *e);

/* Those of a domain that are marked as admins, by name; and changing that. */
MUST_USE bool account_admins(struct store_tx *tx, const char *domain, void (*each)(void *user, const char *bare),
                             void *user, struct error *e);
MUST_USE bool account_mark_admin(struct store_tx *tx, const char *bare, bool is_admin,
                                 struct error *e); /* ERROR_NOT_FOUND */
MUST_USE bool account_count(struct store_tx *tx, const char *domain, int64_t *out, struct error *e);

/* Which keys the accounts of a domain have that are not disabled. */
struct account_census_row {
    char mechanism[16];
    int64_t have;   /* so many have keys of it */
    int64_t older;  /* of these by fewer rounds than were asked for */
    uint32_t least; /* the fewest rounds */
};
struct account_census {
    int64_t accounts;
    struct account_census_row rows[ACCOUNT_KEYS_MAX]; /* of each mechanism that somebody has */
    unsigned count;
};
/* One walk over the domain's keys: at start, and when what may log in has changed. */
MUST_USE bool account_census(struct store_tx *tx, const char *domain, unsigned rounds, struct account_census *out,
                             struct error *e);

/* The name of one account of the domain, not disabled, that has no keys of that mechanism, if there is one. */
MUST_USE bool account_without(struct store_tx *tx, const char *domain, const char *mechanism,
                              void (*each)(void *user, const char *bare), void *user, struct error *e);

/* Adds or replaces the keys of one mechanism, if the account still has those of `witness`: else (added false) its
 * password has changed since they were read. */
MUST_USE bool account_add_keys(struct store_tx *tx, const char *bare, const struct account_keys *k,
                               const struct account_keys *witness, bool *added, struct error *e);
/* How keys are kept. */
void account_take_keys(struct account_keys *k, const struct scram_keys *keys);
/* In memory. Those of one hash; NULL: it has none. */
const struct account_keys *account_keys_of(const struct account *a, enum scram_hash hash);
/* In memory: they join the others, or take the place of those of the same mechanism. There is room. */
void account_hold_keys(struct account *a, const struct account_keys *k);
/* Fills the keys of every mechanism there is. Slow (libuv's pool, a tool). false: the password is empty, or
 * not allowed by saslprep. */
MUST_USE bool account_set_password(struct account *a, const char *password);

#endif
