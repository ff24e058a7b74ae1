/* SPDX-License-Identifier: MIT */
/* What a text that comes back means: a word for us, or something for a conversation. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_ANSWER_TEXT_H
#define CAUSEWAY_CONTACT_ROUTER_ANSWER_TEXT_H

#include <stdbool.h>

#include "gateway/base/arena.h"

enum answer_word { ANSWER_NONE, ANSWER_STOP, ANSWER_START, ANSWER_HELP };
enum answer_verb { ANSWER_SAY, ANSWER_ACCEPT, ANSWER_DECLINE, ANSWER_BLOCK };

struct answer_text {
    enum answer_word word;  /* the whole text is one of the carriers' words */
    const char *text;       /* the whole, trimmed */
    const char *code;       /* lower case: it begins like "r7" or "r7:"; NULL: it does not */
    const char *rest;       /* what stands behind the code; "" when there is none */
    enum answer_verb verb;  /* of `rest`, or of the whole when there is no code */
    unsigned number;        /* the whole is 1 to 9; 0: it is not */
};

void answer_text_read(struct arena *a, const char *text, struct answer_text *out);

#endif
