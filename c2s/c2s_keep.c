/* SPDX-License-Identifier: MIT */
/* What of a stream outlives the process (XEP-0198 section 5), so that a resumption after a crash is exact,
 * or is refused.
 *
 * In: a message that is kept writes (stream, h) in its own transaction (settle.save); h of what need not be
 * kept is saved before it is told. So <resumed h/> is never behind what the client was told, and covers a
 * kept message if and only if it is kept. Out: a kept message gets its number on the stream saved before
 * it is sent (c2s_link_pump holds it until then), so that the client's own h says which rows it has. One
 * save is under way a link; what comes meanwhile is in the next. What changes the state that is saved with it
 * (presence, carbons, who wants roster pushes) counts as a message in doubt until a save holds it: else a
 * message behind it could cover its number, and the client would not say it again.
 *
 * After a restart every row is a link again before anybody can connect, asleep (exchange_bind_asleep): contacts and
 * those who got directed presence see its resource as they did. Its client wakes it, or it ends like any link that
 * nobody came back to, and all of them hear of it. Rows that the client has are done, the others are in
 * the account's queue and come from there; other presence and iq that were under way are lost. Whom another client has
 * relieved of a row that this one has not, and whose messages were still in doubt, is refused with item-not-found. */
#include <inttypes.h>
#include <string.h>

#include "c2s/c2s_conn.h"
#include "c2s/c2s_link.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/message.h"
#include "gateway/store/journal.h"
#include "gateway/store/streams.h"
#include "gateway/xmpp/ns.h"

enum {
    FLAG_INTERESTED = 1,
    FLAG_CARBONS = 2,
    FLAG_BLOCKLIST = 4,
    OUTS_MAX = 2000,
    SAVE_AGAIN_MS = 1000,
    DIRECTED_MAX = 65536
};

static int64_t flags_of(const struct link_snapshot *s)
{
    return (s->interested ? FLAG_INTERESTED : 0) | (s->carbons ? FLAG_CARBONS : 0) |
           (s->reads_blocklist ? FLAG_BLOCKLIST : 0);
}

static void put_presence(struct bytes *out, const struct link_snapshot *s)
{
    if (s->presence)
        stanza_write(out, s->presence, NULL);
}

static void wake_fini(struct c2s_link *l);

/* ---- small jobs that nobody waits for ---- */

struct note {
    struct store_job job;
    struct arena arena;
    struct stream_row row;
};

static void note_end(struct store_job *job)
{
    struct note *n = container_of(job, struct note, job);
    arena_fini(&n->arena);
    mem_free(n);
}

static bool run_put(struct store_tx *tx, struct store_job *job, struct error *e)
{
    return streams_put(tx, &container_of(job, struct note, job)->row, e);
}

static bool run_drop(struct store_tx *tx, struct store_job *job, struct error *e)
{
    return streams_drop(tx, container_of(job, struct note, job)->row.token, e);
}

static struct note *note_new(const char *token)
{
    struct note *n = mem_new(struct note);
    arena_init(&n->arena);
    n->row.token = arena_dup(&n->arena, token);
    n->job.discard = note_end;
    return n;
}

static void drop_row(struct store *store, const char *token)
{
    struct note *n = note_new(token);
    n->job.run = run_drop;
    store_write(store, &n->job);
}

void c2s_keep_begin(struct c2s_link *l)
{
    struct note *n = note_new(l->token);
    const struct jid *full = exchange_resource_jid(l->edge.resource);
    struct link_snapshot snap;
    struct bytes presence = BYTES_EMPTY;

    exchange_snapshot(l->edge.resource, &snap);
    put_presence(&presence, &snap);
    n->row.account = arena_dup(&n->arena, full->bare);
    n->row.resource = arena_dup(&n->arena, full->resource);
    n->row.presence = (struct span){arena_dup_n(&n->arena, bytes_text(&presence), presence.len), presence.len};
    n->row.flags = flags_of(&snap);
    bytes_fini(&presence);
    l->saved_presence = snap.presence ? stanza_ref(snap.presence) : NULL;
    l->saved_flags = n->row.flags;
    l->saved_directed = UINT64_MAX; /* with the first save */
    memcpy(l->row, l->token, sizeof(l->row));
    l->kept = true;
    n->job.run = run_put;
    store_write(l->shard->c2s->store, &n->job);
}

