/* SPDX-License-Identifier: MIT */
/* Questions about the outbox: what is due, what was told to whom, what was used of a budget. Inside a
 * transaction; what is read lives in the arena that is given. */
#ifndef CAUSEWAY_CONTACT_ROUTER_OUTBOX_QUERY_H
#define CAUSEWAY_CONTACT_ROUTER_OUTBOX_QUERY_H

#include "contact-router/budget.h"
#include "contact-router/outbox_store.h"

/* Due and not behind another one in flight to the same device, in order of time. */
MUST_USE bool outbox_query_due(struct store_tx *tx, int64_t now_us, unsigned limit, struct arena *a, struct outbox_rows *out,
                               struct error *e);
/* When the next one behind `now_us` is due; 0: none waits. */
MUST_USE bool outbox_query_next_due(struct store_tx *tx, int64_t now_us, int64_t *out, struct error *e);
MUST_USE bool outbox_query_sending(struct store_tx *tx, struct arena *a, struct outbox_rows *out, struct error *e);
/* Those that wait for this person: about `peer` (NULL: anybody), or for device n (0: any). Messages and
 * requests only, unless a device is given. */
MUST_USE bool outbox_query_waiting(struct store_tx *tx, const char *account, const char *peer, int64_t n, struct arena *a,
                                   struct outbox_rows *out, struct error *e);
/* For people to look at: a community's, the newest first; of that account or with that ref (NULL: all). */
MUST_USE bool outbox_query_newest(struct store_tx *tx, const char *community, const char *account, const char *ref, unsigned limit,
                                  struct arena *a, struct outbox_rows *out, struct error *e);
/* Messages that a delivery tells of. */
MUST_USE bool outbox_query_seqs(struct store_tx *tx, const char *ref, struct arena *a, uint64_t **seqs, unsigned *count,
                                struct error *e);
/* How message seq stands: deliveries that still may, or did, reach the person; in all steps, and in `step`.
 * `in_doubt`: those of which nobody knows; they are not among the others. */
MUST_USE bool outbox_query_hopes(struct store_tx *tx, const char *account, uint64_t seq, int64_t step, int64_t *all,
                                 int64_t *in_step, int64_t *in_doubt, struct error *e);
/* For the planner. */
MUST_USE bool outbox_query_use(struct store_tx *tx, const char *account, const char *peer, const char *peer_domain,
                               const char *community, struct budget_use *out, struct error *e);
struct outbox_told { int64_t last_told_us, pending_due_us, pending_step; const char *pending_ref; };
MUST_USE bool outbox_query_told(struct store_tx *tx, const char *account, int64_t n, const char *peer, struct arena *a,
                                struct outbox_told *out, struct error *e);
/* Deliveries of that purpose to an address (or of an account, address NULL) in the last day. */
MUST_USE bool outbox_query_count_day(struct store_tx *tx, const char *account, const char *address, enum outbox_purpose p,
                                     int64_t *out, struct error *e);

/* Does a call to that number, asked for since `since_us`, go on? */
MUST_USE bool outbox_query_calling(struct store_tx *tx, const char *address, int64_t since_us, bool *out, struct error *e);

/* For answers: conversations that were told to an address since `since_us`, newest first, each once. */
struct outbox_conversation { const char *account, *peer, *code, *community; bool readable; };
MUST_USE bool outbox_query_conversations(struct store_tx *tx, enum device_kind kind, const char *address, int64_t since_us,
                                         struct arena *a, struct outbox_conversation *out, unsigned max, unsigned *count,
                                         struct error *e);
/* The conversation of that account with that code, told on any device since `since_us`. */
MUST_USE bool outbox_query_by_code(struct store_tx *tx, const char *account, const char *code, int64_t since_us, struct arena *a,
                                   struct outbox_conversation *out, bool *found, struct error *e);

#endif
