/* SPDX-License-Identifier: MIT */
/* What a provider fetches while a call goes on: documents (what to play, which key to ask for) and sounds. A sound's
 * address says no more than which delivery, which line and until when, proves itself, and stands in no log:
 *     PUBLIC_URL/audio/REF/LINE/EXPIRES/TOKEN.wav
 * Loop: the router's. */
#ifndef CAUSEWAY_CONTACT_ROUTER_VOICE_HTTP_H
#define CAUSEWAY_CONTACT_ROUTER_VOICE_HTTP_H

#include "contact-router/hook.h"
#include "contact-router/router_internal.h"
#include "contact-router/voice_turn.h"

/* Answers a genuine [hook.voice] request for the delivery `ref`; `event` lives for the call. */
void voice_http_turn(struct contact_router *r, struct router_provider *provider, const char *ref,
                     const struct hook_event *event, struct http_exchange *x);
/* GET and HEAD of a target that begins with "/audio/". */
void voice_http_audio(struct contact_router *r, struct http_exchange *x, const struct http_incoming *in);
/* Appends the address of a sound. */
void voice_http_audio_url(const struct contact_router *r, const char *ref, const char *line, struct bytes *out);

/* A document of the profile's [voice]. `spoken`: the sound is there; else the provider speaks `text` itself. */
struct voice_document {
    const struct provider *provider;
    const char *ref, *lang;
    int64_t created_us; /* of the delivery */
    struct span text;
    enum voice_line line;
    bool ask, spoken;
};
MUST_USE bool voice_http_document(const struct contact_router *r, const struct voice_document *d, struct bytes *out,
                                  struct error *e);

#endif
