/* SPDX-License-Identifier: MIT */
/* A file that is named on the command line; "-" is standard input. */
#ifndef CAUSEWAY_CTL_INPUT_H
#define CAUSEWAY_CTL_INPUT_H

#include <stdio.h>

#include "gateway/base/error.h"

/* NULL and *e filled: it cannot be opened. */
MUST_USE FILE *ctl_input_open(const char *path, struct error *e);
void ctl_input_close(FILE **in); /* standard input stays open */

#endif
