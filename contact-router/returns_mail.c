/* SPDX-License-Identifier: MIT */
/* A mail is read by a child (causeway-mail-reader), two at a time; then it goes where its recipient's token says: a
 * report into the outbox, words into the conversation. What cannot be taken is refused, so that the mail server tells
 * its writer why; what a machine wrote is taken and goes nowhere, so that two machines do not talk for ever. */
#include "contact-router/returns_mail.h"

#include <string.h>

#include "contact-router/limited_child.h"
#include "contact-router/mail_address.h"
#include "contact-router/mail_answer.h"
#include "contact-router/returns.h"
#include "contact-router/returns_status.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

enum { READING_MAX = 2, WAITING_MAX = 64, CHILD_MB = 256 };

struct mailing {
    struct list node; /* in r->mails until it is read */
    struct contact_router *r;
    struct lmtp_mail *mail;
    const struct lmtp_incoming *in;
    struct limited_child *child; /* while it is read */
    struct bytes said_text;
    bool too_much;               /* the child said more than it may */
    struct arena arena;
    struct mail_answer said;
    struct hook_event event;     /* of the recipient whose turn it is */
    unsigned at;                 /* that one */
};

static void read_more(struct contact_router *r);

/* -- addresses -- */

void returns_mail_address(const struct contact_router *r, const struct contact_router_community *c, const char *ref,
                          struct bytes *out)
{
    if (c->mail_answers)
        mail_address_write(r->hook_key, c->mail_answers, ref, out);
}

static bool ref_of(const struct contact_router *r, const char *recipient, char ref[RANDOM_ID_LEN + 1])
{
    const struct router_community *rc;
    for (size_t i = 0; (rc = registry_next(&r->communities, &i));)
        if (rc->c.mail_answers && mail_address_read(r->hook_key, rc->c.mail_answers, recipient, ref))
            return true;
    return false;
}

const char *returns_mail_refuse(struct contact_router *r, const char *recipient)
{
    char ref[RANDOM_ID_LEN + 1];
    if (!r->running)
        return "The gateway is not running";
    return ref_of(r, recipient, ref) ? NULL : "Not an address that we gave out: answer the mail itself";
}

/* -- what it says, to each recipient -- */

static void finish(struct mailing *g)
{
    bytes_fini(&g->said_text);
    arena_fini(&g->arena);
    mem_free(g);
}

static void dispatch(struct mailing *g);

static void reply(struct mailing *g, const char *text)
{
    unsigned at = g->at++;
    bool last = g->at == g->in->recipient_count; /* the mail may go with its last answer */
    lmtp_answer(g->mail, at, text);
    if (last)
        finish(g);
    else
        dispatch(g);
}

static void reply_all(struct mailing *g, const char *text)
{
    unsigned count = g->in->recipient_count;
    for (unsigned i = 0; i < count; i++)
        lmtp_answer(g->mail, i, text);
    finish(g);
}

static void on_returned(void *user, const struct error *e)
{
    struct mailing *g = user;
    if (e->code == ERROR_NONE)
        reply(g, "250 2.0.0 Taken");
    else if (e->code == ERROR_DENIED)
        reply(g, arena_printf(&g->arena, "550 5.7.1 %s", e->text));
    else
        reply(g, "451 4.3.0 Not now");
}

/* What was not taken over is said, so that nobody thinks it arrived. */
static const char *words_of(struct mailing *g)
{
    const struct mail_answer *m = &g->said;
    if (!m->attachments)
        return m->text;
    return arena_printf(&g->arena, "%s%s[%u attachment%s: not passed on]", m->text, *m->text ? "\n" : "",
                        m->attachments, m->attachments == 1 ? "" : "s");
}

static void take_words(struct mailing *g, const char *ref)
{
    const char *text = words_of(g);
    if (!*text) {
        reply(g, "550 5.6.0 Nothing new stands in the mail: write above what you answer");
        return;
    }
    g->event = (struct hook_event){
        .from = g->said.from,
        .text = text,
        .dedup = *g->said.id ? arena_printf(&g->arena, "%s/%s", ref, g->said.id) : NULL,
    };
    returns_inbound(&(struct returns_request){
        .r = g->r, .ref = ref, .event = &g->event, .done = on_returned, .user = g});
}

static void take_report(struct mailing *g, const char *ref, enum profile_state state)
{
    g->event = (struct hook_event){.state = state,
                                   .status = state == PROFILE_STATE_FAILED ? "not delivered" : "delivered",
                                   .error_code = g->said.status,
                                   .error_text = g->said.reason};
    returns_status(&(struct returns_request){
        .r = g->r, .ref = ref, .event = &g->event, .done = on_returned, .user = g});
}

