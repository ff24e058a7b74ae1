/* SPDX-License-Identifier: MIT */
/* Accounts made in-band, before login, under TLS: XEP-0077 behind a token of XEP-0445, or open to anybody where the
 * community says so (gateway/exchange/exchange.h, struct community_joining).
 *
 * A stranger learns nothing about who is here: without a token, what is asked is refused before any name is looked at,
 * and where anybody may register, each name that is taken costs one of the few accounts that a network may make in an
 * hour. A token that is wrong is told later each time, as a password is (c2s_brake.h), and counts as a failure of the
 * connection. The account, its first contact and the spending of the token are one transaction (invitations.h); the
 * answer comes after its commit. */
#include "c2s/c2s_register.h"

#include <inttypes.h>
#include <string.h>

#include "c2s/c2s_conn.h"
#include "c2s/c2s_quota.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/subscription.h"
#include "gateway/store/invitations.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/register_query.h"
#include "gateway/xmpp/stanza_build.h"

enum { CHOOSING = 5 /* times login_ms, for whoever has a token and chooses a name */ };

struct c2s_register {
    struct c2s_conn *conn; /* NULL: it has gone */
    struct c2s_io *io;
    bool invited;                           /* a token was shown that holds */
    unsigned char hash[INVITATION_HASH_LEN]; /* of it, or of the one that is being looked at */
    char *name;                             /* what it is for; owned; NULL: any */
    /* what is under way */
    bool busy, held;
    struct stanza *iq; /* counted; NULL: nothing is */
    struct arena arena; /* for it */
    const char *domain;
    struct store_job job;
    uv_work_t work;
    struct timer hold;
    struct c2s_brake_key key;
    struct invitation found;
    bool is_found;
    struct account account;
    char *password; /* in arena; wiped */
    bool derived;
    struct registration made;
    struct sockaddr_storage peer;
};

/* ---- life ---- */

static const struct community_joining *joining_of(const struct c2s_conn *k)
{
    const struct community *c = exchange_community(k->io->c2s->exchange, k->domain);
    return c ? &c->joining : NULL;
}

static struct c2s_register *register_of(struct c2s_conn *k)
{
    if (!k->registering) {
        k->registering = mem_new(struct c2s_register);
        k->registering->conn = k;
        k->registering->io = k->io;
    }
    return k->registering;
}

static void forget_password(struct c2s_register *g)
{
    if (g->password)
        mem_wipe(g->password, strlen(g->password));
    g->password = NULL;
    mem_wipe(&g->account, sizeof g->account);
}

/* What was asked for is answered, or nobody is there any more. */
static void request_end(struct c2s_register *g)
{
    forget_password(g);
    stanza_unref(&g->iq);
    arena_fini(&g->arena);
}

static void register_destroy(struct c2s_register *g)
{
    request_end(g);
    mem_free(g->name);
    mem_free(g);
}

void c2s_register_drop(struct c2s_conn *k)
{
    struct c2s_register *g = k->registering;

    k->registering = NULL;
    if (!g)
        return;
    if (g->held) {
        timer_stop(&g->hold);
        c2s_brake_told(k->io->brake, g->key, false);
    }
    g->conn = NULL;
    if (!g->busy)
        register_destroy(g);
}

static void begin_work(struct c2s_register *g)
{
    g->busy = true;
    g->io->auth_count++;
    c2s_conn_pause(g->conn, C2S_PAUSE_ANSWER);
}

/* false: the connection has gone, and `g` with it. */
static bool end_work(struct c2s_register *g)
{
    struct c2s_io *io = g->io;

    g->busy = false;
    io->auth_count--;
    if (g->conn) {
        c2s_conn_resume(g->conn, C2S_PAUSE_ANSWER); /* reads in a later turn */
        return true;
    }
    register_destroy(g);
    c2s_io_quiet(io);
    return false;
}

/* ---- answers ---- */

static const struct jid *own_address(struct arena *a, const struct c2s_conn *k)
{
    return jid_make(a, NULL, k->domain, NULL);
}

static void send_answer(struct c2s_conn *k, struct stanza *st)
{
    if (k->stream && k->state != C2S_CONN_CLOSING)
        stream_send(k->stream, st);
    stanza_unref(&st);
}

static void refuse(struct c2s_conn *k, const struct stanza *iq, enum stanza_error e, const char *text)
{
    struct arena a;

    arena_init(&a);
    send_answer(k, build_error_bare(iq, own_address(&a, k), e, text));
    arena_fini(&a);
}

