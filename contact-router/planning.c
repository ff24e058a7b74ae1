/* SPDX-License-Identifier: MIT */
/* Events become deliveries: in one transaction the event is read, planned, its deliveries are
 * written and it is deleted. So a crash loses none and plans none twice. */
#include <string.h>

#include "contact-router/delivery.h"
#include "contact-router/router_internal.h"
#include "contact-router/situation.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"
#include "gateway/xmpp/bare.h"

enum {
    EVENTS_MAX = 64,
    TEXT_MAX = 2000,
    ZONE_READS_MAX = 16, /* then a batch ends early; one event looks for 30 at most */
};

struct planning {
    struct store_job job;
    struct contact_router *r;
    struct arena arena;
    struct zone_cache *zones;
    const char *callee; /* NULL: everybody's */
    const char *peer;   /* planning_stop: NULL: anybody */
    /* out */
    unsigned deliveries;
    bool more; /* events are left: plan again */
    struct delivery_news *news;
    struct bytes warnings; /* what the admin should know, a line each */
};

struct events {
    struct reach_event v[EVENTS_MAX];
    unsigned count;
};

static bool read_events(struct store_tx *tx, const char *callee, struct arena *a,
                        struct events *out, struct error *e)
{
    static const char sql[] =
        "select id, kind, callee, peer, code, seq, text, urgency, at_us from reach_events"
        " where $1 = '' or callee = $2 order by id limit $3";
    const char *whose = callee ? callee : "";
    out->count = 0;
    struct store_rows *r = store_query(tx, e, sql, "tti", whose, whose, (int64_t)EVENTS_MAX);
    while (r && store_next(r, e))
        out->v[out->count++] = (struct reach_event){
            .id = store_int(r, 0),
            .kind = (enum reach_kind)store_int(r, 1),
            .callee = arena_dup(a, store_text(r, 2)),
            .peer = arena_dup(a, store_text(r, 3)),
            .code = arena_dup(a, store_text(r, 4)),
            .seq = (uint64_t)store_int(r, 5),
            .text = arena_dup_or_null(a, store_text(r, 6)),
            .urgency = arena_dup_or_null(a, store_text(r, 7)),
            .at_us = store_int(r, 8),
        };
    return r && e->code == ERROR_NONE;
}

static bool look(struct planning *p, struct store_tx *tx, const struct reach_event *ev,
                 const struct contact_router_community *c, int64_t now_us, struct situation *s,
                 struct error *e)
{
    const struct situation_question q = {
        .r = p->r,
        .tx = tx,
        .arena = &p->arena,
        .zones = p->zones,
        .ev = ev,
        .community = c,
        .now_us = now_us,
    };
    return situation_read(&q, s, e);
}

/* What is kept of the text: only where it will be shown, and not more than a few text messages
 * hold. */
static const char *text_for(struct arena *a, const struct device *d, const struct reach_event *ev)
{
    if (!d->full_text || !ev->text || ev->kind != REACH_MESSAGE)
        return "";
    size_t len = strlen(ev->text);
    if (len <= TEXT_MAX)
        return ev->text;
    return arena_printf(a, "%.*s...", (int)utf8_cut(ev->text, len, TEXT_MAX), ev->text);
}

static bool write_step(struct planning *p, struct store_tx *tx, const struct reach_event *ev,
                       const struct contact_router_community *c, const struct situation *s,
                       const struct planner_step *step, struct error *e)
{
    const struct device *d = s->planned[step->device].device;
    const char *text = text_for(&p->arena, d, ev);
    bool is_message = ev->kind == REACH_MESSAGE;
    if (step->join)
        return outbox_store_join(tx, ev->callee, s->told[step->device].pending_ref, text,
                                 ev->text != NULL, ev->seq, e);
    const struct provider *sender = contact_router_sender(p->r, c->domain, d->kind);
    struct outbox_row row = {
        .d = { .state = OUTBOX_PLANNED, .due_us = step->due_us },
        .account = ev->callee,
        .n = d->n,
        .kind = d->kind,
        .address = d->address,
        .community = c->domain,
        .purpose = is_message ? OUTBOX_PURPOSE_MESSAGE : OUTBOX_PURPOSE_REQUEST,
        .peer = ev->peer,
        .peer_domain = bare_domain(ev->peer),
        .code = ev->code,
        .provider = sender ? sender->name : "",
        .step = step->step,
        .urgent = is_message && s->in.urgency >= PLANNER_HIGH,
        .texts = 1,
        .readable = ev->text != NULL,
        .text = text,
    };
    p->deliveries++;
    return outbox_store_insert(tx, &row, ev->seq, &p->arena, e);
}

