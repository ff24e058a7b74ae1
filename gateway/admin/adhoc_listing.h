/* SPDX-License-Identifier: MIT */
/* Tables of the gateway's parts (gateway/exchange/listing.h) in commands. */
#ifndef CAUSEWAY_ADMIN_ADHOC_LISTING_H
#define CAUSEWAY_ADMIN_ADHOC_LISTING_H

#include "gateway/admin/adhoc.h"

enum { ADHOC_LISTING_ROWS = 500 }; /* shown at once: a stanza has an end */

typedef void adhoc_listing_fn(struct adhoc_call *c, const struct listing *l, const struct listing_query *q);

/* Asks for rows of the call's domain; then goes on with them, or refuses the call. key NULL or "": all. */
void adhoc_listing_ask(struct adhoc_call *c, const char *name, const char *key, unsigned limit, adhoc_listing_fn *then);
/* Finishes the call with the table. */
void adhoc_listing_show(struct adhoc_call *c, const char *name, const char *key);
/* For adhoc_listing_ask: finishes with the first row, a field a column; item-not-found without one. */
adhoc_listing_fn adhoc_listing_show_one;
/* Of a row, by the column's name; "" when empty. */
const char *adhoc_listing_cell(const struct listing *l, const struct listing_row *r, const char *var);

#endif
