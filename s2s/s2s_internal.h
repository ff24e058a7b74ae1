/* SPDX-License-Identifier: MIT */
/* Shared by the files of s2s. A shard is one I/O loop with its pairs, its incoming streams and its
 * resolver; nothing crosses shards but commands. */
#ifndef CAUSEWAY_S2S_S2S_INTERNAL_H
#define CAUSEWAY_S2S_S2S_INTERNAL_H

#include "gateway/base/list.h"
#include "gateway/base/log.h"
#include "gateway/base/map.h"
#include "gateway/net/dns.h"
#include "gateway/net/listener.h"
#include "gateway/net/stream.h"
#include "gateway/net/timer.h"
#include "gateway/store/gate.h"
#include "s2s/s2s.h"

enum {
    S2S_SECRET_LEN = 32,
    S2S_OUT_HIGH_BYTES = 256 * 1024, /* unsent output at which a pair waits; on_drained tells */
};

/* Whose outgoing streams may begin, when more want to than may be under way. */
enum s2s_urgency {
    S2S_QUESTION, /* dialback: a peer waits for the answer */
    S2S_KNOWN,    /* a domain that was well lately */
    S2S_FIRST,    /* one that nothing is known of */
    S2S_AGAIN,    /* one that could not be reached the last time */
    S2S_URGENCIES,
};

struct s2s_shard {
    struct s2s *s2s;
    unsigned index;
    struct loop *loop;
    struct dns *dns;
    struct map pairs;            /* "LOCAL REMOTE" -> struct s2s_pair */
    struct list ins;             /* of struct s2s_in */
    struct list outs;            /* of struct s2s_out */
    struct list waiting[S2S_URGENCIES]; /* of struct s2s_out: not begun yet */
    unsigned next_urgency;       /* whose turn it is */
    unsigned under_way;          /* outs that have begun and are not ready */
    struct listener **listeners; /* one a configured address; NULL: closed */
    struct gate gate;            /* while it is shut, incoming streams that brought something are not read */
    unsigned reads;              /* windows of queues that the store is reading for its pairs */
    unsigned finishing;          /* stopping: pairs whose peer is to say what it has */
    bool stopping;
    bool closing;                /* stopping: no pair of any shard is finishing; streams end */
    bool stopped;                /* the first loop was told */
    struct command stop;         /* on its way from one step of that to the next */
};

struct s2s {
    struct edge_remote edge; /* ops: s2s.c */
    struct s2s_options o;    /* texts copied */
    struct map remotes;      /* domain -> struct s2s_remote */
    struct s2s_shard *shards;
    unsigned shards_finishing; /* stopping: shards with pairs that are; first loop only */
    unsigned shards_left;    /* stopping: shards that still hold streams; first loop only */
    void (*on_stopped)(void *user);
    void *stop_user;
    struct arena arena;
};

/* What the admin says of a domain; never NULL (defaults). */
const struct s2s_remote *s2s_remote_of(const struct s2s *s, const char *domain);
struct s2s_shard *s2s_shard_of(struct s2s *s, const char *local, const char *remote);
/* Tells the pair LOCAL>REMOTE on its own loop: a stanza to send, an answer to its ping (id), that the
 * peer is alive (neither), or to read its queue (wake). */
void s2s_tell_pair(struct s2s *s, const char *local, const char *remote, struct stanza *st,
                   struct queue_id id, const char *answer_id, bool wake);
/* A stream or a read of the shard ended: when it is stopping and holds none, tells the first loop. */
void s2s_shard_check_stopped(struct s2s_shard *sh);
/* A pair of the shard that was finishing has stopped. */
void s2s_shard_finished(struct s2s_shard *sh);

/* ---- s2s_out.c: one outgoing stream up to the point where dialback can begin ---- */

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
void s2s_out_close(struct s2s_out *o, enum stream_error e, const char *text); /* on_end follows, later */

/* ---- s2s_numbering.c: kept messages pass exactly once (urn:causeway:queue:1) ---- */

/* A sending pair's side of it; lies in the pair. */
struct s2s_numbering {
    struct s2s_shard *shard;
    const char *local, *remote, *queue; /* the pair's */
    bool on;                 /* the stream's peer takes numbers */
    struct queue_id settled; /* the newest that was confirmed */
    struct queue_id told;    /* what the peer was told */
    unsigned untold;         /* confirmed since then */
    uint64_t failed_seq;     /* the newest that failed, and may still be in the store; 0: none */
    bool looking;            /* the store is asked whether it is */
};
/* A stream is up and its peer offers it: before the first stanza. */
void s2s_numbering_begin(struct s2s_numbering *n, struct stream *st);
/* The next stanza will be the message of that place. */
void s2s_numbering_send(const struct s2s_numbering *n, struct stream *st, struct queue_id id);
/* With a ping: says what is settled, if that is much. */
void s2s_numbering_tell(struct s2s_numbering *n, struct stream *st);
/* All up to `id` has left the queue, confirmed, or failed as told here. */
void s2s_numbering_confirmed(struct s2s_numbering *n, struct queue_id id);
void s2s_numbering_failed(struct s2s_numbering *n, struct queue_id id);

