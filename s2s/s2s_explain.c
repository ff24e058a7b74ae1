/* SPDX-License-Identifier: MIT */
/* Decided here: what is said of a way, and in which order the steps of its last attempt are told. A listing
 * ("federation"; key: the other domain): for each direction the steps, and the verdict as a row whose step is
 * "verdict". Gathered by one walk over the shards; of attempts on several of them the newest. */
#include "s2s/s2s_explain.h"

#include <string.h>

#include "gateway/base/text.h"
#include "gateway/xmpp/datetime.h"
#include "s2s/s2s_internal.h"

/* ---- one way ---- */

static const char *const verdict_names[] = {[S2S_UNTRIED] = "not tried", [S2S_TRYING] = "trying", [S2S_OPEN] = "open",
                                            [S2S_RESTS] = "rests", [S2S_FAILED] = "failed"};

const char *s2s_explain_verdict_name(enum s2s_verdict v)
{
    return verdict_names[v];
}

static const char *time_text(struct arena *a, int64_t unix_us)
{
    char text[DATETIME_MAX];
    datetime_write_second(text, unix_us);
    return arena_dup(a, text);
}

static const char *way_text(const struct s2s_trace_row *row, struct arena *a)
{
    return row->direction == S2S_OUT ? arena_printf(a, "The way out from %s to %s", row->local, row->remote)
                                     : arena_printf(a, "The way in from %s to %s", row->remote, row->local);
}

static void explain_fault(const struct s2s_trace_row *row, const struct s2s_trail_step *fault, struct arena *a,
                          struct s2s_explanation *out)
{
    struct bytes advice = BYTES_EMPTY;
    const char *since = row->last_well_us ? arena_printf(a, " It was open until %s.", time_text(a, row->last_well_us))
                                          : "";
    out->verdict = S2S_FAILED;
    out->text = arena_printf(a, "%s is not open: %s (%s), %s: %s.%s", way_text(row, a), s2s_reason_name(fault->why),
                             s2s_trail_step_name(fault->step), time_text(a, fault->at_us), fault->text, since);
    s2s_reason_advice(fault->why, row->local, row->remote, &advice);
    out->advice = arena_dup(a, bytes_text(&advice));
    bytes_fini(&advice);
}

void s2s_explain_way(const struct s2s_trace_row *row, struct arena *a, struct s2s_explanation *out)
{
    struct s2s_trail_look look = {0};
    const char *way = way_text(row, a);
    *out = (struct s2s_explanation){.verdict = S2S_UNTRIED};
    if (row->trail)
        s2s_trail_look(row->trail, &look);
    if (!row->trail) {
        out->text = arena_printf(a, row->direction == S2S_OUT
                                        ? "%s was not tried lately: there was nothing to send."
                                        : "%s was not tried lately: nobody called from there.", way);
    } else if (look.well_us) {
        out->verdict = S2S_OPEN;
        out->text = arena_printf(a, "%s is open since %s.", way, time_text(a, look.well_us));
    } else if (look.fault) {
        explain_fault(row, look.fault, a, out);
    } else if (look.last_well_us) {
        out->verdict = S2S_RESTS;
        out->text = arena_printf(a, "%s was open until %s and rests: the next stanza opens it.", way,
                                 time_text(a, look.last_well_us));
    } else {
        const struct s2s_trail_step *last = look.count ? &look.steps[look.count - 1] : NULL;
        out->verdict = S2S_TRYING;
        out->text = arena_printf(a, "%s is being tried since %s; so far: %s%s%s.", way, time_text(a, look.begun_us),
                                 last ? s2s_trail_step_name(last->step) : "nothing", last ? ": " : "",
                                 last ? last->text : "");
    }
}

/* ---- the listing ---- */

static const struct listing_column columns[] = {
    {"direction", "Direction"}, {"at", "When"},  {"step", "Step"}, {"result", "Result"},
    {"text", "What"},           {"advice", "What to do"}, {NULL, NULL},
};

/* What is known of one direction, in the query's arena. */
struct told {
    int64_t begun_us; /* 0: nothing */
    struct listing_row *first, *last;
};

