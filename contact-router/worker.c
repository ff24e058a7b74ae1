/* SPDX-License-Identifier: MIT */
/* Takes what is due out of the outbox and launches it (flight.h). Decided here: what may be taken now, by
 * slots of providers, by what its device says, by calls that go on. One take runs at a time; a delivery is
 * SENDING in the store before its sender hears of it. */
#include <string.h>

#include "contact-router/delivery.h"
#include "contact-router/device_store.h"
#include "contact-router/flight.h"
#include "contact-router/outbox_query.h"
#include "contact-router/router_internal.h"
#include "contact-router/stranded.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

enum {
    TAKE_MAX = 32,
    MAILS_MAX = 8,
    SWEEP_MS = 3600 * 1000,
    WAIT_MAX_MS = 3600 * 1000,
    CALL_LASTS_MIN = 10,
    CALL_WAIT_S = 30,
};

/* -- taking -- */

/* How many more a provider takes. */
struct slot {
    const char *provider; /* "": the mail server */
    unsigned free;
};

struct take {
    struct store_job job;
    struct contact_router *r;
    struct arena arena;
    struct slot *free_slots, free_mail; /* what there is ... */
    struct slot *slots, mail;           /* ... and what run, which may run again, counts down */
    unsigned slot_count;
    struct flight_load v[TAKE_MAX]; /* out */
    unsigned count;
    int64_t now_us, next_due_us; /* 0: none */
    bool blocked;                /* something due had no slot */
    const char *buried;          /* ref of one that cannot be read */
    struct delivery_batch batch;
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

/* What holds a due delivery up. */
struct hold {
    const char *why;  /* it is withdrawn; NULL: it is not */
    int64_t until_us; /* behind now: it waits */
};

static const char *why_not(const struct device *d, const struct outbox_row *row)
{
    if (!d)
        return "the device was removed";
    if (d->opted_out)
        return "the device was told STOP";
    if (!d->verified_us && row->purpose != OUTBOX_PURPOSE_CODE)
        return "the device is not verified";
    return NULL;
}

static void wait_for_quiet(const struct take *t, const struct device *d, const struct outbox_row *row,
                           struct hold *hold)
{
    bool talk = row->purpose == OUTBOX_PURPOSE_MESSAGE || row->purpose == OUTBOX_PURPOSE_REQUEST;
    int offset;
    if (!talk || row->urgent)
        return;
    zone_cache_offset(&t->r->zones, d->quiet.zone, t->now_us / 1000000, &offset);
    hold->until_us = device_quiet_until(&d->quiet, t->now_us, offset);
}

/* What the device says now. */
static bool ask_device(struct take *t, struct flight_load *load, struct hold *hold, struct error *e)
{
    const struct outbox_row *row = &load->row;
    struct device_list devices;
    if (!row->n)
        return true;
    if (!device_store_list(t->batch.tx, row->account, &t->arena, &devices, e))
        return false;
    const struct device *d = device_list_find(&devices, row->n, row->address);
    hold->why = why_not(d, row);
    if (hold->why)
        return true;
    load->full_text = d->full_text;
    load->lang = d->lang;
    wait_for_quiet(t, d, row, hold);
    return true;
}

/* One call at a time to a telephone: while one goes on, the next waits. */
static bool wait_for_call(struct take *t, const struct outbox_row *row, struct hold *hold, struct error *e)
{
    bool calling = false;
    if (row->kind != DEVICE_VOICE)
        return true;
    int64_t since = t->now_us - (int64_t)CALL_LASTS_MIN * 60 * 1000000;
    if (!outbox_query_calling(t->batch.tx, row->address, since, &calling, e))
        return false;
    int64_t later = t->now_us + (int64_t)CALL_WAIT_S * 1000000;
    if (calling && hold->until_us < later)
        hold->until_us = later;
    return true;
}

/* Only if stranded_settle could not be carried out at the start. */
static bool give_up(struct take *t, struct outbox_row *row, struct error *e)
{
    return delivery_step(
        &t->batch, row,
        &(struct delivery_word){.event = OUTBOX_HOPELESS, .reason = "its provider is gone from the configuration"}, e);
}

static bool withdraw(struct take *t, struct outbox_row *row, const char *why, struct error *e)
{
    return delivery_step(&t->batch, row, &(struct delivery_word){ .event = OUTBOX_STOPPED, .reason = why }, e);
}

static bool take_row(struct take *t, struct outbox_row *row, struct error *e)
{
    struct slot *slot = slot_of(t, row->provider);
    struct flight_load load = { .row = *row, .lang = "", .now_us = t->now_us };
    struct hold hold = { NULL, t->now_us };
    if (!slot)
        return give_up(t, row, e);
    if (!slot->free || device_in_batch(t, row)) {
        t->blocked = true;
        return true;
    }
    if (!ask_device(t, &load, &hold, e) || !wait_for_call(t, row, &hold, e))
        return false;
    if (hold.why)
        return withdraw(t, row, hold.why, e);
    if (hold.until_us > t->now_us) {
        row->d.due_us = hold.until_us;
        return outbox_store_update(t->batch.tx, row, e);
    }
    if (!delivery_step(&t->batch, row, &(struct delivery_word){ .event = OUTBOX_TRY }, e))
        return false;
    if (row->d.state != OUTBOX_SENDING) /* too old */
        return true;
    slot->free--;
    load.row = *row;
    t->v[t->count++] = load;
    return true;
}

static bool take_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct take *t = container_of(job, struct take, job);
    struct outbox_rows due;
    memcpy(t->slots, t->free_slots, t->slot_count * sizeof *t->slots);
    t->mail = t->free_mail;
    t->count = 0;
    t->blocked = false;
    t->batch = (struct delivery_batch){ t->r, tx, &t->arena, NULL };
    t->now_us = store_now_us(tx);
    struct outbox_due which = { t->now_us, t->r->names_off, 2 * TAKE_MAX };
    bool ok = stranded_give_up(&t->batch, e) && outbox_query_due(tx, &which, &t->arena, &due, e);
    t->buried = due.damaged;
    if (t->buried) {
        t->blocked = true; /* there may be another */
        ok = ok && outbox_store_bury(tx, t->buried, e);
    }
    for (unsigned i = 0; ok && i < due.count && t->count < TAKE_MAX; i++)
        ok = take_row(t, &due.v[i], e);
    t->blocked = t->blocked || (ok && due.count == 2 * TAKE_MAX);
    return ok && outbox_query_next_due(tx, t->now_us, &t->next_due_us, e);
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
        delivery_tell(r, t->batch.news);
        if (t->buried)
            log_error(NULL, "delivery %s cannot be read; it is given up", t->buried);
        for (unsigned i = 0; r->running && i < t->count; i++)
            flight_launch(r, &t->v[i]);
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
    t->free_slots = arena_alloc(&t->arena, (r->provider_count + 1) * sizeof *t->free_slots);
    t->slots = arena_alloc(&t->arena, (r->provider_count + 1) * sizeof *t->slots);
    for (unsigned i = 0; i < r->provider_count; i++)
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
    struct stranded stranded;
    struct delivery_news *news;
};

