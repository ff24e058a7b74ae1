/* SPDX-License-Identifier: MIT */
/* Takes what is due out of the outbox, sends it, and writes down what became of it. One take runs at
 * a time; a delivery is SENDING in the store before its sender hears of it. */
#include <string.h>

#include "contact-router/device_store.h"
#include "contact-router/outbox_query.h"
#include "contact-router/router_internal.h"
#include "contact-router/sender.h"
#include "contact-router/zone.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

enum { TAKE_MAX = 32, MAILS_MAX = 8, PROVIDERS_MAX = 32, SWEEP_MS = 3600 * 1000, WAIT_MAX_MS = 3600 * 1000,
       CODE_LIFE_MIN = 15, CALL_LIFE_MIN = 120, CALL_LASTS_MIN = 10, CALL_WAIT_S = 30 };

/* -- a step with all that follows (store thread) -- */

static struct outbox_policy policy_of(struct contact_router *r, const struct outbox_row *row)
{
    struct outbox_policy p = outbox_policy_default;
    struct router_provider *provider = *row->provider ? contact_router_provider_named(r, row->provider) : NULL;
    const struct profile_send *s = provider ? profile_send_of(provider->provider->profile, contact_router_profile_kind(row->kind)) : NULL;
    p.safe_retry = s && s->safe_retry;
    if (row->kind == DEVICE_VOICE)
        p.life_us = (int64_t)CALL_LIFE_MIN * 60 * 1000000;
    if (row->purpose == OUTBOX_PURPOSE_CODE)
        p.life_us = (int64_t)CODE_LIFE_MIN * 60 * 1000000;
    return p;
}

static void add_news(struct arena *a, struct worker_news **news, const struct outbox_row *row, uint64_t seq,
                     enum reach_progress p)
{
    struct worker_news *n = arena_new(a, struct worker_news), **end = news;
    *n = (struct worker_news){ .account = row->account, .peer = row->peer, .seq = seq, .progress = p,
                               .device = device_kind_people(row->kind) };
    while (*end)
        end = &(*end)->next;
    *end = n;
}

/* This delivery will not do: the next step of the plan need not wait; or nothing is left. */
static bool fall_through(struct store_tx *tx, const struct outbox_row *row, uint64_t seq, struct arena *a,
                         struct worker_news **news, struct error *e)
{
    int64_t all, in_step, in_doubt;
    if (!outbox_query_hopes(tx, row->account, seq, row->step, &all, &in_step, &in_doubt, e))
        return false;
    if (!all)
        add_news(a, news, row, seq, in_doubt ? REACH_EXHAUSTED : REACH_FAILED);
    return in_step || outbox_store_hurry(tx, row->account, seq, row->step, e);
}

static bool follow(struct store_tx *tx, const struct outbox_row *row, unsigned effects, struct arena *a,
                   struct worker_news **news, struct error *e)
{
    uint64_t *seqs;
    unsigned count;
    if (row->purpose != OUTBOX_PURPOSE_MESSAGE && row->purpose != OUTBOX_PURPOSE_REQUEST)
        return true;
    if (!outbox_query_seqs(tx, row->d.ref, a, &seqs, &count, e))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if ((effects & OUTBOX_TELL_SENT) && row->kind != DEVICE_VOICE) /* it rings: nobody is told yet */
            add_news(a, news, row, seqs[i], REACH_SENT);
        if (effects & OUTBOX_TELL_DELIVERED)
            add_news(a, news, row, seqs[i], REACH_DELIVERED);
        if (effects & OUTBOX_TELL_READ)
            add_news(a, news, row, seqs[i], REACH_READ);
        if ((effects & OUTBOX_NEXT_STEP) && !fall_through(tx, row, seqs[i], a, news, e))
            return false;
    }
    return true;
}

