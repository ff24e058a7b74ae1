/* SPDX-License-Identifier: MIT */
/* An account made by an earlier build lacks keys of newer hashes, or has keys by fewer rounds than new ones. Who shows
 * its password by PLAIN gives what keys are made of: they are derived where the password is looked at (libuv's pool),
 * and kept behind the login, which does not wait for it. A password that was changed meanwhile wins, as in
 * c2s_upgrade.c. */
#include <string.h>

#include "c2s/c2s_auth.h"
#include "c2s/c2s_census.h"
#include "c2s/c2s_conn.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

struct heal {
    struct store_job job;
    struct c2s_io *io;
    const char *domain; /* a c2s_domain's name */
    char *bare;         /* owned */
    struct account_keys keys[SCRAM_HASH_COUNT];
    bool had[SCRAM_HASH_COUNT]; /* that hash by fewer rounds */
    unsigned count;
    struct account_keys witness; /* what the account had first */
    bool added;
};

unsigned c2s_heal_wanted(struct c2s_auth *a)
{
    unsigned lacking = 0, room = ACCOUNT_KEYS_MAX - a->get.account.key_count;

    if (!a->get.found || a->get.account.disabled || !a->get.account.key_count)
        return 0;
    for (unsigned h = 0; h < SCRAM_HASH_COUNT; h++) {
        const struct account_keys *has = account_keys_of(&a->get.account, (enum scram_hash)h);
        if (has ? has->iterations < SCRAM_ITERATIONS : room > 0)
            lacking |= 1u << h;
        room -= !has && room;
    }
    return lacking;
}

/* The witness's own keys go last: the others are added only while it stands. */
static bool heal_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct heal *n = container_of(job, struct heal, job);
    unsigned last = n->count;

    n->added = true;
    for (unsigned i = 0; n->added && i < n->count; i++) {
        if (text_eq(n->keys[i].mechanism, n->witness.mechanism))
            last = i;
        else if (!account_add_keys(tx, n->bare, &n->keys[i], &n->witness, &n->added, e))
            return false;
    }
    return !n->added || last == n->count || account_add_keys(tx, n->bare, &n->keys[last], &n->witness, &n->added, e);
}

static void tell_census(struct heal *n)
{
    enum sasl_mechanism m;

    for (unsigned i = 0; i < n->count; i++)
        if (sasl_mechanism_parse(n->keys[i].mechanism, &m))
            c2s_census_gained(n->io, n->domain, n->bare, sasl_mechanism_hash(m), n->had[i]);
}

static void on_healed(struct store_job *job, const struct error *e)
{
    struct heal *n = container_of(job, struct heal, job);
    struct c2s_io *io = n->io;

    if (e->code)
        log_error(NULL, "new keys of %s cannot be kept: %s", n->bare, e->text);
    else if (n->added)
        log_info(NULL, "%s has new keys, made of its password at a login by PLAIN", n->bare);
    if (!e->code && n->added)
        tell_census(n);
    mem_free(n->bare);
    mem_wipe(n, sizeof(*n));
    mem_free(n);
    io->auth_count--;
    c2s_io_quiet(io);
}

void c2s_heal_keep(struct c2s_conn *k)
{
    struct c2s_auth *a = k->auth;
    struct account *acc = &a->get.account;
    struct heal *n;

    if (a->healed || sasl_mechanism(a->sasl) != SASL_MECHANISM_PLAIN)
        return;
    a->healed = true;
    n = mem_new(struct heal);
    if (acc->key_count)
        n->witness = acc->keys[0];
    for (unsigned h = 0; h < SCRAM_HASH_COUNT; h++) {
        const struct scram_keys *made = sasl_made_keys(a->sasl, (enum scram_hash)h);
        if (!made)
            continue;
        account_take_keys(&n->keys[n->count], made);
        n->had[n->count] = account_keys_of(acc, (enum scram_hash)h) != NULL;
        account_hold_keys(acc, &n->keys[n->count++]); /* what is asked later in this login finds them */
    }
    if (!n->count) {
        mem_free(n);
        return;
    }
    n->io = k->io;
    n->domain = k->domain;
    n->bare = mem_dup(a->get.bare);
    n->job = (struct store_job){.reply_on = k->io->loop, .run = heal_run, .done = on_healed, .bytes = sizeof(*n)};
    k->io->auth_count++;
    store_write(k->io->c2s->store, &n->job);
}
