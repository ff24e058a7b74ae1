/* SPDX-License-Identifier: MIT */
/* Handing a mail to an SMTP server (RFC 5321) by libcurl, on a thread of its own: when curl closes
 * an SMTP connection it waits for the answer to QUIT, and a server that says nothing would stop the
 * loop. Only other mails wait for it here. Names are resolved on the owner's loop. */
#ifndef CAUSEWAY_NET_MAIL_CLIENT_H
#define CAUSEWAY_NET_MAIL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/bytes.h"
#include "gateway/base/error.h"
#include "gateway/net/dns.h"
#include "gateway/net/egress.h"
#include "gateway/net/loop.h"

struct mail_client;
struct mail_call;

/* `d` and `g` must outlive it. `ca_file` NULL: the system's trust anchors. `helo_name`: how we
 * greet. NULL and *e when `ca_file` cannot be read. Loop: l. */
MUST_USE struct mail_client *mail_client_create(struct loop *l, struct dns *d,
                                                const struct egress *g, const char *ca_file,
                                                const char *helo_name, struct error *e);
/* Calls under way complete with ERROR_CANCELLED first. Waits for the thread (2 s at most).
 * Not from inside on_done; the loop must take a turn before it is destroyed. */
void mail_client_destroy(struct mail_client **c);

struct mail_request {
    const char *url; /* "smtp://host:port" (STARTTLS when offered; port 25) or "smtps://" (465) */
    const char *username, *password; /* NULL: none. With them TLS is required and verified */
    const char *from, *to;           /* addresses without angle brackets; `from` may be "" */
    struct span message;             /* RFC 5322, CRLF lines; dots are stuffed here */
    bool require_tls;    /* and a certificate that proves the host; else TLS is taken as it comes */
    uint64_t timeout_ms; /* for the whole; 0: 60 s */
};

struct mail_response {
    int code;           /* SMTP reply of the failing or last command; 0: none */
    bool accepted;      /* the server took it over: 250 after the data */
    bool sent;          /* the data went out and no reply came: in doubt */
    struct error error; /* set when not accepted; a 5xx is ERROR_DENIED, a 4xx ERROR_TEMPORARY */
};

/* on_done exactly once, later; the response is borrowed for the call. The request is copied. */
struct mail_call *mail_send(struct mail_client *c, const struct mail_request *r,
                            void (*on_done)(void *user, const struct mail_response *), void *user);
void mail_cancel(struct mail_call *c); /* on_done is not called any more */

#endif
