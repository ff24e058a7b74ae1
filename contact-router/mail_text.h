/* SPDX-License-Identifier: MIT */
/* A mail as RFC 5322 and MIME have it: UTF-8 text, quoted-printable, encoded-word subject, folded
 * headers, CRLF lines. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_MAIL_TEXT_H
#define CAUSEWAY_CONTACT_ROUTER_MAIL_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/bytes.h"
#include "gateway/base/error.h"

struct mail_text {
    const char *from_name, *from; /* name may be UTF-8; NULL: none */
    const char *to;
    const char *subject, *body;   /* UTF-8; body lines end with \n */
    const char *reply_to;         /* NULL: none */
    const char *message_id, *thread; /* without angle brackets; thread NULL: none */
    int64_t now_us;
};

/* Appends the mail. ERROR_INVALID: an address or id holds what must not stand in a header. */
MUST_USE bool mail_text_compose(const struct mail_text *m, struct bytes *out, struct error *e);

#endif
