/* SPDX-License-Identifier: MIT */
/* XMPP addresses (RFC 7622's syntax, prepared by RFC 6122's stringprep profiles, which is what the
 * servers we federate with use). A jid is immutable; its texts are prepared, NUL-terminated and at
 * most 1023 bytes a part. It lives in an arena or, from jid_dup, in one heap block. */
#ifndef CAUSEWAY_XMPP_JID_H
#define CAUSEWAY_XMPP_JID_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/arena.h"

struct jid {
    const char *full;     /* localpart@domainpart/resourcepart, as much of it as there is */
    const char *bare;     /* without the resourcepart; the same text as full when there is none */
    const char *local;    /* NULL: a domain */
    const char *domain;   /* never NULL */
    const char *resource; /* NULL: a bare JID or a domain */
    size_t block_bytes;   /* of the struct and its texts, which follow it */
};

/* Prepares and checks; NULL: not a JID (the peer gets jid-malformed). ASCII takes a fast path. */
MUST_USE const struct jid *jid_parse(struct arena *a, const char *text, size_t len);
MUST_USE const struct jid *jid_parse_text(struct arena *a, const char *text);
/* From parts that may be unprepared; local and resource may be NULL. NULL: not a JID. */
MUST_USE const struct jid *jid_make(struct arena *a, const char *local, const char *domain,
                                    const char *resource);
/* What names a domain alone: prepared. NULL: it is NULL, no JID, or more than a domain. */
MUST_USE const char *jid_parse_domain(struct arena *a, const char *text);
/* A domain, or an account at one, and no more? NULL is neither. */
bool jid_is_domain(const struct jid *j);
bool jid_is_account(const struct jid *j);
const struct jid *jid_copy(struct arena *a, const struct jid *j);
const struct jid *jid_to_bare(struct arena *a, const struct jid *j);
const struct jid *jid_to_domain(struct arena *a, const struct jid *j);

/* One heap block; end with jid_destroy, which accepts NULL and clears the pointer. */
struct jid *jid_dup(const struct jid *j);
void jid_destroy(struct jid **j);

bool jid_eq(const struct jid *a, const struct jid *b);      /* whole; NULL equals NULL */
bool jid_eq_bare(const struct jid *a, const struct jid *b); /* without resourceparts */

#endif
