/* SPDX-License-Identifier: MIT */
/* Requests by HTTP, as the provider's profile says: text messages, and that somebody be called. */
#include <string.h>

#include "contact-router/delivery_text.h"
#include "contact-router/hook.h"
#include "contact-router/provider_answer.h"
#include "contact-router/provider_request.h"
#include "contact-router/sender.h"
#include "contact-router/voice_http.h"

enum { STATUS_LIFE_S = 4 * 86400, TTL_S = 4 * 3600, SEGMENTS_ANY = 255 };

static const char *answer_header(const void *user, const char *name)
{
    const struct http_response *r = user;
    return r->header(r, name);
}

static enum outbox_event event_of(enum provider_outcome o)
{
    switch (o) {
    case PROVIDER_OK: return OUTBOX_ACCEPTED;
    case PROVIDER_TEMPORARY: return OUTBOX_REFUSED_NOW;
    case PROVIDER_PERMANENT: return OUTBOX_REFUSED;
    case PROVIDER_UNKNOWN: return OUTBOX_UNCLEAR;
    }
    return OUTBOX_UNCLEAR;
}

static const struct profile_send *section_of(const struct sender_job *job)
{
    return profile_send_of(job->provider->provider->profile, contact_router_profile_kind(job->row->kind));
}

static void on_answer(void *user, const struct http_response *r)
{
    struct sender_job *job = user;
    job->http = NULL;
    if (!r->status) {
        /* Nothing went out: later. Something may have: nobody knows. */
        struct sender_result none = { .event = r->sent ? OUTBOX_UNCLEAR : OUTBOX_REFUSED_NOW, .provider_id = "",
                                      .reason = r->error.text };
        job->on_done(job, &none);
        return;
    }
    struct provider_answer a;
    struct provider_reply reply = { .status = r->status, .body = r->body, .cut = r->error.code == ERROR_LIMIT,
                                    .now_us = contact_router_now_us(job->router), .retry_after = r->retry_after,
                                    .header = answer_header, .user = r };
    provider_answer_judge(section_of(job), &reply, &a);
    struct sender_result result = { .event = event_of(a.outcome), .bad_address = a.bad_address, .optout = a.optout,
                                    .retry_after_ms = a.retry_after_ms, .provider_id = a.id, .reason = a.text };
    job->on_done(job, &result);
}

static void on_refuse(struct command *c)
{
    struct sender_job *job = container_of(c, struct sender_job, refuse);
    struct sender_result result = { .event = OUTBOX_REFUSED, .provider_id = "", .reason = job->refusal };
    job->on_done(job, &result);
}

static void post(struct sender_job *job, const struct provider_request *q)
{
    struct http_request h = { .purpose = EGRESS_PROVIDER, .method = q->method, .url = q->url, .headers = q->headers,
                              .body = q->body, .allow_http = job->provider->provider->allow_http };
    job->http = http_call(job->router->http, &h, on_answer, job);
}

/* An address of ours for this delivery; "" when there is none to be had. Counted from when it was made, so that a
 * second try is the same request. */
static const char *address(const struct sender_job *job, struct arena *a, const char *kind)
{
    const struct provider *p = job->provider->provider;
    struct bytes url = BYTES_EMPTY;
    if (job->router->public_url && hook_exists(p, kind))
        returns_http_url(job->router, p->name, kind, job->row->d.ref, job->row->d.created_us / 1000000 + STATUS_LIFE_S,
                         &url);
    const char *text = arena_dup(a, bytes_text(&url));
    bytes_fini(&url);
    return text;
}

/* What the call says first, for those who take the sound's address with the request. */
static const char *sound(const struct sender_job *job, struct arena *a)
{
    struct bytes url = BYTES_EMPTY;
    if (job->router->public_url)
        voice_http_audio_url(job->router, job->row->d.ref, voice_turn_word(VOICE_MESSAGE), &url);
    const char *text = arena_dup(a, bytes_text(&url));
    bytes_fini(&url);
    return text;
}

/* Can an answer on this device find its way back? A text message is answered to the number that we write from. */
static bool answerable(const struct sender_job *job)
{
    const struct provider *p = job->provider->provider;
    return job->router->public_url && hook_exists(p, "inbound") && (*p->from || job->row->kind != DEVICE_SMS);
}

void sender_http_send(struct sender_job *job)
{
    const struct contact_router *r = job->router;
    const struct provider *p = job->provider->provider;
    const struct profile_send *s = section_of(job);
    bool call = job->row->kind == DEVICE_VOICE;
    struct bytes text = BYTES_EMPTY;
    struct delivery_text t = {.row = job->row,
                              .full_text = job->full_text,
                              .answerable = answerable(job),
                              .segments_max = s->encoding ? SEGMENTS_ANY : s->max_parts,
                              .characters_max = s->text_max};
    if (!call) /* what a call says is asked for later */
        delivery_text_sms(&t, &text);
    struct provider_request q = { 0 };
    struct error e = ERROR_INIT;
    arena_init(&q.arena);
    struct provider_message m = {.kind = contact_router_profile_kind(job->row->kind),
                                 .to = job->row->address,
                                 .from = p->from,
                                 .text = bytes_text(&text),
                                 .subject = *job->row->peer ? job->row->peer : job->row->community,
                                 .ref = job->row->d.ref,
                                 .hook_status = address(job, &q.arena, "status"),
                                 .hook_inbound = address(job, &q.arena, "inbound"),
                                 .hook_voice = call ? address(job, &q.arena, "voice") : NULL,
                                 .audio_url = call ? sound(job, &q.arena) : NULL,
                                 .voice_document = bytes_text(&job->document),
                                 .lang = job->lang,
                                 .ttl_s = TTL_S,
                                 .priority = job->row->urgent ? 5 : 3,
                                 .now_us = job->now_us};
    if (provider_request_render(p, &m, &q, &e)) {
        post(job, &q);
    } else {
        memcpy(job->refusal, e.text, sizeof job->refusal);
        job->refuse.run = on_refuse;
        loop_post(r->loop, &job->refuse);
    }
    arena_fini(&q.arena);
    bytes_fini(&text);
    bytes_fini(&job->document);
}

void sender_http_cancel(struct sender_job *job)
{
    if (job->http)
        http_call_cancel(job->http);
    job->http = NULL;
}
