/* SPDX-License-Identifier: MIT */
/* Reads the configuration by libConfuse: syntax, types and unknown names are its business, values and
 * what one section demands of another are ours. Each mistake is told with file and line; a mistake in
 * a value does not stop the reading, so all of them are told at once. */
#include "gateway/config.h"

#include <confuse.h>
#include <errno.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/bytes.h"
#include "gateway/base/map.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/config_facts.h"
#include "gateway/config_options.h"
#include "gateway/config_value.h"
#include "gateway/net/directory_text.h"
#include "gateway/xmpp/jid.h"

struct reader {
    struct config *c;
    void (*complain)(void *user, const char *text);
    void *user;
    unsigned mistakes;
    struct map told; /* complaints so far */
    struct map seen; /* "SECTION-ADDRESS option": given before in the same block */
    struct map bad_secrets; /* NAME=FILE -> struct bad_secret */
};

/* A provider's secret that cannot be used turns the provider off (contact_router.h), and is no mistake that stops a
 * start. */
struct bad_secret {
    const char *told, *seen; /* with file and line and path; without */
};

/* libConfuse hands its callbacks no pointer of ours: the reader that is at work on this thread. */
static _Thread_local struct reader *current;

/* The file or one that it includes. */
static const char *file_of(const struct reader *r, const cfg_t *cfg)
{
    return cfg && cfg->filename ? cfg->filename : r->c->file;
}

static void mistake(struct reader *r, cfg_t *cfg, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void mistake(struct reader *r, cfg_t *cfg, const char *fmt, ...)
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
    mistake(current, cfg, "%s%s", what, next);
}

/* ---- one value ---- */

static void check_secret(struct reader *r, cfg_t *cfg, const struct option *o, const char *value)
{
    struct arena *a = &r->c->arena;
    const char *eq = strchr(value, '='), *next, *why;
    if (!eq || eq == value) {
        mistake(r, cfg, "%s: '%s' is not NAME=FILE", o->name, value);
        return;
    }
    why = config_value_secret_fault(eq + 1, &next);
    if (!why || map_get(&r->bad_secrets, value))
        return;
    struct bad_secret *bad = arena_new(a, struct bad_secret);
    bad->told = arena_printf(a, "%s:%d: %s: %s: %s%s%s", file_of(r, cfg), cfg->line, o->name, eq + 1, why, next,
                             *next ? eq + 1 : "");
    bad->seen = arena_printf(a, "%s: the file of %.*s: %s", o->name, (int)(eq - value), value, why);
    map_put(&r->bad_secrets, arena_dup(a, value), bad);
}

static void check_text(struct reader *r, cfg_t *cfg, const struct option *o, const char *value)
{
    const char *wrong = config_value_fault(&r->c->arena, o, value);
    if (wrong)
        mistake(r, cfg, "%s: %s", o->name, wrong);
    if (o->check == CHECK_SECRET)
        check_secret(r, cfg, o, value);
}

static const struct option *find_option(const char *section, const char *name)
{
    for (size_t i = 0; i < config_options_count; i++)
        if (strcmp(config_options[i].section, section) == 0 && strcmp(config_options[i].name, name) == 0)
            return &config_options[i];
    return NULL;
}

/* Called after each value that is set; 0: go on (a mistake is counted, not fatal). */
static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
    struct reader *r = current;
    const struct option *o = find_option(cfg_name(cfg), cfg_opt_name(opt));
    unsigned n = cfg_opt_size(opt);
    if (o->type != OPTION_LIST) {
        char *key = arena_printf(&r->c->arena, "%p %s", (void *)cfg, o->name);
        if (map_put(&r->seen, key, key))
            mistake(r, cfg, "%s is given twice in this block", o->name);
    }
    if (o->type == OPTION_INT && (cfg_opt_getnint(opt, 0) < o->least || cfg_opt_getnint(opt, 0) > o->most))
        mistake(r, cfg, "%s: %ld is not between %ld and %ld", o->name, cfg_opt_getnint(opt, 0), o->least, o->most);
    else if ((o->type == OPTION_TEXT || o->type == OPTION_LIST) && n)
        check_text(r, cfg, o, cfg_opt_getnstr(opt, n - 1));
    return 0;
}

/* ---- from libConfuse to our struct ---- */

