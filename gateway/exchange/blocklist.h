/* SPDX-License-Identifier: MIT */
/* Whom a person has blocked (XEP-0191), and what follows when that changes. Internal to
 * gateway/exchange; clients see it through gateway/services/blocking.c (service.h).
 *
 * One truth: a person's bare JID is blocked by its consent (consent.h), whether a client said so or
 * "block 3" did; domains and single resources, which no consent is about, are in a list of their own. */
#ifndef CAUSEWAY_EXCHANGE_BLOCKLIST_H
#define CAUSEWAY_EXCHANGE_BLOCKLIST_H

#include "gateway/exchange/person.h"

/* Does an entry of the list match this JID (3.1 of XEP-0191: domain, domain/resource, full)? What consent
 * says is not asked: session_blocks does both. */
bool blocklist_matches(const struct sessions *ss, const struct jid *j);
void blocklist_fill(struct sessions *ss, const char *const *jids, unsigned count);
void blocklist_fini(struct sessions *ss);
/* `jid` was blocked, or is no more, and that is committed: clients that read the list are told, and who sees
 * the person learns that it went, or came back. */
void blocklist_changed(struct person *p, const char *jid, bool blocked);

#endif
