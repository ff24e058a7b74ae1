/* SPDX-License-Identifier: MIT */
/* What an admin looks at: the community, streams with others, messaging sessions without a word of what was
 * said, the outbox without texts, providers, what people report of whom they block. All of the admin's own community.
 */
#include "gateway/admin/adhoc_listing.h"
#include "gateway/admin/admin.h"
#include "gateway/admin/report_table.h"
#include "gateway/admin/session_table.h"
#include "gateway/base/text.h"

#define NS_OWN "urn:causeway:admin:1"
#define NODE(name) NS_OWN "#" name

/* ---- tables of the parts ---- */

static void run_communities(struct adhoc_call *c)
{
    adhoc_listing_show(c, "communities", adhoc_text(c, "remote"));
}

/* Verdicts are sentences, the steps a table: clients show both. */
static void explain(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    adhoc_columns(c, l->columns);
    for (const struct listing_row *r = q->first; r; r = r->next) {
        const char *text = adhoc_listing_cell(l, r, "text"), *advice = adhoc_listing_cell(l, r, "advice");
        if (!text_eq(adhoc_listing_cell(l, r, "step"), "verdict"))
            adhoc_row(c, r->cells);
        else if (*advice)
            adhoc_warn(c, "%s %s", text, advice);
        else
            adhoc_note(c, "%s", text);
    }
    adhoc_finish(c);
}

static void run_explain(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "federation", adhoc_text(c, "remote"), ADHOC_LISTING_ROWS, explain);
}

static void run_outbox(struct adhoc_call *c)
{
    adhoc_listing_show(c, "outbox", adhoc_text(c, "account"));
}

static void run_delivery(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "outbox", adhoc_text(c, "ref"), 1, adhoc_listing_show_one);
}

static void on_retried(void *user, enum stanza_error refused, const char *text)
{
    struct adhoc_call *c = user;
    if (refused != STANZA_OK) {
        adhoc_refuse(c, refused, "%s", text);
        return;
    }
    adhoc_note(c, "%s", text);
    adhoc_finish(c);
}

static void run_retry(struct adhoc_call *c)
{
    struct reach *r = exchange_reach(adhoc_exchange(c));
    if (r)
        r->ops->retry(r, adhoc_domain(c), adhoc_text(c, "ref"), on_retried, c);
    else
        adhoc_refuse(c, STANZA_FEATURE_NOT_IMPLEMENTED, "devices are not available here");
}

static void run_providers(struct adhoc_call *c)
{
    adhoc_listing_show(c, "providers", NULL);
}

/* ---- the community itself ---- */

static void run_community(struct adhoc_call *c)
{
    static const char *const strangers[] = {
        [STRANGERS_ASK] = "ask", [STRANGERS_DELIVER] = "deliver", [STRANGERS_REFUSE] = "refuse"};
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

static void run_sessions(struct adhoc_call *c)
{
    session_table_show(c, adhoc_text(c, "account"));
}

static void run_reports(struct adhoc_call *c)
{
    report_table_show(c, adhoc_text(c, "jid"));
}

/* ---- the table ---- */

static const struct adhoc_field remote_fields[] = {
    {.type = FORM_TEXT_SINGLE, .var = "remote", .label = "Community", .hint = "empty: all"},
    {0},
};
static const struct adhoc_field explain_fields[] = {
    {.type = FORM_TEXT_SINGLE, .var = "remote", .label = "Community", .hint = "its domain", .required = true},
    {0},
};
static const struct adhoc_field account_fields[] = {
    {.type = FORM_JID_SINGLE, .var = "account", .label = "Account", .hint = "empty: all"},
    {0},
};
static const struct adhoc_field reports_fields[] = {
    {.type = FORM_JID_SINGLE, .var = "jid", .label = "About", .hint = "an address that was blocked; empty: all"},
    {0},
};
static const struct adhoc_field delivery_fields[] = {
    {.type = FORM_TEXT_SINGLE, .var = "ref", .label = "Delivery", .required = true, .max_bytes = 64},
    {0},
};
static const struct adhoc_stage communities_stages[] = {
    {.title = "Streams with other communities", .fields = remote_fields}};
static const struct adhoc_stage explain_stages[] = {
    {.title = "Federation explained",
     .instructions = "How the last attempts went between this community and another one, out and in.",
     .fields = explain_fields}};
static const struct adhoc_stage sessions_stages[] = {{.title = "Messaging sessions", .fields = account_fields}};
static const struct adhoc_stage outbox_stages[] = {{.title = "The outbox to devices", .fields = account_fields}};
static const struct adhoc_stage reports_stages[] = {{.title = "Reports of spam and abuse", .fields = reports_fields}};
static const struct adhoc_stage retry_stages[] = {
    {.title = "Try a delivery once more",
     .instructions = "One that failed, died or is in doubt, while its text is kept: a day.",
     .fields = delivery_fields}};
static const struct adhoc_stage delivery_stages[] = {{.title = "One delivery", .fields = delivery_fields}};

#define COMMAND(node_, name_, stages_, run_) \
    {.node = NODE(node_), .name = name_, .who = ADHOC_ADMIN, .stages = stages_, .stage_count = 1, .run = run_}
const struct adhoc_command admin_tables[] = {
    {.node = NODE("community"), .name = "This community", .who = ADHOC_ADMIN, .run = run_community},
    COMMAND("communities", "Streams with other communities", communities_stages, run_communities),
    COMMAND("federation-explain", "Federation with another community, explained", explain_stages, run_explain),
    COMMAND("sessions", "Messaging sessions", sessions_stages, run_sessions),
    COMMAND("outbox", "The outbox to devices", outbox_stages, run_outbox),
    COMMAND("delivery", "One delivery", delivery_stages, run_delivery),
    COMMAND("retry-delivery", "Try a delivery once more", retry_stages, run_retry),
    COMMAND("reports", "Reports of spam and abuse", reports_stages, run_reports),
    {.node = NODE("providers"), .name = "Providers", .who = ADHOC_ADMIN, .run = run_providers},
    {0},
};
