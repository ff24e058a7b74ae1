/* SPDX-License-Identifier: MIT */
/* See revocation.h. A ring of hashes: two accounts of one hash cost a login, which is repeated. */
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

void revocation_add(struct revocations *v, const char *bare)
{
    pthread_mutex_lock(&v->lock);
    uint64_t n = atomic_load(&v->count) + 1;
    v->accounts[n % REVOCATIONS_KEPT] = hash_text(bare);
    atomic_store(&v->count, n);
    pthread_mutex_unlock(&v->lock);
}

bool revocation_since(struct revocations *v, const char *bare, uint64_t since)
{
    if (revocation_count(v) == since)
        return false;
    pthread_mutex_lock(&v->lock);
    uint64_t last = atomic_load(&v->count), hash = hash_text(bare);
    bool found = last - since > REVOCATIONS_KEPT;
    for (uint64_t n = since + 1; n <= last && !found; n++)
        found = v->accounts[n % REVOCATIONS_KEPT] == hash;
    pthread_mutex_unlock(&v->lock);
    return found;
}
