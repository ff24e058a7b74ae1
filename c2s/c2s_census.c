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
    atomic_bool complete;   /* the last one found no account without keys of SHA-512 */
    atomic_ullong witness;  /* if it did: the hash of the name of one */
    atomic_llong accounts;
    struct {
        atomic_llong older;       /* accounts with keys by fewer rounds than new ones */
        atomic_uint share, least; /* of 65536, and the fewest rounds */
    } of[SCRAM_HASH_COUNT];
};

struct counted {
    bool is_wanted, is_counted;
    struct account_census census;
    int64_t lacking;  /* SHA-512 */
    uint64_t witness; /* the hash of the name of one of these */
};

struct census_job {
    struct store_job job;
    struct c2s *c;
    struct c2s_io *io;       /* who asked; NULL: the shard */
    struct c2s_shard *shard;
    struct counted found[]; /* of each domain */
};

static struct c2s_census *find_census(const struct c2s *c, const char *domain)
{
    uint32_t i = c2s_domain_index(c, domain);

    return i == C2S_NO_DOMAIN ? NULL : &c->census[i];
}

static struct c2s_census *census_of(const struct c2s *c, const char *domain)
{
    struct c2s_census *found = find_census(c, domain);

    CHECK(found);
    return found;
}

/* ---- what was counted ---- */

static const struct account_census_row *row_of(const struct account_census *from, enum scram_hash hash)
{
    for (unsigned i = 0; i < from->count; i++)
        if (text_eq(from->rows[i].mechanism, sasl_hash_name(hash)))
            return &from->rows[i];
    return NULL;
}

static void take(struct c2s_census *to, const struct counted *counted, bool first)
{
    const struct account_census *from = &counted->census;

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

static bool count_one(struct store_tx *tx, const char *domain, struct counted *out, struct error *e)
{
    const struct account_census_row *row;

    if (!account_census(tx, domain, SCRAM_ITERATIONS, &out->census, e))
        return false;
    row = row_of(&out->census, SCRAM_SHA512);
    out->lacking = out->census.accounts - (row ? row->have : 0);
    out->is_counted = true;
    return !out->lacking || account_without(tx, domain, sasl_hash_name(SCRAM_SHA512), take_witness, out, e);
}

/* ---- at start ---- */

static unsigned domain_count(const struct c2s *c)
{
    unsigned n = 0;

    while (c->domains[n])
        n++;
    return n;
}

struct first {
    const struct c2s *c;
    struct counted *found;
};

static bool first_run(struct store_tx *tx, void *user, struct error *e)
{
    struct first *f = user;

    for (unsigned i = 0; f->c->domains[i]; i++)
        if (!count_one(tx, f->c->domains[i], &f->found[i], e))
            return false;
    return true;
}

bool c2s_census_start(struct c2s *c, struct error *e)
{
    unsigned n = domain_count(c);
    struct first f = {c, mem_array(n, sizeof(*f.found))};
    bool counted = store_write_wait(c->store, first_run, &f, e);

    c->census = mem_array(n, sizeof(*c->census));
    for (unsigned i = 0; counted && i < n; i++) {
        take(&c->census[i], &f.found[i], true);
        if (!c->directories[i]) /* no key is of use there */
            log_strength(c->domains[i], f.found[i].lacking);
    }
    mem_free(f.found);
    return counted;
}

void c2s_census_destroy(struct c2s *c)
{
    mem_free(c->census);
    c->census = NULL;
}

/* ---- again ---- */

static void begin(struct c2s *c, struct c2s_io *io, struct c2s_shard *shard);

static bool count_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct census_job *j = container_of(job, struct census_job, job);

    for (unsigned i = 0; j->c->domains[i]; i++)
        if (j->found[i].is_wanted && !count_one(tx, j->c->domains[i], &j->found[i], e))
            return false;
    return true;
}

static void take_all(struct c2s *c, const struct counted *found)
{
    for (unsigned i = 0; c->domains[i]; i++) {
        bool before = atomic_load(&c->census[i].complete);
        if (!found[i].is_counted)
            continue;
        take(&c->census[i], &found[i], false);
        if (before != !found[i].lacking && !c->directories[i])
            log_strength(c->domains[i], found[i].lacking);
    }
}

static void on_counted(struct store_job *job, const struct error *e)
{
    struct census_job *j = container_of(job, struct census_job, job);
    struct c2s *c = j->c;
    struct c2s_io *io = j->io;
    struct c2s_shard *shard = j->shard;

    if (e->code)
        log_error(NULL, "which keys accounts have cannot be counted: %s", e->text);
    else
        take_all(c, j->found);
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

static bool is_wanted(const struct c2s *c)
{
    for (unsigned i = 0; c->domains[i]; i++)
        if (atomic_load(&c->census[i].recount))
            return true;
    return false;
}

/* Whoever asked has set `recount` before: one of those who come here at a time begins. */
static void begin(struct c2s *c, struct c2s_io *io, struct c2s_shard *shard)
{
    if ((io ? io->stopping : shard->stopping) || !is_wanted(c) || atomic_exchange(&c->counting, true))
        return;
    struct census_job *j = mem_alloc(sizeof(*j) + domain_count(c) * sizeof(j->found[0]));
    j->c = c;
    j->io = io;
    j->shard = shard;
    for (unsigned i = 0; c->domains[i]; i++)
        j->found[i] = (struct counted){.is_wanted = atomic_exchange(&c->census[i].recount, false)};
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

    if (shard->stopping || !at || !find_census(c, at + 1))
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
