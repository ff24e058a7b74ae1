/* SPDX-License-Identifier: MIT */
/* The lines by which a person manages devices and rules (rule_commands.c), carried out in one transaction each. Answers
 * about codes are the same whether a code went out, the address refuses codes, or belongs to somebody else. */
#include <string.h>

#include "contact-router/delivery.h"
#include "contact-router/device_store.h"
#include "contact-router/outbox_query.h"
#include "contact-router/router_internal.h"
#include "contact-router/rule_commands.h"
#include "contact-router/zone.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/edge.h"

enum { TESTS_A_DAY = 5, PREFIX_LEN = 7 };

struct command_job {
    struct store_job job;
    struct command answer; /* on the person's loop */
    struct contact_router *r;
    struct arena arena;
    const char *account;
    const struct contact_router_community *community;
    struct device_command c;
    bool is_rule;
    struct rule_line rule; /* then it is this */
    struct device_list devices;
    struct bytes reply;
    const char *warn;      /* for the log */
    bool sends;
    enum stanza_error refused; /* STANZA_OK: it was done */
    void (*on_reply)(void *user, enum stanza_error refused, const char *text);
    void *user;
};

/* It is not done: why, by name for a program and in words for the person. */
static bool no(struct command_job *j, enum stanza_error why, const char *text)
{
    j->refused = why;
    bytes_append_text(&j->reply, text);
    return true;
}

/* The device that the line is about, to be changed and put back. false: there is none, and the person is told. */
static bool find(struct command_job *j, struct device *out)
{
    const struct device *d = device_list_find(&j->devices, j->c.n, NULL);
    if (d)
        *out = *d;
    else
        no(j, STANZA_ITEM_NOT_FOUND,
           arena_printf(&j->arena, "You have no device %lld; \"devices\" shows them.", (long long)j->c.n));
    return d != NULL;
}

/* Through whom messages to it pass: a person should know before letting whole texts go there. */
static const char *carrier(struct command_job *j, enum device_kind kind)
{
    if (kind == DEVICE_EMAIL)
        return arena_printf(&j->arena, "the mail server of %s", j->community->domain);
    const struct provider *p = contact_router_sender(j->r, j->community->domain, kind);
    return p ? (p->profile->title ? p->profile->title : p->name) : "nobody yet";
}

static void say_device(struct command_job *j, const struct device *d)
{
    if (d->damaged) {
        bytes_printf(&j->reply,
                     "%lld: cannot be read any more, and is not used. Write \"remove %lld\", and list it again",
                     (long long)d->n, (long long)d->n);
        return;
    }
    bytes_printf(&j->reply, "%lld: %s to %s, ", (long long)d->n, device_kind_people(d->kind), d->address);
    if (d->opted_out)
        bytes_append_text(&j->reply, "stopped by STOP");
    else if (!d->verified_us)
        bytes_append_text(&j->reply, "not verified yet");
    else if (d->failures >= DEVICE_FAILURES_MAX)
        bytes_append_text(&j->reply, "not used: it refused again and again");
    else
        bytes_append_text(&j->reply, "verified");
    bytes_append_text(&j->reply, d->full_text ? ", whole texts" : ", notices only");
    if (d->kind == DEVICE_VOICE && d->lang && *d->lang)
        bytes_printf(&j->reply, ", in %s", d->lang);
    if (d->quiet.set)
        bytes_printf(&j->reply, ", quiet %s", device_quiet_text(&j->arena, &d->quiet));
}

static bool do_list(struct command_job *j)
{
    if (!j->devices.count)
        bytes_append_text(&j->reply, "You have listed no devices. Write: add email ADDRESS, or: add phone +44...");
    for (unsigned i = 0; i < j->devices.count; i++) {
        if (i)
            bytes_append_char(&j->reply, '\n');
        say_device(j, &j->devices.v[i]);
    }
    return true;
}

/* -- add -- */

