/* SPDX-License-Identifier: MIT */
/* Everything that leaves one local domain for one other domain, in order.
 *
 * Kept messages (seq != 0) lie in the store's queue "s:LOCAL REMOTE" until the peer has them; up to
 * queue_bytes of them also wait here, the rest is read from the store in windows. While the store holds
 * something that is not here, whatever is said meanwhile waits in `behind` and takes its place as the
 * windows come. A new pair reads its queue first: what a former life left goes before what is said now.
 *
 * What is not kept waits only for a first attempt to connect; later it is refused at once.
 *
 * What has the peer? Servers without XEP-0198 do not say, so a ping to the peer's domain follows each
 * burst: its answer proves that all before it was taken (the barrier). What was in doubt when a
 * stream died is sent once more, with its id and a delay stamp; then its sender is told. */
#include "s2s/s2s_pair.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/store/journal.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"
#include "s2s/s2s_dialback.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_item.h"
#include "s2s/s2s_numbering.h"
#include "s2s/s2s_out.h"

enum {
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_LAST_MS = 300000,
    WINDOW_ROWS = 256,
    PROBE_ROWS = 16, /* while there is no stream: enough to see what is due */
    READ_AGAIN_MS = 10000,
    DIALBACK_TIMEOUT_MS = 30000,
    BARRIER_TIMEOUT_MS = 60000,
    FINISH_MS = 3000, /* how long the gateway's end waits for answers to pings */
    RISKS_MAX = 2, /* on how many streams a message is tried without ever being confirmed */
};

#define PAIR_STATES(S)                                                                             \
    S(IDLE)           /* nothing to send, no stream */                                             \
    S(CONNECTING)     /* s2s_out is on its way */                                                  \
    S(AUTHENTICATING) /* db:result sent */                                                         \
    S(UP)             /* the peer takes stanzas */                                                 \
    S(CLOSING)        /* up, but we end the stream: idle, or no answer to a ping */                \
    S(BACKOFF)        /* the last attempt failed; kept messages wait for the next */               \
    S(FINISHING)      /* the gateway goes down; the peer is about to say what it has */            \
    S(STOPPED)        /* the gateway goes down; kept messages stay in the store */

enum pair_state {
#define PAIR_ENUM(name) PAIR_##name,
    PAIR_STATES(PAIR_ENUM)
#undef PAIR_ENUM
};

static const char *const state_names[] = {
#define PAIR_NAME(name) #name,
    PAIR_STATES(PAIR_NAME)
#undef PAIR_NAME
};

#define PLACE_UNKNOWN UINT64_MAX /* behind all that are there */

struct s2s_pair {
    enum pair_state state;
    struct s2s_shard *shard;
    char *name, *local, *remote, *queue; /* "LOCAL REMOTE", "s:LOCAL REMOTE" */
    struct list waiting; /* items in order */
    struct list behind;  /* items that go behind rows of the store; empty unless the store has some */
    struct list sent;    /* kept items that the peer has not confirmed, in order */
    size_t waiting_bytes, behind_bytes, sent_bytes;
    uint64_t newest_seq; /* the newest kept row that is or was in `waiting`; rows behind it are the store's */
    uint64_t told_seq;   /* the newest kept row that the exchange gave us */
    bool fresh;          /* the store has not been looked at yet */
    bool more_in_store;  /* rows behind newest_seq may wait in the store alone */
    bool reading;
    bool is_well;              /* the last that was heard of the peer was good */
    bool permanent;            /* of `refused`: kept messages come back too */
    enum stanza_error refused; /* why the last attempt failed; STANZA_OK: it did not */
    char *refused_text;
    struct s2s_out *out;
    struct timer timer;         /* backoff, dialback's answer, idle close */
    struct timer barrier_timer;
    struct timer read_timer;    /* the store could not be read: again */
    char barrier[RANDOM_ID_LEN + 1]; /* id of the ping that is under way; "": none */
    uint64_t barrier_count;          /* items of `sent` that it covers, from the front */
    uint64_t sent_count;             /* length of `sent` */
    uint64_t backoff_ms;
    struct s2s_numbering numbering;
    struct log_ctx log;
};

static void pump(struct s2s_pair *p);
static void connect_now(struct s2s_pair *p);

static bool is_ending(const struct s2s_pair *p)
{
    return p->state == PAIR_FINISHING || p->state == PAIR_STOPPED;
}

