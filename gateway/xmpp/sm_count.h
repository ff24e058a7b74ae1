/* SPDX-License-Identifier: MIT */
/* The counters of stream management (XEP-0198 section 4): they wrap at 2^32. */
#ifndef CAUSEWAY_XMPP_SM_COUNT_H
#define CAUSEWAY_XMPP_SM_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/check.h"

/* Stanzas from counter `older` to counter `newer`. */
static inline uint32_t sm_count_between(uint32_t older, uint32_t newer)
{
    return newer - older; /* unsigned: modulo 2^32 */
}

/* The peer says that it has handled `h`; `acked` is what it said before, `sent` what was sent.
 * `*newly`: how many that acknowledges. false: it acknowledges what was never sent (or takes an
 * acknowledgement back): undefined-condition with handled-count-too-high. */
MUST_USE bool sm_count_ack(uint32_t acked, uint32_t sent, uint32_t h, uint32_t *newly);

/* `later` is not before `earlier`, as long as they are less than 2^31 apart. */
static inline bool sm_count_reached(uint32_t earlier, uint32_t later)
{
    return sm_count_between(earlier, later) < UINT32_C(1) << 31;
}

#endif
