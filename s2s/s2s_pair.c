/* SPDX-License-Identifier: MIT */
/* Everything that leaves one local domain for one other domain, in order.
 *
 * Kept messages (seq != 0) lie in the store's queue "s:LOCAL REMOTE" until the peer has them; up to
 * queue_bytes of them also wait here, the rest is read from the store in windows. What is not kept
 * waits only while a first attempt to connect is under way; later it is refused at once.
 *
 * What has the peer? Servers without XEP-0198 do not say, so a ping to the peer's domain follows each
 * burst: its answer proves that all before it was taken (the barrier). What was in doubt when a
 * stream died is sent again, with its id and a delay stamp. */
#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/store/journal.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"
#include "s2s/s2s_internal.h"

enum {
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_LAST_MS = 300000,
    WINDOW_ROWS = 256,
    DIALBACK_TIMEOUT_MS = 30000,
    BARRIER_TIMEOUT_MS = 60000,
    OUTPUT_HIGH_BYTES = 256 * 1024,
    STAMP_AFTER_US = 10 * 1000000,
};

#define PAIR_STATES(S)                                                                             \
    S(IDLE)           /* nothing to send, no stream */                                             \
    S(CONNECTING)     /* s2s_out is on its way */                                                  \
    S(AUTHENTICATING) /* db:result sent */                                                         \
    S(UP)             /* the peer takes stanzas */                                                 \
    S(BACKOFF)        /* the last attempt failed; kept messages wait for the next */               \
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

struct item {
    struct list node;
    struct stanza *st;
    uint64_t seq;    /* 0: not kept */
    int64_t kept_us; /* when it came to us */
    size_t bytes;
    bool in_doubt;   /* was on a stream that died */
};

struct s2s_pair {
    enum pair_state state;
    struct s2s_shard *shard;
    char *name, *local, *remote, *queue; /* "LOCAL REMOTE", "s:LOCAL REMOTE" */
    struct list waiting;   /* items in order */
    struct list sent;      /* kept items that the peer has not confirmed, in order */
    size_t waiting_bytes, sent_bytes;
    uint64_t newest_seq;   /* the newest kept row that is or was here; behind it lies the store's part */
    bool more_in_store;    /* rows behind newest_seq wait in the store alone */
    bool reading;
    struct s2s_out *out;
    struct timer timer;    /* backoff, dialback's answer, idle close */
    struct timer barrier_timer;
    char barrier[RANDOM_ID_LEN + 1]; /* id of the ping that is under way; "": none */
    uint64_t barrier_count;          /* items of `sent` that it covers, from the front */
    uint64_t sent_count;             /* length of `sent` */
    uint64_t backoff_ms;
    struct log_ctx log;
};

static void pump(struct s2s_pair *p);
static void connect_now(struct s2s_pair *p);

static void set_state(struct s2s_pair *p, enum pair_state state)
{
    if (p->state != state)
        log_debug(&p->log, "pair %s -> %s", state_names[p->state], state_names[state]);
    p->state = state;
}

static void item_free(struct item *it)
{
    list_remove(&it->node);
    stanza_unref(&it->st);
    mem_free(it);
}

static struct item *item_of(struct list *node)
{
    return list_entry(node, struct item, node);
}

static void enqueue(struct s2s_pair *p, struct stanza *st, uint64_t seq, int64_t kept_us)
{
    struct item *it = mem_new(struct item);
    it->st = stanza_ref(st);
    it->seq = seq;
    it->kept_us = kept_us;
    it->bytes = stanza_size(st) + sizeof *it;
    list_append(&p->waiting, &it->node);
    p->waiting_bytes += it->bytes;
    if (seq)
        p->newest_seq = seq;
}

/* ---- failing ---- */

static void fail_item(struct s2s_pair *p, struct item *it, enum stanza_error e, const char *text)
{
    exchange_remote_failed(p->shard->s2s->o.exchange, it->st, it->seq, e, text);
    p->waiting_bytes -= it->bytes;
    item_free(it);
}

