/* SPDX-License-Identifier: MIT */
/* contact-router/rule_line.c: which lines are about rules, and which are somebody's words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "contact-router/rule_line.h"

static void test_lines(void **state)
{
    (void)state;
    static const struct { const char *line; bool ours; enum rule_verb verb; uint32_t n; enum rule_way way; } rows[] = {
        { "rules", true, RULE_LIST, 0, 0 },
        { " Rules ", true, RULE_LIST, 0, 0 },
        { "rule", true, RULE_LIST, 0, 0 },
        { "rules of the game", false, 0, 0, 0 },
        { "ruled", false, 0, 0, 0 },
        { "add rule for anybody: nothing", true, RULE_ADD, 0, 0 },
        { "ADD  Rule\tanybody: nothing", true, RULE_ADD, 0, 0 },
        { "add rule", true, RULE_WRONG, 0, 0 },
        { "add rule of thumb", true, RULE_WRONG, 0, 0 },
        { "add ruler 5", false, 0, 0, 0 },
        { "add email a@b.example", false, 0, 0, 0 },
        { "change rule 2 for anybody: nothing", true, RULE_CHANGE, 2, 0 },
        { "change rule 2", true, RULE_WRONG, 2, 0 },
        { "change rule for anybody: nothing", true, RULE_WRONG, 0, 0 },
        { "change rule 0 for anybody: nothing", true, RULE_WRONG, 0, 0 },
        { "remove rule 3", true, RULE_REMOVE, 3, 0 },
        { "remove rule", true, RULE_WRONG, 0, 0 },
        { "remove rule 0", false, 0, 0, 0 },
        { "remove rule 99999999999", false, 0, 0, 0 },
        { "remove rule three", false, 0, 0, 0 },
        { "remove rule 3 please", false, 0, 0, 0 },
        { "remove 3", false, 0, 0, 0 },
        { "move rule 3 up", true, RULE_MOVE, 3, RULE_UP },
        { "move rule 3 Down", true, RULE_MOVE, 3, RULE_DOWN },
        { "move rule 3 first", true, RULE_MOVE, 3, RULE_FIRST },
        { "move rule 3 last", true, RULE_MOVE, 3, RULE_LAST },
        { "move rule 3", true, RULE_WRONG, 3, 0 },
        { "move rule 3 up there", true, RULE_WRONG, 3, 0 },
        { "move rule", true, RULE_WRONG, 0, 0 },
        { "move rule books", false, 0, 0, 0 },
        { "move over", false, 0, 0, 0 },
        { "", false, 0, 0, 0 },
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rule_line l;
        bool ours = rule_line_parse(&a, rows[i].line, &l);
        bool same = ours == rows[i].ours && (!ours || (l.verb == rows[i].verb && (l.verb == RULE_WRONG || l.n == rows[i].n)));
        if (!same || (ours && l.verb == RULE_MOVE && l.way != rows[i].way) || (ours && l.verb == RULE_WRONG && !l.why))
            fail_msg("`%s`: %d %d %u", rows[i].line, ours, l.verb, l.n);
    }
    char line[600] = "add rule for ";
    memset(line + 13, 'x', sizeof line - 14);
    struct rule_line l;
    assert_true(rule_line_parse(&a, line, &l) && l.verb == RULE_WRONG && strstr(l.why, "at most 512"));
    assert_non_null(strstr(rule_line_help(), "add rule"));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
