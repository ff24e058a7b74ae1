/* SPDX-License-Identifier: MIT */
/* Zone files that were read: kept for an hour, so that a new version of them is noticed. One thread at a time. */
#ifndef CAUSEWAY_CONTACT_ROUTER_ZONE_CACHE_H
#define CAUSEWAY_CONTACT_ROUTER_ZONE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/map.h"

enum { ZONE_CACHE_MAX = 64, ZONE_CACHE_S = 3600 };

struct zone_cache {
    const char *dir;  /* as zone_offset's; borrowed */
    struct map zones; /* name -> what was read; with those that do not exist */
    unsigned reads;   /* files that were looked for on the disk, ever */
};

void zone_cache_init(struct zone_cache *c, const char *dir);
void zone_cache_fini(struct zone_cache *c);
/* As zone_offset (zone.h). */
bool zone_cache_offset(struct zone_cache *c, const char *name, int64_t unix_s, int *offset_s);

#endif
