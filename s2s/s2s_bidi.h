/* SPDX-License-Identifier: MIT */
/* What comes back on a stream that a pair opened and that goes both ways (XEP-0288). The pair makes it when the peer
 * has accepted its proof. (On a stream that the peer opened: s2s_in_way_back.) Loop: the pair's. */
#ifndef CAUSEWAY_S2S_S2S_BIDI_H
#define CAUSEWAY_S2S_S2S_BIDI_H

#include "s2s/s2s_proof.h"
#include "s2s/s2s_reception.h"

struct s2s_bidi;

/* The peer is `remote`, by `how`. */
struct s2s_bidi *s2s_bidi_open(struct s2s_shard *sh, struct stream *st, const char *remote, const char *local,
                               enum s2s_proof how);
/* As s2s_reception_stanza: a stanza or a word of a queue. */
MUST_USE enum stream_error s2s_bidi_take(struct s2s_bidi *b, struct stanza *st, const char **text);
void s2s_bidi_stop(struct s2s_bidi *b);  /* our end was said: nothing more is taken */
void s2s_bidi_close(struct s2s_bidi **b); /* the stream has ended; it goes when all that came has settled */

#endif
