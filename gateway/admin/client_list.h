/* SPDX-License-Identifier: MIT */
/* The clients of an account: installations that log in by a token (XEP-0484), and links that are there. Who shows them
 * (client_table.h, client_access.c) knows neither the store nor the exchange. */
#ifndef CAUSEWAY_ADMIN_CLIENT_LIST_H
#define CAUSEWAY_ADMIN_CLIENT_LIST_H

#include "gateway/exchange/exchange.h"
#include "gateway/exchange/listing.h"
#include "gateway/store/store.h"

enum client_link { CLIENT_NOT_LINKED, CLIENT_RESUMABLE, CLIENT_LINKED };

struct client {
    const char *id;             /* of the installation, or the full JID of the link */
    const char *name;           /* as it names itself, or the link's resource */
    const char *software;       /* NULL or "": not told */
    int64_t first_us, seen_us;  /* 0: not known; seen_us as client_row has it */
    enum client_link link;
    bool has_token;
    bool by_certificate;        /* a link that showed no password */
    bool own;                   /* the asker's */
    struct client *next;
};

/* One question; the asker's, until done. */
struct client_list {
    struct exchange *exchange;
    struct loop *loop;  /* of the exchange; where done comes */
    const char *bare;   /* whose; it lives on, as `asker` does */
    const struct jid *asker; /* full */
    unsigned limit;     /* links that are looked at */
    void (*done)(struct client_list *l, const struct error *e); /* exactly once, later */
    struct client *first, **end; /* out; in query.arena */
    struct listing_query query;  /* arena_fini(&query.arena) after */
    struct store_job job;
};
void client_list_ask(struct client_list *l);

/* Takes what one, or all others, were given to log in with, and ends their links. */
struct client_revoke {
    struct exchange *exchange;
    struct loop *loop;
    const struct jid *account; /* bare; it lives on, as all here does */
    const char *id;            /* as the list has it; NULL: all but the asker's */
    const struct jid *asker;   /* full; with id NULL */
    const char *own;           /* with id NULL: the asker's installation; "": not told */
    void (*done)(struct client_revoke *r, const struct error *e); /* exactly once, later, on `loop` */
    bool was_known;            /* out: it had a token, or a link */
    unsigned ended;            /* out: links */
    struct store_job job;
};
/* `id` may be a link (has a resource) of another account: then nothing is done, and it is not known. */
void client_list_revoke(struct client_revoke *r);

#endif