void c2s_keep_end(struct c2s_link *l)
{
    wake_fini(l);
    if (!l->kept)
        return;
    l->kept = false;
    timer_stop(&l->save_again);
    stanza_unref(&l->saved_presence);
    drop_row(l->shard->c2s->store, l->row);
}

/* ---- what comes in ---- */

/* Store thread. */
static bool save_inbound(struct store_tx *tx, struct settle *s, struct error *e)
{
    struct c2s_inbound *in = container_of(s, struct c2s_inbound, settle);

    in->saved = true;
    return streams_kept(tx, in->link->row, in->number, in->serial, e);
}

/* Will the snapshot be another when it is settled? */
static bool changes_snapshot(const struct stanza *st)
{
    if (st->kind == STANZA_PRESENCE)
        return !st->to || st->type == PRESENCE_AVAILABLE || st->type == PRESENCE_UNAVAILABLE;
    if (st->kind != STANZA_IQ || !st->payload->root->first_child)
        return false;
    const char *ns = st->payload->root->first_child->ns;
    return text_eq(ns, NS_CARBONS) || text_eq(ns, NS_ROSTER) || text_eq(ns, NS_BLOCKING);
}

void c2s_keep_inbound(struct c2s_link *l, struct c2s_inbound *in, const struct stanza *st)
{
    in->number = l->received;
    if (!l->kept)
        return;
    in->settle.weight = message_weigh(st);
    if (in->settle.weight.keep)
        in->settle.save = save_inbound;
    else if (!changes_snapshot(st))
        return;
    in->serial = ++l->serial;
}

void c2s_keep_settled(struct c2s_link *l, const struct c2s_inbound *in)
{
    if (!l->kept)
        return;
    if (in->saved)
        l->saved_top = in->number;
    else if (in->serial) { /* refused, needed no keeping after all, or changes the snapshot */
        l->resolved++;
        c2s_keep_want(l);
    }
}

/* ---- saving ---- */

struct saving {
    struct store_job job;
    struct c2s_link *link; /* counted */
    struct stream_save save;
    struct bytes outs, presence, directed;
    uint32_t out_top;
};

static bool run_save(struct store_tx *tx, struct store_job *job, struct error *e)
{
    return streams_save(tx, &container_of(job, struct saving, job)->save, e);
}

static void saved(struct c2s_link *l, const struct saving *s)
{
    if ((int32_t)((uint32_t)s->save.handled - l->saved_top) > 0)
        l->saved_top = (uint32_t)s->save.handled;
    l->saved_out = s->out_top;
    c2s_link_pump(l);
    c2s_sm_saved(l);
}

static void on_save_again(struct timer *t)
{
    c2s_keep_want(container_of(t, struct c2s_link, save_again));
}

static void on_saved(struct store_job *job, const struct error *e)
{
    struct saving *s = container_of(job, struct saving, job);
    struct c2s_link *l = s->link;
    struct c2s_shard *shard = l->shard;

    l->saving = false;
    if (e->code != ERROR_NONE) {
        log_debug(NULL, "%s: a stream is not kept yet: %s", l->account->bare, e->text);
        l->resolved += s->save.quiet ? 0 : (uint64_t)s->save.resolved;
        l->saved_flags = -1;
        l->saved_directed = UINT64_MAX;
        if (l->state != C2S_LINK_ENDED) /* what is held waits, as everything does while the disk refuses */
            timer_start(&l->save_again, shard->loop, SAVE_AGAIN_MS, on_save_again);
    } else if (l->state != C2S_LINK_ENDED) {
        saved(l, s);
    }
    if (l->save_wanted && l->state != C2S_LINK_ENDED)
        loop_at_turn_end(shard->loop, &l->hook);
    bytes_fini(&s->outs);
    bytes_fini(&s->presence);
    bytes_fini(&s->directed);
    mem_free(s);
    c2s_link_unref(&l);
    shard->inbound_count--;
    c2s_shard_quiet(shard);
}

/* Everything in the ring gets its number, whether it was sent or only waits for it. */
static void put_outs(struct c2s_link *l, struct saving *s)
{
    uint32_t number = l->acked;

    for (uint32_t i = l->plain_count; i < l->out_count; i++) {
        const struct c2s_out *o = c2s_link_out_at(l, i);
        number++;
        if (!o->seq)
            continue;
        bytes_append_le(&s->outs, number, 4);
        bytes_append_le(&s->outs, o->seq, 8);
    }
    s->out_top = number;
}

