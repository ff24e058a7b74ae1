/* SPDX-License-Identifier: MIT */
/* XEP-0484: logging in by a token that we gave to this installation, with HT (draft-schmaus-kitten-sasl-ht) in one
 * round trip.
 *
 * HT's proof is an HMAC by the token itself, so the server must be able to make it: what is stored is a seed, and the
 * token is HMAC(our secret, account, installation, mechanism, seed). A token is bound to all of these. Whatever changes
 * by a login (a fresh token is shown for the first time, a count rises, one is given or taken back) is committed before
 * the client is told; a login that changes nothing costs no commit. */
#include <string.h>

#include "c2s/c2s_auth.h"
#include "c2s/c2s_conn.h"
#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/net/directory.h"
#include "gateway/store/clients.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/ns.h"

enum { TOKEN_MAX = 64, NAME_MAX_BYTES = 128, ROTATE_PART = 21 };

struct c2s_fast {
    struct c2s_auth *auth; /* it lies in it */
    struct store_job job;  /* under way while auth->busy */
    struct client_tokens tokens;
    int64_t now_us;
    struct client_token used, give;
    struct client_use use; /* points into here and into the request */
    bool prepared;         /* what had to be committed is */
    bool given;            /* `token` is to be told */
    char token[TOKEN_MAX];
};

/* ---- what is offered and asked ---- */

unsigned c2s_fast_mechanisms(const struct c2s_conn *k)
{
    unsigned all = SASL_BIT(HT_SHA_256_NONE);
    const struct directory *d = c2s_directory_of(k);

    if (d && !directory_can_search(d)) /* a token would open to who has left */
        return 0;

    if (stream_channel_binding(k->stream, "tls-exporter", NULL))
        all |= SASL_BIT(HT_SHA_256_EXPR);
    if (stream_channel_binding(k->stream, "tls-server-end-point", NULL))
        all |= SASL_BIT(HT_SHA_256_ENDP);
    return all;
}

void c2s_fast_features(const struct c2s_conn *k, struct bytes *out)
{
    unsigned all = c2s_fast_mechanisms(k);

    if (!all)
        return;
    bytes_append_text(out, "<fast xmlns='" NS_FAST "'>");
    for (unsigned m = 0; m < SASL_MECHANISM_COUNT; m++)
        if (all & (1u << m))
            bytes_printf(out, "<mechanism>%s</mechanism>", sasl_mechanism_name((enum sasl_mechanism)m));
    bytes_append_text(out, "</fast>");
}

static const char *agent_of(const struct element *request)
{
    return element_attr(element_child(request, "user-agent", NS_SASL2), "id");
}

static bool is_true(const char *value)
{
    return value && (text_eq(value, "true") || text_eq(value, "1"));
}

bool c2s_fast_is_readable(const struct c2s_conn *k, const struct element *request)
{
    const struct element *fast = element_child(request, "fast", NS_FAST);
    const struct element *wish = element_child(request, "request-token", NS_FAST);
    const char *count = element_attr(fast, "count"), *mechanism = element_attr(wish, "mechanism");
    enum sasl_mechanism m;
    uint32_t n;

    if ((fast || wish) && !agent_of(request))
        return false;
    if (count && (!text_to_u32(count, &n) || n == 0))
        return false;
    return !wish || (sasl_mechanism_parse(mechanism, &m) && (c2s_fast_mechanisms(k) & (1u << m)));
}

static struct c2s_fast *fast_create(struct c2s_auth *a)
{
    struct c2s_fast *f = mem_new(struct c2s_fast);

    f->auth = a;
    a->fast = f;
    return f;
}

void c2s_fast_destroy(struct c2s_fast **at)
{
    struct c2s_fast *f = *at;

    *at = NULL;
    if (!f)
        return;
    mem_wipe(f, sizeof(*f));
    mem_free(f);
}

/* ---- the token ---- */

static void make_token(const struct c2s_auth *a, const char *bare, const struct client_token *t, char out[TOKEN_MAX])
{
    const struct c2s *c = a->io->c2s;
    unsigned char digest[SCRAM_KEY_MAX];
    struct bytes text = BYTES_EMPTY, token = BYTES_EMPTY;

    bytes_printf(&text, "token %s %s %s ", bare, agent_of(a->request->payload->root), t->mechanism);
    bytes_append(&text, t->seed, sizeof(t->seed));
    scram_hmac(SCRAM_SHA256, c->secret, sizeof(c->secret), bytes_span(&text), digest);
    base64_encode_url(&token, digest, 32);
    CHECK(text_copy(out, TOKEN_MAX, bytes_text(&token)));
    mem_wipe(digest, sizeof(digest));
    mem_wipe(token.data, token.cap);
    bytes_fini(&text);
    bytes_fini(&token);
}

