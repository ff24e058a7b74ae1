/* SPDX-License-Identifier: MIT */
/* `causeway doctor`: is what the configuration promises true of this machine and of the DNS? A line for each
 * thing that was looked at; for what is wrong a second one that says what to do. */
#ifndef CAUSEWAY_DOCTOR_H
#define CAUSEWAY_DOCTOR_H

#include <stdio.h>

#include "gateway/config.h"

/* Everything, onto `out`. Returns how many things are wrong; notes are not counted. */
unsigned doctor_examine(const struct config *c, FILE *out);
/* Exit code: 0 nothing is wrong, 1 something is. */
int doctor_cli(const struct config *c, int argc, char **argv);

#endif
