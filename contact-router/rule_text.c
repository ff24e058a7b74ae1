/* SPDX-License-Identifier: MIT */
/* The text becomes words, the words are read from left to right: whom, conditions in any order, a colon, steps.
 * Whatever is not understood is an error that shows how to write it; nothing is guessed. */
#include "contact-router/rule_text.h"

#include <string.h>

#include "contact-router/planner.h"
#include "contact-router/rule_text_internal.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/jid.h"

/* WORDS_MAX: each rule that can be written has a normal form that can be read again: in each step all devices at three
 * words ("device 7 and"), the kinds at two, "after 5 min" and a comma; and what stands before them. */
enum {
    WORDS_MAX = RULE_STEPS_MAX * (3 * DEVICE_PER_ACCOUNT_MAX + 2 * DEVICE_KIND_COUNT + 4) + 32,
    ADDRESS_MAX = 255,
    ZONE_MAX = 60
};

#define HOW "Write it like: for romeo@montague.example: text at once, call after 5 min"
#define ANY_URGENCY (RULE_TEXT_URGENT | RULE_TEXT_NOT_URGENT)

struct reader {
    struct arena *a;
    const char *v[WORDS_MAX];
    bool quoted[WORDS_MAX];
    unsigned count, at;
    const char *why;
};

static bool wrong(struct reader *r, const char *why)
{
    r->why = why;
    return false;
}

/* ---- words ---- */

static bool add_word(struct reader *r, const char *at, size_t len, bool quoted)
{
    if (r->count == WORDS_MAX)
        return wrong(r, "That is too long for a rule.");
    r->quoted[r->count] = quoted;
    r->v[r->count++] = arena_dup_n(r->a, at, len);
    return true;
}

/* Between quotation marks, also those that telephones write. NULL: the second one is missing, or no room. */
static const char *take_quoted(struct reader *r, const char *at)
{
    const char *end = *at == '"' ? "\"" : "\xe2\x80\x9d";
    at += strlen(end);
    const char *close = strstr(at, end);
    if (!close) {
        wrong(r, "The quotation mark at the end is missing.");
        return NULL;
    }
    return add_word(r, at, (size_t)(close - at), true) ? close + strlen(end) : NULL;
}

/* A word, and the colon at its end; behind the colon a comma is a word of its own. */
static const char *take_word(struct reader *r, const char *at, bool *behind)
{
    if (*behind && (*at == ',' || *at == ';'))
        return add_word(r, ",", 1, false) ? at + 1 : NULL;
    size_t len = strcspn(at, *behind ? " \t\r\n,;" : " \t\r\n");
    bool colon = !*behind && at[len - 1] == ':';
    if (len > colon && !add_word(r, at, len - colon, false))
        return NULL;
    if (colon && !add_word(r, ":", 1, false))
        return NULL;
    *behind = *behind || colon;
    return at + len;
}

static bool split(struct reader *r, const char *text)
{
    bool behind = false;
    for (const char *at = text; *(at += strspn(at, " \t\r\n"));) {
        bool quote = *at == '"' || text_starts_with(at, "\xe2\x80\x9c");
        at = quote && !behind ? take_quoted(r, at) : take_word(r, at, &behind);
        if (!at)
            return false;
    }
    return true;
}

static bool at_end(const struct reader *r)
{
    return r->at == r->count;
}

static bool is(const struct reader *r, const char *word)
{
    return !at_end(r) && !r->quoted[r->at] && text_eq_nocase(r->v[r->at], word);
}

static bool take(struct reader *r, const char *word)
{
    bool found = is(r, word);
    r->at += found;
    return found;
}

static bool is_one_of(const struct reader *r, const char *const *words)
{
    for (; *words; words++)
        if (is(r, *words))
            return true;
    return false;
}

static bool take_one_of(struct reader *r, const char *const *words)
{
    bool found = is_one_of(r, words);
    r->at += found;
    return found;
}

/* ---- whom it is for ---- */

static const char *const conditions[] = { ":", "if", "when", "on", "at", "in", NULL };

static bool read_group(struct reader *r, struct rule *out)
{
    const char *name = "";
    out->sender = RULE_GROUP;
    if (!at_end(r) && r->quoted[r->at])
        name = r->v[r->at++];
    else
        while (!at_end(r) && !is_one_of(r, conditions)) {
            name = arena_printf(r->a, "%s%s%s", name, *name ? " " : "", r->v[r->at]);
            r->at++;
        }
    if (!*name || strlen(name) > RULE_GROUP_MAX || strchr(name, '"'))
        return wrong(r, "Which group of your contacts? Write: for group Friends: text at once");
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ')
            return wrong(r, "The name of a group is one line.");
    out->whom = name;
    return true;
}

