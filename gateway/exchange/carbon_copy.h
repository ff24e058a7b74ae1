/* SPDX-License-Identifier: MIT */
/* XEP-0280: what one client of a person says or hears, the others see. Internal to gateway/exchange;
 * clients ask for it by gateway/services/carbons.c. */
#ifndef CAUSEWAY_EXCHANGE_CARBON_COPY_H
#define CAUSEWAY_EXCHANGE_CARBON_COPY_H

#include "gateway/exchange/resource.h"

struct person;

/* Section 6.1: may this one be copied? `sent`: by the person; else it came for the person. False when
 * none of the person's clients wants copies. */
bool carbon_copy_may(const struct person *p, const struct stanza *msg, bool sent);
/* A message that the person sends; `by` (NULL: a device) said it. To all who want copies but that one. */
void carbon_copy_sent(struct person *p, const struct resource *by, struct stanza *msg);
/* A message that was given to `match` (NULL: to all that take messages). To all others who want copies,
 * but for the one that said it. */
void carbon_copy_received(struct person *p, const struct resource *match, struct stanza *msg);
/* The person leaves memory. */
void carbon_copy_forget(struct person *p);

#endif
