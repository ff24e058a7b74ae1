/* SPDX-License-Identifier: MIT */
/* What the configuration says of a community and of a component, and what one option of it demands of another. */
#include "gateway/config_internal.h"

#include <string.h>

#include "gateway/base/text.h"
#include "gateway/net/directory_text.h"
#include "gateway/xmpp/jid.h"

/* Where a browser finds an invitation's page; NULL: nowhere. */
static const char *page_url(struct config_reader *r, cfg_t *sec, const char *domain)
{
    const char *given = config_text(r, sec, "invite_url");
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

static struct community_joining read_joining(struct config_reader *r, cfg_t *sec, const char *domain)
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

/* ---- a directory ---- */

static void check_ldap_urls(struct config_reader *r, cfg_t *sec, const struct directory_options *o)
{
    for (const char *const *url = o->urls; *url; url++)
        if (o->starttls == DIRECTORY_STARTTLS_NO && text_starts_with(*url, "ldap://") &&
            !directory_text_is_loopback(*url))
            config_mistake(r, sec, "ldap_starttls: passwords would go to %s in the clear; 'no' is for loopback alone",
                           *url);
}

static void check_ldap(struct config_reader *r, cfg_t *sec, const struct directory_options *o)
{
    if (!o->base == !o->dn)
        config_mistake(r, sec,
                       "ldap_url: one of 'ldap_base' (people are searched for) and 'ldap_dn' (they are not) is needed");
    if (o->dn && !text_eq(o->filter, config_option_named("community", "ldap_filter")->text_default))
        config_mistake(r, sec, "ldap_filter: with 'ldap_dn' there is no search");
    if (o->dn && !directory_text_is_template(o->dn))
        config_mistake(r, sec, "ldap_dn: '%s' has no %%u for the name, or another %% than %%u, %%d and %%%%", o->dn);
    if (!o->dn && !directory_text_is_template(o->filter))
        config_mistake(r, sec, "ldap_filter: '%s' has no %%u for the name, or another %% than %%u, %%d and %%%%",
                       o->filter);
    else if (!o->dn && !directory_text_is_filter(o->filter))
        config_mistake(r, sec, "ldap_filter: '%s' is not a filter like (uid=%%u): look at its parentheses", o->filter);
    if (!o->bind_dn != !config_text(r, sec, "ldap_password_file"))
        config_mistake(r, sec, "ldap_bind_dn and ldap_password_file: one without the other is of no use");
    check_ldap_urls(r, sec, o);
}

static const struct directory_options *read_ldap(struct config_reader *r, cfg_t *sec, const char *domain)
{
    static const char *const names[] = {"ldap_starttls", "ldap_base", "ldap_dn", "ldap_bind_dn", "ldap_password_file"};
    const char *starttls = config_text(r, sec, "ldap_starttls");
    if (!cfg_size(sec, "ldap_url")) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (config_text(r, sec, names[i]))
                config_mistake(r, sec, "%s: without 'ldap_url' there is no directory", names[i]);
        return NULL;
    }
    struct directory_options *o = arena_new(&r->c->arena, struct directory_options);
    *o = (struct directory_options){
        .domain = domain,
        .urls = config_list(r, sec, "ldap_url"),
        .starttls = !starttls                 ? DIRECTORY_STARTTLS_AUTO
                    : text_eq(starttls, "no") ? DIRECTORY_STARTTLS_NO
                                              : DIRECTORY_STARTTLS_YES,
        .ca_file = r->c->ca_file,
        .base = config_text(r, sec, "ldap_base"),
        .filter = config_text(r, sec, "ldap_filter"),
        .dn = config_text(r, sec, "ldap_dn"),
        .bind_dn = config_text(r, sec, "ldap_bind_dn"),
        .bind_password = config_private_secret(r, sec, "ldap_password_file"),
        .timeout_s = (unsigned)cfg_getint(sec, "ldap_timeout_seconds"),
        .cache_s = (unsigned)cfg_getint(sec, "ldap_cache_seconds"),
    };
    check_ldap(r, sec, o);
    return o;
}

/* Nobody makes an account beside the directory's. */
static void close_registration(struct config_reader *r, cfg_t *sec, struct community *c)
{
    if (config_is_given(r, sec, "registration") && c->joining.who != JOIN_NOBODY)
        config_mistake(r, sec, "registration: the accounts are the directory's (ldap_url); nobody registers");
    c->joining.who = JOIN_NOBODY;
    if (c->joining.people == INVITE_ACCOUNTS)
        c->joining.people = INVITE_CONTACTS;
    c->accounts_elsewhere = true;
}

