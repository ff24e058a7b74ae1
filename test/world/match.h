/* SPDX-License-Identifier: MIT */
/* Does a stanza look as expected? The expected one says what must be there; more may be. Attribute
 * values: "*" anything that is there (also within a text: match_text); "{name}" the value of that variable, or, while it has none, what
 * stands there becomes its value. An element with match='absent' must not be there. */
#ifndef CAUSEWAY_TEST_MATCH_H
#define CAUSEWAY_TEST_MATCH_H

#include <stdbool.h>

#include "gateway/base/map.h"
#include "gateway/xmpp/stanza.h"

enum { MATCH_VARIABLES_MAX = 32 };

struct match_variables {
    struct {
        char name[32], value[512];
    } list[MATCH_VARIABLES_MAX];
    unsigned count;
};

/* NULL: it matches; else what is missing, in words (static buffer). New variables are set only when
 * it matches. */
const char *match_stanza(const struct stanza *expected, const struct stanza *got, struct match_variables *v);
/* The whole text: '*' is any run of characters, a blank any run of blanks, "{name}" a variable (unset: a
 * word of letters and digits becomes its value). New variables are set only when it matches. */
bool match_text(const char *pattern, const char *text, struct match_variables *v);
/* A stanza written without its namespace; NULL: it is not one. */
struct stanza *match_parse(const char *xml);
/* `text` with each {name} replaced; freed with mem_free. */
char *match_fill(const char *text, const struct match_variables *v);

#endif
