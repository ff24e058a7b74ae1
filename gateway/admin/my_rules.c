/* SPDX-License-Identifier: MIT */
/* Rules of the one who asks: whose messages are told by which devices, and when. A form becomes the line that the
 * person could have written ("add rule for ..."; my_line.h), so what is written into it is looked at here only as far
 * as it must stay within its place in the line. */
#include "gateway/admin/adhoc_listing.h"
#include "gateway/admin/admin.h"
#include "gateway/admin/my_line.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"

#include <string.h>

#define NODE(name) NS_DEVICES "#" name

enum { STEPS = 4 };
static const char *const devices_of[STEPS] = {"devices1", "devices2", "devices3", "devices4"};
static const char *const after_of[STEPS] = {"after1", "after2", "after3", "after4"};

/* ---- the form as a line ---- */

static bool add_address(struct adhoc_call *c, const char *name, bool domain, struct bytes *line)
{
    const struct jid *j = jid_parse_text(adhoc_arena(c), name);
    if (!j || (j->local == NULL) != domain) {
        adhoc_reject(c,
                     domain ? "name: a domain like montague.example" : "name: an address like romeo@montague.example");
        return false;
    }
    bytes_printf(line, "%s%s", domain ? "domain " : "", j->bare);
    return true;
}

static bool add_group(struct adhoc_call *c, const char *name, struct bytes *line)
{
    bool fine = *name && !strchr(name, '"');
    for (const char *at = name; *at; at++)
        fine = fine && (unsigned char)*at >= ' ';
    if (!fine)
        adhoc_reject(c, "name: the name of a group of your contacts");
    bytes_printf(line, "group \"%s\"", name);
    return fine;
}

static bool add_sender(struct adhoc_call *c, struct bytes *line)
{
    const char *who = adhoc_text(c, "from"), *name = adhoc_text(c, "name");
    if (text_eq(who, "group"))
        return add_group(c, name, line);
    if (text_eq(who, "address") || text_eq(who, "domain"))
        return add_address(c, name, text_eq(who, "domain"), line);
    bytes_append_text(line, who);
    return true;
}

static void add_values(struct adhoc_call *c, const char *var, const char *before, const char *between,
                       struct bytes *line)
{
    unsigned count;
    const char *const *values = adhoc_values(c, var, &count);
    for (unsigned i = 0; i < count; i++)
        bytes_printf(line, "%s%s", i ? between : before, values[i]);
}

static bool add_when(struct adhoc_call *c, struct bytes *line)
{
    unsigned days;
    const char *hours = adhoc_text(c, "hours"), *zone = adhoc_text(c, "zone");
    if (!my_line_is_word(c, "hours") || !my_line_is_word(c, "zone"))
        return false;
    if ((*hours && hours[strlen(hours) - 1] == ':') || strchr(zone, ':')) {
        adhoc_reject(c, *hours ? "hours: like 22:00-07:00" : "zone: like Europe/London");
        return false;
    }
    (void)adhoc_values(c, "days", &days);
    add_values(c, "days", " on ", ",", line);
    if (*hours)
        bytes_printf(line, " at %s", hours);
    if (*zone && (days || *hours))
        bytes_printf(line, " in %s", zone);
    add_values(c, "urgency", " if ", " or ", line);
    return true;
}

static void add_steps(struct adhoc_call *c, struct bytes *line)
{
    const char *before = ": ";
    for (unsigned i = 0; i < STEPS; i++) {
        unsigned count;
        (void)adhoc_values(c, devices_of[i], &count);
        if (!count)
            continue;
        add_values(c, devices_of[i], before, " and ", line);
        bytes_printf(line, " after %lld min", adhoc_number(c, after_of[i], 0));
        before = ", ";
    }
    if (*before == ':')
        bytes_append_text(line, ": nothing");
}

static void say_rule(struct adhoc_call *c, const char *verb)
{
    struct bytes line = BYTES_EMPTY;
    bytes_printf(&line, "%s for ", verb);
    if (add_sender(c, &line) && add_when(c, &line)) {
        add_steps(c, &line);
        my_line_say(c, bytes_text(&line));
    }
    bytes_fini(&line);
}

static void run_add(struct adhoc_call *c)
{
    say_rule(c, "add rule");
}

static void run_change(struct adhoc_call *c)
{
    say_rule(c, arena_printf(adhoc_arena(c), "change rule %s", adhoc_text(c, "rule")));
}

static void run_remove(struct adhoc_call *c)
{
    my_line_say(c, arena_printf(adhoc_arena(c), "remove rule %s", adhoc_text(c, "rule")));
}

static void run_move(struct adhoc_call *c)
{
    my_line_say(c, arena_printf(adhoc_arena(c), "move rule %s %s", adhoc_text(c, "rule"), adhoc_text(c, "move")));
}

