/* SPDX-License-Identifier: MIT */
/* What the admin allows: whom a community federates with, and on what terms. Reads the options, which do not
 * change, and the shard's communities and deny lists, which do. Loop: the shard's. */
#ifndef CAUSEWAY_S2S_S2S_POLICY_H
#define CAUSEWAY_S2S_S2S_POLICY_H

#include "gateway/xmpp/stanza.h"
#include "s2s/s2s_rate.h"

struct s2s;
struct s2s_shard;
struct s2s_community;
struct s2s_deny_list;
struct stream;

/* NULL: streams between them are allowed; else why not, in words for the admin and the peer, in `out`. `local`
 * NULL: the one that is meant is not known yet. */
enum { S2S_POLICY_TEXT = 256 };
const char *s2s_policy_denies(const struct s2s_shard *sh, const char *local, const char *remote,
                              char out[S2S_POLICY_TEXT]);
/* Must the peer show a certificate that proves it (s2s_proof.h)? */
bool s2s_policy_wants_certificate(const struct s2s_shard *sh, const char *local, const char *remote);
/* Is that person kept out by a list of the recipient's community? */
bool s2s_policy_denies_person(const struct s2s_shard *sh, const struct stanza *st);

/* Of a stream on which it is proved. */
void s2s_policy_set_limits(const struct s2s_shard *sh, struct stream *st, const char *remote);
/* The largest stanza that is taken from it, in bytes. */
size_t s2s_policy_stanza_bytes(const struct s2s *s, const char *remote);
/* A stanza of it has come: how long it is not read. 0: it is. */
uint64_t s2s_policy_spend(struct s2s_shard *sh, const char *remote, size_t bytes);

/* On every shard, from any thread: from now on this holds; what is not allowed any more ends. Copied; counted anew. */
void s2s_policy_set_community(struct s2s *s, const struct s2s_community *c);
void s2s_policy_set_list(struct s2s *s, struct s2s_deny_list *l);
/* Before the loops run. */
void s2s_policy_begin(struct s2s_shard *sh, const struct s2s_community *communities, unsigned count);
void s2s_policy_fini(struct s2s_shard *sh);

#endif
