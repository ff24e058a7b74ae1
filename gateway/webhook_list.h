/* SPDX-License-Identifier: MIT */
/* `causeway webhooks`: the addresses that the admin enters at each provider. */
#ifndef CAUSEWAY_WEBHOOK_LIST_H
#define CAUSEWAY_WEBHOOK_LIST_H

#include "gateway/config.h"

/* "NAME URL" each, to `line`. Works beside a running gateway. */
MUST_USE bool webhook_list_each(const struct config *c, void (*line)(void *user, const char *text), void *user,
                                struct error *e);

#endif
