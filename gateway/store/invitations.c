/* SPDX-License-Identifier: MIT */
/* An invitation is spent in the transaction that uses it, which looks at it again: two who have the same token race
 * here, and one of them is refused. Over means: its time has run out, or no use is left. */
#include "gateway/store/invitations.h"

#include <string.h>

#include "gateway/base/base64.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/store/rosters.h"
#include "gateway/xmpp/bare.h"
#include "gateway/xmpp/scram.h"

#define COLUMNS "id, domain, inviter, name, contact, account, introduces, made_us, expires_us, uses_left, used_by"
#define INVITER_IS_THERE                                                                                               \
    "(inviter = '' or exists (select 1 from accounts where accounts.bare = invitations.inviter and accounts.disabled " \
    "= 0))"
#define DAY_US (24ll * 3600 * 1000000)

void invitations_token(char out[INVITATION_TOKEN_LEN + 1])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (unsigned i = 0; i < INVITATION_TOKEN_LEN; i++)
        out[i] = letters[random_below(sizeof letters - 1)];
    out[INVITATION_TOKEN_LEN] = '\0';
}

void invitations_hash(const char *token, unsigned char out[INVITATION_HASH_LEN])
{
    scram_digest(SCRAM_SHA256, token, strlen(token), out);
}

static struct span hash_span(const unsigned char *hash)
{
    return (struct span){(const char *)hash, INVITATION_HASH_LEN};
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static const char *or_null(struct arena *a, const char *text)
{
    return text && *text ? arena_dup(a, text) : NULL;
}

/* ---- making ---- */

/* Is the name an account, or reserved by an invitation other than `hash`? */
static bool is_taken(struct store_tx *tx, const char *domain, const char *name, const unsigned char *hash, bool *taken,
                     struct error *e)
{
    static const unsigned char none[INVITATION_HASH_LEN];
    struct span own = hash_span(hash ? hash : none);
    int64_t count;
    bool held = store_number(
        store_query(tx, e,
                    "select count(*) from invitations where domain = $1 and name = $2 and uses_left > 0 and"
                    " expires_us > $3 and hash <> $4",
                    "ttib", domain, name, store_now_us(tx), &own),
        0, &count, e);
    *taken = count > 0;
    if (!held || *taken)
        return held;
    held = store_number(
        store_query(tx, e, "select count(*) from accounts where bare = $1 || '@' || $2", "tt", name, domain), 0, &count,
        e);
    *taken = count > 0;
    return held;
}

static bool check_room(struct store_tx *tx, const struct invitation *i, unsigned open_max, struct error *e)
{
    int64_t count;
    if (!open_max || !i->inviter)
        return true;
    if (!store_number(
            store_query(tx, e,
                        "select count(*) from invitations where domain = $1 and inviter = $2 and uses_left > 0 and"
                        " expires_us > $3",
                        "tti", i->domain, i->inviter, store_now_us(tx)),
            0, &count, e))
        return false;
    return count < open_max ||
           error_set(e, ERROR_LIMIT, "%u invitations of %s are open, which is as many as there may be", open_max,
                     i->inviter);
}

static bool check_name(struct store_tx *tx, const struct invitation *i, struct error *e)
{
    bool taken = false;
    if (i->name && !is_taken(tx, i->domain, i->name, NULL, &taken, e))
        return false;
    return !taken ||
           error_set(e, ERROR_EXISTS, "%s@%s is an account already, or somebody is invited to it", i->name, i->domain);
}

static void make_id(struct invitation *i, const unsigned char *hash)
{
    struct bytes hex = BYTES_EMPTY;
    base64_hex(&hex, hash, INVITATION_ID_LEN / 2);
    CHECK(text_copy(i->id, sizeof i->id, bytes_text(&hex)));
    bytes_fini(&hex);
}

bool invitations_make(struct store_tx *tx, struct invitation *i, const char *token, unsigned open_max, struct error *e)
{
    unsigned char hash[INVITATION_HASH_LEN];
    struct span h = hash_span(hash);

    CHECK(i->contact || i->account);
    if (!check_room(tx, i, open_max, e) || !check_name(tx, i, e))
        return false;
    invitations_hash(token, hash);
    make_id(i, hash);
    i->made_us = store_now_us(tx);
    return store_exec(tx, e, "delete from invitations where expires_us < $1", "i",
                      i->made_us - INVITATION_KEPT_DAYS * DAY_US) &&
           store_exec(tx, e,
                      "insert into invitations (hash, " COLUMNS
                      ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '')",
                      "bttttiiiiii", &h, i->id, i->domain, or_empty(i->inviter), or_empty(i->name), (int64_t)i->contact,
                      (int64_t)i->account, (int64_t)i->introduces, i->made_us, i->expires_us, i->uses_left);
}

/* ---- looking ---- */

static void read_row(struct store_rows *r, struct arena *a, struct invitation *i)
{
    *i = (struct invitation){.domain = arena_dup(a, store_text(r, 1)),
                             .inviter = or_null(a, store_text(r, 2)),
                             .name = or_null(a, store_text(r, 3)),
                             .contact = store_int(r, 4) != 0,
                             .account = store_int(r, 5) != 0,
                             .introduces = store_int(r, 6) != 0,
                             .made_us = store_int(r, 7),
                             .expires_us = store_int(r, 8),
                             .uses_left = store_int(r, 9),
                             .used_by = or_null(a, store_text(r, 10))};
    text_copy(i->id, sizeof i->id, store_text(r, 0));
}

