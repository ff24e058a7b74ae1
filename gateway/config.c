/* SPDX-License-Identifier: MIT */
/* Reads the configuration by libConfuse: syntax, types and unknown names are its business, values and what one section
 * demands of another are ours (config_reader.c, config_community.c). Here: its files, the gateway, who listens, other
 * domains, providers. */
#include "gateway/config.h"

#include <confuse.h>
#include <errno.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "gateway/config_facts.h"
#include "gateway/config_internal.h"

static struct s2s_rate_limits rate_of(cfg_t *sec, const char *stanzas, const char *kib)
{
    return (struct s2s_rate_limits){(uint64_t)cfg_getint(sec, stanzas), (uint64_t)cfg_getint(sec, kib) * 1024};
}

static void read_gateway(struct config_reader *r, cfg_t *sec)
{
    struct config *c = r->c;
    c->store_path = config_text(r, sec, "store");
    c->schema_dir = config_text(r, sec, "schema_dir");
    c->profile_dir = config_text(r, sec, "profile_dir");
    c->speech_program = config_text(r, sec, "speech_program");
    c->mail_reader = config_text(r, sec, "mail_reader");
    c->durability = text_eq(cfg_getstr(sec, "durability"), "process") ? STORE_PROCESS : STORE_DISK;
    c->io_loops = (unsigned)cfg_getint(sec, "io_loops");
    if (!log_level_parse(cfg_getstr(sec, "log_level"), &c->log_level))
        c->log_level = LOG_INFO;
    c->ca_file = config_text(r, sec, "ca_file");
    c->dns_server = config_text(r, sec, "dns_server");
    c->dns_trust_anchor = config_text(r, sec, "dns_trust_anchor");
    c->egress_allow = config_list(r, sec, "egress_allow");
    c->public_url = config_text(r, sec, "public_url");
    c->websocket_url = config_text(r, sec, "websocket_url");
    c->bosh_url = config_text(r, sec, "bosh_url");
    c->public_addresses = config_list(r, sec, "public_addresses");
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

static void check_path(struct config_reader *r, cfg_t *sec, const char *option, const char *like)
{
    const char *path = cfg_getstr(sec, option);
    if (path[0] != '/' || path[strcspn(path, " ?#\"'<>&\\")])
        config_mistake(r, sec, "%s: '%s' is not a path like %s", option, path, like);
}

/* Beside what every client's listener has. */
static void add_web_socket(struct config_reader *r, cfg_t *sec, const char *address, long port)
{
    bool tls = cfg_getbool(sec, "tls"), bosh = *cfg_getstr(sec, "bosh_path");
    check_path(r, sec, "path", "/xmpp-websocket");
    if (bosh)
        check_path(r, sec, "bosh_path", "/http-bind");
    if (text_eq(cfg_getstr(sec, "path"), cfg_getstr(sec, "bosh_path")))
        config_mistake(r, sec, "listen: 'path' and 'bosh_path' are the same");
    if (!tls && !is_loopback(address))
        config_mistake(r, sec, "listen: 'tls = false' is for a reverse proxy on this machine: address = \"127.0.0.1\"");
    r->c->c2s[r->c->c2s_count++] = (struct c2s_listener){.address = address,
                                                         .port = (uint16_t)(port  ? port
                                                                            : tls ? 5443
                                                                                  : 5281),
                                                         .direct_tls = tls,
                                                         .path = config_text(r, sec, "path"),
                                                         .bosh_path = bosh ? config_text(r, sec, "bosh_path") : NULL,
                                                         .origins = config_list(r, sec, "origins")};
}

/* Whoever reaches it can answer for anybody whose mail they saw: so it is for the mail server of this machine, unless
 * an address says otherwise. */
static void add_lmtp(struct config_reader *r, cfg_t *sec, const char *address, long port)
{
    struct config *c = r->c;
    if (c->lmtp_address)
        config_mistake(r, sec, "listen: there is one for lmtp already");
    c->lmtp_address = address;
    c->lmtp_port = (uint16_t)(port ? port : 2424);
}

static void add_listener(struct config_reader *r, cfg_t *sec, const char *service, const char *given, long port)
{
    struct config *c = r->c;
    bool is_for_here = text_eq(service, "component") || text_eq(service, "lmtp");
    const char *address = given ? given : is_for_here ? "127.0.0.1" : "0.0.0.0";
    bool direct = text_eq(service, "c2s-tls") || text_eq(service, "s2s-tls");
    if (text_eq(service, "c2s") || text_eq(service, "c2s-tls")) {
        c->c2s[c->c2s_count++] = (struct c2s_listener){.address = address,
                                                       .port = (uint16_t)(port     ? port
                                                                          : direct ? 5223
                                                                                   : 5222),
                                                       .direct_tls = direct};
    } else if (text_eq(service, "s2s") || text_eq(service, "s2s-tls")) {
        c->s2s[c->s2s_count++] = (struct s2s_listener){address, (uint16_t)(port ? port : direct ? 5270 : 5269), direct};
    } else if (text_eq(service, "component")) {
        c->component[c->component_listener_count++] =
            (struct s2s_listener){.address = address, .port = (uint16_t)(port ? port : 5347)};
    } else if (text_eq(service, "http")) {
        if (c->http_address)
            config_mistake(r, sec, "listen: there is one for http already");
        c->http_address = address;
        c->http_port = (uint16_t)(port ? port : 5280);
    } else if (text_eq(service, "lmtp")) {
        add_lmtp(r, sec, address, port);
    } else if (text_eq(service, "websocket")) {
        add_web_socket(r, sec, address, port);
    } else {
        config_mistake(r, sec,
                       "listen: 'service' is missing: c2s, c2s-tls, s2s, s2s-tls, component, websocket, http or lmtp");
    }
}

/* To the listener that was added last. */
static void let_servers_in(struct config_reader *r, cfg_t *sec)
{
    if (!cfg_getbool(sec, "servers"))
        return;
    if (text_eq(cfg_getstr(sec, "service"), "c2s-tls"))
        r->c->c2s[r->c->c2s_count - 1].servers = true;
    else
        config_mistake(r, sec, "listen: 'servers = true' is for service c2s-tls");
}

static void read_listeners(struct config_reader *r, cfg_t *cfg)
{
    unsigned n = cfg_size(cfg, "listen");
    r->c->c2s = arena_alloc(&r->c->arena, (n + 4) * sizeof *r->c->c2s);
    r->c->s2s = arena_alloc(&r->c->arena, (n + 4) * sizeof *r->c->s2s);
    r->c->component = arena_alloc(&r->c->arena, (n + 1) * sizeof *r->c->component);
    for (unsigned i = 0; i < n; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "listen", i);
        add_listener(r, sec, config_text(r, sec, "service"), config_text(r, sec, "address"), cfg_getint(sec, "port"));
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

static void read_remotes(struct config_reader *r, cfg_t *cfg)
{
    struct config *c = r->c;
    c->remote_count = cfg_size(cfg, "remote");
    c->remotes = arena_alloc(&c->arena, (c->remote_count + 1) * sizeof *c->remotes);
    for (unsigned i = 0; i < c->remote_count; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "remote", i);
        const char *certificate = cfg_getstr(sec, "certificate");
        c->remotes[i] = (struct s2s_remote){
            .domain = config_domain(r, sec),
            .host = config_text(r, sec, "host"),
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

static void read_providers(struct config_reader *r, cfg_t *cfg)
{
    struct config *c = r->c;
    c->provider_count = cfg_size(cfg, "provider");
    c->providers = arena_alloc(&c->arena, (c->provider_count + 1) * sizeof *c->providers);
    for (unsigned i = 0; i < c->provider_count; i++) {
        cfg_t *sec = cfg_getnsec(cfg, "provider", i);
        if (!config_text(r, sec, "profile"))
            config_mistake(r, sec, "provider \"%s\": 'profile' is missing", cfg_title(sec));
        const struct config_bad_secret *bad = config_bad_secret(r, sec);
        c->providers[i] = (struct contact_router_provider){
            .name = arena_dup(&c->arena, cfg_title(sec)),
            .profile = config_text(r, sec, "profile"),
            .options = config_pairs(r, sec, "options", false),
            .secrets = config_pairs(r, sec, "secret_files", true),
            .from = config_text(r, sec, "from"),
            .communities = config_jids(r, sec, "communities"),
            .allow_http = cfg_getbool(sec, "allow_http"),
            .off = bad ? bad->told : NULL,
            .off_seen = bad ? bad->seen : NULL,
        };
    }
}

/* ---- files ---- */

/* false: it was no configuration, and that is told. */
static bool parse(struct config_reader *r, cfg_t *cfg, const char *file)
{
    unsigned before = r->mistakes;
    int rc = cfg_parse(cfg, file);
    cfg->line = rc == CFG_FILE_ERROR ? 0 : cfg->line;
    if (rc == CFG_FILE_ERROR)
        config_mistake(r, cfg,
                       errno == ENOENT && text_eq(file, r->c->file)
                           ? "%s; `causeway setup DOMAIN` writes one, --config names another"
                           : "%s",
                       strerror(errno));
    else if (rc == CFG_PARSE_ERROR && r->mistakes == before)
        config_mistake(r, cfg, "cannot be parsed");
    return rc == CFG_SUCCESS;
}

/* A path that is not absolute begins where the configuration is. */
static const char *included_path(struct config_reader *r, const char *given)
{
    const char *slash = strrchr(r->c->file, '/');
    if (given[0] == '/' || !slash)
        return given;
    return arena_printf(&r->c->arena, "%.*s/%s", (int)(slash - r->c->file), r->c->file, given);
}

static bool parse_matching(struct config_reader *r, cfg_t *cfg, const char *given)
{
    const char *pattern = included_path(r, given);
    glob_t found;
    int rc = glob(pattern, 0, NULL, &found);
    bool parsed = rc == 0 || rc == GLOB_NOMATCH;
    if (rc == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            parsed = parse(r, cfg, found.gl_pathv[i]) && parsed;
    else if (rc != GLOB_NOMATCH)
        config_mistake(r, NULL, "include: %s: %s", pattern, strerror(errno));
    else if (!strpbrk(pattern, "*?["))
        config_mistake(r, NULL, "include: %s: there is no such file", pattern);
    globfree(&found);
    return parsed;
}

/* In the order of their names. What they include themselves is not looked for. */
static bool parse_included(struct config_reader *r, cfg_t *cfg)
{
    bool parsed = true;
    const char *const *given = config_list(r, cfg_getsec(cfg, "gateway"), "include");
    for (; given && *given; given++)
        parsed = parse_matching(r, cfg, *given) && parsed;
    return parsed;
}

bool config_read(struct config *c, const char *file, void (*complain)(void *, const char *), void *user)
{
    struct config_reader r = {.c = c, .complain = complain, .user = user};
    *c = (struct config){0};
    arena_init(&c->arena);
    c->file = arena_dup(&c->arena, file);
    cfg_t *cfg = config_make_parser(&r);
    if (parse(&r, cfg, c->file) && parse_included(&r, cfg)) {
        read_gateway(&r, cfg_getsec(cfg, "gateway"));
        read_listeners(&r, cfg);
        config_read_communities(&r, cfg);
        config_read_components(&r, cfg);
        read_remotes(&r, cfg);
        read_providers(&r, cfg);
        config_facts_gather(c, cfg);
    }
    config_end_parser(cfg);
    map_fini(&r.seen);
    map_fini(&r.told);
    map_fini(&r.bad_secrets);
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
