/* SPDX-License-Identifier: MIT */
/* XEP-0077 for who is logged in: a new password, and the end of the account. How accounts begin is the terminals' edge
 * (c2s/c2s_register.c).
 *
 * A new password does what it does elsewhere: tokens of clients go with the old one, and every link but the one that
 * asked ends (not-authorized), and so does a login that was not bound yet. An account that is removed takes everything
 * with it, and all its links end; those who see it, or were to, are told (section 3.2). No password comes back in an
 * error (section 3.3). */
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/exchange.h"
#include "gateway/services/services.h"
#include "gateway/store/account.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/register_query.h"
#include "gateway/xmpp/stanza_build.h"

struct change {
    struct store_job job;
    uv_work_t work; /* deriving keys, on libuv's pool */
    struct turn turn;
    struct exchange *x;
    struct person *who; /* whose turn it is */
    struct stanza *iq;  /* a count */
    struct arena arena;
    struct register_query wish;
    char *password; /* in arena; wiped */
    struct account keys;
    bool derived;
};

static void change_end(struct change *c)
{
    if (c->password)
        mem_wipe(c->password, strlen(c->password));
    mem_wipe(&c->keys, sizeof c->keys);
    stanza_unref(&c->iq);
    arena_fini(&c->arena);
    mem_free(c);
}

static void refuse(struct exchange *x, const struct stanza *iq, enum stanza_error e, const char *text)
{
    exchange_answer(x, build_error_bare(iq, iq->to, e, text));
}

/* The turn is over, whatever came of it. */
static void change_over(struct change *c)
{
    person_turn_end(c->who, &c->turn);
    change_end(c);
}

/* ---- the store ---- */

static bool change_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct change *c = container_of(job, struct change, job);
    c->keys.bare = c->iq->from->bare;
    return c->wish.wish == REGISTER_REMOVE ? account_delete(tx, c->keys.bare, e) : account_renew_keys(tx, &c->keys, e);
}

static void on_links_ended(void *user, unsigned ended)
{
    (void)user, (void)ended;
}

static void tell(struct change *c)
{
    const struct jid *who = c->iq->from;
    struct arena a;
    arena_init(&a);
    log_info(NULL, "%s %s", who->bare,
             c->wish.wish == REGISTER_REMOVE ? "has removed the account" : "has a new password");
    exchange_answer(c->x, build_result(c->iq));
    if (c->wish.wish == REGISTER_REMOVE) {
        exchange_take_leave(c->x, who->bare);
        /* also when somebody has the name again by now, who must not find the former owner's links or logins */
        exchange_end_links(c->x, jid_to_bare(&a, who), STREAM_NOT_AUTHORIZED, person_loop(c->who), on_links_ended,
                           NULL);
    }
    exchange_account_changed(c->x, who->bare);
    if (c->wish.wish == REGISTER_ACCOUNT)
        exchange_end_clients(c->x, &(struct exchange_revocation){.account = jid_to_bare(&a, who), .but_link = who},
                             person_loop(c->who), on_links_ended, NULL);
    arena_fini(&a);
}

static void on_changed(struct store_job *job, const struct error *e)
{
    struct change *c = container_of(job, struct change, job);
    if (e->code == ERROR_NONE)
        tell(c);
    else if (e->code == ERROR_NOT_FOUND)
        refuse(c->x, c->iq, STANZA_REGISTRATION_REQUIRED, e->text);
    else
        refuse(c->x, c->iq, STANZA_RESOURCE_CONSTRAINT, "The store does not answer; try again later.");
    change_over(c);
}

static void change_write(struct change *c)
{
    c->job = (struct store_job){.reply_on = person_loop(c->who), .run = change_run, .done = on_changed};
    store_write(exchange_store(c->x), &c->job);
}

/* ---- its turn: keys are dear ---- */

static void on_work(uv_work_t *work)
{
    struct change *c = container_of(work, struct change, work);
    c->derived = account_set_password(&c->keys, c->password);
}

