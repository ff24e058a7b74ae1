/* SPDX-License-Identifier: MIT */
/* Messaging sessions as rows. What a state means is decided in gateway/exchange (consent.h,
 * reach_state.h); here it is a number. Every put replaces the whole row, so that a job that runs a
 * second time writes the same. */
#include "gateway/store/sessions.h"

#include <stdint.h>

#include "gateway/base/map.h"
#include "gateway/store/blocks.h"
#include "gateway/xmpp/bare.h"

enum { ROWS_FIRST = 16 };

/* A receipt that no device has confirmed by then is not owed any more. */
#define RECEIPT_LIFE_US (INT64_C(30) * 24 * 3600 * 1000000)

/* An array in an arena that doubles; what it leaves behind goes with the arena. */
static void *grown(struct arena *a, void *old, unsigned count, unsigned *cap, size_t size)
{
    if (count < *cap)
        return old;
    *cap = *cap ? *cap * 2 : ROWS_FIRST;
    char *more = arena_alloc(a, *cap * size);
    for (size_t i = 0; i < count * size; i++)
        more[i] = ((const char *)old)[i];
    return more;
}

static const char *kept_text(struct arena *a, struct store_rows *r, int column)
{
    return arena_dup_or_null(a, store_text(r, column));
}

/* ---- one callee ---- */

static void read_consent(struct arena *a, struct store_rows *r, struct consent_row *row)
{
    row->peer = kept_text(a, r, 0);
    row->state = store_int(r, 1);
    row->number = store_int(r, 2);
    row->held = store_int(r, 3);
    row->told = store_int(r, 4);
    row->prompted = store_int(r, 5);
    row->openly = store_int(r, 6);
    row->nobody = store_int(r, 7);
    row->expires_us = store_int(r, 8);
    row->changed_us = store_int(r, 9);
    row->asker = kept_text(a, r, 10);
    row->asked = kept_text(a, r, 11);
    row->lang = kept_text(a, r, 12);
    row->excerpt = kept_text(a, r, 13);
}

static bool load_consents(struct store_tx *tx, struct sessions_load *l, struct error *e)
{
    struct store_rows *r = store_query(
        tx, e,
        "select peer, state, number, held, told, prompted, openly, nobody, expires_us, changed_us, "
        "asker, asked, lang, excerpt from consent where callee = $1 order by number",
        "t", l->callee);
    if (!r)
        return false;
    unsigned cap = 0;
    l->consent_count = 0;
    while (store_next(r, e)) {
        l->consents = grown(&l->arena, l->consents, l->consent_count, &cap, sizeof *l->consents);
        read_consent(&l->arena, r, &l->consents[l->consent_count++]);
    }
    return e->code == ERROR_NONE;
}

static bool load_sessions(struct store_tx *tx, struct sessions_load *l, struct error *e)
{
    struct store_rows *r = store_query(
        tx, e, "select peer, code, reach, encrypted, lang, changed_us from session where callee = $1 order by peer",
        "t", l->callee);
    if (!r)
        return false;
    unsigned cap = 0;
    l->session_count = 0;
    while (store_next(r, e)) {
        l->sessions = grown(&l->arena, l->sessions, l->session_count, &cap, sizeof *l->sessions);
        struct session_row *row = &l->sessions[l->session_count++];
        row->peer = kept_text(&l->arena, r, 0);
        row->code = kept_text(&l->arena, r, 1);
        row->reach = store_int(r, 2);
        row->encrypted = store_int(r, 3);
        row->lang = kept_text(&l->arena, r, 4);
        row->changed_us = store_int(r, 5);
    }
    return e->code == ERROR_NONE;
}

static bool load_prefs(struct store_tx *tx, struct sessions_load *l, struct error *e)
{
    l->prefs = (struct session_prefs){.strangers = -1, .tell = 1};
    struct store_rows *r =
        store_query(tx, e, "select strangers, tell from session_prefs where callee = $1", "t", l->callee);
    if (!r)
        return false;
    while (store_next(r, e)) {
        l->prefs.strangers = store_int(r, 0);
        l->prefs.tell = store_int(r, 1);
    }
    return e->code == ERROR_NONE;
}

static bool load_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct sessions_load *l = container_of(job, struct sessions_load, job);
    return load_consents(tx, l, e) && load_sessions(tx, l, e) && load_prefs(tx, l, e) &&
           blocks_read(tx, l->callee, &l->arena, &l->blocked, &l->blocked_count, e);
}

void sessions_load(struct store *s, struct sessions_load *l)
{
    l->job.run = load_run;
    store_read(s, &l->job);
}

