/* SPDX-License-Identifier: MIT */
/* The log: one line a happening, to standard error. A context says on whose behalf (stream id, JID,
 * community), so that a call needs only its own news. Never a body, a password or a token. */
#ifndef CAUSEWAY_BASE_LOG_H
#define CAUSEWAY_BASE_LOG_H

#include <stdbool.h>

#include "gateway/base/check.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_ctx {
    char text[120]; /* shown in brackets before the news; empty shows nothing */
};

/* Sets what the context shows. `ctx` may be shown by other threads only after this returned. */
void log_ctx_set(struct log_ctx *ctx, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Any thread. `ctx` may be NULL. Control characters of peers are shown as \xNN. */
void log_line(enum log_level level, const struct log_ctx *ctx, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

bool log_on(enum log_level level); /* is this level shown? */
void log_set_level(enum log_level level);
/* false: no such name (error, warn, info, debug). */
bool log_level_parse(const char *name, enum log_level *out);
/* For tests: every line also goes to `sink`; NULL ends it. */
void log_set_sink(void (*sink)(void *user, enum log_level level, const char *line), void *user);

#define log_error(ctx, ...) log_line(LOG_ERROR, (ctx), __VA_ARGS__)
#define log_warn(ctx, ...) log_line(LOG_WARN, (ctx), __VA_ARGS__)
#define log_info(ctx, ...) log_line(LOG_INFO, (ctx), __VA_ARGS__)
#define log_debug(ctx, ...)                                                                        \
    do {                                                                                           \
        if (log_on(LOG_DEBUG))                                                                     \
            log_line(LOG_DEBUG, (ctx), __VA_ARGS__);                                               \
    } while (0)

#endif
