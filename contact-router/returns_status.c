/* SPDX-License-Identifier: MIT */
/* What a provider's word means depends on what was sent: an answered call is not a heard one. A provider's word is
 * taken for its own deliveries alone. */
#include "contact-router/returns_status.h"

#include "contact-router/delivery.h"
#include "contact-router/device_store.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

struct report {
    struct store_job job;
    struct returns_request q;
    struct arena arena;
    /* out of the transaction */
    const char *for_log; /* NULL: nothing */
    struct delivery_news *news;
};

bool returns_status_delivery(struct store_tx *tx, const struct returns_request *q, struct arena *a,
                             struct outbox_row *row, struct error *e)
{
    const struct hook_event *ev = q->event;
    const char *provider = q->provider ? q->provider->provider->name : "", *ref = q->ref ? q->ref : ev->ref;
    *row = (struct outbox_row){ 0 };
    if (ref && !outbox_store_get(tx, ref, a, row, e))
        return false;
    bool by_id = !row->d.ref && !ref && q->provider && ev->id && *ev->id;
    if (by_id && !outbox_store_by_provider_id(tx, provider, ev->id, a, row, e))
        return false;
    if (row->d.ref && !text_eq(row->provider, provider)) /* another provider's: not theirs to change */
        row->d.ref = NULL;
    return true;
}

/* What is true of a call when its provider says so. Answered is not heard: only a key tells, and that comes by
 * another way (returns_voice.c). A code or a test has been said when the call is over. */
static bool call_event_of(enum profile_state s, enum outbox_purpose purpose, enum outbox_event *out, const char **why)
{
    bool talk = purpose == OUTBOX_PURPOSE_MESSAGE || purpose == OUTBOX_PURPOSE_REQUEST;
    switch (s) {
    case PROFILE_STATE_SENT: case PROFILE_STATE_ANSWERED: case PROFILE_STATE_MACHINE:
        *out = OUTBOX_SAID_SENT;
        return true;
    case PROFILE_STATE_COMPLETED: case PROFILE_STATE_DELIVERED:
        *out = talk ? OUTBOX_SAID_FAILED : OUTBOX_SAID_DELIVERED;
        *why = "the call ended without a key";
        return true;
    case PROFILE_STATE_READ:
        *out = OUTBOX_SAID_READ;
        return true;
    case PROFILE_STATE_BUSY:
        *why = "busy";
        break;
    case PROFILE_STATE_NOANSWER:
        *why = "nobody answered";
        break;
    case PROFILE_STATE_FAILED: case PROFILE_STATE_EXPIRED: case PROFILE_STATE_REJECTED: case PROFILE_STATE_OPTOUT:
        *why = "the call failed";
        break;
    case PROFILE_STATE_ACCEPTED: case PROFILE_STATE_UNKNOWN: case PROFILE_STATE_COUNT:
        return false;
    }
    *out = OUTBOX_SAID_FAILED;
    return true;
}

static bool event_of(enum profile_state s, enum outbox_event *out)
{
    switch (s) {
    case PROFILE_STATE_SENT:
        *out = OUTBOX_SAID_SENT;
        return true;
    case PROFILE_STATE_DELIVERED:
        *out = OUTBOX_SAID_DELIVERED;
        return true;
    case PROFILE_STATE_READ:
        *out = OUTBOX_SAID_READ;
        return true;
    case PROFILE_STATE_FAILED: case PROFILE_STATE_EXPIRED: case PROFILE_STATE_REJECTED: case PROFILE_STATE_OPTOUT:
        *out = OUTBOX_SAID_FAILED;
        return true;
    case PROFILE_STATE_ACCEPTED: case PROFILE_STATE_UNKNOWN: /* nothing new */
    case PROFILE_STATE_ANSWERED: case PROFILE_STATE_BUSY: case PROFILE_STATE_NOANSWER: case PROFILE_STATE_MACHINE:
    case PROFILE_STATE_COMPLETED: /* of calls only */
    case PROFILE_STATE_COUNT:
        break;
    }
    return false;
}

