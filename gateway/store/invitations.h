/* SPDX-License-Identifier: MIT */
/* Invitations as rows: who made them, what they are good for, how often and until when; and what is done with one in
 * one transaction: an account is made and the invitation is spent, or neither. A token is never kept, only its hash.
 * Which policy allows what is decided by who calls. */
#ifndef CAUSEWAY_STORE_INVITATIONS_H
#define CAUSEWAY_STORE_INVITATIONS_H

#include "gateway/store/account.h"

enum {
    INVITATION_TOKEN_LEN = 22, /* 131 bits */
    INVITATION_HASH_LEN = 32,
    INVITATION_ID_LEN = 10,
    INVITATION_USES_MAX = 100,
    INVITATION_KEPT_DAYS = 30, /* one that is over is still listed */
};

struct invitation {
    char id[INVITATION_ID_LEN + 1]; /* names it in lists; made of the hash, so no secret */
    const char *domain;
    const char *inviter; /* bare JID; NULL: somebody at the machine */
    const char *name;    /* localpart that it is for, reserved meanwhile; NULL: any */
    bool contact;        /* a subscription by it is approved (XEP-0379) */
    bool account;        /* an account can be made by it (XEP-0445) */
    bool introduces;     /* and both are in each other's rosters then */
    int64_t made_us, expires_us, uses_left;
    const char *used_by; /* bare JID, the last; NULL: nobody */
};

/* Alphanumeric (XEP-0379 section 5.1). */
void invitations_token(char out[INVITATION_TOKEN_LEN + 1]);
void invitations_hash(const char *token, unsigned char out[INVITATION_HASH_LEN]);

/* Inside a write. Fills id and made_us, and forgets what has been over for long. ERROR_LIMIT: the inviter has
 * `open_max` (0: any number) that are not over. ERROR_EXISTS: the name is an account, or reserved by another one. */
MUST_USE bool invitations_make(struct store_tx *tx, struct invitation *i, const char *token, unsigned open_max,
                               struct error *e);
/* *found: it can still be used: not over, not spent, and its inviter is an account that may log in. Texts in `a`. */
MUST_USE bool invitations_find(struct store_tx *tx, const unsigned char hash[INVITATION_HASH_LEN], struct arena *a,
                               struct invitation *out, bool *found, struct error *e);
/* One use fewer; `by` is remembered. *spent false: it is of another inviter, gives no contact, is over or spent. */
MUST_USE bool invitations_spend_contact(struct store_tx *tx, const unsigned char hash[INVITATION_HASH_LEN],
                                        const char *inviter, const char *by, bool *spent, struct error *e);
/* The newest first; inviter NULL: of all. Those that are over are among them. */
MUST_USE bool invitations_list(struct store_tx *tx, const char *domain, const char *inviter, unsigned limit,
                               void (*each)(void *user, const struct invitation *i), void *user, struct error *e);
/* inviter NULL: whoever's. ERROR_NOT_FOUND. */
MUST_USE bool invitations_revoke(struct store_tx *tx, const char *domain, const char *inviter, const char *id,
                                 struct error *e);
MUST_USE bool invitations_account_gone(struct store_tx *tx, const char *bare, struct error *e);

/* ---- an account is made ---- */

enum registration_outcome {
    REGISTRATION_DONE,
    REGISTRATION_TAKEN,      /* the name is an account, or reserved by another invitation */
    REGISTRATION_NOT_INVITED, /* the invitation was spent, revoked, or its inviter went */
    REGISTRATION_OTHER_NAME, /* it is for another name */
};

struct registration {
    const struct account *account;
    const unsigned char *hash; /* of the invitation's token; NULL: none is needed */
    int64_t roster_state;      /* of a contact with whom both see each other (exchange/subscription.h) */
    struct arena *arena;
    enum registration_outcome outcome; /* out */
    const char *inviter;               /* out, in arena: who is to be introduced; NULL: nobody */
};
/* Inside a write. An invitation that was found once holds even if it has run out since (XEP-0445 section 4). */
MUST_USE bool invitations_register(struct store_tx *tx, struct registration *r, struct error *e);

/* Accounts whose inviters have not been told; and that one has. */
MUST_USE bool invitations_introductions(struct store_tx *tx,
                                        void (*each)(void *user, const char *inviter, const char *invited), void *user,
                                        struct error *e);
MUST_USE bool invitations_introduced(struct store_tx *tx, const char *inviter, const char *invited, struct error *e);

#endif