static bool read_address(struct reader *r, struct rule *out)
{
    bool domain = take(r, "domain");
    const char *word = at_end(r) || r->quoted[r->at] ? "" : r->v[r->at];
    bool looks = domain || strchr(word, '@') || strchr(word, '.');
    const struct jid *j = looks && !is(r, ":") ? jid_parse_text(r->a, word) : NULL;
    if (!looks)
        return wrong(
            r,
            arena_printf(r->a,
                         "Whom is it for? \"%.60s\" is not anybody, contacts, strangers, group NAME, an address or a "
                         "domain. " HOW,
                         word));
    if (!j || (domain && j->local))
        return wrong(r, arena_printf(r->a, "\"%.60s\" is not an address or a domain. " HOW, word));
    if (strlen(j->bare) > ADDRESS_MAX)
        return wrong(r, "That address is too long for a rule.");
    r->at++;
    out->sender = j->local ? RULE_ADDRESS : RULE_DOMAIN;
    out->whom = j->bare;
    return true;
}

static bool read_whom(struct reader *r, struct rule *out)
{
    static const char *const anybody[] = { "anybody", "anyone", "everybody", "everyone", NULL };
    static const char *const contacts[] = {"contacts", "contact", NULL}, *const strangers[] = {"strangers", "stranger",
                                                                                               NULL};
    if (!take(r, "for"))
        take(r, "from");
    if (at_end(r))
        return wrong(r, "Whom is it for? " HOW);
    if (take_one_of(r, anybody))
        out->sender = RULE_ANYBODY;
    else if (take_one_of(r, contacts))
        out->sender = RULE_CONTACTS;
    else if (take_one_of(r, strangers))
        out->sender = RULE_STRANGERS;
    else
        return take(r, "group") ? read_group(r, out) : read_address(r, out);
    return true;
}

/* ---- conditions ---- */

static bool one_urgency(struct reader *r, unsigned *mask)
{
    if (take(r, "not")) {
        *mask |= RULE_TEXT_NOT_URGENT;
        return take(r, "urgent");
    }
    if (take(r, "urgent")) {
        *mask |= RULE_TEXT_URGENT;
        return true;
    }
    for (unsigned u = PLANNER_LOW; u <= PLANNER_EMERGENCY; u++)
        if (take(r, planner_urgency_word((enum planner_urgency)u))) {
            *mask |= 1u << u;
            return true;
        }
    return false;
}

static bool read_urgency(struct reader *r, struct rule *out)
{
    do {
        if (!one_urgency(r, &out->urgencies))
            return wrong(
                r,
                "How urgent? Write: if urgent, if not urgent, or: if low, medium, high, emergency, joined by \"or\".");
    } while (take(r, "or"));
    if (out->urgencies == ANY_URGENCY)
        out->urgencies = 0;
    return true;
}

static const char *const day_names[] = {"mondays", "tuesdays",  "wednesdays", "thursdays",
                                        "fridays", "saturdays", "sundays"};

/* "mon", "Monday", "mondays"; RULE_DAYS: none of them. */
static unsigned day_named(const char *word, size_t len)
{
    for (unsigned d = 0; d < RULE_DAYS && len >= 3; d++) {
        size_t i = 0;
        while (i < len && day_names[d][i] && (word[i] | 0x20) == day_names[d][i])
            i++;
        if (i == len)
            return d;
    }
    return RULE_DAYS;
}

/* "mon", "mon-fri", "mon,wed", with commas left over at the end. */
static bool days_in(const char *word, unsigned *mask)
{
    unsigned found = 0;
    for (const char *at = word; *at;) {
        size_t len = strcspn(at, ","), first = strcspn(at, ",-");
        unsigned from = day_named(at, first), to = first < len ? day_named(at + first + 1, len - first - 1) : from;
        if (from == RULE_DAYS || to == RULE_DAYS)
            return false;
        for (unsigned d = from;; d = (d + 1) % RULE_DAYS) {
            found |= 1u << d;
            if (d == to)
                break;
        }
        at += len;
        at += strspn(at, ",");
    }
    *mask |= found;
    return found != 0;
}

