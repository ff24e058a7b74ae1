/* SPDX-License-Identifier: MIT */
/* The provider speaks as Twilio does, by the shipped profile; answers come by the loop, as from afar. */
#include "test/world/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "contact-router/contact_router.h"
#include "contact-router/planner.h"
#include "contact-router/signature.h"
#include "contact-router/template.h"
#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

#define PUBLIC_URL "https://gateway.example"
#define OUR_NUMBER "+441632960000"
#define TOKEN "12345"

/* One message that the provider or the mail server has. */
struct kept {
    struct list node;
    char *to, *text, *status_target;
    unsigned sid;
    bool taken;
};

struct http_exchange { int status; };

struct world_devices {
    struct loop *loop;
    struct contact_router *router;
    enum devices_mood provider, mail_server;
    struct list texts, mails;
    unsigned sids, tries;
    struct http_exchange hook;
};

struct http_call {
    struct command cmd;
    struct world_devices *d;
    void (*on_done)(void *user, const struct http_response *r);
    void *user;
    unsigned sid;
    enum devices_mood mood;
};

struct mail_call {
    struct command cmd;
    void (*on_done)(void *user, const struct mail_response *r);
    void *user;
    enum devices_mood mood;
};

static struct kept *keep(struct list *where, const char *to)
{
    struct kept *k = mem_new(struct kept);
    k->to = mem_dup(to);
    list_append(where, &k->node);
    return k;
}

/* ---- the provider ---- */

/* The value of a field of a form; freed with mem_free. */
static char *form_value(struct span body, const char *name)
{
    struct bytes out = BYTES_EMPTY;
    char *all = mem_dup_n(body.data, body.len), *save = NULL;
    for (char *field = strtok_r(all, "&", &save); field; field = strtok_r(NULL, "&", &save)) {
        size_t len = strlen(name);
        if (strncmp(field, name, len) != 0 || field[len] != '=')
            continue;
        for (const char *c = field + len + 1; *c; c++) {
            if (*c == '%') {
                CHECK(base64_unhex(&out, c + 1, 2));
                c += 2;
            } else {
                bytes_append_char(&out, *c == '+' ? ' ' : *c);
            }
        }
    }
    mem_free(all);
    return bytes_take(&out);
}

static const char *no_header(const struct http_response *r, const char *name)
{
    (void)r, (void)name;
    return NULL;
}

static void run_http_answer(struct command *c)
{
    struct http_call *call = container_of(c, struct http_call, cmd);
    char body[80];
    struct http_response r = {.header = no_header, .sent = true};
    switch (call->mood) {
    case DEVICES_ACCEPTS:
        r.status = 201;
        snprintf(body, sizeof body, "{\"sid\":\"SM%u\"}", call->sid);
        break;
    case DEVICES_FAILS:
        r.status = 503;
        snprintf(body, sizeof body, "{\"code\":20503,\"message\":\"later\"}");
        break;
    case DEVICES_REFUSES:
        r.status = 400;
        snprintf(body, sizeof body, "{\"code\":21211,\"message\":\"no such number\"}");
        break;
    case DEVICES_SILENT:
        body[0] = '\0';
        error_set(&r.error, ERROR_TIMEOUT, "no answer");
        break;
    }
    r.body = span_of(body);
    if (call->on_done)
        call->on_done(call->user, &r);
    mem_free(call);
}

struct http_call *http_call(struct http_client *client, const struct http_request *r,
                            void (*on_done)(void *user, const struct http_response *), void *user)
{
    struct world_devices *d = (struct world_devices *)client;
    struct http_call *call = mem_new(struct http_call);
    *call = (struct http_call){.cmd.run = run_http_answer, .d = d, .on_done = on_done, .user = user, .mood = d->provider};
    d->tries++;
    if (d->provider == DEVICES_ACCEPTS || d->provider == DEVICES_SILENT) {
        char *to = form_value(r->body, "To");
        struct kept *k = keep(&d->texts, to);
        k->text = form_value(r->body, "Body");
        char *status = form_value(r->body, "StatusCallback");
        k->status_target = mem_dup(text_starts_with(status, PUBLIC_URL) ? status + strlen(PUBLIC_URL) : "");
        k->sid = call->sid = ++d->sids;
        mem_free(status);
        mem_free(to);
    }
    loop_post(d->loop, &call->cmd);
    return call;
}

