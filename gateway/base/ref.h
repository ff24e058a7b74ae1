/* SPDX-License-Identifier: MIT */
/* A reference count that any thread may touch. The owner of the last reference destroys. */
#ifndef CAUSEWAY_BASE_REF_H
#define CAUSEWAY_BASE_REF_H

#include <stdatomic.h>
#include <stdbool.h>

struct ref {
    atomic_uint count;
};

static inline void ref_init(struct ref *r)
{
    atomic_init(&r->count, 1);
}

static inline void ref_take(struct ref *r)
{
    atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
}

/* true: that was the last one, and all that others wrote is visible here (acq_rel, not a fence:
 * ThreadSanitizer knows none). */
static inline bool ref_drop(struct ref *r)
{
    return atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel) == 1;
}

#endif
