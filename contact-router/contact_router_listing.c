/* SPDX-License-Identifier: MIT */
/* What the router shows of itself: the outbox, providers, a person's devices and rules, and what would happen if.
 * Texts of deliveries and codes stay out. A question comes to the router's loop, most go on to the store. */
#include <string.h>

#include "contact-router/device_store.h"
#include "contact-router/outbox_query.h"
#include "contact-router/planner.h"
#include "contact-router/router_internal.h"
#include "contact-router/rule_store.h"
#include "contact-router/rule_text.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

enum { KEY_WORDS = 5 };

struct looking;
typedef bool look_fn(struct looking *k, struct store_tx *tx, struct error *e);

/* A question at the store. */
struct looking {
    struct store_job job;
    struct contact_router *r;
    struct listing_query *q;
    look_fn *look;
};

static bool run_look(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct looking *k = container_of(job, struct looking, job);
    k->q->first = k->q->last = NULL;
    k->q->count = 0;
    k->q->more = false;
    return k->look(k, tx, e);
}

static void on_look(struct store_job *job, const struct error *e)
{
    struct looking *k = container_of(job, struct looking, job);
    k->r->jobs--;
    listing_end(k->q, e);
    mem_free(k);
}

static void not_running(struct listing_query *q)
{
    struct error e = ERROR_INIT;
    error_set(&e, ERROR_TEMPORARY, "devices are not available here");
    listing_end(q, &e);
}

static void ask_store(struct listing_query *q, look_fn *look)
{
    struct contact_router *r = q->giver;
    if (!r->running) {
        not_running(q);
        return;
    }
    struct looking *k = mem_new(struct looking);
    k->r = r;
    k->q = q;
    k->look = look;
    k->job =
        (struct store_job){.reply_on = r->loop, .run = run_look, .done = on_look, .must_see = store_ticket(r->store)};
    r->jobs++;
    store_read(r->store, &k->job);
}

/* The key says whose. */
static void ask_of_person(struct listing_query *q, look_fn *look)
{
    if (q->key)
        ask_store(q, look);
    else
        not_running(q);
}

/* Brings the question to the router's loop; `run` finds the router in q->giver. */
static void bring(const struct listing *l, struct listing_query *q, void (*run)(struct command *cmd))
{
    struct contact_router *r = l->of;
    q->giver = r;
    q->cmd.run = run;
    loop_post(r->loop, &q->cmd);
}

static const char *or_null(const char *text)
{
    return text && *text ? text : NULL;
}

/* -- outbox -- */

static const struct listing_column outbox_columns[] = {
    {"ref", "Delivery"},
    {"account", "Account"},
    {"device", "Device"},
    {"address", "To"},
    {"purpose", "Why"},
    {"peer", "About"},
    {"state", "State"},
    {"provider", "Provider"},
    {"attempts", "Attempts"},
    {"created", "Made"},
    {"due", "Due"},
    {"ended", "Ended"},
    {"provider_id", "Provider's id"},
    {"reason", "Reason"},
    {NULL, NULL},
};

/* Why it is as it is. */
static const char *reason_of(const struct contact_router *r, const struct outbox_row *d)
{
    bool waits = d->d.state == OUTBOX_PLANNED || d->d.state == OUTBOX_DUE;
    return waits && contact_router_is_off(r, d->provider) ? "waits until its provider is on again" : or_null(d->reason);
}

static void add_delivery(struct listing_query *q, const struct outbox_row *d)
{
    struct listing_row *row = listing_add(q);
    if (!row)
        return;
    const char *cells[] = {
        d->d.ref,
        d->account,
        device_kind_people(d->kind),
        d->address,
        outbox_store_purpose(d->purpose),
        or_null(d->peer),
        outbox_state_name(d->d.state),
        or_null(d->provider),
        listing_number(q, d->d.attempts),
        listing_time(q, d->d.created_us),
        outbox_is_ended(d->d.state) ? NULL : listing_time(q, d->d.due_us),
        listing_time(q, d->ended_us),
        or_null(d->provider_id),
        reason_of(q->giver, d),
    };
    memcpy(row->cells, cells, sizeof cells);
}

static bool look_outbox(struct looking *k, struct store_tx *tx, struct error *e)
{
    struct listing_query *q = k->q;
    struct outbox_rows rows;
    bool is_account = q->key && strchr(q->key, '@');
    struct outbox_page page = { .community = q->domain, .limit = q->limit + 1 };
    *(is_account ? &page.account : &page.ref) = q->key;
    if (!outbox_query_newest(tx, &page, &q->arena, &rows, e))
        return false;
    for (unsigned i = 0; i < rows.count; i++)
        add_delivery(q, &rows.v[i]);
    return true;
}

static void run_outbox(struct command *cmd)
{
    ask_store(container_of(cmd, struct listing_query, cmd), look_outbox);
}

static void ask_outbox(const struct listing *l, struct listing_query *q)
{
    bring(l, q, run_outbox);
}

/* -- providers -- */

