/* SPDX-License-Identifier: MIT */
/* What the files of the router share. Everything here belongs to `loop`, except what is said to be
 * constant: that is also read by jobs on the store's threads. */
#ifndef CAUSEWAY_CONTACT_ROUTER_ROUTER_INTERNAL_H
#define CAUSEWAY_CONTACT_ROUTER_ROUTER_INTERNAL_H

#include "contact-router/contact_router.h"
#include "contact-router/outbox_store.h"
#include "contact-router/provider.h"
#include "contact-router/zone_cache.h"
#include "gateway/base/map.h"
#include "gateway/base/registry.h"
#include "gateway/net/timer.h"
#include "gateway/store/secret.h"

/* A provider at work. */
struct router_provider {
    struct provider *provider; /* owned; constant */
    const char *inbound_url;   /* NULL before start */
    unsigned in_flight;
    unsigned sent_this_second;
    uint64_t second_mono_ms;   /* when that second began */
};

/* One that the configuration names and that is off: its profile, options or secrets have a mistake. Constant. */
struct router_off {
    const char *name, *why; /* "provider NAME is off: FILE:LINE: ..." */
    const char *seen;       /* the same without paths, for admins who look from afar: "...: profile:LINE: ..." */
    const char *const *communities; /* NULL: every one */
};

/* Constant. */
struct router_community {
    struct contact_router_community c;
    struct router_community *older;
    struct arena arena; /* its texts */
};

struct contact_router {
    struct reach reach;     /* first: what the exchange holds */
    struct arena arena;     /* constant texts */
    struct exchange *exchange;
    struct store *store;
    struct loop *loop;
    struct http_client *http;
    struct mail_client *mail;
    const char *public_url, *zone_dir, *speech_program;
    const char *help;       /* for people who write to the domain */
    struct registry communities;              /* domain -> struct router_community; any thread */
    struct router_community *all_communities; /* owned: also those that went, which other threads may hold */
    struct router_provider *providers;
    unsigned provider_count;
    struct router_off *off;
    unsigned off_count;
    const char *names_on, *names_off; /* of providers, as outbox_query.h has them; constant */
    unsigned char hook_key[SECRET_LEN]; /* signs capability addresses; set by start */
    struct speech *speech;  /* while running */
    struct zone_cache zones; /* of the store's writing thread: planning and taking */
    bool running;
    unsigned jobs;          /* at the store or at the exchange */
    /* worker.c */
    bool taking, take_again;
    struct timer due_timer, sweep_timer;
    struct list flights;
    unsigned mails_in_flight;
    /* returns_mail.c */
    const char *mail_reader;
    struct list mails;      /* not read yet */
    unsigned mails_reading; /* children */
    /* returns.c, returns_http.c */
    uint64_t hooks_refused;
    struct map answering;   /* dedup keys of answers under way */
};

/* NULL: not one of ours. Any thread. */
const struct contact_router_community *contact_router_community(const struct contact_router *r, const char *domain);
/* The provider that sends to such devices for a community: the first that can; NULL: none. Any thread. */
const struct provider *contact_router_sender(const struct contact_router *r, const char *domain, enum device_kind k);
/* Is it a number that some provider of ours writes from? It would answer itself. Any thread. */
bool contact_router_is_ours(const struct contact_router *r, const char *address);
/* May messages go to that address from that community? Whatever may be a telephone number must be allowed as one. Any
 * thread. */
bool contact_router_address_allowed(const struct contact_router *r, const struct contact_router_community *c,
                                    enum device_kind k, const char *address);
/* PROFILE_KINDS: no provider is asked (e-mail). */
enum profile_kind contact_router_profile_kind(enum device_kind k);
/* Any thread. */
bool contact_router_is_off(const struct contact_router *r, const char *provider);
struct router_provider *contact_router_provider_named(struct contact_router *r, const char *name);
/* May a text message go to that number from that community? Any thread. */
bool contact_router_number_allowed(const struct contact_router_community *c, const char *e164);
int64_t contact_router_now_us(const struct contact_router *r);

/* planning.c: plans the events of `callee`; NULL: all there are. */
void planning_run(struct contact_router *r, const char *callee);
/* What waits for the callee (about `peer`; NULL: anybody) is not needed any more. */
void planning_stop(struct contact_router *r, const char *callee, const char *peer);

/* Appends what would be done for such an event at its time (at_us 0: now), in words; nothing is written.
 * Inside a transaction. */
MUST_USE bool planning_foresee(struct contact_router *r, struct store_tx *tx, const struct reach_event *ev,
                               struct bytes *words, struct error *e);

/* worker.c */
void worker_start(struct contact_router *r); /* what was in flight when the process died; then goes on */
void worker_kick(struct contact_router *r);  /* something new may be due */
void worker_stop(struct contact_router *r);

/* device_commands.c */
void device_commands_run(struct contact_router *r, const char *account, const char *domain, const char *line,
                         void (*reply)(void *user, enum stanza_error refused, const char *text), void *user);

/* returns_http.c: the webhooks, and their capability addresses (appended; kind "status"). */
void returns_http_request(struct contact_router *r, struct http_exchange *x, const struct http_incoming *in);
void returns_http_url(const struct contact_router *r, const char *provider, const char *kind, const char *ref,
                      int64_t expires_s, struct bytes *out);
void returns_http_inbound_url(const struct contact_router *r, const char *provider, struct bytes *out);

#endif
