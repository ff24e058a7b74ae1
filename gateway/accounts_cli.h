/* SPDX-License-Identifier: MIT */
/* `causeway account ...`: accounts in the store, beside a running gateway or without one. */
#ifndef CAUSEWAY_ACCOUNTS_CLI_H
#define CAUSEWAY_ACCOUNTS_CLI_H

#include "gateway/config.h"

/* argv[0] is "account", argv[1] the verb: add, password, delete, list. Returns the exit code; 2: the call is wrong. */
int accounts_cli(const struct config *c, int argc, char **argv);

#endif
