/* SPDX-License-Identifier: MIT */
/* A loop: one thread's libuv loop, its mailbox and its timers. State belongs to one loop; what
 * crosses between loops is a command whose data nobody else touches any more.
 *
 * A loop may run on the caller's thread (the exchange's, by default also the I/O's) or on its own. */
#ifndef CAUSEWAY_NET_LOOP_H
#define CAUSEWAY_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/list.h"

struct loop;
struct xml_pool;

/* Embedded in whatever is sent; run() finds it with container_of and owns it from then on. */
struct command {
    struct command *next;
    void (*run)(struct command *c);
};

/* `clock` must outlive the loop. */
struct loop *loop_create(const char *name, const struct clock *clock);
/* Destroy only after loop_run returned and every handle on it was closed. */
void loop_destroy(struct loop **l);
/* Runs on this thread until loop_stop; then finishes closing handles. */
void loop_run(struct loop *l);
/* Starts a thread that does loop_run; loop_join waits for its end. */
void loop_start_thread(struct loop *l);
void loop_join(struct loop *l);
/* Any thread. */
void loop_stop(struct loop *l);

/* Hands a command over. Any thread; commands of one sender arrive in order; never runs before this
 * returns. A loop that sleeps is woken once a batch; posting to the own loop costs no system call. */
void loop_post(struct loop *l, struct command *c);

/* Runs `hook->run` once at the end of the current turn, after all that is ready was handled and
 * before the loop sleeps: this is where output is gathered into one write. Loop: l. Asking twice
 * before it ran is once. */
struct turn_hook {
    struct list node; /* zero: not asked for */
    void (*run)(struct turn_hook *h);
};
void loop_at_turn_end(struct loop *l, struct turn_hook *h);
/* The same, behind the other hooks of the turn and what they asked for: what these still write to a
 * connection goes into the same packet. */
void loop_at_turn_last(struct loop *l, struct turn_hook *h);
/* The same, but not before a turn's end finds nothing more ready, or a few turns have passed: for
 * what is the cheaper the more it has gathered, and must not wait for anything but work. */
void loop_when_quiet(struct loop *l, struct turn_hook *h);
void loop_cancel_hook(struct turn_hook *h);

uv_loop_t *loop_uv(struct loop *l);
const struct clock *loop_clock(const struct loop *l);
uint64_t loop_now_ms(const struct loop *l); /* monotonic, of its clock */
struct xml_pool *loop_xml_pool(struct loop *l);
bool loop_is_current(const struct loop *l); /* is this thread running l (or is l not running yet)? */
bool loop_runs_here(const struct loop *l);  /* is this thread in a turn of l? */
const char *loop_name(const struct loop *l);

#define loop_check(l) CHECK(loop_is_current(l))

/* For tests: takes one turn without sleeping; true while something was done. */
bool loop_turn(struct loop *l);

#endif
