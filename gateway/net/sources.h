/* SPDX-License-Identifier: MIT */
/* How many of something live come from each address: IPv4, or IPv6 /64, which one customer has. No thread of its own.
 */
#ifndef CAUSEWAY_NET_SOURCES_H
#define CAUSEWAY_NET_SOURCES_H

#include <stdbool.h>
#include <sys/socket.h>

#include "gateway/base/map.h"

struct sources {
    unsigned most;  /* of one address; 0: no bound, and nothing is counted */
    struct map map; /* of struct source */
};

/* false: that would be more than `most`. Addresses of no family are not counted. */
bool sources_add(struct sources *s, const struct sockaddr *a);
/* One that was added has gone. */
void sources_drop(struct sources *s, const struct sockaddr *a);
void sources_fini(struct sources *s);

#endif