/* ---- one is shown ---- */

static bool ask_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct c2s_fast *f = container_of(job, struct c2s_fast, job);
    struct c2s_auth *a = f->auth;

    f->now_us = store_now_us(tx);
    return account_find(tx, a->get.bare, &a->get.arena, &a->get.account, &a->get.found, e) &&
           clients_tokens(tx, a->get.bare, agent_of(a->request->payload->root), &f->tokens, e);
}

static enum sasl_step look(struct c2s_fast *f)
{
    struct c2s_auth *a = f->auth;
    char made[CLIENT_TOKENS_MAX][TOKEN_MAX];
    const char *tokens[CLIENT_TOKENS_MAX];
    unsigned of[CLIENT_TOKENS_MAX], n = 0;

    for (unsigned i = 0; a->get.found && i < f->tokens.count; i++) {
        const struct client_token *t = &f->tokens.list[i];
        if (!text_eq(t->mechanism, sasl_mechanism_name(sasl_mechanism(a->sasl))))
            continue;
        make_token(a, a->get.bare, t, made[n]);
        tokens[n] = made[n];
        of[n++] = i;
    }
    enum sasl_step step = sasl_give_tokens(a->sasl, tokens, n);
    mem_wipe(made, sizeof(made));
    if (step != SASL_SUCCESS)
        return step;
    f->used = f->tokens.list[of[sasl_token(a->sasl)]];
    f->use.used = &f->used;
    return f->used.expires_us > f->now_us ? step : sasl_refuse(a->sasl, SASL_CREDENTIALS_EXPIRED);
}

static void on_asked(struct store_job *job, const struct error *e)
{
    struct c2s_fast *f = container_of(job, struct c2s_fast, job);
    struct c2s_auth *a = f->auth;

    if (!c2s_auth_end_work(a))
        return;
    if (e->code) {
        log_error(stream_log(a->conn->stream), "tokens cannot be read: %s", e->text);
        c2s_auth_token_judged(a->conn, sasl_refuse(a->sasl, SASL_TEMPORARY_AUTH_FAILURE));
        return;
    }
    a->disabled = a->get.found && a->get.account.disabled;
    enum sasl_step step = look(f);
    if (step == SASL_SUCCESS && c2s_directory_of(a->conn))
        c2s_directory_recheck(a->conn);
    else
        c2s_auth_token_judged(a->conn, step);
}

void c2s_fast_ask(struct c2s_conn *k)
{
    struct c2s_auth *a = k->auth;
    struct c2s_fast *f = fast_create(a);

    c2s_auth_name(k, NULL); /* ask_run reads it, beside the tokens */
    f->job = (struct store_job){.reply_on = k->io->loop, .run = ask_run, .done = on_asked};
    c2s_auth_begin_work(a);
    store_read(k->io->c2s->store, &f->job);
}

/* ---- what must be committed ---- */

static const char *name_of(const struct element *request, const char *which)
{
    const struct element *e = element_child(element_child(request, "user-agent", NS_SASL2), which, NS_SASL2);

    return e && strlen(e->text) <= NAME_MAX_BYTES ? e->text : "";
}

/* The mechanism of the token that is to be given; NULL: none. */
static const char *wanted(const struct c2s_fast *f, const struct element *request)
{
    const struct element *wish = element_child(request, "request-token", NS_FAST);
    int64_t age_us = f->now_us - f->used.issued_us;
    bool old = f->use.used && age_us > (f->used.expires_us - f->used.issued_us) / ROTATE_PART;

    if (wish)
        return element_attr(wish, "mechanism");
    return old && !f->use.end ? f->used.mechanism : NULL;
}