/* -- when nothing is sent -- */

/* Since nothing can be, or since a limit is reached. A community without a budget has said so once,
 * in its configuration; a stranger learns nothing. */
static enum reach_progress outcome_of(enum budget_refusal r)
{
    switch (r) {
    case BUDGET_FITS:
    case BUDGET_NOT_SET:
    case BUDGET_STRANGER:
        return REACH_EXHAUSTED;
    case BUDGET_COMMUNITY:
        return REACH_OVER_BUDGET;
    case BUDGET_CONTACT:
    case BUDGET_DOMAIN:
        return REACH_OVER_LIMIT;
    }
    return REACH_EXHAUSTED;
}

static bool is_asked_for(const struct rule *r, const struct device *d)
{
    bool asked = rule_names_device(r, d->n);
    for (unsigned i = 0; i < r->step_count; i++)
        asked = asked || (r->steps[i].kinds & 1u << d->kind);
    return asked;
}

/* Nothing is tried, for the one device there is has refused too often. Of one that the person does
 * not want to be told by, who wrote learns nothing. */
static bool all_refuse(const struct situation *s)
{
    unsigned n = s->plan.rule;
    const struct rule *rule = n == PLANNER_NO_RULE ? NULL : &s->rules.v[n];
    for (unsigned i = 0; i < s->in.device_count; i++)
        if (s->plan.skip[i] == PLANNER_FAILING &&
            (!rule || is_asked_for(rule, s->planned[i].device)))
            return true;
    return false;
}

static void add_nothing_sent(struct planning *p, const struct reach_event *ev,
                             const struct situation *s)
{
    enum budget_refusal refusal = s->plan.refusal;
    bool refused = refusal == BUDGET_FITS && all_refuse(s);
    struct delivery_news *n = arena_new(&p->arena, struct delivery_news);
    *n = (struct delivery_news){
        .next = p->news,
        .account = ev->callee,
        .peer = ev->peer,
        .device = "device",
        .seq = ev->seq,
        .progress = refused ? REACH_FAILED : outcome_of(refusal),
    };
    p->news = n;
}

/* -- what the admin should know -- */

/* Once a batch, however many write to that person. */
static void warn_once(struct planning *p, const char *line)
{
    if (!strstr(bytes_text(&p->warnings), line))
        bytes_append_text(&p->warnings, line);
}

static void warn_of_device(struct planning *p, const char *callee, const struct device *d)
{
    long long n = (long long)d->n;
    warn_once(p, arena_printf(&p->arena,
                              "device %lld of %s cannot be read and is not used: let them write"
                              " \"remove %lld\" to %s, and list it again\n",
                              n, callee, n, bare_domain(callee)));
}

static void warn_of_rule(struct planning *p, const char *callee, unsigned rule)
{
    warn_once(p, arena_printf(&p->arena,
                              "rule %u of %s cannot be read, so none of their rules holds, but the"
                              " default: let them write \"remove rule %u\" to %s, and the rule"
                              " again; \"rules\" shows what is left of it\n",
                              rule, callee, rule, bare_domain(callee)));
}

static void warn_of(struct planning *p, const struct reach_event *ev, const struct situation *s)
{
    enum budget_refusal refusal = s->plan.refusal;
    for (unsigned i = 0; i < s->devices.count; i++)
        if (s->devices.v[i].damaged)
            warn_of_device(p, ev->callee, &s->devices.v[i]);
    if (s->damaged)
        warn_of_rule(p, ev->callee, s->damaged);
    if (refusal != BUDGET_FITS && refusal != BUDGET_NOT_SET)
        bytes_printf(&p->warnings, "a budget is full: %s about %s: %s\n", ev->callee, ev->peer,
                     budget_words(refusal));
}

/* -- an event -- */

static bool plan_event(struct planning *p, struct store_tx *tx, const struct reach_event *ev,
                       struct error *e)
{
    const struct contact_router_community *c =
        contact_router_community(p->r, bare_domain(ev->callee));
    struct situation *s = arena_new(&p->arena, struct situation);
    if (c && !look(p, tx, ev, c, store_now_us(tx), s, e))
        return false;
    if (c)
        planner_plan(&s->in, &s->plan);
    for (unsigned i = 0; i < s->plan.count; i++)
        if (!write_step(p, tx, ev, c, s, &s->plan.steps[i], e))
            return false;
    if (!s->plan.count)
        add_nothing_sent(p, ev, s);
    warn_of(p, ev, s);
    return store_exec(tx, e, "delete from reach_events where id = $1", "i", ev->id);
}

