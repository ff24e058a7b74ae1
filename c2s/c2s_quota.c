/* SPDX-License-Identifier: MIT */
/* An hour begins with the first that is taken in it. Four places a set, as in c2s_brake.c, whose notion of a network is
 * used here too. One for all loops, so there is a lock; it is held for a few comparisons, some times an hour. */
#include "c2s/c2s_quota.h"

#include <pthread.h>
#include <sys/socket.h>

#include "c2s/c2s_brake.h"
#include "gateway/base/mem.h"

enum { SETS = 512, WAYS = 4 };

struct entry {
    uint64_t key; /* 0: free */
    uint64_t since_ms;
    unsigned taken;
};

struct c2s_quota {
    pthread_mutex_t lock;
    struct entry sets[SETS][WAYS];
};

struct c2s_quota *c2s_quota_create(void)
{
    struct c2s_quota *q = mem_new(struct c2s_quota);
    pthread_mutex_init(&q->lock, NULL);
    return q;
}

void c2s_quota_destroy(struct c2s_quota **qp)
{
    struct c2s_quota *q = *qp;
    *qp = NULL;
    if (!q)
        return;
    pthread_mutex_destroy(&q->lock);
    mem_free(q);
}

/* Its own place, a free one, or that which began first. */
static struct entry *find(struct c2s_quota *q, uint64_t key, uint64_t mono_ms)
{
    struct entry *set = q->sets[key % SETS], *place = &set[0];

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].key == key) {
            place = &set[i];
            break;
        }
        if (place->key && (!set[i].key || set[i].since_ms < place->since_ms))
            place = &set[i];
    }
    if (place->key != key || mono_ms - place->since_ms >= C2S_QUOTA_MS)
        *place = (struct entry){.key = key, .since_ms = mono_ms};
    return place;
}

/* No localpart holds a slash, so neither is anybody's in the brake's sense. */
static uint64_t network_key(const struct c2s_quota_ask *a)
{
    return c2s_brake_key(a->peer, "/registration", a->domain).account;
}

static uint64_t community_key(const struct c2s_quota_ask *a)
{
    static const struct sockaddr_storage nowhere;
    return c2s_brake_key((const struct sockaddr *)&nowhere, "/community", a->domain).account;
}

static bool has_left(struct c2s_quota *q, uint64_t key, unsigned most, uint64_t mono_ms)
{
    return find(q, key, mono_ms)->taken < most;
}

bool c2s_quota_take(struct c2s_quota *q, const struct c2s_quota_ask *a)
{
    uint64_t network = network_key(a), community = community_key(a);

    pthread_mutex_lock(&q->lock);
    bool fits =
        has_left(q, community, a->community_max, a->mono_ms) && has_left(q, network, a->network_max, a->mono_ms);
    if (fits) {
        find(q, community, a->mono_ms)->taken++;
        find(q, network, a->mono_ms)->taken++;
    }
    pthread_mutex_unlock(&q->lock);
    return fits;
}

void c2s_quota_give_back(struct c2s_quota *q, const struct c2s_quota_ask *a)
{
    const uint64_t keys[] = {community_key(a), network_key(a)};

    pthread_mutex_lock(&q->lock);
    for (unsigned i = 0; i < 2; i++) {
        struct entry *e = find(q, keys[i], a->mono_ms);
        e->taken -= e->taken > 0;
    }
    pthread_mutex_unlock(&q->lock);
}
