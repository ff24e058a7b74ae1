/* SPDX-License-Identifier: MIT */
/* The gateway as a whole: makes the parts, connects them, runs, drains. The map of the program. */
#ifndef CAUSEWAY_COMPOSE_H
#define CAUSEWAY_COMPOSE_H

#include "gateway/base/error.h"
#include "gateway/config.h"

struct gateway;

/* Makes every part; nothing listens yet. `c` must outlive it. NULL and *e filled: what failed. */
MUST_USE struct gateway *compose_create(const struct config *c, struct error *e);
/* Listens, runs until SIGTERM or SIGINT, drains, and returns. false: *e says what could not start. */
MUST_USE bool compose_run(struct gateway *g, struct error *e);
void compose_destroy(struct gateway **g);

/* Checks what config_read cannot: certificates against their domains, provider profiles. Each mistake goes
 * to `complain`; returns how many there were. */
unsigned compose_check(const struct config *c, void (*complain)(void *user, const char *text), void *user);

/* Addresses that the admin enters at each provider, "NAME URL", to `line`. Works beside a running gateway. */
MUST_USE bool compose_webhooks(const struct config *c, void (*line)(void *user, const char *text), void *user,
                               struct error *e);

#endif
