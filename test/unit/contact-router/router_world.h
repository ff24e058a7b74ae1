/* SPDX-License-Identifier: MIT */
/* A router on a real store and a fake clock, between a scripted exchange, provider and mail server: the
 * functions of those stand here in place of the libraries'. A test that includes this is one program. */
#ifndef TEST_ROUTER_WORLD_H
#define TEST_ROUTER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "contact-router/device_store.h"
#include "contact-router/planner.h"
#include "contact-router/router_internal.h"
#include "contact-router/signature.h"
#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/edge.h"
#include "gateway/store/account.h"
#include "gateway/store/sessions.h"

#define PROFILES CAUSEWAY_SOURCE_DIR "/schemas/provider"
#define SCHEMA_DIR CAUSEWAY_SOURCE_DIR "/schemas/sql"
#define JULIET "juliet@capulet.example"
#define ROMEO "romeo@montague.example"
#define TYBALT "tybalt@montague.example"
#define PHONE "+447700900123"
#define OURS "+441632960000"
#define URL "https://gw.capulet.example"

enum { CALLS_MAX = 32 };

struct http_call {
    char *url, *body;
    void (*on_done)(void *user, const struct http_response *r);
    void *user;
    bool open;
};

struct mail_call {
    char *to, *message;
    void (*on_done)(void *user, const struct mail_response *r);
    void *user;
    bool open;
};

struct http_exchange { int status; char *body; size_t len; };

struct world {
    char dir[64], path[96];
    struct clock_fake clock;
    struct loop *loop;
    struct store *store;
    struct contact_router *router;
    struct bytes log; /* what the exchange heard, a line each */
    struct http_call http[CALLS_MAX];
    struct mail_call mail[CALLS_MAX];
    unsigned http_count, mail_count;
    struct bytes reply;
    struct bytes answer; /* what the last webhook was answered */
    const char *speech_program; /* NULL: espeak-ng */
    const char *profile;        /* NULL: the shipped twilio.conf */
    bool gone, second;          /* the provider "texts" is not in the configuration; "others" stands behind it */
    bool replied;
    enum stanza_error refused; /* of the last line; STANZA_OK: it was done */
    enum error_code answer_code; /* what exchange_reach_answer says */
    struct reach_answer held_answer; /* when hold_answers: not answered yet */
    bool hold_answers;
};
static struct world world;

/* ---- the others, scripted ---- */

struct loop *exchange_loop_of(struct exchange *x, const char *bare)
{
    (void)x, (void)bare;
    return world.loop;
}

void exchange_reach_progress(struct exchange *x, const char *callee, const char *peer, uint64_t seq, enum reach_progress p,
                             const char *device)
{
    static const char *const names[] = { "sent", "delivered", "read", "exhausted", "over limit", "over budget", "failed" };
    (void)x;
    bytes_printf(&world.log, "%s %s %llu %s %s\n", callee, peer, (unsigned long long)seq, names[p], device);
}

void exchange_reach_answer(struct exchange *x, const struct reach_answer *a)
{
    static const char *const verbs[] = { "say", "accept", "decline", "block" };
    struct error e = ERROR_INIT;
    (void)x;
    bytes_printf(&world.log, "%s %s %s `%s` via %s\n", a->callee, verbs[a->verb], a->peer, a->text ? a->text : "", a->via);
    if (world.hold_answers) {
        world.held_answer = *a;
        return;
    }
    if (world.answer_code != ERROR_NONE)
        error_set(&e, world.answer_code, "scripted");
    a->done(a->user, &e);
}

struct http_call *http_call(struct http_client *c, const struct http_request *r,
                            void (*on_done)(void *user, const struct http_response *), void *user)
{
    (void)c;
    assert_true(world.http_count < CALLS_MAX);
    struct http_call *call = &world.http[world.http_count++];
    *call = (struct http_call){ mem_dup(r->url), mem_dup_n(r->body.data ? r->body.data : "", r->body.len), on_done, user, true };
    return call;
}