/* What is not kept, and what has waited too long, goes back to its sender. */
static void fail_perishable(struct s2s_pair *p, enum stanza_error e, const char *text)
{
    int64_t now = clock_unix_us(loop_clock(p->shard->loop));
    int64_t oldest = now - (int64_t)p->shard->s2s->o.queue_deadline_s * 1000000;
    list_each(node, &p->waiting) {
        struct item *it = item_of(node);
        if (it->seq == 0)
            fail_item(p, it, e, text);
        else if (it->kept_us < oldest)
            fail_item(p, it, e,
                      it->in_doubt ? "the other server did not confirm this message in time; it may "
                                     "have arrived"
                                   : text);
    }
}

static void fail_all(struct s2s_pair *p, enum stanza_error e, const char *text)
{
    list_each(node, &p->waiting)
        fail_item(p, item_of(node), e, text);
}

/* ---- reading what waits in the store ---- */

struct window {
    struct queue_read q;
    struct s2s_pair *pair; /* NULL: the pair is gone */
};

static void on_window(struct store_job *job, const struct error *e)
{
    struct window *w = container_of(job, struct window, q.job);
    struct s2s_pair *p = w->pair;
    p->reading = false;
    if (e->code != ERROR_NONE) {
        log_error(&p->log, "cannot read the queue: %s", e->text);
        p->more_in_store = true; /* the next attempt reads again */
    } else if (p->state != PAIR_STOPPED) {
        for (unsigned i = 0; i < w->q.count; i++)
            enqueue(p, w->q.rows[i].stanza, w->q.rows[i].seq, w->q.rows[i].kept_us);
        p->more_in_store = p->more_in_store || w->q.more;
    }
    queue_read_fini(&w->q);
    mem_free(w);
    if (e->code == ERROR_NONE)
        pump(p);
}

static void read_window(struct s2s_pair *p)
{
    if (p->reading || p->state == PAIR_STOPPED)
        return;
    struct window *w = mem_new(struct window);
    arena_init(&w->q.arena);
    w->pair = p;
    w->q.job.reply_on = p->shard->loop;
    w->q.job.done = on_window;
    w->q.queue = p->queue;
    w->q.after = p->newest_seq;
    w->q.limit = WINDOW_ROWS;
    p->reading = true;
    p->more_in_store = false; /* set again when rows come that find no room */
    journal_read_queue(p->shard->s2s->o.store, &w->q);
}

/* ---- sending ---- */

/* A copy of the envelope with a delay stamp, for what did not leave when it was said. */
static struct stanza *stamped(struct s2s_pair *p, const struct item *it)
{
    int64_t now = clock_unix_us(loop_clock(p->shard->loop));
    if (it->st->kind != STANZA_MESSAGE || (!it->in_doubt && now - it->kept_us < STAMP_AFTER_US) ||
        stanza_child(it->st, "delay", NS_DELAY))
        return stanza_ref(it->st);
    char stamp[DATETIME_MAX];
    datetime_write(stamp, it->kept_us);
    struct bytes b = BYTES_EMPTY;
    bytes_printf(&b, "<delay xmlns='" NS_DELAY "' from='%s' stamp='%s'/>", p->local, stamp);
    struct stanza *st = stanza_readdress(it->st, it->st->from, it->st->to, bytes_span(&b));
    bytes_fini(&b);
    return st;
}

/* Takes the oldest unconfirmed message off the list. */
static void drop_sent(struct s2s_pair *p, struct item *it)
{
    p->sent_bytes -= it->bytes;
    p->sent_count--;
    item_free(it);
}

/* No answer: the stream is given up and what was in doubt is sent once more. What was in doubt before
 * is not sent a third time: its sender is told that it may have arrived. */
static void on_barrier_timeout(struct timer *t)
{
    struct s2s_pair *p = container_of(t, struct s2s_pair, barrier_timer);
    list_each(node, &p->sent) {
        struct item *it = item_of(node);
        if (!it->in_doubt)
            continue;
        exchange_remote_failed(p->shard->s2s->o.exchange, it->st, it->seq, STANZA_REMOTE_SERVER_TIMEOUT,
                               "the other server did not confirm this message; it may have arrived");
        drop_sent(p, it);
    }
    if (p->out)
        s2s_out_close(p->out, STREAM_CONNECTION_TIMEOUT, "no answer to a ping");
}

