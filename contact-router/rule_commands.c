/* SPDX-License-Identifier: MIT */
/* What a person's rules mean is checked here, where their devices and zones are known; how they are written, in
 * rule_text.c. Each answer shows the rule as it is kept now. */
#include "contact-router/rule_commands.h"

#include <string.h>

#include "contact-router/rule_store.h"
#include "contact-router/rule_text.h"
#include "contact-router/zone.h"

static bool no(struct rule_commands *c, enum stanza_error why, const char *text)
{
    c->refused = why;
    bytes_append_text(c->reply, text);
    return true;
}

static void say_rule(struct rule_commands *c, const struct rule_list *rules, unsigned at)
{
    const struct rule *r = &rules->v[at];
    bytes_printf(c->reply, "%u: ", at + 1);
    if (r->damaged) {
        bytes_append_text(c->reply, "cannot be read any more: \"");
        rule_text_damaged(r, c->reply);
        bytes_append_char(c->reply, '"');
        return;
    }
    rule_text_write(r, c->reply);
    for (unsigned s = 0; s < r->step_count; s++)
        for (unsigned i = 0; i < r->steps[s].device_count; i++)
            if (!device_list_find(c->devices, r->steps[s].devices[i], NULL))
                bytes_printf(c->reply, " (there is no device %u)", r->steps[s].devices[i]);
}

/* What the person should do before any rule holds again. */
static bool say_damaged(struct rule_commands *c, const struct rule_list *rules)
{
    unsigned n = rule_list_damaged(rules);
    if (n)
        bytes_printf(
            c->reply,
            "\nWhile rule %u cannot be read none of them holds, but the community's default. Write: remove rule %u", n,
            n);
    return n != 0;
}

static bool do_list(struct rule_commands *c, const struct rule_list *rules)
{
    if (!rules->count)
        bytes_append_text(c->reply,
                          "You have no rules: the community's default holds for everybody. "
                          "Write, for instance: add rule for romeo@montague.example: text at once, call after 5 min");
    for (unsigned i = 0; i < rules->count; i++) {
        if (i)
            bytes_append_char(c->reply, '\n');
        say_rule(c, rules, i);
    }
    if (rules->count && !say_damaged(c, rules))
        bytes_append_text(c->reply, "\nThe first that fits decides; where none does, the community's default.");
    return true;
}

/* ---- is it right? ---- */

/* Days and hours without a zone: the one that the person has named before. */
static const char *usual_zone(const struct rule_commands *c, const struct rule_list *rules)
{
    for (unsigned i = 0; i < rules->count; i++)
        if (*rules->v[i].zone)
            return rules->v[i].zone;
    for (unsigned i = 0; i < c->devices->count; i++)
        if (c->devices->v[i].quiet.set)
            return c->devices->v[i].quiet.zone;
    return "";
}

static bool zone_is_right(struct rule_commands *c, const struct rule_list *rules, struct rule *r, int64_t now_us)
{
    int offset_s;
    if (!r->days && !r->has_hours)
        return true;
    if (!*r->zone)
        r->zone = usual_zone(c, rules);
    if (!*r->zone) {
        no(c, STANZA_NOT_ACCEPTABLE,
           "By which clock? Write your time zone behind the days or hours: at 22:00-07:00 Europe/London");
    } else if (!zone_offset(c->zone_dir, r->zone, now_us / 1000000, &offset_s)) {
        no(c, STANZA_NOT_ACCEPTABLE,
           arena_printf(c->arena, "I do not know the time zone %s. Write it like Europe/London.", r->zone));
    } else {
        return true;
    }
    return false;
}

static bool devices_are_there(struct rule_commands *c, const struct rule *r)
{
    for (unsigned s = 0; s < r->step_count; s++)
        for (unsigned i = 0; i < r->steps[s].device_count; i++)
            if (!device_list_find(c->devices, r->steps[s].devices[i], NULL)) {
                no(c, STANZA_ITEM_NOT_FOUND,
                   arena_printf(c->arena, "You have no device %u; \"devices\" shows them.", r->steps[s].devices[i]));
                return false;
            }
    return true;
}

static bool is_right(struct rule_commands *c, const struct rule_list *rules, struct rule *r, int64_t now_us)
{
    return zone_is_right(c, rules, r, now_us) && devices_are_there(c, r);
}

/* ---- what else the person should know ---- */

static bool has_kind(const struct rule_commands *c, enum device_kind k)
{
    for (unsigned i = 0; i < c->devices->count; i++)
        if (c->devices->v[i].kind == k && c->devices->v[i].verified_us)
            return true;
    return false;
}

static void warn_of_kinds(struct rule_commands *c, const struct rule *r)
{
    unsigned asked = 0;
    for (unsigned s = 0; s < r->step_count; s++)
        if (r->steps[s].kinds & (r->steps[s].kinds - 1)) /* of several kinds it is said by what is there */
            return;
        else
            asked |= r->steps[s].kinds;
    for (unsigned k = 0; k < DEVICE_KIND_COUNT; k++)
        if ((asked & 1u << k) && !has_kind(c, (enum device_kind)k))
            bytes_printf(c->reply, "\nYou have listed no verified device for that yet: %s.",
                         device_kind_people((enum device_kind)k));
}

