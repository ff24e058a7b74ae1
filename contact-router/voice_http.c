/* SPDX-License-Identifier: MIT */
/* A document is answered when its sound is there; where the gateway cannot speak, the profile's say.* documents let the
 * provider do it. A sound is made anew from the delivery when it is not kept any more: a restart loses none. */
#include "contact-router/voice_http.h"

#include <string.h>

#include "contact-router/capability.h"
#include "contact-router/returns_voice.h"
#include "contact-router/sms_text.h"
#include "contact-router/speech_text.h"
#include "contact-router/voice_speak.h"
#include "contact-router/wav.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

enum { QUARTER_S = 15 * 60, DOCUMENT_LIFE_S = 4 * 86400 };

/* -- addresses -- */

static void audio_over(const char *ref, const char *line, const char *expires, struct bytes *out)
{
    bytes_printf(out, "audio/%s/%s/%s", ref, line, expires);
}

void voice_http_audio_url(const struct contact_router *r, const char *ref, const char *line, struct bytes *out)
{
    /* The same within a quarter of an hour, because providers keep by address; good for 15 to 30 minutes. */
    long long now_s = contact_router_now_us(r) / 1000000, until = (now_s / QUARTER_S + 2) * QUARTER_S;
    struct bytes expires = BYTES_EMPTY, over = BYTES_EMPTY;
    bytes_printf(&expires, "%lld", until);
    audio_over(ref, line, expires.data, &over);
    bytes_printf(out, "%s/%s/", r->public_url, over.data);
    capability_append(r->hook_key, over.data, out);
    bytes_append_text(out, ".wav");
    bytes_fini(&expires);
    bytes_fini(&over);
}

/* -- documents -- */

struct document_names {
    struct template_names base;
    const struct voice_document *d;
    const struct contact_router *r;
};

static bool name_value(const struct template_names *base, const char *name, struct bytes *out)
{
    const struct document_names *n = container_of(base, struct document_names, base);
    const struct voice_document *d = n->d;
    if (text_eq(name, "audio_url"))
        voice_http_audio_url(n->r, d->ref, voice_turn_word(d->line), out);
    else if (text_eq(name, "hook.voice"))
        returns_http_url(n->r, d->provider->name, "voice", d->ref, d->created_us / 1000000 + DOCUMENT_LIFE_S, out);
    else if (text_eq(name, "text"))
        bytes_append(out, d->text.data, d->text.len);
    else if (text_eq(name, "lang"))
        bytes_append_text(out, speech_text_tag(d->lang));
    else
        return false;
    return true;
}

bool voice_http_document(const struct contact_router *r, const struct voice_document *d, struct bytes *out,
                         struct error *e)
{
    const struct profile_voice *v = &d->provider->profile->voice;
    const struct template *t = d->spoken ? (d->ask ? &v->ask : &v->end) : (d->ask ? &v->say_ask : &v->say_end);
    struct voice_document cut = *d;
    struct document_names n = { { name_value }, &cut, r };
    cut.text.len = sms_text_graphemes(d->text.data, d->text.len, v->say_max ? v->say_max : 600);
    return template_render(t, v->style == PROFILE_VOICE_JSON ? TEMPLATE_JSON : TEMPLATE_XML, &n.base, out, e);
}

struct documenting {
    struct voice_speak speak;
    struct contact_router *r;
    struct http_exchange *x;
    struct arena arena;
    const struct provider *provider;
    const struct profile_hook *hook;
    const char *ref;
    struct outbox_row row; /* a copy; its texts live in the arena */
    struct voice_turn turn;
};

static void end(struct documenting *d)
{
    voice_speak_cancel(&d->speak);
    d->r->jobs--;
    arena_fini(&d->arena);
    mem_free(d);
}

static void answer_with(struct documenting *d, bool spoken)
{
    struct voice_document what = {.provider = d->provider,
                                  .ref = d->ref,
                                  .created_us = d->row.d.created_us,
                                  .lang = d->speak.lang,
                                  .text = bytes_span(&d->speak.text),
                                  .line = d->turn.line,
                                  .ask = d->turn.ask,
                                  .spoken = spoken};
    struct bytes document = BYTES_EMPTY;
    struct error e = ERROR_INIT;
    if (voice_http_document(d->r, &what, &document, &e)) {
        http_answer(d->x, (int)d->hook->reply_status, d->hook->reply_type, bytes_span(&document));
    } else {
        log_error(NULL, "provider %s: the document of a call: %s", d->provider->name, e.text);
        http_answer(d->x, 500, "text/plain", SPAN("no document\n"));
    }
    bytes_fini(&document);
    end(d);
}

static void on_spoken(struct voice_speak *s, struct span wav, const struct error *e)
{
    struct documenting *d = container_of(s, struct documenting, speak);
    const struct profile_voice *v = &d->provider->profile->voice;
    const struct template *say = d->turn.ask ? &v->say_ask : &v->say_end;
    (void)wav; /* it is kept, and will be fetched */
    if (e->code == ERROR_NONE) {
        answer_with(d, true);
    } else if (say->count && e->code != ERROR_CANCELLED) {
        answer_with(d, false);
    } else {
        log_warn(NULL, "provider %s: a call has nothing to say: %s", d->provider->name, e->text);
        http_answer(d->x, 503, "text/plain", SPAN("try again\n"));
        end(d);
    }
}

