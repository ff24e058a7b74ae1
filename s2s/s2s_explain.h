/* SPDX-License-Identifier: MIT */
/* The ways between a community and another one in an admin's words: is it open, since when, and if it is not, who
 * refused, why, and what to do. */
#ifndef CAUSEWAY_S2S_S2S_EXPLAIN_H
#define CAUSEWAY_S2S_S2S_EXPLAIN_H

#include "gateway/base/arena.h"
#include "s2s/s2s_trace.h"

enum s2s_verdict { S2S_UNTRIED, S2S_TRYING, S2S_OPEN, S2S_RESTS, S2S_FAILED };
const char *s2s_explain_verdict_name(enum s2s_verdict v); /* "open" */

struct s2s_explanation {
    enum s2s_verdict verdict;
    const char *text;   /* a sentence or two */
    const char *advice; /* NULL: there is nothing to do */
};

/* PURE. Of the last attempt; trail NULL: there was none. Texts lie in `a`. */
void s2s_explain_way(const struct s2s_trace_row *row, struct arena *a, struct s2s_explanation *out);

#endif
