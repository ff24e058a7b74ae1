/* SPDX-License-Identifier: MIT */
/* One local domain's way to one other domain. Decided here: when it connects, when it sends, when it rests,
 * and how it ends. Its parts decide the rest:
 *
 *   s2s_queue        what waits, in which order, and what of it is in memory
 *   s2s_unconfirmed  what was sent, and what the peer has of it
 *   s2s_prove        how the peer comes to take LOCAL for LOCAL
 *   s2s_bidi         what the peer says on our stream, where it goes both ways
 *   s2s_attempts     how far apart attempts are, and how a failure is called
 *   s2s_bounce       what goes back to its sender
 *   s2s_notice       who is told that a message waits
 *
 * What is not kept waits only for a first attempt to connect; later it is refused at once. What was in
 * doubt when a stream died is sent once more, with its id and a delay stamp; then its sender is told. */
#include "s2s/s2s_pair.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "s2s/s2s_bidi.h"
#include "s2s/s2s_bounce.h"
#include "s2s/s2s_dialback.h"
#include "s2s/s2s_errand.h"
#include "s2s/s2s_in.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_notice.h"
#include "s2s/s2s_policy.h"
#include "s2s/s2s_prove.h"

enum {
    PROOF_TIMEOUT_MS = 30000,
    STAMP_BYTES = 256,   /* what a delay stamp may add */
    FINISH_MS = 3000, /* how long the gateway's end waits for answers to pings */
    LEAVE_MS = 1000,  /* how often a pair that leaves looks whether anybody still holds it */
};

/* clang-format off */
#define PAIR_STATES(S) /* name      may be followed by                                            */   \
    S(IDLE,           TO(CONNECTING) | TO(UP) | TO(STOPPED)) /* no stream, nothing here to send;   */  \
                                                    /* UP: by a stream that the peer opened        */  \
    S(CONNECTING,     TO(AUTHENTICATING) | TO(BACKOFF) | TO(STOPPED)) /* s2s_out is on its way     */  \
    S(AUTHENTICATING, TO(UP) | TO(BACKOFF) | TO(STOPPED)) /* the peer is shown who we are          */  \
    S(UP,             TO(IDLE) | TO(CLOSING) | TO(BACKOFF) | TO(FINISHING) | TO(STOPPED))              \
                                                    /* the peer takes stanzas                      */  \
    S(CLOSING,        TO(IDLE) | TO(BACKOFF) | TO(STOPPED)) /* was up; we end the stream: idle, or */  \
                                                    /* no answer to a ping                         */  \
    S(BACKOFF,        TO(IDLE) | TO(STOPPED))       /* it failed; kept messages wait for the next  */  \
                                                    /* attempt                                     */  \
    S(FINISHING,      TO(STOPPED)) /* the gateway or LOCAL goes; the peer is about to say what it  */  \
                                                    /* has                                         */  \
    S(STOPPED,        0)           /* the gateway or LOCAL goes; kept messages stay in the store   */
/* clang-format on */

#define TO(name) (1u << PAIR_##name)
enum pair_state {
#define S(name, next) PAIR_##name,
    PAIR_STATES(S)
#undef S
};
static const unsigned may_follow[] = {
#define S(name, next) next,
    PAIR_STATES(S)
#undef S
};
#undef TO
static const char *const state_names[] = {
#define S(name, next) #name,
    PAIR_STATES(S)
#undef S
};

struct s2s_pair {
    enum pair_state state;
    struct s2s_way way;
    struct s2s_queue queue;
    struct s2s_unconfirmed unconfirmed;
    struct s2s_attempts attempts;
    struct s2s_notice notice;
    struct s2s_out *out;    /* NULL: none */
    struct s2s_prove prove; /* on `out` */
    struct s2s_bidi *bidi; /* of `out`, once it goes both ways; else NULL */
    struct s2s_in *in;     /* the peer's own, by which it goes instead of `out`; NULL: none */
    struct timer timer;    /* of the state: on_time */
    bool is_leaving;       /* LOCAL went: STOPPED is followed by the pair's own end */
};

static void pump(struct s2s_pair *p);