static bool planning_job(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct planning *p = container_of(job, struct planning, job);
    struct events *events = arena_new(&p->arena, struct events);
    p->deliveries = 0;
    p->news = NULL;
    bytes_clear(&p->warnings);
    bool ok = read_events(tx, p->callee, &p->arena, events, e);
    unsigned i = 0, reads = p->zones->reads;
    for (; ok && i < events->count && p->zones->reads - reads < ZONE_READS_MAX; i++)
        ok = plan_event(p, tx, &events->v[i], e);
    p->more = i < events->count || events->count == EVENTS_MAX;
    return ok;
}

static void log_warnings(struct planning *p)
{
    for (const char *at = bytes_text(&p->warnings); *at;) {
        size_t len = strcspn(at, "\n");
        log_warn(NULL, "%.*s", (int)len, at);
        at += len + 1;
    }
}

static void planning_done(struct store_job *job, const struct error *e)
{
    struct planning *p = container_of(job, struct planning, job);
    struct contact_router *r = p->r;
    r->jobs--;
    if (e->code != ERROR_NONE) {
        log_error(NULL, "events could not be planned; they wait for the next: %s", e->text);
    } else {
        log_warnings(p);
        delivery_tell(r, p->news);
        if (p->deliveries)
            worker_kick(r);
        if (p->more && r->running)
            planning_run(r, p->callee);
    }
    bytes_fini(&p->warnings);
    arena_fini(&p->arena);
    mem_free(p);
}

static struct planning *begin(struct contact_router *r, const char *callee)
{
    struct planning *p = mem_new(struct planning);
    arena_init(&p->arena);
    p->r = r;
    p->zones = &r->zones;
    p->callee = arena_dup_or_null(&p->arena, callee);
    p->job = (struct store_job){ .reply_on = r->loop, .run = planning_job, .done = planning_done };
    r->jobs++;
    return p;
}

void planning_run(struct contact_router *r, const char *callee)
{
    store_write(r->store, &begin(r, callee)->job);
}

/* -- stop: the person logged on, read or answered -- */

static bool stop_job(struct store_tx *tx, struct store_job *job, struct error *e)
{
    static const char sql[] =
        "delete from reach_events where callee = $1 and ($2 = '' or peer = $3)";
    static const struct delivery_word stopped = {
        .event = OUTBOX_STOPPED, .reason = "not needed any more"
    };
    struct planning *p = container_of(job, struct planning, job);
    struct outbox_about about = { .account = p->callee, .peer = p->peer };
    struct delivery_batch batch = { p->r, tx, &p->arena, NULL };
    struct outbox_rows rows;
    const char *peer = p->peer ? p->peer : "";
    bool ok = store_exec(tx, e, sql, "ttt", p->callee, peer, peer) &&
              outbox_query_waiting(tx, &about, &p->arena, &rows, e);
    for (unsigned i = 0; ok && i < rows.count; i++)
        ok = delivery_step(&batch, &rows.v[i], &stopped, e);
    p->news = batch.news;
    return ok;
}

void planning_stop(struct contact_router *r, const char *callee, const char *peer)
{
    struct planning *p = begin(r, callee);
    p->peer = arena_dup_or_null(&p->arena, peer);
    p->job.run = stop_job;
    store_write(r->store, &p->job);
}

/* -- what would happen if -- */

static void say_plan(struct situation *s, struct bytes *words)
{
    planner_plan(&s->in, &s->plan);
    if (s->damaged)
        bytes_printf(words,
                     "your rule %u cannot be read any more, so the community's default decides;"
                     " \"remove rule %u\" mends that\n",
                     s->damaged, s->damaged);
    else
        planner_why(&s->in, &s->plan, words);
    planner_words(&s->in, &s->plan, words);
}

bool planning_foresee(struct contact_router *r, struct store_tx *tx, const struct reach_event *ev,
                      struct bytes *words, struct error *e)
{
    const struct contact_router_community *c = contact_router_community(r, bare_domain(ev->callee));
    struct zone_cache zones; /* the router's belongs to the writing thread; this is a reading one */
    struct planning p = { .r = r, .zones = &zones };
    if (!c)
        return true;
    zone_cache_init(&zones, r->zone_dir);
    arena_init(&p.arena);
    struct situation *s = arena_new(&p.arena, struct situation);
    bool ok = look(&p, tx, ev, c, ev->at_us ? ev->at_us : store_now_us(tx), s, e);
    if (ok)
        say_plan(s, words);
    arena_fini(&p.arena);
    zone_cache_fini(&zones);
    return ok;
}
