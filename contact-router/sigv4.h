/* SPDX-License-Identifier: MIT */
/* AWS Signature Version 4: a request signed by a key that never travels. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_SIGV4_H
#define CAUSEWAY_CONTACT_ROUTER_SIGV4_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/bytes.h"
#include "gateway/base/error.h"

struct sigv4_request {
    const char *method, *url;
    const char *content_type; /* NULL: none */
    struct span body;
    const char *key_id, *key, *region, *service;
    int64_t now_s;
};

/* Values of the headers X-Amz-Date and Authorization, in `a`. ERROR_INVALID: no URL. */
MUST_USE bool sigv4_sign(const struct sigv4_request *q, struct arena *a, const char **date, const char **authorization,
                         struct error *e);

#endif
