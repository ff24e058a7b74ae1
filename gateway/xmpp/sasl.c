/* SPDX-License-Identifier: MIT */
/* The frame around mechanisms: base64, initial responses, names and authorization identities
 * (RFC 6120 6.3.8: only one's own bare JID). An account that does not exist takes the same steps.
 */
#include "gateway/xmpp/sasl.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/arena.h"
#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/plain.h"
#include "gateway/xmpp/prep.h"

/* State, and what may follow it. */
#define SASL_STATES(S)                                                                             \
    S(IDLE, TO(FIRST) | TO(KEYS) | TO(OVER)) /* nothing was asked */                               \
    S(FIRST, TO(KEYS) | TO(OVER))            /* an empty challenge is out: no initial response */  \
    S(KEYS, TO(PROOF) | TO(WORK) | TO(OVER)) /* the caller looks keys or tokens up */              \
    S(PROOF, TO(OVER))                       /* a challenge is out */                              \
    S(WORK, TO(OVER))                        /* the caller lets us compute */                      \
    S(OVER, TO(FIRST) | TO(KEYS) | TO(OVER)) /* success or failure is told; may begin again */

enum state {
#define SASL_STATE_ENUM(name, next) STATE_##name,
    SASL_STATES(SASL_STATE_ENUM)
#undef SASL_STATE_ENUM
};

#define TO(name) (1u << STATE_##name)
static const unsigned may_follow[] = {
#define SASL_STATE_NEXT(name, next) [STATE_##name] = next,
    SASL_STATES(SASL_STATE_NEXT)
#undef SASL_STATE_NEXT
};
#undef TO

enum family { FAMILY_SCRAM, FAMILY_SCRAM_PLUS, FAMILY_PLAIN, FAMILY_HT, FAMILY_EXTERNAL };

enum { HT_LEN = 32 };

static const struct {
    const char *name;
    enum family family;
    enum scram_hash hash;
} mechanisms[] = {
#define SASL_MECHANISM_ROW(name, wire, family, hash) {wire, FAMILY_##family, hash},
    SASL_MECHANISMS(SASL_MECHANISM_ROW)
#undef SASL_MECHANISM_ROW
};

static const char *const failures[] = {[SASL_OK] = NULL,
#define SASL_FAILURE_ROW(name, wire) [SASL_##name] = wire,
                                       SASL_FAILURES(SASL_FAILURE_ROW)
#undef SASL_FAILURE_ROW
};

struct sasl {
    struct sasl_config config;
    char *domain; /* config.domain */
    char *advertised; /* config.advertised; NULL: none */
    enum state state;
    enum sasl_mechanism mechanism;
    enum sasl_failure failure;
    char username[PREP_MAX + 1]; /* empty: not known yet */
    struct bytes data;           /* base64, for the peer */
    bool has_data;
    struct scram_server scram;
    struct bytes password;  /* PLAIN, until it was compared */
    struct scram_keys keys; /* PLAIN */
    bool matched;           /* what sasl_work found */
    unsigned wanted, made;  /* bits of enum scram_hash */
    struct scram_keys fresh[SCRAM_HASH_COUNT]; /* those of `made` */
    unsigned char shown[HT_LEN]; /* HT */
    unsigned token;
};

const char *sasl_failure_name(enum sasl_failure f)
{
    CHECK((unsigned)f < sizeof failures / sizeof *failures);
    return failures[f];
}

const char *sasl_mechanism_name(enum sasl_mechanism m)
{
    CHECK((unsigned)m < SASL_MECHANISM_COUNT);
    return mechanisms[m].name;
}

bool sasl_mechanism_parse(const char *wire_name, enum sasl_mechanism *out)
{
    for (unsigned i = 0; wire_name && i < SASL_MECHANISM_COUNT; i++) {
        if (strcmp(mechanisms[i].name, wire_name) == 0) {
            *out = (enum sasl_mechanism)i;
            return true;
        }
    }
    return false;
}

enum scram_hash sasl_mechanism_hash(enum sasl_mechanism m)
{
    CHECK((unsigned)m < SASL_MECHANISM_COUNT);
    return mechanisms[m].hash;
}

