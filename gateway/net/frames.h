/* SPDX-License-Identifier: MIT */
/* A WebSocket's frames, as a server reads and writes them (RFC 6455 section 5), by libwslay. No I/O: bytes in, events
 * out, and frames appended to a buffer. Text only, no extensions.
 *
 * Between two messages it holds neither libwslay's context nor a buffer. */
#ifndef CAUSEWAY_NET_FRAMES_H
#define CAUSEWAY_NET_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/bytes.h"

struct frames;

enum frames_code { /* RFC 6455 7.4.1; those that we say */
    FRAMES_NORMAL = 1000,
    FRAMES_PROTOCOL_ERROR = 1002,
    FRAMES_UNSUPPORTED_DATA = 1003,
    FRAMES_NOT_UTF8 = 1007,
    FRAMES_POLICY = 1008,
    FRAMES_TOO_BIG = 1009,
};

enum frames_kind {
    FRAMES_MORE,   /* all was taken, nothing is complete */
    FRAMES_TEXT,   /* a whole message: data */
    FRAMES_PING,   /* data; a pong is due */
    FRAMES_CLOSED, /* the peer's Close; code 1005: it gave none. Nothing is read any more */
    FRAMES_BAD,    /* code and text: what was wrong. Nothing is read any more */
};

struct frames_event {
    enum frames_kind kind;
    struct span data; /* borrowed until the next call */
    uint16_t code;
    const char *text; /* static */
};

/* A message may have `max_bytes`. */
struct frames *frames_create(size_t max_bytes);
void frames_destroy(struct frames **f);
void frames_set_max(struct frames *f, size_t max_bytes);
/* Reads of `*in` and takes off it what was read; to be called until MORE, CLOSED or BAD. `now_ms`: any monotonic
 * clock; more than 20 control frames at once and one a second are a flood. */
void frames_next(struct frames *f, struct span *in, uint64_t now_ms, struct frames_event *ev);
/* Something is begun and not complete. */
bool frames_partial(const struct frames *f);

void frames_put_text(struct bytes *out, struct span text);
void frames_put_pong(struct bytes *out, struct span data);
void frames_put_close(struct bytes *out, uint16_t code);

#endif
