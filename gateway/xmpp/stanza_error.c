/* SPDX-License-Identifier: MIT */
/* The list of RFC 6120 8.3.3 as tables. */
#include "gateway/xmpp/stanza_error.h"

#include <stddef.h>

#include "gateway/base/check.h"
#include "gateway/base/text.h"

static const struct {
    const char *name, *type;
} conditions[] = {[STANZA_OK] = {NULL, NULL},
#define STANZA_ERROR_ROW(name, wire, type) [STANZA_##name] = {wire, type},
                  STANZA_ERRORS(STANZA_ERROR_ROW)
#undef STANZA_ERROR_ROW
};

enum { CONDITION_COUNT = sizeof conditions / sizeof *conditions };

const char *stanza_error_name(enum stanza_error e)
{
    CHECK((unsigned)e < CONDITION_COUNT);
    return conditions[e].name;
}

const char *stanza_error_type(enum stanza_error e)
{
    CHECK((unsigned)e < CONDITION_COUNT);
    return conditions[e].type;
}

enum stanza_error stanza_error_parse(const char *wire_name)
{
    for (unsigned i = STANZA_OK + 1; wire_name && i < CONDITION_COUNT; i++)
        if (text_eq(conditions[i].name, wire_name))
            return (enum stanza_error)i;
    return STANZA_UNDEFINED_CONDITION;
}
