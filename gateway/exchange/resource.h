/* SPDX-License-Identifier: MIT */
/* A bound resource: one link of a person. Internal to gateway/exchange. Lives on the person's loop;
 * counted, because events that came from it may outlive the link. */
#ifndef CAUSEWAY_EXCHANGE_RESOURCE_H
#define CAUSEWAY_EXCHANGE_RESOURCE_H

#include "gateway/base/list.h"
#include "gateway/base/map.h"
#include "gateway/exchange/edge.h"
#include "gateway/net/timer.h"

struct person;

struct resource {
    struct list node;         /* in person->resources; not linked once unbound */
    struct person *person;
    struct edge_link *link;   /* NULL: unbound */
    struct jid *jid;          /* full; owned */
    unsigned refs;
    uint64_t stream;          /* its number in the shard: streams of one name are not the same */
    enum link_state state;
    struct timer away;        /* runs while hibernating still counts as being there */
    bool carbons;             /* wants copies of what the other links say and hear (XEP-0280) */
    bool reads_blocklist;     /* asked for it: gets pushes (XEP-0191 3.3) */
    bool interested;          /* asked for the roster: gets pushes (RFC 6121 2.1.6) */
    bool flushing;            /* pending rows come first: kept messages skip it until they came */
    int priority;             /* of the presence; -128 .. 127 */
    struct stanza *presence;  /* last available presence, without `to`; NULL: not available */
    struct map directed;      /* who got directed presence: full or bare JID -> struct jid, owned */
    uint64_t directed_changes;
    bool asleep;              /* of before a restart, and its client has not come back; then `flushing`, too */
    bool flush_rests;         /* flushing, but it holds as much as it may: goes on when it has reported */
    uint64_t flushed_to;      /* while flushing: rows up to here were read */
    uint64_t seen_seq;        /* kept messages up to here came with a read of the queue */
    struct list deliveries;   /* kept messages it holds and has not reported (pending.c), in order */
    size_t owed_bytes;        /* of those */
    uint64_t given_top;       /* the newest that it was ever given */
};

struct resource *resource_ref(struct resource *r);
void resource_unref(struct resource **r); /* NULL inside is harmless */
/* Of the person, by resourcepart; NULL: not bound. */
struct resource *resource_find(struct person *p, const char *resourcepart);
/* Available, with a priority that is not negative (RFC 6121 8.5.2). */
bool resource_takes_messages(const struct resource *r);
/* Takes messages, and is active, inactive, or hibernating for less than a minute: what comes now is
 * read soon, no device need be told. */
bool resource_is_there(const struct resource *r);
/* Hands a stanza to its link. */
void resource_give(struct resource *r, struct stanza *st, uint64_t seq);
/* Walks the resources; `it` may be unbound inside. */
#define resource_each(r, p)                                                                        \
    for (struct list *r##_at = (p)->resources.next, *r##_next = r##_at->next;                      \
         r##_at != &(p)->resources; r##_at = r##_next, r##_next = r##_at->next)                    \
        for (struct resource *r = list_entry(r##_at, struct resource, node); r; r = NULL)
/* The account is gone, or another client took the name: tells the link. */
void resource_replace(struct resource *r, enum stream_error why);
/* The exchange ends: the resource goes without a word to anybody. */
void resource_forget(struct resource *r);
/* Availability or the link's state changed: sessions learn when somebody is there. */
void resource_note_linked(struct person *p);

#endif
