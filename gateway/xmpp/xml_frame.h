/* SPDX-License-Identifier: MIT */
/* What a stream sends, as documents of their own (RFC 7395 section 3.3): behind a stream header an element may lean on
 * the namespaces that the header declared; in a WebSocket each has to declare them itself. */
#ifndef CAUSEWAY_XMPP_XML_FRAME_H
#define CAUSEWAY_XMPP_XML_FRAME_H

#include <stdbool.h>

#include "gateway/base/bytes.h"

/* Takes the first element off `*rest`, which is well-formed, ours, and has no comments or CDATA, and appends it to
 * `out` with jabber:client and the prefix `stream` declared where it uses them undeclared. false: there is none. */
bool xml_frame_next(struct bytes *out, struct span *rest);

#endif
