/* SPDX-License-Identifier: MIT */
/* The link's half of the edge: a bound resource, on the loop of its account, over any number of
 * connections one after the other (XEP-0198). */
#ifndef CAUSEWAY_C2S_C2S_LINK_H
#define CAUSEWAY_C2S_C2S_LINK_H

#include "c2s/c2s_internal.h"
#include "gateway/net/timer.h"
#include "gateway/xmpp/ns.h"

enum c2s_link_state {
    C2S_LINK_BINDING,     /* exchange_bind was asked */
    C2S_LINK_ATTACHED,    /* has a connection */
    C2S_LINK_HIBERNATING, /* has none, can be resumed */
    C2S_LINK_ENDED,       /* unbound; lives while somebody counts it */
};

/* A stanza from the client until it is settled. */
struct c2s_inbound {
    struct settle settle;
    struct list node;      /* in link->unsettled */
    struct c2s_link *link; /* counted */
    struct c2s_inbound *next_spare;
    uint32_t bytes;
    uint32_t generation; /* of the connection that brought it */
    bool counted;        /* stream management was on */
    bool settled;
    bool saved;          /* a transaction that kept it has saved its number (store thread) */
    uint32_t number;     /* its place on the stream */
    uint64_t serial;     /* among the messages worth keeping; 0: none of them */
};

/* A stanza to the client until it is acknowledged (XEP-0198), or without that until the socket took
 * it (kept messages only). */
struct c2s_out {
    struct stanza *st; /* counted; NULL when only seq is of interest */
    uint64_t seq;      /* 0: not kept */
    uint32_t bytes;
};

struct c2s_csi;

struct c2s_link {
    struct edge_link edge;
    struct ref ref;
    struct c2s_shard *shard;
    struct list node;
    enum c2s_link_state state;
    bool managed;                  /* XEP-0198 is on */
    bool resumable;                /* and the client asked for resumption */
    bool short_answer;             /* the last <a/> told less than we had received, or is owed */
    bool asked;                    /* <r/> is out */
    bool pinged;                   /* without 0198: an iq ping is out */
    bool kept;                     /* it has a row, and can be resumed after a restart (c2s_keep.c) */
    bool save_wanted, saving;
    bool overfull;                 /* too much is not acknowledged: ends at the turn's end */
    bool inactive;                 /* XEP-0352: nobody looks at the client */
    struct c2s_csi *idle;          /* owned; what waits until somebody does; NULL: nothing */
    struct c2s_conn *conn;         /* counted; NULL: none */
    struct c2s_conn *resuming;     /* counted; waits until `unsettled` is empty; NULL: none */
    struct stanza *request;        /* counted; the bind iq or <resume/> that is being answered */
    struct jid *account;           /* owned */
    char *agent;                   /* owned; edge.agent: of the newest connection that told one */
    char token[RANDOM_ID_LEN + 1]; /* for resumption; "" without */
    /* in */
    struct list unsettled;      /* of struct c2s_inbound, in order of arrival */
    uint32_t generation;        /* counts connections */
    uint32_t received, handled; /* stanzas since <enable/>, modulo 2^32 */
    uint32_t told;              /* `handled` when the client was last told */
    uint32_t resume_acked;      /* what `resuming` acknowledges of the ring */
    size_t credit_bytes;        /* settled and not yet given back to the connection */
    /* out: a ring of stanzas, oldest first; the first `plain_count` were sent before <enable/> */
    struct c2s_out *out;
    uint32_t out_cap, out_first, out_count, plain_count;
    uint32_t released; /* so many of the ring, from the front, went to the connection */
    uint32_t sent_top; /* number of the newest stanza that was ever sent */
    uint32_t acked;   /* `h` of the client */
    uint32_t unasked; /* sent since the last <r/> */
    uint64_t may_ask_ms; /* before that the next <r/> wants ASK_AFTER of them */
    size_t out_bytes;
    /* its row: what a restart would find */
    char row[RANDOM_ID_LEN + 1]; /* the token; read by the store's thread, so it stays */
    uint32_t saved_top;          /* `handled`: no more is told */
    uint32_t saved_out;          /* kept messages up to this number may be sent */
    uint64_t serial, resolved;
    struct stanza *saved_presence; /* counted; NULL: none */
    int64_t saved_flags;
    uint64_t saved_directed;       /* link_snapshot.directed_changes */
    struct timer save_again;       /* the disk refused */
    struct c2s_asleep *asleep;   /* owned; after a restart, until its client comes (c2s_keep.c); NULL: it is awake */
    struct timer timer;    /* ATTACHED: <r/> is due, or its answer; HIBERNATING: the end */
    struct timer answer_timer; /* an <a/> is owed */
    struct turn_hook hook; /* answers and credit, once a turn */
};

