/* SPDX-License-Identifier: MIT */
/* Reaching a person who has no link: declared here, implemented by contact-router. The exchange
 * decides that somebody must be reached and keeps it (a row in `reach_events`, in the transaction of
 * the message: struct reach_event in gateway/store/sessions.h); contact-router plans, sends, and reports; answers come
 * back as messages. */
#ifndef CAUSEWAY_EXCHANGE_REACH_H
#define CAUSEWAY_EXCHANGE_REACH_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/exchange/settle.h"
#include "gateway/store/sessions.h"
#include "gateway/store/store.h"
#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/stanza.h"

struct exchange;

struct reach {
    const struct reach_ops *ops;
};

struct reach_ops {
    /* New rows of `callee` were committed. Any exchange loop. */
    void (*wake)(struct reach *r, const char *callee);
    /* The callee logged on, read or answered: what is not sent yet of these events need not be.
     * peer NULL: all conversations. */
    void (*stop)(struct reach *r, const char *callee, const char *peer);
    /* A line that an account wrote to its domain ("devices", "add email ..."). Answers by `reply`
     * exactly once, later, on the callee's loop: `refused` names why it was not done (STANZA_OK: it was), the
     * text says it to the person. false: not a command that concerns devices; reply is not called. */
    bool (*command)(struct reach *r, const struct jid *account, const char *line,
                    void (*reply)(void *user, enum stanza_error refused, const char *text), void *user);
    /* An admin of `domain` has a delivery that came to nothing tried once more. As command answers, on the loop of
     * `domain`. */
    void (*retry)(struct reach *r, const char *domain, const char *ref,
                  void (*reply)(void *user, enum stanza_error refused, const char *text), void *user);
    /* The lines for "help". */
    const char *(*help)(struct reach *r);
};

/* ---- from contact-router to the exchange; any loop ---- */

enum reach_progress {
    REACH_SENT,      /* handed to a provider or mail server */
    REACH_DELIVERED, /* the device confirmed */
    REACH_READ,
    REACH_EXHAUSTED, /* there was nothing to try, or nobody knows whether it got through */
    REACH_OVER_LIMIT, /* as REACH_EXHAUSTED, since who wrote, or their community, has caused enough for now */
    REACH_OVER_BUDGET, /* as REACH_EXHAUSTED, since the callee's community has spent its budget */
    REACH_FAILED,      /* each device that was tried, or would have been, refused or did not answer */
};
/* `device` is a word for people: "text message", "e-mail". What the asker learns of it is decided in
 * the exchange (session_reach.c). */
void exchange_reach_progress(struct exchange *x, const char *callee, const char *peer, uint64_t seq,
                             enum reach_progress p, const char *device);

enum reach_verb { REACH_SAY, REACH_ACCEPT, REACH_DECLINE, REACH_BLOCK };
struct reach_answer {
    const char *callee, *peer; /* bare JIDs */
    enum reach_verb verb;
    const char *text;   /* for REACH_SAY */
    const char *via;    /* "sms", "email", "voice", "pager" */
    const char *dedup;  /* provider's id of the answer: the message's id is made of it */
    /* After the answer is committed (e->code ERROR_NONE) or refused; on any loop. */
    void (*done)(void *user, const struct error *e);
    void *user;
};
/* What a person answered on a device, into the conversation. Copied. */
void exchange_reach_answer(struct exchange *x, const struct reach_answer *a);

#endif