static void on_worked(uv_work_t *work, int status)
{
    struct change *c = container_of(work, struct change, work);
    CHECK(status == 0);
    if (c->derived) {
        change_write(c);
        return;
    }
    refuse(c->x, c->iq, STANZA_NOT_ACCEPTABLE, "The password has characters that cannot be used (SASLprep).");
    change_over(c);
}

static void on_turn(struct turn *t, bool is_there)
{
    struct change *c = container_of(t, struct change, turn);
    if (!is_there)
        change_end(c);
    else if (c->wish.wish == REGISTER_REMOVE)
        change_write(c);
    else
        CHECK(uv_queue_work(loop_uv(person_loop(c->who)), &c->work, on_work, on_worked) == 0);
}

static void on_person(struct person *p, void *user)
{
    struct change *c = user;
    c->who = p;
    c->turn.asker = c->iq->from;
    c->turn.run = on_turn;
    if (p && person_turn(p, &c->turn))
        return;
    refuse(c->x, c->iq, p ? STANZA_RESOURCE_CONSTRAINT : STANZA_REGISTRATION_REQUIRED, NULL);
    change_end(c);
}

/* ---- what is asked ---- */

static void answer_get(struct exchange *x, const struct stanza *iq)
{
    struct builder b;
    build_begin_result(&b, iq);
    build_open(&b, "query", NS_REGISTER);
    build_leaf(&b, "registered", NULL, NULL);
    build_leaf(&b, "username", NULL, iq->from->local);
    build_leaf(&b, "password", NULL, NULL);
    build_close(&b);
    exchange_answer(x, build_end(&b));
}

/* What is not complete is bad-request here, and not-acceptable where an account is made (tables 1 and 3). */
static enum stanza_error refusal_of(const struct register_query *q)
{
    return q->refused == STANZA_NOT_ACCEPTABLE && !q->who ? STANZA_BAD_REQUEST : q->refused;
}

static void take_set(struct exchange *x, struct stanza *iq)
{
    struct change *c = mem_new(struct change);
    struct register_query *q = &c->wish;
    arena_init(&c->arena);
    c->x = x;
    c->iq = stanza_ref(iq);
    register_query_read(&c->arena, stanza_first(iq), iq->from->domain, q);
    if (q->wish == REGISTER_WRONG) {
        refuse(x, iq, refusal_of(q), q->why);
        change_end(c);
    } else if (q->wish == REGISTER_ACCOUNT && !jid_eq_bare(q->who, iq->from)) {
        refuse(x, iq, STANZA_NOT_ALLOWED, "That is not your account.");
        change_end(c);
    } else {
        c->password = q->wish == REGISTER_ACCOUNT ? arena_dup(&c->arena, q->password) : NULL;
        exchange_with_person(x, iq->from->bare, on_person, c);
    }
}

static enum service_result handle(struct exchange *x, struct person *who, struct stanza *iq)
{
    bool is_own = iq->from->local && iq->from->resource && text_eq(iq->from->domain, iq->to->domain) &&
                  (!who || jid_eq_bare(iq->from, iq->to));
    if (!is_own)
        refuse(x, iq, STANZA_NOT_ALLOWED, "That is for accounts of this community.");
    else if (exchange_community(x, iq->from->domain)->accounts_elsewhere)
        refuse(x, iq, STANZA_NOT_ALLOWED, "This account is of the community's directory (LDAP): change it there.");
    else if (iq->type == IQ_GET)
        answer_get(x, iq);
    else
        take_set(x, iq);
    return SERVICE_HANDLED;
}

static const struct service_iq iqs[] = {
    {"query", NS_REGISTER, 1u << IQ_GET | 1u << IQ_SET, AT_DOMAIN | AT_ACCOUNT, handle},
    {0},
};
static const struct service_xep xeps[] = {{"0077", "2.4", "without forms"}, {0}};
static const char *const features[] = {NS_REGISTER, NULL};

const struct service registration_service = {
    .name = "registration",
    .xeps = xeps,
    .domain_features = features,
    .iqs = iqs,
};
