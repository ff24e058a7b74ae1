/* SPDX-License-Identifier: MIT */
/* One interface, several ways out: a sender takes one delivery and says exactly once, later, what became
 * of it. Loop: the router's. */
#ifndef CAUSEWAY_CONTACT_ROUTER_SENDER_H
#define CAUSEWAY_CONTACT_ROUTER_SENDER_H

#include "contact-router/outbox.h"
#include "contact-router/router_internal.h"
#include "contact-router/voice_speak.h"

struct sender_result {
    enum outbox_event event;  /* ACCEPTED, REFUSED_NOW, REFUSED, UNCLEAR */
    bool bad_address, optout;
    uint64_t retry_after_ms;
    const char *provider_id;  /* "": none; borrowed for the call */
    const char *reason;       /* for a person; borrowed */
};

/* What is to be sent: borrowed until on_done or sender_cancel. */
struct sender_job {
    struct contact_router *router;
    const struct outbox_row *row;
    bool full_text;
    const char *lang;         /* of the device; "": not said */
    struct router_provider *provider; /* NULL: mail */
    void (*on_done)(struct sender_job *job, const struct sender_result *result);
    /* the sender's */
    struct http_call *http;
    struct mail_call *mail;
    struct voice_speak speak;
    struct bytes document;    /* of a call, when the request holds it; until it is sent */
    struct command refuse;    /* for what fails before it is tried */
    char refusal[256];
    int64_t now_us;
};

void sender_http_send(struct sender_job *job);
void sender_http_cancel(struct sender_job *job);
void sender_voice_send(struct sender_job *job);
void sender_voice_cancel(struct sender_job *job);
void sender_mail_send(struct sender_job *job);
void sender_mail_cancel(struct sender_job *job);

#endif
