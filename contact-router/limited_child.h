/* SPDX-License-Identifier: MIT */
/* A program that reads what strangers wrote, as a child with limits: CPU, memory, size of files, descriptors, time on
 * the clock; it inherits no descriptor but its three, and an environment of our own. What it reads goes in by a pipe,
 * never as an argument; what it says comes out piece by piece. */
#ifndef CAUSEWAY_CONTACT_ROUTER_LIMITED_CHILD_H
#define CAUSEWAY_CONTACT_ROUTER_LIMITED_CHILD_H

#include "gateway/base/bytes.h"
#include "gateway/base/error.h"
#include "gateway/net/loop.h"

struct limited_child;

enum { LIMITED_CHILD_CPU_S = 5, LIMITED_CHILD_TIME_MS = 15000, LIMITED_CHILD_FILES = 16 };
enum { LIMITED_CHILD_INPUT_MAX = 1 << 20 }; /* what a pipe can be made to hold (pipe(7): pipe-max-size) */

struct limited_child_options {
    struct loop *loop;
    const char *const *argv; /* argv[0]: the program's path; fixed words alone, for everybody can see them; borrowed */
    unsigned memory_mb;      /* 0: no limit */
    struct span input;       /* at most LIMITED_CHILD_INPUT_MAX; borrowed for the call */
    void (*on_output)(void *user, struct span data);
    /* Exactly once, later, unless it is killed: it ended well (ERROR_NONE) or not; its CPU time. */
    void (*on_end)(void *user, const struct error *e, uint64_t cpu_us);
    void *user;
};

/* NULL: it could not be started. */
MUST_USE struct limited_child *limited_child_start(const struct limited_child_options *o, struct error *e);
/* It ends now; no callback any more. May be called from on_output. */
void limited_child_kill(struct limited_child *c);

#endif
