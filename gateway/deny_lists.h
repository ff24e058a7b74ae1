/* SPDX-License-Identifier: MIT */
/* The files of `federation_deny_files`: read at the start, and anew while the gateway runs when they change. A
 * file that is gone or cannot be read is logged, and the list before stays. */
#ifndef CAUSEWAY_DENY_LISTS_H
#define CAUSEWAY_DENY_LISTS_H

#include "gateway/base/error.h"

struct config;
struct config_community;
struct deny_lists;
struct loop;
struct s2s;

/* `c` is only read. */
struct deny_lists *deny_lists_create(struct loop *l, struct s2s *s2s, const struct config *c);
/* Each file is read, off the loop, and looked at every few seconds from then on. Loop: l, as for the rest. */
void deny_lists_watch(struct deny_lists *d);
/* A community that comes: files that were not watched are. */
void deny_lists_add(struct deny_lists *d, const struct config_community *cc);
/* on_stopped from a later turn of the loop, when nothing is being read any more; it may destroy. */
void deny_lists_stop(struct deny_lists *d, void (*on_stopped)(void *user), void *user);
/* After on_stopped, or when it never watched. */
void deny_lists_destroy(struct deny_lists **d);

#endif
