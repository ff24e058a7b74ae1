/* SPDX-License-Identifier: MIT */
/* What the peer has proved on a stream, and what it may say there: whoever opened the stream. Lies in what owns the
 * stream, and stays until all that came has settled. Loop: the stream's. */
#ifndef CAUSEWAY_S2S_S2S_RECEPTION_H
#define CAUSEWAY_S2S_S2S_RECEPTION_H

#include "gateway/base/map.h"
#include "gateway/store/gate.h"
#include "s2s/s2s_intake.h"
#include "s2s/s2s_proof.h"

/* A pair of domains of which the peer may be the one. */
struct s2s_proved {
    enum s2s_proof how;
    bool numbers;   /* the peer has begun to number what it keeps (s2s_numbering.h) */
    uint64_t epoch;
    const char *remote, *local; /* in the same memory */
    char name[];    /* "REMOTE LOCAL" */
};

struct s2s_reception {
    struct list node; /* in shard->receptions */
    struct s2s_shard *shard;
    struct stream *stream; /* NULL: ended */
    struct map proved;     /* name -> struct s2s_proved */
    struct queue_id next;  /* of the message that comes next; seq 0: it has none */
    struct s2s_intake intake;
    void (*on_empty)(struct s2s_reception *r);
};

/* on_empty: s2s_reception_end was called, and all that came has settled; it may be freed there. */
void s2s_reception_init(struct s2s_reception *r, struct s2s_shard *sh, struct stream *st,
                        void (*on_empty)(struct s2s_reception *r));
void s2s_reception_stop(struct s2s_reception *r); /* nothing more is taken; once or again */
/* The stream has ended. true: all has settled, so on_empty does not come. */
MUST_USE bool s2s_reception_end(struct s2s_reception *r);
void s2s_reception_fini(struct s2s_reception *r);

void s2s_reception_gate_open(struct gate *g); /* of the shard: what brought something is read again */

/* NULL: it was proved before. */
struct s2s_proved *s2s_reception_prove(struct s2s_reception *r, const char *remote, const char *local,
                                       enum s2s_proof how);
struct s2s_proved *s2s_reception_find(const struct s2s_reception *r, const char *remote, const char *local);
/* Any pair of that domain of ours. */
struct s2s_proved *s2s_reception_find_local(const struct s2s_reception *r, const char *local);
void s2s_reception_forget(struct s2s_reception *r, struct s2s_proved *pair); /* it is proved no more */

/* Takes a stanza to the exchange, or a word of a queue (NS_QUEUE). STREAM_OK: taken; else why it may not be there, and
 * `*text` says so. */
MUST_USE enum stream_error s2s_reception_stanza(struct s2s_reception *r, struct stanza *st, const char **text);
MUST_USE enum stream_error s2s_reception_queue_word(struct s2s_reception *r, const struct stanza *st,
                                                    const char **text);

#endif
