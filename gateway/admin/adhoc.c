/* SPDX-License-Identifier: MIT */
/* XEP-0050: who may run what, and what becomes of each request. A request is judged in this order: is there
 * such a command (item-not-found), may the asker run it (forbidden; an admin is looked up in the store for
 * each request, so that one who is none any more cannot go on), is the action one that exists
 * (malformed-action) and fits (bad-action), is the session ours (bad-sessionid) and still there
 * (session-expired), does the form hold (bad-payload).
 *
 * Invariant: a call that runs is touched by nobody but its command; one that waits for its next step can go
 * at any time: by its age, or because the asker begins another. */
#include <stdio.h>
#include <string.h>

#include "gateway/admin/adhoc_internal.h"
#include "gateway/base/hash.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/account.h"
#include "gateway/xmpp/ns.h"

/* ---- the table ---- */

static const struct adhoc_command *command_named(const struct adhoc *a, const char *node)
{
    for (const struct adhoc_command *const *list = a->o.commands; node && *list; list++)
        for (const struct adhoc_command *c = *list; c->node; c++)
            if (strcmp(c->node, node) == 0)
                return c;
    return NULL;
}

/* ---- who asks ---- */

struct request {
    struct account_get get;
    struct adhoc *engine;
    struct stanza *iq;
    bool at_domain; /* else at the asker's own account */
    bool is_person; /* an account of this community */
    bool is_admin;
    void (*then)(struct request *r);
};

static void request_end(struct request *r)
{
    arena_fini(&r->get.arena);
    stanza_unref(&r->iq);
    mem_free(r);
}

/* By the configuration; others are marked in the store. */
static bool is_listed(struct exchange *x, const struct jid *j)
{
    const struct community *c = exchange_community(x, j->domain);
    return c && community_lists_admin(c, j->bare);
}

static void on_account(struct store_job *job, const struct error *e)
{
    struct request *r = container_of(container_of(job, struct account_get, job), struct request, get);
    struct exchange *x = r->engine->o.exchange;
    if (e->code != ERROR_NONE) {
        log_error(NULL, "whether %s is an admin cannot be read: %s", r->get.bare, e->text);
        exchange_refuse(x, r->iq, STANZA_RESOURCE_CONSTRAINT, "the store does not answer; try again later");
        request_end(r);
        return;
    }
    const struct account *a = &r->get.account;
    r->is_admin = r->get.found && !a->disabled && (a->is_admin || is_listed(x, r->iq->from));
    r->then(r);
    request_end(r);
}

/* Finds out who asks, then calls `then`. */
static enum service_result ask_who(struct exchange *x, struct person *who, struct stanza *iq,
                                   void (*then)(struct request *r), bool asks_store)
{
    struct request *r = mem_new(struct request);
    arena_init(&r->get.arena);
    r->engine = exchange_service_state(x, &adhoc_service);
    r->iq = stanza_ref(iq);
    r->at_domain = !who;
    r->is_person = iq->from->local && text_eq(iq->from->domain, iq->to->domain) &&
                   (!who || jid_eq_bare(iq->from, iq->to));
    r->then = then;
    if (!asks_store || !r->is_person || !r->at_domain) {
        then(r);
        request_end(r);
        return SERVICE_HANDLED;
    }
    r->get.bare = arena_dup(&r->get.arena, iq->from->bare);
    r->get.job.reply_on = exchange_loop_of(x, iq->from->bare);
    r->get.job.done = on_account;
    r->get.job.must_see = store_ticket(exchange_store(x));
    account_get(exchange_store(x), &r->get);
    return SERVICE_HANDLED;
}

static bool may_run(const struct request *r, const struct adhoc_command *c)
{
    if (c->who == ADHOC_PERSON)
        return r->is_person;
    const struct community *community = exchange_community(r->engine->o.exchange, r->iq->to->domain);
    return r->at_domain && (r->is_admin || (r->is_person && c->people_may && community && c->people_may(community)));
}

/* ---- sessions ---- */

