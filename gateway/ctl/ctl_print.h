/* SPDX-License-Identifier: MIT */
/* What came back, for people (tables) or for programs (one JSON object). */
#ifndef CAUSEWAY_CTL_PRINT_H
#define CAUSEWAY_CTL_PRINT_H

#include <stdbool.h>
#include <strophe.h>

/* The commands of a list (<query/> of disco#items). */
void ctl_print_list(xmpp_stanza_t *query, bool json);
/* A completed <command/>: notes, fields, table. */
void ctl_print_result(xmpp_stanza_t *command, bool json);
/* A form's fields, as flags (`describe`). */
void ctl_print_form(xmpp_stanza_t *form, bool json);

#endif
