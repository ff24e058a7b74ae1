/* SPDX-License-Identifier: MIT */
/* `causeway invite create|list|revoke`, beside a running gateway or without one. */
#ifndef CAUSEWAY_INVITE_CLI_H
#define CAUSEWAY_INVITE_CLI_H

#include "gateway/config.h"

/* argv[0] is "invite"; argc counts it. 0 done, 1 failed, 2 misused. */
int invite_cli(const struct config *c, int argc, char **argv);

#endif
