/* SPDX-License-Identifier: MIT */
/* Which accounts lost the right to be there lately (a new password; deleted; disabled), or which installations of them
 * (revoked): links that exist are ended at once, but somebody may have logged in and not have bound a resource yet.
 * Any thread. */
#ifndef CAUSEWAY_EXCHANGE_REVOCATION_H
#define CAUSEWAY_EXCHANGE_REVOCATION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { REVOCATIONS_KEPT = 256 };

struct revocations {
    atomic_ullong count;
    pthread_mutex_t lock;
    uint64_t kept[REVOCATIONS_KEPT]; /* hashes; the n-th, from 1 on, at n % REVOCATIONS_KEPT */
};

void revocation_init(struct revocations *v);
void revocation_fini(struct revocations *v);
uint64_t revocation_count(struct revocations *v);
/* Before links are ended. agent NULL: whatever is logged in as that account. */
void revocation_add(struct revocations *v, const char *bare, const char *agent);
/* Was that account, or that installation of it (NULL: not told), revoked behind the `since`-th? Also true when so many
 * were that nobody knows. */
bool revocation_since(struct revocations *v, const char *bare, const char *agent, uint64_t since);

#endif