static const struct s2s_options *options_of(const struct s2s_pair *p)
{
    return &p->way.shard->s2s->o;
}

static bool is_ending(const struct s2s_pair *p)
{
    return p->state == PAIR_FINISHING || p->state == PAIR_STOPPED;
}

/* The last attempt failed, and the next has not begun. */
static bool is_unreachable(const struct s2s_pair *p)
{
    return p->state == PAIR_BACKOFF && p->attempts.refused;
}

/* ---- the stream that carries it ---- */

static bool has_stream(const struct s2s_pair *p)
{
    return p->in ? s2s_in_is_ready(p->in) : p->out && s2s_out_is_ready(p->out);
}

static struct stream *stream_of(const struct s2s_pair *p)
{
    return p->in ? s2s_in_stream(p->in) : s2s_out_stream(p->out);
}

static bool peer_takes_numbers(const struct s2s_pair *p)
{
    return options_of(p)->queue_epoch && (p->in ? s2s_in_takes_queue(p->in) : s2s_out_features(p->out)->queue);
}

static void end_stream(struct s2s_pair *p, enum stream_error e, const char *text)
{
    s2s_bidi_stop(p->bidi);
    if (p->in)
        s2s_in_close(p->in, e, text);
    else if (p->out)
        s2s_out_close(p->out, e, text);
}

/* ---- the state and its time ---- */

static void on_time(struct timer *t);

static void start_timer(struct s2s_pair *p, uint64_t ms)
{
    timer_start(&p->timer, p->way.shard->loop, ms, on_time);
}

static void enter(struct s2s_pair *p, enum pair_state next)
{
    CHECK(may_follow[p->state] & 1u << next);
    log_debug(&p->way.log, "pair %s -> %s", state_names[p->state], state_names[next]);
    p->state = next;
    timer_stop(&p->timer);
    switch (next) {
    case PAIR_AUTHENTICATING:
        start_timer(p, PROOF_TIMEOUT_MS);
        break;
    case PAIR_UP:
        start_timer(p, options_of(p)->idle_close_ms);
        break;
    case PAIR_BACKOFF:
        start_timer(p, s2s_attempts_back_off_ms(&p->attempts));
        break;
    case PAIR_FINISHING:
        start_timer(p, FINISH_MS);
        break;
    case PAIR_STOPPED:
        if (p->is_leaving)
            start_timer(p, LEAVE_MS);
        break;
    case PAIR_IDLE: /* until pump finds that there is nothing to do */
    case PAIR_CONNECTING:
    case PAIR_CLOSING:
        break;
    }
}

static void close_stream(struct s2s_pair *p, enum stream_error e, const char *text)
{
    enter(p, PAIR_CLOSING);
    end_stream(p, e, text);
}

static void on_silence(struct s2s_unconfirmed *u)
{
    struct s2s_pair *p = container_of(u, struct s2s_pair, unconfirmed);
    if (p->state == PAIR_UP)
        close_stream(p, STREAM_CONNECTION_TIMEOUT, "no answer to a ping");
}

/* Nothing was sent for a while. A stream that the peer opened is the peer's to end. */
static void up_for_long(struct s2s_pair *p)
{
    if (p->unconfirmed.count || (p->in && !s2s_queue_first(&p->queue)))
        start_timer(p, options_of(p)->idle_close_ms); /* the ping that is under way will tell */
    else if (s2s_queue_first(&p->queue))
        close_stream(p, STREAM_CONNECTION_TIMEOUT, "the peer does not read what it is sent");
    else
        close_stream(p, STREAM_OK, NULL);
}

/* Nothing to do for a while: forgotten. */
static void idle_for_long(struct s2s_pair *p)
{
    if (!s2s_queue_is_done(&p->queue))
        return;
    if (p->unconfirmed.numbering.looking || p->notice.reading)
        start_timer(p, options_of(p)->idle_close_ms);
    else
        s2s_pair_destroy(&p);
}

