/* SPDX-License-Identifier: MIT */
/* The same delivery gives the same text each time, so the second to ask finds it spoken (speech.h keeps it). */
#include "contact-router/voice_speak.h"

#include "contact-router/device_store.h"
#include "contact-router/speech.h"
#include "contact-router/wav.h"
#include "gateway/base/text.h"

static void say(struct voice_speak *s);

static void on_said(void *user, struct span wav, const struct error *e)
{
    struct voice_speak *s = user;
    struct error too_big = ERROR_INIT;
    s->call = NULL;
    s->r->jobs--;
    size_t bytes = s->mulaw ? wav_mulaw_bytes(wav) : wav.len;
    if (e->code == ERROR_NONE && s->max_bytes && bytes > s->max_bytes) {
        (void)error_set(&too_big, ERROR_LIMIT, "the sound has %zu bytes, and the provider takes %zu", bytes,
                        s->max_bytes);
        e = &too_big;
    }
    if (e->code == ERROR_LIMIT && !s->brief && s->line == VOICE_MESSAGE && s->row->purpose == OUTBOX_PURPOSE_MESSAGE) {
        s->brief = true;
        say(s);
        return;
    }
    s->on_done(s, e->code == ERROR_NONE ? wav : (struct span){ 0 }, e);
}

static void say(struct voice_speak *s)
{
    struct voice_text t = {
        .row = s->row, .lang = s->lang, .full_text = s->full_text, .brief = s->brief, .line = s->line};
    bytes_clear(&s->text);
    voice_text_say(&t, &s->text);
    s->r->jobs++;
    s->call = speech_say(s->r->speech, s->lang, bytes_text(&s->text), on_said, s);
}

void voice_speak_start(struct voice_speak *s)
{
    s->text = BYTES_EMPTY;
    s->brief = false;
    say(s);
}

void voice_speak_cancel(struct voice_speak *s)
{
    if (s->call) {
        speech_cancel(s->call);
        s->r->jobs--;
    }
    s->call = NULL;
    bytes_fini(&s->text);
}

bool voice_speak_load(struct store_tx *tx, const char *ref, struct arena *a, struct outbox_row *row, const char **lang,
                      bool *full_text, struct error *e)
{
    struct device_list devices;
    *lang = "";
    *full_text = false;
    if (!outbox_store_get(tx, ref, a, row, e))
        return false;
    if (!row->d.ref || row->kind != DEVICE_VOICE) {
        row->d.ref = NULL;
        return true;
    }
    if (!device_store_list(tx, row->account, a, &devices, e))
        return false;
    const struct device *d = device_list_find(&devices, row->n, row->address);
    if (d) {
        *lang = d->lang;
        *full_text = d->full_text;
    }
    return true;
}