bool sessions_put_consent(struct store_tx *tx, const char *callee, const struct consent_row *row,
                          struct error *e)
{
    return store_exec(
        tx, e,
        "insert into consent (callee, peer, state, number, held, told, prompted, openly, nobody, "
        "expires_us, changed_us, asker, asked, lang, excerpt) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) "
        "on conflict (callee, peer) do update set state = excluded.state, number = excluded.number, "
        "held = excluded.held, told = excluded.told, prompted = excluded.prompted, "
        "openly = excluded.openly, nobody = excluded.nobody, expires_us = excluded.expires_us, "
        "changed_us = excluded.changed_us, asker = excluded.asker, asked = excluded.asked, "
        "lang = excluded.lang, excerpt = excluded.excerpt",
        "ttiiiiiiiiitttt", callee, row->peer, row->state, row->number, row->held, row->told, row->prompted,
        row->openly, row->nobody, row->expires_us, row->changed_us, row->asker, row->asked, row->lang,
        row->excerpt);
}

bool sessions_drop_consent(struct store_tx *tx, const char *callee, const char *peer, struct error *e)
{
    return store_exec(tx, e, "delete from consent where callee = $1 and peer = $2", "tt", callee, peer);
}

bool sessions_put(struct store_tx *tx, const char *callee, const struct session_row *row, struct error *e)
{
    return store_exec(tx, e,
                      "insert into session (callee, peer, code, reach, encrypted, lang, changed_us) "
                      "values ($1, $2, $3, $4, $5, $6, $7) on conflict (callee, peer) do update set "
                      "code = excluded.code, reach = excluded.reach, encrypted = excluded.encrypted, "
                      "lang = excluded.lang, changed_us = excluded.changed_us",
                      "tttiiti", callee, row->peer, row->code, row->reach, row->encrypted, row->lang,
                      row->changed_us);
}

bool sessions_put_prefs(struct store_tx *tx, const char *callee, const struct session_prefs *p,
                        struct error *e)
{
    return store_exec(tx, e,
                      "insert into session_prefs (callee, strangers, tell) values ($1, $2, $3) "
                      "on conflict (callee) do update set strangers = excluded.strangers, "
                      "tell = excluded.tell",
                      "tii", callee, p->strangers, p->tell);
}

bool sessions_account_gone(struct store_tx *tx, const char *callee, struct error *e)
{
    return store_exec(tx, e, "delete from consent where callee = $1 and expires_us = 0", "t", callee) &&
           store_exec(tx, e, "update consent set nobody = 1, prompted = 1 where callee = $1", "t", callee) &&
           store_exec(tx, e, "delete from session where callee = $1", "t", callee) &&
           store_exec(tx, e, "delete from session_prefs where callee = $1", "t", callee) &&
           store_exec(tx, e, "delete from reach_events where callee = $1", "t", callee) &&
           store_exec(tx, e, "delete from session_receipt where callee = $1", "t", callee);
}

/* ---- the sweep ---- */

static bool due_rows(struct store_tx *tx, struct sessions_due *d, struct error *e)
{
    const char *after = d->after ? d->after : "";
    int64_t limit = d->limit;
    struct store_rows *r =
        d->untold ? store_query(tx, e,
                                "select distinct callee from consent where expires_us > 0 and "
                                "(told = 0 or prompted = 0) and callee > $1 order by callee limit $2",
                                "ti", after, limit)
                  : store_query(tx, e,
                                "select distinct callee from consent where expires_us > 0 and "
                                "expires_us <= $1 and callee > $2 order by callee limit $3",
                                "iti", d->now_us, after, limit);
    if (!r)
        return false;
    unsigned cap = 0;
    d->count = 0;
    while (store_next(r, e)) {
        d->callees = grown(&d->arena, (void *)d->callees, d->count, &cap, sizeof *d->callees);
        d->callees[d->count++] = kept_text(&d->arena, r, 0);
    }
    return e->code == ERROR_NONE;
}

static bool held_rows(struct store_tx *tx, struct sessions_due *d, struct map *places, struct error *e)
{
    struct store_rows *r = store_query(tx, e, "select peer, held from consent where expires_us > 0", "");
    if (!r)
        return false;
    unsigned cap = 0;
    while (store_next(r, e)) {
        const char *domain = bare_domain(store_text(r, 0));
        uintptr_t place = (uintptr_t)map_get(places, domain); /* one above the index */
        if (!place) {
            d->held = grown(&d->arena, d->held, d->held_count, &cap, sizeof *d->held);
            d->held[d->held_count] = (struct sessions_held){.domain = arena_dup(&d->arena, domain)};
            place = ++d->held_count;
            map_put(places, d->held[place - 1].domain, (void *)place);
        }
        d->held[place - 1].held += store_int(r, 1);
    }
    return e->code == ERROR_NONE;
}

