/* SPDX-License-Identifier: MIT */
/* A bare JID that is kept as text (the store's and the router's): its parts, without parsing it again. What
 * comes from a peer goes through jid.h. */
#ifndef CAUSEWAY_XMPP_BARE_H
#define CAUSEWAY_XMPP_BARE_H

#include <string.h>

/* The domainpart, inside `bare`; of a domain all of it. */
static inline const char *bare_domain(const char *bare)
{
    const char *at = strchr(bare, '@');
    return at ? at + 1 : bare;
}

#endif
