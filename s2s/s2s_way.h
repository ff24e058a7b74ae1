/* SPDX-License-Identifier: MIT */
/* Which way a pair serves, as its parts need to know it: from LOCAL to REMOTE. Lies in the pair. */
#ifndef CAUSEWAY_S2S_S2S_WAY_H
#define CAUSEWAY_S2S_S2S_WAY_H

#include "gateway/base/log.h"

struct s2s_shard;

struct s2s_way {
    struct s2s_shard *shard;
    char *name;  /* "LOCAL REMOTE" */
    char *local, *remote;
    char *queue; /* the store's: "s:LOCAL REMOTE" */
    struct log_ctx log;
};

/* Room for a pair's name; domains are at most 1023 bytes (RFC 7622 3.2). */
enum { S2S_WAY_NAME_MAX = 2100 };
void s2s_way_name(char out[S2S_WAY_NAME_MAX], const char *local, const char *remote);

void s2s_way_init(struct s2s_way *w, struct s2s_shard *sh, const char *local, const char *remote);
void s2s_way_fini(struct s2s_way *w);

/* A domain, spelled as we spell it: what anybody says may be shown to an admin only if it is nothing else. */
bool s2s_way_is_domain(const char *name);

#endif