static bool due_held(struct store_tx *tx, struct sessions_due *d, struct error *e)
{
    struct map places = MAP_EMPTY;
    d->held = NULL;
    d->held_count = 0;
    bool ok = !d->counts || held_rows(tx, d, &places, e);
    map_fini(&places);
    return ok;
}

static bool due_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct sessions_due *d = container_of(job, struct sessions_due, job);
    return due_rows(tx, d, e) && due_held(tx, d, e);
}

void sessions_due(struct store *s, struct sessions_due *d)
{
    d->job.run = due_run;
    store_read(s, &d->job);
}

/* ---- reaching ---- */

bool sessions_put_event(struct store_tx *tx, struct reach_event *ev, struct error *e)
{
    if (!store_exec(tx, e, "update reach_event_count set last = last + 1", "") ||
        !store_exec(tx, e,
                    "insert into reach_events (id, kind, callee, peer, code, seq, text, urgency, at_us) "
                    "select last, cast($1 as bigint), $2, $3, $4, cast($5 as bigint), $6, $7, "
                    "cast($8 as bigint) from reach_event_count where true "
                    "on conflict (callee, seq) do nothing",
                    "itttitti", (int64_t)ev->kind, ev->callee, ev->peer, ev->code, (int64_t)ev->seq,
                    ev->text, ev->urgency, ev->at_us))
        return false;
    struct store_rows *r = store_query(tx, e, "select id from reach_events where callee = $1 and seq = $2",
                                       "ti", ev->callee, (int64_t)ev->seq);
    if (!r)
        return false;
    while (store_next(r, e))
        ev->id = store_int(r, 0);
    return e->code == ERROR_NONE;
}

bool sessions_put_receipt(struct store_tx *tx, const char *callee, uint64_t seq, const char *to,
                          const char *id, struct error *e)
{
    return store_exec(tx, e, "delete from session_receipt where callee = $1 and at_us < $2", "ti", callee,
                      store_now_us(tx) - RECEIPT_LIFE_US) &&
           store_exec(tx, e,
                      "insert into session_receipt (callee, seq, recipient, id, at_us) "
                      "values ($1, $2, $3, $4, $5) on conflict (callee, seq) do nothing",
                      "titti", callee, (int64_t)seq, to, id, store_now_us(tx));
}

bool sessions_take_receipt(struct store_tx *tx, const char *callee, uint64_t seq, struct arena *a,
                           const char **to, const char **id, struct error *e)
{
    *to = *id = NULL;
    struct store_rows *r =
        store_query(tx, e, "select recipient, id from session_receipt where callee = $1 and seq = $2", "ti",
                    callee, (int64_t)seq);
    if (!r)
        return false;
    while (store_next(r, e)) {
        *to = kept_text(a, r, 0);
        *id = kept_text(a, r, 1);
    }
    if (e->code != ERROR_NONE)
        return false;
    return store_exec(tx, e, "delete from session_receipt where callee = $1 and seq = $2", "ti", callee,
                      (int64_t)seq);
}

/* ---- for an admin ---- */

static void read_seen(struct arena *a, struct store_rows *r, struct sessions_seen *out)
{
    *out = (struct sessions_seen){.callee = kept_text(a, r, 0),
                                  .peer = kept_text(a, r, 1),
                                  .code = kept_text(a, r, 2),
                                  .reach = store_is_null(r, 3) ? -1 : store_int(r, 3),
                                  .consent = store_is_null(r, 4) ? -1 : store_int(r, 4),
                                  .held = store_is_null(r, 5) ? 0 : store_int(r, 5),
                                  .changed_us = store_int(r, 6)};
}

bool sessions_survey(struct store_tx *tx, struct sessions_survey *s, struct error *e)
{
    struct store_rows *r = store_query(
        tx, e,
        "select s.callee, s.peer, s.code, s.reach, c.state, c.held, s.changed_us from session s"
        " join accounts a on a.bare = s.callee"
        " left join consent c on c.callee = s.callee and c.peer = s.peer"
        " where a.domain = $1 and ($2 = '' or s.callee = $3)"
        " union all select c.callee, c.peer, null, null, c.state, c.held, c.changed_us from consent c"
        " join accounts a on a.bare = c.callee"
        " where a.domain = $4 and ($5 = '' or c.callee = $6)"
        " and not exists (select 1 from session s where s.callee = c.callee and s.peer = c.peer)"
        " order by 7 desc, 1, 2 limit $7",
        "tttttti", s->domain, s->account, s->account, s->domain, s->account, s->account, (int64_t)s->limit);
    unsigned cap = 0;
    s->count = 0;
    while (r && store_next(r, e)) {
        s->seen = grown(&s->arena, s->seen, s->count, &cap, sizeof *s->seen);
        read_seen(&s->arena, r, &s->seen[s->count++]);
    }
    return r && e->code == ERROR_NONE;
}