/* `since_us`: it was not over then. */
static bool find(struct store_tx *tx, const unsigned char *hash, int64_t since_us, struct arena *a,
                 struct invitation *out, bool *found, struct error *e)
{
    struct span h = hash_span(hash);
    struct store_rows *r =
        store_query(tx, e,
                    "select " COLUMNS " from invitations where hash = $1 and uses_left > 0 and expires_us > $2"
                    " and " INVITER_IS_THERE,
                    "bi", &h, since_us);
    *found = r && store_next(r, e);
    if (*found) {
        read_row(r, a, out);
        store_end(r);
    }
    return r && e->code == ERROR_NONE;
}

bool invitations_find(struct store_tx *tx, const unsigned char hash[INVITATION_HASH_LEN], struct arena *a,
                      struct invitation *out, bool *found, struct error *e)
{
    return find(tx, hash, store_now_us(tx), a, out, found, e);
}

bool invitations_list(struct store_tx *tx, const char *domain, const char *inviter, unsigned limit,
                      void (*each)(void *user, const struct invitation *i), void *user, struct error *e)
{
    struct store_rows *r =
        store_query(tx, e,
                    "select " COLUMNS " from invitations where domain = $1 and ($2 = '' or inviter = $2)"
                    " order by made_us desc, id limit $3",
                    "tti", domain, or_empty(inviter), (int64_t)limit);
    while (r && store_next(r, e)) {
        struct arena a;
        struct invitation i;
        arena_init(&a);
        read_row(r, &a, &i);
        each(user, &i);
        arena_fini(&a);
    }
    return r && e->code == ERROR_NONE;
}

bool invitations_revoke(struct store_tx *tx, const char *domain, const char *inviter, const char *id, struct error *e)
{
    if (!store_exec(tx, e, "delete from invitations where domain = $1 and ($2 = '' or inviter = $2) and id = $3", "ttt",
                    domain, or_empty(inviter), id))
        return false;
    return store_changes(tx) || error_set(e, ERROR_NOT_FOUND, "there is no invitation %s", id);
}

bool invitations_account_gone(struct store_tx *tx, const char *bare, struct error *e)
{
    return store_exec(tx, e, "delete from invitations where domain = $2 and inviter = $1", "tt", bare,
                      bare_domain(bare)) &&
           store_exec(tx, e, "delete from introductions where inviter = $1 or invited = $1", "t", bare);
}

/* ---- using ---- */

bool invitations_spend_contact(struct store_tx *tx, const unsigned char hash[INVITATION_HASH_LEN], const char *inviter,
                               const char *by, bool *spent, struct error *e)
{
    struct span h = hash_span(hash);
    if (!store_exec(tx, e,
                    "update invitations set uses_left = uses_left - 1, used_by = $3 where hash = $1 and inviter = $2 "
                    "and contact > 0"
                    " and uses_left > 0 and expires_us > $4",
                    "btti", &h, inviter, by, store_now_us(tx)))
        return false;
    *spent = store_changes(tx) == 1;
    return true;
}

static bool spend_account(struct store_tx *tx, const struct registration *r, struct error *e)
{
    struct span h = hash_span(r->hash);
    return store_exec(tx, e, "update invitations set uses_left = uses_left - 1, used_by = $2 where hash = $1", "bt", &h,
                      r->account->bare);
}

/* Looks, changes nothing. */
static bool judge(struct store_tx *tx, struct registration *r, struct invitation *i, struct error *e)
{
    const char *bare = r->account->bare, *name = arena_dup_n(r->arena, bare, strcspn(bare, "@"));
    bool found = true, taken = false;

    if (r->hash && !find(tx, r->hash, INT64_MIN, r->arena, i, &found, e))
        return false;
    if (!found || (r->hash && (!i->account || !text_eq(i->domain, bare_domain(bare)))))
        r->outcome = REGISTRATION_NOT_INVITED;
    else if (i->name && !text_eq(i->name, name))
        r->outcome = REGISTRATION_OTHER_NAME;
    else if (!is_taken(tx, bare_domain(bare), name, r->hash, &taken, e))
        return false;
    else
        r->outcome = taken ? REGISTRATION_TAKEN : REGISTRATION_DONE;
    return true;
}

static bool introduce(struct store_tx *tx, const struct registration *r, struct error *e)
{
    const struct roster_row row = {
        .contact = r->inviter, .groups = "", .state = r->roster_state, .in_roster = 1, .version = 1};
    return roster_put(tx, r->account->bare, &row, e) &&
           store_exec(
               tx, e,
               "insert into introductions (inviter, invited) values ($1, $2) on conflict (inviter, invited) do nothing",
               "tt", r->inviter, r->account->bare);
}

bool invitations_register(struct store_tx *tx, struct registration *r, struct error *e)
{
    struct invitation i = {0};

    r->inviter = NULL;
    if (!judge(tx, r, &i, e))
        return false;
    if (r->outcome != REGISTRATION_DONE)
        return true;
    r->inviter = i.introduces ? i.inviter : NULL;
    return account_put(tx, r->account, false, e) && (!r->hash || spend_account(tx, r, e)) &&
           (!r->inviter || introduce(tx, r, e));
}

bool invitations_introductions(struct store_tx *tx, void (*each)(void *user, const char *inviter, const char *invited),
                               void *user, struct error *e)
{
    struct store_rows *r =
        store_query(tx, e, "select inviter, invited from introductions order by inviter, invited", "");
    while (r && store_next(r, e))
        each(user, store_text(r, 0), store_text(r, 1));
    return r && e->code == ERROR_NONE;
}

bool invitations_introduced(struct store_tx *tx, const char *inviter, const char *invited, struct error *e)
{
    return store_exec(tx, e, "delete from introductions where inviter = $1 and invited = $2", "tt", inviter, invited);
}
