/* SPDX-License-Identifier: MIT */
/* What answers to a namespace. A service is a const struct; compose.c lists them in order, and disco
 * and the README's table of XEPs are made of that same list. Loop: the shard of the person addressed
 * (for a domain: the shard of the asker). */
#ifndef CAUSEWAY_EXCHANGE_SERVICE_H
#define CAUSEWAY_EXCHANGE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/error.h"
#include "gateway/base/list.h"
#include "gateway/xmpp/stanza.h"

struct exchange;
struct jid;
struct person;
struct resource;
struct settle;

enum service_result { SERVICE_PASS, SERVICE_HANDLED };

/* Where an iq must be addressed for a handler to see it. */
enum service_at {
    AT_DOMAIN = 1,  /* a local domain */
    AT_ACCOUNT = 2, /* a local bare JID, asked by its owner (also: no `to`) */
    AT_OTHER = 4,   /* a local bare JID, asked by somebody else */
};

struct service_iq {
    const char *element, *ns; /* the iq's payload */
    unsigned types;           /* 1 << IQ_GET | 1 << IQ_SET */
    unsigned at;              /* enum service_at, ored */
    /* Answer with exchange_answer, now or later; HANDLED promises an answer. `who` is the addressed
     * account (NULL: a domain). Borrowed; take counts to keep. */
    enum service_result (*handle)(struct exchange *x, struct person *who, struct stanza *iq);
};

/* Stands in the README's table too: lint compares. `note`: what of it, where not all; NULL: all. */
struct service_xep { const char *number, *version, *note; };

struct service {
    const char *name;
    const struct service_xep *xeps;        /* ends with number NULL; NULL: none */
    const char *const *domain_features;    /* disco#info of the domain; ends with NULL; NULL: none */
    const char *const *account_features;   /* disco#info of a bare JID */
    const struct service_iq *iqs;          /* ends with element NULL; NULL: none */
    /* A message addressed to a local domain (not to an account); NULL: none. */
    enum service_result (*on_domain_message)(struct exchange *x, struct stanza *msg, struct settle *s);
};

/* Sends an answer (or any stanza) of ours to wherever its `to` is; from must be set. Takes over the
 * count. Any exchange loop. */
void exchange_answer(struct exchange *x, struct stanza *st);
/* exchange_answer(build_error(...)); harmless where RFC 6120 forbids an error. */
void exchange_refuse(struct exchange *x, const struct stanza *st, enum stanza_error e, const char *text);
/* Since exchange_create. */
uint64_t exchange_uptime_s(struct exchange *x);
const struct service *const *exchange_services(struct exchange *x); /* ends with NULL */
/* What a service keeps beside its const struct: whoever made the state gives it before exchange_start, and
 * owns it. NULL: it has none. */
void exchange_service_set(struct exchange *x, const struct service *s, void *state);
void *exchange_service_state(struct exchange *x, const struct service *s);
struct reach;
struct reach *exchange_reach(struct exchange *x); /* NULL: nobody is reached on devices */
struct store;
struct store *exchange_store(struct exchange *x);

/* Runs fn with the person loaded, in the order of its inbox, on its loop. `exists` false: no such
 * account (person is NULL). Any thread. */
void exchange_with_person(struct exchange *x, const char *bare,
                          void (*fn)(struct person *p, void *user), void *user);
const struct jid *person_jid(const struct person *p);
struct loop *person_loop(const struct person *p);
/* Dear work that a link asked for, as a page of the archive: one at a time for each link, in order; some wait.
 * Lies in the service's object. Loop: the person's. */
struct turn {
    struct list node;
    const struct jid *asker; /* lives as long as the turn */
    /* Its turn has come; person_turn_end later, not from inside. Or is_there is false: the link has gone, nothing
     * needs to be done and person_turn_end is not called. */
    void (*run)(struct turn *t, bool is_there);
};
/* The person stays in memory until the end of it. false: too many wait; nothing was done. */
MUST_USE bool person_turn(struct person *p, struct turn *t);
void person_turn_end(struct person *p, struct turn *t);
/* XEP-0191. Each JID that the person has blocked, as text, in no order; whoever asked by `iq` (NULL: nobody)
 * hears of changes from now on. */
void blocklist_each(struct person *p, struct stanza *iq, void (*each)(void *user, const char *jid), void *user);
/* Blocks or unblocks them; done after the commit, later, also when nothing had to change. false: the list would
 * become too long; nothing was done. */
MUST_USE bool blocklist_set(struct person *p, const struct jid *const *jids, unsigned count, bool block,
                           void (*done)(void *user, const struct error *e), void *user);
/* The bound resource `full` of that person wants copies of messages (XEP-0280), or no more. false: there is
 * none of that name. Forgotten when it is unbound. */
bool person_want_carbons(struct person *p, const struct jid *full, bool on);
/* Some resource is available, whatever its priority. */
bool person_is_available(const struct person *p);
/* A resource that takes messages, and is active, inactive, or hibernating for less than a minute. */
bool person_is_linked(const struct person *p);

#endif