static void begin_result(struct builder *b, const struct c2s_conn *k, const struct stanza *iq)
{
    struct arena a;

    arena_init(&a);
    build_begin(b, STANZA_IQ, IQ_RESULT);
    build_from(b, own_address(&a, k));
    build_id(b, iq->id);
    arena_fini(&a);
}

static void answer_empty(struct c2s_conn *k, const struct stanza *iq)
{
    struct builder b;

    begin_result(&b, k, iq);
    send_answer(k, build_end(&b));
}

static void answer_fields(struct c2s_conn *k, const struct stanza *iq, const char *name)
{
    struct builder b;

    begin_result(&b, k, iq);
    build_open(&b, "query", NS_REGISTER);
    build_leaf(&b, "instructions", NULL, "Choose a name and a password.");
    build_leaf(&b, "username", NULL, name);
    build_leaf(&b, "password", NULL, NULL);
    build_close(&b);
    send_answer(k, build_end(&b));
}

/* As many wrong tokens as wrong passwords. */
static void count_failure(struct c2s_conn *k)
{
    if (++k->failures >= k->io->c2s->limits.auth_tries)
        c2s_conn_close(k, STREAM_POLICY_VIOLATION, "too many failed attempts to register");
}

/* ---- a token (XEP-0445) ---- */

static void refuse_token(struct c2s_register *g)
{
    struct c2s_conn *k = g->conn;

    log_info(stream_log(k->stream), "an invitation was shown that does not hold");
    refuse(k, g->iq, STANZA_ITEM_NOT_FOUND, "The invitation does not hold, or not any more.");
    request_end(g);
    count_failure(k);
}

static void on_hold_due(struct timer *t)
{
    struct c2s_register *g = container_of(t, struct c2s_register, hold);

    g->held = false;
    c2s_brake_told(g->conn->io->brake, g->key, false);
    c2s_conn_resume(g->conn, C2S_PAUSE_ANSWER);
    refuse_token(g);
}

/* `user` of the key: no localpart has a slash. */
static void wrong_token(struct c2s_register *g)
{
    struct c2s_conn *k = g->conn;
    uint64_t delay_ms;

    g->key = c2s_brake_key(&k->peer.sa, "/invitation", k->domain);
    if (!c2s_brake_judged(k->io->brake, g->key, true, loop_now_ms(k->io->loop), &delay_ms)) {
        refuse(k, g->iq, STANZA_RESOURCE_CONSTRAINT, "Too many invitations are being tried; try again later.");
        request_end(g);
        count_failure(k);
    } else if (!delay_ms) {
        refuse_token(g);
    } else {
        uint64_t most_ms = k->io->c2s->times.login_ms / 3;
        g->held = true;
        c2s_conn_pause(k, C2S_PAUSE_ANSWER);
        timer_start(&g->hold, k->io->loop, delay_ms < most_ms ? delay_ms : most_ms, on_hold_due);
    }
}

/* Is it good for an account of this community? */
static bool token_holds(const struct c2s_register *g)
{
    return g->is_found && g->found.account && text_eq(g->found.domain, g->domain);
}

static void right_token(struct c2s_register *g)
{
    struct c2s_conn *k = g->conn;

    g->invited = true;
    mem_free(g->name);
    g->name = g->found.name ? mem_dup(g->found.name) : NULL;
    log_info(stream_log(k->stream), "invitation %s was shown", g->found.id);
    c2s_conn_give_time(k, CHOOSING * k->io->c2s->times.login_ms);
    answer_empty(k, g->iq);
    request_end(g);
}

static bool run_token(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct c2s_register *g = container_of(job, struct c2s_register, job);
    return invitations_find(tx, g->hash, &g->arena, &g->found, &g->is_found, e);
}

static void on_token(struct store_job *job, const struct error *e)
{
    struct c2s_register *g = container_of(job, struct c2s_register, job);

    if (!end_work(g))
        return;
    if (e->code) {
        log_error(stream_log(g->conn->stream), "invitations cannot be read: %s", e->text);
        refuse(g->conn, g->iq, STANZA_RESOURCE_CONSTRAINT, "The store does not answer; try again later.");
        request_end(g);
    } else if (token_holds(g)) {
        right_token(g);
    } else {
        wrong_token(g);
    }
}

static struct c2s_register *request_begin(struct c2s_conn *k, struct stanza *iq)
{
    struct c2s_register *g = register_of(k);

