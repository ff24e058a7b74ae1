/* SPDX-License-Identifier: MIT */
/* Devices of the one who asks, and what would happen if somebody wrote now. What is changed goes by lines
 * (my_line.h). */
#include "gateway/admin/adhoc_listing.h"
#include "gateway/admin/admin.h"
#include "gateway/admin/my_line.h"
#include "gateway/base/text.h"
#include "gateway/exchange/session.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/ns.h"

#define NODE(name) NS_DEVICES "#" name

/* ---- by a line ---- */

static void run_add(struct adhoc_call *c)
{
    if (my_line_is_word(c, "address"))
        my_line_say(c, arena_printf(adhoc_arena(c), "add %s %s%s", adhoc_text(c, "kind"), adhoc_text(c, "address"),
                                 adhoc_is_set(c, "full") ? " full" : ""));
}

static void run_verify(struct adhoc_call *c)
{
    if (my_line_is_word(c, "code"))
        my_line_say(c, arena_printf(adhoc_arena(c), "verify %s", adhoc_text(c, "code")));
}

static void run_remove(struct adhoc_call *c)
{
    my_line_say(c, arena_printf(adhoc_arena(c), "remove %s", adhoc_text(c, "device")));
}

static void run_change(struct adhoc_call *c)
{
    const char *what = adhoc_text(c, "change"), *quiet = adhoc_text(c, "quiet");
    if (!my_line_is_word(c, "language"))
        return;
    for (const char *at = quiet; *at; at++)
        if ((unsigned char)*at < ' ') {
            adhoc_reject(c, "quiet: one line");
            return;
        }
    if (text_eq(what, "language"))
        my_line_say(c,
                    arena_printf(adhoc_arena(c), "language %s %s", adhoc_text(c, "device"), adhoc_text(c, "language")));
    else if (text_eq(what, "quiet"))
        my_line_say(c, arena_printf(adhoc_arena(c), "quiet %s %s", adhoc_text(c, "device"), *quiet ? quiet : "off"));
    else
        my_line_say(c, arena_printf(adhoc_arena(c), "%s %s", what, adhoc_text(c, "device")));
}

/* ---- listing and choosing ---- */

static void run_list(struct adhoc_call *c)
{
    adhoc_listing_show(c, "devices", adhoc_asker(c)->bare);
}

static void offer_devices(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    for (const struct listing_row *r = q->first; r; r = r->next)
        adhoc_offer(c, "device",
                    arena_printf(adhoc_arena(c), "%s %s, %s", adhoc_listing_cell(l, r, "kind"),
                                 adhoc_listing_cell(l, r, "address"), adhoc_listing_cell(l, r, "state")),
                    adhoc_listing_cell(l, r, "number"));
    adhoc_ask_offered(c, "device", "You have listed no devices.");
}

static void show_devices(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "devices", adhoc_asker(c)->bare, ADHOC_VALUES_MAX, offer_devices);
}

/* ---- what would happen if ---- */

static void tell_plan(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    struct bytes lines = BYTES_EMPTY;
    for (const struct listing_row *r = q->first; r; r = r->next)
        bytes_printf(&lines, "%s%s", lines.len ? "\n" : "", adhoc_listing_cell(l, r, "what"));
    adhoc_result(c, FORM_TEXT_MULTI, "plan", "What would happen while you are not logged in", bytes_text(&lines));
    bytes_fini(&lines);
    adhoc_finish(c);
}

static void ask_plan(struct person *p, void *user)
{
    struct adhoc_call *c = user;
    const struct jid *peer = jid_parse_text(adhoc_arena(c), adhoc_text(c, "sender"));
    bool strange = p && session_is_stranger(p, peer);
    const char *urgency = adhoc_text(c, "urgency"), *at = adhoc_text(c, "at");
    int64_t at_us = 0;
    if (*at && (!datetime_parse(at, &at_us) || at_us <= 0)) {
        adhoc_reject(c, "at: a date and time like 2030-01-31T08:00:00Z");
        return;
    }
    if (strange)
        adhoc_note(c, "%s is a stranger to you: this would be a contact request.", peer->bare);
    adhoc_listing_ask(c, "plan",
                      arena_printf(adhoc_arena(c), "%s %s %s %s %lld", adhoc_asker(c)->bare, peer->bare,
                                   strange ? "request" : "message", *urgency ? urgency : "medium", (long long)at_us),
                      ADHOC_LISTING_ROWS, tell_plan);
}

static void run_plan(struct adhoc_call *c)
{
    exchange_with_person(adhoc_exchange(c), adhoc_asker(c)->bare, ask_plan, c);
}

/* ---- what was sent ---- */

static const struct listing_column log_columns[] = {
    {"made", "When"}, {"device", "Device"}, {"address", "To"}, {"purpose", "Why"}, {"peer", "About"},
    {"state", "State"}, {"ended", "Ended"}, {"reason", "Reason"}, {NULL, NULL},
};

