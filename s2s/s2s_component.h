/* SPDX-License-Identifier: MIT */
/* Services that attach from outside (XEP-0114): each has a domain of ours, by a secret, and one stream. What is
 * for it waits for that stream, and what it says goes where its addresses say.
 *
 * All of them live on the first shard, whichever its pairs would be. Loop: that one's, but for what says
 * otherwise. */
#ifndef CAUSEWAY_S2S_S2S_COMPONENT_H
#define CAUSEWAY_S2S_S2S_COMPONENT_H

#include "gateway/base/error.h"
#include "gateway/store/received.h"
#include "gateway/xmpp/stanza.h"

struct s2s_components;
struct s2s_shard;

struct s2s_components *s2s_components_create(struct s2s_shard *sh);
/* Opens the doors when the first one comes. false and *e: which door cannot be opened. */
MUST_USE bool s2s_components_add(struct s2s_components *k, const char *domain, const char *secret, struct error *e);
/* Its stream ends (host-gone). What is kept for it stays in the store. */
void s2s_components_remove(struct s2s_components *k, const char *domain);
/* Stanzas for a component, from a domain; and rows that wait in the store. false, and nothing: there is no such
 * component (any more). */
MUST_USE bool s2s_components_send(struct s2s_components *k, const char *from, const char *domain, struct stanza *st,
                                  struct queue_id id);
void s2s_components_wake(struct s2s_components *k, const char *from, const char *domain);
void s2s_components_gate_open(struct s2s_components *k);
/* The gateway goes down: no more doors; later, streams. */
void s2s_components_stop(struct s2s_components *k);
void s2s_components_close(struct s2s_components *k);
/* No stream is left. */
bool s2s_components_are_still(const struct s2s_components *k);
void s2s_components_destroy(struct s2s_components **k);

#endif
