/* SPDX-License-Identifier: MIT */
/* libcurl's multi interface on a loop: what http_client.c and mail_client.c share. Inside
 * gateway/net. Every socket that curl opens is asked of the egress guard; a connection that is kept
 * is not asked again, so a pool is for one purpose. */
#ifndef CAUSEWAY_NET_CURL_POOL_H
#define CAUSEWAY_NET_CURL_POOL_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "gateway/net/dns.h"
#include "gateway/net/egress.h"
#include "gateway/net/loop.h"

struct curl_pool;

/* The egress guard, TLS and the schemes that are allowed are options too: one that this libcurl does not take
 * must not go by in silence. */
#define CURL_POOL_SET(easy, option, value) CHECK(curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

/* `on_done`: a transfer is over, its handle is no longer in the pool (clean it up); never from
 * inside curl_pool_start or curl_pool_stop. Loop: l. */
struct curl_pool *curl_pool_create(struct loop *l, void (*on_done)(void *user, CURLcode rc));
/* All transfers were stopped or are done. Kept connections are cut, so that curl does not wait for
 * last words of the peer. The memory goes when libuv lets go of it. */
void curl_pool_destroy(struct curl_pool **p);

enum { CURL_POOL_ADDRESSES = 8 }; /* of a name that are tried */

/* What a transfer tells the pool; lives as long as its handle. */
struct curl_pool_guard {
    struct curl_pool *pool;
    const struct egress *egress;
    enum egress_purpose purpose;
    struct error refused; /* what the guard said last */
    unsigned opened;      /* sockets that it let through */
    void *user;           /* for on_done */
    bool can_be_cut;      /* keep duplicates of its sockets, for curl_pool_cut */
    int held[CURL_POOL_ADDRESSES];
    atomic_uint held_count;
};

/* Cuts the sockets of a transfer that can be cut. Any thread, also while curl blocks in one of
 * them. */
void curl_pool_cut(struct curl_pool_guard *g);
void curl_pool_guard_fini(struct curl_pool_guard *g); /* after the handle */

/* Sets what every handle has: the guard, no proxy, no signals, TLS 1.2 or later. `ca_file` NULL:
 * the system's. */
void curl_pool_prepare(CURL *easy, struct curl_pool_guard *g, const char *ca_file);
void curl_pool_start(struct curl_pool *p, CURL *easy);
/* A mail must be cut before: curl ends one that is taken out half way with the final dot, and the
 * server would accept the half. */
void curl_pool_stop(struct curl_pool *p, CURL *easy);

#endif
