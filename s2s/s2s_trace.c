/* SPDX-License-Identifier: MIT */
/* Decided here: which attempts of many are shown. */
#include "s2s/s2s_trace.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "s2s/s2s_way.h"

struct shown {
    struct list node; /* in by_use */
    struct s2s_trail *trail;
    int64_t last_well_us; /* of the trails before it */
    enum s2s_direction direction;
    const char *local, *remote; /* in `key` */
    char key[];                 /* and behind it LOCAL \0 REMOTE \0 */
};

enum { KEY_MAX = S2S_WAY_NAME_MAX + 4 };

static void key_of(char out[KEY_MAX], enum s2s_direction d, const char *local, const char *remote)
{
    char name[S2S_WAY_NAME_MAX];
    s2s_way_name(name, local, remote);
    snprintf(out, KEY_MAX, "%s%s", d == S2S_OUT ? ">" : "<", name);
}

static int64_t well_until(const struct shown *s)
{
    struct s2s_trail_look look;
    s2s_trail_look(s->trail, &look);
    return look.last_well_us ? look.last_well_us : s->last_well_us;
}

void s2s_trace_init(struct s2s_trace *c)
{
    *c = (struct s2s_trace){.shown = MAP_EMPTY};
    list_init(&c->by_use);
}

static void forget(struct s2s_trace *c, struct shown *s)
{
    map_remove(&c->shown, s->key);
    list_remove(&s->node);
    s2s_trail_unref(&s->trail);
    mem_free(s);
}

void s2s_trace_fini(struct s2s_trace *c)
{
    list_each(node, &c->by_use)
        forget(c, list_entry(node, struct shown, node));
    map_fini(&c->shown);
}

static struct shown *new_shown(struct s2s_trace *c, const char *key, const char *local, const char *remote)
{
    if (c->shown.count >= S2S_TRACE_MAX)
        forget(c, list_entry(list_first(&c->by_use), struct shown, node));
    size_t key_size = strlen(key) + 1, local_size = strlen(local) + 1, remote_size = strlen(remote) + 1;
    struct shown *s = mem_alloc(sizeof *s + key_size + local_size + remote_size);
    *s = (struct shown){0};
    memcpy(s->key, key, key_size);
    s->local = memcpy(s->key + key_size, local, local_size);
    s->remote = memcpy(s->key + key_size + local_size, remote, remote_size);
    map_put(&c->shown, s->key, s);
    return s;
}

static bool is_well(const struct s2s_trail *t)
{
    struct s2s_trail_look look;
    s2s_trail_look(t, &look);
    return look.well_us != 0;
}

void s2s_trace_show(struct s2s_trace *c, enum s2s_direction d, const char *local, const char *remote,
                    struct s2s_trail *t)
{
    char key[KEY_MAX];
    if (!t)
        return;
    key_of(key, d, local, remote);
    struct shown *s = map_get(&c->shown, key);
    if (s && s->trail != t && is_well(s->trail) && !is_well(t))
        return;
    if (!s)
        s = new_shown(c, key, local, remote);
    s->direction = d;
    if (s->trail != t) {
        if (s->trail)
            s->last_well_us = well_until(s);
        s2s_trail_unref(&s->trail);
        s->trail = s2s_trail_ref(t);
    }
    list_remove(&s->node);
    list_append(&c->by_use, &s->node);
}

void s2s_trace_each(const struct s2s_trace *c, const char *remote,
                    void (*each)(void *user, const struct s2s_trace_row *row), void *user)
{
    const struct shown *s;
    for (size_t i = 0; (s = map_next(&c->shown, &i));)
        if (strcmp(s->remote, remote) == 0)
            each(user, &(struct s2s_trace_row){.direction = s->direction,
                                               .local = s->local,
                                               .remote = s->remote,
                                               .trail = s->trail,
                                               .last_well_us = well_until(s)});
}
