/* SPDX-License-Identifier: MIT */
/* PURE: what a sender is told of a message that waits for another community's server. Internal to
 * gateway/exchange; exchange_remote_delayed (edge.h) sends it. */
#ifndef CAUSEWAY_EXCHANGE_DELAYED_H
#define CAUSEWAY_EXCHANGE_DELAYED_H

#include "gateway/xmpp/stanza.h"

/* A chat message from the sender's domain, in the language nearest to that of `msg`: nobody speaks in the name of
 * somebody of another community. For machines <delayed xmlns='urn:causeway:queue:1'/> says of which message, since
 * when, and until when it is tried. */
struct stanza *delayed_notice(const struct stanza *msg, int64_t since_us, int64_t until_us);

#endif