static void read_community(struct config_reader *r, cfg_t *sec, struct config_community *out)
{
    const char *domain = config_domain(r, sec), *strangers = cfg_getstr(sec, "strangers");
    const char *key = arena_printf(&r->c->arena, "served %s", domain);
    if (map_put(&r->seen, key, (void *)key))
        config_mistake(r, sec, "community \"%s\" stands there already, spelt otherwise", domain);
    out->certificate = config_text(r, sec, "certificate");
    out->key = config_text(r, sec, "key");
    out->client_ca = config_text(r, sec, "client_ca");
    out->client_crl = config_text(r, sec, "client_crl");
    if (out->client_crl && !out->client_ca)
        config_mistake(r, sec, "community \"%s\": 'client_crl' is of no use without 'client_ca'", domain);
    if (!out->certificate || !out->key)
        config_mistake(r, sec, "community \"%s\": 'certificate' and 'key' are needed: nobody logs in without TLS",
                       domain);
    out->exchange = (struct community){
        .domain = domain,
        .admins = config_jids(r, sec, "admins"),
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
        .mail_url = config_text(r, sec, "mail_server"),
        .mail_from = config_text(r, sec, "mail_from"),
        .mail_user = config_text(r, sec, "mail_user"),
        .mail_password = config_secret(r, sec, config_text(r, sec, "mail_password_file")),
        .mail_answers = config_text(r, sec, "mail_answers"),
        .mail_require_tls = cfg_getbool(sec, "mail_require_tls"),
        .sms_per_day = (unsigned)cfg_getint(sec, "sms_per_day"),
        .calls_per_day = (unsigned)cfg_getint(sec, "calls_per_day"),
        .gather_seconds = (unsigned)cfg_getint(sec, "gather_seconds"),
        .sms_prefixes = config_list(r, sec, "sms_prefixes"),
    };
    out->federation = (struct s2s_community){
        .domain = domain,
        .listed_only = text_eq(cfg_getstr(sec, "federation"), "listed"),
        .certificate_required = text_eq(cfg_getstr(sec, "federation_certificate"), "required"),
        .allow = config_patterns(r, sec, "federation_allow"),
        .deny = config_patterns(r, sec, "federation_deny"),
        .deny_lists = config_list(r, sec, "federation_deny_files"),
        .block_lists = config_list(r, sec, "federation_block_lists"),
    };
    out->ldap = read_ldap(r, sec, domain);
    if (out->ldap)
        close_registration(r, sec, &out->exchange);
}

void config_read_communities(struct config_reader *r, cfg_t *cfg)
{
    struct config *c = r->c;
    c->community_count = cfg_size(cfg, "community");
    c->communities = arena_alloc(&c->arena, (c->community_count + 1) * sizeof *c->communities);
    for (unsigned i = 0; i < c->community_count; i++)
        read_community(r, cfg_getnsec(cfg, "community", i), &c->communities[i]);
    if (c->community_count == 0)
        config_mistake(r, NULL, "there is no community: add community \"example.org\" { certificate = ... key = ... }");
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

static const struct config_community *community_of(struct config_reader *r, cfg_t *sec, const char *domain)
{
    const char *given = config_text(r, sec, "community");
    const struct jid *j = given ? jid_parse_text(&r->c->arena, given) : NULL;
    for (unsigned i = 0; j && i < r->c->community_count; i++)
        if (text_eq(r->c->communities[i].exchange.domain, j->domain))
            return &r->c->communities[i];
    if (given)
        config_mistake(r, sec, "community: '%s' is none of ours", given);
    return parent_of(r->c, domain);
}

static void read_component(struct config_reader *r, cfg_t *sec, struct config_component *out)
{
    const char *domain = config_domain(r, sec);
    const struct config_community *community = community_of(r, sec, domain);
    const char *key = arena_printf(&r->c->arena, "served %s", domain);
    if (map_put(&r->seen, key, (void *)key))
        config_mistake(r, sec, "component \"%s\": that domain is served already", domain);
    *out = (struct config_component){
        .exchange = {domain, community ? community->exchange.domain : NULL},
        .secret = config_private_secret(r, sec, "secret_file"),
        .certificate = config_text(r, sec, "certificate"),
        .key = config_text(r, sec, "key"),
    };
    if (!config_text(r, sec, "secret_file"))
        config_mistake(r, sec, "component \"%s\": 'secret_file' is needed", domain);
    if (!out->certificate != !out->key)
        config_mistake(r, sec, "component \"%s\": 'certificate' and 'key' are of no use alone", domain);
    if (!out->certificate && community) {
        out->certificate = community->certificate;
        out->key = community->key;
    }
}

void config_read_components(struct config_reader *r, cfg_t *cfg)
{
    struct config *c = r->c;
    c->component_count = cfg_size(cfg, "component");
    c->components = arena_alloc(&c->arena, (c->component_count + 1) * sizeof *c->components);
    for (unsigned i = 0; i < c->component_count; i++)
        read_component(r, cfg_getnsec(cfg, "component", i), &c->components[i]);
}
