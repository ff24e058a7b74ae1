/* SPDX-License-Identifier: MIT */
/* A table from text to a pointer that every thread reads without a lock, while one at a time
 * changes it: what the gateway serves comes and goes, and is asked about for each stanza.
 *
 * A reader costs a hash and plain loads. Keys are never forgotten, and a table that grew too small
 * is kept until the end (they double, so all of them together are no larger than the last), so no
 * reader can hold what is freed. What a value points to is the owner's: it must live until no
 * reader can hold it any more, mostly until the end. */
#ifndef CAUSEWAY_BASE_REGISTRY_H
#define CAUSEWAY_BASE_REGISTRY_H

#include <stdatomic.h>
#include <stddef.h>

struct registry_table;

struct registry {
    _Atomic(struct registry_table *) table; /* NULL: it has never held anything */
};

void registry_fini(struct registry *r);
/* NULL: nothing stands there. Any thread. */
void *registry_get(const struct registry *r, const char *key);
/* The key is copied; NULL: nothing stands there from now on. Returns what stood there before. One
 * thread at a time. */
void *registry_set(struct registry *r, const char *key, void *value);
/* Walks in no order: `for (size_t i = 0; (v = registry_next(&r, &i));)`. Only the thread that
 * changes it walks. */
void *registry_next(const struct registry *r, size_t *cursor);

#endif