static void dispatch(struct mailing *g)
{
    char ref[RANDOM_ID_LEN + 1];
    if (!ref_of(g->r, g->in->recipients[g->at], ref)) { /* the configuration changed since RCPT */
        reply(g, "550 5.1.1 Not an address that we gave out");
        return;
    }
    switch (g->said.kind) {
    case MAIL_ANSWER_WORDS:
        if (*g->in->sender) {
            take_words(g, ref);
            return;
        }
        break; /* from nobody, and no report: some other machine's */
    case MAIL_ANSWER_FAILED:
        take_report(g, ref, PROFILE_STATE_FAILED);
        return;
    case MAIL_ANSWER_DELIVERED:
        take_report(g, ref, PROFILE_STATE_DELIVERED);
        return;
    case MAIL_ANSWER_AUTOMATIC:
    case MAIL_ANSWER_DELAYED:
    case MAIL_ANSWER_UNKNOWN:
        break;
    }
    log_info(NULL, "mail: a machine's answer to delivery %s goes nowhere", ref);
    reply(g, "250 2.0.0 Taken, and not passed on: no person wrote it");
}

/* -- reading -- */

static void on_output(void *user, struct span data)
{
    struct mailing *g = user;
    g->too_much = g->too_much || g->said_text.len + data.len > MAIL_ANSWER_MAX;
    if (!g->too_much)
        bytes_append(&g->said_text, data.data, data.len);
}

static void on_read(void *user, const struct error *why, uint64_t cpu_us)
{
    struct mailing *g = user;
    struct contact_router *r = g->r;
    struct error e = *why;
    (void)cpu_us;
    g->child = NULL;
    list_remove(&g->node);
    r->mails_reading--;
    if (e.code == ERROR_NONE && g->too_much)
        error_set(&e, ERROR_INVALID, "the reader said too much");
    if (e.code == ERROR_NONE && mail_answer_read(bytes_span(&g->said_text), &g->arena, &g->said, &e)) {
        dispatch(g);
    } else {
        log_warn(NULL, "mail: one of %zu bytes cannot be read: %s", g->in->message.len, e.text);
        reply_all(g, e.code == ERROR_TEMPORARY && !g->said_text.len ? "554 5.6.0 That is no mail"
                                                                     : "554 5.6.0 The mail cannot be read");
    }
    read_more(r);
}

static bool start(struct mailing *g, struct error *e)
{
    const char *argv[] = {g->r->mail_reader, NULL};
    struct limited_child_options o = {.loop = g->r->loop,
                                      .argv = argv,
#ifndef CAUSEWAY_SANITIZED /* a sanitizer's shadow is terabytes of addresses */
                                      .memory_mb = CHILD_MB,
#endif
                                      .input = g->in->message,
                                      .on_output = on_output,
                                      .on_end = on_read,
                                      .user = g};
    g->child = limited_child_start(&o, e);
    return g->child != NULL;
}

static void read_more(struct contact_router *r)
{
    list_each(it, &r->mails) {
        struct mailing *g = list_entry(it, struct mailing, node);
        struct error e = ERROR_INIT;
        if (r->mails_reading == READING_MAX)
            return;
        if (g->child)
            continue;
        if (start(g, &e)) {
            r->mails_reading++;
            continue;
        }
        log_error(NULL, "mail: %s; mails are refused for now, and their senders try again", e.text);
        list_remove(&g->node);
        reply_all(g, "451 4.3.0 Mail cannot be read now");
    }
}

void returns_mail_take(struct contact_router *r, struct lmtp_mail *m, const struct lmtp_incoming *in)
{
    struct mailing *g = mem_new(struct mailing);
    unsigned waiting = 0;
    list_each(it, &r->mails)
        waiting++;
    g->r = r;
    g->mail = m;
    g->in = in;
    arena_init(&g->arena);
    if (!r->running || waiting >= WAITING_MAX) {
        reply_all(g, "451 4.3.2 Not now");
        return;
    }
    list_append(&r->mails, &g->node);
    read_more(r);
}

void returns_mail_stop(struct contact_router *r)
{
    list_each(it, &r->mails) {
        struct mailing *g = list_entry(it, struct mailing, node);
        if (g->child)
            limited_child_kill(g->child);
        list_remove(&g->node);
        reply_all(g, "451 4.3.2 The gateway is going down");
    }
    r->mails_reading = 0;
}
