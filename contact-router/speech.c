/* SPDX-License-Identifier: MIT */
/* Utterances: waiting, speaking, or kept. Each has the calls that want it; the newest used stands first in
 * the list, the oldest kept ones go when there is too much. Resampling goes along with the child's output,
 * so that no turn of the loop lasts long: a piece of 32 KiB, 0.7 s of speech, at a time. */
#include "contact-router/speech.h"

#include <samplerate.h>
#include <string.h>
#include <unistd.h>

#include "contact-router/limited_child.h"
#include "contact-router/speech_text.h"
#include "contact-router/wav.h"
#include "gateway/base/log.h"
#include "gateway/base/map.h"
#include "gateway/base/mem.h"

enum { MEMORY_MB = 256, RUNNING_MAX = 2, WAITING_MAX = 64, CACHE_BYTES = 16 << 20, PIECE = 4096, OUT_MAX = 8192 };

enum utterance_state { WAITING, SPEAKING, KEPT };

struct utterance {
    struct list node;      /* in s->all, newest use first */
    struct speech *s;
    enum utterance_state state;
    char *key;             /* language, blank, text */
    const char *lang, *text; /* text: inside key */
    struct list calls;
    struct bytes wav;      /* ours, with its head */
    /* while SPEAKING */
    struct limited_child *child;
    struct bytes head;     /* of what the child says, until it is whole; then odd bytes */
    bool head_done;
    SRC_STATE *resampler;
    double ratio;
    struct error error;    /* why it is being given up */
};

struct speech_call {
    struct list node;      /* in its utterance's calls; unlinked: `answer` is under way */
    struct utterance *u;   /* NULL: refused */
    struct speech *s;
    struct command answer;
    struct list answering; /* in s->answering, while `answer` is under way */
    struct bytes wav;      /* a copy for the answer: the utterance may go meanwhile */
    struct error error;
    void (*on_done)(void *user, struct span wav, const struct error *e);
    void *user;
};

struct speech {
    struct speech_options o;
    struct map utterances;
    struct list all, answering;
    unsigned running, waiting;
    size_t kept_bytes;
    struct speech_figures figures;
};

static void start_more(struct speech *s);

/* -- utterances -- */

static void utterance_free(struct utterance *u)
{
    struct speech *s = u->s;
    if (u->child)
        limited_child_kill(u->child);
    if (u->state == KEPT)
        s->kept_bytes -= u->wav.len;
    else if (u->state == SPEAKING)
        s->running--;
    else
        s->waiting--;
    if (u->resampler)
        src_delete(u->resampler);
    map_remove(&s->utterances, u->key);
    list_remove(&u->node);
    bytes_fini(&u->head);
    bytes_fini(&u->wav);
    mem_free(u->key);
    mem_free(u);
}

static void forget_old(struct speech *s)
{
    for (struct list *at = s->all.prev, *before = at->prev; at != &s->all && s->kept_bytes > s->o.cache_bytes;
         at = before, before = at->prev) {
        struct utterance *u = list_entry(at, struct utterance, node);
        if (u->state == KEPT)
            utterance_free(u);
    }
}

/* -- answers: always later -- */

static void run_answer(struct command *cmd)
{
    struct speech_call *c = container_of(cmd, struct speech_call, answer);
    list_remove(&c->answering);
    if (c->on_done)
        c->on_done(c->user, bytes_span(&c->wav), &c->error);
    bytes_fini(&c->wav);
    mem_free(c);
}

static void answer(struct speech_call *c, struct span wav, const struct error *e)
{
    list_remove(&c->node);
    c->u = NULL;
    c->error = *e;
    if (e->code == ERROR_NONE)
        bytes_append(&c->wav, wav.data, wav.len);
    c->answer.run = run_answer;
    list_append(&c->s->answering, &c->answering);
    loop_post(c->s->o.loop, &c->answer);
}

static void answer_all(struct utterance *u, const struct error *e)
{
    list_each(it, &u->calls)
        answer(list_entry(it, struct speech_call, node), bytes_span(&u->wav), e);
}

static void give_up(struct utterance *u, const struct error *e)
{
    struct speech *s = u->s;
    s->figures.failed++;
    log_warn(NULL, "speech: %s", e->text); /* never what was to be said */
    answer_all(u, e);
    utterance_free(u);
    start_more(s);
}

/* -- samples -- */

static bool too_long(struct utterance *u)
{
    if (u->wav.len <= (size_t)SPEECH_RATE * 2 * SPEECH_SECONDS_MAX)
        return false;
    error_set(&u->error, ERROR_LIMIT, "it would last longer than %d s", SPEECH_SECONDS_MAX);
    return true;
}

