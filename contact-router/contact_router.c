/* SPDX-License-Identifier: MIT */
/* The router's life, and the exchange's way in: what may be called on any exchange loop becomes a
 * command for the router's own. */
#include "contact-router/contact_router.h"

#include <string.h>
#include <unistd.h>

#include "contact-router/device.h"
#include "contact-router/mail_address.h"
#include "contact-router/retry.h"
#include "contact-router/returns_mail.h"
#include "contact-router/router_internal.h"
#include "contact-router/rule_line.h"
#include "contact-router/speech.h"
#include "contact-router/voice_http.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

/* -- questions that several files ask -- */

const struct contact_router_community *contact_router_community(const struct contact_router *r, const char *domain)
{
    const struct router_community *rc = registry_get(&r->communities, domain);
    return rc ? &rc->c : NULL;
}

enum profile_kind contact_router_profile_kind(enum device_kind k)
{
    static const enum profile_kind kinds[DEVICE_KIND_COUNT] = {
        [DEVICE_SMS] = PROFILE_SMS, [DEVICE_VOICE] = PROFILE_VOICE, [DEVICE_PAGER] = PROFILE_PAGER,
        [DEVICE_WEBHOOK] = PROFILE_WEBHOOK, [DEVICE_PUSH] = PROFILE_PUSH, [DEVICE_TERMINAL] = PROFILE_WAKE,
        [DEVICE_EMAIL] = PROFILE_KINDS,
    };
    return kinds[k];
}

const struct provider *contact_router_sender(const struct contact_router *r, const char *domain, enum device_kind k)
{
    enum profile_kind kind = contact_router_profile_kind(k);
    const struct provider *borrowed = NULL; /* one that sends such messages by a section for others */
    for (unsigned i = 0; kind < PROFILE_KINDS && i < r->provider_count; i++) {
        const struct provider *p = r->providers[i].provider;
        if (!provider_serves(p, domain))
            continue;
        if (p->profile->send[kind].present)
            return p;
        if (!borrowed && profile_send_of(p->profile, kind))
            borrowed = p;
    }
    return borrowed;
}

bool contact_router_is_off(const struct contact_router *r, const char *provider)
{
    for (unsigned i = 0; i < r->off_count; i++)
        if (text_eq(r->off[i].name, provider))
            return true;
    return false;
}

struct router_provider *contact_router_provider_named(struct contact_router *r, const char *name)
{
    for (unsigned i = 0; i < r->provider_count; i++)
        if (text_eq(r->providers[i].provider->name, name))
            return &r->providers[i];
    return NULL;
}

bool contact_router_number_allowed(const struct contact_router_community *c, const char *e164)
{
    if (device_phone_is_premium(e164))
        return false;
    for (const char *const *p = c->sms_prefixes; p && *p; p++)
        if (text_starts_with(e164, *p))
            return true;
    return false;
}

bool contact_router_is_ours(const struct contact_router *r, const char *address)
{
    for (unsigned i = 0; i < r->provider_count; i++) {
        const char *from = r->providers[i].provider->from;
        if (*from && text_eq(from + (*from == '+'), address + (*address == '+')))
            return true;
    }
    return false;
}

bool contact_router_address_allowed(const struct contact_router *r, const struct contact_router_community *c,
                                    enum device_kind k, const char *address)
{
    if (contact_router_is_ours(r, address))
        return false;
    if (k != DEVICE_PAGER)
        return contact_router_number_allowed(c, address);
    const struct provider *p = contact_router_sender(r, c->domain, k);
    bool by_text = p && profile_send_of(p->profile, PROFILE_PAGER) == &p->profile->send[PROFILE_SMS];
    return (*address != '+' && !by_text) || contact_router_number_allowed(c, address);
}

int64_t contact_router_now_us(const struct contact_router *r)
{
    return clock_unix_us(loop_clock(r->loop));
}

/* -- what the exchange calls -- */

