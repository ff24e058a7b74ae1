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
 * After a restart rows that the client has are done, the others are in the account's queue and come from there.
 * Presence and iq that were under way are lost; whom another client has relieved of a row that this one has
 * not, and whose messages were still in doubt, is refused with item-not-found. */
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

enum { FLAG_INTERESTED = 1, FLAG_CARBONS = 2, FLAG_BLOCKLIST = 4, OUTS_MAX = 2000, SAVE_AGAIN_MS = 1000 };

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
    memcpy(l->row, l->token, sizeof(l->row));
    l->kept = true;
    n->job.run = run_put;
    store_write(l->shard->c2s->store, &n->job);
}

void c2s_keep_end(struct c2s_link *l)
{
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
        return !st->to;
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
    struct bytes outs, presence;
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
        if (l->state != C2S_LINK_ENDED) /* what is held waits, as everything does while the disk refuses */
            timer_start(&l->save_again, shard->loop, SAVE_AGAIN_MS, on_save_again);
    } else if (l->state != C2S_LINK_ENDED) {
        saved(l, s);
    }
    if (l->save_wanted && l->state != C2S_LINK_ENDED)
        loop_at_turn_end(shard->loop, &l->hook);
    bytes_fini(&s->outs);
    bytes_fini(&s->presence);
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
    if (!l->save_wanted || l->saving || !l->kept || !l->edge.resource)
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
    s->job.bytes = s->outs.len;
    store_write(l->shard->c2s->store, &s->job);
}

/* ---- after a restart ---- */

struct c2s_restore {
    struct stream_load load;
    struct queue_read queue;
    struct c2s_shard *shard;
    struct c2s_conn *conn; /* counted */
    uint32_t h;            /* the client's */
};

static void restore_end(struct c2s_restore *r)
{
    struct c2s_shard *shard = r->shard;

    c2s_conn_unref(&r->conn);
    arena_fini(&r->load.arena);
    mem_free(r);
    shard->inbound_count--;
    c2s_shard_quiet(shard);
}

static void give_up(struct c2s_restore *r, const char *why)
{
    if (r->load.found) {
        log_info(NULL, "%s: the stream cannot be resumed: %s", r->load.row.account, why);
        drop_row(r->shard->c2s->store, r->load.token);
    }
    c2s_sm_refuse_unknown(r->shard, r->conn, r->load.token);
    restore_end(r);
}

/* Rows that the client had not when it last counted; in `seqs` (may be NULL) up to OUTS_MAX. */
static unsigned missing(const struct c2s_restore *r, uint64_t *seqs, const char *done_queue)
{
    const struct span *outs = &r->load.row.outs;
    unsigned n = 0;

    for (size_t at = 0; at + STREAM_OUT_BYTES <= outs->len; at += STREAM_OUT_BYTES) {
        uint32_t number = (uint32_t)bytes_read_le(outs->data + at, 4);
        uint64_t seq = bytes_read_le(outs->data + at + 4, 8);
        if ((int32_t)(number - r->h) > 0) {
            if (seqs && n < OUTS_MAX)
                seqs[n] = seq;
            n++;
        } else if (done_queue) {
            journal_done(r->shard->c2s->store, done_queue, seq);
        }
    }
    return n;
}

static void restore_bind(struct c2s_restore *r)
{
    const struct stream_row *row = &r->load.row;
    struct c2s_link *l = c2s_link_create(r->shard, r->conn);

    (void)missing(r, NULL, arena_printf(&r->load.arena, "u:%s", row->account));
    ref_take(&r->conn->ref);
    l->conn = r->conn;
    l->edge.proved = r->conn->proved;
    l->restore = r;
    exchange_bind(r->shard->c2s->exchange, &l->edge, l->account, row->resource);
}

/* Are all that the client has not still waiting for it? */
static void on_queue(struct store_job *job, const struct error *e)
{
    struct c2s_restore *r = container_of(job, struct c2s_restore, queue.job);
    uint64_t seqs[OUTS_MAX];
    unsigned n = missing(r, seqs, NULL), found = 0;
    bool ok = e->code == ERROR_NONE;

    for (unsigned i = 0; ok && i < r->queue.count; i++)
        for (unsigned k = 0; k < n; k++)
            found += r->queue.rows[i].seq == seqs[k];
    queue_read_fini(&r->queue);
    if (found != n)
        give_up(r, "another client has what it has not");
    else
        restore_bind(r);
}

