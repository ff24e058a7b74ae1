/* SPDX-License-Identifier: MIT */
/* An entry lives as long as somebody of the address does, so the table is never larger than what it counts. */
#include "gateway/net/sources.h"

#include <netinet/in.h>
#include <stdio.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"

enum { KEY_BYTES = 20 };

struct source {
    unsigned live;
    char key[KEY_BYTES]; /* IPv4 address, or IPv6 /64, as hexadecimal */
};

static bool source_key(const struct sockaddr *a, char out[KEY_BYTES])
{
    const unsigned char *p;
    size_t n;
    if (a->sa_family == AF_INET) {
        p = (const unsigned char *)&((const struct sockaddr_in *)a)->sin_addr;
        n = 4;
    } else if (a->sa_family == AF_INET6) {
        p = (const unsigned char *)&((const struct sockaddr_in6 *)a)->sin6_addr;
        n = 8;
    } else {
        return false;
    }
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, KEY_BYTES - 2 * i, "%02x", p[i]);
    return true;
}

bool sources_add(struct sources *all, const struct sockaddr *a)
{
    char key[KEY_BYTES];
    if (!all->most || !source_key(a, key))
        return true;
    struct source *s = map_get(&all->map, key);
    if (!s) {
        s = mem_new(struct source);
        text_copy(s->key, sizeof s->key, key);
        map_put(&all->map, s->key, s);
    }
    if (s->live >= all->most)
        return false;
    s->live++;
    return true;
}

void sources_drop(struct sources *all, const struct sockaddr *a)
{
    char key[KEY_BYTES];
    struct source *s = source_key(a, key) ? map_get(&all->map, key) : NULL;
    if (!s || --s->live)
        return;
    map_remove(&all->map, key);
    mem_free(s);
}

void sources_fini(struct sources *all)
{
    struct source *s;
    for (size_t i = 0; (s = map_next(&all->map, &i)) != NULL;)
        mem_free(s);
    map_fini(&all->map);
}
