/* SPDX-License-Identifier: MIT */
/* SQL of devices; codes are kept as salted SHA-256 and compared in constant time. */
#include "contact-router/device_store.h"

#include <stdio.h>
#include <string.h>

#include "contact-router/rule_store.h"
#include "contact-router/signature.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"

#define SECOND ((int64_t)1000000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define REFUSAL_LIFE_US (30 * DAY)
#define CODE_LIFE_US (15 * 60 * SECOND)

enum { SALT_LEN = 16 };

/* What cannot be read might be quiet hours, or an address of another kind: nothing is sent there. */
static void read_device(struct store_rows *r, struct arena *a, struct device *d)
{
    enum device_kind kind;
    bool known = device_kind_parse(store_text(r, 2), &kind);
    *d = (struct device){
        .account = arena_dup(a, store_text(r, 0)),
        .n = store_int(r, 1),
        .kind = known ? kind : DEVICE_TERMINAL,
        .address = arena_dup(a, store_text(r, 3)),
        .label = arena_dup(a, store_text(r, 4)),
        .lang = arena_dup(a, store_text(r, 5)),
        .verified_us = store_int(r, 6),
        .full_text = store_int(r, 7) != 0,
        .opted_out = store_int(r, 8) != 0,
        .failures = store_int(r, 9),
    };
    d->damaged = !known || !device_quiet_parse(a, store_text(r, 10), &d->quiet);
    if (!d->damaged)
        return;
    d->verified_us = 0;
    d->quiet = (struct device_quiet){ 0 };
}

static bool read_list(struct store_rows *r, struct arena *a, struct device_list *out,
                      struct error *e)
{
    out->count = 0;
    while (r && store_next(r, e))
        if (out->count < DEVICE_LIST_MAX)
            read_device(r, a, &out->v[out->count++]);
    return r && e->code == ERROR_NONE;
}

#define COLUMNS                                                                                    \
    "account, n, kind, address, label, lang, verified_us, full_text, opted_out, failures, quiet"

const struct device *device_list_find(const struct device_list *list, int64_t n,
                                      const char *address)
{
    for (unsigned i = 0; i < list->count; i++)
        if (list->v[i].n == n && (!address || text_eq(list->v[i].address, address)))
            return &list->v[i];
    return NULL;
}

bool device_store_list(struct store_tx *tx, const char *account, struct arena *a,
                       struct device_list *out, struct error *e)
{
    static const char sql[] =
        "select " COLUMNS " from devices where account = $1 order by n limit $2";
    return read_list(store_query(tx, e, sql, "ti", account, (int64_t)DEVICE_LIST_MAX), a, out, e);
}

bool device_store_by_address(struct store_tx *tx, enum device_kind kind, const char *address,
                             struct arena *a, struct device_list *out, struct error *e)
{
    static const char sql[] =
        "select " COLUMNS " from devices"
        " where kind = $1 and address = $2 and verified_us > 0 order by account, n limit $3";
    struct store_rows *r = store_query(tx, e, sql, "tti", device_kind_word(kind), address,
                                       (int64_t)DEVICE_LIST_MAX);
    return read_list(r, a, out, e);
}

bool device_store_is_listed(struct store_tx *tx, const char *account, enum device_kind kind, const char *address,
                            struct arena *a, bool *out, struct error *e)
{
    struct device_list devices;
    *out = false;
    if (!device_store_by_address(tx, kind, address, a, &devices, e))
        return false;
    for (unsigned i = 0; i < devices.count; i++)
        *out = *out || (text_eq(devices.v[i].account, account) && !devices.v[i].opted_out);
    return true;
}

