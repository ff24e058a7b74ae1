/* SPDX-License-Identifier: MIT */
/* A community whose passwords are in a directory outside (gateway/net/directory.h): who shows one by PLAIN is asked
 * about there, and so is whether somebody who shows a token or a certificate is still there. A token lives no longer
 * than its account; a certificate may bring an account back, so what the directory said a while ago will not do for it.
 *
 * The first right login makes the account; it has no keys, and never gets any. Wrong, locked and expired count alike
 * for the brake on guessing. Which names there are, a directory's time may tell: a name that is not there costs one
 * question, a wrong password two. */
#include "c2s/c2s_auth.h"
#include "c2s/c2s_conn.h"
#include "gateway/base/mem.h"
#include "gateway/net/directory.h"

struct c2s_directory {
    struct c2s_auth *auth; /* it lies in it */
    struct directory_ask ask;
    struct store_job job;
    bool changed; /* the account is not as it was */
    struct command detour;
};

struct directory *c2s_directory_of(const struct c2s_conn *k)
{
    return atomic_load(&c2s_domain_known(k->io->c2s, k->domain)->directory);
}

void c2s_directory_destroy(struct c2s_directory **at)
{
    mem_free(*at);
    *at = NULL;
}

static struct c2s_directory *begin(struct c2s_conn *k)
{
    struct c2s_auth *a = k->auth;
    struct c2s_directory *o = mem_new(struct c2s_directory);

    c2s_directory_destroy(&a->outside);
    a->outside = o;
    o->auth = a;
    o->ask.user = sasl_username(a->sasl);
    o->ask.reply_on = k->io->loop;
    c2s_auth_begin_work(a);
    return o;
}

static void end(struct c2s_auth *a, enum sasl_failure why)
{
    if (c2s_auth_end_work(a))
        c2s_auth_outside_judged(a->conn, why);
}

/* ---- a right password: the account ---- */

static void go_on(struct c2s_directory *o)
{
    struct c2s_auth *a = o->auth;

    a->disabled = a->get.account.disabled;
    end(a, SASL_OK);
}

/* Behind the news of the change, where the exchange keeps the person: what binds next finds the account. */
static void on_back(struct command *cmd)
{
    go_on(container_of(cmd, struct c2s_directory, detour));
}

static void on_there(struct command *cmd)
{
    struct c2s_directory *o = container_of(cmd, struct c2s_directory, detour);

    o->detour.run = on_back;
    loop_post(o->auth->io->loop, &o->detour);
}

static bool make_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct c2s_directory *o = container_of(job, struct c2s_directory, job);
    struct account_get *get = &o->auth->get;

    return account_of_directory(tx, get->bare, &o->changed, e) &&
           account_find(tx, get->bare, &get->arena, &get->account, &get->found, e);
}

static void on_made(struct store_job *job, const struct error *e)
{
    struct c2s_directory *o = container_of(job, struct c2s_directory, job);
    struct c2s_auth *a = o->auth;
    struct exchange *x = a->io->c2s->exchange;

    if (e->code) {
        log_error(NULL, "%s cannot be kept as an account: %s", a->get.bare, e->text);
        end(a, SASL_TEMPORARY_AUTH_FAILURE);
    } else if (!o->changed) {
        go_on(o);
    } else {
        log_info(NULL, "%s is an account, of the directory", a->get.bare);
        exchange_account_changed(x, a->get.bare);
        o->detour.run = on_there;
        loop_post(exchange_loop_of(x, a->get.bare), &o->detour);
    }
}

static void on_account(struct store_job *job, const struct error *e)
{
    struct c2s_auth *a = container_of(job, struct c2s_auth, get.job);
    struct c2s_directory *o = a->outside;
    const struct account *acc = &a->get.account;

    if (e->code) {
        log_error(NULL, "account %s cannot be read: %s", a->get.bare, e->text);
        end(a, SASL_TEMPORARY_AUTH_FAILURE);
    } else if (a->get.found && acc->of_directory && !acc->gone) {
        go_on(o);
    } else {
        o->job = (struct store_job){.reply_on = a->io->loop, .run = make_run, .done = on_made, .bytes = sizeof(*o)};
        store_write(a->io->c2s->store, &o->job);
    }
}

/* ---- what the directory says ---- */

static enum sasl_failure failure_of(enum directory_outcome outcome)
{
    switch (outcome) {
    case DIRECTORY_RIGHT:
        return SASL_OK;
    case DIRECTORY_WRONG:
        return SASL_NOT_AUTHORIZED;
    case DIRECTORY_DISABLED:
        return SASL_ACCOUNT_DISABLED;
    case DIRECTORY_EXPIRED:
        return SASL_CREDENTIALS_EXPIRED;
    case DIRECTORY_UNAVAILABLE:
        break;
    }
    return SASL_TEMPORARY_AUTH_FAILURE;
}

static void on_proved(struct directory_ask *ask)
{
    struct c2s_directory *o = container_of(ask, struct c2s_directory, ask);
    struct c2s_auth *a = o->auth;

    if (ask->outcome != DIRECTORY_RIGHT || !a->conn)
        end(a, failure_of(ask->outcome));
    else
        account_get(a->io->c2s->store, &a->get);
}

void c2s_directory_prove(struct c2s_conn *k)
{
    c2s_auth_name(k, on_account);
    struct c2s_directory *o = begin(k);
    o->ask.fresh = sasl_takes_certificate(k->auth->sasl); /* nobody showed a password */
    o->ask.password = o->ask.fresh ? NULL : sasl_password(k->auth->sasl);
    o->ask.done = on_proved;
    directory_ask(c2s_directory_of(k), &o->ask);
}

static void on_rechecked(struct directory_ask *ask)
{
    struct c2s_auth *a = container_of(ask, struct c2s_directory, ask)->auth;
    enum sasl_failure why = failure_of(ask->outcome);

    if (!c2s_auth_end_work(a))
        return;
    if (why == SASL_NOT_AUTHORIZED)
        log_warn(stream_log(a->conn->stream), "%s: the directory has it no more", a->get.bare);
    c2s_auth_token_judged(a->conn, why == SASL_OK ? SASL_SUCCESS : sasl_refuse(a->sasl, why));
}

void c2s_directory_recheck(struct c2s_conn *k)
{
    struct c2s_directory *o = begin(k);

    o->ask.done = on_rechecked;
    directory_ask(c2s_directory_of(k), &o->ask);
}
