/* SPDX-License-Identifier: MIT */
/* What the session files share: the sessions of one person in memory. session.c admits and keeps,
 * session_consent.c performs consent, session_reach.c performs reach. */
#ifndef CAUSEWAY_EXCHANGE_SESSION_INTERNAL_H
#define CAUSEWAY_EXCHANGE_SESSION_INTERNAL_H

#include "gateway/base/map.h"
#include "gateway/exchange/consent.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/reach_state.h"
#include "gateway/exchange/session.h"
#include "gateway/store/sessions.h"

enum {
    SESSION_HELD_MAX = 20,          /* messages a request holds, where the community does not say */
    SESSION_TTL_S = 7 * 24 * 3600,  /* a request waits, where the community does not say */
    SESSION_REQUESTS_MAX = 100,     /* open requests a callee */
    SESSION_DOMAIN_REQUESTS_MAX = 20, /* of them by people of one domain: it shuts out itself alone */
    SESSION_DOMAIN_HELD_MAX = 2000, /* messages of one domain's people that are held, for whomever */
    SESSION_PEERS_MAX = 20000,      /* known of one person in memory, before an iq adds no more */
    SESSION_IQ_WAIT_MS = 120000,    /* an iq of the callee awaits its answer that long */
    SESSION_CODE_LEN = 15,
};

/* One peer: what was decided, and where the conversation stands. What is said here is ahead of the
 * store by the writes under way. */
struct session {
    char *peer; /* bare JID; owned; the map's key */

    enum consent_state consent;
    unsigned number;     /* 0: none yet */
    unsigned held;
    bool told, prompted; /* for this request: done, or under way */
    bool openly;
    int64_t expires_us;  /* 0: no request is open */
    char *asker, *asked, *excerpt; /* of the open request; owned; NULL: none */
    char *lang;          /* the peer's xml:lang; owned; NULL: not known */

    enum reach_state reach;
    bool sealed;         /* the last message could be read by clients only */
    char code[SESSION_CODE_LEN + 1]; /* "": no row yet */
    uint64_t reached_seq; /* newest message that contact-router was told of since loading */

    uint64_t iq_until_ms; /* monotonic; an iq to the peer awaits its answer until then */
};

struct sessions {
    struct person *p;
    struct map peers; /* bare JID -> struct session; none goes before all do */
    struct session *recent; /* found last: one message asks several times. NULL: none yet */
    struct session_prefs prefs;
    unsigned open;    /* requests that are open */
    struct map blocked; /* text of a JID -> the same, owned: what consent does not say (blocklist.c) */
};

/* -- session.c */
struct session *session_find(struct person *p, const char *peer); /* NULL: nothing is known */
struct session *session_of(struct person *p, const char *peer);   /* made if need be */
void session_set_text(char **at, const char *text); /* replaces an owned text; NULL: none */
unsigned session_next_number(struct person *p);
const char *session_code(struct person *p, struct session *s); /* given at first use */
unsigned session_held_max(const struct person *p);
int64_t session_now_us(const struct person *p);
/* Rows as they stand now, texts in `a`. */
struct consent_row session_consent_row(const struct person *p, const struct session *s, struct arena *a);
struct session_row session_reach_row(const struct person *p, const struct session *s, struct arena *a);

/* -- session_consent.c */
/* Something was decided: performs it, saves it, and reports after the commit (never before it returns;
 * `done` may be NULL). The person stays in memory until then. */
void session_consent_apply(struct person *p, struct session *s, enum consent_event event, bool openly,
                           void (*done)(void *user, const struct error *e), void *user);
/* Opens the request in memory with its first message. */
void session_consent_open(struct person *p, struct session *s, const struct stanza *msg, bool prompt);
/* The request of `s` is open no more. */
void session_consent_close(struct person *p, struct session *s);
/* Tells asker and callee what is due, and saves that they were. */
void session_consent_tell(struct person *p, struct session *s, bool asker, bool callee);
/* Ends what has waited long enough. */
void session_consent_expire(struct person *p);

/* -- session_reach.c */
/* What a message adds to its keep, so that devices can be told: filled by session_reach_prepare. */
struct session_event {
    struct reach_event ev; /* without seq */
    struct session_row row;
    const char *receipt_to, *receipt_id; /* NULL: none is owed */
};
/* May this message reach devices at all? */
bool session_reach_may(const struct person *p, const struct stanza *msg);
/* Steps the machine and fills the rows; texts in `a`, or the stanza's. */
void session_reach_prepare(struct person *p, struct session *s, const struct stanza *msg,
                           enum reach_kind kind, struct arena *a, struct session_event *out);
MUST_USE bool session_reach_put(struct store_tx *tx, const char *callee, struct session_event *se, uint64_t seq,
                                int64_t at_us, struct error *e);
void session_reach_wake(struct person *p);
/* For a message that is kept already. */
void session_reach_late(struct person *p, struct session *s, struct stanza *msg, enum reach_kind kind,
                        uint64_t seq);
void session_reach_linked(struct person *p);

/* -- session_bounce.c */
/* Queue of messages that go back with that error, by name "b:ERROR CALLEE PEER". */
const char *session_bounce_queue(struct arena *a, enum stanza_error error, const char *callee, const char *peer);
/* Row `seq` of it goes back to its sender, and leaves the queue behind the error's own write. Any loop. */
void session_bounce_send(struct exchange *x, const char *queue, struct stanza *st, uint64_t seq);
/* At the start: what a crash left in such queues. Ends by itself; destroy after its loop has stopped. */
struct session_bounce;
struct session_bounce *session_bounce_resume(struct exchange *x, struct loop *l);
void session_bounce_destroy(struct session_bounce **b);

/* -- session_sweep.c */
/* Messages of a domain's people that are held for anybody, whether there is such an account or not: may one more
 * be? Any loop. */
bool session_sweep_room(struct exchange *x, const char *domain);
void session_sweep_held(struct exchange *x, const char *peer, int change); /* peer: a bare JID */

#endif
