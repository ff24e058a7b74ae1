/* SPDX-License-Identifier: MIT */
/* Two transactions around the exchange's answer. The first writes what the delivery has become, so that a call that
 * ends at once afterwards is not counted as unheard; then the answer goes into the conversation; the last notes that it
 * did. The same key again does nothing twice: its name is provider, delivery and key. */
#include "contact-router/returns_voice.h"

#include <string.h>

#include "contact-router/delivery.h"
#include "contact-router/device_store.h"
#include "contact-router/returns_store.h"
#include "contact-router/voice_speak.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

struct voicing {
    struct store_job job;
    struct command cmd;      /* the exchange's answer, on our loop */
    struct contact_router *r;
    struct arena arena;
    const char *provider, *ref, *dedup;
    char key;                /* 0: none was pressed */
    bool machine;
    void (*on_turn)(void *user, const struct returns_voice_turn *t);
    void *user;
    /* out of the transaction */
    struct outbox_row row;
    const char *lang;
    bool full_text, was_done;
    struct voice_turn turn;
    struct delivery_news *news;
    struct error error;
};

static void end(struct voicing *v)
{
    struct returns_voice_turn t = { v->turn, v->row.d.ref ? &v->row : NULL, v->lang, v->full_text };
    v->r->jobs--;
    v->on_turn(v->user, &t);
    arena_fini(&v->arena);
    mem_free(v);
}

/* -- the delivery -- */

static bool step(struct voicing *v, struct store_tx *tx, enum outbox_event event, const char *reason, struct error *e)
{
    struct delivery_batch batch = { v->r, tx, &v->arena, v->news };
    bool ok = delivery_step(&batch, &v->row, &(struct delivery_word){ .event = event, .reason = reason }, e);
    v->news = batch.news;
    return ok;
}

static bool act(struct voicing *v, struct store_tx *tx, struct error *e)
{
    int64_t first_us;
    switch (v->turn.act) {
    case VOICE_DO_NOTHING:
        return step(v, tx, OUTBOX_SAID_SENT, NULL, e);
    case VOICE_DO_HEARD:
    case VOICE_DO_CANNOT:
    case VOICE_DO_ACCEPT:
    case VOICE_DO_DECLINE:
        return step(v, tx, OUTBOX_SAID_READ, "answered by a key", e) &&
               returns_store_seen(tx, v->provider, v->dedup, 0, &v->was_done, &first_us, e);
    case VOICE_DO_PASS:
        return step(v, tx, OUTBOX_SAID_FAILED, "passed on by a key", e);
    case VOICE_DO_STOP:
        return step(v, tx, OUTBOX_SAID_FAILED, "no more calls are wanted", e) &&
               device_store_refuse(tx, DEVICE_VOICE, v->row.address, true, e);
    }
    return true;
}

static bool voicing_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct voicing *v = container_of(job, struct voicing, job);
    v->news = NULL;
    v->was_done = false;
    v->turn = (struct voice_turn){ VOICE_OVER, false, VOICE_DO_NOTHING };
    if (!voice_speak_load(tx, v->ref, &v->arena, &v->row, &v->lang, &v->full_text, e))
        return false;
    if (v->row.d.ref && !text_eq(v->row.provider, v->provider)) /* another provider's: not theirs to hear */
        v->row.d.ref = NULL;
    if (!v->row.d.ref)
        return true;
    v->turn = voice_turn_next(v->row.purpose, v->row.d.state, v->key, v->machine);
    return act(v, tx, e);
}

/* -- into the conversation -- */

static bool mark_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct voicing *v = container_of(job, struct voicing, job);
    return returns_store_done(tx, v->provider, v->dedup, e);
}

static void mark_done(struct store_job *job, const struct error *e)
{
    if (e->code != ERROR_NONE) /* the exchange knows the message's id, if it comes again */
        log_error(NULL, "a key in a call was answered, but not noted: %s", e->text);
    end(container_of(job, struct voicing, job));
}

static void answered(struct command *cmd)
{
    struct voicing *v = container_of(cmd, struct voicing, cmd);
    enum error_code code = v->error.code;
    if (code == ERROR_NONE)
        log_info(NULL, "a key in a call went into a conversation of %s", v->row.account);
    else
        log_warn(NULL, "a key in a call of %s was not taken: %s", v->row.account, v->error.text);
    if (code != ERROR_NONE && code != ERROR_DENIED && code != ERROR_INVALID && code != ERROR_NOT_FOUND) {
        v->turn = (struct voice_turn){ VOICE_FAILED, true, VOICE_DO_NOTHING };
        end(v);
        return;
    }
    if (code != ERROR_NONE) /* nothing waits there any more: answered elsewhere, or withdrawn */
        v->turn = (struct voice_turn){ VOICE_OVER, false, VOICE_DO_NOTHING };
    v->job = (struct store_job){ .reply_on = v->r->loop, .run = mark_run, .done = mark_done };
    store_write(v->r->store, &v->job);
}

static void on_answered(void *user, const struct error *e)
{
    struct voicing *v = user;
    v->error = *e;
    v->cmd.run = answered;
    loop_post(v->r->loop, &v->cmd);
}

static bool answer_of(const struct voicing *v, struct reach_answer *a)
{
    a->callee = v->row.account;
    a->peer = v->row.peer;
    a->via = "voice";
    a->dedup = v->dedup;
    switch (v->turn.act) {
    case VOICE_DO_HEARD:
    case VOICE_DO_CANNOT:
        a->verb = REACH_SAY;
        a->text = voice_text_written(v->lang, v->turn.line);
        return true;
    case VOICE_DO_ACCEPT:
        a->verb = REACH_ACCEPT;
        return true;
    case VOICE_DO_DECLINE:
        a->verb = REACH_DECLINE;
        return true;
    case VOICE_DO_NOTHING:
    case VOICE_DO_PASS:
    case VOICE_DO_STOP:
        break;
    }
    return false;
}

static void voicing_done(struct store_job *job, const struct error *e)
{
    struct voicing *v = container_of(job, struct voicing, job);
    struct reach_answer a = { .done = on_answered, .user = v };
    if (e->code != ERROR_NONE) {
        log_error(NULL, "a turn of a call: %s", e->text);
        v->turn = (struct voice_turn){ VOICE_FAILED, true, VOICE_DO_NOTHING };
        end(v);
        return;
    }
    delivery_tell(v->r, v->news);
    worker_kick(v->r);
    if (answer_of(v, &a) && !v->was_done)
        exchange_reach_answer(v->r->exchange, &a);
    else
        end(v);
}

void returns_voice(struct contact_router *r, struct router_provider *provider, const char *ref,
                   const struct hook_event *event, void (*on_turn)(void *user, const struct returns_voice_turn *t),
                   void *user)
{
    struct voicing *v = mem_new(struct voicing);
    arena_init(&v->arena);
    v->r = r;
    v->provider = provider->provider->name;
    v->ref = arena_dup(&v->arena, ref);
    v->key = event->digits ? *event->digits : 0;
    v->machine = event->machine;
    v->dedup = arena_printf(&v->arena, "call/%s/%c", v->ref, v->key ? v->key : '-');
    v->lang = "";
    v->on_turn = on_turn;
    v->user = user;
    v->job = (struct store_job){ .reply_on = r->loop, .run = voicing_run, .done = voicing_done };
    r->jobs++;
    store_write(r->store, &v->job);
}
