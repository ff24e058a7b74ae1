/* SPDX-License-Identifier: MIT */
/* One count is under way at a time; who asks meanwhile has it begin again. It holds back the end of whoever asked (an
 * I/O loop or a shard), so that it finds all that it writes to.
 *
 * The share of older keys never rises while the process lives: nobody's rounds may change only as an account's do. */
#include "c2s/c2s_census.h"

#include "c2s/c2s_auth.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/account.h"

struct c2s_census {
    atomic_llong accounts;
    struct {
        atomic_llong lacking, older; /* accounts without keys, and with keys by fewer rounds than new ones */
        atomic_uint share, least;    /* of 65536, and the fewest rounds */
        atomic_bool complete;        /* a count found no account without */
    } of[SCRAM_HASH_COUNT];
};

struct census_job {
    struct store_job job;
    struct c2s *c;
    struct c2s_io *io;       /* who asked; NULL: the shard */
    struct c2s_shard *shard;
    struct account_census found[];
};

static struct c2s_census *census_of(const struct c2s *c, const char *domain)
{
    unsigned i = 0;

    while (c->domains[i] != domain)
        CHECK(c->domains[++i]);
    return &c->census[i];
}

/* ---- what was counted ---- */

static const struct account_census_row *row_of(const struct account_census *from, enum scram_hash hash)
{
    for (unsigned i = 0; i < from->count; i++)
        if (text_eq(from->rows[i].mechanism, sasl_hash_name(hash)))
            return &from->rows[i];
    return NULL;
}

static void take(struct c2s_census *to, const struct account_census *from, bool first)
{
    atomic_store(&to->accounts, from->accounts);
    for (unsigned h = 0; h < SCRAM_HASH_COUNT; h++) {
        const struct account_census_row *row = row_of(from, (enum scram_hash)h);
        unsigned share = row && row->older ? (unsigned)((row->older * 65536) / from->accounts) : 0;
        atomic_store(&to->of[h].lacking, from->accounts - (row ? row->have : 0));
        atomic_store(&to->of[h].complete, from->accounts == (row ? row->have : 0));
        atomic_store(&to->of[h].older, row ? row->older : 0);
        if (first || share < atomic_load(&to->of[h].share))
            atomic_store(&to->of[h].share, share);
        if (first)
            atomic_store(&to->of[h].least, row ? row->least : SCRAM_ITERATIONS);
    }
}

static void log_strength(const struct c2s *c, unsigned domain)
{
    long long lacking = atomic_load(&c->census[domain].of[SCRAM_SHA512].lacking);

    if (lacking > 0)
        log_info(NULL, "%s: SCRAM-SHA-512 is not announced: %lld accounts have no keys of it yet", c->domains[domain], lacking);
    else
        log_info(NULL, "%s: SCRAM-SHA-512 is announced", c->domains[domain]);
}

static bool count_all(struct store_tx *tx, const struct c2s *c, struct account_census *out, struct error *e)
{
    for (unsigned i = 0; c->domains[i]; i++)
        if (!account_census(tx, c->domains[i], SCRAM_ITERATIONS, &out[i], e))
            return false;
    return true;
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
    struct account_census *found;
};

static bool first_run(struct store_tx *tx, void *user, struct error *e)
{
    struct first *f = user;

    return count_all(tx, f->c, f->found, e);
}

bool c2s_census_start(struct c2s *c, struct error *e)
{
    unsigned n = domain_count(c);
    struct first f = {c, mem_array(n, sizeof(*f.found))};
    bool counted = store_write_wait(c->store, first_run, &f, e);

    c->census = mem_array(n, sizeof(*c->census));
    for (unsigned i = 0; counted && i < n; i++) {
        take(&c->census[i], &f.found[i], true);
        log_strength(c, i);
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

    return count_all(tx, j->c, j->found, e);
}

static void take_all(struct c2s *c, const struct account_census *found)
{
    for (unsigned i = 0; c->domains[i]; i++) {
        bool before = c2s_census_all_have(c, c->domains[i], SCRAM_SHA512);
        take(&c->census[i], &found[i], false);
        if (before != c2s_census_all_have(c, c->domains[i], SCRAM_SHA512))
            log_strength(c, i);
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

/* Whoever asked has set `recount` before: one of those who come here at a time begins. */
static void begin(struct c2s *c, struct c2s_io *io, struct c2s_shard *shard)
{
    if ((io ? io->stopping : shard->stopping) || !atomic_load(&c->recount) || atomic_exchange(&c->counting, true))
        return;
    atomic_store(&c->recount, false);
    struct census_job *j = mem_alloc(sizeof(*j) + domain_count(c) * sizeof(j->found[0]));
    j->c = c;
    j->io = io;
    j->shard = shard;
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

void c2s_account_changed(struct c2s *c, const char *bare)
{
    atomic_store(&c->recount, true);
    begin(c, NULL, c2s_shard_of(c, bare));
}

void c2s_census_gained(struct c2s_io *io, const char *domain, enum scram_hash hash, bool had)
{
    struct c2s_census *n = census_of(io->c2s, domain);
    long long accounts = atomic_load(&n->accounts);

    if (had && accounts > 0) {
        long long older = atomic_fetch_sub(&n->of[hash].older, 1) - 1;
        unsigned share = older > 0 ? (unsigned)(older * 65536 / accounts) : 0;
        if (share < atomic_load(&n->of[hash].share))
            atomic_store(&n->of[hash].share, share);
    } else if (!had && atomic_load(&n->of[hash].lacking) <= 1) { /* the last: only a count can tell */
        atomic_store(&io->c2s->recount, true);
        begin(io->c2s, io, NULL);
    } else if (!had) {
        atomic_fetch_sub(&n->of[hash].lacking, 1);
    }
}

/* ---- asked ---- */

bool c2s_census_all_have(const struct c2s *c, const char *domain, enum scram_hash hash)
{
    return atomic_load(&census_of(c, domain)->of[hash].complete);
}

void c2s_census_older(const struct c2s *c, const char *domain, struct sasl_config *config)
{
    struct c2s_census *n = census_of(c, domain);

    for (unsigned h = 0; h < SCRAM_HASH_COUNT; h++) {
        config->older[h].share = atomic_load(&n->of[h].share);
        config->older[h].iterations = atomic_load(&n->of[h].least);
    }
}
