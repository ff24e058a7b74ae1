/* SPDX-License-Identifier: MIT */
/* String preparation: the stringprep profiles of RFC 6122 (nodeprep, resourceprep) and RFC 4013
 * (saslprep), and names of domains by IDNA 2008 with the mapping of UTS 46. Pure ASCII, which
 * nearly everything is, never enters a library. Code points that Unicode 3.2 did not know (emoji)
 * pass. */
#ifndef CAUSEWAY_XMPP_PREP_H
#define CAUSEWAY_XMPP_PREP_H

#include <stddef.h>

#include "gateway/base/check.h"

enum { PREP_MAX = 1023 }; /* bytes a part of a JID may have after preparation */

/* Each writes the prepared text, NUL-terminated, and returns its length; 0: not allowed, or empty.
 */
MUST_USE size_t prep_node(char out[PREP_MAX + 1], const char *text, size_t len);
MUST_USE size_t prep_resource(char out[PREP_MAX + 1], const char *text, size_t len);
MUST_USE size_t prep_sasl(char out[PREP_MAX + 1], const char *text, size_t len);
/* As a JID shows it: lower case, U-labels, no final dot; also [v6] and v4 literals. */
MUST_USE size_t prep_domain(char out[PREP_MAX + 1], const char *text, size_t len);
/* As DNS and certificates show it: A-labels. `text` is what prep_domain made. */
MUST_USE size_t prep_domain_ascii(char out[PREP_MAX + 1], const char *text);

#endif
