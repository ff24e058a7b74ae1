/* SPDX-License-Identifier: MIT */
/* One value of the configuration: what libConfuse checks of it and what we do, and how it comes from there into our
 * structs. Each mistake is told with file and line, once, and does not stop the reading, so that all of them are told
 * at once. */
#include "gateway/config_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/config_value.h"
#include "gateway/xmpp/jid.h"

/* libConfuse hands its callbacks no pointer of ours: the reader that is at work on this thread. */
static _Thread_local struct config_reader *current;

/* The file or one that it includes. */
static const char *file_of(const struct config_reader *r, const cfg_t *cfg)
{
    return cfg && cfg->filename ? cfg->filename : r->c->file;
}

void config_mistake(struct config_reader *r, cfg_t *cfg, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *what = arena_vprintf(&r->c->arena, fmt, ap);
    va_end(ap);
    const char *file = file_of(r, cfg);
    char *line = cfg && cfg->line ? arena_printf(&r->c->arena, "%s:%d: %s", file, cfg->line, what)
                                  : arena_printf(&r->c->arena, "%s: %s", file, what);
    if (map_put(&r->told, line, line))
        return; /* libConfuse asks twice about lists */
    r->mistakes++;
    r->complain(r->user, line);
}

static void on_confuse_error(cfg_t *cfg, const char *fmt, va_list ap)
{
    char *what = arena_vprintf(&current->c->arena, fmt, ap);
    const char *next = "";
    if (text_starts_with(what, "no such option"))
        next = "; `causeway options` prints all there are";
    else if (text_starts_with(what, "unexpected token"))
        next = "; is a brace or a quotation mark missing before it?";
    config_mistake(current, cfg, "%s%s", what, next);
}

/* ---- one value ---- */

static void check_secret(struct config_reader *r, cfg_t *cfg, const struct option *o, const char *value)
{
    struct arena *a = &r->c->arena;
    const char *eq = strchr(value, '='), *next, *why;
    if (!eq || eq == value) {
        config_mistake(r, cfg, "%s: '%s' is not NAME=FILE", o->name, value);
        return;
    }
    why = config_value_secret_fault(eq + 1, &next);
    if (!why || map_get(&r->bad_secrets, value))
        return;
    struct config_bad_secret *bad = arena_new(a, struct config_bad_secret);
    bad->told = arena_printf(a, "%s:%d: %s: %s: %s%s%s", file_of(r, cfg), cfg->line, o->name, eq + 1, why, next,
                             *next ? eq + 1 : "");
    bad->seen = arena_printf(a, "%s: the file of %.*s: %s", o->name, (int)(eq - value), value, why);
    map_put(&r->bad_secrets, arena_dup(a, value), bad);
}

static void check_text(struct config_reader *r, cfg_t *cfg, const struct option *o, const char *value)
{
    const char *wrong = config_value_fault(&r->c->arena, o, value);
    if (wrong)
        config_mistake(r, cfg, "%s: %s", o->name, wrong);
    if (o->check == CHECK_SECRET)
        check_secret(r, cfg, o, value);
}

const struct option *config_option_named(const char *section, const char *name)
{
    for (size_t i = 0; i < config_options_count; i++)
        if (strcmp(config_options[i].section, section) == 0 && strcmp(config_options[i].name, name) == 0)
            return &config_options[i];
    return NULL;
}

/* Called after each value that is set; 0: go on (a mistake is counted, not fatal). */
static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
    struct config_reader *r = current;
    const struct option *o = config_option_named(cfg_name(cfg), cfg_opt_name(opt));
    unsigned n = cfg_opt_size(opt);
    if (o->type != OPTION_LIST) {
        char *key = arena_printf(&r->c->arena, "%p %s", (void *)cfg, o->name);
        if (map_put(&r->seen, key, key))
            config_mistake(r, cfg, "%s is given twice in this block", o->name);
    }
    if (o->type == OPTION_INT && (cfg_opt_getnint(opt, 0) < o->least || cfg_opt_getnint(opt, 0) > o->most))
        config_mistake(r, cfg, "%s: %ld is not between %ld and %ld", o->name, cfg_opt_getnint(opt, 0), o->least,
                       o->most);
    else if ((o->type == OPTION_TEXT || o->type == OPTION_LIST) && n)
        check_text(r, cfg, o, cfg_opt_getnstr(opt, n - 1));
    return 0;
}

/* ---- from libConfuse to our struct ---- */

const char *config_text(struct config_reader *r, cfg_t *sec, const char *name)
{
    const char *value = cfg_getstr(sec, name);
    return value && *value ? arena_dup(&r->c->arena, value) : NULL;
}

const char *const *config_list(struct config_reader *r, cfg_t *sec, const char *name)
{
    unsigned n = cfg_size(sec, name);
    if (n == 0)
        return NULL;
    const char **list = arena_alloc(&r->c->arena, (n + 1) * sizeof *list);
    for (unsigned i = 0; i < n; i++)
        list[i] = arena_dup(&r->c->arena, cfg_getnstr(sec, name, i));
    return list;
}

/* As list_of, each prepared as a JID. */
const char *const *config_jids(struct config_reader *r, cfg_t *sec, const char *name)
{
    const char **list = (const char **)config_list(r, sec, name);
    for (unsigned i = 0; list && list[i]; i++) {
        const struct jid *j = jid_parse_text(&r->c->arena, list[i]);
        list[i] = j ? j->bare : list[i];
    }
    return list;
}

