/* SPDX-License-Identifier: MIT */
/* What may be given to a speech synthesiser: the languages there are, and texts without anything that it
 * would obey instead of speaking. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_SPEECH_TEXT_H
#define CAUSEWAY_CONTACT_ROUTER_SPEECH_TEXT_H

#include "gateway/base/bytes.h"

enum { SPEECH_TEXT_BYTES_MAX = 4000 }; /* of a whole utterance */

/* "de-CH" finds "de"; what we do not speak, and NULL, give "en". */
const char *speech_text_lang(const char *lang);
/* Is that a language that is spoken here? */
bool speech_text_speaks(const char *lang);
/* The synthesiser's name for one of ours. */
const char *speech_text_voice(const char *lang);
/* The tag with a region (BCP 47) that providers want for their own voices. */
const char *speech_text_tag(const char *lang);

/* Appends `text` (UTF-8) as it can be spoken, at most `max` characters as people see them, cut behind a word: controls,
 * brackets and what is invisible become blanks, ends of lines become pauses, web addresses become `link`.
 * true: it was cut. Nothing is appended when nothing of it can be spoken. */
bool speech_text_clean(struct bytes *out, const char *text, size_t len, size_t max, const char *link);
/* May this go to the synthesiser: UTF-8, not empty, not long, no controls, no brackets? */
bool speech_text_may_pass(const char *text);

#endif