static void append_samples(struct utterance *u, const float *samples, long count)
{
    short pcm[OUT_MAX];
    src_float_to_short_array(samples, pcm, (int)count);
    for (long i = 0; i < count; i++) { /* little endian, whatever this machine is */
        unsigned v = (unsigned)(unsigned short)pcm[i];
        pcm[i] = 0;
        unsigned char *b = (unsigned char *)&pcm[i];
        b[0] = (unsigned char)(v & 0xff);
        b[1] = (unsigned char)(v >> 8);
    }
    bytes_append(&u->wav, pcm, (size_t)count * 2);
}

static void resample(struct utterance *u, const float *in, long count, bool end)
{
    float out[OUT_MAX];
    SRC_DATA d = {.data_in = in,
                  .input_frames = count,
                  .data_out = out,
                  .output_frames = OUT_MAX,
                  .src_ratio = u->ratio,
                  .end_of_input = end};
    do {
        int rc = src_process(u->resampler, &d);
        CHECK(rc == 0);
        append_samples(u, out, d.output_frames_gen);
        d.data_in += d.input_frames_used;
        d.input_frames -= d.input_frames_used;
    } while (d.input_frames > 0 || (end && d.output_frames_gen > 0));
}

/* What stands in u->head, but an odd byte at its end. */
static void take_samples(struct utterance *u)
{
    float piece[PIECE];
    const unsigned char *at = (const unsigned char *)u->head.data;
    size_t pairs = u->head.len / 2;
    for (size_t done = 0; done < pairs;) {
        size_t n = pairs - done < PIECE ? pairs - done : PIECE;
        for (size_t i = 0; i < n; i++, at += 2)
            piece[i] = (float)(short)(at[0] | at[1] << 8) / 32768.0f;
        resample(u, piece, (long)n, false);
        done += n;
    }
    bytes_drop(&u->head, pairs * 2);
}

static bool take_head(struct utterance *u)
{
    struct wav_head h;
    switch (wav_read_head(bytes_span(&u->head), &h)) {
    case WAV_MORE:
        return true;
    case WAV_WRONG:
        return error_set(&u->error, ERROR_TEMPORARY, "what %s says is not a WAV of 16 bits in one channel",
                         u->s->o.program);
    case WAV_READY:
        break;
    }
    int rc;
    u->resampler = src_new(SRC_SINC_FASTEST, 1, &rc);
    CHECK(u->resampler);
    u->ratio = (double)SPEECH_RATE / h.rate;
    u->head_done = true;
    bytes_drop(&u->head, h.data_at);
    wav_write_head(&u->wav, SPEECH_RATE, 0);
    return true;
}

static void on_output(void *user, struct span data)
{
    struct utterance *u = user;
    bytes_append(&u->head, data.data, data.len);
    if (!u->head_done && !take_head(u)) {
        give_up(u, &u->error);
        return;
    }
    if (u->head_done)
        take_samples(u);
    if (too_long(u))
        give_up(u, &u->error);
}

static void finish_wav(struct utterance *u)
{
    struct bytes head = BYTES_EMPTY;
    resample(u, NULL, 0, true);
    wav_write_head(&head, SPEECH_RATE, (uint32_t)(u->wav.len - WAV_OUR_HEAD));
    memcpy(u->wav.data, head.data, head.len);
    bytes_fini(&head);
    src_delete(u->resampler);
    u->resampler = NULL;
    bytes_fini(&u->head);
}

static void on_end(void *user, const struct error *e, uint64_t cpu_us)
{
    struct utterance *u = user;
    struct speech *s = u->s;
    u->child = NULL;
    s->figures.cpu_us += cpu_us;
    u->error = *e;
    if (e->code == ERROR_NONE && !u->head_done)
        error_set(&u->error, ERROR_TEMPORARY, "%s said nothing", s->o.program);
    if (u->error.code != ERROR_NONE) {
        give_up(u, &u->error);
        return;
    }
    finish_wav(u);
    u->state = KEPT;
    s->running--;
    s->kept_bytes += u->wav.len;
    s->figures.spoken++;
    answer_all(u, &u->error);
    forget_old(s);
    start_more(s);
}

/* -- starting -- */

static bool start(struct utterance *u)
{
    struct speech *s = u->s;
    const char *argv[] = {s->o.program, "--stdin", "--stdout", "-s", "150", "-v", speech_text_voice(u->lang), NULL};
    struct limited_child_options o = {.loop = s->o.loop, .argv = argv, .memory_mb = MEMORY_MB,
                                      .input = span_of(u->text),
                                      .on_output = on_output, .on_end = on_end, .user = u};
    u->child = limited_child_start(&o, &u->error);
    if (!u->child)
        return false;
    u->state = SPEAKING;
    s->waiting--;
    s->running++;
    return true;
}

