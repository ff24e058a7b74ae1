/* SPDX-License-Identifier: MIT */
/* What a provider says of a delivery goes into the outbox. */
#ifndef CAUSEWAY_CONTACT_ROUTER_RETURNS_STATUS_H
#define CAUSEWAY_CONTACT_ROUTER_RETURNS_STATUS_H

#include "contact-router/outbox_store.h"
#include "contact-router/returns.h"

/* As returns_inbound, for an event that is a status. */
void returns_status(const struct returns_request *q);
/* Which delivery an event is about: that of its address or ref, else the provider's id. row->d.ref is NULL: none of
 * this provider's. In a transaction. */
MUST_USE bool returns_status_delivery(struct store_tx *tx, const struct returns_request *q, struct arena *a,
                                      struct outbox_row *row, struct error *e);

#endif
