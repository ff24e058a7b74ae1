/* SPDX-License-Identifier: MIT */
/* Deliveries that are with a sender, and what becomes of them. Loop: the router's. */
#ifndef CAUSEWAY_CONTACT_ROUTER_FLIGHT_H
#define CAUSEWAY_CONTACT_ROUTER_FLIGHT_H

#include "contact-router/outbox_store.h"

struct contact_router;

/* One that the worker took: SENDING in the store. Copied. */
struct flight_load {
    struct outbox_row row;
    bool full_text;   /* its device gets what was said */
    const char *lang; /* of the device; "": not said */
    int64_t now_us;   /* when it was taken */
};

/* Ends with its outcome in the store, and worker_kick. */
void flight_launch(struct contact_router *r, const struct flight_load *load);
/* The router stops: what was under way is in doubt when it starts again. */
void flight_cancel_all(struct contact_router *r);

#endif