static const char *text_of(struct reader *r, cfg_t *sec, const char *name)
{
    const char *value = cfg_getstr(sec, name);
    return value && *value ? arena_dup(&r->c->arena, value) : NULL;
}

static const char *const *list_of(struct reader *r, cfg_t *sec, const char *name)
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
static const char *const *jids_of(struct reader *r, cfg_t *sec, const char *name)
{
    const char **list = (const char **)list_of(r, sec, name);
    for (unsigned i = 0; list && list[i]; i++) {
        const struct jid *j = jid_parse_text(&r->c->arena, list[i]);
        list[i] = j ? j->bare : list[i];
    }
    return list;
}

static const char *const *patterns_of(struct reader *r, cfg_t *sec, const char *name)
{
    const char **list = (const char **)list_of(r, sec, name);
    for (unsigned i = 0; list && list[i]; i++) {
        const struct jid *j = jid_parse_text(&r->c->arena, config_value_behind_star(list[i]));
        if (j)
            list[i] = list[i][0] == '*' ? arena_printf(&r->c->arena, "*.%s", j->domain) : j->domain;
    }
    return list;
}

/* A file that holds a secret: its first line, or the whole when it is a key in PEM. */
static const char *secret_of(struct reader *r, cfg_t *sec, const char *path)
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
        mistake(r, sec, "%s is empty", path);
    fclose(f);
    mem_wipe(text, sizeof text);
    return secret;
}

/* The first of a provider's secrets that cannot be used. */
static const struct bad_secret *bad_secret_of(struct reader *r, cfg_t *sec)
{
    const struct bad_secret *bad = NULL;
    for (unsigned i = 0; !bad && i < cfg_size(sec, "secret_files"); i++)
        bad = map_get(&r->bad_secrets, cfg_getnstr(sec, "secret_files", i));
    return bad;
}

static const struct contact_router_pair *pairs_of(struct reader *r, cfg_t *sec, const char *name, bool files)
{
    unsigned n = cfg_size(sec, name), used = 0;
    struct contact_router_pair *pairs = arena_alloc(&r->c->arena, (n + 1) * sizeof *pairs);
    for (unsigned i = 0; i < n; i++) {
        const char *given = cfg_getnstr(sec, name, i), *eq = strchr(given, '=');
        if (!eq)
            continue;
        if (files && map_get(&r->bad_secrets, given))
            continue;
        const char *value = files ? secret_of(r, sec, eq + 1) : arena_dup(&r->c->arena, eq + 1);
        if (value)
            pairs[used++] = (struct contact_router_pair){arena_dup_n(&r->c->arena, given, (size_t)(eq - given)), value};
    }
    return pairs;
}

static const char *title_domain(struct reader *r, cfg_t *sec)
{
    const char *domain = jid_parse_domain(&r->c->arena, cfg_title(sec));
    if (domain)
        return domain;
    mistake(r, sec, "%s \"%s\": the title is not a domain", cfg_name(sec), cfg_title(sec));
    return arena_dup(&r->c->arena, cfg_title(sec));
}

static struct s2s_rate_limits rate_of(cfg_t *sec, const char *stanzas, const char *kib)
{
    return (struct s2s_rate_limits){(uint64_t)cfg_getint(sec, stanzas), (uint64_t)cfg_getint(sec, kib) * 1024};
}

