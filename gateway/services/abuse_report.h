/* SPDX-License-Identifier: MIT */
/* A report inside an <item/> of a block (XEP-0377). PURE. */
#ifndef CAUSEWAY_SERVICES_ABUSE_REPORT_H
#define CAUSEWAY_SERVICES_ABUSE_REPORT_H

#include "gateway/store/reports.h"
#include "gateway/xmpp/stanza.h"

enum {
    ABUSE_REPORT_REASON_BYTES = 255,
    ABUSE_REPORT_WORDS_BYTES = 4096, /* what is longer is cut */
    ABUSE_REPORT_MESSAGES = 20,      /* the first of more */
};

/* Fills what the report itself says, in `a`. *found false: the item has none. Fails: bad-request for one without
 * a reason, with a <stanza-id/> that has no id or no by, or beside a second one. */
MUST_USE enum stanza_error abuse_report_read(struct report *out, bool *found, const struct element *item,
                                             const char *lang, struct arena *a);

#endif
