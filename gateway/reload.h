/* SPDX-License-Identifier: MIT */
/* SIGHUP: the configuration is read anew, off the loop; communities and components that it lists and were not
 * there come, those that it lists no more go. All else that it says otherwise is named in the log:
 * it needs a restart. A configuration with a mistake changes nothing. Certificates are looked at in
 * any case. */
#ifndef CAUSEWAY_RELOAD_H
#define CAUSEWAY_RELOAD_H

#include "gateway/config.h"

struct certificates;
struct communities;
struct loop;
struct reload;
struct tls_store;

struct reload_options {
    struct loop *loop;
    const struct config *config; /* of the start; borrowed until the end */
    struct tls_store *tls;
    struct certificates *certificates;
    struct communities *communities;
};

struct reload *reload_create(const struct reload_options *o);
/* From here on SIGHUP is heard. Loop: o->loop, as for the next. */
void reload_watch(struct reload *r);
/* It is heard no more, and nothing changes any more (communities_stop before). on_stopped from a
 * later turn, when nothing is being read any more. */
void reload_stop(struct reload *r, void (*on_stopped)(void *user), void *user);
/* After on_stopped, or when it never watched. */
void reload_destroy(struct reload **r);

#endif
