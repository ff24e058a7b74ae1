/* SPDX-License-Identifier: MIT */
/* PURE: what a message weighs. Worth keeping or only passing on; worth an archive; is it somebody
 * writing to somebody? XEP-0334, XEP-0313 section 5.1.3. */
#ifndef CAUSEWAY_EXCHANGE_MESSAGE_H
#define CAUSEWAY_EXCHANGE_MESSAGE_H

#include <stdbool.h>

#include "gateway/xmpp/stanza.h"

struct message_weight {
    bool is_known; /* it was weighed; else nothing below is said */
    bool keep;    /* a queue holds it until somebody has it */
    bool archive; /* archives of those who have one get it */
    bool says;    /* chat or normal with a body or encrypted payload, or an invitation: a stranger's
                   * makes a contact request, one's own makes the other no stranger */
};

struct message_weight message_weigh(const struct stanza *msg);
/* Body-less state, real-time text, marker or receipt: what a stranger's message of that kind is
 * dropped for. */
bool message_is_state(const struct stanza *msg);
/* Without what its recipient must not see of it: <stanza-id/> that claims to be by `by` (a bare JID;
 * XEP-0359 section 6), carbons that others made, and <private/> (XEP-0280). A new count; the same stanza,
 * counted, when there is nothing of that kind. */
struct stanza *message_strip(struct stanza *msg, const char *by);

#endif
