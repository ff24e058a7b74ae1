/* SPDX-License-Identifier: MIT */
/* A line that an account writes to its domain goes to who understands it: sessions first, then devices,
 * and what nobody understands gets a line that says so. Only people of the same community are
 * answered. What carries urn:causeway:contact:1 is a machine's and never answered, so that two
 * domains cannot talk to each other for ever. */
#include "gateway/services/contact_request.h"

#include <stddef.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/reach.h"
#include "gateway/exchange/session.h"
#include "gateway/exchange/settle.h"
#include "gateway/xmpp/ns.h"

enum { LINE_MAX_BYTES = 4096 };

/* One line on its way. */
struct asked {
    struct exchange *x;
    struct jid *who;       /* full JID of the one who wrote */
    char *line;
    struct settle *settle; /* a count; NULL: nobody waits */
    char *answer;          /* of the devices; NULL: none yet */
};

static void finish(struct asked *q)
{
    settle_release(&q->settle);
    jid_destroy(&q->who);
    mem_free(q->line);
    mem_free(q->answer);
    mem_free(q);
}

/* On the callee's loop again; the person may have left memory meanwhile. */
static void give_answer(struct person *p, void *user)
{
    struct asked *q = user;
    if (p)
        session_command_reply(p, q->who, q->answer);
    finish(q);
}

static void on_device_reply(void *user, enum stanza_error refused, const char *text)
{
    (void)refused; /* the text says it too */
    struct asked *q = user;
    q->answer = mem_dup(text);
    exchange_with_person(q->x, q->who->bare, give_answer, q);
}

static void ask(struct person *p, void *user)
{
    struct asked *q = user;
    struct reach *r = exchange_reach(q->x);
    if (!p) { /* deleted meanwhile */
        finish(q);
        return;
    }
    if (session_command_line(p, q->who, q->line)) {
        finish(q);
        return;
    }
    if (r && r->ops->command(r, q->who, q->line, on_device_reply, q))
        return;
    session_command_reply(p, q->who, "I do not understand that. Write \"help\" for what I understand.");
    finish(q);
}

static bool is_machine(const struct stanza *msg)
{
    for (const struct element *e = stanza_first(msg); e; e = e->next)
        if (text_eq(e->ns, NS_CONTACT))
            return true;
    return false;
}

static enum service_result on_domain_message(struct exchange *x, struct stanza *msg, struct settle *s)
{
    if (msg->to->resource || msg->type == MESSAGE_ERROR)
        return SERVICE_PASS;
    const char *body = stanza_body(msg);
    bool ours = msg->from && msg->from->local && text_eq(msg->from->domain, msg->to->domain);
    if (ours && (!body || is_machine(msg))) /* chat states, receipts, our own words copied back */
        return SERVICE_HANDLED;
    if (!ours || msg->type == MESSAGE_GROUPCHAT || msg->type == MESSAGE_HEADLINE)
        return SERVICE_PASS; /* service-unavailable */
    struct asked *q = mem_new(struct asked);
    q->x = x;
    q->who = jid_dup(msg->from);
    q->line = mem_alloc(LINE_MAX_BYTES);
    (void)text_copy(q->line, LINE_MAX_BYTES, text_skip_blank(body));
    q->settle = settle_hold(s);
    exchange_with_person(x, q->who->bare, ask, q);
    return SERVICE_HANDLED;
}

static const struct service_xep xeps[] = {
    {"0439", "0.3", "quick responses of a contact request"},
    {NULL, NULL, NULL},
};
static const char *const domain_features[] = {NS_CONTACT, NULL};

const struct service contact_request_service = {
    .name = "contact request",
    .xeps = xeps,
    .domain_features = domain_features,
    .on_domain_message = on_domain_message,
};