bool worker_step(struct contact_router *r, struct store_tx *tx, struct outbox_row *row, const struct outbox_input *in,
                 const char *reason, bool blame, struct arena *a, struct worker_news **news, struct error *e)
{
    struct outbox_policy policy = policy_of(r, row);
    enum outbox_state before = row->d.state;
    unsigned effects = outbox_step(&row->d, in, &policy);
    /* Why it is as it is: a word that changes nothing does not change that. */
    if (before != row->d.state)
        row->reason = reason ? reason : outbox_is_reached(row->d.state) ? "" : row->reason;
    if (outbox_is_ended(row->d.state) && !row->ended_us)
        row->ended_us = in->now_us;
    /* In doubt counts as told: the person may answer it. */
    if (!row->told_us && (outbox_is_reached(row->d.state) || row->d.state == OUTBOX_IN_DOUBT))
        row->told_us = in->now_us;
    if (before != row->d.state)
        log_debug(NULL, "delivery %s to %s: %s -> %s", row->d.ref, device_kind_word(row->kind), outbox_state_name(before),
                  outbox_state_name(row->d.state));
    return outbox_store_update(tx, row, e) &&
           (!(effects & OUTBOX_PRAISE_DEVICE) || !row->n || device_store_count_failure(tx, row->account, row->n, false, e)) &&
           (!(effects & OUTBOX_BLAME_DEVICE) || !blame || !row->n || device_store_count_failure(tx, row->account, row->n, true, e)) &&
           follow(tx, row, effects, a, news, e);
}

void worker_tell(struct contact_router *r, const struct worker_news *news)
{
    for (; news; news = news->next)
        exchange_reach_progress(r->exchange, news->account, news->peer, news->seq, news->progress, news->device);
}

/* -- sending -- */

struct flight {
    struct list node;
    struct contact_router *r;
    struct arena arena; /* holds row */
    struct outbox_row row;
    struct sender_job job;
};

struct outcome {
    struct store_job job;
    struct contact_router *r;
    struct arena arena;
    const char *ref, *provider_id, *reason, *kind;
    struct outbox_input in;
    bool bad_address, optout;
    enum outbox_state state; /* out */
    struct worker_news *news;
};

static bool outcome_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct outcome *o = container_of(job, struct outcome, job);
    struct outbox_row row;
    o->news = NULL;
    o->in.now_us = store_now_us(tx);
    if (!outbox_store_get(tx, o->ref, &o->arena, &row, e))
        return false;
    if (!row.d.ref) /* its account went meanwhile */
        return true;
    if (*o->provider_id)
        row.provider_id = o->provider_id;
    if (o->optout && !device_store_refuse(tx, row.kind, row.address, true, e))
        return false;
    bool ok = worker_step(o->r, tx, &row, &o->in, o->reason, o->bad_address, &o->arena, &o->news, e);
    o->state = row.d.state;
    return ok;
}

static void outcome_done(struct store_job *job, const struct error *e)
{
    struct outcome *o = container_of(job, struct outcome, job);
    struct contact_router *r = o->r;
    r->jobs--;
    if (e->code != ERROR_NONE)
        log_error(NULL, "delivery %s: the result could not be written (%s); after a restart it is in doubt", o->ref, e->text);
    else if (o->state == OUTBOX_SENT || o->state == OUTBOX_DELIVERED || o->state == OUTBOX_READ)
        log_info(NULL, "delivery %s by %s: %s", o->ref, o->kind, outbox_state_name(o->state));
    else
        log_warn(NULL, "delivery %s by %s: %s: %s", o->ref, o->kind, outbox_state_name(o->state), o->reason);
    if (e->code == ERROR_NONE)
        worker_tell(r, o->news);
    arena_fini(&o->arena);
    mem_free(o);
    worker_kick(r);
}

static void land(struct flight *f)
{
    if (f->job.provider)
        f->job.provider->in_flight--;
    else
        f->r->mails_in_flight--;
    list_remove(&f->node);
    arena_fini(&f->arena);
    mem_free(f);
}

static void on_sent(struct sender_job *job, const struct sender_result *result)
{
    struct flight *f = container_of(job, struct flight, job);
    if (!f->r->running) { /* stopped meanwhile: in doubt when it starts again */
        land(f);
        return;
    }
    struct outcome *o = mem_new(struct outcome);
    arena_init(&o->arena);
    o->r = f->r;
    o->ref = arena_dup(&o->arena, f->row.d.ref);
    o->provider_id = arena_dup(&o->arena, result->provider_id);
    o->reason = arena_dup(&o->arena, result->reason);
    o->kind = device_kind_people(f->row.kind);
    o->bad_address = result->bad_address;
    o->optout = result->optout;
    o->in = (struct outbox_input){ .event = result->event, .retry_after_us = (int64_t)result->retry_after_ms * 1000 };
    o->job = (struct store_job){ .reply_on = f->r->loop, .run = outcome_run, .done = outcome_done };
    f->r->jobs++;
    land(f);
    store_write(o->r->store, &o->job);
}

