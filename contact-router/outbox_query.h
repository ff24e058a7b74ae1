/* SPDX-License-Identifier: MIT */
/* Questions about the outbox: what is due, what was told to whom, what was used of a budget. Inside a
 * transaction; what is read lives in the arena that is given. */
#ifndef CAUSEWAY_CONTACT_ROUTER_OUTBOX_QUERY_H
#define CAUSEWAY_CONTACT_ROUTER_OUTBOX_QUERY_H

#include "contact-router/budget.h"
#include "contact-router/outbox_store.h"

/* Names of providers in one text, "|texts|calls|" ("": none): a name is made of a-z, 0-9 and -. */

/* Due and not behind another one in flight to the same device, in order of time. */
struct outbox_due {
    int64_t now_us;
    const char *but_of; /* names of providers whose deliveries wait */
    unsigned limit;
};
MUST_USE bool outbox_query_due(struct store_tx *tx, const struct outbox_due *due, struct arena *a,
                               struct outbox_rows *out, struct error *e);
/* Those that wait for any other provider than these. */
MUST_USE bool outbox_query_not_of(struct store_tx *tx, const char *providers, struct arena *a, struct outbox_rows *out,
                                  struct error *e);
/* Those that wait for one of these and were due before such a time, the oldest first. */
struct outbox_too_late {
    const char *providers;
    int64_t codes_us, calls_us, others_us;
    unsigned limit;
};
MUST_USE bool outbox_query_too_late(struct store_tx *tx, const struct outbox_too_late *late, struct arena *a,
                                    struct outbox_rows *out, struct error *e);
/* When the next one behind `now_us` is due; 0: none waits. */
MUST_USE bool outbox_query_next_due(struct store_tx *tx, int64_t now_us, int64_t *out, struct error *e);
MUST_USE bool outbox_query_sending(struct store_tx *tx, struct arena *a, struct outbox_rows *out, struct error *e);

/* Deliveries of a person. */
struct outbox_about {
    const char *account;
    const char *peer; /* those that tell of this one; NULL: of anybody */
    int64_t n;        /* those to this device; 0: to any */
};
/* Those that wait. Messages and requests only, unless a device is given. */
MUST_USE bool outbox_query_waiting(struct store_tx *tx, const struct outbox_about *about, struct arena *a,
                                   struct outbox_rows *out, struct error *e);

/* For people to look at: a community's, the newest first. */
struct outbox_page {
    const char *community;
    const char *account, *ref; /* only this one's, only this one; NULL: all */
    unsigned limit;
};
MUST_USE bool outbox_query_newest(struct store_tx *tx, const struct outbox_page *page, struct arena *a,
                                  struct outbox_rows *out, struct error *e);
/* Messages that a delivery tells of. */
MUST_USE bool outbox_query_seqs(struct store_tx *tx, const char *ref, struct arena *a, uint64_t **seqs, unsigned *count,
                                struct error *e);
/* How message seq stands: deliveries that still may, or did, reach the person; in all steps, and in `step`. */
struct outbox_hopes {
    int64_t all, in_step;
    int64_t in_doubt; /* those of which nobody knows; they are not among the others */
};
MUST_USE bool outbox_query_hopes(struct store_tx *tx, const char *account, uint64_t seq, int64_t step,
                                 struct outbox_hopes *out, struct error *e);

/* Who spends of which budgets. */
struct outbox_spender {
    const char *account, *community;
    const char *peer, *peer_domain; /* who is told of; "": nobody */
};
MUST_USE bool outbox_query_use(struct store_tx *tx, const struct outbox_spender *who, struct budget_use *out,
                               struct error *e);

/* What the person was told of a peer on a device lately, and what waits. */
struct outbox_told {
    int64_t last_told_us, pending_due_us, pending_step;
    const char *pending_ref; /* NULL: nothing waits */
};
MUST_USE bool outbox_query_told(struct store_tx *tx, const struct outbox_about *about, struct arena *a,
                                struct outbox_told *out, struct error *e);
/* Deliveries of that purpose to an address (or of an account, address NULL) in the last day. */
MUST_USE bool outbox_query_count_day(struct store_tx *tx, const char *account, const char *address,
                                     enum outbox_purpose p, int64_t *out, struct error *e);

/* Does a call to that number, asked for since `since_us`, go on? */
MUST_USE bool outbox_query_calling(struct store_tx *tx, const char *address, int64_t since_us, bool *out,
                                   struct error *e);

/* For answers: what was told, to whom, of whom. */
struct outbox_conversation {
    const char *account; /* NULL: none was found */
    const char *peer, *code, *community;
    bool readable;
};
struct outbox_conversations {
    enum device_kind kind;
    const char *address;
    int64_t since_us;
    unsigned max; /* room in v */
    struct outbox_conversation *v; /* out: the newest first, each once */
    unsigned count;                /* out */
};
/* Those that were told to an address. */
MUST_USE bool outbox_query_conversations(struct store_tx *tx, struct outbox_conversations *q, struct arena *a,
                                         struct error *e);
/* The one of that account with that code, told on any device since `since_us`. */
struct outbox_code {
    const char *account, *code;
    int64_t since_us;
};
MUST_USE bool outbox_query_by_code(struct store_tx *tx, const struct outbox_code *code, struct arena *a,
                                   struct outbox_conversation *out, struct error *e);

#endif
