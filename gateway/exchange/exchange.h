/* SPDX-License-Identifier: MIT */
/* The exchange: who is linked, and where a stanza goes. It owns all state of local people, split by
 * the hash of their bare JID over its loops (one, unless the machine needs more): no function
 * touches two people; what concerns another one is an event in that one's inbox. */
#ifndef CAUSEWAY_EXCHANGE_EXCHANGE_H
#define CAUSEWAY_EXCHANGE_EXCHANGE_H

#include "gateway/base/text.h"
#include "gateway/exchange/edge.h"
#include "gateway/exchange/listing.h"
#include "gateway/exchange/reach.h"
#include "gateway/exchange/service.h"
#include "gateway/store/store.h"

enum strangers_policy { STRANGERS_ASK, STRANGERS_DELIVER, STRANGERS_REFUSE };

/* Who may come to a community, and who may invite (XEP-0077, 0401, 0445). */
enum join_policy { JOIN_NOBODY, JOIN_INVITED, JOIN_ANYBODY };
enum invite_policy {
    INVITE_NOTHING,
    INVITE_CONTACTS,
    INVITE_ACCOUNTS
}; /* what people may; admins may always, unless nobody may come */
struct community_joining {
    enum join_policy who;
    enum invite_policy people;
    uint64_t invitation_ttl_s;   /* 0: 7 days */
    unsigned invitations_max;    /* open ones of a person; 0: 20 */
    unsigned accounts_per_hour, accounts_per_network; /* made in-band; 0: 100, and 10 */
    const char *page_url;        /* what a token is appended to, "https://.../invite/"; NULL: no page */
};

/* A local domain and its policies. */
struct community {
    const char *domain;
    const char *const *admins; /* bare JIDs, ends with NULL; NULL: none */
    bool archive;              /* default for its accounts */
    enum strangers_policy strangers; /* of other communities; one's own community is not strange */
    unsigned held_max;         /* messages a request holds; 0: 20 */
    uint64_t request_ttl_s;    /* 0: 7 days */
    struct community_joining joining;
    bool accounts_elsewhere; /* a directory has their passwords: they are neither made nor changed here */
};

/* Whoever has an account of such an address is an admin, so nobody gets one by asking. */
static inline bool community_lists_admin(const struct community *c, const char *bare)
{
    for (const char *const *admin = c->admins; admin && *admin; admin++)
        if (text_eq(*admin, bare))
            return true;
    return false;
}

/* A service outside that is attached here under a domain of ours (XEP-0114): the edge to other communities carries what
 * is for it. */
struct attached {
    const char *domain;
    const char *community; /* that lists it (XEP-0030); NULL: none does */
};

struct exchange_options {
    struct loop *const *loops; /* one a shard */
    unsigned loop_count;
    struct store *store;
    const struct community *communities; /* copied */
    unsigned community_count;
    const struct attached *attached; /* copied */
    unsigned attached_count;
    const struct service *const *services; /* ends with NULL; lives as long as the exchange */
    struct edge_remote *remote; /* NULL: federation is off; remote-server-not-found */
    struct reach *reach;        /* NULL: nobody is reached on devices */
    unsigned resources_max;     /* an account; 0: 10 */
};

struct exchange *exchange_create(const struct exchange_options *o);
/* Attaches what could only be made with the exchange; before exchange_start. */
void exchange_attach(struct exchange *x, struct edge_remote *remote, struct reach *reach);
/* Reads what was left pending (queues to communities, requests) and begins. */
void exchange_start(struct exchange *x);
/* After the edges are gone and the loops have stopped. */
void exchange_destroy(struct exchange **x);

/* Its policies; also of one that was ours since the start, whose people may still be asked about. NULL: never ours.
 * Whether it is ours now says exchange_is_local_domain. Any thread; what is returned stays until the end. */
const struct community *exchange_community(struct exchange *x, const char *domain);
/* From now on that domain is ours, with these policies (copied), and what waits in queues in its name goes on. Loop:
 * the first one's; before exchange_start any. */
void exchange_add_community(struct exchange *x, const struct community *c);
/* It is to be ours no more: the edges bring nothing for it (exchange_is_local_domain), nobody binds, its links end
 * (host-gone); then done on `reply_on`. What is on its way inside goes its way until exchange_forget_community. What
 * the store has of it stays there. Loop: the first one's, as of the next. */
void exchange_close_community(struct exchange *x, const char *domain, struct loop *reply_on,
                              void (*done)(void *user, unsigned ended), void *user);
void exchange_forget_community(struct exchange *x, const char *domain);
/* Services that are attached, whether they are there or not; they come and go as communities do. Any thread asks. */
void exchange_add_attached(struct exchange *x, const struct attached *a);
void exchange_remove_attached(struct exchange *x, const char *domain);
void exchange_attached_each(struct exchange *x, const char *community, void (*each)(void *user, const char *domain),
                            void *user);
/* An account was added, deleted, disabled or enabled, or has a new password, and that is committed. Links of one that
 * may not log in any more end (not-authorized), and what is in memory of the person is loaded anew. Any thread. */
void exchange_account_changed(struct exchange *x, const char *bare);
/* Whoever keeps something of accounts hears of each exchange_account_changed, on exchange_loop_of(bare). One, before
 * exchange_start. */
void exchange_watch_accounts(struct exchange *x, void (*changed)(void *user, const char *bare), void *user);
/* The account was deleted, and that is committed: those who see it, or were to, are told (unsubscribe, unsubscribed),
 * if it is in memory. Before exchange_account_changed. Any thread. */
void exchange_take_leave(struct exchange *x, const char *bare);
/* By an invitation of `inviter` the account `invited` was made, with the inviter among its contacts; both are bare JIDs
 * and that is committed. The inviter's own roster gets it too, once (invitations.h: until then it is asked again at
 * each start). Any thread. */
void exchange_introduce(struct exchange *x, const char *inviter, const char *invited);
/* Ends the links of a local account, or the one of a full JID, with that stream error; then done, on
 * `reply_on`. Any thread. */
void exchange_end_links(struct exchange *x, const struct jid *who, enum stream_error why, struct loop *reply_on,
                        void (*done)(void *user, unsigned ended), void *user);
/* The same for what was revoked: links of the installation `agent` (NULL: of all), but not those of `but` (NULL: none
 * is spared); and not the one of the full JID `but_link` (NULL: none is spared). */
struct exchange_revocation {
    const struct jid *account; /* bare */
    const char *agent, *but;
    const struct jid *but_link;
};
void exchange_end_clients(struct exchange *x, const struct exchange_revocation *which, struct loop *reply_on,
                          void (*done)(void *user, unsigned ended), void *user);
/* The table of links (listing.h): key NULL or a bare JID. */
struct listing exchange_links(struct exchange *x);

#endif
