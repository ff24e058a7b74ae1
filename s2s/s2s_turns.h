/* SPDX-License-Identifier: MIT */
/* Turns: only so many attempts of a shard are under way at a time; the others wait by urgency, and each urgency has
 * its turn: a thousand domains that do not answer hold up neither those that were well nor questions. Loop: the
 * shard's. */
#ifndef CAUSEWAY_S2S_S2S_TURNS_H
#define CAUSEWAY_S2S_S2S_TURNS_H

#include <stdbool.h>

#include "gateway/base/list.h"

/* Whose outgoing streams may begin, when more want to than may be under way. */
enum s2s_urgency {
    S2S_QUESTION, /* dialback: a peer waits for the answer */
    S2S_KNOWN,    /* a domain that was well lately */
    S2S_FIRST,    /* one that nothing is known of */
    S2S_AGAIN,    /* one that could not be reached the last time */
    S2S_URGENCIES,
};

/* Lies in the attempt. Zero: neither waits nor is under way. */
struct s2s_turn {
    struct list node; /* while it waits */
    bool under_way;
    void (*begin)(struct s2s_turn *t); /* its turn has come; from inside s2s_turns_give and s2s_turn_end */
};

struct s2s_turns {
    struct list waiting[S2S_URGENCIES]; /* of struct s2s_turn */
    unsigned next_urgency;              /* whose turn it is */
    unsigned under_way, at_most;
};

void s2s_turns_init(struct s2s_turns *ts, unsigned at_most);
/* Waits; begins with the next s2s_turns_give that has room. */
void s2s_turn_wait(struct s2s_turns *ts, struct s2s_turn *t, enum s2s_urgency u);
/* Lets as many begin as may. */
void s2s_turns_give(struct s2s_turns *ts);
/* Waits no longer, or is no longer under way: the next one begins. Harmless otherwise. */
void s2s_turn_end(struct s2s_turns *ts, struct s2s_turn *t);

#endif
