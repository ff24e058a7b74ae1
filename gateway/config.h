/* SPDX-License-Identifier: MIT */
/* The configuration file as one typed struct. Every option stands in one table (config_options.c):
 * name, type, default, range, sentence; the parser, the checks and the reference are made of it.
 * Everything lives in `arena` until config_fini. */
#ifndef CAUSEWAY_CONFIG_H
#define CAUSEWAY_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "c2s/c2s.h"
#include "contact-router/contact_router.h"
#include "gateway/base/arena.h"
#include "gateway/base/log.h"
#include "gateway/exchange/exchange.h"
#include "gateway/net/directory.h"
#include "s2s/s2s.h"

struct config_community {
    struct community exchange; /* domain, admins, archive, strangers */
    struct contact_router_community devices;
    const struct directory_options *ldap; /* NULL: the accounts' passwords are ours */
    struct s2s_community federation;
    const char *certificate, *key; /* PEM files; NULL: none, so no TLS for that domain */
    const char *client_ca, *client_crl; /* PEM files; NULL: nobody logs in by a certificate, none is revoked */
};

/* A service outside that attaches (XEP-0114). */
struct config_component {
    struct attached exchange; /* domain, and the community that lists it */
    const char *secret;
    const char *certificate, *key; /* PEM files; NULL: none, so other servers get no TLS for it */
};

struct config {
    struct arena arena;
    const char *file;

    const char *store_path, *schema_dir, *profile_dir, *speech_program, *mail_reader;
    enum store_durability durability;
    unsigned io_loops; /* threads of their own for I/O; 0: none, the exchange's loop does it */
    enum log_level log_level;
    const char *ca_file, *dns_server, *dns_trust_anchor;
    const char *const *egress_allow; /* ends with NULL */

    struct c2s_listener *c2s;
    unsigned c2s_count;
    struct s2s_listener *s2s;
    unsigned s2s_count;
    const char *lmtp_address; /* NULL: no mail comes */
    uint16_t lmtp_port;
    struct s2s_listener *component; /* open while there is a component */
    unsigned component_listener_count;
    const char *http_address; /* NULL: no HTTP */
    uint16_t http_port;
    const char *public_url, *websocket_url, *bosh_url;
    const char *const *public_addresses; /* NULL: not told */
    struct c2s_limits c2s_limits;
    struct c2s_times c2s_times;
    bool s2s_bidi;
    uint64_t s2s_queue_deadline_s, s2s_delayed_notice_s;
    struct s2s_rate_limits s2s_rate;
    size_t s2s_stanza_bytes;

    struct config_community *communities;
    unsigned community_count;
    struct config_component *components;
    unsigned component_count;
    struct s2s_remote *remotes;
    unsigned remote_count;
    struct contact_router_provider *providers;
    unsigned provider_count;

    const struct config_fact *facts; /* config_facts.h: what was written, for telling what has changed */
    unsigned fact_count;
};

/* Reads and checks. Each mistake goes to `complain` as "file:line: what, and what to do". false: there
 * was one; then only config_fini may follow. */
MUST_USE bool config_read(struct config *c, const char *file, void (*complain)(void *user, const char *text),
                          void *user);
void config_fini(struct config *c);

/* The reference: every section and option with default, range and sentence, as a file that config_read
 * accepts once the lines of a section are uncommented. */
void config_print_reference(FILE *out);

/* What the router is told by the configuration alone; the parts that it works with are for the caller to add.
 * Lies in `a`. */
struct contact_router_options config_router_options(const struct config *c, struct arena *a);

#endif
