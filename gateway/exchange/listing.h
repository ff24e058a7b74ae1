/* SPDX-License-Identifier: MIT */
/* A table that a part of the gateway gives of itself, for people to look at: links, streams, deliveries,
 * providers. Read-only, as text, so that who shows it (gateway/admin) knows nothing of who gives it (the
 * edges, the exchange). compose.c lists them. */
#ifndef CAUSEWAY_EXCHANGE_LISTING_H
#define CAUSEWAY_EXCHANGE_LISTING_H

#include "gateway/base/arena.h"
#include "gateway/base/error.h"
#include "gateway/net/loop.h"

enum { LISTING_COLUMNS_MAX = 24 };

struct listing_column {
    const char *var, *label; /* var NULL ends the list */
};

struct listing_row {
    const char *cells[LISTING_COLUMNS_MAX]; /* NULL: empty */
    struct listing_row *next;
};

/* One question, and what is answered to it. The asker's, until done. */
struct listing_query {
    const char *domain; /* the community; only what concerns it is given */
    const char *key;    /* narrows; what it means each listing says; NULL: all */
    unsigned limit;     /* rows; > 0 */
    struct loop *reply_on;
    void (*done)(struct listing_query *q, const struct error *e); /* exactly once, later, on reply_on */
    struct arena arena; /* arena_init before, arena_fini after */
    struct listing_row *first, *last; /* out; in `arena` */
    unsigned count;
    bool more;          /* out: there are more than `limit` */
    struct command cmd; /* the giver's, while it is under way */
    void *giver;        /* the same */
};

struct listing {
    const char *name; /* "links" */
    const struct listing_column *columns;
    void (*ask)(const struct listing *l, struct listing_query *q); /* any exchange loop */
    void *of; /* the part */
};

/* A row more, to be filled; NULL: the limit is reached, and q->more is set. */
struct listing_row *listing_add(struct listing_query *q);
/* Ends the question from whatever loop, *e is copied. */
void listing_end(struct listing_query *q, const struct error *e);
/* Cells. */
const char *listing_number(struct listing_query *q, unsigned long long n);
const char *listing_time(struct listing_query *q, int64_t unix_us); /* 0: NULL */

#endif
