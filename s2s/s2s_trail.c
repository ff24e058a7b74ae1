/* SPDX-License-Identifier: MIT */
/* Decided here: which steps of a long attempt are kept, and which of its failures counts. */
#include "s2s/s2s_trail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/utf8.h"

enum { FIRST_STEPS = S2S_TRAIL_STEPS / 2 };

struct s2s_trail {
    unsigned refs;
    struct loop *loop;
    int64_t begun_us, well_us, last_well_us;
    struct s2s_trail_step steps[S2S_TRAIL_STEPS];
    unsigned count, skipped;
};

static const char *const step_names[] = {
#define S2S_STEP_NAME(name, word) word,
    S2S_STEPS(S2S_STEP_NAME)
#undef S2S_STEP_NAME
};

const char *s2s_trail_step_name(enum s2s_step s)
{
    return step_names[s];
}

/* ---- one attempt ---- */

static int64_t now_us(const struct s2s_trail *t)
{
    return clock_unix_us(loop_clock(t->loop));
}

struct s2s_trail *s2s_trail_new(struct loop *l)
{
    struct s2s_trail *t = mem_new(struct s2s_trail);
    t->refs = 1;
    t->loop = l;
    t->begun_us = now_us(t);
    return t;
}

struct s2s_trail *s2s_trail_ref(struct s2s_trail *t)
{
    if (t)
        t->refs++;
    return t;
}

void s2s_trail_unref(struct s2s_trail **tp)
{
    struct s2s_trail *t = *tp;
    *tp = NULL;
    if (!t || --t->refs)
        return;
    for (unsigned i = 0; i < t->count; i++)
        mem_free(t->steps[i].text);
    mem_free(t);
}

/* Of an attempt without end its beginning and its end are worth most. */
static struct s2s_trail_step *add_step(struct s2s_trail *t)
{
    if (t->count == S2S_TRAIL_STEPS) {
        mem_free(t->steps[FIRST_STEPS].text);
        memmove(&t->steps[FIRST_STEPS], &t->steps[FIRST_STEPS + 1], (t->count - FIRST_STEPS - 1) * sizeof *t->steps);
        t->count--;
        t->skipped++;
    }
    return &t->steps[t->count++];
}

/* Control characters are a peer's way to write what is not so; half a character is no text. */
static char *cleaned(const char *fmt, va_list ap) PRINTF_LIKE(1, 0);
static char *cleaned(const char *fmt, va_list ap)
{
    char text[S2S_TRAIL_TEXT_MAX + 2];
    vsnprintf(text, sizeof text, fmt, ap);
    size_t len = strlen(text);
    if (len > S2S_TRAIL_TEXT_MAX)
        text[utf8_cut(text, len, S2S_TRAIL_TEXT_MAX)] = '\0';
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = ' ';
    return mem_dup(text);
}

static void add(struct s2s_trail *t, enum s2s_step s, enum s2s_reason why, const char *fmt, va_list ap)
    PRINTF_LIKE(4, 0);
static void add(struct s2s_trail *t, enum s2s_step s, enum s2s_reason why, const char *fmt, va_list ap)
{
    struct s2s_trail_step *st = add_step(t);
    *st = (struct s2s_trail_step){.step = s, .why = why, .at_us = now_us(t), .text = cleaned(fmt, ap)};
}

void s2s_trail_note(struct s2s_trail *t, enum s2s_step s, const char *fmt, ...)
{
    va_list ap;
    if (!t)
        return;
    va_start(ap, fmt);
    add(t, s, S2S_WHY_NONE, fmt, ap);
    va_end(ap);
}

void s2s_trail_fail(struct s2s_trail *t, enum s2s_step s, enum s2s_reason why, const char *fmt, ...)
{
    va_list ap;
    if (!t)
        return;
    va_start(ap, fmt);
    add(t, s, why, fmt, ap);
    va_end(ap);
}

void s2s_trail_well(struct s2s_trail *t, enum s2s_step s, const char *fmt, ...)
{
    va_list ap;
    if (!t)
        return;
    va_start(ap, fmt);
    add(t, s, S2S_WHY_NONE, fmt, ap);
    va_end(ap);
    for (unsigned i = 0; i < t->count; i++)
        t->steps[i].got_over = true;
    if (!t->well_us)
        t->well_us = now_us(t);
}

/* Is that why stanzas do not go? */
static bool counts(const struct s2s_trail_step *s)
{
    return s->why != S2S_WHY_NONE && !s->got_over;
}

/* Does this end say more than what stands there of the newest connection already? */
static bool is_news(const struct s2s_trail *t, enum s2s_reason why)
{
    if (why != S2S_WHY_CUT && why != S2S_WHY_NO_ANSWER && why != S2S_WHY_OUR_ERROR)
        return true;
    for (unsigned i = t->count; i > 0; i--) {
        if (counts(&t->steps[i - 1]))
            return false;
        if (t->steps[i - 1].step == S2S_STEP_TCP)
            return true;
    }
    return true;
}

/* What was under way. */
static enum s2s_step end_step(const struct s2s_trail *t)
{
    if (t->well_us)
        return S2S_STEP_STANZAS;
    enum s2s_step last = t->count ? t->steps[t->count - 1].step : S2S_STEP_STREAM;
    return last == S2S_STEP_CERTIFICATE || last == S2S_STEP_TCP ? S2S_STEP_STREAM : last;
}

void s2s_trail_end(struct s2s_trail *t, enum s2s_reason why, const char *text)
{
    if (!t)
        return;
    enum s2s_step s = end_step(t);
    if (t->well_us)
        t->last_well_us = now_us(t);
    t->well_us = 0;
    s2s_trail_fail(t, s, is_news(t, why) ? why : S2S_WHY_NONE, "ended: %s", text);
}

static const struct s2s_trail_step *fault_of(const struct s2s_trail *t)
{
    if (t->well_us)
        return NULL;
    for (unsigned i = t->count; i > 0; i--)
        if (counts(&t->steps[i - 1]))
            return &t->steps[i - 1];
    return NULL;
}

void s2s_trail_look(const struct s2s_trail *t, struct s2s_trail_look *out)
{
    *out = (struct s2s_trail_look){.steps = t->steps,
                                   .count = t->count,
                                   .skipped = t->skipped,
                                   .begun_us = t->begun_us,
                                   .well_us = t->well_us,
                                   .last_well_us = t->well_us ? now_us(t) : t->last_well_us,
                                   .fault = fault_of(t)};
}
