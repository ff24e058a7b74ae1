/* SPDX-License-Identifier: MIT */
/* `causeway account ...`: accounts in the store, beside a running gateway or without one. */
#ifndef CAUSEWAY_ACCOUNTS_CLI_H
#define CAUSEWAY_ACCOUNTS_CLI_H

#include "gateway/config.h"

/* argv[0] is "account", argv[1] the verb; argv ends with NULL. Returns the exit code; 2: the call is
 * wrong. */
int accounts_cli(const struct config *c, int argc, char **argv);

/* For setup and doctor. Nobody is complained to by `find`. */
MUST_USE bool accounts_cli_find(const struct config *c, const char *bare, bool *found,
                                struct error *e);
/* As `account add`, but with the password given; false: complained of on standard error. */
MUST_USE bool accounts_cli_add(const struct config *c, const char *jid, const char *password);
/* One line of standard input, or from the terminal without echo. false: none, or an empty one. */
enum { ACCOUNTS_CLI_PASSWORD_BYTES = 4096 };
MUST_USE bool accounts_cli_ask_password(const char *jid, char line[ACCOUNTS_CLI_PASSWORD_BYTES]);

/* The store for the length of one job, whose `run` is set; beside a running gateway. */
MUST_USE bool accounts_cli_job(const struct config *c, struct store_job *job, bool writes, struct error *e);

#endif
