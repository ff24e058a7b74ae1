/* SPDX-License-Identifier: MIT */
/* See revocation.h. A ring of hashes: two of one hash cost a login, which is repeated. */
#include "gateway/exchange/revocation.h"

#include "gateway/base/hash.h"

void revocation_init(struct revocations *v)
{
    atomic_init(&v->count, 0);
    pthread_mutex_init(&v->lock, NULL);
}

void revocation_fini(struct revocations *v)
{
    pthread_mutex_destroy(&v->lock);
}

uint64_t revocation_count(struct revocations *v)
{
    return atomic_load(&v->count);
}

static uint64_t hash_of(const char *bare, const char *agent)
{
    return hash_text(bare) ^ (agent ? hash_text(agent) : 0);
}

void revocation_add(struct revocations *v, const char *bare, const char *agent)
{
    pthread_mutex_lock(&v->lock);
    uint64_t n = atomic_load(&v->count) + 1;
    v->kept[n % REVOCATIONS_KEPT] = hash_of(bare, agent);
    atomic_store(&v->count, n);
    pthread_mutex_unlock(&v->lock);
}

bool revocation_since(struct revocations *v, const char *bare, const char *agent, uint64_t since)
{
    if (revocation_count(v) == since)
        return false;
    pthread_mutex_lock(&v->lock);
    uint64_t last = atomic_load(&v->count), all = hash_of(bare, NULL), one = hash_of(bare, agent);
    bool found = last - since > REVOCATIONS_KEPT;
    for (uint64_t n = since + 1; n <= last && !found; n++)
        found = v->kept[n % REVOCATIONS_KEPT] == all || v->kept[n % REVOCATIONS_KEPT] == one;
    pthread_mutex_unlock(&v->lock);
    return found;
}
