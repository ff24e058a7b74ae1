/* SPDX-License-Identifier: MIT */
/* Decided here: which sender takes a delivery, and how its answer is written down. */
#include "contact-router/flight.h"

#include "contact-router/delivery.h"
#include "contact-router/device_store.h"
#include "contact-router/router_internal.h"
#include "contact-router/sender.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"

struct flight {
    struct list node; /* in r->flights */
    struct contact_router *r;
    struct arena arena; /* holds row */
    struct outbox_row row;
    struct sender_job job;
};

struct outcome {
    struct store_job job;
    struct contact_router *r;
    struct arena arena;
    const char *ref, *provider_id, *kind;
    struct delivery_word word;
    bool optout;
    enum outbox_state state; /* out */
    struct delivery_news *news;
};

static bool outcome_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct outcome *o = container_of(job, struct outcome, job);
    struct delivery_batch batch = { o->r, tx, &o->arena, NULL };
    struct outbox_row row;
    o->news = NULL;
    if (!outbox_store_get(tx, o->ref, &o->arena, &row, e))
        return false;
    if (!row.d.ref) /* its account went meanwhile */
        return true;
    if (*o->provider_id)
        row.provider_id = o->provider_id;
    if (o->optout && !device_store_refuse(tx, row.kind, row.address, true, e))
        return false;
    bool ok = delivery_step(&batch, &row, &o->word, e);
    o->news = batch.news;
    o->state = row.d.state;
    return ok;
}

static void outcome_done(struct store_job *job, const struct error *e)
{
    struct outcome *o = container_of(job, struct outcome, job);
    struct contact_router *r = o->r;
    r->jobs--;
    if (e->code != ERROR_NONE)
        log_error(NULL, "delivery %s: the result could not be written (%s); after a restart it is in doubt", o->ref,
                  e->text);
    else if (o->state == OUTBOX_SENT || o->state == OUTBOX_DELIVERED || o->state == OUTBOX_READ)
        log_info(NULL, "delivery %s by %s: %s", o->ref, o->kind, outbox_state_name(o->state));
    else
        log_warn(NULL, "delivery %s by %s: %s: %s", o->ref, o->kind, outbox_state_name(o->state), o->word.reason);
    if (e->code == ERROR_NONE)
        delivery_tell(r, o->news);
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
    o->kind = device_kind_people(f->row.kind);
    o->optout = result->optout;
    o->word = (struct delivery_word){ .event = result->event,
                                      .retry_after_us = (int64_t)result->retry_after_ms * 1000,
                                      .reason = arena_dup(&o->arena, result->reason),
                                      .blames_device = result->bad_address };
    o->job = (struct store_job){ .reply_on = f->r->loop, .run = outcome_run, .done = outcome_done };
    f->r->jobs++;
    land(f);
    store_write(o->r->store, &o->job);
}

static void copy_row(struct arena *a, struct outbox_row *to, const struct outbox_row *from)
{
    *to = *from;
    const char **texts[] = { &to->d.ref, &to->account, &to->address, &to->community, &to->peer, &to->peer_domain,
                             &to->code, &to->provider, &to->text, &to->provider_id, &to->reason };
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_dup(a, *texts[i]);
}

void flight_launch(struct contact_router *r, const struct flight_load *load)
{
    struct flight *f = mem_new(struct flight);
    arena_init(&f->arena);
    f->r = r;
    copy_row(&f->arena, &f->row, &load->row);
    f->job = (struct sender_job){.router = r,
                                 .row = &f->row,
                                 .full_text = load->full_text,
                                 .lang = arena_dup(&f->arena, load->lang),
                                 .on_done = on_sent,
                                 .now_us = load->now_us};
    list_append(&r->flights, &f->node);
    if (!*f->row.provider) {
        r->mails_in_flight++;
        sender_mail_send(&f->job);
        return;
    }
    f->job.provider = contact_router_provider_named(r, f->row.provider);
    f->job.provider->in_flight++;
    f->job.provider->sent_this_second++;
    if (f->row.kind == DEVICE_VOICE)
        sender_voice_send(&f->job);
    else
        sender_http_send(&f->job);
}

void flight_cancel_all(struct contact_router *r)
{
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