static struct adhoc_shard *shard_of(struct adhoc *a, const struct jid *asker)
{
    struct loop *l = exchange_loop_of(a->o.exchange, asker->bare);
    for (unsigned i = 0; i < a->o.loop_count; i++)
        if (a->shards[i].loop == l)
            return &a->shards[i];
    CHECK(!"the exchange's loops are the engine's");
    return NULL;
}

/* An id says whether it was given out here, for whom and for which command, without anybody remembering:
 * so a session that is over can be told from one that never was. */
static uint64_t id_mark(const char *drawn, const struct jid *asker, const char *node)
{
    struct bytes text = BYTES_EMPTY;
    bytes_printf(&text, "%.*s %s %s", RANDOM_ID_LEN, drawn, asker->full, node);
    uint64_t mark = hash_text(bytes_text(&text));
    bytes_fini(&text);
    return mark;
}

static bool id_is_ours(const char *id, const struct jid *asker, const char *node)
{
    char mark[17];
    if (strlen(id) != ADHOC_ID_LEN)
        return false;
    snprintf(mark, sizeof mark, "%016llx", (unsigned long long)id_mark(id, asker, node));
    return strcmp(id + RANDOM_ID_LEN, mark) == 0;
}

static void on_expiry(struct timer *t);

static void watch_age(struct adhoc_shard *s)
{
    list_each(node, &s->calls) {
        struct adhoc_call *c = list_entry(node, struct adhoc_call, node);
        uint64_t now = loop_now_ms(s->loop);
        if (c->progress == ADHOC_RUNNING)
            continue;
        timer_start(&s->expiry, s->loop, c->expires_mono_ms > now ? c->expires_mono_ms - now : 0, on_expiry);
        return;
    }
    timer_stop(&s->expiry);
}

static void call_free(struct adhoc_call *c)
{
    list_remove(&c->node);
    map_remove(&c->shard->by_id, c->id);
    stanza_unref(&c->iq);
    arena_fini(&c->arena);
    mem_free(c);
}

void adhoc_call_end(struct adhoc_call *c)
{
    struct adhoc_shard *s = c->shard;
    call_free(c);
    watch_age(s);
}

void adhoc_call_waits(struct adhoc_call *c)
{
    stanza_unref(&c->iq);
    c->progress = ADHOC_WAITING;
    c->expires_mono_ms = loop_now_ms(c->shard->loop) + ADHOC_SESSION_MS;
    list_remove(&c->node);
    list_append(&c->shard->calls, &c->node);
    watch_age(c->shard);
}

static void on_expiry(struct timer *t)
{
    struct adhoc_shard *s = container_of(t, struct adhoc_shard, expiry);
    list_each(node, &s->calls) {
        struct adhoc_call *c = list_entry(node, struct adhoc_call, node);
        if (c->progress == ADHOC_WAITING && c->expires_mono_ms <= loop_now_ms(s->loop))
            call_free(c);
    }
    watch_age(s);
}

/* Room for one more of this asker: the longest untouched goes, if any waits. */
static bool make_room(struct adhoc_shard *s, const struct jid *asker)
{
    struct adhoc_call *oldest = NULL, *own = NULL;
    unsigned owned = 0;
    list_each(node, &s->calls) {
        struct adhoc_call *c = list_entry(node, struct adhoc_call, node);
        bool waits = c->progress == ADHOC_WAITING, is_own = jid_eq_bare(c->asker, asker);
        owned += is_own;
        if (waits && !oldest)
            oldest = c;
        if (waits && is_own && !own)
            own = c;
    }
    struct adhoc_call *goes = owned >= ADHOC_SESSIONS_PER_PERSON     ? own
                              : s->by_id.count >= ADHOC_SESSIONS_MAX ? oldest
                                                                     : NULL;
    if (goes)
        call_free(goes);
    return goes || (owned < ADHOC_SESSIONS_PER_PERSON && s->by_id.count < ADHOC_SESSIONS_MAX);
}

