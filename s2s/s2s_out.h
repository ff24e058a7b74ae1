/* SPDX-License-Identifier: MIT */
/* One outgoing stream up to the point where dialback can begin. Loop: the shard's. */
#ifndef CAUSEWAY_S2S_S2S_OUT_H
#define CAUSEWAY_S2S_S2S_OUT_H

#include "gateway/net/stream.h"
#include "s2s/s2s_trail.h"
#include "s2s/s2s_turns.h"

struct s2s_shard;
struct s2s_out;

/* Why an outgoing stream did not come about, as its users must tell it. */
enum s2s_failure {
    S2S_NOT_FOUND, /* the domain does not exist or says that it has no server: permanent */
    S2S_REFUSED,   /* policy of ours or theirs, no TLS: permanent */
    S2S_TIMEOUT,   /* cannot be reached now */
    S2S_FAULTED,   /* the peer ended the stream for something that it says we did on it */
};

struct s2s_out_events {
    /* TLS is on (or allowed to be off) and the peer's features have come. */
    void (*on_ready)(void *user, const char *stream_id, bool offers_dialback);
    void (*on_element)(void *user, struct stanza *st); /* borrowed; anything but features */
    void (*on_drained)(void *user);
    /* Last callback. `why` matters when on_ready never came. */
    void (*on_end)(void *user, enum s2s_failure why, const char *text);
};

struct s2s_out *s2s_out_open(struct s2s_shard *sh, const char *local, const char *remote, enum s2s_urgency u,
                             const struct s2s_out_events *ev, void *user);
/* Between on_ready and the end: what is given to its stream goes out. Ask before each use: it may have
 * begun to end without any callback yet. */
bool s2s_out_is_ready(const struct s2s_out *o);
struct stream *s2s_out_stream(struct s2s_out *o); /* while it is ready */
bool s2s_out_offers_queue(const struct s2s_out *o); /* of the peer's features: urn:causeway:queue:1 */
struct s2s_trail *s2s_out_trail(struct s2s_out *o); /* how it went so far; borrowed */
void s2s_out_close(struct s2s_out *o, enum stream_error e, const char *text); /* on_end follows, later */

#endif
