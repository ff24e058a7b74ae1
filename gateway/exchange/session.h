/* SPDX-License-Identifier: MIT */
/* Messaging sessions of one person: consent (who has let whom in) and reach (how far reaching the
 * person has got). Performs the effects of the two pure machines (consent.h, reach_state.h):
 * hold, notify, wake, deliver, expire. Called by the person's inbox; everything here is on the
 * person's loop and touches that person only.
 *
 * A PERSON_NOBODY goes through the same functions as a PERSON_READY (load, admit, prepare_keep, kept),
 * so that an asker cannot tell the two apart. */
#ifndef CAUSEWAY_EXCHANGE_SESSION_H
#define CAUSEWAY_EXCHANGE_SESSION_H

#include "gateway/exchange/consent.h"
#include "gateway/exchange/reach.h"
#include "gateway/exchange/service.h"
#include "gateway/store/journal.h"

struct sessions; /* all of one person; hangs on struct person */

/* Part of loading a person, after it is known whether the account exists: reads the consent and
 * session rows; on_loaded exactly once, later. `s` NULL: the store could not be read. */
void session_load(struct person *p, void (*on_loaded)(struct person *p, struct sessions *s));
void session_unload(struct sessions **s); /* the person leaves memory, or loading was in vain */
/* p->state is READY or NOBODY and p->sessions set: takes up what a crash interrupted. */
void session_ready(struct person *p);

enum session_verdict {
    SESSION_DELIVER, /* known sender: archive and pending queue, then links, then devices */
    SESSION_HOLD,    /* a contact request: kept in "h:", notice and prompt after the commit */
    SESSION_REFUSE,  /* with the error that was set; nothing is kept */
    SESSION_DROP,    /* settled silently: body-less states and receipts of strangers */
};

/* What becomes of a message (any type but error) addressed to this person's bare or full JID.
 * groupchat is never held: DELIVER then means RFC 6121 section 8. Changes nothing. */
enum session_verdict session_admit(struct person *p, const struct stanza *msg, enum stanza_error *why);
/* Prepares the keep of an admitted message (k->stanza is set), right after session_admit and before
 * journal_keep. The exchange has filled what an ordinary delivery needs: queue[0] "u:BARE",
 * archive[0]/peer[0] the callee's (NULL if it has none or the message does not want it),
 * archive[1]/peer[1] a local sender's. HOLD changes queue[0] to "h:CALLEE PEER" and clears archive[0];
 * DELIVER leaves them. k->also and k->also_user are the session's: what else the same transaction must
 * write (consent row, reach event when there is no link). `a` lives until the keep is done. */
void session_prepare_keep(struct person *p, enum session_verdict v, struct keep *k, struct arena *a);
/* After its commit: tells the asker, prompts the callee, wakes contact-router. `delivered`: a link
 * has been given it. Sets k->also_user to NULL. */
void session_kept(struct person *p, enum session_verdict v, struct keep *k, bool delivered);
/* The keep failed: nothing of it holds. */
void session_keep_failed(struct person *p, enum session_verdict v, struct keep *k);
/* A kept message that a link had been given came back unconfirmed, and no other link took it. */
void session_returned(struct person *p, const struct stanza *msg, uint64_t seq);

/* The person sends `st` (message, iq, presence of any type; not to itself) to `peer`. Call it for each;
 * what weighs is decided here: a message with a body or approval of a subscription makes the peer no
 * stranger and accepts a waiting request. Before the stanza is routed. */
void session_wrote_to(struct person *p, const struct jid *peer, const struct stanza *st);
/* Has this person blocked that JID (bare or full), by consent or by an entry for its domain or resource? To
 * the peer: service-unavailable for message and iq get/set, nothing for presence; to the person who writes to
 * the blocked: not-acceptable (XEP-0191 section 3.5). Never oneself or one's own server. */
bool session_blocks(struct person *p, const struct jid *peer);
/* A resource became available (first link: prompts that wait are in the pending queue), or the last
 * one went. */
void session_link_changed(struct person *p, bool linked);

/* A line the person wrote to the domain ("accept 3", "requests", "help"): true if it was one of ours;
 * the answer is sent from the domain to `who` (a full JID). Device lines go on to reach->command. */
bool session_command_line(struct person *p, const struct jid *who, const char *line);
/* From the domain to `who`, as an answer to such a line: chat, with the contact element. */
void session_command_reply(struct person *p, const struct jid *who, const char *text);
/* Would a message of that one make a contact request? */
bool session_is_stranger(struct person *p, const struct jid *from);
/* The same by form. Whom something was decided about, or who waits, in order of their numbers; texts in `a`. */
struct session_request {
    const char *peer; /* bare JID */
    unsigned number, held;
    enum consent_state state;
    const char *excerpt; /* first lines of what waits; NULL: nothing */
    int64_t expires_us;  /* 0: no request is open */
};
unsigned session_requests(struct person *p, struct arena *a, struct session_request **out);
/* ACCEPT, DECLINE, BLOCK (also of somebody who never asked) or REVOKE. false: there is nothing of that peer to
 * decide, and done is not called; else later, after the commit or its failure. */
MUST_USE bool session_decide(struct person *p, const struct jid *peer, enum consent_event event, bool openly,
                             void (*done)(void *user, const struct error *e), void *user);
/* From devices: exchange_reach_answer and exchange_reach_progress come here through person_visit. */
void session_reach_answer(struct person *p, const struct reach_answer *a);
void session_reach_progress(struct person *p, const char *peer, uint64_t seq, enum reach_progress pr,
                            const char *device);

/* What belongs to no person: finds requests whose time is over, in slices, once a minute. One an
 * exchange; runs on `l`. */
struct session_sweep;
struct session_sweep *session_sweep_create(struct exchange *x, struct loop *l);
void session_sweep_start(struct session_sweep *w);
void session_sweep_destroy(
    struct session_sweep **w); /* after its loop has stopped and the store has closed: a read may be under way */
struct session_sweep *exchange_session_sweep(struct exchange *x);

#endif
