/* SPDX-License-Identifier: MIT */
/* Messaging sessions of one person: consent (who has let whom in) and reach (how far reaching the
 * person has got). Performs the effects of the two pure machines (consent.h, reach_state.h):
 * hold, notify, wake, deliver, expire. Called by the person's inbox; everything here is on the
 * person's loop and touches that person only. architecture.md section 6. */
#ifndef CAUSEWAY_EXCHANGE_SESSION_H
#define CAUSEWAY_EXCHANGE_SESSION_H

#include "gateway/exchange/reach.h"
#include "gateway/exchange/service.h"
#include "gateway/store/journal.h"

struct sessions; /* all of one person; hangs on struct person */

/* Part of loading a person: reads the consent and session rows; on_loaded exactly once, later. */
void session_load(struct person *p, void (*on_loaded)(struct person *p, struct sessions *s));
void session_unload(struct sessions **s); /* the person leaves memory, or loading was in vain */

enum session_verdict {
    SESSION_DELIVER, /* known sender: archive and pending queue, then links, then devices */
    SESSION_HOLD,    /* a contact request: kept in "h:", notice and prompt after the commit */
    SESSION_REFUSE,  /* with the error that was set; nothing is kept */
    SESSION_DROP,    /* settled silently: body-less states and receipts of strangers */
};

/* What becomes of a message (any type but error) addressed to this person's bare or full JID. */
enum session_verdict session_admit(struct person *p, const struct stanza *msg, enum stanza_error *why);
/* Prepares the keep of an admitted message: queue, archive and what else the same transaction must
 * write (consent row, reach event when there is no link). Texts live in the stanza's arena or `a`.
 * The exchange has filled what an ordinary delivery needs: queue[0] "u:BARE", archive[0]/peer[0] the
 * callee's (NULL if it has none or the message does not want it), archive[1]/peer[1] a local sender's.
 * HOLD changes queue[0] to "h:CALLEE PEER" and clears archive[0]; DELIVER leaves them. `also` is free. */
void session_prepare_keep(struct person *p, const struct stanza *msg, enum session_verdict v,
                          struct keep *k, struct arena *a);
/* After its commit: tells the asker, prompts the callee, wakes contact-router. `delivered`: a link
 * has been given it. */
void session_kept(struct person *p, struct stanza *msg, enum session_verdict v, uint64_t seq, bool delivered);
/* The same for an asker who wrote to an account that does not exist: the same notice and expiry, from a
 * bounded record of the domain (shard-wide). */
void session_nobody(struct exchange *x, struct stanza *msg);

/* The person sent something of that weight to `peer` (message with body, iq, directed presence,
 * approval of a subscription): peer is no stranger any more; a waiting request is accepted. */
void session_wrote_to(struct person *p, const struct jid *peer);
/* A resource became available (first link: prompts that wait are in the pending queue), or the last
 * one went. */
void session_link_changed(struct person *p, bool linked);

/* A line the person wrote to the domain ("accept 3", "requests", "help"): true if it was one of ours;
 * the answer is sent from the domain to `who` (a full JID). Device lines go on to reach->command. */
bool session_command(struct person *p, const struct jid *who, const char *line);
/* From devices. */
void session_answer(struct person *p, const struct reach_answer *a);
void session_progress(struct person *p, const char *peer, uint64_t seq, enum reach_progress pr, const char *device);

#endif