static const struct listing_column provider_columns[] = {
    { "name", "Name" }, { "title", "Service" }, { "from", "Writes from" }, { "under_way", "Under way" },
    { "webhook", "Address for its webhooks" },
    { "state", "State" }, { NULL, NULL },
};

static bool is_for(const char *const *communities, const char *domain)
{
    for (const char *const *c = communities; c && *c; c++)
        if (text_eq(*c, domain))
            return true;
    return !communities;
}

static void run_providers(struct command *cmd)
{
    struct listing_query *q = container_of(cmd, struct listing_query, cmd);
    struct contact_router *r = q->giver;
    for (unsigned i = 0; i < r->provider_count; i++) {
        const struct provider *p = r->providers[i].provider;
        struct listing_row *row = provider_serves(p, q->domain) ? listing_add(q) : NULL;
        if (!row)
            continue;
        row->cells[0] = arena_dup(&q->arena, p->name);
        row->cells[1] = arena_dup(&q->arena, p->profile->title ? p->profile->title : p->profile->name);
        row->cells[2] = *p->from ? arena_dup(&q->arena, p->from) : NULL;
        row->cells[3] = listing_number(q, r->providers[i].in_flight);
        row->cells[4] = arena_dup_or_null(&q->arena, r->providers[i].inbound_url);
        row->cells[5] = "on";
    }
    for (unsigned i = 0; i < r->off_count; i++) {
        const struct router_off *off = &r->off[i];
        struct listing_row *row = is_for(off->communities, q->domain) ? listing_add(q) : NULL;
        if (!row)
            continue;
        row->cells[0] = arena_dup(&q->arena, off->name);
        row->cells[5] = arena_dup(&q->arena, off->seen);
    }
    listing_end(q, NULL);
}

static void ask_providers(const struct listing *l, struct listing_query *q)
{
    bring(l, q, run_providers);
}

/* -- devices -- */

static const struct listing_column device_columns[] = {
    { "number", "Number" }, { "kind", "Device" }, { "address", "Address" }, { "state", "State" }, { "texts", "Shows" },
    { "quiet", "Quiet hours" }, { "label", "Label" }, { NULL, NULL },
};

static const char *device_state(const struct device *d)
{
    return d->damaged                               ? "cannot be read; remove it"
           : d->opted_out                           ? "stopped by STOP"
           : !d->verified_us                        ? "not verified"
           : d->failures >= DEVICE_FAILURES_MAX ? "refuses"
                                                    : "verified";
}

static bool look_devices(struct looking *k, struct store_tx *tx, struct error *e)
{
    struct listing_query *q = k->q;
    struct device_list list;
    if (!device_store_list(tx, q->key, &q->arena, &list, e))
        return false;
    for (unsigned i = 0; i < list.count; i++) {
        const struct device *d = &list.v[i];
        struct listing_row *row = listing_add(q);
        if (!row)
            break;
        const char *cells[] = {
            listing_number(q, (unsigned long long)d->n),
            device_kind_people(d->kind),
            d->address,
            device_state(d),
            d->full_text ? "whole texts" : "notices",
            or_null(device_quiet_text(&q->arena, &d->quiet)),
            or_null(d->label),
        };
        memcpy(row->cells, cells, sizeof cells);
    }
    return true;
}

static void run_devices(struct command *cmd)
{
    ask_of_person(container_of(cmd, struct listing_query, cmd), look_devices);
}

static void ask_devices(const struct listing *l, struct listing_query *q)
{
    bring(l, q, run_devices);
}

/* -- the plan -- */

static const struct listing_column plan_columns[] = { { "what", "What would happen" }, { NULL, NULL } };

/* "ACCOUNT PEER KIND URGENCY AT_US"; false: it is not that. */
static bool read_question(struct listing_query *q, struct reach_event *ev)
{
    const char *words[KEY_WORDS];
    uint64_t at_us;
    char *at = arena_dup(&q->arena, q->key ? q->key : "");
    for (unsigned i = 0; i < KEY_WORDS; i++) {
        words[i] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = '\0';
        if (!*words[i])
            return false;
    }
    if (!text_to_u64(words[4], &at_us) || at_us > INT64_MAX)
        return false;
    *ev = (struct reach_event){ .callee = words[0], .peer = words[1], .urgency = words[3], .at_us = (int64_t)at_us,
                                .kind = text_eq(words[2], "request") ? REACH_REQUEST : REACH_MESSAGE };
    return true;
}

static bool look_plan(struct looking *k, struct store_tx *tx, struct error *e)
{
    struct listing_query *q = k->q;
    struct reach_event ev;
    struct bytes words = BYTES_EMPTY;
    if (!read_question(q, &ev))
        return error_set(e, ERROR_INVALID, "ACCOUNT PEER KIND URGENCY AT_US");
    bool ok = planning_foresee(k->r, tx, &ev, &words, e);
    for (const char *at = bytes_text(&words); ok && *at;) {
        size_t len = strcspn(at, "\n");
        struct listing_row *row = listing_add(q);
        if (row)
            row->cells[0] = arena_dup_n(&q->arena, at, len);
        at += len + (at[len] != '\0');
    }
    bytes_fini(&words);
    return ok;
}