static struct adhoc_call *call_new(struct request *r, const struct adhoc_command *command)
{
    struct adhoc_shard *s = shard_of(r->engine, r->iq->from);
    if (!make_room(s, r->iq->from))
        return NULL;
    struct adhoc_call *c = mem_new(struct adhoc_call);
    arena_init(&c->arena);
    c->engine = r->engine;
    c->shard = s;
    c->command = command;
    c->asker = jid_copy(&c->arena, r->iq->from);
    c->domain = arena_dup(&c->arena, r->iq->to->domain);
    random_id(c->id);
    snprintf(c->id + RANDOM_ID_LEN, 17, "%016llx", (unsigned long long)id_mark(c->id, c->asker, command->node));
    list_append(&s->calls, &c->node);
    map_put(&s->by_id, c->id, c);
    return c;
}

/* ---- a request ---- */

#define ADHOC_ACTIONS(A)                                                                                               \
    A(EXECUTE, "execute") A(NEXT, "next") A(PREV, "prev") A(COMPLETE, "complete") A(CANCEL, "cancel")
enum action {
#define ACTION(name, wire) ACTION_##name,
    ADHOC_ACTIONS(ACTION)
#undef ACTION
    ACTION_UNKNOWN
};

static enum action action_of(const struct element *command)
{
    static const char *const names[] = {
#define ACTION(name, wire) wire,
        ADHOC_ACTIONS(ACTION)
#undef ACTION
    };
    const char *wire = element_attr(command, "action");
    for (unsigned i = 0; wire && i < ACTION_UNKNOWN; i++)
        if (strcmp(names[i], wire) == 0)
            return (enum action)i;
    return wire ? ACTION_UNKNOWN : ACTION_EXECUTE;
}

static bool is_cancelled(const struct element *command)
{
    const struct element *x = element_child(command, "x", NS_DATA);
    return x && text_eq(element_attr(x, "type"), "cancel");
}

static void refuse(const struct request *r, enum stanza_error e, const char *specific, const char *text)
{
    adhoc_send_error(r->engine->o.exchange, r->iq, e, specific, text);
}

static void run(struct adhoc_call *c)
{
    if (c->command->who == ADHOC_ADMIN)
        log_info(NULL, "%s runs %s", c->asker->bare, c->command->node);
    c->command->run(c);
}

static void begin(struct request *r, const struct adhoc_command *command, enum action action)
{
    const struct element *e = stanza_first(r->iq);
    if (action != ACTION_EXECUTE) {
        refuse(r, STANZA_BAD_REQUEST, "bad-action", "a command begins with execute");
        return;
    }
    if (element_child(e, "x", NS_DATA)) {
        refuse(r, STANZA_BAD_REQUEST, "bad-payload", "the form comes with the second step");
        return;
    }
    struct adhoc_call *c = call_new(r, command);
    if (!c) {
        refuse(r, STANZA_RESOURCE_CONSTRAINT, NULL, "too many commands are at work; try again later");
        return;
    }
    c->iq = stanza_ref(r->iq);
    c->by_admin = r->is_admin;
    if (command->stage_count)
        adhoc_show_stage(c);
    else
        run(c);
}

static void cancel(struct adhoc_call *c, const struct request *r)
{
    struct builder b;
    build_begin_result(&b, r->iq);
    build_open(&b, "command", NS_COMMANDS);
    build_attr(&b, "node", c->command->node);
    build_attr(&b, "sessionid", c->id);
    build_attr(&b, "status", "canceled");
    build_close(&b);
    exchange_answer(r->engine->o.exchange, build_end(&b));
    adhoc_call_end(c);
}

/* The submitted form of the stage that is out, then the next one or the end. */
static void advance(struct adhoc_call *c, struct request *r, enum action action)
{
    struct error e = ERROR_INIT;
    bool last = c->stage + 1 == c->command->stage_count;
    if ((action == ACTION_NEXT && last) || (action == ACTION_COMPLETE && !last)) {
        refuse(r, STANZA_BAD_REQUEST, "bad-action", last ? "this is the last step" : "this is not the last step");
        return;
    }
    if (!adhoc_form_read(&c->arena, stanza_first(r->iq), c->command->form_type, &c->command->stages[c->stage],
                         &c->offers, &c->values, &e)) {
        refuse(r, STANZA_BAD_REQUEST, "bad-payload", e.text);
        return;
    }
    c->iq = stanza_ref(r->iq);
    c->by_admin = r->is_admin;
    c->progress = ADHOC_RUNNING;
    if (last) {
        run(c);
        return;
    }
    c->stage++;
    adhoc_show_stage(c);
}

