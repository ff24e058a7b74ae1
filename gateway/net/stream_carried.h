/* SPDX-License-Identifier: MIT */
/* A stream that has no connection of its own, as one over BOSH. */
#ifndef CAUSEWAY_NET_STREAM_CARRIED_H
#define CAUSEWAY_NET_STREAM_CARRIED_H

#include "gateway/net/stream.h"

/* What carries a stream that has no connection of its own: its elements come one by one, already read, and leave as
 * documents of their own. The stream calls it by this table; the carrier calls the stream by stream_carried_*, never
 * from inside a call of the stream's. */
struct stream_carrier {
    const struct stream_carrier_type {
        void (*header)(struct stream_carrier *c, const struct stream_header *ours);
        void (*put)(struct stream_carrier *c, struct span xml); /* one element, copied */
        void (*pause)(struct stream_carrier *c); /* nothing is to be carried in until resume */
        void (*resume)(struct stream_carrier *c);
        size_t (*queued)(const struct stream_carrier *c);
        /* Nothing more leaves. `e`: the error that was put last; STREAM_OK: none. stream_carried_end is due. */
        void (*close)(struct stream_carrier *c, enum stream_error e);
    } *type;
    struct loop *loop;
    const char *peer_text; /* "192.0.2.1"; lives as long as the carrier */
};

/* As stream_open; the carrier must stay until on_end. Receiving, NS_CLIENT, no STARTTLS. */
struct stream *stream_carried_open(struct stream_carrier *c, const struct stream_policy *p, void *user,
                                   struct xml_limits limits, uint64_t header_timeout_ms);

/* For the carrier: what came, in order; the stream handles it at once unless it is paused. Header texts are copied, a
 * stanza's count is taken. */
void stream_carried_header(struct stream *s, const struct stream_header *h);
void stream_carried_stanza(struct stream *s, struct stanza *st);
void stream_carried_close(struct stream *s);
void stream_carried_error(struct stream *s, enum stream_error e, const char *text);
void stream_carried_drained(struct stream *s); /* all that was put has left */
void stream_carried_end(struct stream *s, enum wire_end how, const char *text); /* on_end; `s` is gone */

#endif
