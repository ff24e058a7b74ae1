/* SPDX-License-Identifier: MIT */
/* Which SCRAM keys the accounts of each domain have: SCRAM-SHA-512 is announced only where every account that may log
 * in has keys of it (clients that pick the strongest do not fall back), and nobody's rounds look like everybody's.
 *
 * Counted at start, and when a change of an account may make a difference. Read by any thread, as figures of the
 * moment. */
#ifndef CAUSEWAY_C2S_C2S_CENSUS_H
#define CAUSEWAY_C2S_C2S_CENSUS_H

#include "c2s/c2s_internal.h"
#include "gateway/xmpp/sasl.h"

/* Nothing is counted yet: SHA-512 is not announced. */
struct c2s_census *c2s_census_create(void);
void c2s_census_destroy(struct c2s_census **n);
/* Counts each domain. The store is read before this returns. */
MUST_USE bool c2s_census_start(struct c2s *c, struct error *e);
/* That one is to be counted, soon. Loop: the first shard's. */
void c2s_census_want(struct c2s *c, struct c2s_domain *d);
/* Of SHA-512. `domain` is known here (c2s_domain_known), as below. */
bool c2s_census_all_have(const struct c2s *c, const char *domain);
void c2s_census_older(const struct c2s *c, const char *domain, struct sasl_config *config);
/* An account got keys of that hash at a login; `had` older ones. Loop: io's. */
void c2s_census_gained(struct c2s_io *io, const char *domain, const char *bare, enum scram_hash hash, bool had);

#endif