/* -- taking -- */

struct slot { const char *provider; unsigned free; };

struct taken { struct outbox_row row; bool full_text; const char *lang; };

struct take {
    struct store_job job;
    struct contact_router *r;
    struct arena arena;
    struct slot slots[PROVIDERS_MAX], mail; /* what run() counts down */
    struct slot free_slots[PROVIDERS_MAX], free_mail; /* what there is: run() may run again */
    unsigned slot_count;
    struct taken v[TAKE_MAX]; /* out */
    unsigned count;
    int64_t now_us, next_due_us; /* 0: none */
    bool blocked;             /* something due had no slot */
    struct worker_news *news;
};

static struct slot *slot_of(struct take *t, const char *provider)
{
    if (!*provider)
        return &t->mail;
    for (unsigned i = 0; i < t->slot_count; i++)
        if (text_eq(t->slots[i].provider, provider))
            return &t->slots[i];
    return NULL;
}

static bool device_in_batch(const struct take *t, const struct outbox_row *row)
{
    for (unsigned i = 0; i < t->count; i++)
        if (text_eq(t->v[i].row.account, row->account) && t->v[i].row.n == row->n &&
            text_eq(t->v[i].row.address, row->address))
            return true;
    return false;
}

/* What the device says now: *why set: the delivery is withdrawn; *until: it waits. */
static bool ask_device(struct take *t, struct store_tx *tx, const struct outbox_row *row, struct taken *out, const char **why,
                       int64_t *until, struct error *e)
{
    struct device_list devices;
    *out = (struct taken){ .lang = "" };
    *why = NULL;
    *until = t->now_us;
    if (!row->n)
        return true;
    if (!device_store_list(tx, row->account, &t->arena, &devices, e))
        return false;
    const struct device *d = NULL;
    for (unsigned i = 0; i < devices.count; i++)
        if (devices.v[i].n == row->n && text_eq(devices.v[i].address, row->address))
            d = &devices.v[i];
    bool talk = row->purpose == OUTBOX_PURPOSE_MESSAGE || row->purpose == OUTBOX_PURPOSE_REQUEST;
    if (!d)
        *why = "the device was removed";
    else if (d->opted_out)
        *why = "the device was told STOP";
    else if (!d->verified_us && row->purpose != OUTBOX_PURPOSE_CODE)
        *why = "the device is not verified";
    if (*why)
        return true;
    out->full_text = d->full_text;
    out->lang = d->lang;
    int offset;
    zone_offset(t->r->zone_dir, d->quiet.zone, t->now_us / 1000000, &offset);
    if (talk && !row->urgent)
        *until = device_quiet_until(&d->quiet, t->now_us, offset);
    return true;
}

static bool withdraw(struct take *t, struct store_tx *tx, struct outbox_row *row, const char *why, struct error *e)
{
    struct outbox_input stop = { .event = OUTBOX_STOPPED, .now_us = t->now_us };
    return worker_step(t->r, tx, row, &stop, why, false, &t->arena, &t->news, e);
}

/* One call at a time to a telephone: while one goes on, the next waits. */
static bool wait_for_call(struct take *t, struct store_tx *tx, const struct outbox_row *row, int64_t *until, struct error *e)
{
    bool calling = false;
    if (row->kind != DEVICE_VOICE)
        return true;
    int64_t since = t->now_us - (int64_t)CALL_LASTS_MIN * 60 * 1000000;
    if (!outbox_query_calling(tx, row->address, since, &calling, e))
        return false;
    int64_t later = t->now_us + (int64_t)CALL_WAIT_S * 1000000;
    if (calling && *until < later)
        *until = later;
    return true;
}

