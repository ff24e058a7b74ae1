/* SPDX-License-Identifier: MIT */
/* The communities that the gateway serves, over all of its parts: what each part is told when one
 * comes while it runs, and in which order a community goes.
 *
 * What is a community's own for longer than a part holds it (its directory) is here. */
#ifndef CAUSEWAY_COMMUNITIES_H
#define CAUSEWAY_COMMUNITIES_H

#include "gateway/config.h"

struct c2s;
struct certificates;
struct certificates_pair;
struct deny_lists;
struct communities;
struct directory;
struct store;

struct communities_parts {
    struct loop *loop; /* of all that follows */
    struct store *store;
    struct exchange *exchange;
    struct c2s *c2s;
    struct s2s *s2s;
    struct deny_lists *deny_lists;
    struct contact_router *router;
    struct certificates *certificates;
};

/* Those of the start. The parts are told of them when they are made; `c` is only read. */
struct communities *communities_create(const struct config *c);
/* Where the passwords of each are, in the order of `c`; NULL in it: here. */
struct directory *const *communities_directories(const struct communities *s);
void communities_attach(struct communities *s, const struct communities_parts *parts);
/* `pair` is taken over. false and *e: nothing has changed, but `pair` is gone. */
MUST_USE bool communities_add(struct communities *s, const struct config_community *cc,
                              struct certificates_pair *pair, struct error *e);
/* Their streams end (host-gone), messages that are on their way are kept, what waits in their
 * queues and all that the store has of them stays there. on_gone later, once, when they may come
 * again; one call at a time. */
void communities_remove(struct communities *s, const char *const *domains, unsigned count,
                        void (*on_gone)(void *user), void *user);
/* Services that attach: at once, both ways. `pair` is taken over; NULL: it has none. */
void communities_attach_service(struct communities *s, const struct config_component *cc,
                                struct certificates_pair *pair);
/* Its stream ends; what waits for it stays in the store. */
void communities_detach_service(struct communities *s, const char *domain);
/* The gateway goes down: a removal that is under way goes no further. */
void communities_stop(struct communities *s);
/* After the parts. */
void communities_destroy(struct communities **s);

#endif