/* The barrier's ping has no resource to answer to: it is asked in the domain's name, and its answer
 * comes on the peer's own stream, by s2s_in through s2s_pair_answer. */
static void send_barrier(struct s2s_pair *p)
{
    if (p->barrier[0] || p->sent_count == 0)
        return;
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
    if (p->out && list_is_empty(&p->sent))
        s2s_out_close(p->out, STREAM_OK, NULL);
}

static void send_item(struct s2s_pair *p, struct item *it)
{
    struct stanza *st = stamped(p, it);
    stream_send(s2s_out_stream(p->out), st);
    stanza_unref(&st);
    p->waiting_bytes -= it->bytes;
    if (it->seq) {
        list_remove(&it->node);
        list_append(&p->sent, &it->node);
        p->sent_bytes += it->bytes;
        p->sent_count++;
    } else {
        item_free(it);
    }
}

/* Sends what may be sent, reads what is next, connects when there is something and no stream. */
static void pump(struct s2s_pair *p)
{
    if (p->state == PAIR_IDLE && (!list_is_empty(&p->waiting) || p->more_in_store)) {
        connect_now(p);
        return;
    }
    if (p->state != PAIR_UP)
        return;
    size_t bound = p->shard->s2s->o.queue_bytes;
    struct list *first;
    bool sent = false;
    while ((first = list_first(&p->waiting)) && p->sent_bytes < bound &&
           stream_queued(s2s_out_stream(p->out)) < OUTPUT_HIGH_BYTES) {
        send_item(p, item_of(first));
        sent = true;
    }
    send_barrier(p);
    if (sent)
        timer_start(&p->timer, p->shard->loop, p->shard->s2s->o.idle_close_ms, on_idle);
    if (p->more_in_store && p->waiting_bytes < bound / 2)
        read_window(p);
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
        p->backoff_ms = 0;
        set_state(p, PAIR_UP);
        pump(p);
    } else {
        s2s_out_close(p->out, STREAM_NOT_AUTHORIZED, "the peer did not accept our dialback key");
    }
    arena_fini(&d.arena);
}

static void on_drained(void *user)
{
    pump(user);
}

/* What was sent and not confirmed goes to the front again, in order. */
static void take_back(struct s2s_pair *p)
{
    struct list all;
    list_init(&all);
    list_each(node, &p->sent) {
        struct item *it = item_of(node);
        it->in_doubt = true;
        p->waiting_bytes += it->bytes;
    }
    list_splice(&all, &p->sent);
    list_splice(&all, &p->waiting);
    list_splice(&p->waiting, &all);
    p->sent_bytes = 0;
    p->sent_count = 0;
    p->barrier[0] = '\0';
    timer_stop(&p->barrier_timer);
}

static void on_rested(struct timer *t)
{
    struct s2s_pair *p = container_of(t, struct s2s_pair, timer);
    if (p->state == PAIR_IDLE && list_is_empty(&p->waiting) && !p->more_in_store && !p->reading)
        s2s_pair_destroy(&p);
}