static void leave(struct s2s_pair *p)
{
    struct s2s *s = p->way.shard->s2s;
    if (p->out || p->queue.reading || p->unconfirmed.numbering.looking || p->notice.reading) {
        start_timer(p, LEAVE_MS);
        return;
    }
    if (exchange_is_local_domain(s->o.exchange, p->way.local)) /* again */
        s2s_errand_wake(s, p->way.local, p->way.remote);
    s2s_pair_destroy(&p);
}

static void stop_now(struct s2s_pair *p);

static void on_time(struct timer *t)
{
    struct s2s_pair *p = container_of(t, struct s2s_pair, timer);
    switch (p->state) {
    case PAIR_IDLE:
        idle_for_long(p);
        break;
    case PAIR_AUTHENTICATING:
        s2s_trail_fail(s2s_out_trail(p->out), S2S_STEP_AUTHENTICATION, S2S_WHY_NO_ANSWER,
                       "no answer in time to our proof of who we are");
        end_stream(p, STREAM_CONNECTION_TIMEOUT, "the peer did not say in time whether it takes us for who we are");
        break;
    case PAIR_UP:
        up_for_long(p);
        break;
    case PAIR_BACKOFF:
        enter(p, PAIR_IDLE);
        pump(p);
        break;
    case PAIR_FINISHING:
        log_info(&p->way.log, "%llu messages are not confirmed; they will be sent once more",
                 (unsigned long long)p->unconfirmed.count);
        stop_now(p);
        break;
    case PAIR_STOPPED:
        leave(p);
        break;
    case PAIR_CONNECTING:
    case PAIR_CLOSING:
        break; /* has no timer */
    }
}

/* ---- sending ---- */

/* XEP-0478: better its sender learns that than that the peer ends the stream. */
static bool is_too_big(const struct s2s_pair *p, const struct s2s_item *it)
{
    uint64_t most = p->out ? s2s_out_features(p->out)->max_bytes : 0;
    if (!most || stanza_size(it->st) + STAMP_BYTES <= most)
        return false;
    struct bytes b = BYTES_EMPTY;
    stanza_write(&b, it->st, NS_SERVER);
    bool big = b.len + STAMP_BYTES > most;
    bytes_fini(&b);
    return big;
}

static void send_item(struct s2s_pair *p, struct s2s_item *it)
{
    if (is_too_big(p, it)) {
        s2s_queue_take(&p->queue, it);
        s2s_bounce_too_big(&p->unconfirmed.numbering, it, s2s_out_features(p->out)->max_bytes);
        return;
    }
    struct stream *out = stream_of(p);
    struct stanza *st = s2s_item_stamped(it, p->way.local, clock_unix_us(loop_clock(p->way.shard->loop)));
    if (it->seq)
        s2s_numbering_send(&p->unconfirmed.numbering, out, s2s_item_id(it));
    stream_send(out, st);
    stanza_unref(&st);
    s2s_queue_take(&p->queue, it);
    if (it->seq) {
        log_debug(&p->way.log, "row %llu goes out", (unsigned long long)it->seq);
        s2s_unconfirmed_add(&p->unconfirmed, it);
    } else {
        s2s_item_free(it);
    }
}

static void send_waiting(struct s2s_pair *p)
{
    struct stream *out = stream_of(p);
    struct s2s_item *it;
    bool sent = false;
    while ((it = s2s_queue_first(&p->queue)) && p->unconfirmed.bytes < options_of(p)->queue_bytes &&
           stream_queued(out) < S2S_OUT_HIGH_BYTES) {
        send_item(p, it);
        sent = true;
    }
    s2s_unconfirmed_ping(&p->unconfirmed, out);
    if (sent)
        start_timer(p, options_of(p)->idle_close_ms);
}

/* Without a stream only the oldest rows are read, to see whether they are due: a thousand dead domains
 * must not hold their queues in memory. */