static void go_back(struct adhoc_call *c, struct request *r)
{
    if (c->stage == 0) {
        refuse(r, STANZA_BAD_REQUEST, "bad-action", "this is the first step");
        return;
    }
    c->iq = stanza_ref(r->iq);
    c->progress = ADHOC_RUNNING;
    c->stage--;
    adhoc_show_stage(c);
}

static void go_on(struct request *r, const struct adhoc_command *command, enum action action, const char *id)
{
    struct adhoc_shard *s = shard_of(r->engine, r->iq->from);
    if (!id_is_ours(id, r->iq->from, command->node)) {
        refuse(r, STANZA_BAD_REQUEST, "bad-sessionid", "there is no such session of yours");
        return;
    }
    struct adhoc_call *c = map_get(&s->by_id, id);
    if (!c) {
        refuse(r, STANZA_NOT_ALLOWED, "session-expired", "this session is over; begin again");
        return;
    }
    if (c->progress == ADHOC_RUNNING) {
        refuse(r, STANZA_UNEXPECTED_REQUEST, NULL, "the step before is still at work");
        return;
    }
    if (action == ACTION_CANCEL || is_cancelled(stanza_first(r->iq))) {
        cancel(c, r);
        return;
    }
    if (++c->steps > ADHOC_STEPS_MAX || c->arena.total_bytes > ADHOC_SESSION_BYTES) {
        refuse(r, STANZA_NOT_ALLOWED, "session-expired", "too much was said in one session; begin again");
        adhoc_call_end(c);
        return;
    }
    if (action == ACTION_PREV)
        go_back(c, r);
    else
        advance(c, r, action);
}

static void on_command_known(struct request *r)
{
    const struct element *e = stanza_first(r->iq);
    const struct adhoc_command *command = command_named(r->engine, element_attr(e, "node"));
    const char *id = element_attr(e, "sessionid");
    enum action action = action_of(e);
    if (!may_run(r, command))
        refuse(r, STANZA_FORBIDDEN, NULL, "this command is not for you");
    else if (action == ACTION_UNKNOWN)
        refuse(r, STANZA_BAD_REQUEST, "malformed-action", "there is no such action");
    else if (id)
        go_on(r, command, action, id);
    else
        begin(r, command, action);
}

static enum service_result on_command(struct exchange *x, struct person *who, struct stanza *iq)
{
    const struct adhoc *a = exchange_service_state(x, &adhoc_service);
    if (!a)
        return SERVICE_PASS;
    const struct adhoc_command *c = command_named(a, element_attr(stanza_first(iq), "node"));
    if (!c) {
        exchange_refuse(x, iq, STANZA_ITEM_NOT_FOUND, "there is no such command");
        return SERVICE_HANDLED;
    }
    return ask_who(x, who, iq, on_command_known, c->who == ADHOC_ADMIN);
}

/* ---- disco (XEP-0050 section 2) ---- */

static void on_items_known(struct request *r)
{
    struct builder b;
    build_begin_result(&b, r->iq);
    build_open(&b, "query", NS_DISCO_ITEMS);
    build_attr(&b, "node", NS_COMMANDS);
    for (const struct adhoc_command *const *list = r->engine->o.commands; *list; list++)
        for (const struct adhoc_command *c = *list; c->node; c++) {
            if (!may_run(r, c))
                continue;
            build_open(&b, "item", NULL);
            build_attr(&b, "jid", r->iq->to->bare);
            build_attr(&b, "node", c->node);
            build_attr(&b, "name", c->name);
            build_close(&b);
        }
    build_close(&b);
    exchange_answer(r->engine->o.exchange, build_end(&b));
}