/* ---- listing and choosing ---- */

static const struct listing_column shown[] = {
    {"number", "Number"}, {"whom", "Whose messages"}, {"when", "When"}, {"steps", "What happens"}, {NULL, NULL},
};

static void show_table(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    adhoc_columns(c, shown);
    for (const struct listing_row *r = q->first; r; r = r->next) {
        const char *when = adhoc_listing_cell(l, r, "when");
        adhoc_row(c, (const char *[]){adhoc_listing_cell(l, r, "number"), adhoc_listing_cell(l, r, "whom"),
                                      *when ? when : "always", adhoc_listing_cell(l, r, "steps")});
    }
    adhoc_note(c, q->count ? "The first that fits decides; where none does, the community's default."
                           : "You have no rules: the community's default holds for everybody.");
    adhoc_finish(c);
}

static void run_list(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "rules", adhoc_asker(c)->bare, ADHOC_LISTING_ROWS, show_table);
}

/* One that cannot be read any more has no parts. */
static bool is_damaged(const struct listing *l, const struct listing_row *r)
{
    return !*adhoc_listing_cell(l, r, "sender");
}

static const char *in_words(struct adhoc_call *c, const struct listing *l, const struct listing_row *r)
{
    const char *number = adhoc_listing_cell(l, r, "number"), *whom = adhoc_listing_cell(l, r, "whom"),
               *when = adhoc_listing_cell(l, r, "when"), *steps = adhoc_listing_cell(l, r, "steps");
    if (is_damaged(l, r))
        return arena_printf(adhoc_arena(c), "%s: %s: \"%s\"", number, whom, steps);
    return arena_printf(adhoc_arena(c), "%s: for %s%s%s: %s", number, whom, *when ? " " : "", when, steps);
}

static void offer_rules(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    for (const struct listing_row *r = q->first; r; r = r->next)
        adhoc_offer(c, "rule", in_words(c, l, r), adhoc_listing_cell(l, r, "number"));
    adhoc_ask_offered(c, "rule", "You have no rules.");
}

static void show_rules(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "rules", adhoc_asker(c)->bare, ADHOC_VALUES_MAX, offer_rules);
}

/* ---- the rule's own form ---- */

static void offer_devices(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    static const struct form_option kinds[] = {
        {"Text message", "text"}, {"E-mail", "email"}, {"Phone call", "call"}, {"Pager", "pager"}, {NULL, NULL}};
    for (unsigned i = 0; i < STEPS; i++) {
        for (const struct form_option *k = kinds; k->value; k++)
            adhoc_offer(c, devices_of[i], k->label, k->value);
        for (const struct listing_row *r = q->first; r; r = r->next)
            adhoc_offer(c, devices_of[i],
                        arena_printf(adhoc_arena(c), "Only %s %s", adhoc_listing_cell(l, r, "kind"),
                                     adhoc_listing_cell(l, r, "address")),
                        adhoc_listing_cell(l, r, "number"));
    }
}

static void ask_new(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    offer_devices(c, l, q);
    adhoc_ask(c);
}

static void show_new(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "devices", adhoc_asker(c)->bare, ADHOC_VALUES_MAX, ask_new);
}

static void preset_rule(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    static const char *const same[] = {"name", "hours", "zone", "after1", "after2", "after3", "after4", NULL};
    static const char *const many[] = {"urgency", "days", "devices1", "devices2", "devices3", "devices4", NULL};
    const struct listing_row *r = q->first;
    while (r && !text_eq(adhoc_listing_cell(l, r, "number"), adhoc_text(c, "rule")))
        r = r->next;
    if (!r) {
        adhoc_refuse(c, STANZA_ITEM_NOT_FOUND, "you have no rule %s any more", adhoc_text(c, "rule"));
        return;
    }
    if (is_damaged(l, r)) { /* what is written now takes its place */
        adhoc_ask(c);
        return;
    }
    adhoc_preset(c, "from", adhoc_listing_cell(l, r, "sender"));
    for (const char *const *var = same; *var; var++)
        adhoc_preset(c, *var, adhoc_listing_cell(l, r, *var));
    for (const char *const *var = many; *var; var++)
        adhoc_preset_words(c, *var, adhoc_listing_cell(l, r, *var));
    adhoc_ask(c);
}

static void ask_old(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    offer_devices(c, l, q);
    adhoc_listing_ask(c, "rules", adhoc_asker(c)->bare, ADHOC_VALUES_MAX, preset_rule);
}

static void show_old(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "devices", adhoc_asker(c)->bare, ADHOC_VALUES_MAX, ask_old);
}

/* ---- the table ---- */

