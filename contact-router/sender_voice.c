/* SPDX-License-Identifier: MIT */
/* Calls: what will be said is spoken first, so that it is there when somebody answers; then the provider is asked to
 * call. What is said when, it learns by fetching documents (voice_http.c). */
#include <string.h>

#include "contact-router/sender.h"
#include "contact-router/voice_speak.h"

static const struct profile_voice *voice_of(const struct sender_job *job)
{
    return &job->provider->provider->profile->voice;
}

static void refuse(struct sender_job *job, const struct error *e)
{
    bool later = e->code == ERROR_TEMPORARY || e->code == ERROR_TIMEOUT;
    struct sender_result result = { .event = later ? OUTBOX_REFUSED_NOW : OUTBOX_REFUSED, .provider_id = "", .reason = e->text };
    job->on_done(job, &result);
}

static void on_spoken(struct voice_speak *s, struct span wav, const struct error *e)
{
    struct sender_job *job = container_of(s, struct sender_job, speak);
    (void)wav; /* it is kept, for the provider to fetch */
    voice_speak_cancel(s);
    if (e->code != ERROR_NONE && !voice_of(job)->say_ask.count)
        refuse(job, e);
    else
        sender_http_send(job); /* if need be the provider speaks itself */
}

void sender_voice_send(struct sender_job *job)
{
    job->speak = (struct voice_speak){ .r = job->router, .row = job->row, .lang = job->lang, .full_text = job->full_text,
                                       .line = VOICE_MESSAGE, .max_bytes = voice_of(job)->audio_max_bytes, .on_done = on_spoken };
    voice_speak_start(&job->speak);
}

void sender_voice_cancel(struct sender_job *job)
{
    voice_speak_cancel(&job->speak);
    sender_http_cancel(job);
}
