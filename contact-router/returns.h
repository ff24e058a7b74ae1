/* SPDX-License-Identifier: MIT */
/* What devices say back, once it is known to be genuine: into the outbox or into the conversation. */
#ifndef CAUSEWAY_CONTACT_ROUTER_RETURNS_H
#define CAUSEWAY_CONTACT_ROUTER_RETURNS_H

#include "contact-router/hook.h"
#include "contact-router/router_internal.h"

struct returns_request {
    struct contact_router *r;
    struct router_provider *provider;
    const char *ref;          /* from the capability address; NULL: the event must say */
    const struct hook_event *event; /* lives until done */
    /* Exactly once, later: committed (ERROR_NONE), to be asked again (ERROR_TEMPORARY). Loop: the router's. */
    void (*done)(void *user, const struct error *e);
    void *user;
};

/* Borrowed for the call, except what is said to live longer. */
void returns_inbound(const struct returns_request *q);

#endif
