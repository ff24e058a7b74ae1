/* SPDX-License-Identifier: MIT */
/* When the writer is told of new jobs. A loop asks for many in a turn: were the writer woken by the
 * first, it would sync that one alone while the rest gathers. So it hears of them at the turn's end,
 * or when many wait. An awake writer looks by itself. Threads that run no loop wake it at once. */
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
