/* SPDX-License-Identifier: MIT */
/* The blocking list (XEP-0191): matching, changing, telling. Memory changes when the write is asked;
 * clients and contacts learn of it after the commit. */
#include "gateway/exchange/blocklist.h"

#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/presence.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/session_internal.h"
#include "gateway/store/blocks.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

enum { ENTRIES_MAX = 5000 };

/* ---- the list in memory ---- */

static void add(struct sessions *ss, const char *jid)
{
    if (map_get(&ss->blocked, jid))
        return;
    char *own = mem_dup(jid);
    map_put(&ss->blocked, own, own);
}

static void drop(struct sessions *ss, const char *jid)
{
    char *own = map_remove(&ss->blocked, jid);
    mem_free(own);
}

void blocklist_fill(struct sessions *ss, const char *const *jids, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        add(ss, jids[i]);
}

void blocklist_fini(struct sessions *ss)
{
    char *own;
    for (size_t at = 0; (own = map_next(&ss->blocked, &at));)
        mem_free(own);
    map_fini(&ss->blocked);
}

bool blocklist_matches(const struct sessions *ss, const struct jid *j)
{
    char text[3200];
    if (!ss->blocked.count)
        return false;
    if (map_get(&ss->blocked, j->full) || map_get(&ss->blocked, j->domain))
        return true;
    return j->resource && snprintf(text, sizeof text, "%s/%s", j->domain, j->resource) < (int)sizeof text &&
           map_get(&ss->blocked, text);
}

/* ---- for the service ---- */

void blocklist_each(struct person *p, struct stanza *iq, void (*each)(void *user, const char *jid), void *user)
{
    struct resource *asker = iq && iq->from->resource ? resource_find(p, iq->from->resource) : NULL;
    if (asker)
        asker->reads_blocklist = true;
    struct session *s;
    for (size_t at = 0; (s = map_next(&p->sessions->peers, &at));)
        if (s->consent == CONSENT_BLOCKED)
            each(user, s->peer);
    const char *jid;
    for (size_t at = 0; (jid = map_next(&p->sessions->blocked, &at));)
        each(user, jid);
}

/* ---- what others see of it ---- */

static void push(struct person *p, const char *jid, bool blocked)
{
    char id[RANDOM_ID_LEN + 1];
    random_id(id);
    resource_each(r, p) if (r->reads_blocklist)
    {
        struct builder b;
        build_begin(&b, STANZA_IQ, IQ_SET);
        build_from(&b, p->jid);
        build_to(&b, r->jid);
        build_id(&b, id);
        build_open(&b, blocked ? "block" : "unblock", NS_BLOCKING);
        build_open(&b, "item", NULL);
        build_attr(&b, "jid", jid);
        build_close(&b);
        build_close(&b);
        struct stanza *st = build_end(&b);
        resource_give(r, st, 0);
        stanza_unref(&st);
    }
}

void blocklist_changed(struct person *p, const char *jid, bool blocked)
{
    struct arena a;
    arena_init(&a);
    const struct jid *j = jid_parse_text(&a, jid);
    if (j && p->state == PERSON_READY) {
        push(p, jid, blocked);
        presence_blocked(p, j, blocked);
    }
    arena_fini(&a);
}

/* ---- changing ---- */

/* One request of a client: some JIDs, each of which is a consent or an entry. */
struct request {
    struct store_job job;
    struct arena arena;
    struct person *p; /* counted in p->jobs */
    const char *owner;
    bool block;
    const char **entries; /* that are written by this job */
    unsigned entry_count, waits;
    struct error error; /* the first thing that went wrong */
    void (*done)(void *user, const struct error *e);
    void *user;
};

static void one_done(void *user, const struct error *e)
{
    struct request *q = user;
    if (e->code != ERROR_NONE && q->error.code == ERROR_NONE)
        q->error = *e;
    if (--q->waits)
        return;
    struct person *p = q->p;
    q->done(q->user, &q->error);
    arena_fini(&q->arena);
    mem_free(q);
    p->jobs--;
    person_idle(p);
}

static bool run_entries(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct request *q = container_of(job, struct request, job);
    for (unsigned i = 0; i < q->entry_count; i++)
        if (q->block ? !blocks_put(tx, q->owner, q->entries[i], e) : !blocks_drop(tx, q->owner, q->entries[i], e))
            return false;
    return true;
}

static void on_entries(struct store_job *job, const struct error *e)
{
    struct request *q = container_of(job, struct request, job);
    struct person *p = q->p;
    if (e->code != ERROR_NONE) {
        log_error(NULL, "%s: the blocking list was not kept: %s", q->owner, e->text);
        p->stale = true; /* what is in memory holds no more */
    }
    for (unsigned i = 0; e->code == ERROR_NONE && i < q->entry_count; i++)
        blocklist_changed(p, q->entries[i], q->block);
    one_done(q, e);
}

static bool is_consent(const struct jid *j)
{
    return jid_is_account(j);
}

static void change_consent(struct request *q, const struct jid *j)
{
    struct session *s = q->block ? session_of(q->p, j->bare) : session_find(q->p, j->bare);
    if (!s || (s->consent == CONSENT_BLOCKED) == q->block)
        return;
    q->waits++;
    session_consent_apply(q->p, s, q->block ? CONSENT_BLOCK_EVENT : CONSENT_REVOKE_EVENT, false, one_done, q);
}

static void change_entry(struct request *q, const struct jid *j)
{
    struct sessions *ss = q->p->sessions;
    if (!map_get(&ss->blocked, j->full) != q->block)
        return;
    q->entries[q->entry_count++] = arena_dup(&q->arena, j->full);
    if (q->block)
        add(ss, j->full);
    else
        drop(ss, j->full);
}

static unsigned count_blocked(struct person *p)
{
    unsigned n = (unsigned)p->sessions->blocked.count;
    struct session *s;
    for (size_t at = 0; (s = map_next(&p->sessions->peers, &at));)
        n += s->consent == CONSENT_BLOCKED;
    return n;
}

bool blocklist_set(struct person *p, const struct jid *const *jids, unsigned count, bool block,
                  void (*done)(void *user, const struct error *e), void *user)
{
    if (block && count_blocked(p) + count > ENTRIES_MAX)
        return false;
    struct request *q = mem_new(struct request);
    arena_init(&q->arena);
    q->p = p;
    q->owner = arena_dup(&q->arena, p->jid->bare);
    q->block = block;
    q->entries = arena_alloc(&q->arena, (count + 1) * sizeof *q->entries);
    q->done = done;
    q->user = user;
    q->waits = 1;
    p->jobs++;
    for (unsigned i = 0; i < count; i++)
        if (is_consent(jids[i]))
            change_consent(q, jids[i]);
        else
            change_entry(q, jids[i]);
    if (q->waits > 1 && !q->entry_count) { /* the consents' own writes say when it is done */
        q->waits--;
        return true;
    }
    q->job.reply_on = p->loop;
    q->job.run = run_entries;
    q->job.done = on_entries;
    store_write(exchange_store(p->x), &q->job);
    return true;
}