static void read_gateway(struct reader *r, cfg_t *sec)
{
    struct config *c = r->c;
    c->store_path = text_of(r, sec, "store");
    c->schema_dir = text_of(r, sec, "schema_dir");
    c->profile_dir = text_of(r, sec, "profile_dir");
    c->speech_program = text_of(r, sec, "speech_program");
    c->mail_reader = text_of(r, sec, "mail_reader");
    c->durability = text_eq(cfg_getstr(sec, "durability"), "process") ? STORE_PROCESS : STORE_DISK;
    c->io_loops = (unsigned)cfg_getint(sec, "io_loops");
    if (!log_level_parse(cfg_getstr(sec, "log_level"), &c->log_level))
        c->log_level = LOG_INFO;
    c->ca_file = text_of(r, sec, "ca_file");
    c->dns_server = text_of(r, sec, "dns_server");
    c->dns_trust_anchor = text_of(r, sec, "dns_trust_anchor");
    c->egress_allow = list_of(r, sec, "egress_allow");
    c->public_url = text_of(r, sec, "public_url");
    c->websocket_url = text_of(r, sec, "websocket_url");
    c->bosh_url = text_of(r, sec, "bosh_url");
    c->public_addresses = list_of(r, sec, "public_addresses");
    c->s2s_bidi = cfg_getbool(sec, "s2s_bidi");
    c->s2s_queue_deadline_s = (uint64_t)cfg_getint(sec, "s2s_queue_hours") * 3600;
    c->s2s_rate = rate_of(sec, "s2s_stanzas_per_second", "s2s_kib_per_second");
    c->s2s_stanza_bytes = (size_t)cfg_getint(sec, "s2s_stanza_kib") * 1024;
    c->s2s_delayed_notice_s = (uint64_t)cfg_getint(sec, "delay_notice_minutes") * 60;
    c->c2s_limits.connections_per_address = (unsigned)cfg_getint(sec, "connections_per_address");
    c->c2s_times.login_ms = (uint64_t)cfg_getint(sec, "login_seconds") * 1000;
    c->c2s_times.idle_ms = (uint64_t)cfg_getint(sec, "idle_seconds") * 1000;
    c->c2s_times.resume_ms = (uint64_t)cfg_getint(sec, "resume_seconds") * 1000;
}

static bool is_loopback(const char *address)
{
    return text_eq(address, "::1") || text_starts_with(address, "127.");
}

static void check_path(struct reader *r, cfg_t *sec, const char *option, const char *like)
{
    const char *path = cfg_getstr(sec, option);
    if (path[0] != '/' || path[strcspn(path, " ?#\"'<>&\\")])
        mistake(r, sec, "%s: '%s' is not a path like %s", option, path, like);
}

/* Beside what every client's listener has. */
static void add_web_socket(struct reader *r, cfg_t *sec, const char *address, long port)
{
    bool tls = cfg_getbool(sec, "tls"), bosh = *cfg_getstr(sec, "bosh_path");
    check_path(r, sec, "path", "/xmpp-websocket");
    if (bosh)
        check_path(r, sec, "bosh_path", "/http-bind");
    if (text_eq(cfg_getstr(sec, "path"), cfg_getstr(sec, "bosh_path")))
        mistake(r, sec, "listen: 'path' and 'bosh_path' are the same");
    if (!tls && !is_loopback(address))
        mistake(r, sec, "listen: 'tls = false' is for a reverse proxy on this machine: address = \"127.0.0.1\"");
    r->c->c2s[r->c->c2s_count++] = (struct c2s_listener){.address = address,
                                                         .port = (uint16_t)(port ? port : tls ? 5443 : 5281),
                                                         .direct_tls = tls,
                                                         .path = text_of(r, sec, "path"),
                                                         .bosh_path = bosh ? text_of(r, sec, "bosh_path") : NULL,
                                                         .origins = list_of(r, sec, "origins")};
}

/* Whoever reaches it can answer for anybody whose mail they saw: so it is for the mail server of this machine, unless
 * an address says otherwise. */
static void add_lmtp(struct reader *r, cfg_t *sec, const char *address, long port)
{
    struct config *c = r->c;
    if (c->lmtp_address)
        mistake(r, sec, "listen: there is one for lmtp already");
    c->lmtp_address = address;
    c->lmtp_port = (uint16_t)(port ? port : 2424);
}

static void add_listener(struct reader *r, cfg_t *sec, const char *service, const char *given, long port)
{
    struct config *c = r->c;
    bool is_for_here = text_eq(service, "component") || text_eq(service, "lmtp");
    const char *address = given ? given : is_for_here ? "127.0.0.1" : "0.0.0.0";
    bool direct = text_eq(service, "c2s-tls") || text_eq(service, "s2s-tls");
    if (text_eq(service, "c2s") || text_eq(service, "c2s-tls")) {
        c->c2s[c->c2s_count++] = (struct c2s_listener){
            .address = address, .port = (uint16_t)(port ? port : direct ? 5223 : 5222), .direct_tls = direct};
    } else if (text_eq(service, "s2s") || text_eq(service, "s2s-tls")) {
        c->s2s[c->s2s_count++] = (struct s2s_listener){address, (uint16_t)(port ? port : direct ? 5270 : 5269), direct};
    } else if (text_eq(service, "component")) {
        c->component[c->component_listener_count++] =
            (struct s2s_listener){.address = address, .port = (uint16_t)(port ? port : 5347)};
    } else if (text_eq(service, "http")) {
        if (c->http_address)
            mistake(r, sec, "listen: there is one for http already");
        c->http_address = address;
        c->http_port = (uint16_t)(port ? port : 5280);
    } else if (text_eq(service, "lmtp")) {
        add_lmtp(r, sec, address, port);
    } else if (text_eq(service, "websocket")) {
        add_web_socket(r, sec, address, port);
    } else {
        mistake(r, sec, "listen: 'service' is missing: c2s, c2s-tls, s2s, s2s-tls, component, websocket, http or lmtp");
    }
}

