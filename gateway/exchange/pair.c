/* SPDX-License-Identifier: MIT */
/* The pair of a domain of ours and one of another community: the lane that keeps the order in which
 * stanzas leave, so that presence and iq do not overtake a message that waits for its commit. */
#include "gateway/base/mem.h"
#include "gateway/exchange/event.h"
#include "gateway/exchange/exchange_internal.h"

struct pair {
    struct shard *shard;
    char *queue; /* "s:LOCAL REMOTE"; the map's key is behind the prefix */
    struct lane lane;
};

static const char *name_of(const struct pair *p)
{
    return p->queue + 2;
}

struct pair *pair_get(struct shard *s, const char *name)
{
    struct pair *p = map_get(&s->pairs, name);
    if (p)
        return p;
    p = mem_new(struct pair);
    p->shard = s;
    struct bytes queue = BYTES_EMPTY;
    bytes_printf(&queue, "s:%s", name);
    p->queue = bytes_take(&queue);
    event_lane_init(&p->lane);
    map_put(&s->pairs, name_of(p), p);
    return p;
}

struct lane *pair_lane(struct pair *p)
{
    return &p->lane;
}

const char *pair_queue(const struct pair *p)
{
    return p->queue;
}

void pair_idle(struct pair *p)
{
    struct shard *s = p->shard;
    if (p->lane.busy || !event_lane_is_empty(&p->lane) || s->pairs.count <= SHARD_IDLE_PAIRS)
        return;
    map_remove(&s->pairs, name_of(p));
    pair_destroy(&p);
}

void pair_destroy(struct pair **pp)
{
    struct pair *p = *pp;
    *pp = NULL;
    if (!p)
        return;
    event_destroy_all(&p->lane.events);
    mem_free(p->queue);
    mem_free(p);
}
