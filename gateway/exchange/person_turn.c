/* SPDX-License-Identifier: MIT */
/* Dear work that links ask services for: one at a time for each link, a number waits, and what waits when its
 * link has gone is not done. */
#include "gateway/exchange/person.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/service.h"

enum { TURNS_WAIT = 50 }; /* of one link */

static struct turn *next_of(struct person *p, const struct jid *asker, unsigned *count)
{
    struct turn *first = NULL;
    *count = 0;
    list_each (at, &p->turns) {
        struct turn *t = list_entry(at, struct turn, node);
        if (!jid_eq(t->asker, asker))
            continue;
        first = first ? first : t;
        ++*count;
    }
    return first;
}

bool person_turn(struct person *p, struct turn *t)
{
    unsigned before;
    (void)next_of(p, t->asker, &before);
    if (before > TURNS_WAIT)
        return false;
    list_append(&p->turns, &t->node);
    p->jobs++;
    if (!before)
        t->run(t, true);
    return true;
}

void person_turn_end(struct person *p, struct turn *t)
{
    bool is_there = t->asker->resource && resource_find(p, t->asker->resource);
    unsigned count;
    list_remove(&t->node);
    p->jobs--;
    for (struct turn *next; (next = next_of(p, t->asker, &count));) {
        if (is_there) {
            next->run(next, true);
            break;
        }
        list_remove(&next->node);
        p->jobs--;
        next->run(next, false);
    }
    person_idle(p);
}