struct c2s_link *c2s_link_create(struct c2s_shard *shard, const struct jid *account);
/* `k` is its connection from now on: so are the installation that logged in there, if it is told, and by what. */
void c2s_link_take_login(struct c2s_link *l, const struct c2s_conn *k);
void c2s_link_send(struct c2s_link *l, const struct c2s_out *o);
/* A nonza, written; copied where it is not sent at once. */
void c2s_link_send_nonza(struct c2s_link *l, struct span xml);
/* Sends what waits in the ring, up to the first that is not saved yet. */
void c2s_link_pump(struct c2s_link *l);
/* XEP-0352. Active: what waits is sent. */
void c2s_link_set_active(struct c2s_link *l, bool active);
/* Drops the connection (no word to it) and what waits for one. */
void c2s_link_detach(struct c2s_link *l);
/* Unbinds and ends; what was not acknowledged goes back to the exchange. */
void c2s_link_end(struct c2s_link *l);
struct c2s_out *c2s_link_out_at(struct c2s_link *l, uint32_t index);
/* The oldest arrived, or is given up (arrived false). */
void c2s_link_out_pop(struct c2s_link *l, bool arrived);

/* XEP-0386 (c2s_bind2.c). Loop: the link's. */
void c2s_bind2_begin(struct c2s_shard *shard, struct c2s_conn *k, struct stanza *request);
/* The exchange has answered l->request, an <authenticate/>; `full` NULL: refused. */
void c2s_bind2_bound(struct c2s_link *l, const struct jid *full);

/* XEP-0198 (c2s_sm.c). Loop: the link's. */
#define C2S_SM_ASK "<r xmlns='" NS_SM "'/>"
/* Turned on by `enable`; appends the answer. */
void c2s_sm_enable(struct c2s_link *l, const struct element *enable, struct bytes *out);
void c2s_sm_nonza(struct c2s_link *l, const struct stanza *st);
/* <resume/> (`request` or inside of it) on a connection without a link. */
void c2s_sm_resume(struct c2s_shard *shard, struct c2s_conn *k, struct stanza *request);
/* Everything that came before has settled: the resumption that waits goes on. */
void c2s_sm_settled(struct c2s_link *l);
void c2s_sm_sent(struct c2s_link *l);     /* one more stanza is unacknowledged */
void c2s_sm_turn_end(struct c2s_link *l); /* <a/> and <r/> where they are due */
void c2s_sm_hibernate(struct c2s_link *l);
void c2s_sm_wait(struct c2s_link *l, uint64_t ms); /* hibernating; ends when nobody has come by then */
/* More may be told now. */
void c2s_sm_saved(struct c2s_link *l);
/* Attached again: BOUND with its answer. */
void c2s_sm_tell_resumed(struct c2s_link *l);
void c2s_sm_refuse_unknown(struct c2s_shard *shard, struct c2s_conn *k, const char *token);
/* The link ends: its token is forgotten, its count remembered. */
void c2s_sm_forget(struct c2s_link *l);

/* What outlives the process (c2s_keep.c). Loop: the link's. */
void c2s_keep_begin(struct c2s_link *l); /* l->token is set */
void c2s_keep_end(struct c2s_link *l);
/* `in` is `st`, counted; before the exchange has it. */
void c2s_keep_inbound(struct c2s_link *l, struct c2s_inbound *in, const struct stanza *st);
void c2s_keep_settled(struct c2s_link *l, const struct c2s_inbound *in); /* it is in `handled` now */
/* The row is behind: saved at the end of the turn, or when the save that is under way is through. */
void c2s_keep_want(struct c2s_link *l);
void c2s_keep_turn_end(struct c2s_link *l);
/* <resume/> of a link that is asleep: wakes it, or refuses and ends it. `h` is the client's. */
void c2s_keep_wake(struct c2s_link *l, struct c2s_conn *k, uint32_t h);
void c2s_keep_bound(struct c2s_link *l, bool bound); /* l->asleep: the exchange has answered */
/* It is asleep, and nobody can say what of it has arrived. */
bool c2s_keep_in_doubt(const struct c2s_link *l);

#endif
