/* SPDX-License-Identifier: MIT */
/* SASL on a connection (RFC 6120 section 6): moves the pure exchange of gateway/xmpp/sasl.h along,
 * fetches keys from the store, has passwords derived on libuv's pool, and tells the outcome when the brake
 * on guessing lets it (c2s_brake.h).
 *
 * What is under way on another thread outlives the connection: then `conn` is NULL and the end of
 * it only frees. An account that does not exist takes the same steps as any other. */
#include <inttypes.h>
#include <string.h>

#include "c2s/c2s_conn.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/account.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/sasl.h"

struct c2s_auth {
    struct c2s_conn *conn; /* NULL: it has gone */
    struct c2s_io *io;
    struct sasl *sasl; /* owned */
    bool busy;         /* `get` or `work` is under way */
    bool disabled;     /* the account may not log in */
    bool held;         /* the outcome waits for `hold` */
    bool right;        /* what that is */
    struct c2s_brake_key key;
    struct timer hold;
    struct account_get get;
    uv_work_t work;
};

/* ---- channel binding (RFC 5929, RFC 9266) ---- */

/* What is announced (XEP-0440), the better first. tls-unique is taken too, for the clients of old that
 * know no other, but not recommended to any. */
static const char *const bindings[] = {"tls-exporter", "tls-server-end-point"};
enum { BINDING_COUNT = sizeof(bindings) / sizeof(*bindings) };

static bool find_binding(void *user, const char *type, struct bytes *out)
{
    const struct c2s_auth *a = user;

    return a->conn && wire_channel_binding(stream_wire(a->conn->stream), type, out);
}

/* Bits of `bindings` that this connection has. */
static unsigned bindings_of(const struct c2s_conn *k)
{
    unsigned found = 0;

    for (unsigned i = 0; i < BINDING_COUNT; i++)
        found |= (unsigned)wire_channel_binding(stream_wire(k->stream), bindings[i], NULL) << i;
    return found;
}

/* ---- what is offered ---- */

static unsigned offered(const struct c2s *c, bool binds)
{
    unsigned all = SASL_BIT(SCRAM_SHA_512) | SASL_BIT(SCRAM_SHA_256) | SASL_BIT(SCRAM_SHA_1);

    if (binds)
        all |= SASL_BIT(SCRAM_SHA_512_PLUS) | SASL_BIT(SCRAM_SHA_256_PLUS) | SASL_BIT(SCRAM_SHA_1_PLUS);
    return c->refuse_plain ? all : all | SASL_BIT(PLAIN);
}

void c2s_auth_features(const struct c2s_conn *k, struct bytes *out)
{
    unsigned found = bindings_of(k);

    bytes_append_text(out, "<mechanisms xmlns='" NS_SASL "'>");
    for (unsigned m = 0; m < SASL_MECHANISM_COUNT; m++)
        if (offered(k->io->c2s, found != 0) & (1u << m))
            bytes_printf(out, "<mechanism>%s</mechanism>",
                         sasl_mechanism_name((enum sasl_mechanism)m));
    bytes_append_text(out, "</mechanisms>");
    if (!found)
        return;
    bytes_append_text(out, "<sasl-channel-binding xmlns='" NS_SASL_CB "'>");
    for (unsigned i = 0; i < BINDING_COUNT; i++)
        if (found & (1u << i))
            bytes_printf(out, "<channel-binding type='%s'/>", bindings[i]);
    bytes_append_text(out, "</sasl-channel-binding>");
}

/* The same, as XEP-0474 hashes it. */
static void put_advertised(const struct c2s_conn *k, struct bytes *out)
{
    const char *types[BINDING_COUNT + 1];
    unsigned found = bindings_of(k), n = 0;

    for (unsigned i = 0; i < BINDING_COUNT; i++)
        if (found & (1u << i))
            types[n++] = bindings[i];
    types[n] = NULL;
    sasl_advertised(out, offered(k->io->c2s, found != 0), found ? types : NULL);
}

