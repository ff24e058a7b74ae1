/* SPDX-License-Identifier: MIT */
/* An account is a row, its SCRAM keys are rows beside it: a mechanism can be added to an account
 * when its owner next shows a password. */
#include "gateway/store/account.h"

#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/blocks.h"
#include "gateway/store/clients.h"
#include "gateway/store/invitations.h"
#include "gateway/store/journal_internal.h"
#include "gateway/store/private_xml.h"
#include "gateway/store/seen.h"
#include "gateway/store/sessions.h"
#include "gateway/xmpp/bare.h"
#include "gateway/xmpp/sasl.h"
#include "gateway/xmpp/scram.h"

/* accounts.disabled: by an admin, or because the directory has it no more. */
enum { DISABLED = 1, GONE = 2 };

static bool read_key(struct store_rows *r, struct account_keys *k)
{
    struct span salt = store_blob(r, 2), stored = store_blob(r, 3), server = store_blob(r, 4);
    if (!text_copy(k->mechanism, sizeof k->mechanism, store_text(r, 0)) || salt.len > sizeof k->salt ||
        stored.len > sizeof k->stored_key || server.len != stored.len)
        return false;
    k->iterations = (uint32_t)store_int(r, 1);
    k->salt_len = (unsigned)salt.len;
    k->key_len = (unsigned)stored.len;
    memcpy(k->salt, salt.data, salt.len);
    memcpy(k->stored_key, stored.data, stored.len);
    memcpy(k->server_key, server.data, server.len);
    return true;
}

static bool read_keys(struct store_tx *tx, struct account *a, struct error *e)
{
    struct store_rows *r = store_query(tx, e,
                                       "select mechanism, iterations, salt, stored_key, server_key"
                                       " from account_keys where bare = $1 order by mechanism limit $2",
                                       "ti", a->bare, (int64_t)ACCOUNT_KEYS_MAX);
    a->key_count = 0;
    while (r && store_next(r, e)) {
        if (!read_key(r, &a->keys[a->key_count++])) {
            store_end(r);
            return error_set(e, ERROR_INVALID, "account %s: a SCRAM key in the store is malformed", a->bare);
        }
    }
    return r && e->code == ERROR_NONE;
}

static void read_account(struct store_rows *r, struct arena *arena, struct account *a)
{
    *a = (struct account){
        .bare = arena_dup(arena, store_text(r, 0)),
        .is_admin = store_int(r, 1) != 0,
        .disabled = store_int(r, 2) != 0,
        .gone = store_int(r, 2) == GONE,
        .created_us = store_int(r, 3),
        .of_directory = store_int(r, 4) != 0,
    };
}

bool account_find(struct store_tx *tx, const char *bare, struct arena *a, struct account *out, bool *found,
                  struct error *e)
{
    *found = false;
    struct store_rows *r = store_query(
        tx, e, "select bare, is_admin, disabled, created_us, of_directory from accounts where bare = $1", "t", bare);
    if (!r)
        return false;
    if (!store_next(r, e))
        return e->code == ERROR_NONE;
    read_account(r, a, out);
    store_end(r);
    *found = true;
    return read_keys(tx, out, e);
}

static bool get_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct account_get *g = container_of(job, struct account_get, job);
    return account_find(tx, g->bare, &g->arena, &g->account, &g->found, e);
}

void account_get(struct store *s, struct account_get *g)
{
    g->job.run = get_run;
    store_read(s, &g->job);
}

static bool put_key(struct store_tx *tx, const char *bare, const struct account_keys *k, struct error *e)
{
    struct span salt = {(const char *)k->salt, k->salt_len};
    struct span stored = {(const char *)k->stored_key, k->key_len};
    struct span server = {(const char *)k->server_key, k->key_len};

    return store_exec(tx, e,
                      "insert into account_keys (bare, mechanism, iterations, salt, stored_key, server_key)"
                      " values ($1, $2, $3, $4, $5, $6) on conflict (bare, mechanism) do update set iterations ="
                      " excluded.iterations, salt = excluded.salt, stored_key = excluded.stored_key,"
                      " server_key = excluded.server_key",
                      "ttibbb", bare, k->mechanism, (int64_t)k->iterations, &salt, &stored, &server);
}

