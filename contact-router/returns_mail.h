/* SPDX-License-Identifier: MIT */
/* Answers and reports that come by mail (LMTP). */
#ifndef CAUSEWAY_CONTACT_ROUTER_RETURNS_MAIL_H
#define CAUSEWAY_CONTACT_ROUTER_RETURNS_MAIL_H

#include "contact-router/router_internal.h"

/* Envelope sender, and where answers go, of a mail about `ref`. Appends; nothing: the community takes no answers. */
void returns_mail_address(const struct contact_router *r, const struct contact_router_community *c, const char *ref,
                          struct bytes *out);
const char *returns_mail_refuse(struct contact_router *r, const char *recipient);
void returns_mail_take(struct contact_router *r, struct lmtp_mail *m, const struct lmtp_incoming *in);
/* Mails that are being read, or wait for that, are to be brought again. */
void returns_mail_stop(struct contact_router *r);

#endif