struct call {
    struct command cmd;
    struct contact_router *r;
    struct arena arena;
    const char *account, *peer, *domain, *line;
    void (*reply)(void *user, enum stanza_error refused, const char *text);
    void *user;
};

static struct call *call_new(struct reach *reach, void (*run)(struct command *c), const char *account)
{
    struct call *c = mem_new(struct call);
    arena_init(&c->arena);
    c->r = container_of(reach, struct contact_router, reach);
    c->cmd.run = run;
    c->account = arena_dup(&c->arena, account);
    return c;
}

static void call_end(struct call *c)
{
    arena_fini(&c->arena);
    mem_free(c);
}

static void run_wake(struct command *cmd)
{
    struct call *c = container_of(cmd, struct call, cmd);
    if (c->r->running)
        planning_run(c->r, c->account);
    call_end(c);
}

static void on_wake(struct reach *reach, const char *callee)
{
    struct call *c = call_new(reach, run_wake, callee);
    loop_post(c->r->loop, &c->cmd);
}

static void run_stop(struct command *cmd)
{
    struct call *c = container_of(cmd, struct call, cmd);
    if (c->r->running)
        planning_stop(c->r, c->account, c->peer);
    call_end(c);
}

static void on_stop(struct reach *reach, const char *callee, const char *peer)
{
    struct call *c = call_new(reach, run_stop, callee);
    c->peer = arena_dup_or_null(&c->arena, peer);
    loop_post(c->r->loop, &c->cmd);
}

static void run_command(struct command *cmd)
{
    struct call *c = container_of(cmd, struct call, cmd);
    device_commands_run(c->r, c->account, c->domain, c->line, c->reply, c->user);
    call_end(c);
}

static bool on_command(struct reach *reach, const struct jid *account, const char *line,
                       void (*reply)(void *user, enum stanza_error refused, const char *text), void *user)
{
    struct device_command parsed;
    struct rule_line rule;
    struct arena a;
    arena_init(&a);
    bool ours = rule_line_parse(&a, line, &rule) || device_command_parse(&a, line, &parsed);
    arena_fini(&a);
    if (!ours)
        return false;
    struct call *c = call_new(reach, run_command, account->bare);
    c->domain = arena_dup(&c->arena, account->domain);
    c->line = arena_dup(&c->arena, line);
    c->reply = reply;
    c->user = user;
    loop_post(c->r->loop, &c->cmd);
    return true;
}

static const char *on_help(struct reach *reach)
{
    return container_of(reach, struct contact_router, reach)->help;
}

static void run_retry(struct command *cmd)
{
    struct call *c = container_of(cmd, struct call, cmd);
    retry_run(c->r, c->domain, c->line, c->reply, c->user);
    call_end(c);
}

static void on_retry(struct reach *reach, const char *domain, const char *ref,
                     void (*reply)(void *user, enum stanza_error refused, const char *text), void *user)
{
    struct call *c = call_new(reach, run_retry, domain);
    c->domain = arena_dup(&c->arena, domain);
    c->line = arena_dup(&c->arena, ref);
    c->reply = reply;
    c->user = user;
    loop_post(c->r->loop, &c->cmd);
}

static const struct reach_ops ops = {
    .wake = on_wake, .stop = on_stop, .command = on_command, .retry = on_retry, .help = on_help};

/* -- creation -- */

static const char *const *copy_prefixes(struct arena *a, const struct contact_router_community *from, struct error *e)
{
    unsigned n = 0;
    while (from->sms_prefixes && from->sms_prefixes[n])
        n++;
    const char **prefixes = arena_alloc(a, (n + 1) * sizeof *prefixes);
    for (unsigned i = 0; i < n; i++) {
        prefixes[i] = arena_dup(a, from->sms_prefixes[i]);
        if (*prefixes[i] != '+' || strspn(prefixes[i] + 1, "0123456789") != strlen(prefixes[i] + 1) ||
            !prefixes[i][1]) {
            error_set(e, ERROR_INVALID, "%s: `%.40s` is not a number's prefix (+44)", from->domain, prefixes[i]);
            return NULL;
        }
    }
    return prefixes;
}

