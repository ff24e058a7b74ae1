/* SPDX-License-Identifier: MIT */
/* What outlives the process of messaging sessions: consent, a row for
 * each pair of callee and peer; the conversation, a row with its short code and how far reaching the
 * callee has got; what a person prefers; and the events that somebody must be reached for, which
 * contact-router reads. Tables: schemas/sql/0002_sessions.sql. */
#ifndef CAUSEWAY_STORE_SESSIONS_H
#define CAUSEWAY_STORE_SESSIONS_H

#include "gateway/base/arena.h"
#include "gateway/store/store.h"

/* callee and peer are bare JIDs everywhere here. */
struct consent_row {
    const char *peer;
    int64_t state;      /* exchange/consent.h: enum consent_state */
    int64_t number;     /* small, unique for the callee: "accept 3" */
    int64_t held;       /* messages in queue "h:CALLEE PEER" */
    int64_t told;       /* 1: the asker has had the notice of this request */
    int64_t prompted;   /* 1: the callee has had the prompt of this request */
    int64_t openly;     /* 1: declined openly */
    int64_t nobody;     /* 1: there is no such account as the callee */
    int64_t expires_us; /* end of this request; 0: nothing waits */
    int64_t changed_us;
    const char *asker;  /* the full JID that the request came from; NULL: not known */
    const char *asked;  /* the JID that the asker wrote to, bare or full; NULL: not known */
    const char *lang;   /* the asker's xml:lang; NULL: not known */
    const char *excerpt; /* first lines of what they wrote, while a request waits; NULL: none */
};

struct session_row {
    const char *peer;
    const char *code;   /* short, unique for the callee, in text messages: "r7" */
    int64_t reach;      /* exchange/reach_state.h: enum reach_state */
    int64_t encrypted;  /* 1: the last message of the conversation was */
    const char *lang;   /* the peer's xml:lang; NULL: not known */
    int64_t changed_us;
};

struct session_prefs {
    int64_t strangers;  /* -1: as the community; else exchange.h: enum strangers_policy */
    int64_t tell;       /* 1: contacts who see presence are told "by text message" and get receipts */
};

/* Read: all of one callee. */
struct sessions_load {
    struct store_job job;
    struct arena arena; /* the caller's: arena_init before, arena_fini after */
    const char *callee;
    struct consent_row *consents; /* out, in arena */
    unsigned consent_count;
    struct session_row *sessions; /* out, in arena */
    unsigned session_count;
    struct session_prefs prefs;
    const char **blocked; /* out, in arena: blocks.h */
    unsigned blocked_count;
};
void sessions_load(struct store *s, struct sessions_load *l);

/* Inside a transaction. */
MUST_USE bool sessions_put_consent(struct store_tx *tx, const char *callee, const struct consent_row *row,
                                   struct error *e);
MUST_USE bool sessions_drop_consent(struct store_tx *tx, const char *callee, const char *peer, struct error *e);
MUST_USE bool sessions_put(struct store_tx *tx, const char *callee, const struct session_row *row, struct error *e);
MUST_USE bool sessions_put_prefs(struct store_tx *tx, const char *callee, const struct session_prefs *p,
                                 struct error *e);
/* An account is gone: what it decided goes; requests that wait stay until they expire, as for an
 * account that never was. For account_delete. */
MUST_USE bool sessions_account_gone(struct store_tx *tx, const char *callee, struct error *e);

/* Callees of requests whose time is over, or (at start) whose asker or callee had not been told when
 * the process ended. */
struct sessions_held { const char *domain; int64_t held; }; /* messages that people of a domain have waiting */
struct sessions_due {
    struct store_job job;
    struct arena arena; /* the caller's: arena_init before, arena_fini after */
    int64_t now_us;     /* requests that expire at this time or before */
    bool untold;        /* instead: requests that somebody has not been told of */
    const char *after;  /* callees behind this one; NULL: from the start */
    unsigned limit;
    const char **callees; /* out, in order, each once */
    unsigned count;
    bool counts;          /* what is held, too */
    struct sessions_held *held; /* out, in arena: a domain once */
    unsigned held_count;
    void *user;           /* the caller's */
};
void sessions_due(struct store *s, struct sessions_due *d);

/* ---- reaching ---- */

enum reach_kind {
    REACH_MESSAGE, /* a message from somebody who may write */
    REACH_REQUEST, /* a contact request of a stranger */
};

/* Why somebody must be reached: one row, written with the message it is about. */
struct reach_event {
    int64_t id;              /* out: given by the store, rising */
    enum reach_kind kind;
    const char *callee, *peer; /* bare JIDs */
    const char *code;        /* short code of the conversation, as a text message shows it: "r7" */
    uint64_t seq;            /* journal row of the message */
    const char *text;        /* body; NULL: nothing readable (encrypted) */
    const char *urgency;     /* XEP-0131: "low", "medium", "high", "emergency"; NULL: medium */
    int64_t at_us;
};
/* Inside a transaction. contact-router reads the rows, and deletes those it is done with. */
MUST_USE bool sessions_put_event(struct store_tx *tx, struct reach_event *ev, struct error *e);

/* A receipt (XEP-0184) that is owed to whoever wrote row `seq`, when a device confirms it. */
MUST_USE bool sessions_put_receipt(struct store_tx *tx, const char *callee, uint64_t seq, const char *to,
                                   const char *id, struct error *e);
/* Takes it out; *id NULL: none is owed. Texts are in `a`. */
MUST_USE bool sessions_take_receipt(struct store_tx *tx, const char *callee, uint64_t seq, struct arena *a,
                                    const char **to, const char **id, struct error *e);

/* What an admin sees of a community's conversations: who, with whom, how far; never a word of them. */
struct sessions_seen {
    const char *callee, *peer, *code; /* code NULL: there is no conversation yet, only a request */
    int64_t reach, consent, held;     /* reach, consent -1: none */
    int64_t changed_us;
};
struct sessions_survey {
    const char *domain, *account; /* account "": all */
    unsigned limit;
    struct arena arena;           /* the caller's: arena_init before, arena_fini after */
    struct sessions_seen *seen;   /* out: the newest first */
    unsigned count;
};
/* Inside a transaction. */
MUST_USE bool sessions_survey(struct store_tx *tx, struct sessions_survey *s, struct error *e);

#endif
