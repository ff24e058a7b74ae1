/* SPDX-License-Identifier: MIT */
/* Open addressing with linear probing. A slot's key is published after its value; a table after all
 * of its slots. */
#include "gateway/base/registry.h"

#include <stdbool.h>
#include <string.h>

#include "gateway/base/hash.h"
#include "gateway/base/mem.h"

struct slot {
    _Atomic(const char *) key; /* owned by the newest table; NULL: free */
    _Atomic(void *) value;
    uint32_t hash;
};

struct registry_table {
    struct registry_table *older; /* owned; what readers may still look at */
    size_t count, cap;            /* cap is a power of two */
    struct slot slots[];
};

static struct registry_table *table_of(const struct registry *r)
{
    return atomic_load_explicit(&r->table, memory_order_acquire);
}

/* The slot of `key`, or the free slot where it would go, which is no reader's: another key may be put there at once. */
static struct slot *find_slot(struct registry_table *t, const char *key, uint32_t hash, bool *is_free)
{
    for (size_t i = hash & (t->cap - 1);; i = (i + 1) & (t->cap - 1)) {
        struct slot *s = &t->slots[i];
        const char *there = atomic_load_explicit(&s->key, memory_order_acquire);
        *is_free = !there;
        if (!there || (s->hash == hash && strcmp(there, key) == 0))
            return s;
    }
}

void *registry_get(const struct registry *r, const char *key)
{
    struct registry_table *t = table_of(r);
    if (!t)
        return NULL;
    bool is_free;
    struct slot *s = find_slot(t, key, (uint32_t)hash_text(key), &is_free);
    return is_free ? NULL : atomic_load_explicit(&s->value, memory_order_acquire);
}

static void put(struct registry_table *t, struct slot *s, const char *key, uint32_t hash,
                void *value)
{
    s->hash = hash;
    atomic_store_explicit(&s->value, value, memory_order_release);
    atomic_store_explicit(&s->key, key, memory_order_release);
    t->count++;
}

static struct registry_table *grow(struct registry *r)
{
    struct registry_table *old = table_of(r);
    size_t cap = old ? old->cap * 2 : 16;
    struct registry_table *t = mem_alloc(sizeof *t + cap * sizeof(struct slot));
    t->older = old;
    t->cap = cap;
    for (size_t i = 0; old && i < old->cap; i++) {
        struct slot *s = &old->slots[i];
        const char *key = atomic_load(&s->key);
        bool is_free;
        if (key)
            put(t, find_slot(t, key, s->hash, &is_free), key, s->hash, atomic_load(&s->value));
    }
    atomic_store_explicit(&r->table, t, memory_order_release);
    return t;
}

void *registry_set(struct registry *r, const char *key, void *value)
{
    struct registry_table *t = table_of(r);
    uint32_t hash = (uint32_t)hash_text(key);
    bool is_free = true;
    struct slot *s = t ? find_slot(t, key, hash, &is_free) : NULL;
    if (!is_free)
        return atomic_exchange_explicit(&s->value, value, memory_order_acq_rel);
    if (!value)
        return NULL;
    if (!t || t->count + 1 > t->cap - t->cap / 4)
        t = grow(r);
    put(t, find_slot(t, key, hash, &is_free), mem_dup(key), hash, value);
    return NULL;
}

void *registry_next(const struct registry *r, size_t *cursor)
{
    struct registry_table *t = table_of(r);
    while (t && *cursor < t->cap) {
        void *value = atomic_load_explicit(&t->slots[(*cursor)++].value, memory_order_acquire);
        if (value)
            return value;
    }
    return NULL;
}

void registry_fini(struct registry *r)
{
    struct registry_table *t = table_of(r);
    for (size_t i = 0; t && i < t->cap; i++)
        mem_free((void *)atomic_load(&t->slots[i].key));
    while (t) {
        struct registry_table *older = t->older;
        mem_free(t);
        t = older;
    }
    atomic_store(&r->table, NULL);
}
