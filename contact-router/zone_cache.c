/* SPDX-License-Identifier: MIT */
/* When it is full it is emptied: people live in few zones, and whoever names many pays with a file read again. */
#include "contact-router/zone_cache.h"

#include "contact-router/zone.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

struct zone_known {
    char *name;
    unsigned char *data; /* NULL: there is no such zone */
    size_t len;
    int64_t read_s;
};

static void forget(struct zone_known *z)
{
    mem_free(z->name);
    mem_free(z->data);
    mem_free(z);
}

static void forget_all(struct zone_cache *c)
{
    struct zone_known *z;
    for (size_t i = 0; (z = map_next(&c->zones, &i));)
        forget(z);
    map_fini(&c->zones);
    c->zones = MAP_EMPTY;
}

void zone_cache_init(struct zone_cache *c, const char *dir)
{
    *c = (struct zone_cache){ .dir = dir };
}

void zone_cache_fini(struct zone_cache *c)
{
    forget_all(c);
}

static struct zone_known *read_zone(struct zone_cache *c, const char *name, int64_t now_s)
{
    struct zone_known *z = mem_new(struct zone_known);
    z->name = mem_dup(name);
    z->data = zone_load(c->dir, name, &z->len);
    z->read_s = now_s;
    c->reads++;
    if (c->zones.count >= ZONE_CACHE_MAX)
        forget_all(c);
    map_put(&c->zones, z->name, z);
    return z;
}

static struct zone_known *find(struct zone_cache *c, const char *name, int64_t now_s)
{
    struct zone_known *z = map_get(&c->zones, name);
    bool fresh = z && now_s >= z->read_s && now_s < z->read_s + ZONE_CACHE_S;
    if (fresh)
        return z;
    if (z)
        forget(map_remove(&c->zones, name));
    return read_zone(c, name, now_s);
}

bool zone_cache_offset(struct zone_cache *c, const char *name, int64_t unix_s, int *offset_s)
{
    *offset_s = 0;
    if (text_eq(name, ZONE_UTC))
        return true;
    const struct zone_known *z = find(c, name, unix_s);
    return z->data && zone_read(z->data, z->len, unix_s, offset_s);
}
