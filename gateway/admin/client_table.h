/* SPDX-License-Identifier: MIT */
/* The clients of an account: installations that log in by a token (XEP-0484), and links that are there. Of the account
 * that the field "accountjid" names (the caller has looked at it), without one of the asker. Each finishes or refuses
 * the call. */
#ifndef CAUSEWAY_ADMIN_CLIENT_TABLE_H
#define CAUSEWAY_ADMIN_CLIENT_TABLE_H

#include "gateway/admin/adhoc.h"

void client_table_show(struct adhoc_call *c);
/* A stage's show: each client but the asker's own as an option of "client". */
void client_table_offer(struct adhoc_call *c);
/* What "client" names loses its tokens, and its links end. */
void client_table_revoke(struct adhoc_call *c);
/* All but the one that the asker uses. */
void client_table_revoke_others(struct adhoc_call *c);

#endif
