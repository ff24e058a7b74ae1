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

#endif
