/* SPDX-License-Identifier: MIT */
/* What an edge is to the exchange, and the exchange to an edge. Two kinds attach: links (c2s: one for
 * each bound resource) and the way to other communities (s2s). Devices attach by reach.h. */
#ifndef CAUSEWAY_EXCHANGE_EDGE_H
#define CAUSEWAY_EXCHANGE_EDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/exchange/settle.h"
#include "gateway/base/bytes.h"
#include "gateway/net/loop.h"
#include "gateway/store/received.h"
#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/stanza.h"
#include "gateway/xmpp/stream_error.h"

struct exchange;
struct resource; /* the exchange's: a bound resource */

/* ---- terminals ---- */

enum link_state { LINK_ACTIVE, LINK_INACTIVE /* XEP-0352 */, LINK_HIBERNATING /* no connection, resumable */ };

/* Lies in the edge's object. Lives on the loop exchange_loop_of(account). */
struct edge_link {
    const struct edge_link_ops *ops;
    const char *agent; /* the installation that logged in, as it names itself (XEP-0388); the edge's; NULL: not told */
    bool by_certificate; /* what it logged in by last; its client showed no password */
    struct resource *resource; /* set before on_bound, NULL after exchange_unbind or on_replaced */
    uint64_t proved;           /* exchange_revocations() before what its client logged in with was looked at */
};

struct edge_link_ops {
    /* Answer to exchange_bind, exactly once, later. `full` NULL: refused with `why`. */
    void (*on_bound)(struct edge_link *l, const struct jid *full, enum stanza_error why);
    /* A stanza for this terminal; the edge takes its own count. seq != 0: a kept message: call
     * exchange_delivered when it has arrived (acknowledged; without XEP-0198: given to the socket).
     * Order of calls is the order on the stream. */
    void (*deliver)(struct edge_link *l, struct stanza *st, uint64_t seq);
    /* Another client took the resource (RFC 6120 7.7.2.2: conflict), or what it logged in with holds no
     * more: the account is deleted or disabled, has a new password, or the client was revoked (not-authorized). The
     * resource is unbound already; close the stream with `why`. */
    void (*on_replaced)(struct edge_link *l, enum stream_error why);
};

/* The loop on which a local bare JID lives. Any thread. */
struct loop *exchange_loop_of(struct exchange *x, const char *bare);

/* How often an account has lost the right to be there so far: whoever proves to be one before it did is bound
 * no more. Any thread. */
uint64_t exchange_revocations(struct exchange *x);
/* Bind a resource for the authenticated account (RFC 6120 section 7); `wish` NULL: the server
 * chooses. Loop: exchange_loop_of(account). Completes by on_bound. */
void exchange_bind(struct exchange *x, struct edge_link *l, const struct jid *account, const char *wish);
/* A stanza from the terminal. `from` as the client wrote it is checked here: another address than its
 * own is refused (invalid-from is the edge's stream error: then false is returned and nothing was
 * done). Takes over the settle's count; the stanza is borrowed. */
MUST_USE bool exchange_receive(struct resource *r, struct stanza *st, struct settle *s);
/* What deliver() brought with seq has arrived. */
void exchange_delivered(struct resource *r, uint64_t seq);
void exchange_link_state(struct resource *r, enum link_state state);
/* The link has ended for good (closed, or not resumed in time). Messages delivered with seq and not
 * reported stay pending and go to another resource or wait; `undelivered` are the other stanzas that
 * never arrived: iq are answered with recipient-unavailable, the rest dropped (XEP-0198 section 4).
 * The exchange announces unavailable presence. Clears l->resource. */