struct s2s_settled {
    const char *from, *to; /* domains, prepared */
    uint64_t epoch;
    struct queue_id id;
};
/* false: not as it must be. */
MUST_USE bool s2s_numbering_read_settled(const struct stanza *st, struct arena *a, struct s2s_settled *out);
MUST_USE bool s2s_numbering_read_next(const struct stanza *st, struct queue_id *out);

/* ---- s2s_pair.c: everything that leaves LOCAL for REMOTE, in order ---- */

struct s2s_pair;
/* Finds or makes. Loop: the shard's. */
struct s2s_pair *s2s_pair_of(struct s2s_shard *sh, const char *local, const char *remote);
void s2s_pair_send(struct s2s_pair *p, struct stanza *st, struct queue_id id); /* takes its own count */
void s2s_pair_wake(struct s2s_pair *p);         /* rows wait in the store */
void s2s_pair_peer_is_alive(struct s2s_pair *p); /* the peer just authenticated here: do not back off */
/* An iq result or error to our domain: the answer to the pair's ping? */
bool s2s_pair_answer(struct s2s_pair *p, const char *id);
void s2s_pair_stop(struct s2s_pair *p);
void s2s_pair_destroy(struct s2s_pair **p);

/* What an admin is shown of a pair. Texts are the pair's, until it goes on. */
struct s2s_pair_look {
    const char *local, *remote, *state;
    unsigned waiting, unconfirmed; /* stanzas in memory */
    bool more_in_store;
    const char *error; /* why the last attempt failed; NULL: it did not */
};
void s2s_pair_look(const struct s2s_pair *p, struct s2s_pair_look *out);

/* ---- s2s_in.c: incoming streams ---- */

void s2s_in_accept(struct s2s_shard *sh, struct listener *li, bool direct_tls, uv_os_sock_t fd);
struct s2s_in;
void s2s_in_close(struct s2s_in *in, enum stream_error e, const char *text);
void s2s_in_gate_open(struct gate *g); /* of the shard: its incoming streams are read again */
struct s2s_in *s2s_in_from_node(struct list *node);
/* What an admin is shown of it: "PLAIN", and for each pair that is proved (or once, with NULL): local, remote. */
const char *s2s_in_state(const struct s2s_in *in);
void s2s_in_each_proved(const struct s2s_in *in, void (*each)(void *user, const char *local, const char *remote), void *user);

/* ---- s2s_dialback.c: XEP-0220 ---- */

/* Key that LOCAL sends to `receiving` for the stream `id`, and that we confirm as authoritative. */
void s2s_dialback_key(const struct s2s *s, const char *receiving, const char *originating,
                      const char *id, struct bytes *out);
bool s2s_dialback_key_is_ours(const struct s2s *s, const char *receiving, const char *originating,
                              const char *id, const char *key);
/* Asks the authoritative server of `remote` whether it made `key` for our stream `id`. on_result
 * exactly once, later; e STANZA_OK: the question was answered with `valid`. */
struct s2s_verify;
struct s2s_verify *s2s_dialback_verify(struct s2s_shard *sh, const char *local, const char *remote,
                                       const char *id, const char *key,
                                       void (*on_result)(void *user, bool valid, enum stanza_error e),
                                       void *user);
void s2s_dialback_cancel(struct s2s_verify *v); /* on_result is not called any more */
/* What a <db:result/> or <db:verify/> says. */
struct s2s_dialback {
    const char *from, *to; /* domains, prepared */
    const char *id, *type; /* NULL: absent */
    const char *key;       /* "" when there is none */
    struct arena arena;    /* holds the domains; arena_fini when done */
};
/* false: from or to is missing or no domain; nothing to release. */
MUST_USE bool s2s_dialback_read(const struct stanza *st, struct s2s_dialback *out);
/* <db:result/> or <db:verify/> answers; `type` "valid", "invalid" or NULL with `key`. */
void s2s_dialback_send(struct stream *st, const char *element, const char *from, const char *to,
                       const char *id, const char *type, const char *key);
void s2s_dialback_send_error(struct stream *st, const char *element, const char *from, const char *to,
                             const char *id, enum stanza_error e);

#endif
