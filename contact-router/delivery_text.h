/* SPDX-License-Identifier: MIT */
/* What a delivery says: who writes, from which community, the code of the conversation, and how to
 * answer. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_DELIVERY_TEXT_H
#define CAUSEWAY_CONTACT_ROUTER_DELIVERY_TEXT_H

#include "contact-router/outbox_store.h"

struct delivery_text {
    const struct outbox_row *row;
    bool full_text;         /* the device carries the whole text */
    bool answerable;        /* an answer on this device finds its way back */
    unsigned segments_max;  /* text messages */
    unsigned characters_max; /* 0: no limit but the segments */
};

/* For a text message. */
void delivery_text_sms(const struct delivery_text *t, struct bytes *out);
/* For a mail: subject and body (lines end with \n). */
void delivery_text_mail(const struct delivery_text *t, struct bytes *subject, struct bytes *body);

#endif