static bool check_community(const struct contact_router_community *c, struct arena *a, struct error *e)
{
    if (c->mail_answers && !mail_address_is_base(c->mail_answers))
        return error_set(e, ERROR_INVALID,
                         "%s: mail_answers `%.60s`: NAME@DOMAIN, with at most %d characters before the @", c->domain,
                         c->mail_answers, MAIL_ADDRESS_LOCAL_MAX);
    if (!device_mail(a, c->mail_from))
        return error_set(e, ERROR_INVALID, "%s: `%.60s` is not a mail address", c->domain, c->mail_from);
    if (c->mail_url && !text_starts_with(c->mail_url, "smtp://") && !text_starts_with(c->mail_url, "smtps://"))
        return error_set(e, ERROR_INVALID, "%s: `%.60s` is not smtp:// or smtps://", c->domain, c->mail_url);
    return true;
}

static void community_destroy(struct router_community *rc)
{
    arena_fini(&rc->arena);
    mem_free(rc);
}

static struct router_community *community_create(const struct contact_router_community *from, struct error *e)
{
    struct router_community *rc = mem_new(struct router_community);
    struct arena *a = &rc->arena;
    arena_init_sized(a, 256);
    rc->c = (struct contact_router_community){
        .domain = arena_dup(a, from->domain),
        .mail_url = arena_dup_or_null(a, from->mail_url),
        .mail_from = from->mail_from ? arena_dup(a, from->mail_from) : arena_printf(a, "notify@%s", from->domain),
        .mail_user = arena_dup_or_null(a, from->mail_user),
        .mail_password = arena_dup_or_null(a, from->mail_password),
        .mail_answers = arena_dup_or_null(a, from->mail_answers),
        .mail_require_tls = from->mail_require_tls,
        .sms_per_day = from->sms_per_day,
        .calls_per_day = from->calls_per_day,
        .gather_seconds = from->gather_seconds,
        .sms_prefixes = copy_prefixes(a, from, e),
    };
    if (rc->c.sms_prefixes && check_community(&rc->c, a, e))
        return rc;
    community_destroy(rc);
    return NULL;
}

bool contact_router_add_community(struct contact_router *r, const struct contact_router_community *c, struct error *e)
{
    struct router_community *rc = community_create(c, e);
    if (!rc)
        return false;
    rc->older = r->all_communities;
    r->all_communities = rc;
    registry_set(&r->communities, rc->c.domain, rc);
    return true;
}

void contact_router_remove_community(struct contact_router *r, const char *domain)
{
    registry_set(&r->communities, domain, NULL);
}

/* A mistake in one profile must not cost the others, nor the messages. */
static void add_off(struct contact_router *r, const struct contact_router_provider *o, const char *why,
                    const char *seen)
{
    const char *name = o->name ? o->name : "";
    r->off[r->off_count++] =
        (struct router_off){.name = arena_dup(&r->arena, name),
                            .why = arena_printf(&r->arena, "provider %.40s is off: %s", name, why),
                            .seen = arena_printf(&r->arena, "provider %.40s is off: %s", name, seen),
                            .communities = arena_dup_texts(&r->arena, o->communities)};
}

/* What is wrong with a profile begins with its path. */
static const char *without_path(struct contact_router *r, const struct contact_router_provider *o, const char *dir,
                                const struct error *why)
{
    const char *path = o->profile && *o->profile ? provider_profile_path(o, dir, &r->arena) : "";
    if (!*path ||
        strncmp(why->text, path, sizeof why->text - 1 < strlen(path) ? sizeof why->text - 1 : strlen(path)) != 0)
        return why->text;
    return strlen(path) < strlen(why->text) ? arena_printf(&r->arena, "profile%s", why->text + strlen(path))
                                            : "its profile has a mistake";
}

