/* SPDX-License-Identifier: MIT */
/* Events and the lanes that keep their order. An event is something that concerns one actor: a local
 * person, or a pair of domains ("LOCAL REMOTE") that stanzas leave by. It is looked at when it arrives
 * (admit: decide, start the write that it needs) and done when everything before it in its lane is
 * done (perform). So writes are pipelined, and nothing overtakes what waits for its commit:
 * README.md, "The life of an event". */
#ifndef CAUSEWAY_EXCHANGE_EVENT_H
#define CAUSEWAY_EXCHANGE_EVENT_H

#include "gateway/base/arena.h"
#include "gateway/base/error.h"
#include "gateway/base/list.h"
#include "gateway/exchange/settle.h"
#include "gateway/exchange/message.h"
#include "gateway/exchange/session.h"
#include "gateway/store/journal.h"
#include "gateway/xmpp/stanza.h"

struct event;
struct exchange;
struct lane;
struct origin_mark;
struct pair;
struct person;
struct resource;

struct lane {
    struct list events; /* in order; the head waits for the store, or for its own answer */
    bool busy;          /* being run: no recursion */
};

enum event_state {
    EVENT_WAITS, /* event_ready has not been called yet */
    EVENT_READY, /* to be performed when it is at the head */
};

enum event_fate {
    EVENT_FINISHED, /* the lane ends it */
    EVENT_STAYS,    /* stays at the head until event_ready; then it is performed again */
    EVENT_MOVED,    /* it went on to another actor, or was kept by perform */
};

/* What an event is. Loop: the actor's. */
struct event_ops {
    const char *name;
    /* Arrived. READY, or WAITS: event_ready is called later (never from inside). NULL: READY. */
    enum event_state (*admit)(struct event *ev);
    enum event_fate (*perform)(struct event *ev);
};

/* A journal_keep under way for an event. */
struct event_keep {
    struct keep keep;
    struct event *ev;
    /* keep's own, when what came with the message writes too: a mark, or its stream's count. */
    bool (*also)(struct store_tx *tx, struct keep *k, struct error *e);
};

struct event {
    struct command cmd;
    struct list node;
    const struct event_ops *ops;
    enum event_state state;
    struct exchange *x;
    struct loop *loop;        /* the actor's; NULL: on its way */
    struct lane *lane;        /* where it is; NULL: on its way */
    struct person *person;    /* the actor; state NOBODY: there is no such account. NULL: a pair's */
    struct pair *pair;
    const struct jid *actor;  /* bare JID that it goes to; in st or arena. NULL: a pair's */
    struct stanza *st;        /* NULL: none */
    struct settle *settle;    /* NULL: nobody waits */
    struct resource *resource;/* a count: whose link it came from, or that it is for */
    struct event_keep *kept;  /* in arena; NULL: nothing is kept */
    uint64_t seq;             /* of the committed row; 0: not kept */
    struct origin_mark *mark; /* it was numbered by another community (origin.h): written down with what
                               * becomes of it; on_done's. NULL: no */
    uint64_t queue_seq;       /* row of the pair's queue that this error ends; 0: none */
    struct message_weight weight; /* of the message in st, once somebody weighed it */
    enum session_verdict verdict;
    enum stanza_error refused;/* admission's refusal */
    bool copies;              /* of a message in: clients that want copies get them (XEP-0280) */
    bool ours;                /* made by the gateway, not by a terminal or another community */
    bool sender_archives;     /* the local sender's archive gets it (decided at the sender's stage) */
    struct error error;       /* why the store did not keep it; code NONE: it did */
    void (*on_done)(void *user, const struct error *e); /* at the end; NULL: nobody asks */
    void *on_done_user;
    struct stanza *push;      /* roster push of what it changed, without `to`; NULL: none */
    void *data;               /* the ops' own; in arena */
    struct arena arena;       /* what lives as long as the event; the event itself lies in it */
};

/* `st` is counted anew; NULL: none. */
struct event *event_create(struct exchange *x, const struct event_ops *ops, struct stanza *st);
/* To the person (bare JID `actor`, local) on its loop. Takes over. Any exchange loop. */
void event_post(struct event *ev, const struct jid *actor);
/* To the pair of the domains of ev->st. Takes over. Any exchange loop. */
void event_post_pair(struct event *ev);
/* To the shard of `key`, for what has no actor: run finds the event with container_of and owns it. */
void event_post_shard(struct event *ev, const char *key, void (*run)(struct command *cmd));
/* Into a lane of an actor of this loop, behind what is there. Takes over. */
void event_submit(struct event *ev, struct lane *lane);
/* What admit or perform waited for has happened. */
void event_ready(struct event *ev);
/* Starts keep (ev->kept is made by event_keep_new); event_ready after the commit, ev->seq set, or
 * ev->error filled. */
struct keep *event_keep_new(struct event *ev);
void event_keep_start(struct event *ev);
/* Releases the settle and tells on_done: what must become of the event has. */
void event_settle(struct event *ev);
/* A new event for what follows from `ev`: takes over its settle, on_done and mark. */
struct event *event_follow(struct event *ev, const struct event_ops *ops, struct stanza *st);
void event_destroy(struct event **ev);
void event_destroy_all(struct list *events);

/* ev->weight is known then. */
void event_weigh(struct event *ev);

void event_lane_init(struct lane *l);
bool event_lane_is_empty(const struct lane *l);
/* Performs from the head while the head is ready. */
void event_lane_run(struct lane *l);

#endif