static void read_if_due(struct s2s_pair *p)
{
    switch (p->state) {
    case PAIR_IDLE:
    case PAIR_CONNECTING:
    case PAIR_AUTHENTICATING:
    case PAIR_CLOSING:
    case PAIR_BACKOFF:
        if (!s2s_queue_first(&p->queue))
            s2s_queue_read(&p->queue, p->attempts.permanent ? S2S_WINDOW_FULL : S2S_WINDOW_PROBE);
        break;
    case PAIR_UP:
        if (p->queue.waiting_bytes < options_of(p)->queue_bytes / 2)
            s2s_queue_read(&p->queue, S2S_WINDOW_FULL);
        break;
    case PAIR_FINISHING:
    case PAIR_STOPPED:
        break;
    }
}

static void connect_now(struct s2s_pair *p);

/* Sends what may be sent, reads what is next, connects when there is something and no stream. */
static void pump(struct s2s_pair *p)
{
    if (p->state == PAIR_IDLE && s2s_queue_first(&p->queue))
        connect_now(p);
    else if (p->state == PAIR_IDLE && s2s_queue_is_done(&p->queue) && !timer_is_running(&p->timer))
        start_timer(p, options_of(p)->idle_close_ms);
    else if (p->state == PAIR_UP && has_stream(p))
        send_waiting(p);
    read_if_due(p);
}

static void bounce_waiting(struct s2s_pair *p)
{
    s2s_bounce_waiting(&p->queue, &p->attempts, &p->unconfirmed.numbering);
}

static void on_read(struct s2s_queue *q)
{
    struct s2s_pair *p = container_of(q, struct s2s_pair, queue);
    if (is_unreachable(p))
        bounce_waiting(p);
    pump(p);
}

/* ---- the stream ---- */

/* The peer takes stanzas: on our stream, or back on its own. */
static void way_is_open(struct s2s_pair *p)
{
    s2s_attempts_succeeded(&p->attempts);
    s2s_notice_over(&p->notice);
    enter(p, PAIR_UP);
    if (peer_takes_numbers(p))
        s2s_numbering_begin(&p->unconfirmed.numbering, stream_of(p));
    pump(p);
}

/* After each step of the proof. */
static void proof_goes_on(struct s2s_pair *p)
{
    if (p->prove.state != S2S_PROVE_DONE || p->state != PAIR_AUTHENTICATING)
        return;
    if (p->prove.bidi) {
        enum s2s_proof peers = s2s_out_proof(p->out);
        s2s_policy_set_limits(p->way.shard, s2s_out_stream(p->out), p->way.remote);
        p->bidi = s2s_bidi_open(p->way.shard, s2s_out_stream(p->out), p->way.remote, p->way.local,
                                peers != S2S_PROOF_NONE ? peers : S2S_PROOF_DIALBACK);
    }
    way_is_open(p);
}

static void on_ready(void *user)
{
    struct s2s_pair *p = user;
    if (p->state == PAIR_CONNECTING)
        enter(p, PAIR_AUTHENTICATING);
    s2s_prove_ready(&p->prove, p->out);
    proof_goes_on(p);
}

/* The peer did what it may not. */
static void fault(struct s2s_pair *p, enum stream_error e, const char *text)
{
    if (p->state == PAIR_UP)
        close_stream(p, e, text);
    else
        end_stream(p, e, text);
}

/* XEP-0288: what the peer says on our stream. */
static void on_way_back(struct s2s_pair *p, struct stanza *st)
{
    const char *text;
    enum stream_error e = s2s_bidi_take(p->bidi, st, &text);
    if (e != STREAM_OK)
        fault(p, e, text);
    else if (p->state == PAIR_UP)
        start_timer(p, options_of(p)->idle_close_ms);
}

static void bound_answers(struct s2s_pair *p)
{
    if (s2s_out_is_ready(p->out) && stream_queued(s2s_out_stream(p->out)) > s2s_output_max(true))
        fault(p, STREAM_POLICY_VIOLATION, "it does not read what it is answered");
}

static void take_element(struct s2s_pair *p, struct stanza *st)
{
    const struct element *root = st->payload->root;
    if (p->state == PAIR_AUTHENTICATING && s2s_prove_element(&p->prove, p->out, st))
        proof_goes_on(p);
    else if (p->bidi && (st->kind != STANZA_NONZA || strcmp(root->ns, NS_QUEUE) == 0))
        on_way_back(p, st);
    else if (st->kind != STANZA_NONZA) /* only we speak on this stream (RFC 6120 4.3) */
        s2s_out_close(p->out, STREAM_NOT_AUTHORIZED, "stanza on a stream that only we may use");
    else if (!s2s_dialback_answer(p->way.shard, s2s_out_stream(p->out), st, NULL))
        log_warn(&p->way.log, "unexpected <%s/> from the peer ignored", root->name);
}

