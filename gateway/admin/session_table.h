/* SPDX-License-Identifier: MIT */
/* Messaging sessions as a table: who, with whom, how far; no word of what was said. An admin sees those of the
 * community, a person their own. */
#ifndef CAUSEWAY_ADMIN_SESSION_TABLE_H
#define CAUSEWAY_ADMIN_SESSION_TABLE_H

#include "gateway/admin/adhoc.h"

/* Finishes or refuses the call. `account`: a bare JID of the call's domain; "": all. */
void session_table_show(struct adhoc_call *c, const char *account);

#endif
