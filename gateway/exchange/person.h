/* SPDX-License-Identifier: MIT */
/* A local person in memory: roster, resources, sessions, and the lanes that keep the order in which
 * things concern them. Loaded on use, gone by LRU when nothing is linked or waiting. Internal to
 * gateway/exchange (services see it through service.h). */
#ifndef CAUSEWAY_EXCHANGE_PERSON_H
#define CAUSEWAY_EXCHANGE_PERSON_H

#include "gateway/base/list.h"
#include "gateway/base/map.h"
#include "gateway/exchange/exchange.h"
#include "gateway/exchange/event.h"
#include "gateway/exchange/session.h"
#include "gateway/net/timer.h"

enum person_state {
    PERSON_LOADING, /* roster and sessions are being read; events queue */
    PERSON_READY,
    PERSON_NOBODY,  /* no such account; sessions are loaded, so that a stranger's message takes the same
                     * way (held, notice, expiry); the record goes soon */
};

struct roster;  /* roster.h */
struct repeats; /* repeat.h */
struct carbon_marks;
struct shard;  /* exchange_internal.h */

struct person {
    enum person_state state;
    struct exchange *x;
    struct shard *shard;
    struct loop *loop;
    struct jid *jid;              /* bare; owned */
    const char *queue;            /* "u:BARE"; owned */
    const struct community *community;
    struct roster *roster;        /* owned; NULL until READY */
    struct sessions *sessions;    /* owned; NULL until READY or NOBODY */
    struct list resources;        /* of struct resource, newest last */
    unsigned resource_count;
    struct list inbox;            /* events not yet looked at: the person is loading */
    struct lane in;               /* what concerns the person */
    struct lane out;              /* what the person's resources send */
    struct list outstanding;      /* kept messages that links hold and have not reported, seq rising
                                   * (pending.c) */
    struct list *outstanding_near; /* where the last was found in it; NULL: nowhere */
    bool queue_is_read;           /* its rows are on their way from the store */
    struct bytes reported;        /* seqs (8 bytes each) that were reported since that read was asked */
    struct repeats *repeats;      /* owned; NULL: none of its messages had an origin-id */
    struct carbon_marks *copied;  /* owned (carbon_copy.c); NULL: nothing was */
    struct list turns;            /* of struct turn (service.h): under way or waiting */
    unsigned jobs;                /* store jobs under way that point here */
    bool linked;                  /* what session_link_changed was told last */
    bool stale;                   /* the account changed: load again when idle */
    bool barred;                  /* the account is disabled or, since it was loaded, gone: nothing may be bound */
    struct timer retry;           /* while the store could not read the person */
    struct list lru_node;         /* linked while nothing needs the person in memory */
};

/* The person of that bare JID, loading if it is not in memory. Loop: its shard's. */
struct person *person_get(struct shard *s, const struct jid *bare);
/* Something ended for the person: perhaps nothing needs it in memory any more. */
void person_idle(struct person *p);
void person_destroy(struct person **p);
/* As exchange_with_person, but fn gets PERSON_NOBODY too and never NULL. Any thread. */
void person_visit(struct exchange *x, const char *bare, void (*fn)(struct person *p, void *user), void *user);

/* What sessions ask of the rest of the exchange. `contact` bare or full. */
enum roster_subscription { SUB_NONE, SUB_TO, SUB_FROM, SUB_BOTH };
enum roster_subscription person_subscription(struct person *p, const struct jid *contact);
/* In the roster with to, from, both, ask or pre-approval? */
bool person_knows(struct person *p, const struct jid *contact);
/* Directed presence still in force to that bare JID? */
bool person_directed_to(struct person *p, const struct jid *contact);
/* Does this person's archive get a message of that weight (message.h)? */
bool person_archives(const struct person *p, const struct stanza *msg);
/* A message of ours (prompt, notice, answer from a device) into this person's own inbox, as if it had
 * arrived: kept in "u:" and shown to links. `archive_peer` NULL: not archived. Borrowed. */
void person_deliver_own(struct person *p, struct stanza *msg, const char *archive_peer);
/* A message in this person's name to somebody else (answer from a device; from is set to the bare
 * JID): archived for the person, routed like one of a resource, kept; done after the commit, on any
 * loop. Borrowed. */
void person_send_as(struct person *p, struct stanza *msg, void (*done)(void *user, const struct error *e), void *user);
/* Rows are being moved into "u:" by an accepted request: stands in the person's lane from now on, so
 * that nothing newer passes them. event_ready, after the commit or its failure, gives links what is there. */
struct event *person_pending_moving(struct person *p);

#endif
