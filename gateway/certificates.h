/* SPDX-License-Identifier: MIT */
/* The communities' certificates: read at the start, and read anew while the gateway runs when one of their files
 * is replaced, or on SIGHUP. Connections that are there keep what they were shown. */
#ifndef CAUSEWAY_CERTIFICATES_H
#define CAUSEWAY_CERTIFICATES_H

#include "gateway/base/error.h"

struct certificates;
struct config;
struct loop;
struct tls_store;

/* Reads them all, blocking. `c` and `tls` outlive it. NULL and *e filled: whose certificate, which file, and why. */
MUST_USE struct certificates *certificates_create(struct loop *l, const struct config *c, struct tls_store *tls,
                                                  struct error *e);
/* From here on SIGHUP and what happens in the files' folders have them looked at, off the loop; what changed is read.
 * A file that cannot be read is logged, and the certificate before stays. Loop: l, as for the rest. */
void certificates_watch(struct certificates *s);
/* on_stopped from a later turn of the loop, when nothing is being read any more; it may destroy. */
void certificates_stop(struct certificates *s, void (*on_stopped)(void *user), void *user);
/* After on_stopped, or when it never watched. */
void certificates_destroy(struct certificates **s);

#endif
