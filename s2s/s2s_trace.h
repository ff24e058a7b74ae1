/* SPDX-License-Identifier: MIT */
/* What an admin is told of the ways to other communities: of each pair and direction the last attempt (s2s_trail.h);
 * the pairs that were tried longest ago are forgotten. A stream has its trail from the start; it is shown when it
 * speaks for a pair: an incoming one may prove several, or only ask a question. Steps that are added later show too.
 * Loop: the shard's. */
#ifndef CAUSEWAY_S2S_S2S_TRACE_H
#define CAUSEWAY_S2S_S2S_TRACE_H

#include "gateway/base/list.h"
#include "gateway/base/map.h"
#include "s2s/s2s_trail.h"

enum s2s_direction { S2S_OUT, S2S_IN };

enum { S2S_TRACE_MAX = 512 }; /* attempts that a shard shows */

struct s2s_trace {
    struct map shown;    /* "DIRECTION LOCAL REMOTE" -> struct shown */
    struct list by_use;  /* of them, the one that is forgotten next first */
};

void s2s_trace_init(struct s2s_trace *c);
void s2s_trace_fini(struct s2s_trace *c);
/* From now on this is the last attempt between them, unless stanzas go by the one that is shown and not by this: so
 * call it when one begins to speak for a pair, and when it is well. `local` is what the peer wants, served here or
 * not. */
void s2s_trace_show(struct s2s_trace *c, enum s2s_direction d, const char *local, const char *remote,
                    struct s2s_trail *t);
/* The attempts that concern `remote`, in no order; texts are borrowed. */
struct s2s_trace_row {
    enum s2s_direction direction;
    const char *local, *remote;
    const struct s2s_trail *trail;
    int64_t last_well_us; /* stanzas could go that way then, as far as is known; 0: never */
};
void s2s_trace_each(const struct s2s_trace *c, const char *remote,
                    void (*each)(void *user, const struct s2s_trace_row *row), void *user);

#endif