static bool can_send(const struct command_job *j, enum device_kind kind)
{
    const struct contact_router_community *c = j->community;
    if (kind == DEVICE_EMAIL)
        return c->mail_url && j->r->mail;
    unsigned a_day = kind == DEVICE_VOICE ? c->calls_per_day : c->sms_per_day;
    return a_day && contact_router_sender(j->r, c->domain, kind) && (kind != DEVICE_VOICE || j->r->public_url);
}

/* "DOMAIN does not ..." */
static const char *doing(enum device_kind kind)
{
    switch (kind) {
    case DEVICE_EMAIL:
        return "send e-mail";
    case DEVICE_VOICE:
        return "make calls";
    case DEVICE_PAGER:
        return "send pages";
    case DEVICE_SMS:
    case DEVICE_WEBHOOK:
    case DEVICE_TERMINAL:
    case DEVICE_PUSH:
    case DEVICE_KIND_COUNT:
        break;
    }
    return "send text messages";
}

static bool community_can(struct command_job *j)
{
    const struct contact_router_community *c = j->community;
    /* A "phone" takes text messages where there are any, and is called where there are none. */
    if (j->c.any_phone && !can_send(j, DEVICE_SMS) && can_send(j, DEVICE_VOICE))
        j->c.kind = DEVICE_VOICE;
    const char *what = doing(j->c.kind);
    if (!can_send(j, j->c.kind))
        no(j, STANZA_NOT_ALLOWED, arena_printf(&j->arena, "%s does not %s.", c->domain, what));
    else if (j->c.kind != DEVICE_EMAIL && contact_router_is_ours(j->r, j->c.address))
        no(j, STANZA_NOT_ALLOWED,
           arena_printf(&j->arena, "That is the number that messages of %s come from.", c->domain));
    else if (j->c.kind != DEVICE_EMAIL && !contact_router_address_allowed(j->r, c, j->c.kind, j->c.address))
        no(j, STANZA_NOT_ALLOWED, arena_printf(&j->arena, "%s does not %s to such numbers.", c->domain, what));
    else
        return true;
    return false;
}

/* Does one more that this person asked for fit into the community's budget? */
static bool affordable(const struct command_job *j, enum device_kind kind,
                       const struct budget_use *use)
{
    switch (kind) {
    case DEVICE_SMS:
    case DEVICE_PAGER:
        return budget_sms(use, j->community->sms_per_day, 0) == BUDGET_FITS;
    case DEVICE_VOICE:
        return budget_call(use, j->community->calls_per_day, 0) == BUDGET_FITS;
    case DEVICE_EMAIL:
    case DEVICE_WEBHOOK:
    case DEVICE_TERMINAL:
    case DEVICE_PUSH:
    case DEVICE_KIND_COUNT:
        break;
    }
    return true;
}

static bool queue(struct command_job *j, struct store_tx *tx, const struct device *d,
                  enum outbox_purpose purpose, const char *text, struct error *e)
{
    const struct provider *p = contact_router_sender(j->r, j->community->domain, d->kind);
    struct outbox_row row = {
        .d = { .state = OUTBOX_PLANNED, .due_us = store_now_us(tx) },
        .account = j->account,
        .n = d->n,
        .kind = d->kind,
        .address = d->address,
        .community = j->community->domain,
        .purpose = purpose,
        .peer = "",
        .peer_domain = "",
        .code = "",
        .provider = p ? p->name : "",
        .urgent = true,
        .texts = 1,
        .readable = true,
        .text = text,
    };
    j->sends = true;
    return outbox_store_insert(tx, &row, 0, &j->arena, e);
}

static void say_listed(struct command_job *j, const struct device *d)
{
    long long n = (long long)d->n;
    bytes_printf(&j->reply,
                 "%lld: %s to %s is listed. If codes may be sent there, one is on its way: write it"
                 " to me within 15 minutes. ",
                 n, device_kind_people(d->kind), d->address);
    bytes_printf(&j->reply,
                 d->full_text ? "Whole texts to it will pass through %s."
                                " (\"notice %lld\" changes that.)"
                              : "It gets notices only, through %s."
                                " (\"full %lld\" lets it have whole texts.)",
                 carrier(j, d->kind), n);
}

