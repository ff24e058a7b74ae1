/* SPDX-License-Identifier: MIT */
/* A login by libstrophe, and one question at a time over it. */
#ifndef CAUSEWAY_CTL_LINK_H
#define CAUSEWAY_CTL_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <strophe.h>

#include "gateway/base/error.h"

struct ctl_link;

struct ctl_link_options {
    const char *jid, *password;
    const char *host; /* instead of SRV; NULL: SRV */
    uint16_t port;    /* 0: what SRV or the kind of connection says */
    const char *ca_file; /* NULL: the system's */
    bool direct_tls;
    unsigned timeout_s;  /* for the login, and for each answer */
    bool debug;          /* libstrophe's log, on standard error */
};

/* Logs in. NULL and *e: ERROR_DENIED: name or password were refused; else the connection did not come about. */
MUST_USE struct ctl_link *ctl_link_open(const struct ctl_link_options *o, struct error *e);
void ctl_link_close(struct ctl_link **l);
xmpp_ctx_t *ctl_link_ctx(struct ctl_link *l);

/* Begins an iq; `payload` is taken over. Waits for its answer (result or error), which is the link's until the
 * next question. NULL and *e: none came. */
MUST_USE xmpp_stanza_t *ctl_link_ask(struct ctl_link *l, const char *type, const char *to, xmpp_stanza_t *payload,
                                     struct error *e);

#endif
