/* SPDX-License-Identifier: MIT */
/* What a client that nobody looks at need not have at once (XEP-0352), and the list of what waits for
 * it. PURE: no link, no loop, no timer; an active link has no list. */
#ifndef CAUSEWAY_C2S_C2S_CSI_H
#define CAUSEWAY_C2S_C2S_CSI_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/check.h"
#include "gateway/xmpp/stanza.h"

enum {
    C2S_CSI_COUNT_MAX = 512, /* of what waits for one link, */
    C2S_CSI_BYTES_MAX = 256 * 1024, /* and its bytes: with more it all goes out */
};

enum c2s_csi_urgency {
    C2S_CSI_NOW,    /* answers, what people say, and whatever is not known to be less */
    C2S_CSI_WAITS,  /* receipts, markers, events: each counts, none is in a hurry */
    C2S_CSI_NEWEST, /* presence of somebody's availability, "is typing": only the newest of each full JID */
    C2S_CSI_NEVER,  /* real-time text: it would come too late to be any */
};

enum c2s_csi_urgency c2s_csi_judge(const struct stanza *st);

struct c2s_csi; /* what waits, oldest first; NULL: nothing */

/* true: `st` need not be sent now; its count was taken, or it was dropped. false: it is urgent, or the list is
 * full: all that waits goes first, then it. seq as edge_link_ops.deliver has it: what has one is never
 * dropped. */
MUST_USE bool c2s_csi_hold(struct c2s_csi **h, struct stanza *st, uint64_t seq);
/* The oldest; the count is the caller's. false: there was none, and *h is NULL. */
MUST_USE bool c2s_csi_take(struct c2s_csi **h, struct stanza **st, uint64_t *seq);
void c2s_csi_drop(struct c2s_csi **h); /* *h may be NULL */

#endif