static bool read_days(struct reader *r, struct rule *out)
{
    static const char *const weekdays[] = {"weekdays", "weekday", NULL}, *const weekends[] = {"weekends", "weekend",
                                                                                              NULL};
    unsigned begun = r->at;
    for (; !at_end(r); r->at++) {
        if (is_one_of(r, weekdays))
            out->days |= 0x1f;
        else if (is_one_of(r, weekends))
            out->days |= 0x60;
        else if (!is(r, "and") && (r->quoted[r->at] || !days_in(r->v[r->at], &out->days)))
            break;
    }
    if (r->at == begun || !out->days)
        return wrong(r, "On which days? Write: on mon-fri, or: on sat sun, or: on weekdays.");
    return true;
}

static bool read_hours(struct reader *r, struct rule *out)
{
    struct device_quiet hours;
    const char *word = at_end(r) ? "" : r->v[r->at];
    if (out->has_hours || !*word || strchr(word, ' ') || !device_quiet_parse(r->a, word, &hours))
        return wrong(r, "At which hours? Write: at 22:00-07:00 Europe/London");
    out->has_hours = true;
    out->from_min = hours.from_min;
    out->to_min = hours.to_min;
    r->at++;
    return true;
}

static bool read_zone(struct reader *r, struct rule *out)
{
    static const char *const others[] = { "and", "weekdays", "weekday", "weekends", "weekend", NULL };
    const char *word = at_end(r) || r->quoted[r->at] ? "" : r->v[r->at];
    size_t len = strlen(word);
    unsigned days = 0;
    bool taken = is_one_of(r, conditions) || is_one_of(r, others) || days_in(word, &days);
    bool fine = len && len <= ZONE_MAX && !taken && !*out->zone && *word != '/' && !strstr(word, "..") &&
                strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == len;
    if (!fine)
        return wrong(r, arena_printf(r->a, "I do not understand \"%.60s\" before the colon. " HOW, word));
    out->zone = word;
    r->at++;
    return true;
}

static bool read_conditions(struct reader *r, struct rule *out)
{
    static const char *const urgency[] = { "if", "when", NULL };
    bool ok = true;
    while (ok && !at_end(r) && !is(r, ":")) {
        if (take_one_of(r, urgency))
            ok = read_urgency(r, out);
        else if (take(r, "on"))
            ok = read_days(r, out);
        else if (take(r, "at"))
            ok = read_hours(r, out);
        else if (take(r, "in") || out->days || out->has_hours)
            ok = read_zone(r, out);
        else
            return wrong(r, arena_printf(r->a, "I do not understand \"%.60s\" before the colon. " HOW, r->v[r->at]));
    }
    if (!ok)
        return false;
    if (out->days == RULE_EVERY_DAY)
        out->days = 0;
    if (*out->zone && !out->days && !out->has_hours)
        return wrong(r, "A time zone says nothing without hours or days: at 22:00-07:00 Europe/London");
    return take(r, ":") ? true : wrong(r, "What shall happen stands behind a colon. " HOW);
}

/* ---- steps ---- */

static bool name_device(struct reader *r, struct rule_step *s, const char *word)
{
    uint32_t n;
    if (!text_to_u32(word, &n) || !n)
        return wrong(r, "Which device? \"devices\" shows their numbers; then write, for instance: device 2 at once");
    for (unsigned i = 0; i < s->device_count; i++)
        if (s->devices[i] == n)
            return true;
    if (s->device_count == DEVICE_PER_ACCOUNT_MAX)
        return wrong(r, "That names more devices than one may list.");
    s->devices[s->device_count++] = n;
    return true;
}

static bool name_kind(struct reader *r, struct rule_step *s)
{
    static const char *const message[] = { "message", "messages", NULL };
    enum device_kind k;
    const char *word = r->v[r->at++];
    if (text_eq_nocase(word, "phone") && is(r, "call"))
        return true; /* the call is the next word */
    if (!device_kind_parse(word, &k))
        return wrong(
            r, arena_printf(
                   r->a,
                   "I do not understand \"%.60s\" behind the colon: text, call, email, pager, everything, nothing, or "
                   "a device's number. " HOW,
                   word));
    if (!device_kind_usable(k))
        return wrong(r, arena_printf(r->a, "A %s cannot be used yet; e-mail, text messages, calls and pagers can.",
                                     device_kind_people(k)));
    if (k == DEVICE_SMS)
        take_one_of(r, message);
    s->kinds |= 1u << k;
    return true;
}

