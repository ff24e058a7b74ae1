/* SPDX-License-Identifier: MIT */
/* A hash map from text to a pointer. The hash is keyed with a secret of the process, so that nobody
 * outside can choose colliding names. Keys are borrowed: they must live in the value or longer. */
#ifndef CAUSEWAY_BASE_MAP_H
#define CAUSEWAY_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
    const char *key; /* NULL: free */
    void *value;
    uint32_t hash;
};

struct map {
    struct map_slot *slots; /* NULL while the map has never held anything */
    size_t count, cap;      /* cap is a power of two, or 0 */
};

#define MAP_EMPTY ((struct map){0})

void map_fini(struct map *m); /* the slots; values are the owner's */
void *map_get(const struct map *m, const char *key);
/* Returns the value that stood there before, or NULL. `value` must not be NULL. */
void *map_put(struct map *m, const char *key, void *value);
/* Returns the value that was removed, or NULL. */
void *map_remove(struct map *m, const char *key);

/* Walks in no order: `for (size_t i = 0; (v = map_next(&m, &i));)`. The map must not change while it
 * is walked. */
void *map_next(const struct map *m, size_t *cursor);

#endif
