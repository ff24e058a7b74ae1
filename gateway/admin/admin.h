/* SPDX-License-Identifier: MIT */
/* The commands that there are, one list a family. gateway/compose.c says which a gateway offers. */
#ifndef CAUSEWAY_ADMIN_ADMIN_H
#define CAUSEWAY_ADMIN_ADMIN_H

#include "gateway/admin/adhoc.h"

extern const struct adhoc_command admin_accounts[]; /* XEP-0133: accounts and who is linked */
extern const struct adhoc_command admin_admins[];   /* XEP-0133: who is an admin */
extern const struct adhoc_command admin_clients[];  /* clients of an account */
extern const struct service client_access_service;  /* XEP-0494: the same without forms */
extern const struct adhoc_command my_clients[];     /* a person's own clients */
extern const struct adhoc_command admin_tables[];   /* communities, links, sessions, outbox, providers */
extern const struct adhoc_command admin_invitations[]; /* XEP-0401: invitations of people and of admins */
extern const struct adhoc_command my_devices[];     /* a person's devices, and what would happen if */
extern const struct adhoc_command my_rules[];       /* whose messages are told by which devices, when */
extern const struct adhoc_command my_requests[];    /* who waits for a person's answer */

#endif
