/* SPDX-License-Identifier: MIT */
/* urn:causeway:queue:1, by which two Causeways pass each kept message exactly once (s2s/README.md,
 * schemas/xsd/urn-causeway-queue-1.xsd): how it is written and read, and what a sending pair may call settled.
 *
 * Settled means: nothing up to there will ever be sent again. What the peer confirmed is, at once: should
 * a crash bring its row back, the peer knows it by that very mark. What failed is not while its error may
 * still be on the way to its commit: a crash would bring the row back, and the peer must not take it for
 * one that it had. So after a failure the mark stands still until the store shows that the row is gone. */
#include "s2s/s2s_numbering.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/journal.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_way.h"

enum { TELL_AFTER = 64 }; /* messages; the peer remembers each until then */

/* ---- on the wire ---- */

static bool read_id(const struct stanza *st, struct queue_id *out)
{
    const char *seq = stanza_attr(st, "seq"), *at = stanza_attr(st, "at");
    uint64_t at_us;
    if (!seq || !at || !text_to_u64(seq, &out->seq) || !text_to_u64(at, &at_us) || out->seq > INT64_MAX - 1 ||
        at_us > INT64_MAX)
        return false;
    out->at_us = (int64_t)at_us;
    return true;
}

bool s2s_numbering_read_next(const struct stanza *st, struct queue_id *out)
{
    return read_id(st, out) && out->seq != 0;
}

static bool read_epoch(const char *text, uint64_t *out)
{
    if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return false;
    *out = strtoull(text, NULL, 16);
    return true;
}

bool s2s_numbering_read_settled(const struct stanza *st, struct arena *a, struct s2s_settled *out)
{
    out->from = jid_parse_domain(a, stanza_attr(st, "from"));
    out->to = jid_parse_domain(a, stanza_attr(st, "to"));
    return out->from && out->to && read_epoch(stanza_attr(st, "epoch"), &out->epoch) && read_id(st, &out->id);
}

static void send_settled(struct s2s_numbering *n, struct stream *st)
{
    struct bytes b = BYTES_EMPTY;
    bytes_append_text(&b, "<settled xmlns='" NS_QUEUE "' from='");
    xml_escape(&b, n->way->local, strlen(n->way->local));
    bytes_append_text(&b, "' to='");
    xml_escape(&b, n->way->remote, strlen(n->way->remote));
    bytes_printf(&b, "' epoch='%016" PRIx64 "' seq='%" PRIu64 "' at='%" PRId64 "'/>", n->way->shard->s2s->o.queue_epoch,
                 n->told.seq, n->told.at_us);
    stream_send_raw(st, bytes_span(&b));
    bytes_fini(&b);
}

/* ---- what is settled ---- */

struct look {
    struct queue_read q;
    struct s2s_numbering *n;
    uint64_t failed_seq; /* as it was when the store was asked */
};

static void on_looked(struct store_job *job, const struct error *e)
{
    struct look *l = container_of(job, struct look, q.job);
    struct s2s_numbering *n = l->n;
    struct s2s_shard *sh = n->way->shard;
    bool gone = e->code == ERROR_NONE && (l->q.count == 0 || l->q.rows[0].seq > l->failed_seq);
    n->looking = false;
    sh->reads--;
    if (gone && n->failed_seq == l->failed_seq)
        n->failed_seq = 0;
    queue_read_fini(&l->q);
    mem_free(l);
    s2s_shard_check_stopped(sh);
}

static void look(struct s2s_numbering *n)
{
    struct look *l = mem_new(struct look);
    arena_init(&l->q.arena);
    l->n = n;
    l->failed_seq = n->failed_seq;
    l->q.job.reply_on = n->way->shard->loop;
    l->q.job.done = on_looked;
    l->q.queue = n->way->queue;
    l->q.limit = 1;
    n->looking = true;
    n->way->shard->reads++;
    journal_read_queue(n->way->shard->s2s->o.store, &l->q);
}

void s2s_numbering_confirmed(struct s2s_numbering *n, struct queue_id id)
{
    n->settled = id;
    n->untold++;
}

void s2s_numbering_failed(struct s2s_numbering *n, struct queue_id id)
{
    if (id.seq > n->failed_seq)
        n->failed_seq = id.seq;
}

/* ---- a stream ---- */

void s2s_numbering_begin(struct s2s_numbering *n, struct stream *st)
{
    n->on = true;
    if (!n->failed_seq)
        n->told = n->settled;
    n->untold = 0;
    send_settled(n, st);
}

void s2s_numbering_end(struct s2s_numbering *n)
{
    n->on = false;
}

void s2s_numbering_tell(struct s2s_numbering *n, struct stream *st)
{
    if (!n->on || n->untold < TELL_AFTER)
        return;
    n->untold = 0;
    if (!n->failed_seq) {
        n->told = n->settled;
        send_settled(n, st);
    } else if (!n->looking) {
        look(n);
    }
}

void s2s_numbering_send(const struct s2s_numbering *n, struct stream *st, struct queue_id id)
{
    if (n->on)
        stream_send_text(st, "<next xmlns='" NS_QUEUE "' seq='%" PRIu64 "' at='%" PRId64 "'/>", id.seq, id.at_us);
}