static void set_state(struct s2s_pair *p, enum pair_state state)
{
    if (p->state != state)
        log_debug(&p->log, "pair %s -> %s", state_names[p->state], state_names[state]);
    p->state = state;
}

static void enqueue(struct s2s_pair *p, struct s2s_item *it)
{
    list_append(&p->waiting, &it->node);
    p->waiting_bytes += it->bytes;
    if (it->seq)
        p->newest_seq = it->seq;
}

static void put_behind(struct s2s_pair *p, struct s2s_item *it)
{
    it->place = it->seq ? it->seq : p->told_seq ? p->told_seq : PLACE_UNKNOWN;
    list_append(&p->behind, &it->node);
    p->behind_bytes += it->bytes;
}

/* What stands behind rows up to `seq` follows them. */
static void release_behind(struct s2s_pair *p, uint64_t seq)
{
    struct list *first;
    while ((first = list_first(&p->behind)) && s2s_item_of(first)->place <= seq) {
        struct s2s_item *it = s2s_item_of(first);
        list_remove(&it->node);
        p->behind_bytes -= it->bytes;
        if (it->seq && it->seq <= p->newest_seq)
            s2s_item_free(it); /* came from the store */
        else
            enqueue(p, it);
    }
}

/* The exchange gave us `seq`: what came before and had no place is before it. */
static void told(struct s2s_pair *p, uint64_t seq)
{
    if (!p->told_seq)
        list_each(node, &p->behind)
            s2s_item_of(node)->place = seq - 1;
    p->told_seq = seq;
}

static bool is_done(const struct s2s_pair *p)
{
    return list_is_empty(&p->waiting) && !p->more_in_store && !p->reading;
}

/* ---- failing ---- */

static const char unconfirmed[] = "the other server did not confirm this message; it may have arrived";

static void fail_item(struct s2s_pair *p, struct s2s_item *it, enum stanza_error e, const char *text)
{
    if (it->seq)
        s2s_numbering_failed(&p->numbering, s2s_item_id(it));
    exchange_remote_failed(p->shard->s2s->o.exchange, it->st, it->seq, e, text);
    s2s_item_free(it);
}

static void fail_waiting(struct s2s_pair *p, struct s2s_item *it, enum stanza_error e, const char *text)
{
    p->waiting_bytes -= it->bytes;
    fail_item(p, it, e, text);
}

/* Those that are not kept go back to their senders, also from behind rows of the store. */
static void fail_unkept(struct s2s_pair *p)
{
    list_each(node, &p->waiting)
        if (!s2s_item_of(node)->seq)
            fail_waiting(p, s2s_item_of(node), p->refused, p->refused_text);
    list_each(later, &p->behind) {
        struct s2s_item *it = s2s_item_of(later);
        if (it->seq)
            continue;
        p->behind_bytes -= it->bytes;
        fail_item(p, it, p->refused, p->refused_text);
    }
}

/* Kept before that, it has waited too long. */
static int64_t deadline_us(const struct s2s_pair *p)
{
    return clock_unix_us(loop_clock(p->shard->loop)) - (int64_t)p->shard->s2s->o.queue_deadline_s * 1000000;
}

/* Kept ones go back when the failure is permanent, or when they have waited too long. */
static void fail_kept(struct s2s_pair *p)
{
    int64_t oldest = deadline_us(p);
    list_each(node, &p->waiting) {
        struct s2s_item *it = s2s_item_of(node);
        if (it->seq && (p->permanent || it->kept_us < oldest))
            fail_waiting(p, it, p->refused, it->sends ? unconfirmed : p->refused_text);
    }
}

static void forgive(struct s2s_pair *p)
{
    p->refused = STANZA_OK;
    p->permanent = false;
    mem_free(p->refused_text);
    p->refused_text = NULL;
}

static void refuse(struct s2s_pair *p, enum s2s_failure why, const char *text)
{
    forgive(p);
    p->is_well = false;
    p->refused = why == S2S_NOT_FOUND ? STANZA_REMOTE_SERVER_NOT_FOUND : STANZA_REMOTE_SERVER_TIMEOUT;
    p->permanent = why == S2S_NOT_FOUND || why == S2S_REFUSED; /* RFC 6120 8.3.3.17: also when negotiation fails */
    p->refused_text = mem_dup(text);
    fail_unkept(p);
    fail_kept(p);
}