static void on_element(void *user, struct stanza *st)
{
    take_element(user, st);
    bound_answers(user);
}

static void on_drained(void *user)
{
    pump(user);
}

/* What was sent and not confirmed goes to the front of the queue again, unless it had its chances. */
static void take_back(struct s2s_pair *p, bool faulted)
{
    struct list items;
    list_init(&items);
    if (p->state != PAIR_STOPPED)
        s2s_bounce_unconfirmed(&p->unconfirmed, faulted);
    s2s_unconfirmed_end(&p->unconfirmed, &items);
    s2s_queue_put_back(&p->queue, &items);
}

/* The stream ended although dialback had succeeded: what waits was never refused. */
static void interrupted(struct s2s_pair *p, const char *text)
{
    const struct s2s_item *first = s2s_queue_first(&p->queue);
    bool doubt = first && first->sends > 0;
    if (s2s_queue_is_done(&p->queue)) {
        log_info(&p->way.log, "closed: %s", text);
        s2s_attempts_start_over(&p->attempts);
        enter(p, PAIR_IDLE);
    } else if (p->state == PAIR_CLOSING && !doubt) {
        enter(p, PAIR_IDLE); /* it came while we closed an idle stream */
    } else {
        log_warn(&p->way.log, "interrupted: %s", text);
        enter(p, PAIR_BACKOFF);
    }
}

/* When the first of what waits was kept; 0: it lies in the store, or nothing does. */
static int64_t oldest_us(const struct s2s_pair *p)
{
    list_each(node, &p->queue.waiting)
        if (s2s_item_of(node)->seq)
            return s2s_item_of(node)->kept_us;
    return 0;
}

static void not_connected(struct s2s_pair *p, enum s2s_failure why, const char *text)
{
    log_warn(&p->way.log, "cannot connect: %s", text);
    enter(p, PAIR_BACKOFF);
    s2s_attempts_failed(&p->attempts, why, text);
    if (p->attempts.permanent)
        s2s_notice_over(&p->notice);
    else
        s2s_notice_outage(&p->notice, oldest_us(p));
    bounce_waiting(p);
}

static void stream_ended(struct s2s_pair *p, enum s2s_failure why, const char *text)
{
    if (p->state == PAIR_FINISHING)
        stop_now(p);
    take_back(p, why != S2S_TIMEOUT);
    if (p->state == PAIR_STOPPED)
        return;
    if (p->state == PAIR_UP || p->state == PAIR_CLOSING)
        interrupted(p, text);
    else
        not_connected(p, why, text);
    pump(p);
}

static void on_end(void *user, enum s2s_failure why, const char *text)
{
    struct s2s_pair *p = user;
    char whole[400];
    p->out = NULL;
    s2s_bidi_close(&p->bidi);
    why = s2s_prove_end(&p->prove, why, whole, sizeof whole, text);
    stream_ended(p, why, whole);
}

/* XEP-0288: the peer has opened a stream that goes both ways: no other is needed. */
static void go_back_by(struct s2s_pair *p, struct s2s_in *in)
{
    p->in = in;
    log_info(&p->way.log, "the way is open on the stream that the peer opened");
    way_is_open(p);
}

void s2s_pair_way_back_drained(struct s2s_pair *p, const struct s2s_in *in)
{
    if (p->in == in)
        pump(p);
}

void s2s_pair_way_back_ended(struct s2s_pair *p, const struct s2s_in *in, enum s2s_failure why, const char *text)
{
    if (p->in != in)
        return;
    p->in = NULL;
    stream_ended(p, why, text);
}

