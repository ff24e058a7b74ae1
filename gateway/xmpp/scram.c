/* SPDX-License-Identifier: MIT */
/* RFC 5802 section 3 (computations), 5 and 7 (messages). Attributes are read in the order that the
 * grammar gives; mandatory extensions (m=) are refused, optional ones are skipped. */
#include "gateway/xmpp/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/utf8.h"
#include "gateway/xmpp/prep.h"

enum { NONCE_MAX = 512, BINDING_NAME_MAX = 63 };

/* -- computations */

static const EVP_MD *md_of(enum scram_hash hash)
{
    switch (hash) {
    case SCRAM_SHA1:
        return EVP_sha1();
    case SCRAM_SHA512:
        return EVP_sha512();
    case SCRAM_SHA256:
    case SCRAM_HASH_COUNT:
        break;
    }
    return EVP_sha256();
}

size_t scram_hash_len(enum scram_hash hash)
{
    return (size_t)EVP_MD_get_size(md_of(hash));
}

void scram_hmac(enum scram_hash hash, const void *key, size_t key_len, struct span text,
                unsigned char *out)
{
    unsigned len;
    CHECK(HMAC(md_of(hash), key, (int)key_len, (const unsigned char *)text.data, text.len, out,
               &len) != NULL);
}

void scram_digest(enum scram_hash hash, const void *data, size_t len, unsigned char *out)
{
    unsigned out_len;
    CHECK(EVP_Digest(data, len, out, &out_len, md_of(hash), NULL) == 1);
}

bool scram_salted(enum scram_hash hash, const char *password, const unsigned char *salt,
                  size_t salt_len, unsigned iterations, unsigned char *out)
{
    char prepared[PREP_MAX + 1];
    size_t len = prep_sasl(prepared, password, strlen(password));
    if (len)
        CHECK(PKCS5_PBKDF2_HMAC(prepared, (int)len, salt, (int)salt_len, (int)iterations,
                                md_of(hash), (int)scram_hash_len(hash), out) == 1);
    mem_wipe(prepared, sizeof prepared);
    return len > 0;
}

/* -- keys */

void scram_keys_from_salted(struct scram_keys *keys, const unsigned char *salted)
{
    unsigned char client[SCRAM_KEY_MAX];
    size_t len = scram_hash_len(keys->hash);
    scram_hmac(keys->hash, salted, len, SPAN("Client Key"), client);
    scram_digest(keys->hash, client, len, keys->stored_key);
    scram_hmac(keys->hash, salted, len, SPAN("Server Key"), keys->server_key);
    mem_wipe(client, sizeof client);
}

bool scram_keys_derive(struct scram_keys *keys, const char *password)
{
    unsigned char salted[SCRAM_KEY_MAX];
    if (!scram_salted(keys->hash, password, keys->salt, keys->salt_len, keys->iterations, salted))
        return false;
    scram_keys_from_salted(keys, salted);
    mem_wipe(salted, sizeof salted);
    return true;
}

bool scram_keys_make(struct scram_keys *keys, enum scram_hash hash, const char *password)
{
    *keys = (struct scram_keys){
        .hash = hash, .iterations = SCRAM_ITERATIONS, .salt_len = SCRAM_SALT_LEN};
    random_bytes(keys->salt, keys->salt_len);
    return scram_keys_derive(keys, password);
}

bool scram_keys_match(const struct scram_keys *keys, const char *password)
{
    struct scram_keys tried = *keys;
    if (!scram_keys_derive(&tried, password))
        return false;
    int differs = CRYPTO_memcmp(tried.stored_key, keys->stored_key, scram_hash_len(keys->hash));
    mem_wipe(&tried, sizeof tried);
    return !differs && !keys->fake;
}

void scram_keys_fake(struct scram_keys *keys, enum scram_hash hash, unsigned iterations,
                     const char *username, struct span secret)
{
    unsigned char salt[SCRAM_KEY_MAX];
    *keys = (struct scram_keys){
        .hash = hash, .iterations = iterations, .salt_len = SCRAM_SALT_LEN, .fake = true};
    /* As different hashes have different salts where the account exists. */
    struct bytes text = BYTES_EMPTY;
    bytes_printf(&text, "salt %d %s", (int)hash, username);
    scram_hmac(SCRAM_SHA256, secret.data, secret.len, bytes_span(&text), salt);
    memcpy(keys->salt, salt, keys->salt_len);
    bytes_fini(&text);
}

/* -- messages */

