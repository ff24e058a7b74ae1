/* SPDX-License-Identifier: MIT */
/* Before a transfer: the URL's host is resolved by our resolver and each address asked of the egress guard,
 * so that curl asks nobody. Inside gateway/net. */
#ifndef CAUSEWAY_NET_CURL_RESOLVE_H
#define CAUSEWAY_NET_CURL_RESOLVE_H

#include "gateway/net/curl_pool.h"

/* Lies in the call. */
struct curl_resolve {
    /* the caller's, before the start; what they point to lives longer */
    CURL *easy;
    CURLU *url;
    struct curl_pool_guard *guard;
    const char *what; /* whose URL it is, for errors */
    /* Once, unless it was cancelled; may release the call. code NONE: curl may begin. */
    void (*on_done)(struct curl_resolve *r, const struct error *e);
    /* its own */
    struct dns_query *query; /* NULL: none is under way */
    struct curl_slist *list;
};

/* on_done comes later, or at once if the URL names no host. Loop: the resolver's. */
void curl_resolve_start(struct curl_resolve *r, struct dns *dns);
void curl_resolve_cancel(struct curl_resolve *r); /* harmless when nothing is under way */
void curl_resolve_fini(struct curl_resolve *r);   /* after the handle */

#endif
