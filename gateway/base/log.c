/* SPDX-License-Identifier: MIT */
/* One write(2) a line, so lines of threads do not mix. Time stamps are UTC. The level and the sink
 * are the one mutable global of the product. */
#include "gateway/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

static atomic_int shown = LOG_INFO;
static void (*sink_fn)(void *, enum log_level, const char *);
static void *sink_user;

static const char *const names[] = {"error", "warn", "info", "debug"};

void log_ctx_set(struct log_ctx *ctx, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(ctx->text, sizeof ctx->text, fmt, ap);
    va_end(ap);
}

bool log_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&shown, memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&shown, (int)level, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

void log_set_sink(void (*sink)(void *, enum log_level, const char *), void *user)
{
    sink_user = user;
    sink_fn = sink;
}

/* Copies `from`, with control characters shown as \xNN, so that no peer can forge a line. */
static size_t clean(char *out, size_t cap, const char *from)
{
    size_t n = 0;
    for (; *from && n + 9 < cap; from++) {
        unsigned char c = (unsigned char)from[0], next = (unsigned char)from[1];
        bool c1 = c == 0xc2 && next >= 0x80 && next <= 0x9f; /* U+009B begins a command to a terminal */
        if (c < 0x20 || c == 0x7f || c1)
            n += (size_t)snprintf(out + n, cap - n, "\\x%02x", c);
        else
            out[n++] = (char)c;
        if (c1)
            n += (size_t)snprintf(out + n, cap - n, "\\x%02x", (unsigned char)*++from);
    }
    out[n] = '\0';
    return n;
}

void log_line(enum log_level level, const struct log_ctx *ctx, const char *fmt, ...)
{
    if (!log_on(level) && !sink_fn)
        return;
    char news[1024], line[1400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(news, sizeof news, fmt, ap);
    va_end(ap);

    struct timespec ts;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    size_t n = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(line + n, sizeof line - n, ".%03ldZ %-5s ", ts.tv_nsec / 1000000,
                          names[level]);
    if (ctx && ctx->text[0]) {
        line[n++] = '[';
        n += clean(line + n, 200, ctx->text);
        line[n++] = ']';
        line[n++] = ' ';
    }
    n += clean(line + n, sizeof line - n - 2, news);
    if (sink_fn)
        sink_fn(sink_user, level, line);
    if (!log_on(level))
        return;
    line[n++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, n);
    (void)written; /* there is nobody left to tell */
}
