/* SPDX-License-Identifier: MIT */
/* Counting modulo 2^32 (XEP-0198 section 5): is what the peer says it has taken possible? */
#include "gateway/xmpp/sm_count.h"

bool sm_count_ack(uint32_t acked, uint32_t sent, uint32_t h, uint32_t *newly)
{
    *newly = sm_count_between(acked, h);
    if (*newly <= sm_count_between(acked, sent))
        return true;
    *newly = 0;
    return false;
}
