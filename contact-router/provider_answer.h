/* SPDX-License-Identifier: MIT */
/* What a provider's HTTP answer means, by its profile. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_PROVIDER_ANSWER_H
#define CAUSEWAY_CONTACT_ROUTER_PROVIDER_ANSWER_H

#include <stdint.h>

#include "contact-router/profile.h"

enum provider_outcome {
    PROVIDER_OK,
    PROVIDER_TEMPORARY, /* refused now; it may be asked again */
    PROVIDER_PERMANENT, /* refused for good */
    PROVIDER_UNKNOWN,   /* perhaps accepted: an accepting status, but neither what it promises nor an error */
};

struct provider_reply {
    int status;
    struct span body;
    bool cut;                /* there was more of it than is read */
    int64_t now_us;          /* wall time, for a date in Retry-After */
    const char *retry_after; /* header; NULL: none */
    const char *(*header)(const void *user, const char *name); /* NULL: none to be had */
    const void *user;
};

struct provider_answer {
    enum provider_outcome outcome;
    bool bad_address; /* permanent.code: the device is at fault */
    bool optout;      /* optout.code: its owner does not want it */
    char id[128], code[64], text[200]; /* "" where there is none; text says why, for a person */
    uint64_t retry_after_ms; /* 0: not said */
};

void provider_answer_judge(const struct profile_send *s, const struct provider_reply *r, struct provider_answer *out);

#endif