static bool take_row(struct take *t, struct store_tx *tx, struct outbox_row *row, struct error *e)
{
    struct slot *slot = slot_of(t, row->provider);
    const char *why;
    int64_t until;
    struct taken taken;
    if (!slot)
        return withdraw(t, tx, row, "its provider is gone from the configuration", e);
    if (!slot->free || device_in_batch(t, row)) {
        t->blocked = true;
        return true;
    }
    if (!ask_device(t, tx, row, &taken, &why, &until, e) || !wait_for_call(t, tx, row, &until, e))
        return false;
    if (why)
        return withdraw(t, tx, row, why, e);
    if (until > t->now_us) {
        row->d.due_us = until;
        return outbox_store_update(tx, row, e);
    }
    struct outbox_input try = { .event = OUTBOX_TRY, .now_us = t->now_us };
    if (!worker_step(t->r, tx, row, &try, NULL, false, &t->arena, &t->news, e))
        return false;
    if (row->d.state != OUTBOX_SENDING) /* too old */
        return true;
    slot->free--;
    taken.row = *row;
    t->v[t->count++] = taken;
    return true;
}

static bool take_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct take *t = container_of(job, struct take, job);
    struct outbox_rows due;
    memcpy(t->slots, t->free_slots, sizeof t->slots);
    t->mail = t->free_mail;
    t->count = 0;
    t->blocked = false;
    t->news = NULL;
    t->now_us = store_now_us(tx);
    bool ok = outbox_query_due(tx, t->now_us, 2 * TAKE_MAX, &t->arena, &due, e);
    for (unsigned i = 0; ok && i < due.count && t->count < TAKE_MAX; i++)
        ok = take_row(t, tx, &due.v[i], e);
    t->blocked = t->blocked || (ok && due.count == 2 * TAKE_MAX);
    return ok && outbox_query_next_due(tx, t->now_us, &t->next_due_us, e);
}

static void launch(struct contact_router *r, const struct taken *v, int64_t now_us)
{
    struct flight *f = mem_new(struct flight);
    arena_init(&f->arena);
    f->r = r;
    f->row = v->row;
    f->row.d.ref = arena_dup(&f->arena, v->row.d.ref);
    const char **texts[] = { &f->row.account, &f->row.address, &f->row.community, &f->row.peer, &f->row.peer_domain,
                             &f->row.code, &f->row.provider, &f->row.text, &f->row.provider_id, &f->row.reason };
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_dup(&f->arena, *texts[i]);
    f->job = (struct sender_job){ .router = r, .row = &f->row, .full_text = v->full_text, .lang = arena_dup(&f->arena, v->lang),
                                  .on_done = on_sent, .now_us = now_us };
    list_append(&r->flights, &f->node);
    if (*f->row.provider) {
        f->job.provider = contact_router_provider_named(r, f->row.provider);
        f->job.provider->in_flight++;
        f->job.provider->sent_this_second++;
        if (f->row.kind == DEVICE_VOICE)
            sender_voice_send(&f->job);
        else
            sender_http_send(&f->job);
    } else {
        r->mails_in_flight++;
        sender_mail_send(&f->job);
    }
}

static void on_due(struct timer *timer)
{
    worker_kick(container_of(timer, struct contact_router, due_timer));
}

static void wait_for_next(struct contact_router *r, const struct take *t)
{
    uint64_t ms = WAIT_MAX_MS;
    if (t->next_due_us && t->next_due_us - t->now_us < (int64_t)WAIT_MAX_MS * 1000)
        ms = (uint64_t)(t->next_due_us - t->now_us) / 1000 + 1;
    /* Without a free slot: a landing kicks, or the next second of a rate. */
    if (t->blocked && ms > 1000)
        ms = 1000;
    timer_start(&r->due_timer, r->loop, ms, on_due);
}

static void take_done(struct store_job *job, const struct error *e)
{
    struct take *t = container_of(job, struct take, job);
    struct contact_router *r = t->r;
    r->jobs--;
    r->taking = false;
    if (e->code != ERROR_NONE) {
        log_error(NULL, "the outbox could not be read: %s", e->text);
        t->blocked = true;
        t->next_due_us = 0;
    } else {
        worker_tell(r, t->news);
        for (unsigned i = 0; r->running && i < t->count; i++)
            launch(r, &t->v[i], t->now_us);
    }
    bool again = r->take_again;
    r->take_again = false;
    if (r->running)
        wait_for_next(r, t);
    arena_fini(&t->arena);
    mem_free(t);
    if (again)
        worker_kick(r);
}

