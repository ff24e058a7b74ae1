/* SPDX-License-Identifier: MIT */
/* One count is under way at a time; who asks meanwhile has it begin again. It holds back the end of whoever asked (an
 * I/O loop or a shard), so that it finds all that it writes to.
 *
 * A count walks over all keys of a domain, so an account that changes is looked at alone first: where all have keys,
 * only one without changes that; where some lack them, one of these (the witness) is remembered, and nothing changes
 * before it does.
 *
 * The share of older keys never rises while the process lives: nobody's rounds may change only as an account's do. */
#include "c2s/c2s_census.h"

#include <inttypes.h>
#include <string.h>

#include "c2s/c2s_auth.h"
#include "gateway/base/hash.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/account.h"

struct c2s_census {
    atomic_bool recount;    /* somebody wants a count */
    atomic_bool is_counted; /* once at least */
    atomic_bool complete;   /* the last one found no account without keys of SHA-512 */
    atomic_ullong witness;  /* if it did: the hash of the name of one */
    atomic_llong accounts;
    struct {
        atomic_llong older;       /* accounts with keys by fewer rounds than new ones */
        atomic_uint share, least; /* of 65536, and the fewest rounds */
    } of[SCRAM_HASH_COUNT];
};

struct counted {
    struct c2s_domain *domain;
    bool is_counted;
    struct account_census census;
    int64_t lacking;  /* SHA-512 */
    uint64_t witness; /* the hash of the name of one of these */
};

struct census_job {
    struct store_job job;
    struct c2s *c;
    struct c2s_io *io;       /* who asked; NULL: the shard */
    struct c2s_shard *shard;
    unsigned count;
    struct counted found[];
};

#define domains_each(d, c) for (struct c2s_domain *d = atomic_load(&(c)->newest); d; d = d->older)

static struct c2s_census *census_of(const struct c2s *c, const char *domain)
{
    struct c2s_domain *d = c2s_domain_known(c, domain);

    CHECK(d);
    return d->census;
}

struct c2s_census *c2s_census_create(void)
{
    struct c2s_census *n = mem_new(struct c2s_census);

    for (unsigned h = 0; h < SCRAM_HASH_COUNT; h++)
        atomic_init(&n->of[h].least, SCRAM_ITERATIONS);
    return n;
}

void c2s_census_destroy(struct c2s_census **n)
{
    mem_free(*n);
    *n = NULL;
}

/* ---- what was counted ---- */

static const struct account_census_row *row_of(const struct account_census *from, enum scram_hash hash)
{
    for (unsigned i = 0; i < from->count; i++)
        if (text_eq(from->rows[i].mechanism, sasl_hash_name(hash)))
            return &from->rows[i];
    return NULL;
}

static void take(struct c2s_census *to, const struct counted *counted)
{
    const struct account_census *from = &counted->census;
    bool first = !atomic_exchange(&to->is_counted, true);

    atomic_store(&to->accounts, from->accounts);
    atomic_store(&to->witness, counted->witness);
    atomic_store(&to->complete, !counted->lacking);
    for (unsigned h = 0; h < SCRAM_HASH_COUNT; h++) {
        const struct account_census_row *row = row_of(from, (enum scram_hash)h);
        unsigned share = row && row->older ? (unsigned)((row->older * 65536) / from->accounts) : 0;
        atomic_store(&to->of[h].older, row ? row->older : 0);
        if (first || share < atomic_load(&to->of[h].share))
            atomic_store(&to->of[h].share, share);
        if (first)
            atomic_store(&to->of[h].least, row ? row->least : SCRAM_ITERATIONS);
    }
}

static void log_strength(const char *domain, int64_t lacking)
{
    if (lacking > 0)
        log_info(NULL, "%s: SCRAM-SHA-512 is not announced: %" PRId64 " accounts have no keys of it yet", domain,
                 lacking);
    else
        log_info(NULL, "%s: SCRAM-SHA-512 is announced", domain);
}

static void take_witness(void *user, const char *bare)
{
    ((struct counted *)user)->witness = hash_text(bare);
}

static bool count_one(struct store_tx *tx, struct counted *out, struct error *e)
{
    const struct account_census_row *row;
    const char *domain = out->domain->name;

    if (!account_census(tx, domain, SCRAM_ITERATIONS, &out->census, e))
        return false;
    row = row_of(&out->census, SCRAM_SHA512);
    out->lacking = out->census.accounts - (row ? row->have : 0);
    out->is_counted = true;
    return !out->lacking || account_without(tx, domain, sasl_hash_name(SCRAM_SHA512), take_witness, out, e);
}

static void take_one(const struct counted *found)
{
    struct c2s_census *n = found->domain->census;
    bool announced = atomic_load(&n->complete), is_first = !atomic_load(&n->is_counted);
    bool keys_matter = !atomic_load(&found->domain->directory);

    take(n, found);
    if (keys_matter && (is_first || announced != !found->lacking))
        log_strength(found->domain->name, found->lacking);
}

/* ---- at start ---- */

static bool first_run(struct store_tx *tx, void *user, struct error *e)
{
    struct c2s *c = user;
    struct counted found;

    domains_each (d, c) {
        found = (struct counted){.domain = d};
        if (!count_one(tx, &found, e))
            return false;
        take_one(&found);
    }
    return true;
}

bool c2s_census_start(struct c2s *c, struct error *e)
{
    return store_write_wait(c->store, first_run, c, e);
}

/* ---- again ---- */

static void begin(struct c2s *c, struct c2s_io *io, struct c2s_shard *shard);