/* To the listener that was added last. */
static void let_servers_in(struct reader *r, cfg_t *sec)
{
    if (!cfg_getbool(sec, "servers"))
        return;
    if (text_eq(cfg_getstr(sec, "service"), "c2s-tls"))
        r->c->c2s[r->c->c2s_count - 1].servers = true;
    else
        mistake(r, sec, "listen: 'servers = true' is for service c2s-tls");
}

static void read_listeners(struct reader *r, cfg_t *cfg)
{
    unsigned n = cfg_size(cfg, "listen");
    r->c->c2s = arena_alloc(&r->c->arena, (n + 4) * sizeof *r->c->c2s);
    r->c->s2s = arena_alloc(&r->c->arena, (n + 4) * sizeof *r->c->s2s);
    r->c->component = arena_alloc(&r->c->arena, (n + 1) * sizeof *r->c->component);
    for (unsigned i = 0; i < n; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "listen", i);
        add_listener(r, sec, text_of(r, sec, "service"), text_of(r, sec, "address"), cfg_getint(sec, "port"));
        let_servers_in(r, sec);
    }
    static const char *const usual[] = {"c2s", "c2s-tls", "s2s", "s2s-tls"};
    bool none = true; /* those for HTTP and WebSocket alone take nothing away */
    for (unsigned i = 0; i < r->c->c2s_count; i++)
        none = none && r->c->c2s[i].path;
    none = none && r->c->s2s_count == 0;
    if (r->c->component_listener_count == 0)
        add_listener(r, cfg, "component", NULL, 0);
    for (unsigned i = 0; none && i < 4; i++) {
        add_listener(r, cfg, usual[i], NULL, 0);
        if (access("/proc/self/net/if_inet6", F_OK) == 0)
            add_listener(r, cfg, usual[i], "::", 0);
    }
}

/* Where a browser finds an invitation's page; NULL: nowhere. */
static const char *page_url(struct reader *r, cfg_t *sec, const char *domain)
{
    const char *given = text_of(r, sec, "invite_url");
    if (given)
        return given[strlen(given) - 1] == '/' ? given : arena_printf(&r->c->arena, "%s/", given);
    for (unsigned i = 0; i < r->c->c2s_count; i++) {
        const struct c2s_listener *l = &r->c->c2s[i];
        if (l->path && l->direct_tls && l->port == 443)
            return arena_printf(&r->c->arena, "https://%s/invite/", domain);
        if (l->path && l->direct_tls)
            return arena_printf(&r->c->arena, "https://%s:%u/invite/", domain, l->port);
    }
    return NULL;
}

static struct community_joining read_joining(struct reader *r, cfg_t *sec, const char *domain)
{
    const char *who = cfg_getstr(sec, "registration"), *people = cfg_getstr(sec, "people_invite");
    return (struct community_joining){
        .who = text_eq(who, "open")  ? JOIN_ANYBODY
               : text_eq(who, "off") ? JOIN_NOBODY
                                     : JOIN_INVITED,
        .people = text_eq(people, "accounts")  ? INVITE_ACCOUNTS
                  : text_eq(people, "nothing") ? INVITE_NOTHING
                                               : INVITE_CONTACTS,
        .invitation_ttl_s = (uint64_t)cfg_getint(sec, "invitation_days") * 86400,
        .invitations_max = (unsigned)cfg_getint(sec, "invitations_open"),
        .accounts_per_hour = (unsigned)cfg_getint(sec, "registrations_per_hour"),
        .accounts_per_network = (unsigned)cfg_getint(sec, "registrations_per_network"),
        .page_url = page_url(r, sec, domain),
    };
}

