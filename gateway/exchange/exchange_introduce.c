/* SPDX-License-Identifier: MIT */
/* The row in the table of introductions goes when the inviter's roster was committed, or when there is no such inviter
 * any more. It is done twice if the process ends between the two, which changes nothing. */
#include "gateway/exchange/exchange_introduce.h"

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/person.h"
#include "gateway/exchange/presence_internal.h"
#include "gateway/exchange/resource.h"
#include "gateway/exchange/roster.h"
#include "gateway/store/invitations.h"

struct introduction {
    const struct jid *inviter, *invited; /* bare; in the event's arena */
    enum subscription_state was;
};

/* ---- the row ---- */

struct done_job {
    struct store_job job;
    char *inviter, *invited;
};

static bool done_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct done_job *d = container_of(job, struct done_job, job);
    return invitations_introduced(tx, d->inviter, d->invited, e);
}

static void done_discard(struct store_job *job)
{
    struct done_job *d = container_of(job, struct done_job, job);
    mem_free(d->inviter);
    mem_free(d->invited);
    mem_free(d);
}

static void forget_row(struct exchange *x, const struct introduction *n)
{
    struct done_job *d = mem_new(struct done_job);
    d->job.run = done_run;
    d->job.discard = done_discard;
    d->inviter = mem_dup(n->inviter->bare);
    d->invited = mem_dup(n->invited->bare);
    store_write(x->store, &d->job);
}

/* ---- the event ---- */

static enum event_state introduction_admit(struct event *ev)
{
    struct introduction *n = ev->data;
    struct person *p = ev->person;
    struct roster_change *c;
    if (p->state == PERSON_NOBODY)
        return EVENT_READY;
    const struct roster_item *now = roster_find(p->roster, n->invited->bare);
    n->was = now ? now->state : SUBSCRIPTION_NONE;
    if (n->was == SUBSCRIPTION_BOTH && now->in_roster)
        return EVENT_READY;
    struct roster_item *i = roster_begin(ev, n->invited, &c);
    if (!i) {
        log_warn(NULL, "%s has as many contacts as there may be: %s, who was invited, is not among them", p->jid->bare,
                 n->invited->bare);
        return EVENT_READY;
    }
    i->state = SUBSCRIPTION_BOTH;
    i->in_roster = true;
    stanza_unref(&i->request);
    roster_commit(ev, c, false);
    return EVENT_WAITS;
}

static void probe(struct person *p, const struct jid *contact)
{
    struct stanza *st = presence_bare(PRESENCE_PROBE, p->jid);
    resource_each(r, p) if (r->presence) presence_send_copy(p, st, r->jid, contact);
    stanza_unref(&st);
}

static enum event_fate introduction_perform(struct event *ev)
{
    struct introduction *n = ev->data;
    struct person *p = ev->person;
    if (ev->error.code != ERROR_NONE) {
        log_error(NULL, "%s is not yet among the contacts of %s: %s", n->invited->bare, n->inviter->bare,
                  ev->error.text);
        return EVENT_FINISHED;
    }
    if (ev->push) {
        roster_push(ev);
        if (!subscription_has_from(n->was))
            presence_send_all(p, n->invited, true);
        if (!subscription_has_to(n->was))
            probe(p, n->invited);
    }
    forget_row(ev->x, n);
    return EVENT_FINISHED;
}

static const struct event_ops introduction_ops = {"introduction", introduction_admit, introduction_perform};

static void on_shard(struct command *cmd)
{
    struct event *ev = container_of(cmd, struct event, cmd);
    struct introduction *n = ev->data;
    event_post(ev, n->inviter);
}

void exchange_introduce(struct exchange *x, const char *inviter, const char *invited)
{
    struct event *ev = event_create(x, &introduction_ops, NULL);
    struct introduction *n = arena_new(&ev->arena, struct introduction);
    n->inviter = jid_parse_text(&ev->arena, inviter);
    n->invited = jid_parse_text(&ev->arena, invited);
    ev->data = n;
    ev->ours = true;
    if (n->inviter && n->invited && n->inviter->local && exchange_is_local(x, n->inviter))
        event_post_shard(ev, n->inviter->bare, on_shard);
    else
        event_destroy(&ev); /* a community that is no more */
}

/* ---- at start ---- */

struct introduced_pair {
    char *inviter, *invited;
    struct introduced_pair *next;
};

struct start_job {
    struct store_job job;
    struct exchange *x;
    struct arena arena;
    struct introduced_pair *pairs;
};

static void take_pair(void *user, const char *inviter, const char *invited)
{
    struct start_job *s = user;
    struct introduced_pair *pair = arena_new(&s->arena, struct introduced_pair);
    *pair = (struct introduced_pair){arena_dup(&s->arena, inviter), arena_dup(&s->arena, invited), s->pairs};
    s->pairs = pair;
}

static bool start_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct start_job *s = container_of(job, struct start_job, job);
    s->pairs = NULL;
    return invitations_introductions(tx, take_pair, s, e);
}

static void on_started(struct store_job *job, const struct error *e)
{
    struct start_job *s = container_of(job, struct start_job, job);
    if (e->code != ERROR_NONE)
        log_error(NULL, "introductions cannot be read: %s", e->text);
    for (const struct introduced_pair *pair = s->pairs; pair && e->code == ERROR_NONE; pair = pair->next)
        exchange_introduce(s->x, pair->inviter, pair->invited);
    arena_fini(&s->arena);
    mem_free(s);
}

void exchange_introduce_start(struct exchange *x)
{
    struct start_job *s = mem_new(struct start_job);
    s->x = x;
    arena_init(&s->arena);
    s->job = (struct store_job){.reply_on = x->shards[0].loop, .run = start_run, .done = on_started};
    store_read(x->store, &s->job);
}