static bool count_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct census_job *j = container_of(job, struct census_job, job);

    for (unsigned i = 0; i < j->count; i++)
        if (!count_one(tx, &j->found[i], e))
            return false;
    return true;
}

static void on_counted(struct store_job *job, const struct error *e)
{
    struct census_job *j = container_of(job, struct census_job, job);
    struct c2s *c = j->c;
    struct c2s_io *io = j->io;
    struct c2s_shard *shard = j->shard;

    if (e->code)
        log_error(NULL, "which keys accounts have cannot be counted: %s", e->text);
    for (unsigned i = 0; !e->code && i < j->count; i++)
        if (j->found[i].is_counted)
            take_one(&j->found[i]);
    mem_free(j);
    atomic_store(&c->counting, false);
    begin(c, io, shard);
    if (io) {
        io->auth_count--;
        c2s_io_quiet(io);
    } else {
        shard->inbound_count--;
        c2s_shard_quiet(shard);
    }
}

static unsigned wanted_count(const struct c2s *c)
{
    unsigned n = 0;

    domains_each (d, c)
        n += atomic_load(&d->census->recount);
    return n;
}

/* Whoever asked has set `recount` before: one of those who come here at a time begins. */
static void begin(struct c2s *c, struct c2s_io *io, struct c2s_shard *shard)
{
    if ((io ? io->stopping : shard->stopping) || !wanted_count(c) || atomic_exchange(&c->counting, true))
        return;
    unsigned most = wanted_count(c); /* who wants it from here on finds that one is under way */
    struct census_job *j = mem_alloc(sizeof(*j) + most * sizeof(j->found[0]));
    j->c = c;
    j->io = io;
    j->shard = shard;
    domains_each (d, c)
        if (j->count < most && atomic_exchange(&d->census->recount, false))
            j->found[j->count++].domain = d;
    if (io)
        io->auth_count++;
    else
        shard->inbound_count++;
    j->job = (struct store_job){.reply_on = io ? io->loop : shard->loop,
                                .run = count_run,
                                .done = on_counted,
                                .must_see = store_ticket(c->store)};
    store_read(c->store, &j->job);
}

/* ---- one account ---- */

struct look {
    struct account_get get;
    struct c2s *c;
    struct c2s_shard *shard;
};

/* The witness may have keys now, or have gone; or this one lacks them. */
static bool may_change(const struct c2s_census *n, const struct account_get *g)
{
    if (!atomic_load(&n->complete))
        return atomic_load(&n->witness) == hash_text(g->bare);
    return g->found && !g->account.disabled && !account_keys_of(&g->account, SCRAM_SHA512);
}

static void on_looked(struct store_job *job, const struct error *e)
{
    struct look *l = container_of(job, struct look, get.job);
    struct c2s_shard *shard = l->shard;
    struct c2s_census *n = census_of(l->c, strchr(l->get.bare, '@') + 1);

    if (e->code)
        log_error(NULL, "which keys %s has cannot be read: %s", l->get.bare, e->text);
    if (e->code || atomic_load(&l->c->counting) ||
        may_change(n, &l->get)) { /* a count may have come too early for it */
        atomic_store(&n->recount, true);
        begin(l->c, NULL, shard);
    }
    arena_fini(&l->get.arena);
    mem_free(l);
    shard->inbound_count--;
    c2s_shard_quiet(shard);
}

void c2s_account_changed(struct c2s *c, const char *bare)
{
    struct c2s_shard *shard = c2s_shard_of(c, bare);
    const char *at = strchr(bare, '@');
    struct look *l;

    if (shard->stopping || !at || !c2s_domain_known(c, at + 1))
        return;
    l = mem_new(struct look);
    l->c = c;
    l->shard = shard;
    arena_init(&l->get.arena);
    l->get.bare = arena_dup(&l->get.arena, bare);
    l->get.job = (struct store_job){.reply_on = shard->loop, .done = on_looked, .must_see = store_ticket(c->store)};
    shard->inbound_count++;
    account_get(c->store, &l->get);
}

void c2s_census_want(struct c2s *c, struct c2s_domain *d)
{
    atomic_store(&d->census->recount, true);
    begin(c, NULL, &c->shards[0]);
}

static void gained_rounds(struct c2s_census *n, enum scram_hash hash)
{
    long long accounts = atomic_load(&n->accounts), older = atomic_fetch_sub(&n->of[hash].older, 1) - 1;
    unsigned share = older > 0 && accounts > 0 ? (unsigned)(older * 65536 / accounts) : 0;

    if (share < atomic_load(&n->of[hash].share))
        atomic_store(&n->of[hash].share, share);
}

void c2s_census_gained(struct c2s_io *io, const char *domain, const char *bare, enum scram_hash hash, bool had)
{
    struct c2s_census *n = census_of(io->c2s, domain);

    if (had)
        gained_rounds(n, hash);
    else if (hash == SCRAM_SHA512 && (atomic_load(&io->c2s->counting) ||
                                      (!atomic_load(&n->complete) && atomic_load(&n->witness) == hash_text(bare)))) {
        atomic_store(&n->recount, true);
        begin(io->c2s, io, NULL);
    }
}

/* ---- asked ---- */

bool c2s_census_all_have(const struct c2s *c, const char *domain)
{
    return atomic_load(&census_of(c, domain)->complete);
}

void c2s_census_older(const struct c2s *c, const char *domain, struct sasl_config *config)
{
    struct c2s_census *n = census_of(c, domain);

    for (unsigned h = 0; h < SCRAM_HASH_COUNT; h++) {
        config->older[h].share = atomic_load(&n->of[h].share);
        config->older[h].iterations = atomic_load(&n->of[h].least);
    }
}