/* Nothing to do: forgotten after a while. */
static void rest(struct s2s_pair *p)
{
    set_state(p, PAIR_IDLE);
    timer_start(&p->timer, p->shard->loop, p->shard->s2s->o.idle_close_ms, on_rested);
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

static void on_end(void *user, enum s2s_failure why, const char *text)
{
    struct s2s_pair *p = user;
    bool was_up = p->state == PAIR_UP;
    p->out = NULL;
    timer_stop(&p->timer);
    take_back(p);
    if (p->state == PAIR_STOPPED)
        return;
    if (was_up && list_is_empty(&p->waiting) && !p->more_in_store) {
        log_info(&p->log, "closed: %s", text);
        rest(p);
        return;
    }
    log_warn(&p->log, "%s: %s", was_up ? "interrupted" : "cannot connect", text);
    if (was_up)
        ; /* what waits was never refused: try again soon */
    else if (why == S2S_NOT_FOUND)
        fail_all(p, STANZA_REMOTE_SERVER_NOT_FOUND, text);
    else if (why == S2S_REFUSED) /* RFC 6120 8.3.3.17: negotiation fails */
        fail_all(p, STANZA_REMOTE_SERVER_TIMEOUT, text);
    else
        fail_perishable(p, STANZA_REMOTE_SERVER_TIMEOUT, text);
    if (list_is_empty(&p->waiting) && !p->more_in_store) {
        p->backoff_ms = 0;
        rest(p);
        return;
    }
    back_off(p);
    if (p->more_in_store && p->waiting_bytes < p->shard->s2s->o.queue_bytes / 2)
        read_window(p); /* so that the deadline and a permanent failure find these rows too */
}

static void connect_now(struct s2s_pair *p)
{
    static const struct s2s_out_events events = {on_ready, on_element, on_drained, on_end};
    timer_stop(&p->timer);
    set_state(p, PAIR_CONNECTING);
    p->out = s2s_out_open(p->shard, p->local, p->remote, &events, p);
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
    list_init(&p->waiting);
    list_init(&p->sent);
    log_ctx_set(&p->log, "s2s %s>%s", local, remote);
    map_put(&sh->pairs, p->name, p);
    return p;
}

void s2s_pair_send(struct s2s_pair *p, struct stanza *st, uint64_t seq)
{
    loop_check(p->shard->loop);
    bool full = p->waiting_bytes >= p->shard->s2s->o.queue_bytes;
    if (p->state == PAIR_STOPPED)
        return; /* kept rows stay in the store, the rest ends with us */
    if (seq && seq <= p->newest_seq)
        return; /* read from the store already */
    if (seq && (full || p->more_in_store || p->reading)) {
        p->more_in_store = true;
        return;
    }
    if (!seq && (full || p->state == PAIR_BACKOFF)) {
        exchange_remote_failed(p->shard->s2s->o.exchange, st, 0,
                               full ? STANZA_RESOURCE_CONSTRAINT : STANZA_REMOTE_SERVER_TIMEOUT,
                               full ? "too much waits for that server" : "that server cannot be reached now");
        return;
    }
    enqueue(p, st, seq, clock_unix_us(loop_clock(p->shard->loop)));
    pump(p);
}

void s2s_pair_wake(struct s2s_pair *p)
{
    if (p->state == PAIR_STOPPED)
        return;
    p->more_in_store = true;
    read_window(p);
}

bool s2s_pair_answer(struct s2s_pair *p, const char *id)
{
    if (!p->barrier[0] || strcmp(id, p->barrier) != 0)
        return false;
    timer_stop(&p->barrier_timer);
    p->barrier[0] = '\0';
    for (; p->barrier_count; p->barrier_count--) {
        struct item *it = item_of(list_first(&p->sent));
        exchange_remote_done(p->shard->s2s->o.exchange, it->st, it->seq);
        drop_sent(p, it);
    }
    pump(p);
    return true;
}

void s2s_pair_peer_is_alive(struct s2s_pair *p)
{
    if (p->state != PAIR_BACKOFF)
        return;
    p->backoff_ms = 0;
    set_state(p, PAIR_IDLE);
    pump(p);
}

void s2s_pair_stop(struct s2s_pair *p)
{
    set_state(p, PAIR_STOPPED);
    timer_stop(&p->timer);
    if (p->out)
        s2s_out_close(p->out, STREAM_SYSTEM_SHUTDOWN, NULL);
}

void s2s_pair_destroy(struct s2s_pair **pp)
{
    struct s2s_pair *p = *pp;
    *pp = NULL;
    CHECK(!p->out && !p->reading);
    timer_stop(&p->timer);
    timer_stop(&p->barrier_timer);
    list_each(node, &p->waiting)
        item_free(item_of(node));
    list_each(node, &p->sent)
        item_free(item_of(node));
    map_remove(&p->shard->pairs, p->name);
    mem_free(p->name);
    mem_free(p->local);
    mem_free(p->remote);
    mem_free(p->queue);
    mem_free(p);
}
