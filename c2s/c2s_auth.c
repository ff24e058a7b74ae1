/* SPDX-License-Identifier: MIT */
/* The exchange of SASL on a connection, whichever way it is spelt (c2s_sasl1.c, c2s_sasl2.c): moves the pure
 * exchange of gateway/xmpp/sasl.h along, fetches keys from the store, has passwords derived on libuv's pool, and
 * tells the outcome when the brake on guessing lets it (c2s_brake.h).
 *
 * What is under way on another thread outlives the connection: then `conn` is NULL and the end of
 * it only frees. An account that does not exist takes the same steps as any other. */
#include <inttypes.h>
#include <string.h>

#include "c2s/c2s_auth.h"
#include "c2s/c2s_census.h"
#include "c2s/c2s_conn.h"
#include "c2s/c2s_register.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"

/* ---- life ---- */

static bool find_binding(void *user, const char *type, struct bytes *out)
{
    const struct c2s_auth *a = user;

    return a->conn && stream_channel_binding(a->conn->stream, type, out);
}

/* `tokens`: mechanisms that take one, too. */
static struct c2s_auth *auth_create(struct c2s_conn *k, unsigned tokens)
{
    const struct c2s *c = k->io->c2s;
    struct c2s_auth *a = mem_new(struct c2s_auth);
    struct bytes advertised = BYTES_EMPTY;
    bool binds = c2s_offer_binds(k);

    a->conn = k;
    a->io = k->io;
    c2s_offer_hashed(k, &advertised);
    struct sasl_config config = {
        .domain = k->domain,
        .offered = c2s_offer_mechanisms(k) | tokens,
        .fake_secret = {(const char *)c->secret, sizeof(c->secret)},
        .fake_iterations = SCRAM_ITERATIONS,
        .binding = {binds ? find_binding : NULL, a},
        .people = (const char *const *)k->people,
        .advertised = bytes_text(&advertised),
    };
    c2s_census_older(c, k->domain, &config);
    a->sasl = sasl_create(&config);
    bytes_fini(&advertised);
    return a;
}

static void auth_destroy(struct c2s_auth *a)
{
    CHECK(!a->busy);
    arena_fini(&a->get.arena);
    sasl_destroy(&a->sasl);
    stanza_unref(&a->request);
    c2s_upgrade_destroy(&a->upgrade);
    c2s_fast_destroy(&a->fast);
    c2s_directory_destroy(&a->outside);
    mem_free(a);
}

void c2s_auth_drop(struct c2s_conn *k)
{
    struct c2s_auth *a = k->auth;

    k->auth = NULL;
    if (!a)
        return;
    if (a->held) { /* nobody is left to be told */
        timer_stop(&a->hold);
        c2s_brake_told(k->io->brake, a->key, false);
    }
    a->conn = NULL;
    if (!a->busy)
        auth_destroy(a);
}

void c2s_auth_begin_work(struct c2s_auth *a)
{
    a->busy = true;
    a->io->auth_count++;
    c2s_conn_pause(a->conn, C2S_PAUSE_ANSWER);
}

bool c2s_auth_end_work(struct c2s_auth *a)
{
    struct c2s_io *io = a->io;
    struct c2s_conn *k = a->conn;

    a->busy = false;
    io->auth_count--;
    if (k) {
        c2s_conn_resume(k, C2S_PAUSE_ANSWER);
        return true;
    }
    auth_destroy(a);
    c2s_io_quiet(io);
    return false;
}

/* ---- ends of an exchange ---- */

static void fail(struct c2s_conn *k, const struct c2s_profile *p, const char *name, enum sasl_failure why)
{
    struct c2s *c = k->io->c2s;
    const char *wire = sasl_failure_name(why);

    log_warn(stream_log(k->stream), "login failed: %s%s%s", wire, name ? ", as " : "",
             name ? name : "");
    atomic_fetch_add(&c->auth_failures, 1);
    c2s_auth_drop(k);
    if (k->state == C2S_CONN_PROVING)
        c2s_conn_enter(k, C2S_CONN_SECURE);
    p->failure(k, wire);
    if (++k->failures >= c->limits.auth_tries)
        c2s_conn_close(k, STREAM_POLICY_VIOLATION, "too many failed attempts to log in");
}

void c2s_auth_refuse(struct c2s_conn *k, const struct c2s_profile *p, enum sasl_failure why)
{
    fail(k, p, NULL, why);
}

/* `name` lives in the exchange, which fail() ends. */
void c2s_auth_fail(struct c2s_conn *k, enum sasl_failure why)
{
    const char *name = sasl_username(k->auth->sasl);
    char *copy = name ? mem_dup(name) : NULL;

    fail(k, k->auth->profile, copy, why);
    mem_free(copy);
}