static void run_plan(struct command *cmd)
{
    ask_store(container_of(cmd, struct listing_query, cmd), look_plan);
}

static void ask_plan(const struct listing *l, struct listing_query *q)
{
    bring(l, q, run_plan);
}

/* -- rules -- */

static const struct listing_column rule_columns[] = {
    {"number", "Number"},   {"whom", "Whose messages"}, {"when", "When"},       {"steps", "What happens"},
    {"sender", "Sender"},   {"name", "Name"},           {"urgency", "Urgency"}, {"days", "Days"},
    {"hours", "Hours"},     {"zone", "Zone"},           {"devices1", "First"},  {"after1", "After"},
    {"devices2", "Second"}, {"after2", "After"},        {"devices3", "Third"},  {"after3", "After"},
    {"devices4", "Fourth"}, {"after4", "After"},        {NULL, NULL},
};
enum { RULE_PARTS = 10 }; /* columns before those of the steps */

typedef void rule_writer(const struct rule *r, struct bytes *out);

static const char *cell(struct listing_query *q, rule_writer *write, const struct rule *r)
{
    struct bytes text = BYTES_EMPTY;
    write(r, &text);
    const char *got = text.len ? arena_dup(&q->arena, bytes_text(&text)) : NULL;
    bytes_fini(&text);
    return got;
}

static void write_urgencies(const struct rule *r, struct bytes *out)
{
    for (unsigned u = PLANNER_LOW; u <= PLANNER_EMERGENCY; u++)
        if (r->urgencies & 1u << u)
            bytes_printf(out, "%s%s", out->len ? " " : "", planner_urgency_word((enum planner_urgency)u));
}

static void write_days(const struct rule *r, struct bytes *out)
{
    for (unsigned d = 0; d < RULE_DAYS; d++)
        if (r->days & 1u << d)
            bytes_printf(out, "%s%s", out->len ? " " : "", rule_text_day(d));
}

static const char *step_devices(struct listing_query *q, const struct rule_step *s)
{
    const char *all = "";
    for (unsigned k = 0; k < DEVICE_KIND_COUNT; k++)
        if (s->kinds & 1u << k)
            all = arena_printf(&q->arena, "%s%s%s", all, *all ? " " : "", rule_text_kind((enum device_kind)k));
    for (unsigned i = 0; i < s->device_count; i++)
        all = arena_printf(&q->arena, "%s%s%u", all, *all ? " " : "", s->devices[i]);
    return all;
}

static bool look_rules(struct looking *k, struct store_tx *tx, struct error *e)
{
    struct listing_query *q = k->q;
    struct rule_list *rules = arena_new(&q->arena, struct rule_list);
    if (!rule_store_list(tx, q->key, &q->arena, rules, e))
        return false;
    for (unsigned i = 0; i < rules->count; i++) {
        const struct rule *r = &rules->v[i];
        struct listing_row *row = listing_add(q);
        if (!row)
            break;
        if (r->damaged) { /* the parts of a form stay empty */
            row->cells[0] = listing_number(q, i + 1);
            row->cells[1] = "cannot be read any more";
            row->cells[2] = "never; none of your rules holds before it is removed";
            row->cells[3] = cell(q, rule_text_damaged, r);
            continue;
        }
        const char *cells[RULE_PARTS] = {
            listing_number(q, i + 1),    cell(q, rule_text_whom, r),
            cell(q, rule_text_when, r),  cell(q, rule_text_steps, r),
            rule_sender_word(r->sender), or_null(r->whom),
            cell(q, write_urgencies, r), cell(q, write_days, r),
            cell(q, rule_text_hours, r), or_null(r->zone),
        };
        memcpy(row->cells, cells, sizeof cells);
        for (unsigned s = 0; s < r->step_count; s++) {
            row->cells[RULE_PARTS + 2 * s] = step_devices(q, &r->steps[s]);
            row->cells[RULE_PARTS + 2 * s + 1] = listing_number(q, r->steps[s].delay_s / 60);
        }
    }
    return true;
}

static void run_rules(struct command *cmd)
{
    ask_of_person(container_of(cmd, struct listing_query, cmd), look_rules);
}

static void ask_rules(const struct listing *l, struct listing_query *q)
{
    bring(l, q, run_rules);
}

/* -- all of them -- */

struct listing contact_router_listing(struct contact_router *r, unsigned index)
{
    static const struct listing all[CONTACT_ROUTER_LISTINGS] = {
        { .name = "outbox", .columns = outbox_columns, .ask = ask_outbox },
        { .name = "providers", .columns = provider_columns, .ask = ask_providers },
        { .name = "devices", .columns = device_columns, .ask = ask_devices },
        { .name = "plan", .columns = plan_columns, .ask = ask_plan },
        { .name = "rules", .columns = rule_columns, .ask = ask_rules },
    };
    CHECK(index < CONTACT_ROUTER_LISTINGS);
    struct listing l = all[index];
    l.of = r;
    return l;
}
