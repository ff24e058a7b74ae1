/* SPDX-License-Identifier: MIT */
/* Passwords, from anywhere but the command line, where everybody on the machine could read them. */
#ifndef CAUSEWAY_CTL_SECRET_H
#define CAUSEWAY_CTL_SECRET_H

#include <stdbool.h>

#include "gateway/base/error.h"

enum { CTL_SECRET_BYTES = 4096 };

/* The first line of a file; "-" is standard input. A regular file that others may read is refused. */
MUST_USE bool ctl_secret_from_file(const char *path, char out[CTL_SECRET_BYTES], struct error *e);
/* Asks on the terminal without showing what is typed. false: there is no terminal, or nothing was typed. */
MUST_USE bool ctl_secret_ask(const char *prompt, char out[CTL_SECRET_BYTES], struct error *e);

#endif
