/* SPDX-License-Identifier: MIT */
/* A rule as a person writes it, and as the store keeps it:
 *
 *     for romeo@montague.example on mon-fri at 22:00-07:00 Europe/London if urgent: text at once, call after 5 min
 *
 * Whom: anybody, contacts, strangers, group NAME ("..." around it where it holds one of these words), an address, a
 * domain. How urgent (XEP-0131): if low, medium, high, emergency, several joined by "or"; urgent, not urgent. Days:
 * mon, tue, ..., a range, several; weekdays, weekends. Then the steps, in order, in minutes since the message came:
 * text, call, email, pager (all devices of that kind), everything, a device's number, several joined by "and"; or
 * nothing. What the store holds must stay readable. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_RULE_TEXT_H
#define CAUSEWAY_CONTACT_ROUTER_RULE_TEXT_H

#include "contact-router/rule.h"
#include "gateway/base/bytes.h"

enum { RULE_TEXT_KEPT_MAX = 4 * RULE_TEXT_MAX }; /* in normal form it may be longer than it was written */

/* false: *why says what is not right, to the person who wrote it. Days or hours may come without a zone; whoever
 * keeps the rule fills it in. Texts live in `a`. */
MUST_USE bool rule_text_parse(struct arena *a, const char *text, struct rule *out, const char **why);
/* What rule_text_parse takes and gives the same from. Appends. */
void rule_text_write(const struct rule *r, struct bytes *out);
/* What is left of one that cannot be read (rule.damaged), in letters that can be shown. Appends. */
void rule_text_damaged(const struct rule *r, struct bytes *out);
/* Its words, for forms: "text" (NULL: that kind cannot be used), "mon". */
const char *rule_text_kind(enum device_kind k);
const char *rule_text_day(unsigned day);
/* "22:00-07:00"; nothing: all day. Appends. */
void rule_text_hours(const struct rule *r, struct bytes *out);
/* The half before the colon, and the half behind it. Append. */
void rule_text_whom(const struct rule *r, struct bytes *out);
void rule_text_when(const struct rule *r, struct bytes *out);
void rule_text_steps(const struct rule *r, struct bytes *out);

#endif