static void succeed(struct c2s_conn *k)
{
    struct c2s_auth *a = k->auth;
    struct c2s *c = k->io->c2s;
    const struct jid *account = jid_make(&a->get.arena, sasl_username(a->sasl), k->domain, NULL);

    if (!account) {
        c2s_auth_fail(k, SASL_NOT_AUTHORIZED);
        return;
    }
    k->account = jid_dup(account);
    k->proved = a->proved;
    k->by_certificate = sasl_takes_certificate(a->sasl);
    k->shard = c2s_shard_of(c, k->account->bare);
    atomic_fetch_add(&c->auth_successes, 1);
    log_info(stream_log(k->stream), "%s logged in by %s", k->account->bare,
             sasl_mechanism_name(sasl_mechanism(a->sasl)));
    a->profile->succeeded(k);
}

void c2s_auth_proved(struct c2s_conn *k)
{
    c2s_auth_drop(k);
    c2s_register_drop(k);
    c2s_external_forget(k);
    c2s_conn_set_from(k, NULL);
    c2s_conn_enter(k, C2S_CONN_PROVED);
    stream_set_limits(k->stream, k->io->c2s->limits.after_auth);
}

/* ---- when it is told ---- */

static void tell(struct c2s_conn *k)
{
    if (!k->auth->right)
        c2s_auth_fail(k, sasl_failure(k->auth->sasl));
    else if (k->auth->disabled)
        c2s_auth_fail(k, SASL_ACCOUNT_DISABLED);
    else
        c2s_auth_prepared(k);
}

void c2s_auth_prepared(struct c2s_conn *k)
{
    c2s_heal_keep(k);
    if (!k->auth->profile->prepare || !k->auth->profile->prepare(k))
        succeed(k);
}

static void on_hold_due(struct timer *t)
{
    struct c2s_auth *a = container_of(t, struct c2s_auth, hold);
    struct c2s_conn *k = a->conn;

    a->held = false;
    c2s_brake_told(k->io->brake, a->key, a->right);
    c2s_conn_resume(k, C2S_PAUSE_ANSWER); /* reads in a later turn */
    tell(k);
}

/* A password was looked at. */
static void judged(struct c2s_conn *k, bool right)
{
    struct c2s_auth *a = k->auth;
    uint64_t delay_ms;

    a->right = right;
    a->key = c2s_brake_key(&k->peer.sa, sasl_username(a->sasl), k->domain);
    if (!c2s_brake_judged(k->io->brake, a->key, !right, loop_now_ms(k->io->loop), &delay_ms)) {
        log_warn(stream_log(k->stream), "too many guesses at %s wait; this one is not told", sasl_username(a->sasl));
        c2s_auth_fail(k, SASL_TEMPORARY_AUTH_FAILURE);
    } else if (!delay_ms) {
        tell(k);
    } else {
        uint64_t most_ms = k->io->c2s->times.login_ms / 3; /* or the time for logging in would run out */
        uint64_t wait_ms = delay_ms < most_ms ? delay_ms : most_ms;
        log_info(stream_log(k->stream), "login as %s: the outcome is told after %" PRIu64 " ms", sasl_username(a->sasl),
                 wait_ms);
        a->held = true;
        c2s_conn_pause(k, C2S_PAUSE_ANSWER);
        timer_start(&a->hold, k->io->loop, wait_ms, on_hold_due);
    }
}

/* ---- steps ---- */

static void go_on(struct c2s_conn *k, enum sasl_step step);

void c2s_auth_token_judged(struct c2s_conn *k, enum sasl_step step)
{
    if (step == SASL_SUCCESS) /* nobody guesses one: it does not wait for those who guess passwords */
        k->auth->right = true;
    if (step == SASL_SUCCESS)
        tell(k);
    else
        go_on(k, step);
}

void c2s_auth_outside_judged(struct c2s_conn *k, enum sasl_failure why)
{
    struct sasl *s = k->auth->sasl;

    if (why != SASL_OK && why != SASL_NOT_AUTHORIZED)
        go_on(k, sasl_refuse(s, why));
    else if (sasl_takes_certificate(s))
        go_on(k, sasl_give_account(s, why == SASL_OK));
    else
        go_on(k, sasl_judge(s, why == SASL_OK));
}

/* It tells of a password, and so counts as a guess. */
static bool is_guess(const struct sasl *s)
{
    enum sasl_failure why = sasl_failure(s);
    bool plain = sasl_mechanism(s) == SASL_MECHANISM_PLAIN;

    return sasl_username(s) &&
           (why == SASL_NOT_AUTHORIZED || (plain && (why == SASL_ACCOUNT_DISABLED || why == SASL_CREDENTIALS_EXPIRED)));
}

static void on_work(uv_work_t *w)
{
    sasl_work(container_of(w, struct c2s_auth, work)->sasl);
}

static void on_worked(uv_work_t *w, int status)
{
    struct c2s_auth *a = container_of(w, struct c2s_auth, work);

    CHECK(status == 0); /* nobody cancels it */
    if (c2s_auth_end_work(a))
        go_on(a->conn, sasl_worked(a->sasl));
}