void http_call_cancel(struct http_call *c)
{
    c->open = false;
}

struct mail_call *mail_send(struct mail_client *c, const struct mail_request *r,
                            void (*on_done)(void *user, const struct mail_response *), void *user)
{
    (void)c;
    assert_true(world.mail_count < CALLS_MAX);
    struct mail_call *call = &world.mail[world.mail_count++];
    *call = (struct mail_call){ mem_dup(r->to), mem_dup_n(r->message.data, r->message.len), on_done, user, true };
    return call;
}

void mail_cancel(struct mail_call *c)
{
    c->open = false;
}

void http_answer(struct http_exchange *x, int status, const char *content_type, struct span body)
{
    (void)content_type;
    assert_int_equal(x->status, 0); /* once */
    x->status = status;
    x->body = mem_dup_n(body.data ? body.data : "", body.len);
    x->len = body.len;
}

/* ---- turning ---- */

/* Until nothing is under way but what the script has to answer. */
static inline void settle(void)
{
    time_t begin = time(NULL);
    for (unsigned quiet = 0; quiet < 3;) {
        bool busy = loop_turn(world.loop) || (world.router && world.router->jobs && !world.hold_answers);
        quiet = busy ? 0 : quiet + 1;
        if (time(NULL) - begin > 20)
            fail_msg("it does not settle");
        if (busy)
            sched_yield();
    }
}

static inline void advance(uint64_t s)
{
    while (s) {
        uint64_t step = s > 30 ? 30 : s;
        clock_fake_advance(&world.clock, step * 1000);
        s -= step;
        settle();
    }
}

static inline void write_done(struct store_job *job, const struct error *e)
{
    (void)job;
    if (e->code != ERROR_NONE)
        fail_msg("%s", e->text);
    world.replied = true;
}

static inline void write_now(struct store_job *job)
{
    world.replied = false;
    job->reply_on = world.loop;
    job->done = write_done;
    store_write(world.store, job);
    while (!world.replied)
        if (!loop_turn(world.loop))
            sched_yield();
}

/* ---- router ---- */

static inline void open_router(void)
{
    static const struct contact_router_pair secrets[] = { { "account_sid", "AC1" }, { "key_sid", "SK1" }, { "key_secret", "s" },
                                                          { "auth_token", "12345" }, { NULL, NULL } };
    static const char *const prefixes[] = { "+44", NULL };
    static const struct contact_router_community community = { .domain = "capulet.example", .mail_url = "smtp://mail.example",
                                                               .sms_per_day = 50, .calls_per_day = 20, .sms_prefixes = prefixes,
                                                               .gather_seconds = PLANNER_GATHER_S };
    const struct contact_router_provider both[] = {
        { .name = "texts", .profile = world.profile ? world.profile : "twilio", .secrets = secrets, .from = OURS },
        { .name = "others", .profile = "twilio", .secrets = secrets, .from = "+441632960001" },
    };
    struct error e = ERROR_INIT;
    /* Script objects stand behind these, so any address does. */
    struct contact_router_options o = { .exchange = (struct exchange *)&world, .store = world.store, .loop = world.loop,
        .http = (struct http_client *)&world, .mail = (struct mail_client *)&world,
        .communities = &community,
        .community_count = 1, .providers = world.gone ? both + 1 : both, .provider_count = 1u - world.gone + world.second, .public_url = URL, .profile_dir = PROFILES, .speech_program = world.speech_program };
    world.router = contact_router_create(&o, &e);
    if (!world.router)
        fail_msg("%s", e.text);
    contact_router_start(world.router);
    settle();
}

/* The sweep forgets devices of accounts that do not exist. */
static inline bool put_account_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    (void)job;
    return account_put(tx, &(struct account){ .bare = JULIET }, false, e);
}

