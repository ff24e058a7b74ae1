/* SPDX-License-Identifier: MIT */
/* Where a domain is: its targets, in the order to try. Loop: the shard's. */
#ifndef CAUSEWAY_S2S_S2S_LOCATE_H
#define CAUSEWAY_S2S_S2S_LOCATE_H

#include <stdbool.h>
#include <stdint.h>

#include "s2s/s2s_out.h"

struct s2s_locate;
struct s2s_shard;

struct s2s_target {
    char host[256]; /* a name as DNS knows it, or a numeric address */
    uint16_t port;
    bool direct_tls; /* TLS from the first byte (XEP-0368); else STARTTLS */
    bool proved;     /* DNSSEC: nobody but the domain says so */
    bool is_itself;  /* the domain's own name, because there is no SRV record */
};

struct s2s_located {
    const struct s2s_target *targets; /* in the order to try */
    unsigned count;
    enum s2s_failure why; /* count is 0 */
    char text[200];       /* likewise */
};

/* on_located exactly once, later; what it is given lives until s2s_locate_free. */
struct s2s_locate *s2s_locate_start(struct s2s_shard *sh, const char *remote, struct s2s_trail *trail,
                                    void (*on_located)(void *user, const struct s2s_located *l), void *user);
/* Accepts NULL. on_located is not called any more; it may call this itself. */
void s2s_locate_free(struct s2s_locate **l);

#endif
