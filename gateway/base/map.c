/* SPDX-License-Identifier: MIT */
/* Open addressing with linear probing; removal shifts the run back, so there are no tombstones.
 * Grows at three quarters, never shrinks. */
#include "gateway/base/map.h"

#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/hash.h"
#include "gateway/base/mem.h"

void map_fini(struct map *m)
{
    mem_free(m->slots);
    *m = MAP_EMPTY;
}

/* The slot of `key`, or the free slot where it would go. cap > 0. */
static struct map_slot *find_slot(const struct map *m, const char *key, uint32_t hash)
{
    size_t i = hash & (m->cap - 1);
    for (;; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slots[i];
        if (!s->key || (s->hash == hash && strcmp(s->key, key) == 0))
            return s;
    }
}

void *map_get(const struct map *m, const char *key)
{
    if (m->count == 0)
        return NULL;
    return find_slot(m, key, (uint32_t)hash_text(key))->value;
}

static void grow(struct map *m)
{
    struct map old = *m;
    m->cap = old.cap ? old.cap * 2 : 8;
    m->slots = mem_array(m->cap, sizeof *m->slots);
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].key)
            *find_slot(m, old.slots[i].key, old.slots[i].hash) = old.slots[i];
    mem_free(old.slots);
}

void *map_put(struct map *m, const char *key, void *value)
{
    CHECK(value != NULL);
    if (m->count + 1 > m->cap - m->cap / 4)
        grow(m);
    uint32_t hash = (uint32_t)hash_text(key);
    struct map_slot *s = find_slot(m, key, hash);
    void *before = s->value;
    if (!s->key)
        m->count++;
    *s = (struct map_slot){key, value, hash};
    return before;
}

void *map_remove(struct map *m, const char *key)
{
    if (m->count == 0)
        return NULL;
    struct map_slot *s = find_slot(m, key, (uint32_t)hash_text(key));
    if (!s->key)
        return NULL;
    void *value = s->value;
    size_t mask = m->cap - 1;
    size_t hole = (size_t)(s - m->slots);
    for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct map_slot){0};
    m->count--;
    return value;
}

void *map_next(const struct map *m, size_t *cursor)
{
    while (*cursor < m->cap) {
        struct map_slot *s = &m->slots[(*cursor)++];
        if (s->key)
            return s->value;
    }
    return NULL;
}
