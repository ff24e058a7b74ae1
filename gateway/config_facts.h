/* SPDX-License-Identifier: MIT */
/* What stands in a configuration, option by option, and what two of them differ in. Pure. */
#ifndef CAUSEWAY_CONFIG_FACTS_H
#define CAUSEWAY_CONFIG_FACTS_H

#include <confuse.h>
#include <stdbool.h>

#include "gateway/config.h"

/* An option that is not as its default. */
struct config_fact {
    const char *section, *title,
        *option; /* title: of a community prepared; of a section that has none, which it is */
    const char *value;
};

/* c->facts, in c->arena. What the sections say must have been read. */
void config_facts_gather(struct config *c, cfg_t *cfg);

struct config_change {
    const struct config_community **added; /* of the newer one */
    unsigned added_count;
    const struct config_community **removed; /* of the older one */
    unsigned removed_count;
    const struct config_component **attached, **detached; /* the same */
    unsigned attached_count, detached_count;
    const char **others; /* all else: "community \"capulet.example\": archive" */
    unsigned other_count;
};

/* Lies in `a`, and points into both. */
struct config_change config_facts_compare(const struct config *older, const struct config *newer,
                                          struct arena *a);

#endif
