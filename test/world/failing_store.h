/* SPDX-License-Identifier: MIT */
/* A store in memory that fails as on a full disk: its writer may only read. It tries again by itself every
 * second, as it does, and fails each time until it is mended. */
#ifndef CAUSEWAY_TEST_FAILING_STORE_H
#define CAUSEWAY_TEST_FAILING_STORE_H

#include "gateway/store/store.h"

/* Both return when it is so. `s` was opened as ":memory:". */
void failing_store_break(struct store *s);
void failing_store_mend(struct store *s);

#endif