/* A file that owner and group alone may read. */
static const char *private_secret(struct reader *r, cfg_t *sec, const char *option)
{
    const char *path = text_of(r, sec, option), *next = "", *why = NULL;
    if (path && access(path, R_OK) == 0) /* CHECK_FILE has complained else */
        why = config_value_secret_fault(path, &next);
    if (why)
        mistake(r, sec, "%s: %s: %s%s%s", option, path, why, next, *next ? path : "");
    return why ? NULL : secret_of(r, sec, path);
}

/* ---- a directory ---- */

static bool is_given(struct reader *r, cfg_t *sec, const char *name)
{
    return map_get(&r->seen, arena_printf(&r->c->arena, "%p %s", (void *)sec, name)) != NULL;
}

static void check_ldap_urls(struct reader *r, cfg_t *sec, const struct directory_options *o)
{
    for (const char *const *url = o->urls; *url; url++)
        if (o->starttls == DIRECTORY_STARTTLS_NO && text_starts_with(*url, "ldap://") &&
            !directory_text_is_loopback(*url))
            mistake(r, sec, "ldap_starttls: passwords would go to %s in the clear; 'no' is for loopback alone", *url);
}

static void check_ldap(struct reader *r, cfg_t *sec, const struct directory_options *o)
{
    if (!o->base == !o->dn)
        mistake(r, sec,
                "ldap_url: one of 'ldap_base' (people are searched for) and 'ldap_dn' (they are not) is needed");
    if (o->dn && !text_eq(o->filter, find_option("community", "ldap_filter")->text_default))
        mistake(r, sec, "ldap_filter: with 'ldap_dn' there is no search");
    if (o->dn && !directory_text_is_template(o->dn))
        mistake(r, sec, "ldap_dn: '%s' has no %%u for the name, or another %% than %%u, %%d and %%%%", o->dn);
    if (!o->dn && !directory_text_is_template(o->filter))
        mistake(r, sec, "ldap_filter: '%s' has no %%u for the name, or another %% than %%u, %%d and %%%%", o->filter);
    else if (!o->dn && !directory_text_is_filter(o->filter))
        mistake(r, sec, "ldap_filter: '%s' is not a filter like (uid=%%u): look at its parentheses", o->filter);
    if (!o->bind_dn != !text_of(r, sec, "ldap_password_file"))
        mistake(r, sec, "ldap_bind_dn and ldap_password_file: one without the other is of no use");
    check_ldap_urls(r, sec, o);
}

static const struct directory_options *read_ldap(struct reader *r, cfg_t *sec, const char *domain)
{
    static const char *const names[] = {"ldap_starttls", "ldap_base", "ldap_dn", "ldap_bind_dn", "ldap_password_file"};
    const char *starttls = text_of(r, sec, "ldap_starttls");
    if (!cfg_size(sec, "ldap_url")) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (text_of(r, sec, names[i]))
                mistake(r, sec, "%s: without 'ldap_url' there is no directory", names[i]);
        return NULL;
    }
    struct directory_options *o = arena_new(&r->c->arena, struct directory_options);
    *o = (struct directory_options){
        .domain = domain,
        .urls = list_of(r, sec, "ldap_url"),
        .starttls = !starttls                ? DIRECTORY_STARTTLS_AUTO
                    : text_eq(starttls, "no") ? DIRECTORY_STARTTLS_NO
                                              : DIRECTORY_STARTTLS_YES,
        .ca_file = r->c->ca_file,
        .base = text_of(r, sec, "ldap_base"),
        .filter = text_of(r, sec, "ldap_filter"),
        .dn = text_of(r, sec, "ldap_dn"),
        .bind_dn = text_of(r, sec, "ldap_bind_dn"),
        .bind_password = private_secret(r, sec, "ldap_password_file"),
        .timeout_s = (unsigned)cfg_getint(sec, "ldap_timeout_seconds"),
        .cache_s = (unsigned)cfg_getint(sec, "ldap_cache_seconds"),
    };
    check_ldap(r, sec, o);
    return o;
}