/* ---- reading what waits in the store ---- */

struct window {
    struct queue_read q;
    struct s2s_pair *pair; /* NULL: the pair is gone */
};

static void read_if_due(struct s2s_pair *p);

static void on_read_again(struct timer *t)
{
    read_if_due(container_of(t, struct s2s_pair, read_timer));
}

static void take_window(struct s2s_pair *p, const struct queue_read *q)
{
    log_debug(&p->log, "%u rows read behind row %llu%s", q->count, (unsigned long long)q->after,
              q->more ? ", there are more" : "");
    for (unsigned i = 0; i < q->count; i++) {
        const struct queue_row *r = &q->rows[i];
        release_behind(p, r->seq - 1);
        if (r->seq > p->newest_seq)
            enqueue(p, s2s_item_new(r->stanza, r->seq, r->kept_us));
    }
    p->more_in_store = p->more_in_store || q->more;
    if (!p->more_in_store)
        release_behind(p, PLACE_UNKNOWN);
    if (p->state == PAIR_BACKOFF && p->refused) {
        fail_unkept(p);
        fail_kept(p);
    }
}

static void on_window(struct store_job *job, const struct error *e)
{
    struct window *w = container_of(job, struct window, q.job);
    struct s2s_pair *p = w->pair;
    struct s2s_shard *sh = p->shard;
    p->reading = false;
    sh->reads--;
    if (e->code != ERROR_NONE) {
        log_error(&p->log, "cannot read the queue: %s", e->text);
        p->more_in_store = true;
        if (!is_ending(p))
            timer_start(&p->read_timer, sh->loop, READ_AGAIN_MS, on_read_again);
    } else if (!is_ending(p)) {
        take_window(p, &w->q);
    }
    queue_read_fini(&w->q);
    mem_free(w);
    pump(p);
    s2s_shard_check_stopped(sh);
}

static void read_window(struct s2s_pair *p)
{
    struct window *w = mem_new(struct window);
    arena_init(&w->q.arena);
    w->pair = p;
    w->q.job.reply_on = p->shard->loop;
    w->q.job.done = on_window;
    w->q.queue = p->queue;
    w->q.after = p->newest_seq;
    w->q.limit = p->state == PAIR_UP || p->permanent ? WINDOW_ROWS : PROBE_ROWS;
    p->reading = true;
    p->fresh = false;
    p->more_in_store = false; /* set again when rows come that find no room */
    p->shard->reads++;
    journal_read_queue(p->shard->s2s->o.store, &w->q);
}

/* Without a stream only the oldest rows are read, to see whether they are due: a thousand dead domains
 * must not hold their queues in memory. */
static void read_if_due(struct s2s_pair *p)
{
    if (!p->more_in_store || p->reading || timer_is_running(&p->read_timer))
        return;
    switch (p->state) {
    case PAIR_IDLE:
    case PAIR_CONNECTING:
    case PAIR_AUTHENTICATING:
    case PAIR_CLOSING:
    case PAIR_BACKOFF:
        if (list_is_empty(&p->waiting))
            read_window(p);
        break;
    case PAIR_UP:
        if (p->waiting_bytes < p->shard->s2s->o.queue_bytes / 2)
            read_window(p);
        break;
    case PAIR_FINISHING:
    case PAIR_STOPPED:
        break;
    }
}

/* ---- sending ---- */

/* Takes an unconfirmed message off the list. */
static void drop_sent(struct s2s_pair *p, struct s2s_item *it)
{
    p->sent_bytes -= it->bytes;
    p->sent_count--;
    s2s_item_free(it);
}

static void close_stream(struct s2s_pair *p, enum stream_error e, const char *text)
{
    set_state(p, PAIR_CLOSING);
    timer_stop(&p->timer);
    s2s_out_close(p->out, e, text);
}

static void end_barrier(struct s2s_pair *p)
{
    timer_stop(&p->barrier_timer);
    p->barrier[0] = '\0';
}

static void on_barrier_timeout(struct timer *t)
{
    struct s2s_pair *p = container_of(t, struct s2s_pair, barrier_timer);
    end_barrier(p);
    if (p->state == PAIR_UP)
        close_stream(p, STREAM_CONNECTION_TIMEOUT, "no answer to a ping");
}

/* The barrier's ping has no resource to answer to: it is asked in the domain's name, and its answer
 * comes on the peer's own stream, by s2s_in through s2s_pair_answer. */