static void tell_log(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    adhoc_columns(c, log_columns);
    for (const struct listing_row *r = q->first; r; r = r->next)
        adhoc_row(c, (const char *[]){adhoc_listing_cell(l, r, "created"), adhoc_listing_cell(l, r, "device"),
                                      adhoc_listing_cell(l, r, "address"), adhoc_listing_cell(l, r, "purpose"),
                                      adhoc_listing_cell(l, r, "peer"), adhoc_listing_cell(l, r, "state"),
                                      adhoc_listing_cell(l, r, "ended"), adhoc_listing_cell(l, r, "reason")});
    if (q->more)
        adhoc_warn(c, "There are more; these are the newest %u.", q->count);
    else if (!q->count)
        adhoc_note(c, "Nothing was sent to your devices.");
    adhoc_finish(c);
}

static void run_log(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "outbox", adhoc_asker(c)->bare, ADHOC_LISTING_ROWS, tell_log);
}

/* ---- the table ---- */

static const struct form_option kinds[] = {
    {"A mailbox (e-mail)", "email"}, {"A telephone, by text message", "sms"}, {"A telephone, by call", "voice"},
    {"A pager", "pager"}, {NULL, NULL},
};
static const struct form_option changes[] = {
    {"Show whole texts", "full"}, {"Show notices only", "notice"}, {"Set quiet hours", "quiet"},
    {"Set the language that calls speak", "language"}, {"Send a test", "test"}, {NULL, NULL},
};
static const struct form_option urgencies[] = {
    {"Low", "low"}, {"Medium", "medium"}, {"High", "high"}, {"Emergency", "emergency"}, {NULL, NULL},
};
static const struct adhoc_field add_fields[] = {
    {.type = FORM_LIST_SINGLE,
     .var = "kind",
     .label = "What it is",
     .value = "email",
     .required = true,
     .options = kinds},
    {.type = FORM_TEXT_SINGLE,
     .var = "address",
     .label = "Address or number",
     .hint = "a number with its country: +44...",
     .required = true,
     .max_bytes = 254},
    {.type = FORM_BOOLEAN, .var = "full", .label = "Show whole texts, not only notices", .value = "0"},
    {0},
};
static const struct adhoc_field verify_fields[] = {
    {.type = FORM_TEXT_SINGLE, .var = "code", .label = "The code that arrived", .required = true, .max_bytes = 16},
    {0},
};
static const struct adhoc_field remove_fields[] = {
    {.type = FORM_LIST_SINGLE, .var = "device", .label = "Which one", .required = true},
    {0},
};
static const struct adhoc_field change_fields[] = {
    {.type = FORM_LIST_SINGLE, .var = "device", .label = "Which one", .required = true},
    {.type = FORM_LIST_SINGLE, .var = "change", .label = "What", .required = true, .options = changes},
    {.type = FORM_TEXT_SINGLE,
     .var = "quiet",
     .label = "Quiet hours",
     .hint = "22:00-07:00 Europe/London; empty: none",
     .max_bytes = 100},
    {.type = FORM_TEXT_SINGLE, .var = "language", .label = "Language", .hint = "en, de, fr, es", .max_bytes = 16},
    {0},
};
static const struct adhoc_field plan_fields[] = {
    {.type = FORM_JID_SINGLE, .var = "sender", .label = "Who would write", .required = true},
    {.type = FORM_TEXT_SINGLE,
     .var = "at",
     .label = "When",
     .hint = "empty: now",
     .datatype = "xs:dateTime",
     .max_bytes = 40},
    {.type = FORM_LIST_SINGLE, .var = "urgency", .label = "How urgent", .value = "medium", .options = urgencies},
    {0},
};
static const struct adhoc_stage add_stages[] = {{.title = "Add a device",
                                                 .instructions = "A code goes there; give it to \"Verify a device\".",
                                                 .fields = add_fields}};
static const struct adhoc_stage verify_stages[] = {{.title = "Verify a device", .fields = verify_fields}};
static const struct adhoc_stage remove_stages[] = {
    {.title = "Forget a device", .fields = remove_fields, .show = show_devices}};
static const struct adhoc_stage change_stages[] = {
    {.title = "Change a device", .fields = change_fields, .show = show_devices}};
static const struct adhoc_stage plan_stages[] = {
    {.title = "What would happen if somebody wrote", .instructions = "Nothing is sent.", .fields = plan_fields}};

#define COMMAND(node_, name_, stages_, run_)                                                                           \
    {                                                                                                                  \
        .node = NODE(node_), .name = name_, .who = ADHOC_PERSON, .form_type = NS_DEVICES, .stages = stages_,           \
        .stage_count = 1, .run = run_                                                                                  \
    }
const struct adhoc_command my_devices[] = {
    {.node = NODE("list"), .name = "My devices", .who = ADHOC_PERSON, .form_type = NS_DEVICES, .run = run_list},
    COMMAND("add", "Add a device", add_stages, run_add),
    COMMAND("verify", "Verify a device", verify_stages, run_verify),
    COMMAND("change", "Change a device", change_stages, run_change),
    COMMAND("remove", "Forget a device", remove_stages, run_remove),
    {.node = NODE("log"), .name = "What was sent to my devices", .who = ADHOC_PERSON, .run = run_log},
    COMMAND("what-if", "What would happen if somebody wrote", plan_stages, run_plan),
    {0},
};