struct walk {
    struct s2s *s2s;
    struct listing_query *q;
    unsigned shard;
    char *remote;
    struct told out, in;
};

static struct listing_row *tell(struct walk *w, struct told *t, enum s2s_direction d, const char *step)
{
    struct listing_row *row = arena_new(&w->q->arena, struct listing_row);
    if (t->last)
        t->last->next = row;
    else
        t->first = row;
    t->last = row;
    row->cells[0] = d == S2S_OUT ? "out" : "in";
    row->cells[2] = step;
    return row;
}

static void tell_step(struct walk *w, struct told *t, enum s2s_direction d, const struct s2s_trail_step *st)
{
    struct listing_row *row = tell(w, t, d, s2s_trail_step_name(st->step));
    row->cells[1] = time_text(&w->q->arena, st->at_us);
    row->cells[3] = st->why == S2S_WHY_NONE ? "ok" : s2s_reason_name(st->why);
    row->cells[4] = arena_dup(&w->q->arena, st->text);
}

static void tell_verdict(struct walk *w, struct told *t, const struct s2s_trace_row *of)
{
    struct s2s_explanation x;
    struct listing_row *row = tell(w, t, of->direction, "verdict");
    s2s_explain_way(of, &w->q->arena, &x);
    row->cells[3] = s2s_explain_verdict_name(x.verdict);
    row->cells[4] = x.text;
    row->cells[5] = x.advice;
}

/* Who calls a domain that nobody serves has mistaken whose? Every admin may see that. */
static bool concerns(const struct walk *w, const char *local)
{
    return text_eq(local, w->q->domain) || !exchange_is_local_domain(w->s2s->o.exchange, local);
}

static void on_row(void *user, const struct s2s_trace_row *row)
{
    struct walk *w = user;
    struct told *t = row->direction == S2S_OUT ? &w->out : &w->in;
    struct s2s_trail_look look;
    s2s_trail_look(row->trail, &look);
    if (!concerns(w, row->local) || look.begun_us < t->begun_us)
        return;
    *t = (struct told){.begun_us = look.begun_us};
    for (unsigned i = 0; i < look.count; i++) {
        if (look.skipped && i == look.count / 2)
            tell(w, t, row->direction, "...")->cells[4] = "steps left out";
        tell_step(w, t, row->direction, &look.steps[i]);
    }
    tell_verdict(w, t, row);
}

static void give(struct walk *w, struct told *t, enum s2s_direction d)
{
    if (!t->first)
        tell_verdict(w, t, &(struct s2s_trace_row){.direction = d, .local = w->q->domain, .remote = w->remote});
    for (const struct listing_row *r = t->first; r; r = r->next) {
        struct listing_row *row = listing_add(w->q);
        if (row)
            memcpy(row->cells, r->cells, sizeof row->cells);
    }
}

static void walk_shard(struct command *cmd)
{
    struct listing_query *q = container_of(cmd, struct listing_query, cmd);
    struct walk *w = q->giver;
    s2s_trace_each(&w->s2s->shards[w->shard].trace, w->remote, on_row, w);
    if (++w->shard < w->s2s->o.loop_count) {
        loop_post(w->s2s->shards[w->shard].loop, &q->cmd);
        return;
    }
    give(w, &w->out, S2S_OUT);
    give(w, &w->in, S2S_IN);
    listing_end(q, NULL);
}

static void ask(const struct listing *l, struct listing_query *q)
{
    struct walk *w = arena_new(&q->arena, struct walk);
    const struct jid *remote = q->key ? jid_parse_text(&q->arena, q->key) : NULL;
    *w = (struct walk){.s2s = l->of, .q = q, .remote = arena_dup(&q->arena, remote ? remote->domain : "")};
    q->giver = w;
    q->cmd.run = walk_shard;
    loop_post(w->s2s->shards[0].loop, &q->cmd);
}

struct listing s2s_explain(struct s2s *s)
{
    return (struct listing){.name = "federation", .columns = columns, .ask = ask, .of = s};
}
