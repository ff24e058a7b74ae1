/* SPDX-License-Identifier: MIT */
/* Incoming mail over LMTP (RFC 2033): the mail server of the machine hands over what has come for an address of ours,
 * and keeps it until we have answered for each recipient. So there is no queue here. For loopback: no TLS, no logins.
 * PIPELINING, 8BITMIME, SMTPUTF8, ENHANCEDSTATUSCODES, SIZE. */
#ifndef CAUSEWAY_NET_LMTP_SERVER_H
#define CAUSEWAY_NET_LMTP_SERVER_H

#include <stdint.h>

#include "gateway/base/bytes.h"
#include "gateway/base/error.h"
#include "gateway/net/loop.h"

struct lmtp_server;
struct lmtp_mail; /* one mail and the answers that it waits for */

enum { LMTP_RECIPIENTS_MAX = 16 };

struct lmtp_incoming {
    const char *sender;       /* of the envelope; "": none (a report about a mail) */
    const char *const *recipients;
    unsigned recipient_count; /* 1 or more */
    struct span message;      /* lines end with CRLF */
};

struct lmtp_server_options {
    struct loop *loop;
    const char *address; /* numeric */
    uint16_t port;
    const char *name;    /* in the greeting: our domain */
    size_t max_bytes;    /* of a mail; 0: 1 MiB */
    unsigned connections_max; /* 0: 20 */
    /* At RCPT: NULL, or why not (a reason for people; answered with 550 5.1.1). */
    const char *(*refuse_recipient)(void *user, const char *recipient);
    /* lmtp_answer is due exactly once a recipient, now or later. `in` lives until the last of them. */
    void (*on_mail)(void *user, struct lmtp_mail *m, const struct lmtp_incoming *in);
    void *user;
};

MUST_USE struct lmtp_server *lmtp_server_open(const struct lmtp_server_options *o, struct error *e);
void lmtp_server_close(struct lmtp_server **s); /* mails whose answers are due stay until then */
uint16_t lmtp_server_port(const struct lmtp_server *s);
/* `reply`: "250 2.0.0 Thank you"; copied. Loop: the server's. */
void lmtp_answer(struct lmtp_mail *m, unsigned recipient, const char *reply);

#endif