static void send_barrier(struct s2s_pair *p)
{
    if (p->barrier[0] || p->sent_count == 0)
        return;
    s2s_numbering_tell(&p->numbering, s2s_out_stream(p->out));
    random_id(p->barrier);
    p->barrier_count = p->sent_count;
    struct arena a;
    struct builder b;
    arena_init(&a);
    build_begin(&b, STANZA_IQ, IQ_GET);
    build_from(&b, jid_make(&a, NULL, p->local, NULL));
    build_to(&b, jid_make(&a, NULL, p->remote, NULL));
    build_id(&b, p->barrier);
    build_leaf(&b, "ping", NS_PING, NULL);
    struct stanza *ping = build_end(&b);
    stream_send(s2s_out_stream(p->out), ping);
    stanza_unref(&ping);
    arena_fini(&a);
    timer_start(&p->barrier_timer, p->shard->loop, BARRIER_TIMEOUT_MS, on_barrier_timeout);
}

static void on_idle(struct timer *t)
{
    struct s2s_pair *p = container_of(t, struct s2s_pair, timer);
    if (list_is_empty(&p->sent) && list_is_empty(&p->waiting))
        close_stream(p, STREAM_OK, NULL);
    else if (list_is_empty(&p->sent)) /* no ping is under way that would tell */
        close_stream(p, STREAM_CONNECTION_TIMEOUT, "the peer does not read what it is sent");
    else
        timer_start(&p->timer, p->shard->loop, p->shard->s2s->o.idle_close_ms, on_idle);
}

static void send_item(struct s2s_pair *p, struct s2s_item *it)
{
    struct stanza *st = s2s_item_stamped(it, p->local, clock_unix_us(loop_clock(p->shard->loop)));
    if (it->seq)
        s2s_numbering_send(&p->numbering, s2s_out_stream(p->out), s2s_item_id(it));
    stream_send(s2s_out_stream(p->out), st);
    stanza_unref(&st);
    p->waiting_bytes -= it->bytes;
    if (it->seq) {
        log_debug(&p->log, "row %llu goes out", (unsigned long long)it->seq);
        list_remove(&it->node);
        list_append(&p->sent, &it->node);
        it->sends++;
        p->sent_bytes += it->bytes;
        p->sent_count++;
    } else {
        s2s_item_free(it);
    }
}

static void rest(struct s2s_pair *p);

/* Nothing to do: forgotten after a while. */
static void on_rested(struct timer *t)
{
    struct s2s_pair *p = container_of(t, struct s2s_pair, timer);
    if (p->state != PAIR_IDLE || !is_done(p))
        return;
    if (p->numbering.looking)
        rest(p);
    else
        s2s_pair_destroy(&p);
}

static void rest(struct s2s_pair *p)
{
    set_state(p, PAIR_IDLE);
    timer_start(&p->timer, p->shard->loop, p->shard->s2s->o.idle_close_ms, on_rested);
}

static void send_waiting(struct s2s_pair *p)
{
    size_t bound = p->shard->s2s->o.queue_bytes;
    struct list *first;
    bool sent = false;
    while ((first = list_first(&p->waiting)) && p->sent_bytes < bound &&
           stream_queued(s2s_out_stream(p->out)) < S2S_OUT_HIGH_BYTES) {
        send_item(p, s2s_item_of(first));
        sent = true;
    }
    send_barrier(p);
    if (sent)
        timer_start(&p->timer, p->shard->loop, p->shard->s2s->o.idle_close_ms, on_idle);
}

/* Sends what may be sent, reads what is next, connects when there is something and no stream. */
static void pump(struct s2s_pair *p)
{
    if (p->state == PAIR_IDLE && !list_is_empty(&p->waiting))
        connect_now(p);
    else if (p->state == PAIR_IDLE && is_done(p) && !timer_is_running(&p->timer))
        rest(p);
    else if (p->state == PAIR_UP && s2s_out_is_ready(p->out))
        send_waiting(p);
    read_if_due(p);
}

/* ---- the stream ---- */

static void on_backoff_over(struct timer *t)
{
    struct s2s_pair *p = container_of(t, struct s2s_pair, timer);
    set_state(p, PAIR_IDLE);
    pump(p);
}

static void on_dialback_timeout(struct timer *t)
{
    struct s2s_pair *p = container_of(t, struct s2s_pair, timer);
    s2s_out_close(p->out, STREAM_CONNECTION_TIMEOUT, "no answer to dialback in time");
}