const char *const *config_patterns(struct config_reader *r, cfg_t *sec, const char *name)
{
    const char **list = (const char **)config_list(r, sec, name);
    for (unsigned i = 0; list && list[i]; i++) {
        const struct jid *j = jid_parse_text(&r->c->arena, config_value_behind_star(list[i]));
        if (j)
            list[i] = list[i][0] == '*' ? arena_printf(&r->c->arena, "*.%s", j->domain) : j->domain;
    }
    return list;
}

/* A file that holds a secret: its first line, or the whole when it is a key in PEM. */
const char *config_secret(struct config_reader *r, cfg_t *sec, const char *path)
{
    char text[16384];
    FILE *f = path ? fopen(path, "re") : NULL;
    if (!f)
        return NULL; /* CHECK_FILE has complained */
    const char *secret = NULL;
    size_t len = fread(text, 1, sizeof text - 1, f);
    text[len] = '\0';
    if (!text_starts_with(text, "-----BEGIN "))
        text[strcspn(text, "\r\n")] = '\0';
    if (len)
        secret = arena_dup(&r->c->arena, text);
    else
        config_mistake(r, sec, "%s is empty", path);
    fclose(f);
    mem_wipe(text, sizeof text);
    return secret;
}

/* The first of a provider's secrets that cannot be used. */
const struct config_bad_secret *config_bad_secret(struct config_reader *r, cfg_t *sec)
{
    const struct config_bad_secret *bad = NULL;
    for (unsigned i = 0; !bad && i < cfg_size(sec, "secret_files"); i++)
        bad = map_get(&r->bad_secrets, cfg_getnstr(sec, "secret_files", i));
    return bad;
}

const struct contact_router_pair *config_pairs(struct config_reader *r, cfg_t *sec, const char *name, bool files)
{
    unsigned n = cfg_size(sec, name), used = 0;
    struct contact_router_pair *pairs = arena_alloc(&r->c->arena, (n + 1) * sizeof *pairs);
    for (unsigned i = 0; i < n; i++) {
        const char *given = cfg_getnstr(sec, name, i), *eq = strchr(given, '=');
        if (!eq)
            continue;
        if (files && map_get(&r->bad_secrets, given))
            continue;
        const char *value = files ? config_secret(r, sec, eq + 1) : arena_dup(&r->c->arena, eq + 1);
        if (value)
            pairs[used++] = (struct contact_router_pair){arena_dup_n(&r->c->arena, given, (size_t)(eq - given)), value};
    }
    return pairs;
}

const char *config_domain(struct config_reader *r, cfg_t *sec)
{
    const char *domain = jid_parse_domain(&r->c->arena, cfg_title(sec));
    if (domain)
        return domain;
    config_mistake(r, sec, "%s \"%s\": the title is not a domain", cfg_name(sec), cfg_title(sec));
    return arena_dup(&r->c->arena, cfg_title(sec));
}
/* A file that owner and group alone may read. */
const char *config_private_secret(struct config_reader *r, cfg_t *sec, const char *option)
{
    const char *path = config_text(r, sec, option), *next = "", *why = NULL;
    if (path && access(path, R_OK) == 0) /* CHECK_FILE has complained else */
        why = config_value_secret_fault(path, &next);
    if (why)
        config_mistake(r, sec, "%s: %s: %s%s%s", option, path, why, next, *next ? path : "");
    return why ? NULL : config_secret(r, sec, path);
}

bool config_is_given(struct config_reader *r, cfg_t *sec, const char *name)
{
    return map_get(&r->seen, arena_printf(&r->c->arena, "%p %s", (void *)sec, name)) != NULL;
}

/* ---- the parser, made of the table ---- */

static cfg_opt_t *make_options(struct config_reader *r, const char *section)
{
    cfg_opt_t *opts = arena_alloc(&r->c->arena, (config_options_count + 1) * sizeof *opts);
    size_t n = 0;
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        if (strcmp(o->section, section) != 0)
            continue;
        switch (o->type) {
        case OPTION_TEXT:
            opts[n++] = (cfg_opt_t)CFG_STR(o->name, o->text_default, CFGF_NONE);
            break;
        case OPTION_LIST:
            opts[n++] = (cfg_opt_t)CFG_STR_LIST(o->name, NULL, CFGF_NONE);
            break;
        case OPTION_INT:
            opts[n++] = (cfg_opt_t)CFG_INT(o->name, o->int_default, CFGF_NONE);
            break;
        case OPTION_BOOL:
            opts[n++] = (cfg_opt_t)CFG_BOOL(o->name, o->int_default ? cfg_true : cfg_false, CFGF_NONE);
            break;
        }
    }
    opts[n] = (cfg_opt_t)CFG_END();
    return opts;
}

cfg_t *config_make_parser(struct config_reader *r)
{
    cfg_opt_t *top = arena_alloc(&r->c->arena, (config_options_section_count + 1) * sizeof *top);
    for (size_t i = 0; i < config_options_section_count; i++) {
        const struct option_section *s = &config_options_sections[i];
        cfg_flag_t flags =
            (s->title ? CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NONE) | (s->multi ? CFGF_MULTI : CFGF_NONE);
        top[i] = (cfg_opt_t)CFG_SEC(s->name, make_options(r, s->name), flags);
    }
    top[config_options_section_count] = (cfg_opt_t)CFG_END();
    cfg_t *cfg = cfg_init(top, CFGF_NONE);
    current = r;
    cfg_set_error_function(cfg, on_confuse_error);
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        cfg_set_validate_func(cfg, arena_printf(&r->c->arena, "%s|%s", o->section, o->name), on_value);
    }
    return cfg;
}

void config_end_parser(cfg_t *cfg)
{
    cfg_free(cfg);
    current = NULL;
}