/* ---- life ---- */

static struct c2s_auth *auth_create(struct c2s_conn *k)
{
    const struct c2s *c = k->io->c2s;
    struct c2s_auth *a = mem_new(struct c2s_auth);
    struct bytes advertised = BYTES_EMPTY;
    bool binds = bindings_of(k) != 0;

    a->conn = k;
    a->io = k->io;
    put_advertised(k, &advertised);
    a->sasl = sasl_create(&(struct sasl_config){
        .domain = k->domain,
        .offered = offered(c, binds),
        .fake_secret = {(const char *)c->secret, sizeof(c->secret)},
        .fake_iterations = SCRAM_ITERATIONS,
        .binding = {binds ? find_binding : NULL, a},
        .advertised = bytes_text(&advertised),
    });
    bytes_fini(&advertised);
    return a;
}

static void auth_destroy(struct c2s_auth *a)
{
    CHECK(!a->busy);
    arena_fini(&a->get.arena);
    sasl_destroy(&a->sasl);
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

static void begin_work(struct c2s_auth *a)
{
    a->busy = true;
    a->io->auth_count++;
    c2s_conn_pause(a->conn, C2S_PAUSE_ANSWER);
}

/* false: the connection has gone, and `a` with it. */
static bool end_work(struct c2s_auth *a)
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

static void fail(struct c2s_conn *k, const char *name, enum sasl_failure why)
{
    struct c2s *c = k->io->c2s;
    const char *wire = sasl_failure_name(why);

    log_warn(stream_log(k->stream), "login failed: %s%s%s", wire, name ? ", as " : "",
             name ? name : "");
    atomic_fetch_add(&c->auth_failures, 1);
    c2s_auth_drop(k);
    if (k->state == C2S_CONN_PROVING)
        c2s_conn_enter(k, C2S_CONN_SECURE);
    stream_send_text(k->stream, "<failure xmlns='" NS_SASL "'><%s/></failure>", wire);
    if (++k->failures >= c->limits.auth_tries)
        c2s_conn_close(k, STREAM_POLICY_VIOLATION, "too many failed attempts to log in");
}

/* `name` lives in the exchange, which fail() ends. */
static void fail_exchange(struct c2s_conn *k, enum sasl_failure why)
{
    const char *name = sasl_username(k->auth->sasl);
    char *copy = name ? mem_dup(name) : NULL;

    fail(k, copy, why);
    mem_free(copy);
}

static void succeed(struct c2s_conn *k)
{
    struct c2s_auth *a = k->auth;
    struct c2s *c = k->io->c2s;
    const char *data = sasl_data(a->sasl);
    const struct jid *account = jid_make(&a->get.arena, sasl_username(a->sasl), k->domain, NULL);

    if (a->disabled || !account) {
        fail_exchange(k, a->disabled ? SASL_ACCOUNT_DISABLED : SASL_NOT_AUTHORIZED);
        return;
    }
    k->account = jid_dup(account);
    k->shard = c2s_shard_of(c, k->account->bare);
    atomic_fetch_add(&c->auth_successes, 1);
    log_info(stream_log(k->stream), "%s logged in by %s", k->account->bare,
             sasl_mechanism_name(sasl_mechanism(a->sasl)));
    if (data)
        stream_send_text(k->stream, "<success xmlns='" NS_SASL "'>%s</success>", data);
    else
        stream_send_text(k->stream, "<success xmlns='" NS_SASL "'/>");
    c2s_auth_drop(k);
    c2s_conn_enter(k, C2S_CONN_PROVED);
    stream_set_limits(k->stream, c->limits.after_auth);
    stream_expect_restart(k->stream);
}

/* ---- when it is told ---- */

static void tell(struct c2s_conn *k)
{
    if (k->auth->right)
        succeed(k);
    else
        fail_exchange(k, SASL_NOT_AUTHORIZED);
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
        fail_exchange(k, SASL_TEMPORARY_AUTH_FAILURE);
    } else if (!delay_ms) {
        tell(k);
    } else {
        uint64_t most_ms = k->io->c2s->times.login_ms / 3; /* or the time for logging in would run out */
        uint64_t wait_ms = delay_ms < most_ms ? delay_ms : most_ms;
        log_info(stream_log(k->stream), "login as %s: the outcome is told after %" PRIu64 " ms", sasl_username(a->sasl), wait_ms);
        a->held = true;
        c2s_conn_pause(k, C2S_PAUSE_ANSWER);
        timer_start(&a->hold, k->io->loop, wait_ms, on_hold_due);
    }
}

