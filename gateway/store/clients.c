/* SPDX-License-Identifier: MIT */
/* Tokens change only in the transaction that looks at them again: two logins by one token with the same count race
 * here, and one of them is refused. */
#include "gateway/store/clients.h"

#include <string.h>

#include "gateway/base/text.h"

static bool read_token(struct store_rows *r, struct client_token *t)
{
    struct span seed = store_blob(r, 1);

    if (!text_copy(t->mechanism, sizeof t->mechanism, store_text(r, 0)) || seed.len != sizeof t->seed)
        return false;
    memcpy(t->seed, seed.data, seed.len);
    t->issued_us = store_int(r, 2);
    t->expires_us = store_int(r, 3);
    t->count = store_int(r, 4);
    t->fresh = store_int(r, 5) != 0;
    return true;
}

bool clients_tokens(struct store_tx *tx, const char *bare, const char *agent, struct client_tokens *out,
                    struct error *e)
{
    struct store_rows *r =
        store_query(tx, e,
                    "select mechanism, seed, issued_us, expires_us, used_count, fresh from client_tokens"
                    " where bare = $1 and agent = $2 order by fresh",
                    "tt", bare, agent);
    out->count = 0;
    while (r && store_next(r, e)) {
        if (out->count == CLIENT_TOKENS_MAX || !read_token(r, &out->list[out->count++])) {
            store_end(r);
            return error_set(e, ERROR_INVALID, "account %s: a token in the store is malformed", bare);
        }
    }
    return r && e->code == ERROR_NONE;
}


/* The one that was shown is the one in use from now on. Another login by it may have made it that already. */
static bool note_used(struct store_tx *tx, struct client_use *u, struct error *e)
{
    struct span seed = {(const char *)u->used->seed, sizeof u->used->seed};

    if (!store_exec(tx, e,
                    "update client_tokens set used_count = case when $4 > used_count then $4 else used_count end"
                    " where bare = $1 and agent = $2 and seed = $3 and ($4 = 0 or used_count < $4)",
                    "ttbi", u->bare, u->agent, &seed, u->count))
        return false;
    u->refused = store_changes(tx) == 0;
    if (u->refused)
        return true;
    if (!store_exec(tx, e, "update clients set seen_us = $3 where bare = $1 and agent = $2", "tti", u->bare, u->agent,
                    store_now_us(tx)))
        return false;
    if (!u->used->fresh)
        return true;
    return store_exec(tx, e, "delete from client_tokens where bare = $1 and agent = $2 and fresh = 0 and seed <> $3",
                      "ttb", u->bare, u->agent, &seed) &&
           store_exec(tx, e, "update client_tokens set fresh = 0 where bare = $1 and agent = $2 and seed = $3", "ttb",
                      u->bare, u->agent, &seed);
}

static bool note_client(struct store_tx *tx, const struct client_use *u, struct error *e)
{
    return store_exec(
        tx, e,
        "insert into clients (bare, agent, software, device, first_us, seen_us) values ($1, $2, $3, $4, $5, $5)"
        " on conflict (bare, agent) do update set software = excluded.software, device = excluded.device,"
        " seen_us = excluded.seen_us",
        "tttti", u->bare, u->agent, u->software, u->device, store_now_us(tx));
}

/* An installation is whatever a client says: those that got no token for the longest time make room. */
static bool trim_clients(struct store_tx *tx, const struct client_use *u, struct error *e)
{
    return store_exec(tx, e,
                      "delete from clients where bare = $1 and agent <> $2 and agent not in"
                      " (select agent from clients where bare = $1 order by seen_us desc limit $3)",
                      "tti", u->bare, u->agent, (int64_t)CLIENTS_MAX) &&
           store_exec(
               tx, e,
               "delete from client_tokens where bare = $1 and agent not in (select agent from clients where bare = $1)",
               "t", u->bare);
}

static bool give(struct store_tx *tx, const struct client_use *u, struct error *e)
{
    struct span seed = {(const char *)u->give->seed, sizeof u->give->seed};

    return note_client(tx, u, e) && trim_clients(tx, u, e) &&
           store_exec(tx, e, "delete from client_tokens where bare = $1 and agent = $2 and fresh = 1", "tt", u->bare,
                      u->agent) &&
           store_exec(
               tx, e,
               "insert into client_tokens (bare, agent, fresh, mechanism, seed, issued_us, expires_us, used_count)"
               " values ($1, $2, 1, $3, $4, $5, $6, 0)",
               "tttbii", u->bare, u->agent, u->give->mechanism, &seed, store_now_us(tx), u->give->expires_us);
}

bool clients_use(struct store_tx *tx, struct client_use *u, struct error *e)
{
    u->refused = false;
    if (u->used && (!note_used(tx, u, e) || u->refused))
        return e->code == ERROR_NONE;
    if (u->end && !clients_forget(tx, u->bare, u->agent, e))
        return false;
    return !u->give || give(tx, u, e);
}

bool clients_forget(struct store_tx *tx, const char *bare, const char *agent, struct error *e)
{
    const char *one = agent ? agent : "";

    return store_exec(tx, e, "delete from client_tokens where bare = $1 and ($2 = '' or agent = $2)", "tt", bare,
                      one) &&
           store_exec(tx, e, "delete from clients where bare = $1 and ($2 = '' or agent = $2)", "tt", bare, one);
}

bool clients_forget_others(struct store_tx *tx, const char *bare, const char *agent, struct error *e)
{
    return store_exec(tx, e, "delete from client_tokens where bare = $1 and agent <> $2", "tt", bare, agent) &&
           store_exec(tx, e, "delete from clients where bare = $1 and agent <> $2", "tt", bare, agent);
}

bool clients_each(struct store_tx *tx, const char *bare, void (*each)(void *user, const struct client_row *row),
                  void *user, struct error *e)
{
    struct store_rows *r = store_query(
        tx, e,
        "select agent, software, device, first_us, seen_us from clients c where bare = $1 and exists"
        " (select 1 from client_tokens t where t.bare = c.bare and t.agent = c.agent and t.expires_us > $2)"
        " order by seen_us desc, agent",
        "ti", bare, store_now_us(tx));

    while (r && store_next(r, e))
        each(user, &(struct client_row){store_text(r, 0), store_text(r, 1), store_text(r, 2), store_int(r, 3),
                                        store_int(r, 4)});
    return r && e->code == ERROR_NONE;
}