static void put_snapshot(struct c2s_link *l, struct saving *s)
{
    struct link_snapshot snap;

    exchange_snapshot(l->edge.resource, &snap);
    s->save.with_directed = snap.directed_changes != l->saved_directed;
    if (s->save.with_directed)
        exchange_put_directed(l->edge.resource, &s->directed, DIRECTED_MAX);
    s->save.directed = bytes_span(&s->directed);
    l->saved_directed = snap.directed_changes;
    s->save.flags = flags_of(&snap);
    s->save.with_presence = snap.presence != l->saved_presence || s->save.flags != l->saved_flags;
    if (!s->save.with_presence)
        return;
    put_presence(&s->presence, &snap);
    stanza_unref(&l->saved_presence);
    l->saved_presence = snap.presence ? stanza_ref(snap.presence) : NULL;
    l->saved_flags = s->save.flags;
    s->save.presence = bytes_span(&s->presence);
}

void c2s_keep_want(struct c2s_link *l)
{
    l->save_wanted = true;
    loop_at_turn_end(l->shard->loop, &l->hook);
}

void c2s_keep_turn_end(struct c2s_link *l)
{
    if (!l->save_wanted || l->saving || !l->kept || l->asleep || !l->edge.resource)
        return;
    struct saving *s = mem_new(struct saving);
    l->save_wanted = false;
    l->saving = true;
    s->link = c2s_link_ref(l);
    l->shard->inbound_count++;
    put_outs(l, s);
    put_snapshot(l, s);
    s->save.token = l->row;
    s->save.handled = l->handled;
    s->save.resolved = (int64_t)l->resolved;
    s->save.serial = (int64_t)l->serial;
    s->save.quiet = list_is_empty(&l->unsettled);
    s->save.acked = l->acked;
    s->save.outs = bytes_span(&s->outs);
    l->resolved = 0;
    s->job.reply_on = l->shard->loop;
    s->job.run = run_save;
    s->job.done = on_saved;
    s->job.bytes = s->outs.len + s->directed.len;
    store_write(l->shard->c2s->store, &s->job);
}

/* ---- after a restart ---- */

/* A link whose client has not come back yet. */
struct c2s_asleep {
    struct list node; /* in shard->sleepers, until the link is made */
    struct arena arena;
    struct stream_row row;
    const struct jid *account; /* the row's */
    struct queue_read queue;
    struct c2s_link *link;   /* counted while `reading` */
    bool reading, over;      /* over: the link has ended meanwhile */
    struct c2s_conn *conn;   /* counted; the client that has come; NULL: none */
    uint32_t h, read_h;      /* the client's; the one that is read for */
};

static void asleep_free(struct c2s_asleep *a)
{
    c2s_conn_unref(&a->conn);
    arena_fini(&a->arena);
    mem_free(a);
}

/* It is awake, or has ended. */
static void wake_fini(struct c2s_link *l)
{
    struct c2s_asleep *a = l->asleep;

    if (!a)
        return;
    l->asleep = NULL;
    if (a->conn) /* only when it has ended */
        c2s_sm_refuse_unknown(l->shard, a->conn, a->row.token);
    if (a->reading)
        a->over = true;
    else
        asleep_free(a);
}

bool c2s_keep_in_doubt(const struct c2s_link *l)
{
    return l->asleep && l->asleep->row.serial != l->asleep->row.done;
}

static void give_up(struct c2s_link *l, const char *why)
{
    struct c2s_conn *k = l->asleep->conn;

    l->asleep->conn = NULL;
    log_info(NULL, "%s: the stream cannot be resumed: %s", l->account->bare, why);
    c2s_link_end(l);
    c2s_sm_refuse_unknown(l->shard, k, l->row);
    c2s_conn_unref(&k);
}

/* Rows that the client had not when it last counted; in `seqs` (may be NULL) up to OUTS_MAX. */
static unsigned missing(const struct c2s_link *l, uint64_t *seqs, const char *done_queue)
{
    const struct span *outs = &l->asleep->row.outs;
    unsigned n = 0;

    for (size_t at = 0; at + STREAM_OUT_BYTES <= outs->len; at += STREAM_OUT_BYTES) {
        uint32_t number = (uint32_t)bytes_read_le(outs->data + at, 4);
        uint64_t seq = bytes_read_le(outs->data + at + 4, 8);
        if ((int32_t)(number - l->asleep->h) > 0) {
            if (seqs && n < OUTS_MAX)
                seqs[n] = seq;
            n++;
        } else if (done_queue) {
            journal_done(l->shard->c2s->store, done_queue, seq);
        }
    }
    return n;
}