static bool take_keys(struct scram_keys *out, const struct account_keys *from)
{
    enum sasl_mechanism m;

    if (!sasl_mechanism_parse(from->mechanism, &m) || from->key_len > sizeof(out->stored_key) ||
        from->salt_len > sizeof(out->salt))
        return false;
    *out = (struct scram_keys){.hash = sasl_mechanism_hash(m),
                               .iterations = from->iterations,
                               .salt_len = from->salt_len};
    memcpy(out->salt, from->salt, from->salt_len);
    memcpy(out->stored_key, from->stored_key, from->key_len);
    memcpy(out->server_key, from->server_key, from->key_len);
    return scram_hash_len(out->hash) == from->key_len;
}

/* The keys for this mechanism; PLAIN can use any. */
static bool find_keys(const struct c2s_auth *a, struct scram_keys *out)
{
    const struct account *acc = &a->get.account;
    bool any = sasl_mechanism(a->sasl) == SASL_MECHANISM_PLAIN, found = false;

    for (unsigned i = 0; a->get.found && i < acc->key_count; i++) {
        struct scram_keys keys;
        if (!take_keys(&keys, &acc->keys[i]))
            continue;
        if (keys.hash == sasl_hash(a->sasl)) {
            *out = keys;
            return true;
        }
        if (any && !found) {
            *out = keys;
            found = true;
        }
    }
    return found;
}

static void on_account(struct store_job *job, const struct error *e)
{
    struct c2s_auth *a = container_of(job, struct c2s_auth, get.job);
    struct scram_keys keys;

    if (!c2s_auth_end_work(a))
        return;
    if (e->code) {
        log_error(stream_log(a->conn->stream), "account cannot be read: %s", e->text);
        go_on(a->conn, sasl_refuse(a->sasl, SASL_TEMPORARY_AUTH_FAILURE));
        return;
    }
    a->disabled = a->get.found && a->get.account.disabled;
    if (sasl_takes_certificate(a->sasl)) {
        go_on(a->conn, sasl_give_account(a->sasl, a->get.found));
        return;
    }
    enum sasl_step step = sasl_give_keys(a->sasl, find_keys(a, &keys) ? &keys : NULL);
    mem_wipe(&keys, sizeof(keys));
    if (step == SASL_NEED_WORK)
        sasl_want_keys(a->sasl, c2s_heal_wanted(a));
    go_on(a->conn, step);
}

void c2s_auth_name(struct c2s_conn *k, void (*done)(struct store_job *job, const struct error *e))
{
    struct c2s_auth *a = k->auth;

    arena_fini(&a->get.arena);
    a->get = (struct account_get){.job = {.reply_on = k->io->loop, .done = done}};
    arena_init(&a->get.arena);
    a->get.bare = arena_printf(&a->get.arena, "%s@%s", sasl_username(a->sasl), k->domain);
    a->proved = exchange_revocations(k->io->c2s->exchange);
}

static void ask_store(struct c2s_conn *k)
{
    struct c2s_auth *a = k->auth;

    c2s_auth_name(k, on_account);
    c2s_auth_begin_work(a);
    account_get(k->io->c2s->store, &a->get);
}

static void go_on(struct c2s_conn *k, enum sasl_step step)
{
    struct c2s_auth *a = k->auth;

    switch (step) {
    case SASL_CONTINUE:
        a->profile->challenge(k, sasl_data(a->sasl));
        break;
    case SASL_NEED_KEYS:
        if (sasl_takes_token(a->sasl))
            c2s_fast_ask(k);
        else if (c2s_directory_of(k))
            c2s_directory_prove(k);
        else
            ask_store(k);
        break;
    case SASL_NEED_WORK:
        c2s_auth_begin_work(a);
        CHECK(uv_queue_work(loop_uv(k->io->loop), &a->work, on_work, on_worked) == 0);
        break;
    case SASL_SUCCESS:
        if (sasl_takes_certificate(a->sasl))
            c2s_auth_token_judged(k, step);
        else
            judged(k, true);
        break;
    case SASL_FAILED:
        if (is_guess(a->sasl))
            judged(k, false);
        else
            c2s_auth_fail(k, sasl_failure(a->sasl));
        break;
    }
}

void c2s_auth_begin(struct c2s_conn *k, const struct c2s_profile *p, struct stanza *request,
                    const char *mechanism, const char *initial)
{
    if (!k->auth) {
        k->auth = auth_create(
            k, request && element_child(request->payload->root, "fast", NS_FAST) ? c2s_fast_mechanisms(k) : 0);
        c2s_conn_enter(k, C2S_CONN_PROVING);
    }
    k->auth->profile = p;
    stanza_unref(&k->auth->request);
    k->auth->request = request ? stanza_ref(request) : NULL;
    go_on(k, sasl_begin(k->auth->sasl, mechanism, initial));
}

void c2s_auth_go_on(struct c2s_conn *k, const struct c2s_profile *p, const struct element *e)
{
    if (text_eq(e->name, "response") && k->auth)
        go_on(k, sasl_respond(k->auth->sasl, e->text));
    else if (text_eq(e->name, "response"))
        c2s_auth_refuse(k, p, SASL_MALFORMED_REQUEST);
    else if (text_eq(e->name, "abort"))
        c2s_auth_refuse(k, p, SASL_ABORTED);
    else
        c2s_conn_close(k, STREAM_UNSUPPORTED_STANZA_TYPE, NULL);
}
