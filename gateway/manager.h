/* SPDX-License-Identifier: MIT */
/* What the service manager is told: sd_notify(3), which is one datagram to the socket that NOTIFY_SOCKET
 * names. Written here and not taken from libsystemd: the protocol is a promise of systemd to programs
 * that do just that, and the library would bring five others into a network service. */
#ifndef CAUSEWAY_MANAGER_H
#define CAUSEWAY_MANAGER_H

#include "gateway/net/loop.h"
#include "gateway/net/timer.h"

/* "READY=1", "STOPPING=1", "STATUS=..."; without a manager nothing happens. */
void manager_tell(const char *state);

/* While the loop takes its turns, WATCHDOG=1 goes out twice in each WATCHDOG_USEC; a loop that hangs says
 * nothing, and the manager starts the process again. */
struct manager_watch {
    struct timer timer;
    struct loop *loop;
    uint64_t every_ms; /* 0: the manager watches nobody, or another process */
};
void manager_watch_start(struct manager_watch *w, struct loop *l);
void manager_watch_stop(struct manager_watch *w); /* harmless when it was never started */

#endif