/* ---- steps ---- */

static void go_on(struct c2s_conn *k, enum sasl_step step);

static void on_work(uv_work_t *w)
{
    sasl_work(container_of(w, struct c2s_auth, work)->sasl);
}

static void on_worked(uv_work_t *w, int status)
{
    struct c2s_auth *a = container_of(w, struct c2s_auth, work);

    CHECK(status == 0); /* nobody cancels it */
    if (end_work(a))
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

    if (!end_work(a))
        return;
    if (e->code) {
        log_error(stream_log(a->conn->stream), "account cannot be read: %s", e->text);
        go_on(a->conn, sasl_refuse(a->sasl, SASL_TEMPORARY_AUTH_FAILURE));
        return;
    }
    a->disabled = a->get.found && a->get.account.disabled;
    go_on(a->conn, sasl_give_keys(a->sasl, find_keys(a, &keys) ? &keys : NULL));
    mem_wipe(&keys, sizeof(keys));
}

static void ask_store(struct c2s_conn *k)
{
    struct c2s_auth *a = k->auth;

    arena_fini(&a->get.arena);
    a->get = (struct account_get){.job = {.reply_on = k->io->loop, .done = on_account}};
    arena_init(&a->get.arena);
    a->get.bare = arena_printf(&a->get.arena, "%s@%s", sasl_username(a->sasl), k->domain);
    begin_work(a);
    account_get(k->io->c2s->store, &a->get);
}

static void go_on(struct c2s_conn *k, enum sasl_step step)
{
    struct c2s_auth *a = k->auth;

    switch (step) {
    case SASL_CONTINUE:
        stream_send_text(k->stream, "<challenge xmlns='" NS_SASL "'>%s</challenge>",
                         sasl_data(a->sasl));
        break;
    case SASL_NEED_KEYS:
        ask_store(k);
        break;
    case SASL_NEED_WORK:
        begin_work(a);
        CHECK(uv_queue_work(loop_uv(k->io->loop), &a->work, on_work, on_worked) == 0);
        break;
    case SASL_SUCCESS:
        judged(k, true);
        break;
    case SASL_FAILED:
        if (sasl_failure(a->sasl) == SASL_NOT_AUTHORIZED && sasl_username(a->sasl))
            judged(k, false);
        else
            fail_exchange(k, sasl_failure(a->sasl));
        break;
    }
}

void c2s_auth_nonza(struct c2s_conn *k, const struct stanza *st)
{
    const struct element *e = st->payload->root;
    const char *mechanism = element_attr(e, "mechanism");

    if (text_eq(e->name, "auth")) {
        if (!k->auth) {
            k->auth = auth_create(k);
            c2s_conn_enter(k, C2S_CONN_PROVING);
        }
        go_on(k, sasl_begin(k->auth->sasl, mechanism ? mechanism : "", e->text));
    } else if (text_eq(e->name, "response") && k->auth) {
        go_on(k, sasl_respond(k->auth->sasl, e->text));
    } else if (text_eq(e->name, "abort")) {
        fail(k, NULL, SASL_ABORTED);
    } else if (text_eq(e->name, "response")) {
        fail(k, NULL, SASL_MALFORMED_REQUEST);
    } else {
        c2s_conn_close(k, STREAM_UNSUPPORTED_STANZA_TYPE, NULL);
    }
}
