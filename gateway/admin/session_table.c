/* SPDX-License-Identifier: MIT */
/* See session_table.h. Asked of the store, not of people in memory: all of a community's are there. */
#include "gateway/admin/session_table.h"

#include "gateway/admin/adhoc_listing.h"
#include "gateway/base/mem.h"
#include "gateway/exchange/consent.h"
#include "gateway/exchange/reach_state.h"
#include "gateway/store/sessions.h"
#include "gateway/xmpp/datetime.h"

static const struct listing_column columns[] = {
    {"account", "Account"}, {"peer", "With"}, {"code", "Code"}, {"reach", "Reach"}, {"consent", "Consent"},
    {"held", "Held messages"}, {"changed", "Changed"}, {NULL, NULL},
};

struct sessions_job {
    struct store_job job;
    struct adhoc_call *call;
    struct sessions_survey survey;
};

static bool run_survey(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct sessions_job *j = container_of(job, struct sessions_job, job);
    return sessions_survey(tx, &j->survey, e);
}

static void add_session(struct adhoc_call *c, const struct sessions_seen *s)
{
    struct arena *a = adhoc_arena(c);
    char changed[DATETIME_MAX];
    datetime_write(changed, s->changed_us);
    adhoc_row(
        c, (const char *[]){s->callee, s->peer, s->code,
                            reach_state_known(s->reach) ? reach_state_name((enum reach_state)s->reach) : NULL,
                            consent_state_known(s->consent) ? consent_state_name((enum consent_state)s->consent) : NULL,
                            arena_printf(a, "%lld", (long long)s->held), changed});
}

static void on_survey(struct store_job *job, const struct error *e)
{
    struct sessions_job *j = container_of(job, struct sessions_job, job);
    struct adhoc_call *c = j->call;
    if (e->code == ERROR_NONE) {
        adhoc_columns(c, columns);
        for (unsigned i = 0; i < j->survey.count && i < ADHOC_LISTING_ROWS; i++)
            add_session(c, &j->survey.seen[i]);
        if (j->survey.count > ADHOC_LISTING_ROWS)
            adhoc_warn(c, "There are more; these are the %d that changed last.", ADHOC_LISTING_ROWS);
        else if (!j->survey.count)
            adhoc_note(c, "There are none.");
        adhoc_finish(c);
    } else {
        adhoc_refuse(c, STANZA_RESOURCE_CONSTRAINT, "%s", e->text);
    }
    arena_fini(&j->survey.arena);
    mem_free(j);
}

void session_table_show(struct adhoc_call *c, const char *account)
{
    struct store *s = exchange_store(adhoc_exchange(c));
    struct sessions_job *j = mem_new(struct sessions_job);
    arena_init(&j->survey.arena);
    j->call = c;
    j->survey.domain = arena_dup(&j->survey.arena, adhoc_domain(c));
    j->survey.account = arena_dup(&j->survey.arena, account);
    j->survey.limit = ADHOC_LISTING_ROWS + 1;
    j->job = (struct store_job){
        .reply_on = adhoc_loop(c), .run = run_survey, .done = on_survey, .must_see = store_ticket(s)};
    store_read(s, &j->job);
}
