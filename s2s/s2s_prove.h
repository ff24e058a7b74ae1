/* SPDX-License-Identifier: MIT */
/* How a pair proves its LOCAL to the peer on a stream that it opened: EXTERNAL where the peer offers it, and
 * dialback where it does not, or where EXTERNAL failed, on the same stream. Lies in the pair. Loop: the pair's. */
#ifndef CAUSEWAY_S2S_S2S_PROVE_H
#define CAUSEWAY_S2S_S2S_PROVE_H

#include "s2s/s2s_out.h"

struct s2s_way;

enum s2s_prove_state {
    S2S_PROVE_IDLE,       /* no stream, or not begun */
    S2S_PROVE_EXTERNAL,   /* <auth/> was sent */
    S2S_PROVE_CHALLENGED, /* ... and was not enough: <response/> was sent */
    S2S_PROVE_RESTARTING, /* <success/> came; the peer's new features are awaited */
    S2S_PROVE_DIALBACK,   /* db:result was sent */
    S2S_PROVE_DONE,       /* the peer takes our stanzas */
    S2S_PROVE_FAILED,     /* it does not, and the stream ends */
};

struct s2s_prove {
    enum s2s_prove_state state;
    const struct s2s_way *way;
    bool bidi;               /* the peer was asked for it */
    enum s2s_proof how;      /* once DONE */
    bool offers_nothing;     /* the peer has features, and none of them is a way to prove ourselves */
    char no_external[200];   /* why EXTERNAL was of no use */
};

void s2s_prove_init(struct s2s_prove *pr, const struct s2s_way *way);
/* The stream is ready, or ready again. */
void s2s_prove_ready(struct s2s_prove *pr, struct s2s_out *out);
/* true: it was part of the proof. */
MUST_USE bool s2s_prove_element(struct s2s_prove *pr, struct s2s_out *out, const struct stanza *st);
/* The stream has ended, for `why` as far as the stream knows. What it means for the pair; and in `out` what the pair
 * shall say of it. */
enum s2s_failure s2s_prove_end(struct s2s_prove *pr, enum s2s_failure why, char *out, size_t size, const char *text);

#endif
