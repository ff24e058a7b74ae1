/* SPDX-License-Identifier: MIT */
/* What devices say back, once it is known to be genuine: into the outbox or into the conversation. */
#ifndef CAUSEWAY_CONTACT_ROUTER_RETURNS_H
#define CAUSEWAY_CONTACT_ROUTER_RETURNS_H

#include "contact-router/hook.h"
#include "contact-router/router_internal.h"

struct returns_request {
    struct contact_router *r;
    struct router_provider *provider; /* NULL: it came by mail, and `ref` says to what */
    const char *ref;          /* from the capability address; NULL: the event must say */
    const struct hook_event *event; /* lives until done */
    /* Exactly once, later: committed (ERROR_NONE), to be asked again (ERROR_TEMPORARY); of mail also ERROR_DENIED: it
     * is not taken, and who wrote it is to hear why. Loop: the router's. */
    void (*done)(void *user, const struct error *e);
    void *user;
};

/* Whose word it is, for the log and for what was seen. */
const char *returns_source(const struct returns_request *q);
/* Borrowed for the call, except what is said to live longer. */
void returns_inbound(const struct returns_request *q);

#endif
