/* SPDX-License-Identifier: MIT */
/* The HTTP request that a provider's profile makes of a message. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_PROVIDER_REQUEST_H
#define CAUSEWAY_CONTACT_ROUTER_PROVIDER_REQUEST_H

#include "contact-router/provider.h"

/* What is to be sent. Texts are UTF-8; NULL stands for "". */
struct provider_message {
    enum profile_kind kind;
    const char *to, *from, *text, *subject, *ref, *lang;
    const char *hook_status, *hook_inbound, *hook_voice; /* absolute; NULL: none are to be had */
    const char *media_url, *audio_url;                   /* absolute */
    const char *voice_document;                          /* of a call, when the request holds it */
    unsigned priority;  /* 1 (lowest) to 5; 0: 3 */
    unsigned ttl_s;     /* 0: not said */
    int64_t now_us;     /* wall time */
};

enum { PROVIDER_HEADERS_MAX = 24 };

struct provider_request {
    struct arena arena; /* arena_init before, arena_fini after */
    const char *method, *url;
    const char *headers[PROVIDER_HEADERS_MAX + 1]; /* "Name: value"; ends with NULL */
    unsigned header_count;
    struct span body;
};

/* ERROR_INVALID: the message cannot be said to this provider (a header that would break, ...). */
MUST_USE bool provider_request_render(const struct provider *p, const struct provider_message *m,
                                      struct provider_request *out, struct error *e);

#endif
