/* SPDX-License-Identifier: MIT */
/* `causeway ldap sync`: the accounts of communities with a directory as the directory has them now. */
#ifndef CAUSEWAY_LDAP_CLI_H
#define CAUSEWAY_LDAP_CLI_H

#include "gateway/config.h"

/* argv[0] is "ldap"; argv ends with NULL. Returns the exit code; 2: the call is wrong. */
int ldap_cli(const struct config *c, int argc, char **argv);
/* Each server of each directory is asked. Returns how many cannot be used; each goes to `complain`, with what to do. */
unsigned ldap_cli_check(const struct config *c, void (*complain)(void *user, const char *text), void *user);

#endif
