/* SPDX-License-Identifier: MIT */
/* Everything that leaves LOCAL for REMOTE, in order: the queue, the stream, and what happens when there is
 * none. Called by errands (s2s_errand.h). Loop: the shard's. */
#ifndef CAUSEWAY_S2S_S2S_PAIR_H
#define CAUSEWAY_S2S_S2S_PAIR_H

#include "gateway/store/received.h"
#include "gateway/xmpp/stanza.h"
#include "s2s/s2s_out.h"
#include "s2s/s2s_proof.h"

struct s2s_in;
struct s2s_shard;
struct s2s_pair;

/* Enters itself in shard->pairs, where there is none of that name. */
struct s2s_pair *s2s_pair_create(struct s2s_shard *sh, const char *local, const char *remote);
void s2s_pair_destroy(struct s2s_pair **p);

void s2s_pair_send(struct s2s_pair *p, struct stanza *st, struct queue_id id); /* takes its own count */
void s2s_pair_wake(struct s2s_pair *p);          /* rows wait in the store */
void s2s_pair_peer_is_alive(struct s2s_pair *p); /* the peer just authenticated here: do not back off */
/* An iq result or error came for our domain: perhaps the answer to the pair's ping. */
void s2s_pair_answer(struct s2s_pair *p, const char *id);
/* Of a stream that the peer opened and that goes both ways, if it is this pair's: it takes more; it has ended. */
void s2s_pair_way_back_drained(struct s2s_pair *p, const struct s2s_in *in);
void s2s_pair_way_back_ended(struct s2s_pair *p, const struct s2s_in *in, enum s2s_failure why, const char *text);
/* Policy has changed: a stream that it does not allow any more ends. */
void s2s_pair_judge(struct s2s_pair *p);
/* The gateway goes down; s2s_shard_finished follows if the peer is still to say what it has. */
void s2s_pair_stop(struct s2s_pair *p);

/* LOCAL is ours no more: as stop, and then the pair destroys itself. What is kept stays in the store; should LOCAL come
 * again meanwhile, it is looked at then. */
void s2s_pair_leave(struct s2s_pair *p);

/* What an admin is shown of a pair. Texts are the pair's, until it goes on. */
struct s2s_pair_look {
    const char *local, *remote, *state;
    unsigned waiting, unconfirmed; /* stanzas in memory */
    bool more_in_store;
    bool both_ways;             /* XEP-0288 */
    bool by_peers_stream;       /* ... and it was the peer who opened it */
    enum s2s_proof our_proof;   /* how we showed the peer that we are `local`, on our own stream */
    enum s2s_proof peers_proof; /* how it showed that it is `remote` */
    const char *error; /* why the last attempt failed; NULL: it did not */
};
void s2s_pair_look(const struct s2s_pair *p, struct s2s_pair_look *out);

#endif