static enum service_result on_items(struct exchange *x, struct person *who, struct stanza *iq)
{
    const char *node = element_attr(stanza_first(iq), "node");
    if (!exchange_service_state(x, &adhoc_service) || !text_eq(node, NS_COMMANDS))
        return SERVICE_PASS;
    return ask_who(x, who, iq, on_items_known, true);
}

static void on_info_known(struct request *r)
{
    const char *node = element_attr(stanza_first(r->iq), "node");
    const struct adhoc_command *c = command_named(r->engine, node);
    if (c && !may_run(r, c)) {
        refuse(r, STANZA_FORBIDDEN, NULL, "this command is not for you");
        return;
    }
    static const char *const features[] = {NS_COMMANDS, NS_DATA, NS_VALIDATE};
    struct builder b;
    build_begin_result(&b, r->iq);
    build_open(&b, "query", NS_DISCO_INFO);
    build_attr(&b, "node", node);
    build_open(&b, "identity", NULL);
    build_attr(&b, "category", "automation");
    build_attr(&b, "type", c ? "command-node" : "command-list");
    build_attr(&b, "name", c ? c->name : "Commands");
    build_close(&b);
    for (unsigned i = 0; i < (c ? 3 : 1); i++) {
        build_open(&b, "feature", NULL);
        build_attr(&b, "var", features[i]);
        build_close(&b);
    }
    build_close(&b);
    exchange_answer(r->engine->o.exchange, build_end(&b));
}

static enum service_result on_info(struct exchange *x, struct person *who, struct stanza *iq)
{
    const struct adhoc *a = exchange_service_state(x, &adhoc_service);
    const char *node = element_attr(stanza_first(iq), "node");
    const struct adhoc_command *c = a ? command_named(a, node) : NULL;
    if (!a || (!c && !text_eq(node, NS_COMMANDS)))
        return SERVICE_PASS;
    return ask_who(x, who, iq, on_info_known, c && c->who == ADHOC_ADMIN);
}

/* ---- life ---- */

struct adhoc *adhoc_create(const struct adhoc_options *o)
{
    struct adhoc *a = mem_new(struct adhoc);
    a->o = *o;
    a->shards = mem_array(o->loop_count, sizeof *a->shards);
    for (unsigned i = 0; i < o->loop_count; i++) {
        a->shards[i].loop = o->loops[i];
        list_init(&a->shards[i].calls);
    }
    exchange_service_set(o->exchange, &adhoc_service, a);
    return a;
}

void adhoc_destroy(struct adhoc **ap)
{
    struct adhoc *a = *ap;
    *ap = NULL;
    if (!a)
        return;
    for (unsigned i = 0; i < a->o.loop_count; i++) {
        list_each(node, &a->shards[i].calls)
            call_free(list_entry(node, struct adhoc_call, node));
        timer_stop(&a->shards[i].expiry);
        map_fini(&a->shards[i].by_id);
    }
    mem_free(a->shards);
    mem_free(a);
}

unsigned adhoc_session_count(const struct adhoc *a)
{
    unsigned n = 0;
    for (unsigned i = 0; i < a->o.loop_count; i++)
        n += (unsigned)a->shards[i].by_id.count;
    return n;
}

static const struct service_iq iqs[] = {
    {"command", NS_COMMANDS, 1u << IQ_SET, AT_DOMAIN | AT_ACCOUNT | AT_OTHER, on_command},
    {"query", NS_DISCO_ITEMS, 1u << IQ_GET, AT_DOMAIN | AT_ACCOUNT | AT_OTHER, on_items},
    {"query", NS_DISCO_INFO, 1u << IQ_GET, AT_DOMAIN | AT_ACCOUNT | AT_OTHER, on_info},
    {0},
};
static const struct service_xep xeps[] = {
    {"0050", "1.3.0", NULL},
    {"0122", "1.0.2", "whole numbers with a range, dates"},
    {"0133", "1.3.0", "accounts, who is linked, sessions of accounts"},
    {0},
};
static const char *const features[] = {NS_COMMANDS, NULL};

const struct service adhoc_service = {
    .name = "ad-hoc commands",
    .xeps = xeps,
    .domain_features = features,
    .account_features = features,
    .iqs = iqs,
};
