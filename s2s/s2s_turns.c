/* SPDX-License-Identifier: MIT */
/* See s2s_turns.h. */
#include "s2s/s2s_turns.h"

void s2s_turns_init(struct s2s_turns *ts, unsigned at_most)
{
    *ts = (struct s2s_turns){.at_most = at_most};
    for (unsigned u = 0; u < S2S_URGENCIES; u++)
        list_init(&ts->waiting[u]);
}

void s2s_turn_wait(struct s2s_turns *ts, struct s2s_turn *t, enum s2s_urgency u)
{
    list_append(&ts->waiting[u], &t->node);
}

/* The first of the next urgency that has somebody waiting. */
static struct s2s_turn *whose(struct s2s_turns *ts)
{
    for (unsigned i = 0; i < S2S_URGENCIES; i++) {
        unsigned u = (ts->next_urgency + i) % S2S_URGENCIES;
        struct list *first = list_first(&ts->waiting[u]);
        if (!first)
            continue;
        ts->next_urgency = u + 1;
        return list_entry(first, struct s2s_turn, node);
    }
    return NULL;
}

void s2s_turns_give(struct s2s_turns *ts)
{
    struct s2s_turn *t;
    while (ts->under_way < ts->at_most && (t = whose(ts))) {
        list_remove(&t->node);
        t->under_way = true;
        ts->under_way++;
        t->begin(t);
    }
}

void s2s_turn_end(struct s2s_turns *ts, struct s2s_turn *t)
{
    list_remove(&t->node);
    if (!t->under_way)
        return;
    t->under_way = false;
    ts->under_way--;
    s2s_turns_give(ts);
}