static bool mails(const struct rule_commands *c, const struct rule *r)
{
    bool found = false;
    for (unsigned s = 0; s < r->step_count; s++) {
        found = found || (r->steps[s].kinds & 1u << DEVICE_EMAIL);
        for (unsigned i = 0; i < r->steps[s].device_count; i++) {
            const struct device *d = device_list_find(c->devices, r->steps[s].devices[i], NULL);
            found = found || (d && d->kind == DEVICE_EMAIL);
        }
    }
    return found;
}

static void say_more(struct rule_commands *c, const struct rule_list *rules, unsigned at)
{
    const struct rule *r = &rules->v[at];
    for (unsigned i = 0; i < at; i++)
        if (!rules->v[i].damaged && rule_hides(&rules->v[i], r)) {
            bytes_printf(
                c->reply,
                "\nRule %u stands before it and takes all that this one is for; \"move rule %u first\" changes that.",
                i + 1, at + 1);
            break;
        }
    warn_of_kinds(c, r);
    if (r->sender == RULE_STRANGERS && r->step_count && !mails(c, r))
        bytes_append_text(c->reply, "\nOf strangers you are told by e-mail only, so nothing will be sent.");
}

/* ---- the verbs ---- */

static bool keep(struct rule_commands *c, struct store_tx *tx, const struct rule_list *rules, unsigned at,
                 struct error *e)
{
    say_rule(c, rules, at);
    say_more(c, rules, at);
    say_damaged(c, rules);
    return rule_store_put(tx, c->account, rules, e);
}

static bool find(struct rule_commands *c, const struct rule_list *rules, unsigned *at)
{
    *at = c->line->n - 1;
    if (*at < rules->count)
        return true;
    no(c, STANZA_ITEM_NOT_FOUND, arena_printf(c->arena, "You have no rule %u; \"rules\" shows them.", c->line->n));
    return false;
}

static bool do_add(struct rule_commands *c, struct store_tx *tx, struct rule_list *rules, struct error *e)
{
    struct rule r = c->line->rule;
    if (rules->count == RULE_PER_ACCOUNT_MAX)
        return no(c, STANZA_POLICY_VIOLATION, "You have as many rules as one may; remove one first.");
    if (!is_right(c, rules, &r, store_now_us(tx)))
        return true;
    rules->v[rules->count++] = r;
    return keep(c, tx, rules, rules->count - 1, e);
}

static bool do_change(struct rule_commands *c, struct store_tx *tx, struct rule_list *rules, struct error *e)
{
    struct rule r = c->line->rule;
    unsigned at;
    if (!find(c, rules, &at) || !is_right(c, rules, &r, store_now_us(tx)))
        return true;
    rules->v[at] = r;
    return keep(c, tx, rules, at, e);
}

static bool do_remove(struct rule_commands *c, struct store_tx *tx, struct rule_list *rules, struct error *e)
{
    unsigned at;
    if (!find(c, rules, &at))
        return true;
    bytes_append_text(c->reply, "Forgotten: ");
    if (rules->v[at].damaged)
        bytes_printf(c->reply, "rule %u, which could not be read.", at + 1);
    else
        rule_text_write(&rules->v[at], c->reply);
    rules->count--;
    memmove(&rules->v[at], &rules->v[at + 1], (rules->count - at) * sizeof *rules->v);
    return rule_store_put(tx, c->account, rules, e);
}

static unsigned place(enum rule_way way, unsigned at, unsigned last)
{
    switch (way) {
    case RULE_UP: return at ? at - 1 : 0;
    case RULE_DOWN: return at < last ? at + 1 : last;
    case RULE_FIRST: return 0;
    case RULE_LAST: return last;
    }
    return at;
}

static bool do_move(struct rule_commands *c, struct store_tx *tx, struct rule_list *rules, struct error *e)
{
    unsigned at;
    if (!find(c, rules, &at))
        return true;
    struct rule moved = rules->v[at];
    unsigned to = place(c->line->way, at, rules->count - 1);
    memmove(&rules->v[at], &rules->v[at + 1], (rules->count - 1 - at) * sizeof *rules->v);
    memmove(&rules->v[to + 1], &rules->v[to], (rules->count - 1 - to) * sizeof *rules->v);
    rules->v[to] = moved;
    return rule_store_put(tx, c->account, rules, e) && do_list(c, rules);
}

bool rule_commands_do(struct rule_commands *c, struct store_tx *tx, struct error *e)
{
    struct rule_list *rules = arena_new(c->arena, struct rule_list);
    c->refused = STANZA_OK;
    if (!rule_store_list(tx, c->account, c->arena, rules, e))
        return false;
    switch (c->line->verb) {
    case RULE_LIST: return do_list(c, rules);
    case RULE_ADD: return do_add(c, tx, rules, e);
    case RULE_CHANGE: return do_change(c, tx, rules, e);
    case RULE_REMOVE: return do_remove(c, tx, rules, e);
    case RULE_MOVE: return do_move(c, tx, rules, e);
    case RULE_WRONG: return no(c, STANZA_NOT_ACCEPTABLE, c->line->why);
    }
    return true;
}