/* RFC 3463: 5.1 is about the address, 5.2.1 a mailbox that takes no mail. */
static bool is_bad_mailbox(const char *status)
{
    return text_starts_with(status, "5.1.") || text_eq(status, "5.2.1");
}

/* What the provider's words say of the delivery. false: nothing. */
static bool read_status(struct report *g, const struct outbox_row *row, struct delivery_word *word)
{
    const struct hook_event *ev = g->q.event;
    const char *code = ev->error_code ? ev->error_code : "";
    *word = (struct delivery_word){ 0 };
    if (!(row->kind == DEVICE_VOICE ? call_event_of(ev->state, row->purpose, &word->event, &word->reason)
                                    : event_of(ev->state, &word->event)))
        return false;
    if (word->event != OUTBOX_SAID_FAILED)
        word->reason = NULL;
    else if (!word->reason)
        word->reason = arena_printf(&g->arena, "the %s says %.40s%s%.40s %.120s",
                                    g->q.provider ? "provider" : "mail server", ev->status, *code ? ", code " : "",
                                    code, ev->error_text ? ev->error_text : "");
    word->blames_device = !g->q.provider && word->event == OUTBOX_SAID_FAILED && is_bad_mailbox(code);
    return true;
}

static bool is_optout(const struct report *g, const struct outbox_row *row)
{
    const struct hook_event *ev = g->q.event;
    if (!g->q.provider)
        return false;
    const struct profile_send *s =
        profile_send_of(g->q.provider->provider->profile, contact_router_profile_kind(row->kind));
    return ev->state == PROFILE_STATE_OPTOUT ||
           (s && profile_word_in(&s->optout_code, ev->error_code ? ev->error_code : ""));
}

static bool status_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct report *g = container_of(job, struct report, job);
    struct delivery_batch batch = { g->q.r, tx, &g->arena, NULL };
    const struct hook_event *ev = g->q.event;
    struct delivery_word word;
    struct outbox_row row;
    g->news = NULL;
    if (!returns_status_delivery(tx, &g->q, &g->arena, &row, e))
        return false;
    if (!row.d.ref || !read_status(g, &row, &word)) {
        g->for_log = arena_printf(&g->arena, "status `%.40s`%s", ev->status ? ev->status : "",
                                       row.d.ref ? "" : " of a message that is not known");
        return true;
    }
    if (!*row.provider_id && ev->id)
        row.provider_id = ev->id;
    const char *code = ev->error_code ? ev->error_code : "";
    g->for_log =
        arena_printf(&g->arena, "delivery %s: %.40s%s%.20s", row.d.ref, ev->status, *code ? ", code " : "", code);
    bool ok = delivery_step(&batch, &row, &word, e);
    g->news = batch.news;
    return ok && (!is_optout(g, &row) || device_store_refuse(tx, row.kind, row.address, true, e));
}

static void status_done(struct store_job *job, const struct error *e)
{
    struct report *g = container_of(job, struct report, job);
    g->q.r->jobs--;
    if (e->code == ERROR_NONE) {
        delivery_tell(g->q.r, g->news);
        worker_kick(g->q.r);
    }
    if (g->for_log)
        log_info(NULL, "%s: %s", returns_source(&g->q), g->for_log);
    g->q.done(g->q.user, e);
    arena_fini(&g->arena);
    mem_free(g);
}

void returns_status(const struct returns_request *q)
{
    struct report *g = mem_new(struct report);
    arena_init(&g->arena);
    g->q = *q;
    g->q.ref = arena_dup_or_null(&g->arena, q->ref);
    g->job = (struct store_job){ .reply_on = q->r->loop, .run = status_run, .done = status_done };
    q->r->jobs++;
    store_write(q->r->store, &g->job);
}
