/* SPDX-License-Identifier: MIT */
/* What the reader (rule_text.c) and the writer (rule_text_write.c) of rules share. */
#ifndef CAUSEWAY_CONTACT_ROUTER_RULE_TEXT_INTERNAL_H
#define CAUSEWAY_CONTACT_ROUTER_RULE_TEXT_INTERNAL_H

/* "urgent" and "not urgent", as masks of rule.urgencies. */
#define RULE_TEXT_URGENT (1u << PLANNER_HIGH | 1u << PLANNER_EMERGENCY)
#define RULE_TEXT_NOT_URGENT (1u << PLANNER_LOW | 1u << PLANNER_MEDIUM)

/* "everything": what can be used, as a mask of rule_step.kinds. */
unsigned rule_text_all_kinds(void);

#endif
