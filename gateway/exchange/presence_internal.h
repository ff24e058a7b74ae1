/* SPDX-License-Identifier: MIT */
/* What presence.c and presence_subscription.c share: sending presence for a person. */
#ifndef CAUSEWAY_EXCHANGE_PRESENCE_INTERNAL_H
#define CAUSEWAY_EXCHANGE_PRESENCE_INTERNAL_H

#include "gateway/exchange/person.h"
#include "gateway/xmpp/stanza.h"

/* `st` as it is, between those. */
void presence_send_copy(struct person *p, struct stanza *st, const struct jid *from, const struct jid *to);
/* One that says nothing but its type; the caller's to unref. */
struct stanza *presence_bare(enum stanza_type type, const struct jid *from);
void presence_send_new(struct person *p, enum stanza_type type, const struct jid *from, const struct jid *to);
/* The presence of all resources, to one who may see it; or that they are gone. */
void presence_send_all(struct person *p, const struct jid *to, bool available);

#endif