static bool put_keys(struct store_tx *tx, const struct account *a, struct error *e)
{
    for (unsigned i = 0; i < a->key_count; i++)
        if (!put_key(tx, a->bare, &a->keys[i], e))
            return false;
    return true;
}

bool account_add_keys(struct store_tx *tx, const char *bare, const struct account_keys *k,
                      const struct account_keys *witness, bool *added, struct error *e)
{
    struct span stored = {(const char *)witness->stored_key, witness->key_len};
    struct store_rows *r =
        store_query(tx, e, "select iterations from account_keys where bare = $1 and mechanism = $2 and stored_key = $3",
                    "ttb", bare, witness->mechanism, &stored);

    *added = r && store_next(r, e);
    if (!*added)
        return r && e->code == ERROR_NONE;
    store_end(r);
    return put_key(tx, bare, k, e);
}

static bool forget_rosters(struct store_tx *tx, const char *bare, struct error *e)
{
    return store_exec(tx, e, "delete from rosters where owner = $1", "t", bare) &&
           store_exec(tx, e, "delete from roster_heads where owner = $1", "t", bare);
}

/* Tokens were given for the old password. */
static bool replace_keys(struct store_tx *tx, const struct account *a, struct error *e)
{
    CHECK(a->key_count <= ACCOUNT_KEYS_MAX);
    return store_exec(tx, e, "delete from account_keys where bare = $1", "t", a->bare) &&
           clients_forget(tx, a->bare, NULL, e) && put_keys(tx, a, e);
}

bool account_renew_keys(struct store_tx *tx, const struct account *a, struct error *e)
{
    int64_t count;
    if (!store_number(store_query(tx, e, "select count(*) from accounts where bare = $1", "t", a->bare), 0, &count, e))
        return false;
    if (!count)
        return error_set(e, ERROR_NOT_FOUND, "there is no account %s", a->bare);
    return replace_keys(tx, a, e);
}

bool account_put(struct store_tx *tx, const struct account *a, bool replace, struct error *e)
{
    int64_t created_us = a->created_us ? a->created_us : tx->now_us;
    const char *sql = replace ? "insert into accounts (bare, domain, is_admin, disabled, created_us)"
                                " values ($1, $2, $3, $4, $5) on conflict (bare) do update set"
                                " is_admin = excluded.is_admin, disabled = excluded.disabled"
                              : "insert into accounts (bare, domain, is_admin, disabled, created_us)"
                                " values ($1, $2, $3, $4, $5) on conflict (bare) do nothing";
    if (!store_exec(tx, e, sql, "ttiii", a->bare, bare_domain(a->bare), (int64_t)a->is_admin,
                    (int64_t)a->disabled, created_us))
        return false;
    if (store_changes(tx) == 0)
        return error_set(e, ERROR_EXISTS, "account %s exists already", a->bare);
    if (!replace && !forget_rosters(tx, a->bare, e)) /* what still came for somebody of that name */
        return false;
    return replace_keys(tx, a, e);
}

static bool found_one(struct store_tx *tx, const char *bare, struct error *e)
{
    return store_changes(tx) == 1 || error_set(e, ERROR_NOT_FOUND, "there is no account %s", bare);
}

bool account_set_disabled(struct store_tx *tx, const char *bare, bool disabled, struct error *e)
{
    return store_exec(tx, e, "update accounts set disabled = $2 where bare = $1", "ti", bare, (int64_t)disabled) &&
           found_one(tx, bare, e) && (!disabled || clients_forget(tx, bare, NULL, e));
}