/* What codes to such addresses are counted by. */
static const char *prefix_of(struct command_job *j, const struct device *d)
{
    if (d->kind == DEVICE_EMAIL)
        return "";
    return arena_dup_n(&j->arena, d->address, strnlen(d->address, PREFIX_LEN));
}

static bool send_code(struct command_job *j, struct store_tx *tx, const struct device *d,
                      struct error *e)
{
    const char *domain = j->community->domain, *prefix = prefix_of(j, d);
    struct outbox_spender spender = { j->account, domain, "", "" };
    char code[DEVICE_CODE_LEN + 1];
    struct budget_codes used;
    struct budget_use use;
    bool refused;
    if (!device_store_codes_used(tx, j->account, domain, prefix, &used, e) ||
        !device_store_is_refused(tx, d->kind, d->address, &refused, e) ||
        !outbox_query_use(tx, &spender, &use, e))
        return false;
    if (!budget_code_fits(&used) || !affordable(j, d->kind, &use)) {
        j->warn = "a limit of verification codes was reached";
        return no(j, STANZA_POLICY_VIOLATION,
                  "No more codes can be sent for now. Write the same again tomorrow.");
    }
    say_listed(j, d);
    if (refused) {
        j->warn = "a code was not sent: the address refused one";
        return true;
    }
    return device_store_code_new(tx, j->account, d->n, domain, prefix, code, e) &&
           queue(j, tx, d, OUTBOX_PURPOSE_CODE, arena_dup(&j->arena, code), e);
}

/* A number that was proved to be this person's by a text message is theirs in a call too, and the other way round;
 * unless its owner wants none of that kind. */
static bool know_number(struct command_job *j, struct store_tx *tx, struct device *d, struct error *e)
{
    bool phone = d->kind == DEVICE_SMS || d->kind == DEVICE_VOICE, refused = true;
    for (unsigned i = 0; phone && i < j->devices.count; i++) {
        const struct device *other = &j->devices.v[i];
        bool known = other->kind == (d->kind == DEVICE_SMS ? DEVICE_VOICE : DEVICE_SMS) && other->verified_us &&
                     !other->opted_out && text_eq(other->address, d->address);
        if (!known)
            continue;
        if (!device_store_is_refused(tx, d->kind, d->address, &refused, e))
            return false;
        if (!refused)
            d->verified_us = store_now_us(tx);
    }
    return true;
}

static bool do_add(struct command_job *j, struct store_tx *tx, struct error *e)
{
    struct device *same = NULL, d;
    int64_t n = 1;
    if (!community_can(j))
        return true;
    for (unsigned i = 0; i < j->devices.count; i++) {
        if (j->devices.v[i].n >= n)
            n = j->devices.v[i].n + 1;
        if (!j->devices.v[i].damaged && j->devices.v[i].kind == j->c.kind &&
            text_eq(j->devices.v[i].address, j->c.address))
            same = &j->devices.v[i];
    }
    if (same && same->verified_us) {
        no(j, STANZA_CONFLICT, "That is listed already. ");
        say_device(j, same);
        return true;
    }
    if (!same && j->devices.count >= DEVICE_PER_ACCOUNT_MAX)
        return no(j, STANZA_POLICY_VIOLATION, "You have listed as many devices as one may; remove one first.");
    d = same ? *same : (struct device){ .account = j->account, .n = n, .kind = j->c.kind, .address = j->c.address };
    d.full_text = j->c.full || d.full_text;
    if (!know_number(j, tx, &d, e) || !device_store_put(tx, &d, e))
        return false;
    if (!d.verified_us)
        return send_code(j, tx, &d, e);
    bytes_append_text(&j->reply, "The number is known to be yours. ");
    say_device(j, &d);
    return true;
}

/* -- the others -- */