bool device_store_put(struct store_tx *tx, const struct device *d, struct error *e)
{
    static const char sql[] =
        "insert into devices (" COLUMNS ", created_us)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " on conflict (account, n) do update set label = excluded.label, lang = excluded.lang,"
        " verified_us = excluded.verified_us, full_text = excluded.full_text,"
        " opted_out = excluded.opted_out, failures = excluded.failures, quiet = excluded.quiet";
    struct arena a;
    arena_init(&a);
    bool ok = store_exec(tx, e, sql, "titttt" "iiii" "ti", d->account, d->n,
                         device_kind_word(d->kind), d->address, d->label ? d->label : "",
                         d->lang ? d->lang : "", d->verified_us, (int64_t)d->full_text,
                         (int64_t)d->opted_out, d->failures, device_quiet_text(&a, &d->quiet),
                         store_now_us(tx));
    arena_fini(&a);
    return ok;
}

bool device_store_remove(struct store_tx *tx, const char *account, int64_t n, struct error *e)
{
    static const char codes[] = "delete from device_codes where account = $1 and n = $2";
    static const char device[] = "delete from devices where account = $1 and n = $2";
    return store_exec(tx, e, codes, "ti", account, n) &&
           store_exec(tx, e, device, "ti", account, n);
}

bool device_store_count_failure(struct store_tx *tx, const char *account, int64_t n, bool failed,
                                struct error *e)
{
    static const char one_more[] =
        "update devices set failures = failures + 1 where account = $1 and n = $2";
    static const char none[] =
        "update devices set failures = 0 where account = $1 and n = $2 and failures > 0";
    return store_exec(tx, e, failed ? one_more : none, "ti", account, n);
}

/* -- refusals -- */

bool device_store_refuse(struct store_tx *tx, enum device_kind kind, const char *address, bool stop,
                         struct error *e)
{
    static const char mark[] =
        "update devices set opted_out = $1 where kind = $2 and address = $3";
    static const char forget[] = "delete from device_refusals where kind = $1 and address = $2";
    static const char keep[] =
        "insert into device_refusals (kind, address, at_us) values ($1, $2, $3)"
        " on conflict (kind, address) do update set at_us = excluded.at_us";
    const char *word = device_kind_word(kind);
    if (!store_exec(tx, e, mark, "itt", (int64_t)stop, word, address))
        return false;
    return stop ? store_exec(tx, e, keep, "tti", word, address, store_now_us(tx))
                : store_exec(tx, e, forget, "tt", word, address);
}

bool device_store_is_refused(struct store_tx *tx, enum device_kind kind, const char *address,
                             bool *out, struct error *e)
{
    static const char sql[] =
        "select count(*) from device_refusals where kind = $1 and address = $2 and at_us > $3";
    struct store_rows *r = store_query(tx, e, sql, "tti", device_kind_word(kind), address,
                                       store_now_us(tx) - REFUSAL_LIFE_US);
    int64_t n;
    bool ok = store_number(r, 0, &n, e);
    *out = n > 0;
    return ok;
}

/* -- codes -- */

bool device_store_codes_used(struct store_tx *tx, const char *account, const char *community,
                             const char *prefix, struct budget_codes *out, struct error *e)
{
    static const char of_account[] =
        "select count(*) from device_codes_sent where account = $1 and at_us > $2";
    static const char of_community[] =
        "select count(*) from device_codes_sent where community = $1 and at_us > $2";
    static const char of_prefix[] =
        "select count(*) from device_codes_sent"
        " where community = $1 and prefix = $2 and prefix <> '' and at_us > $3";
    int64_t now = store_now_us(tx), day = now - DAY, hour = now - HOUR, a, c, p;
    if (!store_number(store_query(tx, e, of_account, "ti", account, day), 0, &a, e) ||
        !store_number(store_query(tx, e, of_community, "ti", community, hour), 0, &c, e) ||
        !store_number(store_query(tx, e, of_prefix, "tti", community, prefix, day), 0, &p, e))
        return false;
    *out = (struct budget_codes){ (unsigned)a, (unsigned)c, (unsigned)p };
    return true;
}

static void hash_code(struct span salt, const char *code, struct bytes *out)
{
    struct bytes both = BYTES_EMPTY;
    bytes_append(&both, salt.data, salt.len);
    bytes_append_text(&both, code);
    signature_sha256(bytes_span(&both), out);
    bytes_fini(&both);
}

