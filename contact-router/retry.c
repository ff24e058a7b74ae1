/* SPDX-License-Identifier: MIT */
/* Decided here: what can be tried once more is a message or a request that failed, died or is in doubt, while its text
 * is kept (a day), to a device that is still listed. It goes by the provider that serves such devices now, and through
 * quiet hours and pauses like any other; the budget was spent on it already. */
#include "contact-router/retry.h"

#include <string.h>

#include "contact-router/delivery.h"
#include "contact-router/device_store.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/edge.h"

struct retrying {
    struct store_job job;
    struct command answer;
    struct contact_router *r;
    struct arena arena;
    const char *domain, *ref;
    void (*reply)(void *user, enum stanza_error refused, const char *text);
    void *user;
    /* out of the transaction */
    enum stanza_error refused;
    const char *text;
};

static void refuse(struct retrying *g, enum stanza_error refused, const char *text)
{
    g->refused = refused;
    g->text = text;
}

/* NULL: it can be. */
static const char *why_not(const struct outbox_row *row, int64_t now_us)
{
    enum { TEXT_LIFE_H = 24 };
    bool talk = row->purpose == OUTBOX_PURPOSE_MESSAGE || row->purpose == OUTBOX_PURPOSE_REQUEST;
    bool failed = row->d.state == OUTBOX_FAILED || row->d.state == OUTBOX_DEAD || row->d.state == OUTBOX_IN_DOUBT;
    if (!talk)
        return "It is no message: codes and tests are asked for anew.";
    if (!failed)
        return "It has not failed.";
    if (row->ended_us && row->ended_us < now_us - (int64_t)TEXT_LIFE_H * 3600 * 1000000)
        return "It ended more than a day ago, and its text is erased.";
    return NULL;
}

/* The device may be gone, and the provider that it was planned for. */
static bool find_way(struct retrying *g, struct store_tx *tx, struct outbox_row *row, const char **no, struct error *e)
{
    bool listed;
    if (!device_store_is_listed(tx, row->account, row->kind, row->address, &g->arena, &listed, e))
        return false;
    if (!listed)
        *no = "The device is not listed any more, or was told STOP.";
    if (!listed || row->kind == DEVICE_EMAIL)
        return true;
    const struct provider *p = contact_router_sender(g->r, row->community, row->kind);
    if (!p) {
        *no = "No provider that is on serves such devices.";
        return true;
    }
    row->provider = p->name;
    return outbox_store_hand_over(tx, row->d.ref, p->name, e);
}

static bool run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct retrying *g = container_of(job, struct retrying, job);
    struct delivery_batch batch = {g->r, tx, &g->arena, NULL};
    struct outbox_row row;
    if (!outbox_store_get(tx, g->ref, &g->arena, &row, e))
        return false;
    if (!row.d.ref || !text_eq(row.community, g->domain)) {
        refuse(g, STANZA_ITEM_NOT_FOUND, "There is no such delivery.");
        return true;
    }
    const char *no = why_not(&row, store_now_us(tx));
    if (!no && !find_way(g, tx, &row, &no, e))
        return false;
    if (no) {
        refuse(g, STANZA_NOT_ALLOWED, no);
        return true;
    }
    bool doubt = row.d.state == OUTBOX_IN_DOUBT;
    refuse(g, STANZA_OK, doubt ? "It is tried once more, and may arrive twice." : "It is tried once more.");
    struct delivery_word again = {.event = OUTBOX_REVIVED, .reason = "an admin asked for another try"};
    return delivery_step(&batch, &row, &again, e);
}

static void give_answer(struct command *cmd)
{
    struct retrying *g = container_of(cmd, struct retrying, answer);
    g->reply(g->user, g->refused, g->text);
    arena_fini(&g->arena);
    mem_free(g);
}

static void answer(struct retrying *g)
{
    g->answer.run = give_answer;
    loop_post(exchange_loop_of(g->r->exchange, g->domain), &g->answer);
}

static void done(struct store_job *job, const struct error *e)
{
    struct retrying *g = container_of(job, struct retrying, job);
    g->r->jobs--;
    if (e->code != ERROR_NONE) {
        log_error(NULL, "delivery %.40s, once more: %s", g->ref, e->text);
        refuse(g, STANZA_RESOURCE_CONSTRAINT, "That did not work just now. Please try again later.");
    } else if (g->refused == STANZA_OK) {
        log_info(NULL, "delivery %.40s: an admin asked for another try", g->ref);
        worker_kick(g->r);
    }
    answer(g);
}

void retry_run(struct contact_router *r, const char *domain, const char *ref,
               void (*reply)(void *user, enum stanza_error refused, const char *text), void *user)
{
    struct retrying *g = mem_new(struct retrying);
    arena_init(&g->arena);
    g->r = r;
    g->domain = arena_dup(&g->arena, domain);
    g->ref = arena_dup(&g->arena, ref);
    g->reply = reply;
    g->user = user;
    g->job = (struct store_job){.reply_on = r->loop, .run = run, .done = done};
    if (!r->running) {
        refuse(g, STANZA_FEATURE_NOT_IMPLEMENTED, "Devices are not available here.");
        answer(g);
        return;
    }
    r->jobs++;
    store_write(r->store, &g->job);
}