static void add_provider(struct contact_router *r, const struct contact_router_provider *o, const char *dir)
{
    struct error why = ERROR_INIT;
    struct provider *p = o->off ? NULL : provider_create(o, dir, &why);
    if (p)
        r->providers[r->provider_count++].provider = p;
    else if (o->off)
        add_off(r, o, o->off, o->off_seen);
    else
        add_off(r, o, why.text, without_path(r, o, dir, &why));
}

static bool stands_twice(struct contact_router *r, const char *name)
{
    return contact_router_is_off(r, name) || contact_router_provider_named(r, name);
}

static void make_names(struct contact_router *r)
{
    const char *on = r->provider_count ? "|" : "", *off = r->off_count ? "|" : "";
    for (unsigned i = 0; i < r->provider_count; i++)
        on = arena_printf(&r->arena, "%s%s|", on, r->providers[i].provider->name);
    for (unsigned i = 0; i < r->off_count; i++)
        off = arena_printf(&r->arena, "%s%s|", off, r->off[i].name);
    r->names_on = on;
    r->names_off = off;
}

static bool fill(struct contact_router *r, const struct contact_router_options *o, struct error *e)
{
    const char *dir = o->profile_dir ? o->profile_dir : CAUSEWAY_DATA_DIR "/provider";
    r->providers = arena_alloc(&r->arena, (o->provider_count + 1) * sizeof *r->providers);
    for (unsigned i = 0; i < o->community_count; i++)
        if (!contact_router_add_community(r, &o->communities[i], e))
            return false;
    r->off = arena_alloc(&r->arena, (o->provider_count + 1) * sizeof *r->off);
    for (unsigned i = 0; i < o->provider_count; i++) {
        if (stands_twice(r, o->providers[i].name))
            return error_set(e, ERROR_EXISTS, "provider %s stands twice", o->providers[i].name);
        add_provider(r, &o->providers[i], dir);
    }
    make_names(r);
    if (!r->public_url)
        return true;
    size_t len = strlen(r->public_url);
    if ((!text_starts_with(r->public_url, "https://") && !text_starts_with(r->public_url, "http://")) ||
        r->public_url[len - 1] == '/' || strpbrk(r->public_url, " ?#"))
        return error_set(e, ERROR_INVALID, "public_url `%.80s`: https://host[:port][/path], without a slash at the end",
                         r->public_url);
    return true;
}

struct contact_router *contact_router_create(const struct contact_router_options *o, struct error *e)
{
    struct contact_router *r = mem_new(struct contact_router);
    arena_init(&r->arena);
    list_init(&r->flights);
    list_init(&r->mails);
    r->reach.ops = &ops;
    r->exchange = o->exchange;
    r->store = o->store;
    r->loop = o->loop;
    r->http = o->http;
    r->mail = o->mail;
    r->public_url = arena_dup_or_null(&r->arena, o->public_url);
    r->zone_dir = arena_dup_or_null(&r->arena, o->zone_dir);
    zone_cache_init(&r->zones, r->zone_dir);
    r->speech_program = arena_dup_or_null(&r->arena, o->speech_program);
    r->mail_reader =
        arena_dup(&r->arena, o->mail_reader ? o->mail_reader : CAUSEWAY_LIBEXEC_DIR "/causeway-mail-reader");
    r->help = arena_printf(&r->arena, "%s\n%s", device_help(), rule_line_help());
    if (!fill(r, o, e))
        contact_router_destroy(&r);
    return r;
}

struct reach *contact_router_reach(struct contact_router *r)
{
    return &r->reach;
}

/* -- start and stop -- */

static void make_inbound_urls(struct contact_router *r)
{
    for (unsigned i = 0; r->public_url && i < r->provider_count; i++) {
        struct bytes url = BYTES_EMPTY;
        returns_http_inbound_url(r, r->providers[i].provider->name, &url);
        r->providers[i].inbound_url = arena_dup(&r->arena, bytes_text(&url));
        bytes_fini(&url);
    }
}

