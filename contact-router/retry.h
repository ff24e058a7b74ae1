/* SPDX-License-Identifier: MIT */
/* An admin has a delivery that came to nothing tried once more. */
#ifndef CAUSEWAY_CONTACT_ROUTER_RETRY_H
#define CAUSEWAY_CONTACT_ROUTER_RETRY_H

#include "contact-router/router_internal.h"

/* As reach_ops.retry. Loop: the router's; texts are copied. */
void retry_run(struct contact_router *r, const char *domain, const char *ref,
               void (*reply)(void *user, enum stanza_error refused, const char *text), void *user);

#endif
