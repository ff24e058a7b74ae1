/* SPDX-License-Identifier: MIT */
/* Writes down when a person was last there (XEP-0012). Internal to gateway/exchange; who may ask is
 * route_in.c's rule, gateway/services/last_activity.c answers. */
#ifndef CAUSEWAY_EXCHANGE_LAST_SEEN_H
#define CAUSEWAY_EXCHANGE_LAST_SEEN_H

struct person;
struct stanza;

/* A resource has become unavailable and said `presence`: noted if it was the last one. */
void last_seen_note(struct person *p, const struct stanza *presence);

#endif
