/* SPDX-License-Identifier: MIT */
/* Block lists that others keep in real time: a pubsub node (XEP-0060) whose items' ids are SHA-256 of bare JIDs or
 * domains, in hexadecimal. One of the communities that name it subscribes, in the name of its domain; the list is
 * shared, and becomes a deny list of the same name, "SERVICE/NODE". Until it is known, and where it cannot be had,
 * nobody is denied by it; what was known stays. Loop: the first shard's. */
#ifndef CAUSEWAY_S2S_S2S_BLOCK_LIST_H
#define CAUSEWAY_S2S_S2S_BLOCK_LIST_H

#include <stdbool.h>

#include "gateway/xmpp/stanza.h"

struct s2s;
struct s2s_community;

/* Asks for those that a community names, if nobody has yet. Any thread. */
void s2s_block_list_want(struct s2s *s, const struct s2s_community *c);
/* A stanza of another community, on any shard. true: it was for a list, and nobody else's. */
MUST_USE bool s2s_block_list_take(struct s2s *s, struct stanza *st);
/* On the first shard's loop: nothing is asked any more. */
void s2s_block_list_stop(struct s2s *s);
void s2s_block_list_fini(struct s2s *s); /* after the loops */

#endif