/* Nobody makes an account beside the directory's. */
static void close_registration(struct reader *r, cfg_t *sec, struct community *c)
{
    if (is_given(r, sec, "registration") && c->joining.who != JOIN_NOBODY)
        mistake(r, sec, "registration: the accounts are the directory's (ldap_url); nobody registers");
    c->joining.who = JOIN_NOBODY;
    if (c->joining.people == INVITE_ACCOUNTS)
        c->joining.people = INVITE_CONTACTS;
    c->accounts_elsewhere = true;
}

static void read_community(struct reader *r, cfg_t *sec, struct config_community *out)
{
    const char *domain = title_domain(r, sec), *strangers = cfg_getstr(sec, "strangers");
    const char *key = arena_printf(&r->c->arena, "served %s", domain);
    if (map_put(&r->seen, key, (void *)key))
        mistake(r, sec, "community \"%s\" stands there already, spelt otherwise", domain);
    out->certificate = text_of(r, sec, "certificate");
    out->key = text_of(r, sec, "key");
    out->client_ca = text_of(r, sec, "client_ca");
    out->client_crl = text_of(r, sec, "client_crl");
    if (out->client_crl && !out->client_ca)
        mistake(r, sec, "community \"%s\": 'client_crl' is of no use without 'client_ca'", domain);
    if (!out->certificate || !out->key)
        mistake(r, sec, "community \"%s\": 'certificate' and 'key' are needed: nobody logs in without TLS", domain);
    out->exchange = (struct community){
        .domain = domain,
        .admins = jids_of(r, sec, "admins"),
        .archive = cfg_getbool(sec, "archive"),
        .strangers = text_eq(strangers, "deliver")  ? STRANGERS_DELIVER
                     : text_eq(strangers, "refuse") ? STRANGERS_REFUSE
                                                    : STRANGERS_ASK,
        .held_max = (unsigned)cfg_getint(sec, "held_messages"),
        .request_ttl_s = (uint64_t)cfg_getint(sec, "request_days") * 86400,
        .joining = read_joining(r, sec, domain),
    };
    out->devices = (struct contact_router_community){
        .domain = domain,
        .mail_url = text_of(r, sec, "mail_server"),
        .mail_from = text_of(r, sec, "mail_from"),
        .mail_user = text_of(r, sec, "mail_user"),
        .mail_password = secret_of(r, sec, text_of(r, sec, "mail_password_file")),
        .mail_answers = text_of(r, sec, "mail_answers"),
        .mail_require_tls = cfg_getbool(sec, "mail_require_tls"),
        .sms_per_day = (unsigned)cfg_getint(sec, "sms_per_day"),
        .calls_per_day = (unsigned)cfg_getint(sec, "calls_per_day"),
        .gather_seconds = (unsigned)cfg_getint(sec, "gather_seconds"),
        .sms_prefixes = list_of(r, sec, "sms_prefixes"),
    };
    out->federation = (struct s2s_community){
        .domain = domain,
        .listed_only = text_eq(cfg_getstr(sec, "federation"), "listed"),
        .certificate_required = text_eq(cfg_getstr(sec, "federation_certificate"), "required"),
        .allow = patterns_of(r, sec, "federation_allow"),
        .deny = patterns_of(r, sec, "federation_deny"),
        .deny_lists = list_of(r, sec, "federation_deny_files"),
        .block_lists = list_of(r, sec, "federation_block_lists"),
    };
    out->ldap = read_ldap(r, sec, domain);
    if (out->ldap)
        close_registration(r, sec, &out->exchange);
}

static void read_communities(struct reader *r, cfg_t *cfg)
{
    struct config *c = r->c;
    c->community_count = cfg_size(cfg, "community");
    c->communities = arena_alloc(&c->arena, (c->community_count + 1) * sizeof *c->communities);
    for (unsigned i = 0; i < c->community_count; i++)
        read_community(r, cfg_getnsec(cfg, "community", i), &c->communities[i]);
    if (c->community_count == 0)
        mistake(r, NULL, "there is no community: add community \"example.org\" { certificate = ... key = ... }");
}

/* ---- components ---- */

/* The longest name of a community that ends this one. */
static const struct config_community *parent_of(const struct config *c, const char *domain)
{
    for (const char *dot = strchr(domain, '.'); dot; dot = strchr(dot + 1, '.'))
        for (unsigned i = 0; i < c->community_count; i++)
            if (text_eq(c->communities[i].exchange.domain, dot + 1))
                return &c->communities[i];
    return NULL;
}