static void connect_now(struct s2s_pair *p)
{
    static const struct s2s_out_events events = {on_ready, on_element, on_drained, on_end};
    struct exchange *x = options_of(p)->exchange;
    if (!exchange_is_local_domain(x, p->way.local)) {
        s2s_pair_leave(p); /* what is kept waits until it is served here again */
        return;
    }
    struct s2s_in *in = s2s_in_way_back(p->way.shard, p->way.local, p->way.remote);
    if (in && !exchange_is_local_domain(x, p->way.remote)) {
        go_back_by(p, in);
        return;
    }
    enter(p, PAIR_CONNECTING);
    if (exchange_is_local_domain(x, p->way.remote)) {
        not_connected(p, S2S_REFUSED, "that domain is served here now; what is sent from now on arrives");
        return;
    }
    p->out = s2s_out_open(p->way.shard, p->way.local, p->way.remote, s2s_attempts_urgency(&p->attempts), &events, p);
    s2s_trace_show(&p->way.shard->trace, S2S_OUT, p->way.local, p->way.remote, s2s_out_trail(p->out));
}

/* ---- what is said ---- */

/* It lies in the store already. */
static void take_kept(struct s2s_pair *p, struct stanza *st, struct queue_id id)
{
    s2s_notice_kept(&p->notice);
    if (is_unreachable(p) && !p->attempts.permanent)
        s2s_queue_leave_in_store(&p->queue);
    else
        s2s_queue_add(&p->queue, st, id.seq, id.at_us);
    if (is_unreachable(p) && p->attempts.permanent)
        bounce_waiting(p);
}

static void take_unkept(struct s2s_pair *p, struct stanza *st)
{
    if (is_unreachable(p))
        s2s_bounce_at_once(&p->way, st, p->attempts.refused, p->attempts.text);
    else if (s2s_queue_is_full(&p->queue))
        s2s_bounce_at_once(&p->way, st, STANZA_RESOURCE_CONSTRAINT, "too much waits for that server");
    else
        s2s_queue_add(&p->queue, st, 0, clock_unix_us(loop_clock(p->way.shard->loop)));
}

/* Log-offs, and answers to the peer's own pings, while there is a stream that all went by. */
static void say_last(struct s2s_pair *p, struct stanza *st)
{
    if (!s2s_queue_first(&p->queue) && has_stream(p) && stream_queued(stream_of(p)) < S2S_OUT_HIGH_BYTES)
        stream_send(stream_of(p), st);
}

void s2s_pair_send(struct s2s_pair *p, struct stanza *st, struct queue_id id)
{
    loop_check(p->way.shard->loop);
    if (p->state == PAIR_FINISHING && !id.seq)
        say_last(p, st);
    if (is_ending(p))
        return; /* kept rows stay in the store, the rest ends with us */
    if (!id.seq)
        take_unkept(p, st);
    else if (s2s_queue_told(&p->queue, id.seq))
        take_kept(p, st, id);
    pump(p);
}

void s2s_pair_wake(struct s2s_pair *p)
{
    if (is_ending(p))
        return;
    s2s_queue_leave_in_store(&p->queue);
    if (p->state == PAIR_UP && exchange_is_local_domain(options_of(p)->exchange, p->way.remote))
        close_stream(p, STREAM_OK, NULL); /* it came here, so nothing leaves for it */
    read_if_due(p);
}

void s2s_pair_peer_is_alive(struct s2s_pair *p)
{
    p->attempts.is_well = true;
    if (p->state != PAIR_BACKOFF)
        return;
    s2s_attempts_start_over(&p->attempts);
    enter(p, PAIR_IDLE);
    pump(p);
}

void s2s_pair_judge(struct s2s_pair *p)
{
    char text[S2S_POLICY_TEXT];
    const char *denied = s2s_policy_denies(p->way.shard, p->way.local, p->way.remote, text);
    if (p->state == PAIR_UP && denied)
        close_stream(p, STREAM_POLICY_VIOLATION, denied);
}

/* ---- the gateway's end ---- */

