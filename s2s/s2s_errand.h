/* SPDX-License-Identifier: MIT */
/* The way to a pair from any loop: each call reaches the pair LOCAL>REMOTE on its own loop, in the order in
 * which one loop made them. */
#ifndef CAUSEWAY_S2S_S2S_ERRAND_H
#define CAUSEWAY_S2S_S2S_ERRAND_H

#include "gateway/store/received.h"
#include "gateway/xmpp/stanza.h"

struct s2s;

/* A stanza to send, between the domains of its addresses; id.seq 0: not kept. */
void s2s_errand_send(struct s2s *s, struct stanza *st, struct queue_id id);
/* Rows wait in its queue in the store. */
void s2s_errand_wake(struct s2s *s, const char *local, const char *remote);
/* An iq of that id answered something that was asked in LOCAL's name. Nothing, where there is no pair. */
void s2s_errand_answer(struct s2s *s, const char *local, const char *remote, const char *id);
/* The peer has just authenticated to us. Nothing, where there is no pair. */
void s2s_errand_alive(struct s2s *s, const char *local, const char *remote);

#endif