    CHECK(!g->iq);
    arena_init(&g->arena);
    g->iq = stanza_ref(iq);
    g->domain = k->domain;
    return g;
}

static void take_token(struct c2s_conn *k, struct stanza *iq)
{
    const char *token = element_attr(stanza_first(iq), "token");

    if (!token) {
        refuse(k, iq, STANZA_BAD_REQUEST, "there is no token");
        return;
    }
    struct c2s_register *g = request_begin(k, iq);
    g->invited = false;
    invitations_hash(token, g->hash);
    g->job = (struct store_job){.reply_on = k->io->loop, .run = run_token, .done = on_token};
    g->job.must_see = store_ticket(k->io->c2s->store);
    begin_work(g);
    store_read(k->io->c2s->store, &g->job);
}

/* ---- an account ---- */

static struct c2s_quota_ask quota_ask(const struct c2s_register *g, const struct community_joining *j)
{
    return (struct c2s_quota_ask){(const struct sockaddr *)&g->peer, g->domain, j->accounts_per_network,
                                  j->accounts_per_hour, loop_now_ms(g->io->loop)};
}

static void give_back(struct c2s_register *g)
{
    struct c2s *c = g->io->c2s;
    struct c2s_quota_ask ask = quota_ask(g, &exchange_community(c->exchange, g->domain)->joining);
    c2s_quota_give_back(c->quota, &ask);
}

/* Whoever was let in may be seen by people of this process at once, also if the connection has gone. */
static void tell_exchange(const struct c2s_register *g)
{
    struct exchange *x = g->io->c2s->exchange;

    exchange_account_changed(x, g->account.bare);
    if (g->made.inviter)
        exchange_introduce(x, g->made.inviter, g->account.bare);
}

static void tell_outcome(struct c2s_register *g)
{
    struct c2s_conn *k = g->conn;

    switch (g->made.outcome) {
    case REGISTRATION_DONE:
        log_info(stream_log(k->stream), "%s was registered%s%s", g->account.bare,
                 g->made.inviter ? ", invited by " : "", g->made.inviter ? g->made.inviter : "");
        c2s_conn_give_time(k, k->io->c2s->times.login_ms);
        g->invited = false;
        answer_empty(k, g->iq);
        break;
    case REGISTRATION_TAKEN:
        refuse(k, g->iq, STANZA_CONFLICT, "That name is taken.");
        break;
    case REGISTRATION_NOT_INVITED:
        g->invited = false;
        refuse(k, g->iq, STANZA_NOT_ALLOWED, "The invitation has been used meanwhile, or taken back.");
        break;
    case REGISTRATION_OTHER_NAME:
        refuse(k, g->iq, STANZA_NOT_ACCEPTABLE, "The invitation is for another name.");
        break;
    }
    request_end(g);
}

static bool run_account(struct store_tx *tx, struct store_job *job, struct error *e)
{
    return invitations_register(tx, &container_of(job, struct c2s_register, job)->made, e);
}

static void on_account(struct store_job *job, const struct error *e)
{
    struct c2s_register *g = container_of(job, struct c2s_register, job);
    bool stranger_probes = !e->code && !g->made.hash && g->made.outcome == REGISTRATION_TAKEN;

    if (!e->code && g->made.outcome == REGISTRATION_DONE)
        tell_exchange(g);
    else if (!stranger_probes)
        give_back(g);
    if (!end_work(g))
        return;
    if (!e->code) {
        tell_outcome(g);
        return;
    }
    log_error(stream_log(g->conn->stream), "an account cannot be made: %s", e->text);
    refuse(g->conn, g->iq, STANZA_RESOURCE_CONSTRAINT, "The store does not answer; try again later.");
    request_end(g);
}

static void on_work(uv_work_t *w)
{
    struct c2s_register *g = container_of(w, struct c2s_register, work);
    g->derived = account_set_password(&g->account, g->password);
}

/* The account is made even if who asked has gone meanwhile: a client that was cut asks again, and is told that the
 * invitation was used; to undo it would need somebody to tell. */