bool account_of_directory(struct store_tx *tx, const char *bare, bool *changed, struct error *e)
{
    if (!store_exec(tx, e,
                    "insert into accounts (bare, domain, is_admin, disabled, created_us, of_directory) values ($1, $2, "
                    "0, 0, $3, 1)"
                    " on conflict (bare) do nothing",
                    "tti", bare, bare_domain(bare), tx->now_us))
        return false;
    *changed = store_changes(tx) > 0;
    if (*changed)
        return true;
    if (!store_exec(tx, e, "update accounts set disabled = 0 where bare = $1 and disabled = $2", "ti", bare,
                    (int64_t)GONE))
        return false;
    *changed = store_changes(tx) > 0;
    if (!store_exec(tx, e, "update accounts set of_directory = 1 where bare = $1 and of_directory = 0", "t", bare))
        return false;
    if (store_changes(tx) == 0)
        return true;
    *changed = true;
    return store_exec(tx, e, "delete from account_keys where bare = $1", "t", bare) &&
           clients_forget(tx, bare, NULL, e);
}

bool account_left_directory(struct store_tx *tx, const char *bare, bool *changed, struct error *e)
{
    if (!store_exec(tx, e, "update accounts set disabled = $2 where bare = $1 and disabled = 0 and of_directory = 1",
                    "ti", bare, (int64_t)GONE))
        return false;
    *changed = store_changes(tx) > 0;
    return !*changed || clients_forget(tx, bare, NULL, e);
}

bool account_delete(struct store_tx *tx, const char *bare, struct error *e)
{
    return store_exec(tx, e, "delete from accounts where bare = $1", "t", bare) && found_one(tx, bare, e) &&
           store_exec(tx, e, "delete from account_keys where bare = $1", "t", bare) && forget_rosters(tx, bare, e) &&
           clients_forget(tx, bare, NULL, e) && invitations_account_gone(tx, bare, e) &&
           sessions_account_gone(tx, bare, e) && blocks_account_gone(tx, bare, e) &&
           private_xml_account_gone(tx, bare, e) && seen_account_gone(tx, bare, e) && journal_forget(tx, bare, e);
}

bool account_list(struct store_tx *tx, const char *domain, const char *after, unsigned limit,
                  void (*each)(void *user, const struct account *a), void *user, struct error *e)
{
    struct store_rows *r =
        store_query(tx, e,
                    "select bare, is_admin, disabled, created_us, of_directory from accounts"
                    " where bare > $1 and ($2 = '' or domain = $2) order by bare limit $3",
                    "tti", after ? after : "", domain ? domain : "", (int64_t)limit);
    while (r && store_next(r, e)) {
        struct arena arena;
        struct account a;
        arena_init(&arena);
        read_account(r, &arena, &a);
        bool ok = read_keys(tx, &a, e);
        if (ok)
            each(user, &a);
        else
            store_end(r);
        arena_fini(&arena);
        if (!ok)
            return false;
    }
    return r && e->code == ERROR_NONE;
}

bool account_count(struct store_tx *tx, const char *domain, int64_t *out, struct error *e)
{
    return store_number(store_query(tx, e, "select count(*) from accounts where domain = $1", "t", domain), 0, out, e);
}

static void count_keys(struct account_census *out, struct store_rows *r)
{
    struct account_census_row *row = &out->rows[out->count];

    if (!text_copy(row->mechanism, sizeof row->mechanism, store_text(r, 0)))
        return;
    row->have = store_int(r, 1);
    row->older = store_int(r, 2);
    row->least = (uint32_t)store_int(r, 3);
    out->count++;
}