const char *sasl_hash_name(enum scram_hash hash)
{
    unsigned i = 0;

    while (mechanisms[i].family != FAMILY_SCRAM || mechanisms[i].hash != hash)
        CHECK(++i < SASL_MECHANISM_COUNT);
    return mechanisms[i].name;
}

/* -- XEP-0474 */

enum { ADVERTISED_MAX = 16 };

static int by_octets(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void append_sorted(struct bytes *out, const char **names, unsigned n)
{
    qsort(names, n, sizeof *names, by_octets);
    for (unsigned i = 0; i < n; i++)
        bytes_printf(out, "%s%s", i ? "\x1e" : "", names[i]);
}

void sasl_advertised(struct bytes *out, unsigned offered, const char *const *bindings)
{
    const char *names[ADVERTISED_MAX];
    unsigned n = 0;

    for (unsigned m = 0; m < SASL_MECHANISM_COUNT; m++)
        if (offered & (1u << m))
            names[n++] = mechanisms[m].name;
    append_sorted(out, names, n);
    if (!bindings)
        return;
    for (n = 0; bindings[n]; n++) {
        CHECK(n < ADVERTISED_MAX);
        names[n] = bindings[n];
    }
    bytes_append_char(out, '\x1f');
    append_sorted(out, names, n);
}

/* -- life */

struct sasl *sasl_create(const struct sasl_config *config)
{
    struct sasl *s = mem_new(struct sasl);
    s->config = *config;
    s->domain = mem_dup(config->domain);
    s->advertised = config->advertised ? mem_dup(config->advertised) : NULL;
    scram_server_init(&s->scram, config->binding);
    return s;
}

static void forget_secrets(struct sasl *s)
{
    if (s->password.data)
        mem_wipe(s->password.data, s->password.cap);
    bytes_fini(&s->password);
    mem_wipe(&s->keys, sizeof s->keys);
    mem_wipe(s->shown, sizeof s->shown);
    scram_server_fini(&s->scram);
}

static void forget_made(struct sasl *s)
{
    mem_wipe(s->fresh, sizeof s->fresh);
    s->wanted = s->made = 0;
}

void sasl_destroy(struct sasl **at)
{
    struct sasl *s = *at;
    *at = NULL;
    if (!s)
        return;
    forget_secrets(s);
    forget_made(s);
    bytes_fini(&s->data);
    mem_free(s->domain);
    mem_free(s->advertised);
    mem_free(s);
}

static void enter(struct sasl *s, enum state next)
{
    CHECK(may_follow[s->state] & (1u << next));
    s->state = next;
}

static enum sasl_step fail(struct sasl *s, enum sasl_failure why)
{
    enter(s, STATE_OVER);
    forget_secrets(s);
    forget_made(s);
    s->has_data = false;
    s->failure = why;
    return SASL_FAILED;
}

static enum sasl_step succeed(struct sasl *s)
{
    enter(s, STATE_OVER);
    forget_secrets(s);
    return SASL_SUCCESS;
}

static void set_data(struct sasl *s, struct span raw)
{
    bytes_clear(&s->data);
    base64_encode(&s->data, raw.data, raw.len);
    s->has_data = true;
}

/* -- names */

static bool is_own(const struct sasl *s, struct span authzid)
{
    struct arena a;
    arena_init(&a);
    const struct jid *wanted = jid_parse(&a, authzid.data, authzid.len);
    bool own = wanted && jid_eq(wanted, jid_make(&a, s->username, s->domain, NULL));
    arena_fini(&a);
    return own;
}

/* The account is known by name; whether it exists is not, and is not told. */
static enum sasl_step need_keys(struct sasl *s, struct span username, struct span authzid)
{
    if (!prep_node(s->username, username.data, username.len)) {
        s->username[0] = '\0';
        return fail(s, SASL_NOT_AUTHORIZED);
    }
    if (authzid.len && !is_own(s, authzid))
        return fail(s, SASL_INVALID_AUTHZID);
    enter(s, STATE_KEYS);
    return SASL_NEED_KEYS;
}

/* -- mechanisms */

static enum sasl_step fail_scram(struct sasl *s, enum scram_result why)
{
    return fail(s, why == SCRAM_MALFORMED ? SASL_MALFORMED_REQUEST : SASL_NOT_AUTHORIZED);
}

static enum sasl_step first_scram(struct sasl *s, struct span message)
{
    bool plus = mechanisms[s->mechanism].family == FAMILY_SCRAM_PLUS;
    enum scram_result result = scram_server_start(&s->scram, message.data, message.len, plus);
    if (result != SCRAM_FINE)
        return fail_scram(s, result);
    return need_keys(s, bytes_span(&s->scram.username), bytes_span(&s->scram.authzid));
}

static enum sasl_step first_plain(struct sasl *s, struct span message)
{
    struct plain_message m;
    if (!plain_parse(&m, message.data, message.len))
        return fail(s, SASL_MALFORMED_REQUEST);
    bytes_append(&s->password, m.password.data, m.password.len);
    return need_keys(s, m.username, m.authzid);
}

/* authcid NUL HMAC(token, "Initiator" ‖ channel). */
static enum sasl_step first_ht(struct sasl *s, struct span message)
{
    const char *nul = memchr(message.data, 0, message.len);
    size_t name_len = nul ? (size_t)(nul - message.data) : 0;

    if (!name_len || message.len - name_len - 1 != HT_LEN)
        return fail(s, SASL_MALFORMED_REQUEST);
    memcpy(s->shown, nul + 1, HT_LEN);
    return need_keys(s, (struct span){message.data, name_len}, (struct span){0});
}

static bool is_named(const struct sasl *s, const struct jid *j)
{
    if (!jid_is_account(j) || !text_eq(j->domain, s->domain))
        return false;
    for (const char *const *name = s->config.people; name && *name; name++)
        if (text_eq(*name, j->local))
            return true;
    return false;
}

/* The certificate says who it may be; the message, if there is one, who of these it is (RFC 4422 appendix A). */
static enum sasl_step first_external(struct sasl *s, struct span message)
{
    const char *const *people = s->config.people;
    struct arena a;

    arena_init(&a);
    const struct jid *wanted = message.len ? jid_parse(&a, message.data, message.len) : NULL;
    bool named = message.len ? is_named(s, wanted) : people && people[0] && !people[1];
    if (named)
        CHECK(text_copy(s->username, sizeof s->username, wanted ? wanted->local : people[0]));
    arena_fini(&a);
    if (!named)
        return fail(s, SASL_INVALID_AUTHZID);
    enter(s, STATE_KEYS);
    return SASL_NEED_KEYS;
}

static enum sasl_step take_first(struct sasl *s, struct span message)
{
    switch (mechanisms[s->mechanism].family) {
    case FAMILY_SCRAM:
    case FAMILY_SCRAM_PLUS:
        return first_scram(s, message);
    case FAMILY_HT:
        return first_ht(s, message);
    case FAMILY_EXTERNAL:
        return first_external(s, message);
    case FAMILY_PLAIN:
        break;
    }
    return first_plain(s, message);
}

static enum sasl_step take_proof(struct sasl *s, struct span message)
{
    struct bytes out = BYTES_EMPTY;
    enum scram_result result = scram_server_finish(&s->scram, message.data, message.len, &out);
    if (result == SCRAM_FINE)
        set_data(s, bytes_span(&out));
    bytes_fini(&out);
    return result == SCRAM_FINE ? succeed(s) : fail_scram(s, result);
}

/* -- the exchange */

/* Decodes and hands on; passwords do not stay behind. */
static enum sasl_step take_base64(struct sasl *s, const char *base64,
                                  enum sasl_step (*take)(struct sasl *s, struct span message))
{
    struct bytes raw = BYTES_EMPTY;
    enum sasl_step step;
    size_t len = strcmp(base64, "=") == 0 ? 0 : strlen(base64);
    s->has_data = false;
    if (base64_decode(&raw, base64, len))
        step = take(s, bytes_span(&raw));
    else
        step = fail(s, SASL_INCORRECT_ENCODING);
    if (raw.data)
        mem_wipe(raw.data, raw.cap);
    bytes_fini(&raw);
    return step;
}

static void start_over(struct sasl *s)
{
    forget_secrets(s);
    forget_made(s);
    scram_server_init(&s->scram, s->config.binding);
    s->scram.advertised = s->advertised;
    s->failure = SASL_OK;
    s->username[0] = '\0';
    s->has_data = false;
    s->matched = false;
}

enum sasl_step sasl_begin(struct sasl *s, const char *mechanism, const char *base64)
{
    CHECK(s->state != STATE_KEYS && s->state != STATE_WORK);
    if (s->state != STATE_IDLE && s->state != STATE_OVER)
        return fail(s, SASL_MALFORMED_REQUEST);
    start_over(s);
    if (!sasl_mechanism_parse(mechanism, &s->mechanism) ||
        !(s->config.offered & (1u << s->mechanism)))
        return fail(s, SASL_INVALID_MECHANISM);
    if (*base64)
        return take_base64(s, base64, take_first);
    enter(s, STATE_FIRST);
    set_data(s, (struct span){0});
    return SASL_CONTINUE;
}

enum sasl_step sasl_respond(struct sasl *s, const char *base64)
{
    switch (s->state) {
    case STATE_FIRST:
        return take_base64(s, base64, take_first);
    case STATE_PROOF:
        return take_base64(s, base64, take_proof);
    case STATE_IDLE:
    case STATE_OVER:
        return fail(s, SASL_MALFORMED_REQUEST);
    case STATE_KEYS:
    case STATE_WORK:
        break;
    }
    CHECK(!"a response while the exchange waits for its caller");
    return SASL_FAILED;
}

/* As many names of nobody have older keys as accounts do. A name has one place among all of them for every hash, so
 * that while accounts get new keys nobody's do, too, one after the other, and never back. */
static unsigned fake_rounds(const struct sasl *s, struct span bare)
{
    unsigned share = s->config.older[sasl_hash(s)].share;
    unsigned char digest[SCRAM_KEY_MAX];
    struct bytes text = BYTES_EMPTY;

    bytes_append_text(&text, "rounds ");
    bytes_append(&text, bare.data, bare.len);
    scram_hmac(SCRAM_SHA256, s->config.fake_secret.data, s->config.fake_secret.len, bytes_span(&text), digest);
    bytes_fini(&text);
    unsigned place = (unsigned)digest[0] << 8 | digest[1];
    return place < share ? s->config.older[sasl_hash(s)].iterations : s->config.fake_iterations;
}

/* Of the whole address: one name in two domains has two salts, as accounts have. */
static void fake_keys(struct sasl *s)
{
    struct bytes bare = BYTES_EMPTY;

    bytes_printf(&bare, "%s@%s", s->username, s->domain);
    scram_keys_fake(&s->keys, sasl_hash(s), fake_rounds(s, bytes_span(&bare)), bytes_text(&bare),
                    s->config.fake_secret);
    bytes_fini(&bare);
}

enum sasl_step sasl_give_keys(struct sasl *s, const struct scram_keys *keys)
{
    CHECK(s->state == STATE_KEYS && !sasl_takes_token(s) && !sasl_takes_certificate(s));
    bool scram = mechanisms[s->mechanism].family != FAMILY_PLAIN;
    CHECK(!keys || !scram || keys->hash == sasl_hash(s));
    if (keys)
        s->keys = *keys;
    else
        fake_keys(s);
    if (!scram) {
        enter(s, STATE_WORK);
        return SASL_NEED_WORK;
    }
    scram_server_challenge(&s->scram, &s->keys, NULL);
    set_data(s, bytes_span(&s->scram.challenge));
    enter(s, STATE_PROOF);
    return SASL_CONTINUE;
}

/* ---- tokens ---- */

/* false: the channel that this mechanism binds to is not to be had. */
static bool ht_text(const struct sasl *s, const char *who, struct bytes *out)
{
    const struct scram_binding *b = &s->config.binding;

    bytes_append_text(out, who);
    if (s->mechanism == SASL_MECHANISM_HT_SHA_256_NONE)
        return true;
    return b->find &&
           b->find(b->user, s->mechanism == SASL_MECHANISM_HT_SHA_256_EXPR ? "tls-exporter" : "tls-server-end-point",
                   out);
}

static void ht_mac(const struct sasl *s, const char *who, const char *token, unsigned char mac[SCRAM_KEY_MAX])
{
    struct bytes text = BYTES_EMPTY;

    CHECK(ht_text(s, who, &text));
    scram_hmac(SCRAM_SHA256, token, strlen(token), bytes_span(&text), mac);
    bytes_fini(&text);
}

static bool ht_binds(const struct sasl *s)
{
    struct bytes text = BYTES_EMPTY;
    bool can = ht_text(s, "", &text);

    bytes_fini(&text);
    return can;
}

enum sasl_step sasl_give_tokens(struct sasl *s, const char *const *tokens, unsigned count)
{
    unsigned char mac[SCRAM_KEY_MAX];
    bool fits = false;

    CHECK(s->state == STATE_KEYS && sasl_takes_token(s));
    for (unsigned i = 0; i < count && ht_binds(s); i++) {
        ht_mac(s, "Initiator", tokens[i], mac);
        if (CRYPTO_memcmp(mac, s->shown, HT_LEN) == 0) {
            fits = true;
            s->token = i;
        }
    }
    if (!fits)
        return fail(s, SASL_NOT_AUTHORIZED);
    ht_mac(s, "Responder", tokens[s->token], mac);
    set_data(s, (struct span){(const char *)mac, HT_LEN});
    mem_wipe(mac, sizeof mac);
    return succeed(s);
}

const char *sasl_password(const struct sasl *s)
{
    CHECK(s->state == STATE_KEYS && mechanisms[s->mechanism].family == FAMILY_PLAIN);
    return bytes_text(&s->password);
}

enum sasl_step sasl_judge(struct sasl *s, bool right)
{
    CHECK(s->state == STATE_KEYS && mechanisms[s->mechanism].family == FAMILY_PLAIN);
    return right ? succeed(s) : fail(s, SASL_NOT_AUTHORIZED);
}

void sasl_want_keys(struct sasl *s, unsigned hashes)
{
    CHECK(s->state == STATE_WORK);
    s->wanted = hashes;
}

const struct scram_keys *sasl_made_keys(const struct sasl *s, enum scram_hash hash)
{
    return s->made & (1u << hash) ? &s->fresh[hash] : NULL;
}

static void make_wanted(struct sasl *s)
{
    for (unsigned h = 0; h < SCRAM_HASH_COUNT; h++)
        if (s->wanted & (1u << h) && scram_keys_make(&s->fresh[h], (enum scram_hash)h, bytes_text(&s->password)))
            s->made |= 1u << h;
}

void sasl_work(struct sasl *s)
{
    CHECK(s->state == STATE_WORK);
    s->matched = scram_keys_match(&s->keys, bytes_text(&s->password));
    if (s->matched)
        make_wanted(s);
    if (s->keys.iterations >= s->config.fake_iterations)
        return;
    struct scram_keys rest = s->keys; /* older keys are no quicker than those of nobody */
    rest.iterations = s->config.fake_iterations - s->keys.iterations;
    (void)!scram_keys_derive(&rest, bytes_text(&s->password));
    mem_wipe(&rest, sizeof rest);
}

enum sasl_step sasl_worked(struct sasl *s)
{
    CHECK(s->state == STATE_WORK);
    return s->matched ? succeed(s) : fail(s, SASL_NOT_AUTHORIZED);
}

enum sasl_step sasl_give_account(struct sasl *s, bool exists)
{
    CHECK(s->state == STATE_KEYS && sasl_takes_certificate(s));
    return exists ? succeed(s) : fail(s, SASL_NOT_AUTHORIZED);
}

enum sasl_step sasl_refuse(struct sasl *s, enum sasl_failure why)
{
    return fail(s, why);
}

bool sasl_takes_token(const struct sasl *s)
{
    return mechanisms[s->mechanism].family == FAMILY_HT;
}

bool sasl_takes_certificate(const struct sasl *s)
{
    return mechanisms[s->mechanism].family == FAMILY_EXTERNAL;
}

unsigned sasl_token(const struct sasl *s)
{
    return s->token;
}

const char *sasl_username(const struct sasl *s)
{
    return *s->username ? s->username : NULL;
}

enum scram_hash sasl_hash(const struct sasl *s)
{
    return mechanisms[s->mechanism].hash;
}

const char *sasl_data(const struct sasl *s)
{
    return s->has_data ? bytes_text(&s->data) : NULL;
}

enum sasl_failure sasl_failure(const struct sasl *s)
{
    return s->failure;
}

enum sasl_mechanism sasl_mechanism(const struct sasl *s)
{
    return s->mechanism;
}