static const struct config_community *community_of(struct reader *r, cfg_t *sec, const char *domain)
{
    const char *given = text_of(r, sec, "community");
    const struct jid *j = given ? jid_parse_text(&r->c->arena, given) : NULL;
    for (unsigned i = 0; j && i < r->c->community_count; i++)
        if (text_eq(r->c->communities[i].exchange.domain, j->domain))
            return &r->c->communities[i];
    if (given)
        mistake(r, sec, "community: '%s' is none of ours", given);
    return parent_of(r->c, domain);
}

static void read_component(struct reader *r, cfg_t *sec, struct config_component *out)
{
    const char *domain = title_domain(r, sec);
    const struct config_community *community = community_of(r, sec, domain);
    const char *key = arena_printf(&r->c->arena, "served %s", domain);
    if (map_put(&r->seen, key, (void *)key))
        mistake(r, sec, "component \"%s\": that domain is served already", domain);
    *out = (struct config_component){
        .exchange = {domain, community ? community->exchange.domain : NULL},
        .secret = private_secret(r, sec, "secret_file"),
        .certificate = text_of(r, sec, "certificate"), .key = text_of(r, sec, "key"),
    };
    if (!text_of(r, sec, "secret_file"))
        mistake(r, sec, "component \"%s\": 'secret_file' is needed", domain);
    if (!out->certificate != !out->key)
        mistake(r, sec, "component \"%s\": 'certificate' and 'key' are of no use alone", domain);
    if (!out->certificate && community) {
        out->certificate = community->certificate;
        out->key = community->key;
    }
}

static void read_components(struct reader *r, cfg_t *cfg)
{
    struct config *c = r->c;
    c->component_count = cfg_size(cfg, "component");
    c->components = arena_alloc(&c->arena, (c->component_count + 1) * sizeof *c->components);
    for (unsigned i = 0; i < c->component_count; i++)
        read_component(r, cfg_getnsec(cfg, "component", i), &c->components[i]);
}

static void read_remotes(struct reader *r, cfg_t *cfg)
{
    struct config *c = r->c;
    c->remote_count = cfg_size(cfg, "remote");
    c->remotes = arena_alloc(&c->arena, (c->remote_count + 1) * sizeof *c->remotes);
    for (unsigned i = 0; i < c->remote_count; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "remote", i);
        const char *certificate = cfg_getstr(sec, "certificate");
        c->remotes[i] = (struct s2s_remote){
            .domain = title_domain(r, sec),
            .host = text_of(r, sec, "host"),
            .port = (uint16_t)cfg_getint(sec, "port"),
            .direct_tls = cfg_getbool(sec, "direct_tls"),
            .tls_optional = text_eq(cfg_getstr(sec, "tls"), "optional"),
            .deny = cfg_getbool(sec, "deny"),
            .certificate = text_eq(certificate, "required")   ? S2S_CERTIFICATE_REQUIRED
                           : text_eq(certificate, "optional") ? S2S_CERTIFICATE_OPTIONAL
                                                              : S2S_CERTIFICATE_AS_COMMUNITY,
            .rate = rate_of(sec, "stanzas_per_second", "kib_per_second"),
            .stanza_bytes = (size_t)cfg_getint(sec, "stanza_kib") * 1024,
        };
    }
}

static void read_providers(struct reader *r, cfg_t *cfg)
{
    struct config *c = r->c;
    c->provider_count = cfg_size(cfg, "provider");
    c->providers = arena_alloc(&c->arena, (c->provider_count + 1) * sizeof *c->providers);
    for (unsigned i = 0; i < c->provider_count; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "provider", i);
        if (!text_of(r, sec, "profile"))
            mistake(r, sec, "provider \"%s\": 'profile' is missing", cfg_title(sec));
        const struct bad_secret *bad = bad_secret_of(r, sec);
        c->providers[i] = (struct contact_router_provider){
            .name = arena_dup(&c->arena, cfg_title(sec)),
            .profile = text_of(r, sec, "profile"),
            .options = pairs_of(r, sec, "options", false),
            .secrets = pairs_of(r, sec, "secret_files", true),
            .from = text_of(r, sec, "from"),
            .communities = jids_of(r, sec, "communities"),
            .allow_http = cfg_getbool(sec, "allow_http"),
            .off = bad ? bad->told : NULL,
            .off_seen = bad ? bad->seen : NULL,
        };
    }
}

