/* SPDX-License-Identifier: MIT */
/* E-mail by the community's mail server. Where answers are taken, each mail has an address of its own, which is also
 * its envelope's sender: so a report that it did not arrive finds it too. A 5xx at the recipient is the fault of the
 * address; one about authentication is ours, and may be mended. */
#include <stdio.h>
#include <string.h>

#include "contact-router/delivery_text.h"
#include "contact-router/mail_text.h"
#include "contact-router/returns_mail.h"
#include "contact-router/sender.h"
#include "contact-router/signature.h"
#include "gateway/base/base64.h"

static void on_answer(void *user, const struct mail_response *r)
{
    struct sender_job *job = user;
    job->mail = NULL;
    struct sender_result result = { .event = OUTBOX_REFUSED_NOW, .provider_id = "", .reason = r->error.text };
    bool ours = r->code == 530 || r->code == 534 || r->code == 535 || r->code == 538;
    if (r->accepted)
        result.event = OUTBOX_ACCEPTED;
    else if (r->code >= 500 && !ours)
        result.event = OUTBOX_REFUSED;
    else if (!r->code && r->sent)
        result.event = OUTBOX_UNCLEAR;
    result.bad_address = result.event == OUTBOX_REFUSED && r->code >= 550 && r->code <= 553;
    job->on_done(job, &result);
}

static void on_refuse(struct command *c)
{
    struct sender_job *job = container_of(c, struct sender_job, refuse);
    struct sender_result result = { .event = OUTBOX_REFUSED, .provider_id = "", .reason = job->refusal };
    job->on_done(job, &result);
}

/* The same for every mail of a conversation, so that a mail reader shows them together; says nothing of
 * who takes part. */
static const char *thread_id(struct arena *a, const struct outbox_row *row)
{
    if (!*row->peer)
        return NULL;
    struct bytes hash = BYTES_EMPTY, text = BYTES_EMPTY;
    const char *both = arena_printf(a, "%s %s", row->account, row->peer);
    signature_sha256(span_of(both), &hash);
    base64_hex(&text, hash.data, 12);
    const char *id = arena_printf(a, "c.%s@%s", text.data, row->community);
    bytes_fini(&hash);
    bytes_fini(&text);
    return id;
}

/* `answers`: its own address for answers; NULL: there is none. */
static bool compose(struct sender_job *job, const struct contact_router_community *c, const char *answers,
                    struct arena *a, struct bytes *out, struct error *e)
{
    struct bytes subject = BYTES_EMPTY, body = BYTES_EMPTY;
    bool talk = job->row->purpose == OUTBOX_PURPOSE_MESSAGE || job->row->purpose == OUTBOX_PURPOSE_REQUEST;
    struct delivery_text t = {.row = job->row, .full_text = job->full_text, .answerable = talk && answers};
    delivery_text_mail(&t, &subject, &body);
    struct mail_text m = {.from_name =
                              arena_printf(a, "%s%s%s", talk ? job->row->peer : "", talk ? " via " : "", c->domain),
                          .from = c->mail_from,
                          .to = job->row->address,
                          .subject = bytes_text(&subject),
                          .body = bytes_text(&body),
                          .reply_to = talk ? answers : NULL,
                          .message_id = arena_printf(a, "%s@%s", job->row->d.ref, c->domain),
                          .thread = thread_id(a, job->row),
                          .now_us = job->now_us};
    bool ok = mail_text_compose(&m, out, e);
    bytes_fini(&subject);
    bytes_fini(&body);
    return ok;
}

void sender_mail_send(struct sender_job *job)
{
    const struct contact_router_community *c = contact_router_community(job->router, job->row->community);
    struct error e = ERROR_INIT;
    struct bytes message = BYTES_EMPTY, address = BYTES_EMPTY;
    struct arena a;
    arena_init(&a);
    bool can = (c && c->mail_url && job->router->mail) ||
               error_set(&e, ERROR_INVALID, "%s has no mail server", job->row->community);
    if (can)
        returns_mail_address(job->router, c, job->row->d.ref, &address);
    const char *answers = address.len ? address.data : NULL;
    if (can && compose(job, c, answers, &a, &message, &e)) {
        struct mail_request q = { .url = c->mail_url, .username = c->mail_user, .password = c->mail_password,
                                  .from = answers ? answers : c->mail_from, .to = job->row->address,
                                  .message = bytes_span(&message),
                                  .require_tls = c->mail_require_tls };
        job->mail = mail_send(job->router->mail, &q, on_answer, job);
    } else {
        memcpy(job->refusal, e.text, sizeof job->refusal);
        job->refuse.run = on_refuse;
        loop_post(job->router->loop, &job->refuse);
    }
    arena_fini(&a);
    bytes_fini(&message);
    bytes_fini(&address);
}

void sender_mail_cancel(struct sender_job *job)
{
    if (job->mail)
        mail_cancel(job->mail);
    job->mail = NULL;
}
