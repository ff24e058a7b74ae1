/* SPDX-License-Identifier: MIT */
/* The stream's own state, for stream.c and stream_carried.c. */
#ifndef CAUSEWAY_NET_STREAM_INTERNAL_H
#define CAUSEWAY_NET_STREAM_INTERNAL_H

#include "gateway/net/frames.h"
#include "gateway/net/stream.h"
#include "gateway/net/timer.h"

/* clang-format off */
#define STREAM_STATES(S) /* name      may be followed by                                      */   \
    S(OPENING,     TO(OPEN) | TO(SECURING) | TO(PEER_CLOSED) | TO(CLOSING) | TO(ENDING)) /* peer's header awaited */ \
    S(SECURING,    TO(OPENING) | TO(ENDING))  /* TLS handshake; nothing can be said */             \
    S(OPEN,        TO(OPENING) | TO(SECURING) | TO(PEER_CLOSED) | TO(CLOSING) | TO(ENDING))        \
    S(PEER_CLOSED, TO(ENDING)) /* it said </stream:stream>; ours follows at the turn's end */      \
    S(CLOSING,     TO(ENDING)) /* we said </stream:stream>; the peer's is awaited */               \
    S(ENDING,      0)          /* the wire closes; only on_end remains */
/* clang-format on */

enum stream_state {
#define STREAM_STATE_ENUM(name, next) STATE_##name,
    STREAM_STATES(STREAM_STATE_ENUM)
#undef STREAM_STATE_ENUM
};

struct stream {
    struct wire *wire;                 /* NULL: it is carried */
    struct stream_carrier *carrier;    /* NULL: it has a wire */
    const struct stream_policy *policy;
    void *user;
    struct xml_reader *reader;
    struct frames *frames; /* of a WebSocket; NULL: there is none */
    struct frames_event left; /* MORE, or how the peer ended the frames, for when all before is handled */
    const struct stream_header *header; /* the peer's, inside on_header; else NULL */
    uint64_t header_timeout_ms;
    struct timer timer; /* OPENING, SECURING: the header's; OPEN: the unfinished element's;
                         * CLOSING: the peer's last word */
    struct turn_hook hook;
    enum stream_state state;
    bool paused;
    bool header_sent; /* since the last restart */
    bool orderly;
    enum stream_error sent, received;
    char *end_text; /* who ended it and why; the first cause stays. NULL: nobody yet */
    char *lang;     /* default language of the peer's stanzas; NULL: none */
    struct log_ctx log;
};

/* Without what carries it, and not yet awaiting its header. */
struct stream *stream_create(struct loop *l, const struct stream_policy *p, void *user, struct xml_limits limits,
                             uint64_t header_timeout_ms, const char *peer_text);
void stream_await_header(struct stream *s);
void stream_pump(struct stream *s);    /* events that the reader has */
void stream_drained(struct stream *s); /* all that was written has left */
/* What carried it has gone: on_end, and frees it. `text`: why, unless that is known. */
void stream_ended(struct stream *s, enum wire_end how, const char *text);

#endif