static bool read_device(struct reader *r, struct rule_step *s)
{
    static const char *const all[] = { "everything", "everywhere", "all", NULL };
    if (take_one_of(r, all)) {
        s->kinds |= rule_text_all_kinds();
        return true;
    }
    bool device = take(r, "device");
    const char *word = at_end(r) ? "" : r->v[r->at];
    if (device || *word == '#' || (*word >= '0' && *word <= '9')) {
        r->at += !at_end(r);
        return name_device(r, s, word + (*word == '#'));
    }
    return name_kind(r, s);
}

static bool is_listed(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (text_eq_nocase(word, *words))
            return true;
    return false;
}

/* "5 min", "5min", "2 hours" in minutes. */
static bool read_minutes(struct reader *r, unsigned *minutes)
{
    static const char *const min[] = {"m", "min", "mins", "minute", "minutes", NULL}, *const hour[] = {"h", "hour",
                                                                                                       "hours", NULL};
    uint32_t n = 0;
    const char *word = at_end(r) ? "" : r->v[r->at++];
    size_t digits = strspn(word, "0123456789");
    const char *unit = word[digits] ? word + digits : at_end(r) ? "" : r->v[r->at++];
    bool hours = is_listed(unit, hour);
    if (!text_to_u32(arena_dup_n(r->a, word, digits), &n) || (!hours && !is_listed(unit, min)))
        return wrong(r, "After how many minutes? Write: call after 5 min");
    if (n > RULE_DELAY_MAX_MIN || n * (hours ? 60 : 1) > RULE_DELAY_MAX_MIN)
        return wrong(r, "A rule looks at most one day ahead (24 hours).");
    *minutes = n * (hours ? 60 : 1);
    return true;
}

static bool read_delay(struct reader *r, struct rule_step *s)
{
    static const char *const later[] = { "after", "in", NULL };
    unsigned minutes = 0;
    if (take(r, "at") && !take(r, "once"))
        return wrong(r, "Write \"at once\", or: after 5 min");
    if (take_one_of(r, later) && !read_minutes(r, &minutes))
        return false;
    s->delay_s = minutes * 60;
    return true;
}

static bool read_step(struct reader *r, struct rule *out)
{
    static const char *const stops[] = {",", "then", "at", "after", "in", NULL}, *const joins[] = {"and", "+", "&",
                                                                                                   NULL};
    struct rule_step *s = &out->steps[out->step_count];
    if (out->step_count == RULE_STEPS_MAX)
        return wrong(r, "A rule has at most four steps.");
    *s = (struct rule_step){ 0 };
    do {
        if (at_end(r) || is_one_of(r, stops))
            return wrong(r, "Which devices? Write: text and email at once, call after 5 min");
        if (!read_device(r, s))
            return false;
    } while (take_one_of(r, joins) || (!at_end(r) && !is_one_of(r, stops)));
    if (!read_delay(r, s))
        return false;
    if (out->step_count && s->delay_s < s[-1].delay_s)
        return wrong(r, "Write the steps in their order; minutes are counted from the message: text at once, call "
                        "after 5 min, pager after 10 min");
    out->step_count++;
    return true;
}

static bool read_steps(struct reader *r, struct rule *out)
{
    static const char *const nothing[] = { "nothing", "nobody", "none", NULL };
    if (take_one_of(r, nothing))
        return at_end(r) ? true : wrong(r, "Behind \"nothing\" nothing can stand.");
    if (at_end(r))
        return wrong(r, "What shall happen? " HOW ", or: nothing");
    while (read_step(r, out)) {
        bool comma = take(r, ","), then = take(r, "then");
        if (at_end(r) && !comma && !then)
            return true;
        if (!comma && !then)
            return wrong(r, arena_printf(r->a, "I do not understand \"%.60s\" there. " HOW, r->v[r->at]));
    }
    return false;
}

bool rule_text_parse(struct arena *a, const char *text, struct rule *out, const char **why)
{
    struct reader *r = arena_new(a, struct reader);
    *out = (struct rule){ .whom = "", .zone = "" };
    r->a = a;
    r->why = "That is too long for a rule.";
    bool ok = strlen(text) <= RULE_TEXT_KEPT_MAX && split(r, text) && read_whom(r, out) && read_conditions(r, out) &&
              read_steps(r, out);
    *why = ok ? NULL : r->why;
    return ok;
}
