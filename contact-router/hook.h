/* SPDX-License-Identifier: MIT */
/* A provider's webhook: is it theirs, and what does it say? Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_HOOK_H
#define CAUSEWAY_CONTACT_ROUTER_HOOK_H

#include "contact-router/provider.h"

struct hook_request {
    const char *method, *target; /* as they came */
    const char *public_url;      /* what stood in front of the target, as the world sees it */
    struct span body;
    const char *(*header)(const void *user, const char *name); /* NULL result: none */
    const void *user;
    int64_t now_us;              /* wall time, for time stamps in signatures */
};

struct hook_event {
    const struct profile_hook *hook;  /* whose event it is; NULL: of none that the profile asks for */
    const struct profile_hook *proof; /* the section that proved it: it says how such a request is answered */
    /* NULL: not said */
    const char *id, *ref, *from, *to, *text, *status, *error_code, *error_text, *digits, *answered_by, *media, *optout,
        *dedup;
    enum profile_state state; /* of `status`, by map.*; UNKNOWN when it is not there */
    bool machine;             /* map.machine has the word in `answered_by` */
    struct hook_event *next;  /* the next of the same request (a profile with `each`); NULL: none */
};

enum { HOOK_EVENTS_MAX = 64 };

/* Reads a request that came to the address of `kind` ("status", "inbound", "voice"): the first section whose signature
 * holds, whose `when` holds and whose fields are there. *out->hook NULL: verified, but an event that nobody
 * wants. Values live in `a`. ERROR_DENIED: not signed as it must be. ERROR_INVALID: signed, but not readable.
 * ERROR_NOT_FOUND: the profile has no such hook. */
MUST_USE bool hook_read(const struct provider *p, const char *kind, const struct hook_request *r, struct arena *a,
                        struct hook_event *out, struct error *e);
/* Has the profile any such hook? */
bool hook_exists(const struct provider *p, const char *kind);
/* Only a capability in the address proves such a hook. */
bool hook_needs_token(const struct provider *p, const char *kind);

#endif
