/* SPDX-License-Identifier: MIT */
/* A person's roster in memory (RFC 6121 section 2), its writes and pushes. Memory changes at once and
 * the write follows; what others see of a change happens after its commit. Internal. */
#ifndef CAUSEWAY_EXCHANGE_ROSTER_H
#define CAUSEWAY_EXCHANGE_ROSTER_H

#include "gateway/base/map.h"
#include "gateway/exchange/event.h"
#include "gateway/exchange/subscription.h"
#include "gateway/store/rosters.h"

enum { ROSTER_ITEMS_MAX = 5000, ROSTER_NAME_MAX = 1023, ROSTER_GROUPS_MAX = 32,
       ROSTER_GROUPS_BYTES = 4096 /* of all names of an item */ };

struct roster_item {
    struct jid *contact;          /* bare; owned */
    char *name;                   /* NULL: none; owned */
    char *groups;                 /* joined by '\n'; never NULL; owned */
    enum subscription_state state;
    bool approved;                /* RFC 6121 3.4 */
    bool in_roster;               /* false: only a pending request in */
    struct stanza *request;       /* the subscribe that waits for its answer; NULL: none; counted */
    int64_t version;
};

struct roster {
    struct map items;             /* by contact->bare */
    int64_t version;
};

struct roster *roster_create(const struct roster_load *l);
void roster_destroy(struct roster **r);
struct roster_item *roster_find(struct roster *r, const char *contact_bare); /* NULL: none */
/* Walks the items in no order. */
#define roster_each(item, r)                                                                       \
    for (size_t item##_at = 0, item##_once = 1; item##_once; item##_once = 0)                      \
        for (struct roster_item *item; (item = map_next(&(r)->items, &item##_at));)

/* What an item was before a change, for a store that refuses. */
struct roster_change;
/* Begins a change of the contact's item for `ev` (made if it is not there: state NONE, not in the
 * roster; NULL: ROSTER_ITEMS_MAX is reached). Change it, then call roster_commit once. */
struct roster_item *roster_begin(struct event *ev, const struct jid *contact, struct roster_change **c);
/* Before roster_commit: `also` is part of the same transaction; when it refuses, nothing is changed. `user` lives as
 * long as the event. */
void roster_also(struct roster_change *c, bool (*also)(struct store_tx *tx, void *user, struct error *e), void *user);
/* Writes it; an item that holds nothing any more (or `remove`) goes. event_ready(ev) comes after the
 * commit; if the store refused, ev->error is filled and memory is as it was before. */
void roster_commit(struct event *ev, struct roster_change *c, bool remove);
/* After the commit: pushes the item as it was committed, or its removal, to the interested resources;
 * nothing if it is not in the roster. */
void roster_push(struct event *ev);

/* -- as XML */
struct builder;
void roster_build_query(struct builder *b, int64_t version); /* leaves <query/> open */
void roster_build_item(struct builder *b, const struct roster_item *i);
/* A push without `to`; i NULL: the contact's removal. */
struct stanza *roster_build_push(const struct person *p, const struct roster_item *i, const char *contact,
                                 int64_t version);
struct stanza *roster_build_row_push(const struct person *p, const struct roster_row *row, bool removed);

/* <iq type='get'/> and 'set' of jabber:iq:roster from the account itself. */
extern const struct event_ops roster_get_ops, roster_set_ops;

#endif
