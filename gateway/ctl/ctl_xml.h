/* SPDX-License-Identifier: MIT */
/* Reading libstrophe's stanzas. */
#ifndef CAUSEWAY_CTL_XML_H
#define CAUSEWAY_CTL_XML_H

#include <strophe.h>

#include "gateway/base/arena.h"

#define CTL_NS_COMMANDS "http://jabber.org/protocol/commands"
#define CTL_NS_DATA "jabber:x:data"

/* First child of that name, and the next one behind it; NULL: none. name NULL: any element. */
xmpp_stanza_t *ctl_xml_child(xmpp_stanza_t *parent, const char *name);
xmpp_stanza_t *ctl_xml_next(xmpp_stanza_t *sibling, const char *name);
/* The text directly inside, in `a`; "" when there is none (or no element). */
const char *ctl_xml_text(struct arena *a, xmpp_stanza_t *st);

#endif
