/* SPDX-License-Identifier: MIT */
/* The edge to devices: reaches people who have no link, by the devices that they listed, and brings
 * back what the devices say. Implements struct reach (gateway/exchange/reach.h).
 * Design: contact-router/README.md. All of it runs on one loop, `options.loop`, except that the
 * reach_ops may be called on any exchange loop. */
#ifndef CAUSEWAY_CONTACT_ROUTER_CONTACT_ROUTER_H
#define CAUSEWAY_CONTACT_ROUTER_CONTACT_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/error.h"
#include "gateway/exchange/listing.h"
#include "gateway/exchange/reach.h"
#include "gateway/net/http_client.h"
#include "gateway/net/http_server.h"
#include "gateway/net/lmtp_server.h"
#include "gateway/net/loop.h"
#include "gateway/net/mail_client.h"
#include "gateway/store/store.h"

struct contact_router;

struct contact_router_pair { const char *name, *value; };

/* An account at an outside API, as the configuration names it. */
struct contact_router_provider {
    const char *name;    /* [a-z0-9-]+; stands in the addresses of its webhooks */
    const char *profile; /* path of the profile, or the name of a shipped one */
    const struct contact_router_pair *options; /* of the profile's [options]; ends with name NULL; NULL: none */
    const struct contact_router_pair *secrets; /* all of the profile's [secrets]; same shape */
    const char *from;    /* the number or sender id we write from: E.164 where answers shall come back */
    const char *const *communities; /* domains that use it; ends with NULL; NULL: every one */
    bool allow_http;     /* its address may be plain http (loopback, a trusted network) */
    /* Why it is off whatever its profile says (a secret's file cannot be used), with the files' paths for the log and
     * the console, and without them for who looks from afar. NULL: nothing is wrong that is known. */
    const char *off, *off_seen;
};

struct contact_router_community {
    const char *domain;
    const char *mail_url;      /* "smtp://host:port" or "smtps://..."; NULL: no e-mail devices */
    const char *mail_from;     /* address; NULL: "notify@DOMAIN" */
    const char *mail_user, *mail_password; /* NULL: none */
    const char *mail_answers;  /* reply@capulet.example: answers come back to reply+TOKEN there, by LMTP; NULL: answers
                                * by mail are not received (the mail says so) */
    bool mail_require_tls;
    unsigned sms_per_day;      /* the budget; 0: no text messages and no pages at all */
    unsigned calls_per_day;    /* the budget for telephone calls; 0: none */
    unsigned gather_seconds;   /* a device hears of one conversation at most once in so long; 0: of each message */
    const char *const *sms_prefixes; /* "+44", ...; ends with NULL; NULL: no numbers at all. For calls too */
};

struct contact_router_options {
    struct exchange *exchange;
    struct store *store;
    struct loop *loop;         /* its clock is the clock of all that is decided here */
    struct http_client *http;  /* of the same loop */
    struct mail_client *mail;  /* of the same loop; NULL: no mail is sent */
    const struct contact_router_community *communities;
    unsigned community_count;
    const struct contact_router_provider *providers;
    unsigned provider_count;
    const char *public_url;    /* as the world reaches our HTTP server, without a slash at the end:
                                * "https://gw.capulet.example:5281"; NULL: no webhooks, so no answers */
    const char *profile_dir;   /* shipped profiles; NULL: the installed ones */
    const char *zone_dir;      /* NULL: /usr/share/zoneinfo */
    const char *speech_program; /* NULL: /usr/bin/espeak-ng */
    const char *mail_reader;    /* NULL: the installed causeway-mail-reader */
};

/* Checks and copies everything; reads the profiles. NULL and *e filled: what is wrong. A provider whose profile,
 * options or secrets have a mistake (or that has an `off`) is only off (contact_router_off): the others go on.
 * Also what `causeway check` calls: exchange, store, loop, http and mail may be NULL then, and only
 * contact_router_destroy may follow. */
MUST_USE struct contact_router *contact_router_create(const struct contact_router_options *o, struct error *e);
/* Communities that come while it runs, and go; what is under way for one that goes is given up where it next asks for
 * it. Copied. false and *e: what is wrong with it. Loop: options.loop. */
MUST_USE bool contact_router_add_community(struct contact_router *r, const struct contact_router_community *c,
                                           struct error *e);
void contact_router_remove_community(struct contact_router *r, const char *domain);
/* Which providers are off, and why: "provider NAME is off: FILE:LINE: what is wrong"; NULL behind the last. */
const char *contact_router_off(const struct contact_router *r, unsigned index);
/* Give it to the exchange (exchange_options.reach or exchange_attach). */
struct reach *contact_router_reach(struct contact_router *r);
/* Tables for people to look at (gateway/exchange/listing.h), from contact_router_listing.c:
 *   "outbox"     deliveries without their texts, the newest first; key: an account, or the ref of one
 *   "providers"  of the community, with the address for their webhooks
 *   "devices"    key: the account
 *   "plan"       what would be done; key: "ACCOUNT PEER KIND URGENCY AT_US" (KIND: message, request; AT_US 0: now)
 *   "rules"      key: the account; in words, then in the parts of a form */
enum { CONTACT_ROUTER_LISTINGS = 5 };
struct listing contact_router_listing(struct contact_router *r, unsigned index);
/* After exchange_start: resumes what had not ended. Loop: options.loop. */
void contact_router_start(struct contact_router *r);
/* Stops taking new work. What is at a provider is given up: it is in doubt, as after a crash. Before
 * the http client and the loop go. NULL is harmless. Loop: options.loop, or none any more. */
void contact_router_stop(struct contact_router *r);
/* After contact_router_stop and store_close (no job of ours may be under way). */
void contact_router_destroy(struct contact_router **r);

/* Requests whose target begins with "/hook/" (webhooks of providers) or "/audio/" (what a call says). Answers exactly
 * once, later.
 * Loop: options.loop (the HTTP server must live there). */
void contact_router_on_request(struct contact_router *r, struct http_exchange *x, const struct http_incoming *in);
/* Mails that came by LMTP; for lmtp_server_options. Loop: options.loop. */
const char *contact_router_refuse_recipient(struct contact_router *r, const char *recipient);
void contact_router_on_mail(struct contact_router *r, struct lmtp_mail *m, const struct lmtp_incoming *in);
/* Webhooks that were refused because their signature or address was not right. Loop: options.loop. */
uint64_t contact_router_hooks_refused(const struct contact_router *r);
/* What the admin enters at the provider as the address for incoming texts. NULL: no such provider, no
 * public_url, or neither start nor load_addresses was called. Valid until destroy. */
const char *contact_router_inbound_url(struct contact_router *r, const char *provider);
/* Makes those addresses known without starting, for a tool beside the gateway: only `store` is needed. */
MUST_USE bool contact_router_load_addresses(struct contact_router *r, struct error *e);

#endif
