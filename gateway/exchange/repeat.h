/* SPDX-License-Identifier: MIT */
/* What a client says again after its stream broke, because it did not see the acknowledgement: the same
 * origin-id (XEP-0359) to the same recipient, on a later stream, within ten minutes of the broken one.
 * It is settled without a second delivery. Internal; in memory only, for
 * the newest messages of a person. */
#ifndef CAUSEWAY_EXCHANGE_REPEAT_H
#define CAUSEWAY_EXCHANGE_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/xmpp/stanza.h"

enum { REPEAT_MARKS = 64, REPEAT_MS = 600000 };

struct repeats; /* of a person */

/* Notes a message of `stream`; true: it is a repeat. *r is made when it is first needed. */
bool repeat_note(struct repeats **r, const struct stanza *msg, uint64_t stream, uint64_t now_ms);
/* It was refused: a repeat is a new attempt. */
void repeat_forget(struct repeats *r, const struct stanza *error);
/* The stream has ended. */
void repeat_stream_ended(struct repeats *r, uint64_t stream, uint64_t now_ms);
void repeat_destroy(struct repeats **r);

#endif
