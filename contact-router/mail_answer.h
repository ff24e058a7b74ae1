/* SPDX-License-Identifier: MIT */
/* What a mail says to us, as causeway-mail-reader tells it to the gateway: header lines, an empty line, the text. The
 * gateway takes nothing of it for granted: who reads mail from everywhere may have been taken over. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_MAIL_ANSWER_H
#define CAUSEWAY_CONTACT_ROUTER_MAIL_ANSWER_H

#include "gateway/base/arena.h"
#include "gateway/base/bytes.h"
#include "gateway/base/error.h"

enum { MAIL_ANSWER_MAX = 64 * 1024, MAIL_ANSWER_TEXT_MAX = 32 * 1024 };

enum mail_answer_kind {
    MAIL_ANSWER_WORDS,     /* somebody wrote something */
    MAIL_ANSWER_AUTOMATIC, /* a machine did: on holiday, a mailing list (RFC 3834) */
    MAIL_ANSWER_FAILED,    /* a report about a mail of ours (RFC 3464): it did not arrive */
    MAIL_ANSWER_DELAYED,   /* it has not arrived yet */
    MAIL_ANSWER_DELIVERED, /* it did, or was handed on */
    MAIL_ANSWER_UNKNOWN,   /* a report without anything that we understand */
};

struct mail_answer {
    enum mail_answer_kind kind;
    const char *from;      /* the address of From; "": none */
    const char *id;        /* Message-ID without brackets; "": none */
    const char *status;    /* of a report: "5.1.1"; "": none */
    const char *reason;    /* of a report, for people; "": none */
    uint32_t attachments;
    const char *text;      /* UTF-8, what was written anew; "": nothing */
};

void mail_answer_write(const struct mail_answer *m, struct bytes *out);
/* false and *e: it is not what mail_answer_write writes. */
MUST_USE bool mail_answer_read(struct span text, struct arena *a, struct mail_answer *out, struct error *e);

#endif
