/* SPDX-License-Identifier: MIT */
/* Reports of spam and abuse (XEP-0377) that people of the community made. */
#ifndef CAUSEWAY_ADMIN_REPORT_TABLE_H
#define CAUSEWAY_ADMIN_REPORT_TABLE_H

#include "gateway/admin/adhoc.h"

/* Finishes the call with the newest ones; `jid` "": about anybody. */
void report_table_show(struct adhoc_call *c, const char *jid);

#endif