static void on_worked(uv_work_t *w, int status)
{
    struct c2s_register *g = container_of(w, struct c2s_register, work);
    struct c2s *c = g->io->c2s;

    CHECK(status == 0);
    if (g->derived && g->conn) {
        g->made = (struct registration){.account = &g->account,
                                        .hash = g->invited ? g->hash : NULL,
                                        .roster_state = SUBSCRIPTION_BOTH,
                                        .arena = &g->arena};
        g->job = (struct store_job){.reply_on = g->io->loop, .run = run_account, .done = on_account};
        store_write(c->store, &g->job);
        return;
    }
    give_back(g);
    if (!end_work(g))
        return;
    refuse(g->conn, g->iq, STANZA_NOT_ACCEPTABLE, "The password has characters that cannot be used (SASLprep).");
    request_end(g);
}

static void make_account(struct c2s_register *g, const struct jid *who, const char *password)
{
    struct c2s_conn *k = g->conn;
    struct c2s_quota_ask ask;

    memcpy(&g->peer, &k->peer, sizeof k->peer);
    ask = quota_ask(g, joining_of(k));
    if (!c2s_quota_take(k->io->c2s->quota, &ask)) {
        log_warn(stream_log(k->stream), "registration of %s: as many accounts were made as may be made in an hour",
                 who->bare);
        refuse(k, g->iq, STANZA_RESOURCE_CONSTRAINT, "Too many accounts were made lately; try again later.");
        request_end(g);
        return;
    }
    g->account = (struct account){.bare = who->bare};
    g->password = arena_dup(&g->arena, password);
    begin_work(g);
    CHECK(uv_queue_work(loop_uv(k->io->loop), &g->work, on_work, on_worked) == 0);
}

/* Names of the operator, and those that `admins` lists, are for those who were invited by that name. */
static bool may_have(const struct c2s_register *g, const struct jid *who)
{
    const struct community *c = exchange_community(g->io->c2s->exchange, g->domain);

    return (g->invited && g->name) ||
           (!register_query_is_reserved(who->local) && c && !community_lists_admin(c, who->bare));
}

static void take_wish(struct c2s_conn *k, struct stanza *iq)
{
    struct c2s_register *g = request_begin(k, iq);
    struct register_query q;

    register_query_read(&g->arena, stanza_first(iq), k->domain, &q);
    if (q.wish == REGISTER_ACCOUNT && may_have(g, q.who)) {
        make_account(g, q.who, q.password);
        return;
    }
    if (q.wish == REGISTER_ACCOUNT)
        refuse(k, iq, STANZA_NOT_ACCEPTABLE, "That name is reserved.");
    else if (q.wish == REGISTER_REMOVE)
        refuse(k, iq, STANZA_UNEXPECTED_REQUEST, "Log in first.");
    else
        refuse(k, iq, q.refused, q.why);
    request_end(g);
}

/* ---- what comes ---- */

void c2s_register_features(const struct c2s_conn *k, struct bytes *out)
{
    const struct community_joining *j = joining_of(k);

    if (j && j->who != JOIN_NOBODY) /* urn:xmpp:invite: as older clients know it */
        bytes_append_text(out, "<register xmlns='" NS_REGISTER_FEATURE "'/><register xmlns='" NS_IBR_TOKEN
                               "'/><register xmlns='" NS_INVITE "'/>");
}

static bool is_for_us(const struct c2s_conn *k, const struct stanza *st)
{
    return !st->to_malformed &&
           (!st->to || (!st->to->local && !st->to->resource && text_eq(st->to->domain, k->domain)));
}

static void take_query(struct c2s_conn *k, struct stanza *iq, const struct community_joining *j)
{
    bool invited = k->registering && k->registering->invited;

    if (j->who == JOIN_INVITED && !invited)
        refuse(k, iq, STANZA_NOT_ALLOWED, "Accounts are made by invitation here.");
    else if (iq->type == IQ_GET)
        answer_fields(k, iq, invited ? k->registering->name : NULL);
    else
        take_wish(k, iq);
}

bool c2s_register_take(struct c2s_conn *k, struct stanza *st)
{
    const struct community_joining *j = joining_of(k);
    const struct element *e = stanza_first(st);
    bool is_token = st->type == IQ_SET && element_is(e, "preauth", NS_PARS);
    bool is_query = (st->type == IQ_SET || st->type == IQ_GET) && element_is(e, "query", NS_REGISTER);

    if (st->kind != STANZA_IQ || !(is_token || is_query) || e->next || !st->id || !is_for_us(k, st))
        return false;
    if (!j || j->who == JOIN_NOBODY)
        refuse(k, st, STANZA_SERVICE_UNAVAILABLE, NULL);
    else if (is_token)
        take_token(k, st);
    else
        take_query(k, st, j);
    return true;
}
