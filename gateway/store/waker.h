/* SPDX-License-Identifier: MIT */
/* When a group may begin. A loop asks for many jobs in a turn, and more are often ready for the next:
 * were the writer to take the first, it would sync that one alone while the rest gathers. So a loop
 * releases the queue when nothing more is ready for it (loop_when_quiet), or when many wait. Threads
 * that run no loop release it at once. No timer: what is released waits only for work. */
#ifndef CAUSEWAY_STORE_WAKER_H
#define CAUSEWAY_STORE_WAKER_H

#include "gateway/store/store.h"

struct waker; /* one a loop that asked; in a list of the store */

/* A job for `reply_on` (may be NULL) was just put into the queue of writes. Under the store's lock;
 * true: the caller signals writer_wake when it has unlocked. */
MUST_USE bool waker_asked(struct store *s, struct loop *reply_on);
/* The writer has ended: no loop will come back to the store, and all of them are forgotten. */
void waker_fini(struct store *s);

#endif