static void on_ready(void *user, const char *stream_id, bool offers_dialback)
{
    struct s2s_pair *p = user;
    (void)offers_dialback; /* servers that know nothing else do not always announce it */
    struct bytes key = BYTES_EMPTY;
    s2s_dialback_key(p->shard->s2s, p->remote, p->local, stream_id, &key);
    s2s_dialback_send(s2s_out_stream(p->out), "result", p->local, p->remote, NULL, NULL, bytes_text(&key));
    bytes_fini(&key);
    set_state(p, PAIR_AUTHENTICATING);
    timer_start(&p->timer, p->shard->loop, DIALBACK_TIMEOUT_MS, on_dialback_timeout);
}

/* Invalid, or an error (XEP-0220 2.5): ours or the peer's set-up is wrong; messages wait for better. */
static void refused_by_peer(struct s2s_pair *p, const struct stanza *st)
{
    const struct element *error = element_child(st->payload->root, "error", NULL);
    const struct element *condition = error ? error->first_child : NULL;
    char text[160];
    snprintf(text, sizeof text, "the peer did not accept our dialback key: %.60s",
             condition ? condition->name : "it says that it is not valid");
    s2s_out_close(p->out, STREAM_OK, text);
}

static void on_element(void *user, struct stanza *st)
{
    struct s2s_pair *p = user;
    struct s2s_dialback d;
    if (p->state != PAIR_AUTHENTICATING || !element_is(st->payload->root, "result", NS_DIALBACK) ||
        !s2s_dialback_read(st, &d)) {
        log_warn(&p->log, "unexpected <%s/> from the peer ignored", st->payload->root->name);
        return;
    }
    if (strcmp(d.from, p->remote) != 0 || strcmp(d.to, p->local) != 0) {
        log_warn(&p->log, "dialback result for other domains ignored");
    } else if (text_eq(d.type, "valid")) {
        log_info(&p->log, "dialback accepted; the way is open");
        forgive(p);
        p->is_well = true;
        set_state(p, PAIR_UP);
        if (p->shard->s2s->o.queue_epoch && s2s_out_offers_queue(p->out))
            s2s_numbering_begin(&p->numbering, s2s_out_stream(p->out));
        timer_start(&p->timer, p->shard->loop, p->shard->s2s->o.idle_close_ms, on_idle);
        pump(p);
    } else {
        refused_by_peer(p, st);
    }
    arena_fini(&d.arena);
}

static void on_drained(void *user)
{
    pump(user);
}

/* What was sent and not confirmed goes to the front again, in order, unless it had its chances. Where the
 * peer knows copies by their numbers these are as many as the deadline allows, but not for what the peer
 * ends the stream over. */
static void take_back(struct s2s_pair *p, bool faulted)
{
    struct list all;
    int64_t oldest = deadline_us(p);
    list_init(&all);
    list_each(node, &p->sent) {
        struct s2s_item *it = s2s_item_of(node);
        it->risks += !p->numbering.on || faulted;
        bool is_late = p->numbering.on && it->kept_us < oldest;
        if (p->state == PAIR_STOPPED || (it->risks < RISKS_MAX && !is_late))
            p->waiting_bytes += it->bytes;
        else
            fail_item(p, it, STANZA_REMOTE_SERVER_TIMEOUT, unconfirmed);
    }
    list_splice(&all, &p->sent);
    list_splice(&all, &p->waiting);
    list_splice(&p->waiting, &all);
    p->sent_bytes = 0;
    p->sent_count = 0;
    p->numbering.on = false;
    end_barrier(p);
}

static void back_off(struct s2s_pair *p)
{
    p->backoff_ms = p->backoff_ms ? p->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (p->backoff_ms > BACKOFF_LAST_MS)
        p->backoff_ms = BACKOFF_LAST_MS;
    uint64_t jitter = random_below((uint32_t)(p->backoff_ms / 4) + 1);
    set_state(p, PAIR_BACKOFF);
    timer_start(&p->timer, p->shard->loop, p->backoff_ms - jitter, on_backoff_over);
}