static const struct form_option senders[] = {
    {"Anybody", "anybody"},
    {"People whom I know", "contacts"},
    {"Strangers", "strangers"},
    {"A group of my contacts", "group"},
    {"One address", "address"},
    {"Everybody at a domain", "domain"},
    {NULL, NULL},
};
static const struct form_option urgencies[] = {
    {"Low", "low"}, {"Medium", "medium"}, {"High", "high"}, {"Emergency", "emergency"}, {NULL, NULL},
};
static const struct form_option days[] = {
    {"Monday", "mon"}, {"Tuesday", "tue"},  {"Wednesday", "wed"}, {"Thursday", "thu"},
    {"Friday", "fri"}, {"Saturday", "sat"}, {"Sunday", "sun"},    {NULL, NULL},
};
static const struct form_option ways[] = {
    {"One up", "up"}, {"One down", "down"}, {"To the top", "first"}, {"To the end", "last"}, {NULL, NULL},
};
#define MINUTES(var_)                                                                                                  \
    {                                                                                                                  \
        .type = FORM_TEXT_SINGLE, .var = var_, .label = "Minutes after the message", .value = "0",                     \
        .datatype = "xs:integer", .min = 0, .max = 1440                                                                \
    }
static const struct adhoc_field rule_fields[] = {
    {.type = FORM_LIST_SINGLE,
     .var = "from",
     .label = "Whose messages",
     .value = "anybody",
     .required = true,
     .options = senders},
    {.type = FORM_TEXT_SINGLE,
     .var = "name",
     .label = "Which group, address or domain",
     .hint = "empty for the others",
     .max_bytes = 255},
    {.type = FORM_LIST_MULTI,
     .var = "urgency",
     .label = "Only if so urgent",
     .hint = "none chosen: always",
     .options = urgencies},
    {.type = FORM_LIST_MULTI,
     .var = "days",
     .label = "Only on these days",
     .hint = "none chosen: every day",
     .options = days},
    {.type = FORM_TEXT_SINGLE,
     .var = "hours",
     .label = "Only at these hours",
     .hint = "22:00-07:00; empty: all day",
     .max_bytes = 16},
    {.type = FORM_TEXT_SINGLE,
     .var = "zone",
     .label = "Time zone of days and hours",
     .hint = "Europe/London; empty: that of your other rules or quiet hours",
     .max_bytes = 60},
    {.type = FORM_LIST_MULTI,
     .var = "devices1",
     .label = "Tell me by",
     .hint = "nothing chosen here or below: by nothing; it waits for your log-on"},
    MINUTES("after1"),
    {.type = FORM_LIST_MULTI, .var = "devices2", .label = "If that brings no answer, by"},
    MINUTES("after2"),
    {.type = FORM_LIST_MULTI, .var = "devices3", .label = "Then by"},
    MINUTES("after3"),
    {.type = FORM_LIST_MULTI, .var = "devices4", .label = "And last by"},
    MINUTES("after4"),
    {0},
};
static const struct adhoc_field choose_fields[] = {
    {.type = FORM_LIST_SINGLE, .var = "rule", .label = "Which one", .required = true},
    {0},
};
static const struct adhoc_field move_fields[] = {
    {.type = FORM_LIST_SINGLE, .var = "rule", .label = "Which one", .required = true},
    {.type = FORM_LIST_SINGLE, .var = "move", .label = "Where to", .value = "up", .required = true, .options = ways},
    {0},
};
#define FIRST_DECIDES "The first rule that fits decides."
static const struct adhoc_stage add_stages[] = {{.title = "Add a rule",
                                                 .instructions = FIRST_DECIDES " A new one stands at the end.",
                                                 .fields = rule_fields,
                                                 .show = show_new}};
static const struct adhoc_stage change_stages[] = {
    {.title = "Change a rule", .fields = choose_fields, .show = show_rules},
    {.title = "Change a rule", .fields = rule_fields, .show = show_old}};
static const struct adhoc_stage remove_stages[] = {
    {.title = "Forget a rule", .fields = choose_fields, .show = show_rules}};
static const struct adhoc_stage move_stages[] = {
    {.title = "Move a rule", .instructions = FIRST_DECIDES, .fields = move_fields, .show = show_rules}};

#define COMMAND(node_, name_, stages_, run_)                                                           \
    {.node = NODE(node_), .name = name_, .who = ADHOC_PERSON, .form_type = NS_DEVICES, .stages = stages_, \
     .stage_count = sizeof(stages_) / sizeof *(stages_), .run = run_}
const struct adhoc_command my_rules[] = {
    {.node = NODE("rules"), .name = "My rules", .who = ADHOC_PERSON, .form_type = NS_DEVICES, .run = run_list},
    COMMAND("add-rule", "Add a rule", add_stages, run_add),
    COMMAND("change-rule", "Change a rule", change_stages, run_change),
    COMMAND("move-rule", "Move a rule", move_stages, run_move),
    COMMAND("remove-rule", "Forget a rule", remove_stages, run_remove),
    {0},
};
