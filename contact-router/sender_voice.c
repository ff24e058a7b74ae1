/* SPDX-License-Identifier: MIT */
/* Calls: what will be said is spoken first, so that it is there when somebody answers; then the provider is asked to
 * call. What is said when, it learns by fetching documents (voice_http.c). */
#include <string.h>

#include "contact-router/sender.h"
#include "contact-router/voice_http.h"
#include "contact-router/voice_speak.h"

static const struct profile_voice *voice_of(const struct sender_job *job)
{
    return &job->provider->provider->profile->voice;
}

static void refuse(struct sender_job *job, const struct error *e)
{
    bool later = e->code == ERROR_TEMPORARY || e->code == ERROR_TIMEOUT;
    struct sender_result result = {
        .event = later ? OUTBOX_REFUSED_NOW : OUTBOX_REFUSED, .provider_id = "", .reason = e->text};
    job->on_done(job, &result);
}

/* The first document goes with the request; what follows a key is fetched. */
static bool write_document(struct sender_job *job, bool spoken, struct error *e)
{
    struct voice_document d = {.provider = job->provider->provider,
                               .ref = job->row->d.ref,
                               .created_us = job->row->d.created_us,
                               .lang = job->lang,
                               .text = bytes_span(&job->speak.text),
                               .line = VOICE_MESSAGE,
                               .ask = true,
                               .spoken = spoken};
    return voice_http_document(job->router, &d, &job->document, e);
}

static void on_spoken(struct voice_speak *s, struct span wav, const struct error *e)
{
    struct sender_job *job = container_of(s, struct sender_job, speak);
    struct error why = *e;
    (void)wav; /* it is kept, for the provider to fetch */
    bool can = e->code == ERROR_NONE || voice_of(job)->say_ask.count; /* if need be the provider speaks itself */
    if (can && voice_of(job)->answer == PROFILE_VOICE_INLINE)
        can = write_document(job, e->code == ERROR_NONE, &why);
    voice_speak_cancel(s);
    if (can)
        sender_http_send(job);
    else
        refuse(job, &why);
}

void sender_voice_send(struct sender_job *job)
{
    job->speak = (struct voice_speak){.r = job->router,
                                      .row = job->row,
                                      .lang = job->lang,
                                      .full_text = job->full_text,
                                      .line = VOICE_MESSAGE,
                                      .max_bytes = voice_of(job)->audio_max_bytes,
                                      .mulaw = voice_of(job)->coding == PROFILE_VOICE_PCMU,
                                      .on_done = on_spoken};
    voice_speak_start(&job->speak);
}

void sender_voice_cancel(struct sender_job *job)
{
    voice_speak_cancel(&job->speak);
    sender_http_cancel(job);
}