static bool do_verify(struct command_job *j, struct store_tx *tx, struct error *e)
{
    int64_t n;
    if (!device_store_code_try(tx, j->account, j->c.code, &n, e))
        return false;
    if (!n)
        return no(j, STANZA_NOT_ACCEPTABLE,
                  "That is no code that I wait for. It may be too old (15 minutes) or tried too often; "
                  "\"add\" the device again for a new one.");
    for (unsigned i = 0; i < j->devices.count; i++) {
        struct device *d = &j->devices.v[i];
        if (d->n != n)
            continue;
        d->verified_us = store_now_us(tx);
        bytes_append_text(&j->reply, "Thank you. ");
        say_device(j, d);
    }
    return true;
}

static bool do_remove(struct command_job *j, struct store_tx *tx, struct error *e)
{
    struct device d;
    struct outbox_rows rows;
    struct delivery_batch batch = { j->r, tx, &j->arena, NULL }; /* its news are nobody else's */
    if (!find(j, &d))
        return true;
    bool ok = outbox_query_waiting(tx, &(struct outbox_about){ .account = j->account, .n = d.n }, &j->arena, &rows, e);
    for (unsigned i = 0; ok && i < rows.count; i++)
        ok = delivery_step(&batch, &rows.v[i],
                           &(struct delivery_word){.event = OUTBOX_STOPPED, .reason = "the device was removed"}, e);
    if (d.damaged)
        bytes_printf(&j->reply, "Device %lld, which could not be read, is forgotten.", (long long)d.n);
    else
        bytes_printf(&j->reply, "%s to %s is forgotten.", device_kind_people(d.kind), d.address);
    return ok && device_store_remove(tx, j->account, d.n, e);
}

/* One that can be changed. */
static bool find_whole(struct command_job *j, struct device *out)
{
    if (!find(j, out))
        return false;
    if (out->damaged) {
        j->refused = STANZA_NOT_ACCEPTABLE;
        say_device(j, out);
    }
    return !out->damaged;
}

static bool do_full(struct command_job *j, struct store_tx *tx, struct error *e)
{
    struct device d;
    if (!find_whole(j, &d))
        return true;
    d.full_text = j->c.verb == DEVICE_FULL;
    say_device(j, &d);
    bytes_printf(&j->reply,
                 d.full_text ? ". What people write to you will pass through %s." : ". They pass through %s.",
                 carrier(j, d.kind));
    return device_store_put(tx, &d, e);
}

static bool do_quiet(struct command_job *j, struct store_tx *tx, struct error *e)
{
    struct device d;
    int offset;
    if (!find_whole(j, &d))
        return true;
    if (j->c.quiet.set && !zone_offset(j->r->zone_dir, j->c.quiet.zone, store_now_us(tx) / 1000000, &offset)) {
        return no(
            j, STANZA_NOT_ACCEPTABLE,
            arena_printf(&j->arena, "I do not know the time zone %s. Write it like Europe/London.", j->c.quiet.zone));
    }
    d.quiet = j->c.quiet;
    say_device(j, &d);
    return device_store_put(tx, &d, e);
}

static bool do_speak(struct command_job *j, struct store_tx *tx, struct error *e)
{
    struct device d;
    if (!find_whole(j, &d))
        return true;
    if (d.kind != DEVICE_VOICE)
        return no(j, STANZA_NOT_ACCEPTABLE, "Only calls are spoken.");
    d.lang = j->c.lang;
    say_device(j, &d);
    return device_store_put(tx, &d, e);
}

static bool do_test(struct command_job *j, struct store_tx *tx, struct error *e)
{
    struct device d;
    struct budget_use use;
    int64_t tests;
    if (!find(j, &d))
        return true;
    if (!outbox_query_count_day(tx, j->account, NULL, OUTBOX_PURPOSE_TEST, &tests, e) ||
        !outbox_query_use(tx, &(struct outbox_spender){ j->account, j->community->domain, "", "" }, &use, e))
        return false;
    if (!d.verified_us || d.opted_out) {
        j->refused = STANZA_NOT_ALLOWED;
        say_device(j, &d);
        return true;
    }
    if (!can_send(j, d.kind)) /* its provider may be off by now */
        return no(j, STANZA_NOT_ALLOWED,
                  arena_printf(&j->arena, "%s does not %s.", j->community->domain, doing(d.kind)));
    if (tests >= TESTS_A_DAY)
        return no(j, STANZA_POLICY_VIOLATION, "Enough tests for today.");
    if (!affordable(j, d.kind, &use))
        return no(j, STANZA_POLICY_VIOLATION, "The community's budget does not allow that now.");
    bytes_printf(&j->reply, "A test is on its way to %s.", d.address);
    return queue(j, tx, &d, OUTBOX_PURPOSE_TEST, "", e);
}

