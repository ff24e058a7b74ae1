/* SPDX-License-Identifier: MIT */
/* The list of RFC 6120 4.9.3 as a table. */
#include "gateway/xmpp/stream_error.h"

#include <stddef.h>

#include "gateway/base/check.h"
#include "gateway/base/text.h"

static const char *const conditions[] = {[STREAM_OK] = NULL,
#define STREAM_ERROR_ROW(name, wire) [STREAM_##name] = wire,
                                         STREAM_ERRORS(STREAM_ERROR_ROW)
#undef STREAM_ERROR_ROW
};

enum { CONDITION_COUNT = sizeof conditions / sizeof *conditions };

const char *stream_error_name(enum stream_error e)
{
    CHECK((unsigned)e < CONDITION_COUNT);
    return conditions[e];
}

enum stream_error stream_error_parse(const char *wire_name)
{
    for (unsigned i = STREAM_OK + 1; wire_name && i < CONDITION_COUNT; i++)
        if (text_eq(conditions[i], wire_name))
            return (enum stream_error)i;
    return STREAM_UNDEFINED_CONDITION;
}
