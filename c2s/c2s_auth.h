/* SPDX-License-Identifier: MIT */
/* An exchange of SASL: what the two ways to spell it on the stream share. RFC 6120 section 6 (c2s_sasl1.c) and
 * XEP-0388 (c2s_sasl2.c) are profiles; mechanisms, keys, the brake on guessing, the count of failures and what is
 * offered are one for both. */
#ifndef CAUSEWAY_C2S_C2S_AUTH_H
#define CAUSEWAY_C2S_C2S_AUTH_H

#include "c2s/c2s_brake.h"
#include "gateway/net/timer.h"
#include "gateway/store/account.h"
#include "gateway/xmpp/sasl.h"
#include "gateway/xmpp/stanza.h"

struct c2s_conn;
struct c2s_io;
struct c2s_upgrade;
struct c2s_fast;
struct c2s_directory;

/* How one of them is spelt. */
struct c2s_profile {
    void (*challenge)(struct c2s_conn *k, const char *base64);
    void (*failure)(struct c2s_conn *k, const char *name);
    /* The exchange went right, and nobody was told. true: something must be done first, after which it calls
     * c2s_auth_prepared (or refuses). NULL: never. */
    bool (*prepare)(struct c2s_conn *k);
    /* Account and shard are known; tells the client, and takes the connection out of PROVING. */
    void (*succeeded)(struct c2s_conn *k);
};

struct c2s_auth {
    struct c2s_conn *conn; /* NULL: it has gone */
    struct c2s_io *io;
    const struct c2s_profile *profile;
    struct stanza *request; /* counted; <authenticate/> with all it asks for; NULL: SASL of RFC 6120 */
    struct sasl *sasl;      /* owned */
    bool busy;              /* `get` or `work` is under way */
    bool disabled;          /* the account may not log in */
    uint64_t proved;        /* exchange_revocations() before the account was read */
    bool healed;            /* keys that were made are on their way into the store */
    bool held;              /* the outcome waits for `hold` */
    bool right;             /* what that is */
    struct c2s_brake_key key;
    struct timer hold;
    struct account_get get;
    struct c2s_directory *outside; /* owned; the directory was asked; NULL: not */
    struct c2s_fast *fast;       /* owned; XEP-0484 has a part in it; NULL: not */
    struct c2s_upgrade *upgrade; /* owned; XEP-0480 was asked for; NULL: not, or not yet looked at */
    uv_work_t work;
};

/* The client begins. No exchange is under way, or the profile lets sasl_begin refuse a second one. `request` (may be
 * NULL) is counted; `initial` as sasl_begin takes it. */
void c2s_auth_begin(struct c2s_conn *k, const struct c2s_profile *p, struct stanza *request,
                    const char *mechanism, const char *initial);
/* What is spelt alike in both but for its namespace: <response/>, <abort/>; anything else closes the stream. No
 * exchange of another profile is under way. */
void c2s_auth_go_on(struct c2s_conn *k, const struct c2s_profile *p, const struct element *e);
/* A failure that no mechanism had a part in: counts like any other. Ends the exchange, if there is one. */
void c2s_auth_refuse(struct c2s_conn *k, const struct c2s_profile *p, enum sasl_failure why);
void c2s_auth_prepared(struct c2s_conn *k);
/* Ends the exchange that is under way, as one that names who failed. */
void c2s_auth_fail(struct c2s_conn *k, enum sasl_failure why);
/* A password was looked at elsewhere, or whom a certificate names; SASL_OK: it is right. */
void c2s_auth_outside_judged(struct c2s_conn *k, enum sasl_failure why);
/* A token was looked at. */
void c2s_auth_token_judged(struct c2s_conn *k, enum sasl_step step);
/* Who is to be judged is known: `get` is made ready for reading that account, with `done`. */
void c2s_auth_name(struct c2s_conn *k, void (*done)(struct store_job *job, const struct error *e));
/* Around what is done for it elsewhere: the client is not read, and `a` stays. end: false: the connection has gone, and
 * `a` with it. */
void c2s_auth_begin_work(struct c2s_auth *a);
bool c2s_auth_end_work(struct c2s_auth *a);
/* From `succeeded`: the exchange is over, the connection PROVED. */
void c2s_auth_proved(struct c2s_conn *k);

/* ---- passwords that a directory has (c2s_directory.c) ---- */

struct directory;
struct directory *c2s_directory_of(const struct c2s_conn *k); /* of its domain; NULL: accounts are ours alone */
/* PLAIN, or a certificate, whose person must be there: c2s_auth_outside_judged follows; who is right has an account
 * then. */
void c2s_directory_prove(struct c2s_conn *k);
/* A token was right: is the person still there? c2s_auth_token_judged follows. */
void c2s_directory_recheck(struct c2s_conn *k);
void c2s_directory_destroy(struct c2s_directory **o);

/* ---- XEP-0484 (c2s_fast.c) ---- */

unsigned c2s_fast_mechanisms(const struct c2s_conn *k); /* SASL_BIT()s */
void c2s_fast_features(const struct c2s_conn *k, struct bytes *out); /* inside <inline/> */
/* What `request` says of it can be read. */
bool c2s_fast_is_readable(const struct c2s_conn *k, const struct element *request);
/* The client shows a token: what it may be is read, c2s_auth_token_judged follows. */
void c2s_fast_ask(struct c2s_conn *k);
/* The exchange went right: true when a commit must come first (then c2s_auth_prepared or c2s_auth_fail follows). */
bool c2s_fast_prepare(struct c2s_conn *k);
/* Of a login that ended: <token/>, if one was given. */
void c2s_fast_tell(const struct c2s_auth *a, struct bytes *out);
void c2s_fast_destroy(struct c2s_fast **f);

/* ---- XEP-0480 (c2s_upgrade.c) ---- */

/* Inside <authentication/>. */
void c2s_upgrade_features(struct bytes *out);
/* The exchange went right: true when the client wants keys made that the account lacks. Then it is told so, with what
 * the mechanism says last, and c2s_auth_prepared follows when they are kept, or could not be. */
bool c2s_upgrade_begin(struct c2s_conn *k);
/* <next/> or <task-data/>; false: not what it waits for. */
bool c2s_upgrade_take(struct c2s_conn *k, const struct element *e);
bool c2s_upgrade_has_told(const struct c2s_auth *a); /* sasl_data() went out with it */
void c2s_upgrade_destroy(struct c2s_upgrade **u);

/* ---- keys of a password that was shown (c2s_heal.c) ---- */

/* Bits of enum scram_hash: what the account lacks, or has by fewer rounds. */
unsigned c2s_heal_wanted(struct c2s_auth *a);
/* The exchange went right: what was made goes into the store, and the login on. */
void c2s_heal_keep(struct c2s_conn *k);

/* ---- certificates of people (c2s_external.c) ---- */

/* TLS is done and the domain is known: whom the client's certificate names there (k->people). */
void c2s_external_look(struct c2s_conn *k);
void c2s_external_forget(struct c2s_conn *k);

/* ---- what is offered (c2s_offer.c) ---- */

bool c2s_offer_binds(const struct c2s_conn *k); /* there is something to bind to */
unsigned c2s_offer_mechanisms(const struct c2s_conn *k); /* SASL_BIT()s */
void c2s_offer_hashed(const struct c2s_conn *k, struct bytes *out); /* for XEP-0474 */
/* <mechanism/> of each, without a namespace of its own; <sasl-channel-binding/> of XEP-0440. */
void c2s_offer_write_mechanisms(const struct c2s_conn *k, struct bytes *out);
void c2s_offer_write_bindings(const struct c2s_conn *k, struct bytes *out);

#endif
