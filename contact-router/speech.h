/* SPDX-License-Identifier: MIT */
/* Text becomes sound: WAV, 8 kHz, one channel, PCM of 16 bits, as telephone providers play it. Spoken by a
 * limited child (limited_child.h), a few at a time, and kept for a while, so that who asks again, or asks for
 * the same, costs nothing. Loop: options.loop. */
#ifndef CAUSEWAY_CONTACT_ROUTER_SPEECH_H
#define CAUSEWAY_CONTACT_ROUTER_SPEECH_H

#include "gateway/base/bytes.h"
#include "gateway/base/error.h"
#include "gateway/net/loop.h"

struct speech;
struct speech_call;

enum { SPEECH_RATE = 8000, SPEECH_SECONDS_MAX = 120 };

struct speech_options {
    struct loop *loop;
    const char *program;  /* NULL: /usr/bin/espeak-ng */
    unsigned running_max; /* children at once; 0: 2 */
    unsigned waiting_max; /* calls that wait for one; 0: 64 */
    size_t cache_bytes;   /* what is kept at most; 0: 16 MiB */
};

struct speech *speech_create(const struct speech_options *o);
bool speech_can_start(const struct speech *s); /* the program is there */
/* Children end; calls under way complete with ERROR_CANCELLED first. Not from inside on_done. */
void speech_destroy(struct speech **s);

/* Says `text` (clean: speech_text.h) in `lang`. on_done exactly once, later, unless cancelled; the WAV is borrowed
 * for the call. ERROR_INVALID: not a text that may be spoken; ERROR_LIMIT: it would last too long, or took too
 * much; ERROR_TEMPORARY: too many wait, or the program failed; ERROR_NOT_FOUND: there is no such program;
 * ERROR_TIMEOUT. */
struct speech_call *speech_say(struct speech *s, const char *lang, const char *text,
                               void (*on_done)(void *user, struct span wav, const struct error *e), void *user);
void speech_cancel(struct speech_call *c); /* on_done is not called any more */

struct speech_figures { uint64_t spoken, reused, failed, cpu_us; size_t kept_bytes; };
struct speech_figures speech_figures(const struct speech *s);

#endif
