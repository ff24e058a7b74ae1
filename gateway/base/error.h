/* SPDX-License-Identifier: MIT */
/* What the world does (disk, network, configuration): a code to branch on, and a text for a person
 * that says what was tried, on what, and what came back. What a peer does is an enum of the
 * protocol instead (gateway/xmpp/stanza_error.h, stream_error.h). */
#ifndef CAUSEWAY_BASE_ERROR_H
#define CAUSEWAY_BASE_ERROR_H

#include <stdbool.h>

#include "gateway/base/check.h"

enum error_code {
    ERROR_NONE,        /* nothing went wrong */
    ERROR_INVALID,     /* what was given cannot be right: configuration, argument, format */
    ERROR_NOT_FOUND,   /* the thing asked for does not exist */
    ERROR_EXISTS,      /* it exists already */
    ERROR_DENIED,      /* policy, permission, egress guard */
    ERROR_TEMPORARY,   /* may work later: network, time-out, resource */
    ERROR_IO,          /* disk or database */
    ERROR_TIMEOUT,     /* no answer in time; the outcome is unknown */
    ERROR_CANCELLED,   /* the caller withdrew */
    ERROR_LIMIT,       /* a bound was reached */
};

struct error {
    enum error_code code;
    char text[256]; /* never empty when code is set */
};

#define ERROR_INIT ((struct error){0})

/* Fills `e` (may be NULL) and returns false, so that `return error_set(...)` reads well. */
bool error_set(struct error *e, enum error_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Puts "what: " in front of the text that is there. Returns false. */
bool error_wrap(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_clear(struct error *e);

#endif
