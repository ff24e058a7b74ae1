/* SPDX-License-Identifier: MIT */
/* Takes a mail apart (RFC 5322, MIME, RFC 3464) with GMime, HTML with libxml2. Runs in causeway-mail-reader alone: a
 * process of its own, with limits, that ends after one mail. */
#ifndef CAUSEWAY_CONTACT_ROUTER_MAIL_READ_H
#define CAUSEWAY_CONTACT_ROUTER_MAIL_READ_H

#include "gateway/base/bytes.h"

/* Once, before anything else. */
void mail_read_init(void);
/* Appends what the mail says, as mail_answer_write has it. false: it is no mail. */
bool mail_read(struct span mail, struct bytes *out);

#endif
