/* SPDX-License-Identifier: MIT */
/* See presence_preauth.h. A token that does not hold, or cannot be read, makes a request like any other (XEP-0379
 * section 4.1): whoever sent it learns nothing of it. */
#include "gateway/exchange/presence_preauth.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/person.h"
#include "gateway/store/invitations.h"
#include "gateway/xmpp/ns.h"

struct presence_preauth {
    struct store_job job;
    struct event *ev;
    unsigned char hash[INVITATION_HASH_LEN];
    const char *inviter, *by; /* bare; in the event's arena */
    bool holds, taken;
};

static bool look_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct presence_preauth *t = container_of(job, struct presence_preauth, job);
    struct invitation i;
    struct arena a;
    bool found;
    arena_init(&a);
    bool held = invitations_find(tx, t->hash, &a, &i, &found, e);
    t->holds = held && found && i.contact && text_eq(i.inviter, t->inviter);
    arena_fini(&a);
    return held;
}

static void on_looked(struct store_job *job, const struct error *e)
{
    struct presence_preauth *t = container_of(job, struct presence_preauth, job);
    if (e->code != ERROR_NONE) {
        log_error(NULL, "invitations cannot be read: %s", e->text);
        t->holds = false;
    }
    event_ready(t->ev);
}

struct presence_preauth *presence_preauth_look(struct event *ev)
{
    const struct element *e = ev->st->type == PRESENCE_SUBSCRIBE ? stanza_child(ev->st, "preauth", NS_PARS) : NULL;
    const char *token = element_attr(e, "token");
    if (!token || !*token)
        return NULL;
    struct presence_preauth *t = arena_new(&ev->arena, struct presence_preauth);
    t->ev = ev;
    t->inviter = ev->person->jid->bare;
    t->by = jid_to_bare(&ev->arena, ev->st->from)->bare;
    invitations_hash(token, t->hash);
    t->job = (struct store_job){
        .reply_on = ev->loop, .run = look_run, .done = on_looked, .must_see = store_ticket(ev->x->store)};
    store_read(ev->x->store, &t->job);
    return t;
}

bool presence_preauth_is_looked_at(const struct presence_preauth *t)
{
    return t->taken;
}

bool presence_preauth_take(struct presence_preauth *t)
{
    t->taken = true;
    return t->holds;
}

bool presence_preauth_spend(struct store_tx *tx, void *token, struct error *e)
{
    const struct presence_preauth *t = token;
    bool spent = false;
    if (!invitations_spend_contact(tx, t->hash, t->inviter, t->by, &spent, e))
        return false;
    return spent || error_set(e, ERROR_NOT_FOUND, "the invitation was used meanwhile");
}