static void fill(struct c2s_fast *f, const struct element *request)
{
    const struct element *fast = element_child(request, "fast", NS_FAST);
    const char *count = element_attr(fast, "count");
    uint32_t n = 0;

    f->use.bare = f->auth->get.bare;
    f->use.agent = agent_of(request);
    f->use.software = name_of(request, "software");
    f->use.device = name_of(request, "device");
    f->use.end = f->use.used && is_true(element_attr(fast, "invalidate"));
    if (f->use.used && count && text_to_u32(count, &n))
        f->use.count = n;
    const char *mechanism = wanted(f, request);
    if (mechanism && text_copy(f->give.mechanism, sizeof(f->give.mechanism), mechanism)) {
        random_bytes(f->give.seed, sizeof(f->give.seed));
        f->use.give = &f->give;
    }
}

/* Of a directory's account nothing is kept that could tell that the password was changed there. */
static bool is_outside(const struct account *now, const struct account *shown)
{
    return now->of_directory && shown->of_directory;
}

/* Salts are drawn anew for each password, so one key in common is one password. */
static bool have_common_key(const struct account *now, const struct account *shown)
{
    for (unsigned i = 0; i < now->key_count; i++)
        for (unsigned k = 0; k < shown->key_count; k++)
            if (text_eq(now->keys[i].mechanism, shown->keys[k].mechanism) &&
                memcmp(now->keys[i].stored_key, shown->keys[k].stored_key, sizeof(now->keys[i].stored_key)) == 0)
                return true;
    return false;
}

/* The password that was shown is still the account's: what is given for it would outlive it. */
static bool still_holds(struct store_tx *tx, const struct c2s_auth *a, bool *holds, struct error *e)
{
    struct account now;
    struct arena arena;
    bool found = false;

    arena_init(&arena);
    bool ok = account_find(tx, a->get.bare, &arena, &now, &found, e);
    *holds =
        ok && found && !now.disabled && (is_outside(&now, &a->get.account) || have_common_key(&now, &a->get.account));
    arena_fini(&arena);
    return ok;
}

static bool use_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct c2s_fast *f = container_of(job, struct c2s_fast, job);
    bool holds = true;

    f->give.expires_us = store_now_us(tx) + (int64_t)f->auth->io->c2s->times.token_ms * 1000;
    if (!f->use.used && !still_holds(tx, f->auth, &holds, e))
        return false;
    f->use.refused = !holds;
    return !holds || clients_use(tx, &f->use, e);
}

static void on_used(struct store_job *job, const struct error *e)
{
    struct c2s_fast *f = container_of(job, struct c2s_fast, job);
    struct c2s_auth *a = f->auth;

    if (!c2s_auth_end_work(a))
        return;
    if (e->code)
        log_error(stream_log(a->conn->stream), "tokens cannot be changed: %s", e->text);
    if (e->code && f->use.used) { /* who shows a password gets in without a token */
        c2s_auth_fail(a->conn, SASL_TEMPORARY_AUTH_FAILURE);
    } else if (!e->code && f->use.refused) {
        log_warn(stream_log(a->conn->stream), "%s: what it showed holds no more", a->get.bare);
        c2s_auth_fail(a->conn, SASL_NOT_AUTHORIZED);
    } else {
        f->given = !e->code && f->use.give;
        if (f->given)
            make_token(a, a->get.bare, &f->give, f->token);
        c2s_auth_prepared(a->conn);
    }
}

bool c2s_fast_prepare(struct c2s_conn *k)
{
    struct c2s_auth *a = k->auth;
    const struct element *request = a->request->payload->root;
    struct c2s_fast *f = a->fast;

    if (!f && !element_child(request, "request-token", NS_FAST))
        return false;
    if (!f)
        f = fast_create(a);
    if (f->prepared)
        return false;
    f->prepared = true;
    fill(f, request);
    if (!f->use.give && !f->use.end && !f->use.count && !(f->use.used && f->used.fresh))
        return false;
    f->job = (struct store_job){.reply_on = k->io->loop, .run = use_run, .done = on_used, .bytes = sizeof(*f)};
    c2s_auth_begin_work(a);
    store_write(k->io->c2s->store, &f->job);
    return true;
}

void c2s_fast_tell(const struct c2s_auth *a, struct bytes *out)
{
    const struct c2s_fast *f = a->fast;
    char expiry[DATETIME_MAX];

    if (!f || !f->given)
        return;
    datetime_write_second(expiry, f->give.expires_us);
    bytes_printf(out, "<token xmlns='" NS_FAST "' expiry='%s' token='%s'/>", expiry, f->token);
}
