/* SPDX-License-Identifier: MIT */
/* What an admin looks at: the community, streams with others, messaging sessions without a word of what was
 * said, the outbox without texts, providers. All of the admin's own community. */
#include "gateway/admin/adhoc_listing.h"
#include "gateway/admin/admin.h"
#include "gateway/base/mem.h"
#include "gateway/exchange/consent.h"
#include "gateway/exchange/reach_state.h"
#include "gateway/store/sessions.h"
#include "gateway/xmpp/datetime.h"

#define NS_OWN "urn:causeway:admin:1"
#define NODE(name) NS_OWN "#" name

/* ---- tables of the parts ---- */

static void run_communities(struct adhoc_call *c)
{
    adhoc_listing_show(c, "communities", adhoc_text(c, "remote"));
}

static void run_outbox(struct adhoc_call *c)
{
    adhoc_listing_show(c, "outbox", adhoc_text(c, "account"));
}

static void run_delivery(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "outbox", adhoc_text(c, "ref"), 1, adhoc_listing_show_one);
}

static void run_providers(struct adhoc_call *c)
{
    adhoc_listing_show(c, "providers", NULL);
}

/* ---- the community itself ---- */

static void run_community(struct adhoc_call *c)
{
    static const char *const strangers[] = {[STRANGERS_ASK] = "ask", [STRANGERS_DELIVER] = "deliver", [STRANGERS_REFUSE] = "refuse"};
    const struct community *own = exchange_community(adhoc_exchange(c), adhoc_domain(c));
    struct bytes admins = BYTES_EMPTY;
    for (const char *const *a = own->admins; a && *a; a++)
        bytes_printf(&admins, "%s%s", admins.len ? "\n" : "", *a);
    adhoc_result(c, FORM_TEXT_SINGLE, "domain", "Domain", own->domain);
    adhoc_result(c, FORM_TEXT_SINGLE, "version", "Causeway", CAUSEWAY_VERSION);
    adhoc_result(c, FORM_BOOLEAN, "archive", "Messages are archived", own->archive ? "1" : "0");
    adhoc_result(c, FORM_TEXT_SINGLE, "strangers", "Strangers", strangers[own->strangers]);
    adhoc_result_number(c, "held_max", "Messages that a request holds (0: the default)", own->held_max);
    adhoc_result_number(c, "request_ttl_s", "Seconds that a request waits (0: the default)", own->request_ttl_s);
    adhoc_result(c, FORM_JID_MULTI, "admins", "Admins by configuration", admins.len ? bytes_text(&admins) : NULL);
    bytes_fini(&admins);
    adhoc_finish(c);
}

/* ---- messaging sessions ---- */

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
    adhoc_row(c, (const char *[]){s->callee, s->peer, s->code,
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

static void run_sessions(struct adhoc_call *c)
{
    struct store *s = exchange_store(adhoc_exchange(c));
    struct sessions_job *j = mem_new(struct sessions_job);
    arena_init(&j->survey.arena);
    j->call = c;
    j->survey.domain = arena_dup(&j->survey.arena, adhoc_domain(c));
    j->survey.account = arena_dup(&j->survey.arena, adhoc_text(c, "account"));
    j->survey.limit = ADHOC_LISTING_ROWS + 1;
    j->job = (struct store_job){.reply_on = adhoc_loop(c), .run = run_survey, .done = on_survey, .must_see = store_ticket(s)};
    store_read(s, &j->job);
}

/* ---- the table ---- */

static const struct adhoc_field remote_fields[] = {
    {.type = FORM_TEXT_SINGLE, .var = "remote", .label = "Community", .hint = "empty: all"},
    {0},
};
static const struct adhoc_field account_fields[] = {
    {.type = FORM_JID_SINGLE, .var = "account", .label = "Account", .hint = "empty: all"},
    {0},
};
static const struct adhoc_field delivery_fields[] = {
    {.type = FORM_TEXT_SINGLE, .var = "ref", .label = "Delivery", .required = true, .max_bytes = 64},
    {0},
};
static const struct adhoc_stage communities_stages[] = {{.title = "Streams with other communities", .fields = remote_fields}};
static const struct adhoc_stage sessions_stages[] = {{.title = "Messaging sessions", .fields = account_fields}};
static const struct adhoc_stage outbox_stages[] = {{.title = "The outbox to devices", .fields = account_fields}};
static const struct adhoc_stage delivery_stages[] = {{.title = "One delivery", .fields = delivery_fields}};

#define COMMAND(node_, name_, stages_, run_) \
    {.node = NODE(node_), .name = name_, .who = ADHOC_ADMIN, .stages = stages_, .stage_count = 1, .run = run_}
const struct adhoc_command admin_tables[] = {
    {.node = NODE("community"), .name = "This community", .who = ADHOC_ADMIN, .run = run_community},
    COMMAND("communities", "Streams with other communities", communities_stages, run_communities),
    COMMAND("sessions", "Messaging sessions", sessions_stages, run_sessions),
    COMMAND("outbox", "The outbox to devices", outbox_stages, run_outbox),
    COMMAND("delivery", "One delivery", delivery_stages, run_delivery),
    {.node = NODE("providers"), .name = "Providers", .who = ADHOC_ADMIN, .run = run_providers},
    {0},
};
