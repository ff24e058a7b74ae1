/* SPDX-License-Identifier: MIT */
/* Is one value of the configuration what its option wants? Internal to config*.c. */
#ifndef CAUSEWAY_CONFIG_VALUE_H
#define CAUSEWAY_CONFIG_VALUE_H

#include <stdbool.h>

#include "gateway/base/arena.h"
#include "gateway/config_options.h"

/* What is wrong with it, in words (in `a`); NULL: nothing. Files are looked at. */
const char *config_value_fault(struct arena *a, const struct option *o, const char *value);

/* "*.verona.example" is all below verona.example: that; else the pattern itself. */
const char *config_value_behind_star(const char *pattern);
/* Why a file with a secret cannot be used; NULL: it can. `next`: what to do, behind the path. */
const char *config_value_secret_fault(const char *path, const char **next);

#endif