static void read_queue(struct c2s_restore *r, unsigned n, const uint64_t *seqs)
{
    uint64_t first = seqs[0], last = seqs[0];

    for (unsigned i = 1; i < n; i++) {
        first = seqs[i] < first ? seqs[i] : first;
        last = seqs[i] > last ? seqs[i] : last;
    }
    r->queue = (struct queue_read){.after = first - 1, .limit = OUTS_MAX, .max_bytes = (size_t)64 << 20};
    arena_init(&r->queue.arena);
    r->queue.queue = arena_printf(&r->queue.arena, "u:%s", r->load.row.account);
    r->queue.job.reply_on = r->shard->loop;
    r->queue.job.done = on_queue;
    r->queue.job.must_see = store_ticket(r->shard->c2s->store);
    journal_read_queue(r->shard->c2s->store, &r->queue);
}

static void on_load(struct store_job *job, const struct error *e)
{
    struct c2s_restore *r = container_of(job, struct c2s_restore, load.job);
    const struct stream_row *row = &r->load.row;
    struct c2s *c = r->shard->c2s;
    uint64_t seqs[OUTS_MAX];
    unsigned n;

    if (e->code != ERROR_NONE)
        r->load.found = false;
    if (!r->load.found || !text_eq(row->account, r->conn->account->bare) ||
        map_get(&r->shard->by_token, r->load.token)) {
        r->load.found = false; /* not this client's to end */
        give_up(r, "");
    } else if (loop_now_ms(r->shard->loop) - c->started_ms > c->times.resume_ms) {
        give_up(r, "it is too late");
    } else if (row->serial != row->done) {
        give_up(r, "what it sent last is in doubt");
    } else if ((int32_t)(r->h - (uint32_t)row->acked) < 0) {
        give_up(r, "it has forgotten what it had acknowledged");
    } else if (!(n = missing(r, seqs, NULL))) {
        restore_bind(r);
    } else if (n > OUTS_MAX) {
        give_up(r, "too much was not acknowledged");
    } else {
        read_queue(r, n, seqs);
    }
}

void c2s_keep_restore(struct c2s_shard *shard, struct c2s_conn *k, const char *token, uint32_t h)
{
    struct c2s_restore *r = mem_new(struct c2s_restore);

    shard->inbound_count++;
    r->shard = shard;
    ref_take(&k->ref);
    r->conn = k;
    r->h = h;
    arena_init(&r->load.arena);
    r->load.token = arena_dup(&r->load.arena, token);
    r->load.job.reply_on = shard->loop;
    r->load.job.done = on_load;
    r->load.job.must_see = store_ticket(shard->c2s->store);
    streams_load(shard->c2s->store, &r->load);
}

static void take_up(struct c2s_link *l, const struct c2s_restore *r)
{
    const struct stream_row *row = &r->load.row;

    l->managed = l->resumable = l->kept = true;
    (void)text_copy(l->token, sizeof(l->token), row->token);
    (void)text_copy(l->row, sizeof(l->row), row->token);
    map_put(&l->shard->by_token, l->token, l);
    l->received = l->handled = l->told = l->saved_top = (uint32_t)row->handled;
    l->serial = (uint64_t)row->serial;
    l->acked = l->sent_top = l->saved_out = r->h;
    l->saved_flags = -1;
    l->state = C2S_LINK_ATTACHED;
}

static void tell_exchange(struct c2s_link *l, const struct stream_row *row)
{
    struct stanza *presence = row->presence.len ? stanza_parse(row->presence.data, row->presence.len) : NULL;
    struct link_snapshot snap = {
        .presence = presence,
        .interested = (row->flags & FLAG_INTERESTED) != 0,
        .carbons = (row->flags & FLAG_CARBONS) != 0,
        .reads_blocklist = (row->flags & FLAG_BLOCKLIST) != 0,
    };

    exchange_restore(l->edge.resource, &snap);
    stanza_unref(&presence);
}

void c2s_keep_bound(struct c2s_link *l, bool bound)
{
    struct c2s_restore *r = l->restore;

    l->restore = NULL;
    if (!bound) {
        give_up(r, "its resource cannot be bound");
        c2s_link_end(l);
        return;
    }
    take_up(l, r);
    log_info(NULL, "%s: resumed after a restart", l->account->bare);
    c2s_sm_tell_resumed(l);
    if (l->edge.resource) /* also when the connection has ended meanwhile, and it hibernates */
        tell_exchange(l, &r->load.row);
    c2s_keep_want(l);
    restore_end(r);
}

static bool run_forget(struct store_tx *tx, void *user, struct error *e)
{
    return streams_forget_old(tx, store_now_us(tx) - *(const int64_t *)user, e);
}

bool c2s_keep_start(struct c2s *c, struct error *e)
{
    int64_t age_us = INT64_C(30) * 24 * 3600 * 1000000;

    c->started_ms = loop_now_ms(c->shards[0].loop);
    return store_write_wait(c->store, run_forget, &age_us, e);
}
