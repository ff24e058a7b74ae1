/* SPDX-License-Identifier: MIT */
/* The configuration while it is read: what the files of config_*.c share. Texts lie in c->arena. */
#ifndef CAUSEWAY_CONFIG_INTERNAL_H
#define CAUSEWAY_CONFIG_INTERNAL_H

#include <confuse.h>

#include "gateway/base/map.h"
#include "gateway/config.h"
#include "gateway/config_options.h"

struct config_reader {
    struct config *c;
    void (*complain)(void *user, const char *text);
    void *user;
    unsigned mistakes;
    struct map told;        /* complaints so far */
    struct map seen;        /* "SECTION-ADDRESS option": given before in the same block */
    struct map bad_secrets; /* NAME=FILE -> struct config_bad_secret */
};

/* A provider's secret that cannot be used turns the provider off (contact_router.h), and is no mistake that stops a
 * start. */
struct config_bad_secret {
    const char *told, *seen; /* with file and line and path; without */
};

/* "FILE:LINE: ...", told once. cfg NULL: no line. */
void config_mistake(struct config_reader *r, cfg_t *cfg, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The parser, made of the table of options; cfg_free. Mistakes in values are `r`'s from now on, on this thread, until
 * config_end_parser. */
cfg_t *config_make_parser(struct config_reader *r);
void config_end_parser(cfg_t *cfg);
const struct option *config_option_named(const char *section, const char *name);

/* ---- from libConfuse to our structs; NULL: empty or not given ---- */

const char *config_text(struct config_reader *r, cfg_t *sec, const char *name);
const char *const *config_list(struct config_reader *r, cfg_t *sec, const char *name);
const char *const *config_jids(struct config_reader *r, cfg_t *sec, const char *name); /* each prepared as a JID */
const char *const *config_patterns(struct config_reader *r, cfg_t *sec,
                                   const char *name); /* domains, "*." before some */
bool config_is_given(struct config_reader *r, cfg_t *sec, const char *name);
const char *config_domain(struct config_reader *r, cfg_t *sec); /* the title, prepared */
/* A file that holds a secret: its first line, or the whole when it is a key in PEM. The private one's file owner and
 * group alone may read. */
const char *config_secret(struct config_reader *r, cfg_t *sec, const char *path);
const char *config_private_secret(struct config_reader *r, cfg_t *sec, const char *option);
/* "NAME=VALUE", or with `files` "NAME=FILE" without those that cannot be used; ends with {NULL, NULL}. */
const struct contact_router_pair *config_pairs(struct config_reader *r, cfg_t *sec, const char *name, bool files);
/* The first of a provider's secrets that cannot be used. */
const struct config_bad_secret *config_bad_secret(struct config_reader *r, cfg_t *sec);

/* ---- sections ---- */

void config_read_communities(struct config_reader *r, cfg_t *cfg); /* listeners before */
void config_read_components(struct config_reader *r, cfg_t *cfg);  /* communities before */

#endif