/* The stream ended although dialback had succeeded: what waits was never refused. */
static void interrupted(struct s2s_pair *p, enum pair_state was, const char *text)
{
    struct list *first = list_first(&p->waiting);
    bool doubt = first && s2s_item_of(first)->sends > 0;
    if (is_done(p)) {
        log_info(&p->log, "closed: %s", text);
        p->backoff_ms = 0;
        rest(p);
    } else if (was == PAIR_CLOSING && !doubt) {
        set_state(p, PAIR_IDLE); /* came while we closed an idle stream */
    } else {
        log_warn(&p->log, "interrupted: %s", text);
        back_off(p);
    }
}

/* ---- the gateway's end ---- */

static void stop_now(struct s2s_pair *p)
{
    bool was_finishing = p->state == PAIR_FINISHING;
    set_state(p, PAIR_STOPPED);
    timer_stop(&p->timer);
    timer_stop(&p->read_timer);
    if (p->out)
        s2s_out_close(p->out, STREAM_SYSTEM_SHUTDOWN, "we are shutting down");
    if (was_finishing)
        s2s_shard_finished(p->shard);
}

static void on_finish_timeout(struct timer *t)
{
    struct s2s_pair *p = container_of(t, struct s2s_pair, timer);
    log_info(&p->log, "%llu messages are not confirmed; they will be sent once more",
             (unsigned long long)p->sent_count);
    stop_now(p);
}

/* What the peer has confirmed is not sent once more after the start: without numbers it would be there
 * twice, and behind what followed it. So what is in doubt is waited for, but nothing new begins. */
static void finish(struct s2s_pair *p)
{
    if (p->sent_count == 0)
        stop_now(p);
    else if (s2s_out_is_ready(p->out))
        send_barrier(p);
}

static void on_end(void *user, enum s2s_failure why, const char *text)
{
    struct s2s_pair *p = user;
    enum pair_state was = p->state;
    p->out = NULL;
    timer_stop(&p->timer);
    if (is_ending(p))
        stop_now(p);
    take_back(p, why != S2S_TIMEOUT);
    if (is_ending(p))
        return;
    if (was == PAIR_UP || was == PAIR_CLOSING) {
        interrupted(p, was, text);
    } else {
        log_warn(&p->log, "cannot connect: %s", text);
        back_off(p);
        refuse(p, why, text);
    }
    pump(p);
}

static void connect_now(struct s2s_pair *p)
{
    static const struct s2s_out_events events = {on_ready, on_element, on_drained, on_end};
    timer_stop(&p->timer);
    set_state(p, PAIR_CONNECTING);
    enum s2s_urgency u = p->is_well ? S2S_KNOWN : p->refused ? S2S_AGAIN : S2S_FIRST;
    p->out = s2s_out_open(p->shard, p->local, p->remote, u, &events, p);
}

/* ---- from outside ---- */

struct s2s_pair *s2s_pair_of(struct s2s_shard *sh, const char *local, const char *remote)
{
    loop_check(sh->loop);
    char name[2100];
    snprintf(name, sizeof name, "%s %s", local, remote);
    struct s2s_pair *p = map_get(&sh->pairs, name);
    if (p)
        return p;
    p = mem_new(struct s2s_pair);
    p->state = PAIR_IDLE;
    p->shard = sh;
    p->name = mem_dup(name);
    p->local = mem_dup(local);
    p->remote = mem_dup(remote);
    struct bytes queue = BYTES_EMPTY;
    bytes_printf(&queue, "s:%s", name);
    p->queue = bytes_take(&queue);
    p->fresh = true;
    list_init(&p->waiting);
    list_init(&p->behind);
    list_init(&p->sent);
    p->numbering = (struct s2s_numbering){
        .shard = sh, .local = p->local, .remote = p->remote, .queue = p->queue};
    log_ctx_set(&p->log, "s2s %s>%s", local, remote);
    map_put(&sh->pairs, p->name, p);
    return p;
}

static void refuse_at_once(struct s2s_pair *p, struct stanza *st, enum stanza_error e, const char *text)
{
    exchange_remote_failed(p->shard->s2s->o.exchange, st, 0, e, text);
}

/* Log-offs, and answers to the peer's own pings, while there is a stream that all went by. */
static void say_last(struct s2s_pair *p, struct stanza *st)
{
    if (list_is_empty(&p->waiting) && s2s_out_is_ready(p->out) &&
        stream_queued(s2s_out_stream(p->out)) < S2S_OUT_HIGH_BYTES)
        stream_send(s2s_out_stream(p->out), st);
}

