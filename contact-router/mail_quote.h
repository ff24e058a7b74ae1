/* SPDX-License-Identifier: MIT */
/* What somebody wrote anew in the answer to a mail: without the mail that it answers, and without a signature. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_MAIL_QUOTE_H
#define CAUSEWAY_CONTACT_ROUTER_MAIL_QUOTE_H

#include "gateway/base/bytes.h"

/* Stands at the top of our mails; what comes back below it is ours. Without blanks around it. */
#define MAIL_QUOTE_LINE "--- write your answer above this line ---"

/* RFC 3676: lines that end with a blank go on in the next one. Appends. */
void mail_quote_unflow(struct span text, bool delsp, struct bytes *out);
/* `text`: UTF-8, lines end with \n (a CR before it is dropped). Appends; nothing: nothing was written. */
void mail_quote_strip(struct span text, struct bytes *out);

#endif