static inline int world_setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    const char *tmp = getenv("TMPDIR");
    snprintf(world.dir, sizeof world.dir, "%s/router-test-XXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
    if (!mkdtemp(world.dir))
        return -1;
    snprintf(world.path, sizeof world.path, "%s/store.db", world.dir);
    clock_fake_init(&world.clock);
    world.clock.now_unix_us += (int64_t)12 * 3600 * 1000000; /* noon */
    world.loop = loop_create("test", &world.clock.clock);
    struct error e = ERROR_INIT;
    world.store = store_open(&(struct store_options){ .path = world.path, .schema_dir = SCHEMA_DIR, .durability = STORE_PROCESS,
                                                      .clock = &world.clock.clock }, &e);
    if (!world.store)
        fail_msg("%s", e.text);
    struct store_job account = { .run = put_account_run };
    write_now(&account);
    open_router();
    return 0;
}

static inline int world_teardown(void **state)
{
    (void)state;
    settle();
    contact_router_stop(world.router);
    store_close(&world.store);
    while (loop_turn(world.loop))
        ;
    contact_router_destroy(&world.router);
    loop_destroy(&world.loop);
    for (unsigned i = 0; i < world.http_count; i++) {
        mem_free(world.http[i].url);
        mem_free(world.http[i].body);
    }
    for (unsigned i = 0; i < world.mail_count; i++) {
        mem_free(world.mail[i].to);
        mem_free(world.mail[i].message);
    }
    bytes_fini(&world.log);
    bytes_fini(&world.reply);
    bytes_fini(&world.answer);
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", world.dir);
    return system(command);
}

/* As after kill -9: what was under way is forgotten, the store stays. */
static inline void restart(void)
{
    settle();
    contact_router_stop(world.router);
    settle();
    contact_router_destroy(&world.router);
    open_router();
}

static inline void expect_log(const char *want)
{
    if (strcmp(bytes_text(&world.log), want) != 0)
        fail_msg("the exchange heard:\n%s--- not:\n%s", bytes_text(&world.log), want);
    bytes_clear(&world.log);
}

/* ---- what people and providers do ---- */

static inline void on_reply(void *user, enum stanza_error refused, const char *text)
{
    (void)user;
    world.refused = refused;
    bytes_clear(&world.reply);
    bytes_append_text(&world.reply, text);
    world.replied = true;
}

/* The answer to a line; NULL: not one about devices. */
static inline const char *command(const char *line)
{
    struct arena a;
    arena_init(&a);
    struct reach *reach = contact_router_reach(world.router);
    world.replied = false;
    bool ours = reach->ops->command(reach, jid_parse_text(&a, JULIET), line, on_reply, NULL);
    arena_fini(&a);
    settle();
    assert_true(world.replied == ours);
    return ours ? bytes_text(&world.reply) : NULL;
}

static inline void expect_in(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("`%s` is not in:\n%s", part, text ? text : "(nothing)");
}

static inline const char *no_header(const struct http_response *r, const char *name)
{
    (void)r, (void)name;
    return NULL;
}

static inline void provider_says(unsigned call, int status, const char *body)
{
    assert_true(call < world.http_count && world.http[call].open);
    struct http_response r = { .status = status, .body = span_of(body), .header = no_header, .sent = true };
    if (!status)
        error_set(&r.error, ERROR_TIMEOUT, "no answer");
    world.http[call].open = false;
    world.http[call].on_done(world.http[call].user, &r);
    advance(2); /* the profile allows one request a second */
}

static inline void mail_server_says(unsigned call, int code)
{
    assert_true(call < world.mail_count && world.mail[call].open);
    struct mail_response r = { .code = code, .accepted = code == 250, .sent = true };
    if (code != 250)
        error_set(&r.error, ERROR_DENIED, "scripted %d", code);
    world.mail[call].open = false;
    world.mail[call].on_done(world.mail[call].user, &r);
    settle();
}

struct put_device { struct store_job job; struct device d; };

static inline bool put_device_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    return device_store_put(tx, &container_of(job, struct put_device, job)->d, e);
}

static inline void add_device(int64_t n, enum device_kind kind, const char *address, bool full)
{
    struct put_device p = { .job = { .run = put_device_run }, .d = { .account = JULIET, .n = n, .kind = kind, .address = address,
                            .verified_us = 1, .full_text = full } };
    write_now(&p.job);
}