static bool resume_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    static const struct delivery_word restarted = { .event = OUTBOX_RESTARTED,
                                                    .reason = "the gateway stopped while this was being sent" };
    struct chore *c = container_of(job, struct chore, job);
    struct delivery_batch batch = { c->r, tx, &c->arena, NULL };
    struct outbox_rows rows;
    bool ok = outbox_query_sending(tx, &c->arena, &rows, e);
    for (unsigned i = 0; ok && i < rows.count; i++)
        ok = delivery_step(&batch, &rows.v[i], &restarted, e);
    c->resumed = rows.count;
    ok = ok && stranded_settle(&batch, &c->stranded, e);
    c->news = batch.news;
    return ok;
}

static void tell_stranded(const struct stranded *s)
{
    if (s->waiting)
        log_warn(NULL,
                 "%u deliveries wait for a provider that is off; they go out when it is on again, unless it is too "
                 "late then",
                 s->waiting);
    if (s->handed_over)
        log_info(NULL, "%u deliveries go by another provider, since theirs is not at work", s->handed_over);
    if (s->given_up)
        log_warn(NULL, "%u deliveries were given up, since their provider is gone from the configuration", s->given_up);
}

static void chore_done(struct store_job *job, const struct error *e)
{
    struct chore *c = container_of(job, struct chore, job);
    struct contact_router *r = c->r;
    r->jobs--;
    if (e->code != ERROR_NONE)
        log_error(NULL, "the outbox: %s", e->text);
    else if (c->resumed)
        log_warn(NULL,
                 "%u deliveries were under way when the gateway stopped; in doubt, unless their provider deduplicates",
                 c->resumed);
    if (e->code == ERROR_NONE) {
        tell_stranded(&c->stranded);
        delivery_tell(r, c->news);
    }
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
    flight_cancel_all(r);
}
