/* SPDX-License-Identifier: MIT */
/* What is said in a call, in the languages that are spoken here; and what a key says in a conversation. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_VOICE_TEXT_H
#define CAUSEWAY_CONTACT_ROUTER_VOICE_TEXT_H

#include "contact-router/voice_turn.h"

enum { VOICE_TEXT_MAX = 500 }; /* characters of what somebody wrote: some 40 seconds */

struct voice_text {
    const struct outbox_row *row;
    const char *lang;
    bool full_text; /* the device carries the whole text */
    bool brief;     /* but it cannot be spoken: only that there is one */
    enum voice_line line;
};

/* Appends the utterance; it may pass (speech_text.h). */
void voice_text_say(const struct voice_text *t, struct bytes *out);
/* The message that a key stands for: VOICE_HEARD or VOICE_CANNOT. */
const char *voice_text_written(const char *lang, enum voice_line line);

#endif
