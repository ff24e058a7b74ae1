/* SPDX-License-Identifier: MIT */
/* The lines by which a person manages rules of their own. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_RULE_LINE_H
#define CAUSEWAY_CONTACT_ROUTER_RULE_LINE_H

#include "contact-router/rule.h"

enum rule_verb {
    RULE_LIST, RULE_ADD, RULE_CHANGE, RULE_REMOVE, RULE_MOVE,
    RULE_WRONG, /* concerns rules, but is not right: `why` says how to write it */
};
enum rule_way { RULE_UP, RULE_DOWN, RULE_FIRST, RULE_LAST };

struct rule_line {
    enum rule_verb verb;
    uint32_t n;        /* RULE_CHANGE, RULE_REMOVE, RULE_MOVE: which one */
    enum rule_way way; /* RULE_MOVE */
    struct rule rule;  /* RULE_ADD, RULE_CHANGE */
    const char *why;
};

/* false: the line is not about rules. Texts live in `a`. */
bool rule_line_parse(struct arena *a, const char *line, struct rule_line *out);
const char *rule_line_help(void);

#endif