static void awake(struct c2s_link *l)
{
    struct c2s_asleep *a = l->asleep;
    struct c2s_conn *k = a->conn;

    (void)missing(l, NULL, arena_printf(&a->arena, "u:%s", l->account->bare));
    l->acked = l->sent_top = l->saved_out = a->h;
    timer_stop(&l->timer);
    a->conn = NULL;
    wake_fini(l);
    exchange_wake(l->edge.resource); /* while there is no connection: what comes only joins the ring */
    l->edge.proved = k->proved;
    l->conn = k;
    c2s_link_take_login(l, k);
    l->state = C2S_LINK_ATTACHED;
    atomic_fetch_sub(&l->shard->c2s->hibernating, 1);
    log_info(NULL, "%s: resumed after a restart", l->account->bare);
    c2s_keep_want(l);
    c2s_sm_tell_resumed(l);
    c2s_link_pump(l);
}

static void try_to_wake(struct c2s_link *l);

/* Are all that the client has not still waiting for it? */
static void on_queue(struct store_job *job, const struct error *e)
{
    struct c2s_asleep *a = container_of(job, struct c2s_asleep, queue.job);
    struct c2s_link *l = a->link;
    struct c2s_shard *shard = l->shard;
    uint64_t seqs[OUTS_MAX];
    bool is_current = !a->over && a->h == a->read_h; /* else another <resume/> has come: it is looked at anew */
    unsigned n = is_current ? missing(l, seqs, NULL) : 0, found = 0;
    bool ok = e->code == ERROR_NONE;

    a->reading = false;
    for (unsigned i = 0; ok && i < a->queue.count; i++)
        for (unsigned k = 0; k < n; k++)
            found += a->queue.rows[i].seq == seqs[k];
    queue_read_fini(&a->queue);
    if (a->over)
        asleep_free(a);
    else if (a->h != a->read_h)
        try_to_wake(l);
    else if (found != n)
        give_up(l, "another client has what it has not");
    else
        awake(l);
    shard->inbound_count--;
    c2s_link_unref(&l);
    c2s_shard_quiet(shard);
}

static void read_queue(struct c2s_link *l, unsigned n, const uint64_t *seqs)
{
    struct c2s_asleep *a = l->asleep;
    uint64_t first = seqs[0], last = seqs[0];

    for (unsigned i = 1; i < n; i++) {
        first = seqs[i] < first ? seqs[i] : first;
        last = seqs[i] > last ? seqs[i] : last;
    }
    a->queue = (struct queue_read){.after = first - 1, .limit = OUTS_MAX, .max_bytes = (size_t)64 << 20};
    arena_init(&a->queue.arena);
    a->queue.queue = arena_printf(&a->queue.arena, "u:%s", l->account->bare);
    a->link = c2s_link_ref(l);
    a->queue.job.reply_on = l->shard->loop;
    a->queue.job.done = on_queue;
    a->queue.job.must_see = store_ticket(l->shard->c2s->store);
    a->read_h = a->h;
    a->reading = true;
    l->shard->inbound_count++;
    journal_read_queue(l->shard->c2s->store, &a->queue);
}

static void try_to_wake(struct c2s_link *l)
{
    uint64_t seqs[OUTS_MAX];
    unsigned n = missing(l, seqs, NULL);

    if (c2s_keep_in_doubt(l))
        give_up(l, "what it sent last is in doubt");
    else if ((int32_t)(l->asleep->h - (uint32_t)l->asleep->row.acked) < 0)
        give_up(l, "it has forgotten what it had acknowledged");
    else if (n > OUTS_MAX)
        give_up(l, "too much was not acknowledged");
    else if (n)
        read_queue(l, n, seqs);
    else
        awake(l);
}

void c2s_keep_wake(struct c2s_link *l, struct c2s_conn *k, uint32_t h)
{
    struct c2s_asleep *a = l->asleep;

    if (a->conn)
        c2s_mail_to_conn(&(struct c2s_mail){C2S_MAIL_CLOSE, .conn = a->conn, .error = STREAM_CONFLICT,
                                            .why = "the stream was resumed on another connection"});
    c2s_conn_unref(&a->conn);
    ref_take(&k->ref);
    a->conn = k;
    a->h = h;
    if (l->state != C2S_LINK_BINDING && !a->reading)
        try_to_wake(l);
}

