/* SPDX-License-Identifier: MIT */
/* The exchange's inside: shards and what all of them share. Only files of this folder include it. */
#ifndef CAUSEWAY_EXCHANGE_EXCHANGE_INTERNAL_H
#define CAUSEWAY_EXCHANGE_EXCHANGE_INTERNAL_H

#include <stdatomic.h>

#include "gateway/base/arena.h"
#include "gateway/base/list.h"
#include "gateway/base/map.h"
#include "gateway/base/registry.h"
#include "gateway/exchange/exchange.h"
#include "gateway/exchange/revocation.h"

enum {
    SHARD_IDLE_PERSONS = 10000, /* kept in memory without a link */
    SHARD_IDLE_PAIRS = 1000, /* also origins */
    ANSWERS_KEPT_MAX = 2000,
};

/* One loop's part of the people and of the pairs. */
struct shard {
    struct exchange *x;
    struct loop *loop;
    struct map persons;  /* bare JID -> struct person */
    struct map pairs;    /* "LOCAL REMOTE" -> struct pair */
    struct map origins;  /* "REMOTE LOCAL" -> struct origin */
    struct list idle;    /* persons that nothing needs, the longest idle first */
    unsigned idle_count;
    uint64_t stream_count; /* resources bound so far */
};

/* A handler of services, by namespace and element; in the order of the services' list. */
struct iq_entry {
    const struct service_iq *iq;
    struct iq_entry *next;
};

/* Set up before anything runs; read by every loop afterwards. Communities alone come and go. */
struct exchange {
    struct shard *shards;
    unsigned shard_count;
    struct store *store;
    struct registry communities;     /* domain -> struct hosted (exchange_communities.c) */
    struct hosted *hosted;           /* all there ever were; owned */
    struct registry attached;        /* domain -> struct attachment (exchange_attached.c) */
    _Atomic(struct attachment *) attachments; /* all there ever were; owned */
    const struct service **services; /* ours first; ends with NULL */
    struct map iqs;                  /* "ns element" -> struct iq_entry */
    struct map service_states;       /* name of a service -> what it keeps; not owned */
    struct edge_remote *remote;      /* NULL: none */
    struct reach *reach;             /* NULL: none */
    struct session_sweep *sweep;     /* of requests whose time is over */
    void (*account_changed)(void *user, const char *bare); /* NULL: nobody watches */
    void *account_user;
    unsigned resources_max;
    uint64_t created_mono_ms;
    atomic_uint answers_kept;        /* errors of ours that wait for other communities (route.c) */
    struct revocations revocations;  /* of any thread */
    bool started;
    struct arena arena;              /* what stands above */
};

struct shard *exchange_shard_of(struct exchange *x, const char *key);
/* The handlers for an iq payload; NULL: none. */
const struct iq_entry *exchange_iq_entries(struct exchange *x, const struct element *payload);
/* Of a domain that we serve, or that is being closed: what is on its way there still goes there. */
bool exchange_is_local(struct exchange *x, const struct jid *j);
/* As exchange_is_local, or of a service that is attached: it comes from us, or is for us. */
bool exchange_is_ours(struct exchange *x, const struct jid *j);
void exchange_attached_fini(struct exchange *x);
/* As exchange_community; for one that was never ours: of somebody who has nothing and may nothing. */
const struct community *exchange_community_or_none(struct exchange *x, const char *domain);
/* The shortest life of a request for contact that any of them gives; UINT64_MAX: there is none. */
uint64_t exchange_shortest_request_s(struct exchange *x);
void exchange_communities_fini(struct exchange *x);
/* Rows that wait to leave for other communities: the edge looks at them. `domain`: of its pairs alone; NULL: all. */
void exchange_wake_pairs(struct exchange *x, const char *domain);

/* The way out to one other community, for one of our domains (pair.c). */
struct pair *pair_get(struct shard *s, const char *name);
struct lane *pair_lane(struct pair *p);
const char *pair_queue(const struct pair *p); /* "s:LOCAL REMOTE" */
void pair_idle(struct pair *p);               /* its lane may be empty */
void pair_destroy(struct pair **p);

#endif