static bool keep_code(struct store_tx *tx, const char *account, int64_t n, const char *code,
                      struct error *e)
{
    static const char sql[] =
        "insert into device_codes (account, n, salt, hash, expires_us, attempts)"
        " values ($1, $2, $3, $4, $5, 0)"
        " on conflict (account, n) do update set salt = excluded.salt, hash = excluded.hash,"
        " expires_us = excluded.expires_us, attempts = 0";
    char drawn[SALT_LEN];
    struct bytes hashed = BYTES_EMPTY;
    random_bytes(drawn, sizeof drawn);
    struct span salt = { drawn, sizeof drawn };
    hash_code(salt, code, &hashed);
    struct span hash = bytes_span(&hashed);
    bool ok = store_exec(tx, e, sql, "tibbi", account, n, &salt, &hash,
                         store_now_us(tx) + CODE_LIFE_US);
    bytes_fini(&hashed);
    return ok;
}

bool device_store_code_new(struct store_tx *tx, const char *account, int64_t n,
                           const char *community, const char *prefix,
                           char code[DEVICE_CODE_LEN + 1], struct error *e)
{
    static const char sent[] =
        "insert into device_codes_sent (account, community, prefix, at_us)"
        " values ($1, $2, $3, $4)";
    snprintf(code, DEVICE_CODE_LEN + 1, "%06u", (unsigned)random_below(1000000));
    return keep_code(tx, account, n, code, e) &&
           store_exec(tx, e, sent, "ttti", account, community, prefix, store_now_us(tx));
}

/* *n: the device whose code it is; 0: none. */
static bool find_code(struct store_tx *tx, const char *account, const char *code, int64_t *n,
                      struct error *e)
{
    static const char sql[] =
        "select n, salt, hash from device_codes"
        " where account = $1 and expires_us > $2 and attempts < $3 order by n";
    *n = 0;
    struct store_rows *r = store_query(tx, e, sql, "tii", account, store_now_us(tx),
                                       (int64_t)BUDGET_CODE_ATTEMPTS);
    while (r && store_next(r, e)) {
        struct bytes hash = BYTES_EMPTY;
        hash_code(store_blob(r, 1), code, &hash);
        struct span kept = store_blob(r, 2);
        if (text_eq_secret(hash.data, hash.len, kept.data, kept.len))
            *n = store_int(r, 0);
        bytes_fini(&hash);
    }
    return r && e->code == ERROR_NONE;
}

bool device_store_code_try(struct store_tx *tx, const char *account, const char *code, int64_t *n,
                           struct error *e)
{
    static const char tried[] =
        "update device_codes set attempts = attempts + 1 where account = $1";
    static const char used[] = "delete from device_codes where account = $1 and n = $2";
    static const char verified[] =
        "update devices set verified_us = $1, failures = 0 where account = $2 and n = $3";
    if (!find_code(tx, account, code, n, e))
        return false;
    if (!*n)
        return store_exec(tx, e, tried, "t", account);
    return store_exec(tx, e, used, "ti", account, *n) &&
           store_exec(tx, e, verified, "iti", store_now_us(tx), account, *n);
}

bool device_store_sweep(struct store_tx *tx, struct error *e)
{
    static const char codes[] = "delete from device_codes where expires_us < $1";
    static const char sent[] = "delete from device_codes_sent where at_us < $1";
    static const char refusals[] = "delete from device_refusals where at_us < $1";
    static const char devices[] =
        "delete from devices"
        " where not exists (select 1 from accounts where bare = devices.account)";
    int64_t now = store_now_us(tx);
    return store_exec(tx, e, codes, "i", now) && store_exec(tx, e, sent, "i", now - DAY) &&
           store_exec(tx, e, refusals, "i", now - REFUSAL_LIFE_US) &&
           store_exec(tx, e, devices, "") && rule_store_sweep(tx, e);
}