void s2s_pair_send(struct s2s_pair *p, struct stanza *st, struct queue_id id)
{
    loop_check(p->shard->loop);
    uint64_t seq = id.seq;
    int64_t came_us = seq ? id.at_us : clock_unix_us(loop_clock(p->shard->loop));
    bool unreachable = p->state == PAIR_BACKOFF && p->refused;
    bool full = p->waiting_bytes + p->behind_bytes >= p->shard->s2s->o.queue_bytes;
    if (seq)
        told(p, seq);
    if (p->state == PAIR_FINISHING && !seq)
        say_last(p, st);
    if (is_ending(p))
        return; /* kept rows stay in the store, the rest ends with us */
    if (seq && p->fresh)
        p->more_in_store = true;
    if (seq && seq <= p->newest_seq)
        return; /* read from the store already */
    if (!seq && unreachable)
        refuse_at_once(p, st, p->refused, p->refused_text);
    else if (!seq && full)
        refuse_at_once(p, st, STANZA_RESOURCE_CONSTRAINT, "too much waits for that server");
    else if (full || (unreachable && seq && !p->permanent))
        p->more_in_store = true; /* it lies in the store; what comes later goes behind it */
    else if (p->more_in_store || p->reading)
        put_behind(p, s2s_item_new(st, seq, came_us));
    else
        enqueue(p, s2s_item_new(st, seq, came_us));
    if (unreachable && p->permanent)
        fail_kept(p);
    pump(p);
}

void s2s_pair_wake(struct s2s_pair *p)
{
    if (is_ending(p))
        return;
    p->more_in_store = true;
    read_if_due(p);
}

bool s2s_pair_answer(struct s2s_pair *p, const char *id)
{
    if (!p->barrier[0] || strcmp(id, p->barrier) != 0)
        return false;
    end_barrier(p);
    p->backoff_ms = 0; /* not before: a peer that takes dialback and dies on stanzas is not well */
    for (; p->barrier_count; p->barrier_count--) {
        struct s2s_item *it = s2s_item_of(list_first(&p->sent));
        log_debug(&p->log, "row %llu is confirmed", (unsigned long long)it->seq);
        exchange_remote_done(p->shard->s2s->o.exchange, it->st, it->seq);
        s2s_numbering_confirmed(&p->numbering, s2s_item_id(it));
        drop_sent(p, it);
    }
    if (p->state == PAIR_FINISHING)
        finish(p);
    else
        pump(p);
    return true;
}

void s2s_pair_peer_is_alive(struct s2s_pair *p)
{
    p->is_well = true;
    if (p->state != PAIR_BACKOFF)
        return;
    p->backoff_ms = 0;
    timer_stop(&p->timer);
    set_state(p, PAIR_IDLE);
    pump(p);
}

void s2s_pair_stop(struct s2s_pair *p)
{
    if (p->state != PAIR_UP || p->sent_count == 0) {
        stop_now(p);
        return;
    }
    set_state(p, PAIR_FINISHING);
    p->shard->finishing++;
    timer_stop(&p->read_timer);
    timer_start(&p->timer, p->shard->loop, FINISH_MS, on_finish_timeout);
    finish(p);
}

void s2s_pair_destroy(struct s2s_pair **pp)
{
    struct s2s_pair *p = *pp;
    *pp = NULL;
    CHECK(!p->out && !p->reading && !p->numbering.looking);
    timer_stop(&p->timer);
    timer_stop(&p->barrier_timer);
    timer_stop(&p->read_timer);
    struct list *const lists[] = {&p->waiting, &p->behind, &p->sent};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_each(node, lists[i])
            s2s_item_free(s2s_item_of(node));
    map_remove(&p->shard->pairs, p->name);
    mem_free(p->name);
    mem_free(p->local);
    mem_free(p->remote);
    mem_free(p->queue);
    mem_free(p->refused_text);
    mem_free(p);
}

void s2s_pair_look(const struct s2s_pair *p, struct s2s_pair_look *out)
{
    *out = (struct s2s_pair_look){.local = p->local,
                                  .remote = p->remote,
                                  .state = state_names[p->state],
                                  .unconfirmed = (unsigned)p->sent_count,
                                  .more_in_store = p->more_in_store,
                                  .error = p->refused != STANZA_OK ? p->refused_text : NULL};
    list_each(node, &p->waiting)
        out->waiting++;
    list_each(node, &p->behind)
        out->waiting++;
}