struct cursor {
    const char *at, *end;
};

/* "x=value" up to the next comma or the end; moves behind the comma. */
static bool take_attr(struct cursor *c, char name, struct span *value)
{
    if (c->end - c->at < 2 || c->at[0] != name || c->at[1] != '=')
        return false;
    const char *comma = memchr(c->at, ',', (size_t)(c->end - c->at));
    const char *stop = comma ? comma : c->end;
    *value = (struct span){c->at + 2, (size_t)(stop - c->at - 2)};
    c->at = comma ? comma + 1 : c->end;
    return true;
}

static int unescape_digit(const char *p, size_t left)
{
    if (left >= 3 && memcmp(p, "=2C", 3) == 0)
        return ',';
    return left >= 3 && memcmp(p, "=3D", 3) == 0 ? '=' : -1;
}

/* saslname: not empty, "=2C" and "=3D" only. */
static bool unescape_name(struct bytes *out, struct span s)
{
    bytes_clear(out);
    if (s.len == 0 || s.len > PREP_MAX || !utf8_valid(s.data, s.len) || memchr(s.data, 0, s.len))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        int c = s.data[i];
        if (c == '=') {
            c = unescape_digit(s.data + i, s.len - i);
            if (c < 0)
                return false;
            i += 2;
        }
        bytes_append_char(out, (char)c);
    }
    return true;
}

static bool is_nonce(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] < 0x21 || s.data[i] > 0x7e || s.data[i] == ',')
            return false;
    return s.len > 0 && s.len <= NONCE_MAX;
}

/* cbind-flag: what the client knows and wants of channel binding. */
static enum scram_result take_flag(struct scram_server *s, struct cursor *c, bool plus)
{
    struct span type;
    if (take_attr(c, 'p', &type)) {
        char name[BINDING_NAME_MAX + 1];
        if (type.len >= sizeof name || memchr(type.data, 0, type.len))
            return SCRAM_WRONG;
        memcpy(name, type.data, type.len);
        name[type.len] = '\0';
        bool found = plus && s->binding.find && s->binding.find(s->binding.user, name, &s->bound);
        return found ? SCRAM_FINE : SCRAM_WRONG;
    }
    if (c->end - c->at < 2 || (c->at[0] != 'n' && c->at[0] != 'y') || c->at[1] != ',')
        return SCRAM_MALFORMED;
    bool downgraded =
        c->at[0] == 'y' && s->binding.find; /* we announced -PLUS, it did not arrive (section 6) */
    c->at += 2;
    return plus || downgraded ? SCRAM_WRONG : SCRAM_FINE;
}

static bool take_authzid(struct scram_server *s, struct cursor *c)
{
    struct span authzid;
    if (c->at < c->end && *c->at == ',') {
        c->at++;
        return true;
    }
    return take_attr(c, 'a', &authzid) && unescape_name(&s->authzid, authzid);
}

void scram_server_init(struct scram_server *s, struct scram_binding binding)
{
    *s = (struct scram_server){.binding = binding};
}

void scram_server_fini(struct scram_server *s)
{
    bytes_fini(&s->gs2);
    bytes_fini(&s->first_bare);
    bytes_fini(&s->challenge);
    bytes_fini(&s->username);
    bytes_fini(&s->authzid);
    bytes_fini(&s->nonce);
    bytes_fini(&s->bound);
    mem_wipe(s, sizeof *s);
}

enum scram_result scram_server_start(struct scram_server *s, const char *message, size_t len,
                                     bool plus)
{
    struct cursor c = {message, message + len};
    struct span name, nonce;
    enum scram_result flag = take_flag(s, &c, plus);
    if (flag != SCRAM_FINE)
        return flag;
    if (!take_authzid(s, &c))
        return SCRAM_MALFORMED;
    bytes_append(&s->gs2, message, (size_t)(c.at - message));
    bytes_append(&s->first_bare, c.at, (size_t)(c.end - c.at));
    if (!take_attr(&c, 'n', &name) || !unescape_name(&s->username, name) ||
        !take_attr(&c, 'r', &nonce) || !is_nonce(nonce))
        return SCRAM_MALFORMED;
    bytes_append(&s->nonce, nonce.data, nonce.len);
    return SCRAM_FINE;
}

/* XEP-0474 section 5.1: what we offered, under the proof of both sides. */
static void put_advertised(struct scram_server *s)
{
    unsigned char digest[SCRAM_KEY_MAX];

    if (!s->advertised)
        return;
    scram_digest(s->keys.hash, s->advertised, strlen(s->advertised), digest);
    bytes_append_text(&s->challenge, ",h=");
    base64_encode(&s->challenge, digest, scram_hash_len(s->keys.hash));
}

