/* SPDX-License-Identifier: MIT */
/* HTML as plain text, well enough for an answer: lines where blocks end, quotations as quoted lines, neither scripts
 * nor styles. By libxml2's forgiving parser. */
#ifndef CAUSEWAY_CONTACT_ROUTER_MAIL_HTML_H
#define CAUSEWAY_CONTACT_ROUTER_MAIL_HTML_H

#include "gateway/base/bytes.h"

/* `html`: UTF-8. Appends. */
void mail_html_text(struct span html, struct bytes *out);

#endif