void http_call_cancel(struct http_call *c)
{
    c->on_done = NULL;
}

/* ---- the mail server ---- */

static void run_mail_answer(struct command *c)
{
    struct mail_call *call = container_of(c, struct mail_call, cmd);
    static const int codes[] = {[DEVICES_ACCEPTS] = 250, [DEVICES_FAILS] = 451, [DEVICES_REFUSES] = 550, [DEVICES_SILENT] = 0};
    struct mail_response r = {.code = codes[call->mood], .accepted = call->mood == DEVICES_ACCEPTS,
                              .sent = call->mood == DEVICES_ACCEPTS || call->mood == DEVICES_SILENT};
    if (!r.accepted)
        error_set(&r.error, r.code == 550 ? ERROR_DENIED : ERROR_TEMPORARY, "the mail server says %d", r.code);
    if (call->on_done)
        call->on_done(call->user, &r);
    mem_free(call);
}

struct mail_call *mail_send(struct mail_client *client, const struct mail_request *r,
                            void (*on_done)(void *user, const struct mail_response *), void *user)
{
    struct world_devices *d = (struct world_devices *)client;
    struct mail_call *call = mem_new(struct mail_call);
    *call = (struct mail_call){.cmd.run = run_mail_answer, .on_done = on_done, .user = user, .mood = d->mail_server};
    d->tries++;
    if (d->mail_server == DEVICES_ACCEPTS)
        keep(&d->mails, r->to)->text = mem_dup_n(r->message.data, r->message.len);
    loop_post(d->loop, &call->cmd);
    return call;
}

void mail_cancel(struct mail_call *c)
{
    c->on_done = NULL;
}

/* ---- webhooks ---- */

void http_answer(struct http_exchange *x, int status, const char *content_type, struct span body)
{
    (void)content_type, (void)body;
    CHECK(!x->status); /* once */
    x->status = status;
}

/* http_incoming has no place for a user: one webhook is read at a time, before on_request returns. */
static const char *hook_signature;

static const char *hook_header(const struct http_incoming *in, const char *name)
{
    (void)in;
    return strcasecmp(name, "X-Twilio-Signature") == 0 ? hook_signature : NULL;
}

/* Fields: name, value, ..., NULL; the names in order. */
static void webhook(struct world_devices *d, const char *target, bool forged, const char *const *fields)
{
    struct arena a;
    arena_init(&a);
    d->hook = (struct http_exchange){0};
    struct bytes over = BYTES_EMPTY, body = BYTES_EMPTY, mac = BYTES_EMPTY, sig = BYTES_EMPTY;
    bytes_printf(&over, "%s%s", PUBLIC_URL, target);
    for (; *fields; fields += 2) {
        bytes_printf(&over, "%s%s", fields[0], fields[1]);
        bytes_printf(&body, "%s%s=", body.len ? "&" : "", fields[0]);
        template_form(&body, fields[1], strlen(fields[1]));
    }
    signature_hmac(PROFILE_HMAC_SHA1, forged ? SPAN("guess") : SPAN(TOKEN), bytes_span(&over), &mac);
    base64_encode(&sig, mac.data, mac.len);
    hook_signature = bytes_text(&sig);
    struct http_incoming in = {.method = "POST", .target = target, .host = "gateway.example", .peer = "127.0.0.1",
                               .body = bytes_span(&body), .arena = &a, .header = hook_header};
    contact_router_on_request(d->router, &d->hook, &in);
    hook_signature = NULL;
    bytes_fini(&over);
    bytes_fini(&body);
    bytes_fini(&mac);
    bytes_fini(&sig);
    arena_fini(&a);
}

void devices_text_arrives(struct world_devices *d, const char *from, const char *text, bool forged)
{
    char sid[24];
    snprintf(sid, sizeof sid, "IN%u", ++d->sids);
    const char *const fields[] = {"Body", text, "From", from, "MessageSid", sid, "To", OUR_NUMBER, NULL};
    webhook(d, "/hook/texts/inbound", forged, fields);
}

