/* SPDX-License-Identifier: MIT */
/* Kept messages on their last step. A row stays in "u:BARE" until one link has reported the
 * message, so that no cut loses it; memory only knows which links hold it at the moment. A resource
 * that becomes available reads the queue first, and the lane stands still while it does: nothing
 * newer passes. A link gets no more than OWED_MAX_BYTES at a time of what waited: the reading rests until
 * it has reported some, so a slow link is not drowned by what came while it was away. */
#include "gateway/exchange/pending.h"

#include <stddef.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/exchange/event.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/person.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

enum { FLUSH_WINDOW = 200, OWED_MAX_BYTES = 1024 * 1024 };

/* One link's holding of a message. */
struct delivery {
    struct list node;
    struct outstanding *o; /* NULL: not in use */
};

/* A message that links hold. */
struct outstanding {
    struct list node; /* in person->outstanding */
    uint64_t seq;
    struct stanza *st;
    size_t bytes; /* of st, as owed_bytes counts them */
    unsigned holders;
    bool done; /* one has reported it */
    struct delivery own; /* of the first link that got it: mostly there is but one */
};

static struct outstanding *entry(struct list *node)
{
    return list_entry(node, struct outstanding, node);
}

/* The first that is not older than `seq`, or the list's head. What is new goes behind all; what a queue
 * gives goes beside what it gave before. */
static struct list *place_of(struct person *p, uint64_t seq)
{
    struct list *head = &p->outstanding, *at = head->prev;
    if (at == head || entry(at)->seq < seq)
        return head;
    if (p->outstanding_near)
        at = p->outstanding_near;
    while (at->prev != head && entry(at->prev)->seq >= seq)
        at = at->prev;
    while (entry(at)->seq < seq)
        at = at->next;
    p->outstanding_near = at;
    return at;
}

static struct outstanding *outstanding_of(struct person *p, struct stanza *st, uint64_t seq)
{
    struct list *at = place_of(p, seq);
    if (at != &p->outstanding && entry(at)->seq == seq)
        return entry(at);
    struct outstanding *o = mem_new(struct outstanding);
    o->seq = seq;
    o->st = stanza_ref(st);
    o->bytes = stanza_size(st);
    list_insert_before(at, &o->node);
    return o;
}

void pending_give(struct resource *r, struct stanza *st, uint64_t seq)
{
    if (!r->link)
        return;
    struct outstanding *o = outstanding_of(r->person, st, seq);
    struct delivery *d = o->own.o ? mem_new(struct delivery) : &o->own;
    d->o = o;
    o->holders++;
    r->owed_bytes += o->bytes;
    if (seq > r->given_top)
        r->given_top = seq;
    list_append(&r->deliveries, &d->node);
    resource_give(r, st, seq);
}

static bool holds(const struct resource *r, uint64_t seq)
{
    if (seq <= r->given_top)
        list_each (at, &r->deliveries)
            if (list_entry(at, struct delivery, node)->o->seq == seq)
                return true;
    return false;
}

static void flush_if_rested(struct resource *r);

static void forget(struct person *p, struct outstanding *o)
{
    if (p->outstanding_near == &o->node)
        p->outstanding_near = o->node.next == &p->outstanding ? NULL : o->node.next;
    list_remove(&o->node);
    stanza_unref(&o->st);
    mem_free(o);
}

static void let_go(struct resource *r, struct delivery *d)
{
    struct outstanding *o = d->o;
    r->owed_bytes -= o->bytes;
    list_remove(&d->node);
    if (d == &o->own)
        d->o = NULL;
    else
        mem_free(d);
    if (--o->holders == 0)
        forget(r->person, o);
}

void pending_delivered(struct resource *r, uint64_t seq)
{
    struct person *p = r->person;
    list_each (at, &r->deliveries) {
        struct delivery *d = list_entry(at, struct delivery, node);
        if (d->o->seq != seq)
            continue;
        if (!d->o->done)
            journal_done(p->x->store, p->queue, seq);
        d->o->done = true;
        if (p->queue_is_read)
            bytes_append(&p->reported, &seq, sizeof seq);
        let_go(r, d);
        flush_if_rested(r);
        return;
    }
}

static void pass_on(struct person *p, struct outstanding *o)
{
    bool taken = false;
    resource_each(other, p)
    {
        if (!resource_takes_messages(other))
            continue;
        bool will_read_it = other->flushing && o->seq > other->flushed_to;
        if (!will_read_it)
            pending_give(other, o->st, o->seq);
        taken = true;
    }
    if (!taken)
        session_returned(p, o->st, o->seq);
}

void pending_orphan(struct resource *r)
{
    struct person *p = r->person;
    list_each (at, &r->deliveries) {
        struct delivery *d = list_entry(at, struct delivery, node);
        if (!d->o->done && d->o->holders == 1)
            pass_on(p, d->o);
        let_go(r, d);
    }
}

void pending_unreported(struct resource *r)
{
    list_each (at, &r->deliveries) {
        const struct outstanding *o = list_entry(at, struct delivery, node)->o;
        if (!o->done)
            session_returned(r->person, o->st, o->seq);
    }
}

void pending_forget(struct resource *r)
{
    list_each (at, &r->deliveries)
        let_go(r, list_entry(at, struct delivery, node));
}

/* ---- what a link gets ---- */

