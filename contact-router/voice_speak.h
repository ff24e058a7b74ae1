/* SPDX-License-Identifier: MIT */
/* A line of a call becomes sound: what voice_text.h says of a delivery, by speech.h; and if that would last too long,
 * only that there is a message. Loop: the router's. */
#ifndef CAUSEWAY_CONTACT_ROUTER_VOICE_SPEAK_H
#define CAUSEWAY_CONTACT_ROUTER_VOICE_SPEAK_H

#include "contact-router/router_internal.h"
#include "contact-router/voice_text.h"

/* What is to be said: filled by the caller and borrowed until on_done or voice_speak_cancel. */
struct voice_speak {
    struct contact_router *r;
    const struct outbox_row *row;
    const char *lang;
    bool full_text;
    enum voice_line line;
    size_t max_bytes;          /* a longer sound is not made; 0: as long as there may be one */
    bool mulaw;                /* the provider gets it in half the bytes (wav_to_mulaw) */
    /* Exactly once, later, unless cancelled. `wav` is borrowed for the call. */
    void (*on_done)(struct voice_speak *s, struct span wav, const struct error *e);
    /* voice_speak's */
    struct bytes text;         /* what is said: readable in on_done */
    bool brief;
    struct speech_call *call;
};

void voice_speak_start(struct voice_speak *s);
void voice_speak_cancel(struct voice_speak *s); /* also after on_done: frees what is left */

/* Inside a transaction: a delivery with what its device says about speech. row->d.ref NULL: there is none. */
MUST_USE bool voice_speak_load(struct store_tx *tx, const char *ref, struct arena *a, struct outbox_row *row,
                               const char **lang, bool *full_text, struct error *e);

#endif
