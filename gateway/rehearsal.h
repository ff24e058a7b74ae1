/* SPDX-License-Identifier: MIT */
/* `causeway check`: what a start would find wrong, found without starting. config_read has checked what
 * can be seen in the configuration alone; here the things are tried that it names. */
#ifndef CAUSEWAY_REHEARSAL_H
#define CAUSEWAY_REHEARSAL_H

#include "gateway/config.h"

/* Each mistake goes to `complain`; returns how many there were. Nothing is made or changed. */
unsigned rehearsal_run(const struct config *c, void (*complain)(void *user, const char *text), void *user);

#endif