void scram_server_challenge(struct scram_server *s, const struct scram_keys *keys,
                            const char *nonce)
{
    char drawn[RANDOM_ID_LEN + 1];
    s->keys = *keys;
    if (!nonce)
        random_id(drawn);
    bytes_append_text(&s->nonce, nonce ? nonce : drawn);
    bytes_printf(&s->challenge, "r=%s,s=", s->nonce.data);
    base64_encode(&s->challenge, keys->salt, keys->salt_len);
    bytes_printf(&s->challenge, ",i=%u", keys->iterations);
    put_advertised(s);
}

/* c= repeats the GS2 header, with the channel's data behind it when it binds. */
static enum scram_result check_binding(const struct scram_server *s, struct span base64)
{
    struct bytes got = BYTES_EMPTY, want = BYTES_EMPTY;
    enum scram_result result = SCRAM_MALFORMED;
    if (base64_decode(&got, base64.data, base64.len)) {
        bytes_append(&want, s->gs2.data, s->gs2.len);
        bytes_append(&want, s->bound.data, s->bound.len);
        result = span_eq(bytes_span(&got), bytes_span(&want)) ? SCRAM_FINE : SCRAM_WRONG;
    }
    bytes_fini(&got);
    bytes_fini(&want);
    return result;
}

/* RFC 5802 3: the proof gives ClientKey back, whose hash is StoredKey. */
static bool check_proof(const struct scram_server *s, struct span auth, const unsigned char *proof)
{
    unsigned char signature[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX];
    size_t len = scram_hash_len(s->keys.hash);
    scram_hmac(s->keys.hash, s->keys.stored_key, len, auth, signature);
    for (size_t i = 0; i < len; i++)
        signature[i] ^= proof[i];
    scram_digest(s->keys.hash, signature, len, stored);
    int differs = CRYPTO_memcmp(stored, s->keys.stored_key, len);
    mem_wipe(signature, sizeof signature);
    return !differs && !s->keys.fake;
}

static void put_signature(const struct scram_server *s, struct span auth, struct bytes *out)
{
    unsigned char signature[SCRAM_KEY_MAX];
    size_t len = scram_hash_len(s->keys.hash);
    scram_hmac(s->keys.hash, s->keys.server_key, len, auth, signature);
    bytes_append_text(out, "v=");
    base64_encode(out, signature, len);
}

/* "p=" is the last attribute; the value of what may stand between is not looked at. */
static bool take_proof(struct cursor *c, const char **without_proof, struct span *proof)
{
    while (c->at < c->end) {
        const char *start = c->at;
        if (take_attr(c, 'p', proof)) {
            *without_proof = start - 1; /* the comma before it */
            return c->at == c->end && c->end[-1] != ',';
        }
        const char *comma = memchr(c->at, ',', (size_t)(c->end - c->at));
        if (!comma || comma - c->at < 2 || c->at[1] != '=' || c->at[0] == 'm')
            return false;
        c->at = comma + 1;
    }
    return false;
}

enum scram_result scram_server_finish(struct scram_server *s, const char *message, size_t len,
                                      struct bytes *out)
{
    struct cursor c = {message, message + len};
    struct span binding, nonce, proof64;
    struct bytes proof = BYTES_EMPTY, auth = BYTES_EMPTY;
    const char *without_proof;
    enum scram_result result = SCRAM_MALFORMED;
    if (!take_attr(&c, 'c', &binding) || !take_attr(&c, 'r', &nonce) ||
        !take_proof(&c, &without_proof, &proof64) ||
        !base64_decode(&proof, proof64.data, proof64.len) ||
        proof.len != scram_hash_len(s->keys.hash))
        goto done;
    result = check_binding(s, binding);
    if (result != SCRAM_FINE)
        goto done;
    bytes_printf(&auth, "%s,%s,%.*s", bytes_text(&s->first_bare), bytes_text(&s->challenge),
                 (int)(without_proof - message), message);
    if (span_eq(nonce, bytes_span(&s->nonce)) &&
        check_proof(s, bytes_span(&auth), (const unsigned char *)proof.data))
        put_signature(s, bytes_span(&auth), out);
    else
        result = SCRAM_WRONG;
done:
    bytes_fini(&proof);
    bytes_fini(&auth);
    return result;
}
