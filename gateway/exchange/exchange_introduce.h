/* SPDX-License-Identifier: MIT */
/* Whoever invited somebody who made an account by it gets them as a contact, both seeing each other (XEP-0401 section
 * 4.3.2). The other half of it, the new account's roster, was written with the account. Internal. */
#ifndef CAUSEWAY_EXCHANGE_EXCHANGE_INTRODUCE_H
#define CAUSEWAY_EXCHANGE_EXCHANGE_INTRODUCE_H

struct exchange;

/* Those that a process which ended was to make. Loop: the first shard's, or before the loops run. */
void exchange_introduce_start(struct exchange *x);

#endif