bool devices_status(struct world_devices *d, const char *to, const char *state)
{
    struct kept *last = NULL;
    list_each (at, &d->texts)
        if (text_eq(list_entry(at, struct kept, node)->to, to))
            last = list_entry(at, struct kept, node);
    if (!last)
        return false;
    char sid[24];
    snprintf(sid, sizeof sid, "SM%u", last->sid);
    const char *const fields[] = {"MessageSid", sid, "MessageStatus", state, NULL};
    webhook(d, last->status_target, false, fields);
    return true;
}

int devices_answer(const struct world_devices *d)
{
    return d->hook.status;
}

/* ---- what arrived ---- */

static struct kept *oldest(struct list *where, const char *to)
{
    list_each (at, where) {
        struct kept *k = list_entry(at, struct kept, node);
        if (!k->taken && (!to || text_eq(k->to, to)))
            return k;
    }
    return NULL;
}

static const char *look(struct list *where, const char *to)
{
    struct kept *k = oldest(where, to);
    return k ? k->text : NULL;
}

static void take(struct list *where, const char *to)
{
    struct kept *k = oldest(where, to);
    CHECK(k);
    k->taken = true;
}

const char *devices_look_text(struct world_devices *d, const char *to)
{
    return look(&d->texts, to);
}

const char *devices_look_mail(struct world_devices *d, const char *to)
{
    return look(&d->mails, to);
}

void devices_take_text(struct world_devices *d, const char *to)
{
    take(&d->texts, to);
}

void devices_take_mail(struct world_devices *d, const char *to)
{
    take(&d->mails, to);
}

unsigned devices_tries(struct world_devices *d)
{
    unsigned tries = d->tries;
    d->tries = 0;
    return tries;
}

void devices_provider(struct world_devices *d, enum devices_mood m)
{
    d->provider = m;
}

void devices_mail_server(struct world_devices *d, enum devices_mood m)
{
    d->mail_server = m;
}

/* ---- life ---- */

static struct world_devices *create(struct exchange *x, struct store *s, struct loop *l, const char *domain,
                                    unsigned texts_a_day)
{
    static const struct contact_router_pair secrets[] = {
        {"account_sid", "AC1"}, {"key_sid", "SK1"}, {"key_secret", "s"}, {"auth_token", TOKEN}, {NULL, NULL}};
    static const char *const prefixes[] = {"+44", NULL};
    static const struct contact_router_provider provider = {
        .name = "texts", .profile = "twilio", .secrets = secrets, .from = OUR_NUMBER};
    struct contact_router_community c = {
        .domain = domain, .mail_url = "smtp://mail.example", .sms_per_day = texts_a_day, .gather_seconds = PLANNER_GATHER_S,
        .sms_prefixes = prefixes};
    struct world_devices *d = mem_new(struct world_devices);
    struct error e = ERROR_INIT;
    list_init(&d->texts);
    list_init(&d->mails);
    d->loop = l;
    /* Only http_call and mail_send take these, and they are ours. */
    struct contact_router_options o = {
        .exchange = x, .store = s, .loop = l, .http = (struct http_client *)d, .mail = (struct mail_client *)d,
        .communities = &c, .community_count = 1, .providers = &provider, .provider_count = 1, .public_url = PUBLIC_URL,
        .profile_dir = CAUSEWAY_SOURCE_DIR "/schemas/provider"};
    d->router = contact_router_create(&o, &e);
    if (!d->router) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    return d;
}

static struct contact_router *router_of(struct world_devices *d)
{
    return d->router;
}

static void forget(struct list *where)
{
    list_each (at, where) {
        struct kept *k = list_entry(at, struct kept, node);
        list_remove(at);
        mem_free(k->to);
        mem_free(k->text);
        mem_free(k->status_target);
        mem_free(k);
    }
}

static void destroy(struct world_devices **dp)
{
    struct world_devices *d = *dp;
    contact_router_destroy(&d->router);
    forget(&d->texts);
    forget(&d->mails);
    mem_free(d);
    *dp = NULL;
}

const struct world_devices_life devices_played = {.create = create, .router = router_of, .destroy = destroy};