struct stanza *pending_dress(struct person *p, struct stanza *st, uint64_t seq, int64_t kept_us)
{
    struct bytes xml = BYTES_EMPTY;
    if (person_archives(p, st)) {
        char id[ARCHIVE_ID_LEN + 1];
        archive_id(p->x->store, seq, id);
        bytes_reserve(&xml, 200);
        bytes_append_text(&xml, "<stanza-id xmlns='" NS_SID "'");
        xml_put_attr(&xml, "by", p->jid->bare);
        xml_put_attr(&xml, "id", id);
        bytes_append_text(&xml, "/>");
    }
    if (kept_us) {
        char stamp[DATETIME_MAX];
        datetime_write(stamp, kept_us);
        bytes_append_text(&xml, "<delay xmlns='" NS_DELAY "'");
        xml_put_attr(&xml, "from", p->jid->domain);
        xml_put_attr(&xml, "stamp", stamp);
        bytes_append_text(&xml, "/>");
    }
    if (!xml.len)
        return stanza_ref(st);
    struct stanza *dressed = stanza_readdress(st, st->from, st->to, bytes_span(&xml));
    bytes_fini(&xml);
    return dressed;
}

/* ---- reading the queue ---- */

struct flush {
    struct queue_read read;
    struct event *ev;
    bool reading;
    bool later; /* event_ready begins it */
    uint64_t after;
    uint64_t last; /* newest row given */
};

static void on_read(struct store_job *job, const struct error *e)
{
    struct flush *f = container_of(job, struct flush, read.job);
    f->ev->error = *e;
    event_ready(f->ev);
}

static void read_on(struct event *ev, struct flush *f)
{
    f->read =
        (struct queue_read){.queue = ev->person->queue, .after = f->after, .limit = FLUSH_WINDOW};
    f->read.job.reply_on = ev->loop;
    f->read.job.done = on_read;
    f->read.job.must_see = store_ticket(ev->x->store);
    arena_init(&f->read.arena);
    f->reading = ev->person->queue_is_read = true;
    journal_read_queue(ev->x->store, &f->read);
}

static bool is_target(const struct event *ev, const struct resource *r)
{
    return ev->resource ? r == ev->resource : !r->flushing && resource_takes_messages(r);
}

/* Since the read was asked, so that it may be among its rows all the same. */
static bool was_reported(const struct person *p, uint64_t seq)
{
    for (size_t at = 0; at < p->reported.len; at += sizeof seq)
        if (!memcmp(p->reported.data + at, &seq, sizeof seq))
            return true;
    return false;
}

static void give_row(struct event *ev, struct flush *f, const struct queue_row *row)
{
    struct person *p = ev->person;
    f->after = row->seq;
    if (ev->resource)
        ev->resource->flushed_to = row->seq;
    if (was_reported(p, row->seq))
        return;
    struct stanza *st = pending_dress(p, row->stanza, row->seq, row->kept_us);
    /* Another link may hold it, too: one that is cut or dead holds it for long, and newer ones would come first. */
    resource_each(r, p) if (is_target(ev, r) && !holds(r, row->seq)) pending_give(r, st, row->seq);
    stanza_unref(&st);
    f->last = row->seq;
}

static void flush_end(struct event *ev, struct flush *f, bool rests)
{
    resource_each(r, ev->person) if (is_target(ev, r) && f->last > r->seen_seq) r->seen_seq =
        f->last;
    if (ev->resource && rests)
        ev->resource->flush_rests = true;
    else if (ev->resource)
        ev->resource->flushing = false;
}

static bool flush_is_wanted(const struct event *ev)
{
    const struct resource *r = ev->resource;
    if (r)
        return ev->person->state == PERSON_READY && r->link && r->flushing;
    resource_each(any, ev->person) if (is_target(ev, any)) return true;
    return false;
}

static enum event_fate flush_perform(struct event *ev)
{
    struct flush *f = ev->data;
    if (f->reading) {
        f->reading = false;
        bool failed = ev->error.code != ERROR_NONE, more = f->read.more;
        if (failed)
            log_error(NULL, "%s: what waits cannot be read: %s", ev->person->jid->bare,
                      ev->error.text);
        for (unsigned i = 0; i < f->read.count && flush_is_wanted(ev); i++)
            give_row(ev, f, &f->read.rows[i]);
        queue_read_fini(&f->read);
        bytes_clear(&ev->person->reported);
        ev->person->queue_is_read = false;
        bool done = failed || !more || !flush_is_wanted(ev);
        bool rests = ev->resource && ev->resource->owed_bytes > OWED_MAX_BYTES;
        if (done || rests) {
            flush_end(ev, f, !done);
            return EVENT_FINISHED;
        }
    } else if (!flush_is_wanted(ev)) {
        return EVENT_FINISHED;
    }
    read_on(ev, f);
    return EVENT_STAYS;
}

static enum event_state flush_admit(struct event *ev)
{
    const struct flush *f = ev->data;
    return f->later ? EVENT_WAITS : EVENT_READY;
}

static const struct event_ops flush_ops = {"flush", flush_admit, flush_perform};

static struct event *flush(struct person *p, struct resource *r, bool later)
{
    struct event *ev = event_create(p->x, &flush_ops, NULL);
    struct flush *f = arena_new(&ev->arena, struct flush);
    f->ev = ev;
    f->later = later;
    ev->data = f;
    ev->person = p;
    ev->loop = p->loop;
    if (r) {
        f->after = r->flushed_to;
        r->flushing = true;
        r->flush_rests = false;
        ev->resource = resource_ref(r);
    }
    event_submit(ev, &p->in);
    return ev;
}

static void flush_if_rested(struct resource *r)
{
    if (r->flushing && r->flush_rests && r->owed_bytes <= OWED_MAX_BYTES / 2)
        (void)flush(r->person, r, false);
}

void pending_flush(struct person *p, struct resource *r)
{
    r->flushed_to = 0;
    (void)flush(p, r, false);
}

struct event *pending_flush_later(struct person *p)
{
    return flush(p, NULL, true);
}