static unsigned slots_of(struct contact_router *r, struct router_provider *p)
{
    /* Rate and concurrency are the account's, whatever it sends; the first section says them. */
    const struct profile_send *s = NULL;
    for (unsigned k = 0; !s && k < PROFILE_KINDS; k++)
        s = p->provider->profile->send[k].present ? &p->provider->profile->send[k] : NULL;
    CHECK(s != NULL);
    unsigned most = s->concurrency ? s->concurrency : 4, left = p->in_flight < most ? most - p->in_flight : 0;
    uint64_t now = loop_now_ms(r->loop);
    if (!s->rate_per_s)
        return left;
    if (now - p->second_mono_ms >= 1000) {
        p->second_mono_ms = now;
        p->sent_this_second = 0;
    }
    unsigned rate = p->sent_this_second < s->rate_per_s ? s->rate_per_s - p->sent_this_second : 0;
    return rate < left ? rate : left;
}

void worker_kick(struct contact_router *r)
{
    if (!r->running)
        return;
    if (r->taking) {
        r->take_again = true;
        return;
    }
    struct take *t = mem_new(struct take);
    arena_init(&t->arena);
    t->r = r;
    t->free_mail = (struct slot){ "", r->mails_in_flight < MAILS_MAX ? MAILS_MAX - r->mails_in_flight : 0 };
    for (unsigned i = 0; i < r->provider_count && i < PROVIDERS_MAX; i++)
        t->free_slots[t->slot_count++] = (struct slot){ r->providers[i].provider->name, slots_of(r, &r->providers[i]) };
    t->job = (struct store_job){ .reply_on = r->loop, .run = take_run, .done = take_done };
    r->taking = true;
    r->jobs++;
    store_write(r->store, &t->job);
}

/* -- start, sweep, stop -- */

struct chore {
    struct store_job job;
    struct contact_router *r;
    struct arena arena;
    unsigned resumed;
    struct worker_news *news;
};

static bool resume_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct chore *c = container_of(job, struct chore, job);
    struct outbox_rows rows;
    c->news = NULL;
    bool ok = outbox_query_sending(tx, &c->arena, &rows, e);
    c->resumed = rows.count;
    for (unsigned i = 0; ok && i < rows.count; i++) {
        struct outbox_input in = { .event = OUTBOX_RESTARTED, .now_us = store_now_us(tx) };
        ok = worker_step(c->r, tx, &rows.v[i], &in, "the gateway stopped while this was being sent", false, &c->arena,
                         &c->news, e);
    }
    return ok;
}

static void chore_done(struct store_job *job, const struct error *e)
{
    struct chore *c = container_of(job, struct chore, job);
    struct contact_router *r = c->r;
    r->jobs--;
    if (e->code != ERROR_NONE)
        log_error(NULL, "the outbox: %s", e->text);
    else if (c->resumed)
        log_warn(NULL, "%u deliveries were under way when the gateway stopped; in doubt, unless their provider deduplicates",
                 c->resumed);
    worker_tell(r, c->news);
    arena_fini(&c->arena);
    mem_free(c);
    worker_kick(r);
}

static void ask_chore(struct contact_router *r, bool (*run)(struct store_tx *, struct store_job *, struct error *))
{
    struct chore *c = mem_new(struct chore);
    arena_init(&c->arena);
    c->r = r;
    c->job = (struct store_job){ .reply_on = r->loop, .run = run, .done = chore_done };
    r->jobs++;
    store_write(r->store, &c->job);
}

static bool sweep_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    (void)job;
    return device_store_sweep(tx, e) && outbox_store_sweep(tx, e);
}

static void on_sweep(struct timer *timer)
{
    struct contact_router *r = container_of(timer, struct contact_router, sweep_timer);
    ask_chore(r, sweep_run);
    timer_start(&r->sweep_timer, r->loop, SWEEP_MS, on_sweep);
}

void worker_start(struct contact_router *r)
{
    ask_chore(r, resume_run);
    timer_start(&r->sweep_timer, r->loop, SWEEP_MS, on_sweep);
}

void worker_stop(struct contact_router *r)
{
    timer_stop(&r->due_timer);
    timer_stop(&r->sweep_timer);
    list_each(it, &r->flights) {
        struct flight *f = list_entry(it, struct flight, node);
        if (f->job.refuse.run) /* its command is under way and finds the router stopped */
            continue;
        if (f->row.kind == DEVICE_VOICE)
            sender_voice_cancel(&f->job);
        else if (f->job.provider)
            sender_http_cancel(&f->job);
        else
            sender_mail_cancel(&f->job);
        land(f);
    }
}
