/* SPDX-License-Identifier: MIT */
/* One outgoing stream up to the point where we can prove who we are. Loop: the shard's. */
#ifndef CAUSEWAY_S2S_S2S_OUT_H
#define CAUSEWAY_S2S_S2S_OUT_H

#include "gateway/net/stream.h"
#include "s2s/s2s_proof.h"
#include "s2s/s2s_trail.h"
#include "s2s/s2s_turns.h"

struct s2s_shard;
struct s2s_out;

/* Why an outgoing stream did not come about, as its users must tell it. */
enum s2s_failure {
    S2S_NOT_FOUND, /* the domain does not exist or says that it has no server: permanent */
    S2S_DENIED,    /* our admin does not allow it: permanent */
    S2S_REFUSED,   /* policy of theirs, no TLS or certificate that will do: permanent */
    S2S_TIMEOUT,   /* cannot be reached now */
    S2S_FAULTED,   /* the peer ended the stream for something that it says we did on it */
};

/* What the peer's features offer; all false: an old peer, which sends none. */
struct s2s_features {
    bool dialback;        /* XEP-0220; servers that know nothing else do not always announce it */
    bool dialback_errors; /* ... and it answers with type='error' instead of ending the stream */
    bool external;        /* SASL EXTERNAL: it accepts our certificate */
    bool bidi;            /* XEP-0288 */
    bool queue;           /* urn:causeway:queue:1 */
    uint64_t max_bytes;   /* XEP-0478: of a stanza; 0: it does not say */
};

struct s2s_out_events {
    /* TLS is on (or allowed to be off) and the peer's features have come. Again after s2s_out_restart. */
    void (*on_ready)(void *user);
    void (*on_element)(void *user, struct stanza *st); /* borrowed; stanzas too, but no features */
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
const struct s2s_features *s2s_out_features(const struct s2s_out *o); /* the newest */
const char *s2s_out_stream_id(const struct s2s_out *o);               /* the peer's, of its newest header */
enum s2s_proof s2s_out_proof(const struct s2s_out *o); /* how the peer showed that it is the remote domain */
void s2s_out_restart(struct s2s_out *o); /* SASL has succeeded: a new header, then on_ready again */
/* Could what we sent be why the stream ended so? Then it is S2S_FAULTED. */
enum s2s_failure s2s_out_why_ended(const struct stream_end *end, bool was_ready);
struct s2s_trail *s2s_out_trail(struct s2s_out *o); /* how it went so far; borrowed */
void s2s_out_close(struct s2s_out *o, enum stream_error e, const char *text); /* on_end follows, later */
/* The same for `why` that another attempt would not mend. */
void s2s_out_give_up(struct s2s_out *o, enum s2s_failure why, const char *text);

#endif