bool contact_router_load_addresses(struct contact_router *r, struct error *e)
{
    if (!secret_load(r->store, "hook", r->hook_key, e))
        return false;
    make_inbound_urls(r);
    return true;
}

static void warn_of_mail(const struct contact_router *r)
{
    bool answers = false;
    for (const struct router_community *rc = r->all_communities; rc; rc = rc->older)
        answers = answers || rc->c.mail_answers;
    if (answers && access(r->mail_reader, X_OK) != 0)
        log_error(NULL, "mail_answers is set, but %s cannot be run: mails that come are refused for now",
                  r->mail_reader);
}

/* What an admin who set a budget for calls would want to know. */
static void warn_of_calls(const struct contact_router *r)
{
    bool calls = false;
    for (const struct router_community *rc = r->all_communities; rc; rc = rc->older)
        calls = calls || rc->c.calls_per_day;
    if (calls && !r->public_url)
        log_warn(
            NULL,
            "calls_per_day is set, but public_url is not: no calls are made, for nobody could fetch what they say");
    else if (calls && !speech_can_start(r->speech))
        log_warn(NULL, "calls_per_day is set, but there is no program that speaks (espeak-ng): providers speak where "
                       "their profile says how");
}

void contact_router_start(struct contact_router *r)
{
    struct error e = ERROR_INIT;
    loop_check(r->loop);
    CHECK(r->store && r->exchange && r->http);
    if (!contact_router_load_addresses(r, &e)) {
        /* Without it every webhook would be refused for ever after: better not to begin. */
        log_error(NULL, "devices are off: the key of webhook addresses: %s", e.text);
        return;
    }
    for (unsigned i = 0; i < r->off_count; i++)
        log_error(NULL, "%s", r->off[i].why);
    r->running = true;
    r->speech = speech_create(&(struct speech_options){ .loop = r->loop, .program = r->speech_program });
    warn_of_calls(r);
    warn_of_mail(r);
    worker_start(r);
    planning_run(r, NULL);
}

void contact_router_stop(struct contact_router *r)
{
    if (!r || !r->running)
        return;
    r->running = false;
    worker_stop(r);
    returns_mail_stop(r);
    speech_destroy(&r->speech);
}

void contact_router_destroy(struct contact_router **rr)
{
    struct contact_router *r = *rr;
    if (!r)
        return;
    CHECK(!r->running && !r->jobs);
    for (unsigned i = 0; i < r->provider_count; i++)
        provider_destroy(&r->providers[i].provider);
    while (r->all_communities) {
        struct router_community *rc = r->all_communities;
        r->all_communities = rc->older;
        community_destroy(rc);
    }
    registry_fini(&r->communities);
    map_fini(&r->answering);
    zone_cache_fini(&r->zones);
    mem_wipe(r->hook_key, sizeof r->hook_key);
    arena_fini(&r->arena);
    mem_free(r);
    *rr = NULL;
}

const char *contact_router_off(const struct contact_router *r, unsigned index)
{
    return index < r->off_count ? r->off[index].why : NULL;
}

const char *contact_router_inbound_url(struct contact_router *r, const char *provider)
{
    struct router_provider *p = contact_router_provider_named(r, provider);
    return p ? p->inbound_url : NULL;
}

void contact_router_on_request(struct contact_router *r, struct http_exchange *x, const struct http_incoming *in)
{
    loop_check(r->loop);
    if (text_starts_with(in->target, "/audio/"))
        voice_http_audio(r, x, in);
    else
        returns_http_request(r, x, in);
}

const char *contact_router_refuse_recipient(struct contact_router *r, const char *recipient)
{
    loop_check(r->loop);
    return returns_mail_refuse(r, recipient);
}

void contact_router_on_mail(struct contact_router *r, struct lmtp_mail *m, const struct lmtp_incoming *in)
{
    loop_check(r->loop);
    returns_mail_take(r, m, in);
}

uint64_t contact_router_hooks_refused(const struct contact_router *r)
{
    return r->hooks_refused;
}