bool account_census(struct store_tx *tx, const char *domain, unsigned rounds, struct account_census *out,
                    struct error *e)
{
    *out = (struct account_census){0};
    struct store_rows *r =
        store_query(tx, e, "select count(*) from accounts where domain = $1 and disabled = 0", "t", domain);
    if (r && store_next(r, e)) {
        out->accounts = store_int(r, 0);
        store_end(r);
    }
    if (e->code != ERROR_NONE)
        return false;
    r = store_query(
        tx, e,
        "select k.mechanism, count(*), sum(case when k.iterations < $2 then 1 else 0 end), min(k.iterations)"
        " from accounts a join account_keys k on k.bare = a.bare where a.domain = $1 and a.disabled = 0"
        " group by k.mechanism order by k.mechanism",
        "ti", domain, (int64_t)rounds);
    while (r && store_next(r, e)) {
        if (out->count == ACCOUNT_KEYS_MAX) {
            store_end(r);
            break;
        }
        count_keys(out, r);
    }
    return r && e->code == ERROR_NONE;
}

bool account_without(struct store_tx *tx, const char *domain, const char *mechanism,
                     void (*each)(void *user, const char *bare), void *user, struct error *e)
{
    struct store_rows *r =
        store_query(tx, e,
                    "select a.bare from accounts a where a.domain = $1 and a.disabled = 0 and not exists"
                    " (select 1 from account_keys k where k.bare = a.bare and k.mechanism = $2) limit 1",
                    "tt", domain, mechanism);
    if (r && store_next(r, e)) {
        each(user, store_text(r, 0));
        store_end(r);
    }
    return r && e->code == ERROR_NONE;
}

bool account_admins(struct store_tx *tx, const char *domain, void (*each)(void *user, const char *bare), void *user,
                    struct error *e)
{
    struct store_rows *r =
        store_query(tx, e, "select bare from accounts where domain = $1 and is_admin > 0 order by bare", "t", domain);
    while (r && store_next(r, e))
        each(user, store_text(r, 0));
    return r && e->code == ERROR_NONE;
}

bool account_mark_admin(struct store_tx *tx, const char *bare, bool is_admin, struct error *e)
{
    if (!store_exec(tx, e, "update accounts set is_admin = $1 where bare = $2", "it", (int64_t)is_admin, bare))
        return false;
    return store_changes(tx) || error_set(e, ERROR_NOT_FOUND, "there is no account %s", bare);
}

void account_take_keys(struct account_keys *k, const struct scram_keys *keys)
{
    *k = (struct account_keys){.iterations = keys->iterations,
                               .salt_len = keys->salt_len,
                               .key_len = (unsigned)scram_hash_len(keys->hash)};
    CHECK(text_copy(k->mechanism, sizeof k->mechanism, sasl_hash_name(keys->hash)) && k->salt_len <= sizeof k->salt);
    memcpy(k->salt, keys->salt, keys->salt_len);
    memcpy(k->stored_key, keys->stored_key, k->key_len);
    memcpy(k->server_key, keys->server_key, k->key_len);
}

/* key_count: none is of that mechanism. */
static unsigned index_of(const struct account *a, const char *mechanism)
{
    unsigned i = 0;
    while (i < a->key_count && !text_eq(a->keys[i].mechanism, mechanism))
        i++;
    return i;
}

const struct account_keys *account_keys_of(const struct account *a, enum scram_hash hash)
{
    unsigned i = index_of(a, sasl_hash_name(hash));
    return i < a->key_count ? &a->keys[i] : NULL;
}

void account_hold_keys(struct account *a, const struct account_keys *k)
{
    unsigned i = index_of(a, k->mechanism);
    CHECK(i < ACCOUNT_KEYS_MAX);
    a->keys[i] = *k;
    a->key_count += i == a->key_count;
}

bool account_set_password(struct account *a, const char *password)
{
    a->key_count = 0;
    for (unsigned h = 0; h < SCRAM_HASH_COUNT; h++) {
        struct scram_keys keys;
        if (!scram_keys_make(&keys, (enum scram_hash)h, password))
            return false;
        account_take_keys(&a->keys[a->key_count++], &keys);
        mem_wipe(&keys, sizeof keys);
    }
    return true;
}
