/* SPDX-License-Identifier: MIT */
/* Facts are made of the table of options, as all that concerns options is, so a new option needs
 * nothing here. */
#include "gateway/config_facts.h"

#include <string.h>

#include "gateway/base/map.h"
#include "gateway/base/text.h"
#include "gateway/config_options.h"

/* ---- gathering ---- */

struct gathering {
    struct config *c;
    struct config_fact *facts;
    unsigned count, room;
};

static struct config_fact *add(struct gathering *g)
{
    if (g->count == g->room) {
        unsigned room = g->room ? g->room * 2 : 64;
        struct config_fact *more = arena_alloc(&g->c->arena, room * sizeof *more);
        if (g->count)
            memcpy(more, g->facts, g->count * sizeof *more);
        g->facts = more;
        g->room = room;
    }
    return &g->facts[g->count++];
}

static const char *list_value(struct arena *a, cfg_t *sec, const char *name)
{
    const char *value = cfg_size(sec, name) ? "" : NULL;
    for (unsigned i = 0; i < cfg_size(sec, name); i++)
        value = arena_printf(a, "%s\n%s", value, cfg_getnstr(sec, name, i));
    return value;
}

/* NULL: it is as its default. */
static const char *value_of(struct arena *a, cfg_t *sec, const struct option *o)
{
    const char *text;
    long number;
    switch (o->type) {
    case OPTION_TEXT:
        text = cfg_getstr(sec, o->name);
        return !text || text_eq(text, o->text_default) ? NULL : arena_dup(a, text);
    case OPTION_LIST:
        return list_value(a, sec, o->name);
    case OPTION_INT:
        number = cfg_getint(sec, o->name);
        return number == o->int_default ? NULL : arena_printf(a, "%ld", number);
    case OPTION_BOOL:
        number = cfg_getbool(sec, o->name);
        return number == o->int_default ? NULL : number ? "true" : "false";
    }
    return NULL;
}

static const char *title_of(struct config *c, const struct option_section *s, cfg_t *sec,
                            unsigned at)
{
    if (strcmp(s->name, "community") == 0)
        return c->communities[at].exchange.domain;
    if (strcmp(s->name, "component") == 0)
        return c->components[at].exchange.domain;
    if (s->title)
        return arena_dup(&c->arena, cfg_title(sec));
    return s->multi ? arena_printf(&c->arena, "%u", at + 1) : "";
}

static void gather(struct gathering *g, const struct option_section *s, cfg_t *sec, unsigned at)
{
    struct arena *a = &g->c->arena;
    const char *title = title_of(g->c, s, sec, at);
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        const char *value = strcmp(o->section, s->name) == 0 ? value_of(a, sec, o) : NULL;
        if (value)
            *add(g) = (struct config_fact){s->name, title, o->name, value};
    }
}

void config_facts_gather(struct config *c, cfg_t *cfg)
{
    struct gathering g = {.c = c};
    for (size_t i = 0; i < config_options_section_count; i++)
        for (unsigned k = 0; k < cfg_size(cfg, config_options_sections[i].name); k++)
            gather(&g, &config_options_sections[i],
                   cfg_getnsec(cfg, config_options_sections[i].name, k), k);
    c->facts = g.facts;
    c->fact_count = g.count;
}

/* ---- comparing ---- */

static const char *section_key(const char *section, const char *domain, struct arena *a)
{
    return arena_printf(a, "%s %s", section, domain);
}

/* The sections that come and go. */
static struct map domains_of(const struct config *c, struct arena *a)
{
    struct map m = MAP_EMPTY;
    for (unsigned i = 0; i < c->community_count; i++)
        map_put(&m, section_key("community", c->communities[i].exchange.domain, a), &c->communities[i]);
    for (unsigned i = 0; i < c->component_count; i++)
        map_put(&m, section_key("component", c->components[i].exchange.domain, a), &c->components[i]);
    return m;
}

/* Those of `c` that `other` has not. */
static unsigned communities_missing(const struct config *c, const struct map *other,
                                    const struct config_community **out, struct arena *a)
{
    unsigned n = 0;
    for (unsigned i = 0; i < c->community_count; i++)
        if (!map_get(other, section_key("community", c->communities[i].exchange.domain, a)))
            out[n++] = &c->communities[i];
    return n;
}

static unsigned components_missing(const struct config *c, const struct map *other,
                                   const struct config_component **out, struct arena *a)
{
    unsigned n = 0;
    for (unsigned i = 0; i < c->component_count; i++)
        if (!map_get(other, section_key("component", c->components[i].exchange.domain, a)))
            out[n++] = &c->components[i];
    return n;
}

static bool comes_and_goes(const struct config_fact *f)
{
    return strcmp(f->section, "community") == 0 || strcmp(f->section, "component") == 0;
}

static const char *key_of(const struct config_fact *f, struct arena *a)
{
    return arena_printf(a, "%s %s %s", f->section, f->title, f->option);
}

/* The facts of `c` that `others` has not, or has otherwise: said once, under their key, in `told`.
 * What comes or goes as a whole is no such fact. */
static void differing(const struct config *c, const struct map *others,
                      const struct map *other_domains, struct map *told,
                      struct config_change *change, struct arena *a)
{
    for (unsigned i = 0; i < c->fact_count; i++) {
        const struct config_fact *f = &c->facts[i];
        if (comes_and_goes(f) && !map_get(other_domains, section_key(f->section, f->title, a)))
            continue;
        char *key = (char *)key_of(f, a);
        const struct config_fact *there = map_get(others, key);
        if ((there && text_eq(there->value, f->value)) || map_put(told, key, key))
            continue;
        change->others[change->other_count++] =
            *f->title ? arena_printf(a, "%s \"%s\": %s", f->section, f->title, f->option)
                      : arena_printf(a, "%s: %s", f->section, f->option);
    }
}

static struct map facts_of(const struct config *c, struct arena *a)
{
    struct map m = MAP_EMPTY;
    for (unsigned i = 0; i < c->fact_count; i++)
        map_put(&m, key_of(&c->facts[i], a), (void *)&c->facts[i]);
    return m;
}

struct config_change config_facts_compare(const struct config *older, const struct config *newer,
                                          struct arena *a)
{
    struct map old_domains = domains_of(older, a), new_domains = domains_of(newer, a);
    struct map old_facts = facts_of(older, a), new_facts = facts_of(newer, a), told = MAP_EMPTY;
    struct config_change change = {
        .added = arena_alloc(a, (newer->community_count + 1) * sizeof *change.added),
        .removed = arena_alloc(a, (older->community_count + 1) * sizeof *change.removed),
        .attached = arena_alloc(a, (newer->component_count + 1) * sizeof *change.attached),
        .detached = arena_alloc(a, (older->component_count + 1) * sizeof *change.detached),
        .others =
            arena_alloc(a, (older->fact_count + newer->fact_count + 1) * sizeof *change.others),
    };
    change.added_count = communities_missing(newer, &old_domains, change.added, a);
    change.removed_count = communities_missing(older, &new_domains, change.removed, a);
    change.attached_count = components_missing(newer, &old_domains, change.attached, a);
    change.detached_count = components_missing(older, &new_domains, change.detached, a);
    differing(newer, &old_facts, &old_domains, &told, &change, a);
    differing(older, &new_facts, &new_domains, &told, &change, a);
    map_fini(&old_domains);
    map_fini(&new_domains);
    map_fini(&old_facts);
    map_fini(&new_facts);
    map_fini(&told);
    return change;
}
