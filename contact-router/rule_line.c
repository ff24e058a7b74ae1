/* SPDX-License-Identifier: MIT */
/* "add rule" and "rules" are ours whatever follows; "remove rule 2" and the like must be that and nothing else, or they
 * are somebody's words. */
#include "contact-router/rule_line.h"

#include <string.h>

#include "contact-router/rule_text.h"
#include "gateway/base/text.h"

static bool wrong(struct rule_line *out, const char *why)
{
    out->verb = RULE_WRONG;
    out->why = why;
    return true;
}

/* Goes behind the next word if it is `word`. */
static bool take(const char **at, const char *word)
{
    size_t len = strlen(word);
    const char *p = *at + strspn(*at, " \t\r\n");
    for (size_t i = 0; i < len; i++)
        if ((p[i] | 0x20) != word[i])
            return false;
    if (p[len] && !strchr(" \t\r\n", p[len]))
        return false;
    *at = p + len + strspn(p + len, " \t\r\n");
    return true;
}

static bool take_number(const char **at, uint32_t *n)
{
    char digits[12];
    size_t len = strspn(*at, "0123456789"), end = strcspn(*at, " \t\r\n");
    if (!len || len != end || len >= sizeof digits)
        return false;
    memcpy(digits, *at, len);
    digits[len] = '\0';
    *at += len + strspn(*at + len, " \t\r\n");
    return text_to_u32(digits, n) && *n;
}

static bool read_rule(struct arena *a, const char *text, enum rule_verb verb, struct rule_line *out)
{
    out->verb = verb;
    if (strlen(text) > RULE_TEXT_MAX)
        return wrong(out, arena_printf(a, "That is too long for a rule: at most %d letters.", RULE_TEXT_MAX));
    return rule_text_parse(a, text, &out->rule, &out->why) ? true : wrong(out, out->why);
}

static bool parse_change(struct arena *a, const char *at, struct rule_line *out)
{
    if (!take_number(&at, &out->n) || !*at)
        return wrong(out, "Write: change rule 2 for romeo@montague.example: text at once");
    return read_rule(a, at, RULE_CHANGE, out);
}

static bool parse_remove(const char *at, struct rule_line *out)
{
    out->verb = RULE_REMOVE;
    if (!*at)
        return wrong(out, "Which one? \"rules\" shows their numbers; then write, for instance: remove rule 2");
    return take_number(&at, &out->n) && !*at;
}

static bool parse_move(const char *at, struct rule_line *out)
{
    static const struct { const char *word; enum rule_way way; } ways[] = {
        { "up", RULE_UP }, { "down", RULE_DOWN }, { "first", RULE_FIRST }, { "last", RULE_LAST },
    };
    out->verb = RULE_MOVE;
    if (*at && !take_number(&at, &out->n))
        return false;
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++)
        if (take(&at, ways[i].word)) {
            out->way = ways[i].way;
            return *at ? wrong(out, "Write: move rule 3 up, down, first or last") : true;
        }
    return wrong(out, "Where to? Write: move rule 3 up, down, first or last");
}

bool rule_line_parse(struct arena *a, const char *line, struct rule_line *out)
{
    const char *at = line;
    *out = (struct rule_line){ .verb = RULE_LIST, .rule = { .whom = "", .zone = "" } };
    if ((take(&at, "rules") || take(&at, "rule")) && !*at)
        return true;
    at = line;
    if (take(&at, "add") && take(&at, "rule"))
        return read_rule(a, at, RULE_ADD, out);
    at = line;
    if (take(&at, "change") && take(&at, "rule"))
        return parse_change(a, at, out);
    at = line;
    if (take(&at, "remove") && take(&at, "rule"))
        return parse_remove(at, out);
    at = line;
    return take(&at, "move") && take(&at, "rule") && parse_move(at, out);
}

const char *rule_line_help(void)
{
    return "rules: who reaches you by which devices, and when; the first one that fits decides\n"
           "add rule for romeo@montague.example: text at once, call after 5 min (minutes count from the message)\n"
           "  for: an address, a domain, group NAME, contacts, strangers, anybody; then, if you like, on mon-fri, at "
           "22:00-07:00 "
           "Europe/London, if urgent\n"
           "  behind the colon: text, call, email, pager, everything, device 2, joined by \"and\"; or nothing\n"
           "change rule N for ...: ..., remove rule N, move rule N up (down, first, last)";
}
