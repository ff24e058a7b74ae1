/* SPDX-License-Identifier: MIT */
/* Reports of spam and abuse (XEP-0377), for the admins of who reports. Bounded: the newest of each reporter and
 * each community; a newer one of the same JID by the same reporter takes the place of the older. */
#ifndef CAUSEWAY_STORE_REPORTS_H
#define CAUSEWAY_STORE_REPORTS_H

#include "gateway/base/arena.h"
#include "gateway/store/store.h"

enum { REPORTS_OF_ONE_MAX = 50, REPORTS_MAX = 1000 /* a community */ };

struct report {
    const char *reporter; /* bare JID */
    const char *jid;      /* whom it is about */
    const char *reason;   /* "urn:xmpp:reporting:spam" or another name */
    const char *words, *messages; /* "": none */
    bool to_origin, to_others;    /* may be told to its server; to third parties */
    int64_t at_us;        /* set when it is kept */
};

/* Write: all of one reporter of one community, oldest first. Whoever asks sets job.done. */
struct reports_put {
    struct store_job job;
    const char *community;
    const struct report *all;
    unsigned count;
};
void reports_put(struct store *s, struct reports_put *p);

/* Read: newest first; after done in `all` (in `arena`, which is the caller's). */
struct reports_get {
    struct store_job job;
    struct arena arena;
    const char *community;
    const char *jid; /* about it alone; NULL: all */
    unsigned limit;
    struct report *all;
    unsigned count;
};
void reports_get(struct store *s, struct reports_get *g);

#endif