static void on_turn(void *user, const struct returns_voice_turn *t)
{
    struct documenting *d = user;
    if (!t->row || !d->r->running) {
        http_answer(d->x, t->row ? 503 : 404, "text/plain", SPAN("not found\n"));
        end(d);
        return;
    }
    d->turn = t->turn;
    d->row = *t->row;
    const char **texts[] = {&d->row.account,     &d->row.address, &d->row.community, &d->row.peer,
                            &d->row.peer_domain, &d->row.code,    &d->row.provider,  &d->row.text,
                            &d->row.provider_id, &d->row.reason,  &d->row.d.ref};
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_dup(&d->arena, *texts[i]);
    d->speak = (struct voice_speak){.r = d->r,
                                    .row = &d->row,
                                    .lang = arena_dup(&d->arena, t->lang),
                                    .full_text = t->full_text,
                                    .line = t->turn.line,
                                    .max_bytes = d->provider->profile->voice.audio_max_bytes,
                                    .mulaw = d->provider->profile->voice.coding == PROFILE_VOICE_PCMU,
                                    .on_done = on_spoken};
    voice_speak_start(&d->speak);
}

void voice_http_turn(struct contact_router *r, struct router_provider *provider, const char *ref,
                     const struct hook_event *event, struct http_exchange *x)
{
    struct documenting *d = mem_new(struct documenting);
    arena_init(&d->arena);
    d->r = r;
    d->x = x;
    d->provider = provider->provider;
    d->hook = event->hook;
    d->ref = arena_dup(&d->arena, ref);
    r->jobs++;
    returns_voice(r, provider, ref, event, on_turn, d);
}

/* -- sounds -- */

struct sounding {
    struct store_job job;
    struct voice_speak speak;
    struct contact_router *r;
    struct http_exchange *x;
    struct arena arena;
    const char *ref;
    struct outbox_row row;
    enum voice_line line;
};

static void sound_end(struct sounding *s, int status, struct span wav)
{
    struct bytes mulaw = BYTES_EMPTY;
    if (status == 200 && s->speak.mulaw)
        wav_to_mulaw(wav, &mulaw);
    http_answer(s->x, status, status == 200 ? "audio/wav" : "text/plain",
                status != 200 ? SPAN("not found\n") : s->speak.mulaw ? bytes_span(&mulaw) : wav);
    bytes_fini(&mulaw);
    voice_speak_cancel(&s->speak);
    s->r->jobs--;
    arena_fini(&s->arena);
    mem_free(s);
}

static void on_sound(struct voice_speak *v, struct span wav, const struct error *e)
{
    struct sounding *s = container_of(v, struct sounding, speak);
    sound_end(s, e->code == ERROR_NONE ? 200 : 503, wav);
}

static bool sound_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct sounding *s = container_of(job, struct sounding, job);
    return voice_speak_load(tx, s->ref, &s->arena, &s->row, &s->speak.lang, &s->speak.full_text, e);
}

static void sound_done(struct store_job *job, const struct error *e)
{
    struct sounding *s = container_of(job, struct sounding, job);
    struct router_provider *p =
        e->code == ERROR_NONE && s->row.d.ref ? contact_router_provider_named(s->r, s->row.provider) : NULL;
    if (!p || !s->r->running) {
        sound_end(s, e->code == ERROR_NONE ? 404 : 503, (struct span){ 0 });
        return;
    }
    s->speak.r = s->r;
    s->speak.row = &s->row;
    s->speak.line = s->line;
    s->speak.mulaw = p->provider->profile->voice.coding == PROFILE_VOICE_PCMU;
    s->speak.max_bytes = p->provider->profile->voice.audio_max_bytes;
    s->speak.on_done = on_sound;
    voice_speak_start(&s->speak);
}

/* ".wav" is taken off the last segment. */
static bool address_is_ours(const struct contact_router *r, struct capability_path *p, enum voice_line *line)
{
    uint64_t expires;
    struct bytes over = BYTES_EMPTY;
    char *dot = p->count == 5 ? strchr(p->v[4], '.') : NULL;
    if (!dot || !text_eq(dot, ".wav") || !text_eq(p->v[0], "audio"))
        return false;
    *dot = 0;
    audio_over(p->v[1], p->v[2], p->v[3], &over);
    bool ours = capability_fits(r->hook_key, bytes_text(&over), p->v[4]) && text_to_u64(p->v[3], &expires) &&
                (int64_t)expires >= contact_router_now_us(r) / 1000000 && voice_turn_parse(p->v[2], line);
    bytes_fini(&over);
    return ours;
}

void voice_http_audio(struct contact_router *r, struct http_exchange *x, const struct http_incoming *in)
{
    struct capability_path p;
    enum voice_line line;
    bool get = text_eq(in->method, "GET") || text_eq(in->method, "HEAD");
    /* What is wrong with it is nobody's business, and no log's. */
    if (!r->running || !get || !capability_split(in->target, &p) || !address_is_ours(r, &p, &line)) {
        http_answer(x, r->running ? 404 : 503, "text/plain", SPAN("not found\n"));
        return;
    }
    struct sounding *s = mem_new(struct sounding);
    arena_init(&s->arena);
    s->r = r;
    s->x = x;
    s->ref = arena_dup(&s->arena, p.v[1]);
    s->line = line;
    s->job = (struct store_job){ .reply_on = r->loop, .run = sound_run, .done = sound_done };
    s->job.must_see = store_ticket(r->store);
    r->jobs++;
    store_read(r->store, &s->job);
}
