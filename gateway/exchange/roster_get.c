/* SPDX-License-Identifier: MIT */
/* A client asks for its roster (RFC 6121 2.1.3), perhaps naming the version that it has (2.6): then
 * it gets nothing if that is the newest, what changed since as pushes if the store still knows, or
 * all. */
#include "gateway/base/text.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/roster.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

enum { CHANGES_MAX = 50 }; /* more are sent as the whole roster */

/* Reading what changed; ev->data. */
struct since {
    struct store_job job;
    struct event *ev;
    int64_t version;
    struct stanza *pushes[CHANGES_MAX]; /* in order of their versions */
    unsigned count;                     /* may be more than fit */
    bool complete;
};

/* Store thread; nobody else looks at the job meanwhile. */
static void each_change(void *user, const struct roster_row *row, bool removed)
{
    struct since *s = user;
    if (s->count < CHANGES_MAX)
        s->pushes[s->count] = roster_build_row_push(s->ev->person, row, removed);
    s->count++;
}

static void drop_pushes(struct since *s)
{
    for (unsigned i = 0; i < s->count && i < CHANGES_MAX; i++)
        stanza_unref(&s->pushes[i]);
    s->count = 0;
}

static bool run_since(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct since *s = container_of(job, struct since, job);
    drop_pushes(s); /* a run may be repeated */
    return roster_changes(tx, s->ev->person->jid->bare, s->version, each_change, s, &s->complete,
                          e);
}

static void on_since(struct store_job *job, const struct error *e)
{
    struct since *s = container_of(job, struct since, job);
    s->complete = s->complete && e->code == ERROR_NONE && s->count <= CHANGES_MAX;
    event_ready(s->ev);
}

static enum event_state get_admit(struct event *ev)
{
    const struct roster *r = ev->person->roster;
    const char *ver = element_attr(stanza_first(ev->st), "ver");
    uint64_t known = 0;
    ev->resource->interested =
        true; /* from now on: nothing falls between what is read and the pushes */
    if (!ver || !text_to_u64(ver, &known) || known >= (uint64_t)r->version)
        return EVENT_READY;
    struct since *s = arena_new(&ev->arena, struct since);
    ev->data = s;
    s->ev = ev;
    s->version = (int64_t)known;
    s->job.reply_on = ev->loop;
    s->job.run = run_since;
    s->job.done = on_since;
    s->job.must_see = store_ticket(ev->x->store);
    store_read(ev->x->store, &s->job);
    return EVENT_WAITS;
}

static bool is_current(const struct event *ev)
{
    uint64_t known = 0;
    const char *ver = element_attr(stanza_first(ev->st), "ver");
    return ver && text_to_u64(ver, &known) && known == (uint64_t)ev->person->roster->version;
}

static void answer(struct event *ev, bool whole)
{
    struct roster *r = ev->person->roster;
    struct builder b;
    build_begin_result(&b, ev->st);
    if (whole) {
        roster_build_query(&b, r->version);
        roster_each(i, r) if (i->in_roster) roster_build_item(&b, i);
        build_close(&b);
    }
    struct stanza *st = build_end(&b);
    resource_give(ev->resource, st, 0);
    stanza_unref(&st);
}

static enum event_fate get_perform(struct event *ev)
{
    struct since *s = ev->data;
    bool changes = s && s->complete;
    if (ev->resource->link)
        answer(ev, !changes && !is_current(ev));
    for (unsigned i = 0; changes && ev->resource->link && i < s->count; i++) {
        struct stanza *st =
            stanza_readdress(s->pushes[i], s->pushes[i]->from, ev->resource->jid, (struct span){0});
        resource_give(ev->resource, st, 0);
        stanza_unref(&st);
    }
    if (s)
        drop_pushes(s);
    return EVENT_FINISHED;
}

const struct event_ops roster_get_ops = {"roster get", get_admit, get_perform};