void c2s_keep_bound(struct c2s_link *l, bool bound)
{
    struct c2s_shard *shard = l->shard;

    if (!bound) {
        log_info(NULL, "%s: a stream of before is over: its resource cannot be bound", l->account->bare);
        c2s_link_end(l);
        return;
    }
    l->state = C2S_LINK_HIBERNATING;
    atomic_fetch_add(&shard->c2s->hibernating, 1);
    c2s_sm_wait(l, c2s_keep_in_doubt(l) || shard->stopping ? 1 : shard->c2s->times.resume_ms);
    if (l->asleep->conn)
        try_to_wake(l);
}

static void fall_asleep(struct c2s_shard *shard, struct c2s_asleep *a)
{
    const struct stream_row *row = &a->row;
    struct stanza *presence = row->presence.len ? stanza_parse(row->presence.data, row->presence.len) : NULL;
    struct c2s_link *l = c2s_link_create(shard, a->account);
    struct link_snapshot snap = {
        .presence = presence,
        .interested = (row->flags & FLAG_INTERESTED) != 0,
        .carbons = (row->flags & FLAG_CARBONS) != 0,
        .reads_blocklist = (row->flags & FLAG_BLOCKLIST) != 0,
        .directed = row->directed,
    };

    l->asleep = a;
    l->managed = l->resumable = l->kept = true;
    (void)text_copy(l->token, sizeof(l->token), row->token);
    (void)text_copy(l->row, sizeof(l->row), row->token);
    map_put(&shard->by_token, l->token, l);
    l->received = l->handled = l->told = l->saved_top = (uint32_t)row->handled;
    l->serial = (uint64_t)row->serial;
    l->acked = (uint32_t)row->acked;
    l->saved_flags = -1;
    l->saved_directed = UINT64_MAX;
    l->edge.proved = exchange_revocations(shard->c2s->exchange);
    exchange_bind_asleep(shard->c2s->exchange, &l->edge, l->account, row->resource, &snap);
    stanza_unref(&presence);
}

static void on_sleepers(struct command *cmd)
{
    struct c2s_shard *shard = container_of(cmd, struct c2s_shard, lay_down);

    list_each (at, &shard->sleepers) {
        struct c2s_asleep *a = list_entry(at, struct c2s_asleep, node);
        list_remove(&a->node);
        if (shard->stopping || map_get(&shard->by_token, a->row.token))
            asleep_free(a);
        else
            fall_asleep(shard, a);
    }
}

void c2s_keep_fini(struct c2s_shard *shard)
{
    list_each (at, &shard->sleepers) {
        struct c2s_asleep *a = list_entry(at, struct c2s_asleep, node);
        list_remove(&a->node);
        asleep_free(a);
    }
}

static struct span copied(struct arena *a, struct span s)
{
    return (struct span){arena_dup_n(a, s.data, s.len), s.len};
}

/* Store thread, while the caller of c2s_keep_start waits. */
static void add_sleeper(void *user, const struct stream_row *row)
{
    struct c2s *c = user;
    struct c2s_asleep *a = mem_new(struct c2s_asleep);

    arena_init(&a->arena);
    a->row = *row;
    a->row.token = arena_dup(&a->arena, row->token);
    a->row.account = arena_dup(&a->arena, row->account);
    a->row.resource = arena_dup(&a->arena, row->resource);
    a->row.outs = copied(&a->arena, row->outs);
    a->row.presence = copied(&a->arena, row->presence);
    a->row.directed = copied(&a->arena, row->directed);
    a->account = jid_parse_text(&a->arena, row->account);
    if (strlen(row->token) > RANDOM_ID_LEN || !a->account || !c2s_domain_served(c, a->account->domain)) {
        log_error(NULL, "the row of a stream of %s is not to be understood, or its community is no more",
                  row->account);
        asleep_free(a);
        return;
    }
    list_append(&c2s_shard_of(c, a->row.account)->sleepers, &a->node);
}

static bool run_start(struct store_tx *tx, void *user, struct error *e)
{
    return streams_forget_old(tx, store_now_us(tx) - INT64_C(30) * 24 * 3600 * 1000000, e) &&
           streams_each(tx, add_sleeper, user, e);
}

bool c2s_keep_start(struct c2s *c, struct error *e)
{
    if (!store_write_wait(c->store, run_start, c, e))
        return false;
    for (unsigned i = 0; i < c->shard_count; i++) {
        c->shards[i].lay_down.run = on_sleepers;
        loop_post(c->shards[i].loop, &c->shards[i].lay_down);
    }
    return true;
}
