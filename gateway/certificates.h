/* SPDX-License-Identifier: MIT */
/* The communities' certificates: read at the start, and read anew while the gateway runs when one of their files
 * is replaced. Connections that are there keep what they were shown. */
#ifndef CAUSEWAY_CERTIFICATES_H
#define CAUSEWAY_CERTIFICATES_H

#include "gateway/base/error.h"

struct certificates;
struct certificates_pair;
struct config;
struct config_community;
struct config_component;
struct loop;
struct tls_store;

/* Reads them all, blocking. `c` and `tls` outlive it. NULL and *e filled: whose certificate, which file, and why. */
MUST_USE struct certificates *certificates_create(struct loop *l, const struct config *c, struct tls_store *tls,
                                                  struct error *e);
/* From here on what happens in the files' folders has them looked at, off the loop; what changed is read. A file that
 * cannot be read is logged, and the certificate before stays. Loop: l, as for the rest. */
void certificates_watch(struct certificates *s);
void certificates_look(struct certificates *s); /* now */

/* A community that comes while the gateway runs: read on any thread into `tls`, then added on the loop (which takes it
 * over), or given back. NULL and *e: as in create. */
MUST_USE struct certificates_pair *certificates_read(struct tls_store *tls, const struct config_community *cc,
                                                     struct error *e);
/* The same of a service that attaches and has one. */
MUST_USE struct certificates_pair *certificates_read_component(struct tls_store *tls, const struct config_component *cc,
                                                               struct error *e);
void certificates_give_back(struct certificates_pair **p);
void certificates_add(struct certificates *s, struct certificates_pair *p);
/* And one that goes: nobody is shown its certificate any more. */
void certificates_remove(struct certificates *s, const char *domain);
/* on_stopped from a later turn of the loop, when nothing is being read any more; it may destroy. */
void certificates_stop(struct certificates *s, void (*on_stopped)(void *user), void *user);
/* After on_stopped, or when it never watched. */
void certificates_destroy(struct certificates **s);

#endif