/* ---- the parser, made of the table ---- */

static cfg_opt_t *make_options(struct reader *r, const char *section)
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

static cfg_t *make_parser(struct reader *r)
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
    cfg_set_error_function(cfg, on_confuse_error);
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        cfg_set_validate_func(cfg, arena_printf(&r->c->arena, "%s|%s", o->section, o->name), on_value);
    }
    return cfg;
}

/* ---- files ---- */

/* false: it was no configuration, and that is told. */
static bool parse(struct reader *r, cfg_t *cfg, const char *file)
{
    unsigned before = r->mistakes;
    int rc = cfg_parse(cfg, file);
    cfg->line = rc == CFG_FILE_ERROR ? 0 : cfg->line;
    if (rc == CFG_FILE_ERROR)
        mistake(r, cfg,
                errno == ENOENT && text_eq(file, r->c->file)
                    ? "%s; `causeway setup DOMAIN` writes one, --config names another"
                    : "%s",
                strerror(errno));
    else if (rc == CFG_PARSE_ERROR && r->mistakes == before)
        mistake(r, cfg, "cannot be parsed");
    return rc == CFG_SUCCESS;
}

/* A path that is not absolute begins where the configuration is. */
static const char *included_path(struct reader *r, const char *given)
{
    const char *slash = strrchr(r->c->file, '/');
    if (given[0] == '/' || !slash)
        return given;
    return arena_printf(&r->c->arena, "%.*s/%s", (int)(slash - r->c->file), r->c->file, given);
}

static bool parse_matching(struct reader *r, cfg_t *cfg, const char *given)
{
    const char *pattern = included_path(r, given);
    glob_t found;
    int rc = glob(pattern, 0, NULL, &found);
    bool parsed = rc == 0 || rc == GLOB_NOMATCH;
    if (rc == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            parsed = parse(r, cfg, found.gl_pathv[i]) && parsed;
    else if (rc != GLOB_NOMATCH)
        mistake(r, NULL, "include: %s: %s", pattern, strerror(errno));
    else if (!strpbrk(pattern, "*?["))
        mistake(r, NULL, "include: %s: there is no such file", pattern);
    globfree(&found);
    return parsed;
}

/* In the order of their names. What they include themselves is not looked for. */
static bool parse_included(struct reader *r, cfg_t *cfg)
{
    bool parsed = true;
    const char *const *given = list_of(r, cfg_getsec(cfg, "gateway"), "include");
    for (; given && *given; given++)
        parsed = parse_matching(r, cfg, *given) && parsed;
    return parsed;
}

bool config_read(struct config *c, const char *file, void (*complain)(void *, const char *), void *user)
{
    struct reader r = {.c = c, .complain = complain, .user = user};
    *c = (struct config){0};
    arena_init(&c->arena);
    c->file = arena_dup(&c->arena, file);
    current = &r;
    cfg_t *cfg = make_parser(&r);
    if (parse(&r, cfg, c->file) && parse_included(&r, cfg)) {
        read_gateway(&r, cfg_getsec(cfg, "gateway"));
        read_listeners(&r, cfg);
        read_communities(&r, cfg);
        read_components(&r, cfg);
        read_remotes(&r, cfg);
        read_providers(&r, cfg);
        config_facts_gather(c, cfg);
    }
    cfg_free(cfg);
    map_fini(&r.seen);
    map_fini(&r.told);
    map_fini(&r.bad_secrets);
    current = NULL;
    return r.mistakes == 0;
}

void config_fini(struct config *c)
{
    arena_fini(&c->arena);
}

struct contact_router_options config_router_options(const struct config *c, struct arena *a)
{
    struct contact_router_community *communities = arena_alloc(a, c->community_count * sizeof *communities);
    for (unsigned i = 0; i < c->community_count; i++)
        communities[i] = c->communities[i].devices;
    return (struct contact_router_options){.communities = communities,
                                           .community_count = c->community_count,
                                           .providers = c->providers,
                                           .provider_count = c->provider_count,
                                           .public_url = c->public_url,
                                           .profile_dir = c->profile_dir,
                                           .speech_program = c->speech_program,
                                           .mail_reader = c->mail_reader};
}