struct put_event { struct store_job job; struct reach_event ev; };

static inline bool put_event_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    return sessions_put_event(tx, &container_of(job, struct put_event, job)->ev, e);
}

static inline void somebody_writes(enum reach_kind kind, const char *peer, const char *code, uint64_t seq, const char *text)
{
    struct put_event p = { .job = { .run = put_event_run }, .ev = { .kind = kind, .callee = JULIET, .peer = peer, .code = code,
                           .seq = seq, .text = text } };
    write_now(&p.job);
    struct reach *reach = contact_router_reach(world.router);
    reach->ops->wake(reach, JULIET);
    settle();
}

/* ---- webhooks ---- */

struct signature { const char *value; };
static struct signature current_signature;

static inline const char *hook_header(const struct http_incoming *in, const char *name)
{
    (void)in;
    return strcasecmp(name, "X-Twilio-Signature") == 0 ? current_signature.value : NULL;
}

/* Fields: name, value, ..., NULL; names in order. `forge`: with a wrong signature. Returns the status;
 * 0: not answered yet. */
static inline struct http_exchange webhook(const char *target, bool forge, const char *const *fields)
{
    static struct http_exchange last[4]; /* one that is answered later is not the next one's */
    static unsigned turn;
    struct http_exchange *x = &last[turn++ % 4];
    static struct arena a;
    arena_fini(&a);
    arena_init(&a);
    mem_free(x->body);
    *x = (struct http_exchange){ 0 };
    struct bytes over = BYTES_EMPTY, body = BYTES_EMPTY, mac = BYTES_EMPTY, sig = BYTES_EMPTY;
    bytes_printf(&over, "%s%s", URL, target);
    for (; *fields; fields += 2) {
        bytes_printf(&over, "%s%s", fields[0], fields[1]);
        bytes_printf(&body, "%s%s=", body.len ? "&" : "", fields[0]);
        template_form(&body, fields[1], strlen(fields[1]));
    }
    signature_hmac(PROFILE_HMAC_SHA1, forge ? SPAN("guess") : SPAN("12345"), bytes_span(&over), &mac);
    base64_encode(&sig, mac.data, mac.len);
    current_signature.value = sig.data;
    struct http_incoming in = { .method = "POST", .target = target, .host = "h", .peer = "127.0.0.1", .body = bytes_span(&body),
                                .arena = &a, .header = hook_header };
    contact_router_on_request(world.router, x, &in);
    settle();
    bytes_fini(&over);
    bytes_fini(&body);
    bytes_fini(&mac);
    bytes_fini(&sig);
    struct http_exchange answer = *x;
    bytes_clear(&world.answer);
    bytes_append(&world.answer, x->body ? x->body : "", x->len);
    mem_free(x->body);
    x->body = NULL;
    answer.body = NULL;
    arena_fini(&a);
    return answer;
}

static inline int text_arrives(const char *text, const char *sid)
{
    const char *const fields[] = { "Body", text, "From", PHONE, "MessageSid", sid, "To", OURS, NULL };
    return webhook("/hook/texts/inbound", false, fields).status;
}

/* The value of a field of a request, as a target on our side. */
static inline const char *target_in(struct arena *a, unsigned call, const char *field)
{
    struct bytes out = BYTES_EMPTY;
    const char *at = strstr(world.http[call].body, field);
    assert_non_null(at);
    at += strlen(field);
    for (; *at && *at != '&'; at++) {
        if (*at == '%') {
            assert_true(base64_unhex(&out, at + 1, 2));
            at += 2;
        } else {
            bytes_append_char(&out, *at);
        }
    }
    assert_true(text_starts_with(out.data, URL));
    const char *target = arena_dup(a, out.data + strlen(URL));
    bytes_fini(&out);
    return target;
}

static inline const char *status_target(struct arena *a, unsigned call)
{
    return target_in(a, call, "StatusCallback=");
}

#endif