static void stop_now(struct s2s_pair *p)
{
    bool was_finishing = p->state == PAIR_FINISHING;
    enter(p, PAIR_STOPPED);
    s2s_queue_close(&p->queue);
    s2s_notice_close(&p->notice);
    if (p->out)
        end_stream(p, STREAM_SYSTEM_SHUTDOWN, "we are shutting down");
    if (p->in && p->is_leaving) { /* that one may serve others */
        p->in = NULL;
        take_back(p, false);
    }
    if (was_finishing && !p->is_leaving)
        s2s_shard_finished(p->way.shard);
}

/* What the peer has confirmed is not sent once more after the start: without numbers it would be there
 * twice, and behind what followed it. So what is in doubt is waited for, but nothing new begins. */
static void finish(struct s2s_pair *p)
{
    if (p->unconfirmed.count == 0)
        stop_now(p);
    else if (has_stream(p))
        s2s_unconfirmed_ping(&p->unconfirmed, stream_of(p));
}

void s2s_pair_answer(struct s2s_pair *p, const char *id)
{
    if (!s2s_unconfirmed_answer(&p->unconfirmed, id))
        return;
    s2s_attempts_start_over(&p->attempts); /* not before: a peer that takes dialback and dies on stanzas is not well */
    if (p->state == PAIR_FINISHING)
        finish(p);
    else
        pump(p);
}

/* true: its peer is still to say what it has. */
static bool begin_to_finish(struct s2s_pair *p)
{
    if (p->state != PAIR_UP || p->unconfirmed.count == 0)
        return false;
    enter(p, PAIR_FINISHING);
    s2s_queue_close(&p->queue);
    return true;
}

void s2s_pair_stop(struct s2s_pair *p)
{
    if (p->state == PAIR_STOPPED)
        return;
    if (!begin_to_finish(p)) {
        stop_now(p);
        return;
    }
    p->way.shard->finishing++;
    finish(p);
}

void s2s_pair_leave(struct s2s_pair *p)
{
    if (is_ending(p))
        return;
    p->is_leaving = true;
    if (begin_to_finish(p))
        finish(p);
    else
        stop_now(p);
}

/* ---- life ---- */

struct s2s_pair *s2s_pair_create(struct s2s_shard *sh, const char *local, const char *remote)
{
    loop_check(sh->loop);
    struct s2s_pair *p = mem_new(struct s2s_pair);
    p->state = PAIR_IDLE;
    s2s_way_init(&p->way, sh, local, remote);
    s2s_prove_init(&p->prove, &p->way);
    s2s_queue_init(&p->queue, &p->way, on_read);
    s2s_notice_init(&p->notice, &p->way);
    s2s_unconfirmed_init(&p->unconfirmed, &p->way, on_silence);
    map_put(&sh->pairs, p->way.name, p);
    return p;
}

void s2s_pair_destroy(struct s2s_pair **pp)
{
    struct s2s_pair *p = *pp;
    *pp = NULL;
    CHECK(!p->out && !p->in);
    timer_stop(&p->timer);
    map_remove(&p->way.shard->pairs, p->way.name);
    s2s_queue_fini(&p->queue);
    s2s_unconfirmed_fini(&p->unconfirmed);
    s2s_attempts_fini(&p->attempts);
    s2s_notice_fini(&p->notice);
    s2s_way_fini(&p->way);
    mem_free(p);
}

void s2s_pair_look(const struct s2s_pair *p, struct s2s_pair_look *out)
{
    *out = (struct s2s_pair_look){.local = p->way.local,
                                  .remote = p->way.remote,
                                  .state = state_names[p->state],
                                  .both_ways = p->in || p->bidi,
                                  .by_peers_stream = p->in != NULL,
                                  .our_proof = p->prove.how,
                                  .peers_proof = p->in    ? s2s_in_proof(p->in, p->way.local, p->way.remote)
                                                 : p->out ? s2s_out_proof(p->out)
                                                          : S2S_PROOF_NONE,
                                  .waiting = s2s_queue_count(&p->queue),
                                  .unconfirmed = (unsigned)p->unconfirmed.count,
                                  .more_in_store = p->queue.more_in_store,
                                  .error = p->attempts.refused != STANZA_OK ? p->attempts.text : NULL};
}
