/* SPDX-License-Identifier: MIT */
/* Rules as rows (schemas/sql/0013_rules.sql). Everything is inside a transaction; what is read lives in the
 * arena that is given. */
#ifndef CAUSEWAY_CONTACT_ROUTER_RULE_STORE_H
#define CAUSEWAY_CONTACT_ROUTER_RULE_STORE_H

#include "contact-router/rule.h"
#include "gateway/store/store.h"

struct rule_list { struct rule v[RULE_PER_ACCOUNT_MAX]; unsigned count; };

/* The number of the first rule that cannot be read; 0: all can. While there is one none of them holds: what stands
 * before and behind it might mean the contrary without it. */
unsigned rule_list_damaged(const struct rule_list *list);

/* In the person's order; the first has number 1. What cannot be read stands at its place (rule.damaged) and is no
 * error. */
MUST_USE bool rule_store_list(struct store_tx *tx, const char *account, struct arena *a, struct rule_list *out,
                              struct error *e);
/* In place of what there is. What is damaged is kept as it is. */
MUST_USE bool rule_store_put(struct store_tx *tx, const char *account, const struct rule_list *rules, struct error *e);
/* The groups of `peer` in the person's roster, joined by '\n'. */
MUST_USE bool rule_store_groups(struct store_tx *tx, const char *account, const char *peer, struct arena *a,
                                const char **groups, struct error *e);
/* Rows of accounts that are gone. */
MUST_USE bool rule_store_sweep(struct store_tx *tx, struct error *e);

#endif
