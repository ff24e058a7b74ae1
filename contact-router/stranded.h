/* SPDX-License-Identifier: MIT */
/* Deliveries whose provider is not at work any more: since it is off (a mistake in its profile or secrets) or gone from
 * the configuration. Who is at work is constant, so what becomes of them is decided once, at the start. Inside a
 * transaction. */
#ifndef CAUSEWAY_CONTACT_ROUTER_STRANDED_H
#define CAUSEWAY_CONTACT_ROUTER_STRANDED_H

#include "contact-router/delivery.h"

struct stranded {
    unsigned waiting;     /* until their provider is on again, or it is too late */
    unsigned handed_over; /* never tried: to the provider that serves such devices of that community now */
    unsigned given_up;    /* nobody is there who could: the next step of the plan runs at once */
};

MUST_USE bool stranded_settle(struct delivery_batch *b, struct stranded *out, struct error *e);
/* Those that waited as long as they would have been tried (delivery_life_us) are given up. */
MUST_USE bool stranded_give_up(struct delivery_batch *b, struct error *e);

#endif