void exchange_unbind(struct resource *r, struct stanza *const *undelivered, unsigned count);
/* What a terminal has said of itself and would not say again on a stream that goes on. */
struct link_snapshot {
    struct stanza *presence; /* the last available one; borrowed; NULL: not available */
    bool interested, carbons, reads_blocklist;
    uint64_t directed_changes; /* rises whenever it has told somebody else by directed presence; snapshots only */
    struct span directed;      /* exchange_bind_asleep: as exchange_put_directed wrote it */
};
void exchange_snapshot(const struct resource *r, struct link_snapshot *out);
/* Who got directed presence of it: JIDs, each with a line feed behind it, at most so many bytes. */
void exchange_put_directed(const struct resource *r, struct bytes *out, size_t most);
/* After a restart, before anybody can bind: the resource is there as it was then, though its client is not yet, and
 * nobody is told anything. It gets what is not kept; kept messages wait in the queue. Completes by on_bound; refused
 * with conflict if somebody has the name. Everything is borrowed. */
void exchange_bind_asleep(struct exchange *x, struct edge_link *l, const struct jid *account, const char *resource,
                          const struct link_snapshot *s);
/* As if it had asked for them (XEP-0280), for who asks while binding. */
void exchange_want_carbons(struct resource *r);
/* Its client has come back: what waits for it comes, and it asks anew who of its contacts is there. */
void exchange_wake(struct resource *r);
const struct jid *exchange_resource_jid(const struct resource *r);

/* ---- other communities ---- */

/* The edge that carries stanzas to domains that are not ours. */
struct edge_remote {
    const struct edge_remote_ops *ops;
};

struct edge_remote_ops {
    /* Any exchange loop; the edge takes its own count. from and to are set. id.seq != 0: kept in queue
     * "s:LOCAL REMOTE"; call exchange_remote_done when the peer has it, or exchange_remote_failed.
     * seq 0: not durable; exchange_remote_failed when it cannot be delivered. Calls for one pair
     * come in order, and ids rise. */
    void (*send)(struct edge_remote *e, struct stanza *st, struct queue_id id);
    /* At start, for each pair with kept rows: read the queue and deliver. */
    void (*wake)(struct edge_remote *e, const char *local, const char *remote);
};

/* A stanza from another community: the edge has proved that `from` belongs to the peer and `to` to a
 * local domain. Any loop. Takes over the settle's count (may be NULL); the stanza is borrowed. */
void exchange_receive_remote(struct exchange *x, struct stanza *st, struct settle *s);
/* The same for a pair (from's domain, to's domain) whose gateway numbers what it keeps: all of it comes
 * this way, in order. id.seq != 0: a message, taken exactly once in that life (epoch) of the sender's
 * store: a copy settles when the first one has. */
void exchange_receive_numbered(struct exchange *x, struct stanza *st, uint64_t epoch, struct queue_id id,
                               struct settle *s);
/* Nothing up to `settled` will come again. Before the first stanza of a stream, and from time to time. */
void exchange_remote_settled(struct exchange *x, const char *remote, const char *local, uint64_t epoch,
                             struct queue_id settled, struct settle *s);
/* Any loop. */
void exchange_remote_done(struct exchange *x, const struct stanza *st, uint64_t seq);
/* It cannot be delivered: the sender gets the error (RFC 6120 8.3, 10.4; none for errors and
 * results, probes, and for what only accompanies a conversation and was not kept: a client would show the error of a
 * "typing" as that of the message before it), and a kept row leaves its queue in the same transaction that
 * keeps the error. Any loop. */
void exchange_remote_failed(struct exchange *x, struct stanza *st, uint64_t seq, enum stanza_error why,
                            const char *text);
/* A kept message waits for a server that cannot be reached, and is tried until then: its sender is told, if it
 * is one of our people, by a message that is kept like others and not archived. Any loop. */
void exchange_remote_delayed(struct exchange *x, const struct stanza *st, int64_t kept_us, int64_t until_us);
/* Ours: a community, or a service that is attached (exchange_is_attached). Any thread. */
bool exchange_is_local_domain(struct exchange *x, const char *domain);
/* A service outside that is attached here (XEP-0114), there or not: what is for it leaves by the edge, on its own
 * stream. */
bool exchange_is_attached(struct exchange *x, const char *domain);

#endif