static void start_more(struct speech *s)
{
    /* The oldest wish stands last. */
    for (struct list *at = s->all.prev; at != &s->all && s->running < s->o.running_max;) {
        struct utterance *u = list_entry(at, struct utterance, node);
        at = at->prev;
        if (u->state != WAITING || start(u))
            continue;
        give_up(u, &u->error); /* starts more by itself */
        return;
    }
}

static struct utterance *utterance_new(struct speech *s, char *key, const char *lang)
{
    struct utterance *u = mem_new(struct utterance);
    u->s = s;
    u->key = key;
    u->lang = lang;
    u->text = strchr(key, ' ') + 1;
    u->state = WAITING;
    list_init(&u->calls);
    list_prepend(&s->all, &u->node);
    map_put(&s->utterances, u->key, u);
    s->waiting++;
    return u;
}

static struct speech_call *refuse(struct speech_call *c, enum error_code code, const char *why)
{
    struct error e = ERROR_INIT;
    (void)error_set(&e, code, "%s", why);
    answer(c, (struct span){ 0 }, &e);
    return c;
}

struct speech_call *speech_say(struct speech *s, const char *lang, const char *text,
                               void (*on_done)(void *user, struct span wav, const struct error *e), void *user)
{
    loop_check(s->o.loop);
    struct speech_call *c = mem_new(struct speech_call);
    *c = (struct speech_call){ .s = s, .on_done = on_done, .user = user };
    if (!speech_text_may_pass(text))
        return refuse(c, ERROR_INVALID, "not a text that can be spoken (empty, too long, or with controls in it)");
    struct bytes key = BYTES_EMPTY;
    bytes_printf(&key, "%s %s", speech_text_lang(lang), text);
    struct utterance *u = map_get(&s->utterances, key.data);
    if (u) {
        bytes_fini(&key);
        s->figures.reused++;
        if (u->state == KEPT) { /* what waits keeps its place */
            list_remove(&u->node);
            list_prepend(&s->all, &u->node);
        }
    } else if (s->waiting >= s->o.waiting_max) {
        bytes_fini(&key);
        return refuse(c, ERROR_TEMPORARY, "too much is to be spoken just now");
    } else {
        u = utterance_new(s, bytes_take(&key), speech_text_lang(lang));
    }
    c->u = u;
    list_append(&u->calls, &c->node);
    if (u->state == KEPT) {
        struct error none = ERROR_INIT;
        answer(c, bytes_span(&u->wav), &none);
    } else if (u->state == WAITING) {
        start_more(s);
    }
    return c;
}

void speech_cancel(struct speech_call *c)
{
    struct utterance *u = c->u;
    if (!u) { /* its answer is under way and will say nothing */
        c->on_done = NULL;
        return;
    }
    list_remove(&c->node);
    mem_free(c);
    if (u->state == WAITING && list_is_empty(&u->calls))
        utterance_free(u);
}

/* -- life -- */

struct speech *speech_create(const struct speech_options *o)
{
    struct speech *s = mem_new(struct speech);
    s->o = *o;
    s->o.program = mem_dup(o->program ? o->program : "/usr/bin/espeak-ng");
    s->o.running_max = o->running_max ? o->running_max : RUNNING_MAX;
    s->o.waiting_max = o->waiting_max ? o->waiting_max : WAITING_MAX;
    s->o.cache_bytes = o->cache_bytes ? o->cache_bytes : CACHE_BYTES;
    list_init(&s->all);
    list_init(&s->answering);
    return s;
}

bool speech_can_start(const struct speech *s)
{
    return access(s->o.program, X_OK) == 0;
}

void speech_destroy(struct speech **sp)
{
    struct speech *s = *sp;
    struct error gone = ERROR_INIT;
    if (!s)
        return;
    (void)error_set(&gone, ERROR_CANCELLED, "the gateway stops");
    list_each(it, &s->all) {
        struct utterance *u = list_entry(it, struct utterance, node);
        list_each(at, &u->calls) {
            struct speech_call *c = list_entry(at, struct speech_call, node);
            c->on_done(c->user, (struct span){ 0 }, &gone);
            mem_free(c);
        }
        utterance_free(u);
    }
    /* Commands that were posted still run; they find nothing to tell. */
    list_each(it, &s->answering) {
        struct speech_call *c = list_entry(it, struct speech_call, answering);
        if (c->on_done)
            c->on_done(c->user, (struct span){ 0 }, &gone);
        c->on_done = NULL;
        list_remove(&c->answering);
    }
    map_fini(&s->utterances);
    mem_free((char *)s->o.program);
    mem_free(s);
    *sp = NULL;
}

struct speech_figures speech_figures(const struct speech *s)
{
    struct speech_figures f = s->figures;
    f.kept_bytes = s->kept_bytes;
    return f;
}