static bool carry_out(struct command_job *j, struct store_tx *tx, struct error *e)
{
    switch (j->c.verb) {
    case DEVICE_LIST: return do_list(j);
    case DEVICE_ADD: return do_add(j, tx, e);
    case DEVICE_VERIFY: return do_verify(j, tx, e);
    case DEVICE_REMOVE: return do_remove(j, tx, e);
    case DEVICE_FULL:
    case DEVICE_NOTICE: return do_full(j, tx, e);
    case DEVICE_QUIET: return do_quiet(j, tx, e);
    case DEVICE_TEST: return do_test(j, tx, e);
    case DEVICE_SPEAK: return do_speak(j, tx, e);
    case DEVICE_WRONG: return no(j, STANZA_NOT_ACCEPTABLE, j->c.why);
    }
    return true;
}

static bool carry_out_rule(struct command_job *j, struct store_tx *tx, struct error *e)
{
    struct rule_commands c = {.account = j->account,
                              .zone_dir = j->r->zone_dir,
                              .line = &j->rule,
                              .devices = &j->devices,
                              .arena = &j->arena,
                              .reply = &j->reply};
    bool ok = rule_commands_do(&c, tx, e);
    j->refused = c.refused;
    return ok;
}

static bool command_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct command_job *j = container_of(job, struct command_job, job);
    bytes_clear(&j->reply);
    j->refused = STANZA_OK;
    j->sends = false;
    j->warn = NULL;
    return device_store_list(tx, j->account, &j->arena, &j->devices, e) &&
           (j->is_rule ? carry_out_rule(j, tx, e) : carry_out(j, tx, e));
}

static void command_answer(struct command *cmd)
{
    struct command_job *j = container_of(cmd, struct command_job, answer);
    j->on_reply(j->user, j->refused, bytes_text(&j->reply));
    bytes_fini(&j->reply);
    arena_fini(&j->arena);
    mem_free(j);
}

static void answer(struct command_job *j)
{
    j->answer.run = command_answer;
    loop_post(exchange_loop_of(j->r->exchange, j->account), &j->answer);
}

static void command_done(struct store_job *job, const struct error *e)
{
    struct command_job *j = container_of(job, struct command_job, job);
    j->r->jobs--;
    if (e->code != ERROR_NONE) {
        log_error(NULL, "a line about devices of %s: %s", j->account, e->text);
        bytes_clear(&j->reply);
        no(j, STANZA_RESOURCE_CONSTRAINT, "That did not work just now. Please try again later.");
    } else {
        if (j->warn)
            log_warn(NULL, "devices of %s: %s", j->account, j->warn);
        if (j->sends)
            worker_kick(j->r);
    }
    answer(j);
}

void device_commands_run(struct contact_router *r, const char *account, const char *domain, const char *line,
                         void (*reply)(void *user, enum stanza_error refused, const char *text), void *user)
{
    struct command_job *j = mem_new(struct command_job);
    arena_init(&j->arena);
    j->r = r;
    j->account = arena_dup(&j->arena, account);
    j->community = contact_router_community(r, domain);
    j->on_reply = reply;
    j->user = user;
    j->job = (struct store_job){ .reply_on = r->loop, .run = command_run, .done = command_done };
    j->is_rule = rule_line_parse(&j->arena, line, &j->rule);
    CHECK(j->is_rule || device_command_parse(&j->arena, line, &j->c));
    if (!r->running || !j->community) {
        no(j, STANZA_FEATURE_NOT_IMPLEMENTED, "Devices are not available here.");
        answer(j);
        return;
    }
    r->jobs++;
    store_write(r->store, &j->job);
}
