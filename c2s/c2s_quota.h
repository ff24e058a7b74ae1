/* SPDX-License-Identifier: MIT */
/* How many accounts may be made in an hour: from one network (an IPv4 /24, an IPv6 /48) in a community, and in the
 * community from everywhere. A table of fixed size; what was used the longest ago is forgotten. Any thread. */
#ifndef CAUSEWAY_C2S_C2S_QUOTA_H
#define CAUSEWAY_C2S_C2S_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/check.h"

struct sockaddr;
struct c2s_quota;

enum { C2S_QUOTA_MS = 3600000 };

struct c2s_quota *c2s_quota_create(void);
void c2s_quota_destroy(struct c2s_quota **q);

struct c2s_quota_ask {
    const struct sockaddr *peer; /* as the listener counted it */
    const char *domain;
    unsigned network_max, community_max;
    uint64_t mono_ms;
};
/* Takes one of both; false: one of them has none left, and nothing was taken. */
MUST_USE bool c2s_quota_take(struct c2s_quota *q, const struct c2s_quota_ask *a);
/* What was taken was not used. */
void c2s_quota_give_back(struct c2s_quota *q, const struct c2s_quota_ask *a);

#endif
