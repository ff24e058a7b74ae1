/* SPDX-License-Identifier: MIT */
/* May more be read from outside? Not while the store fails (store_is_failing): what nobody can keep stays
 * in the sender's hands, where TCP's own flow control holds it. Each edge has one gate a loop and asks it
 * after each stanza that it took; so a sender gets the refusal of one stanza, and then is not read. */
#ifndef CAUSEWAY_STORE_GATE_H
#define CAUSEWAY_STORE_GATE_H

#include "gateway/net/timer.h"
#include "gateway/store/store.h"

struct gate {
    struct store *store;
    struct loop *loop;
    struct timer timer; /* runs while somebody waits for on_open */
    void (*on_open)(struct gate *g);
};

/* Loop: l for all that follows. */
void gate_init(struct gate *g, struct store *s, struct loop *l, void (*on_open)(struct gate *g));
/* No on_open comes after this. Needed only once gate_is_open was asked. */
void gate_fini(struct gate *g);
/* false: what was asked for stops reading; on_open comes once, later, for all who were told so. */
MUST_USE bool gate_is_open(struct gate *g);

#endif
