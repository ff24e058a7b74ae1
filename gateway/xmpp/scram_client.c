/* SPDX-License-Identifier: MIT */
/* RFC 5802 section 5, from the other side. */
#include "gateway/xmpp/scram_client.h"

#include <openssl/crypto.h>
#include <string.h>

#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"

enum { ITERATIONS_MIN = 4096, ITERATIONS_MAX = 10 * 1000 * 1000 };

static void put_name(struct bytes *out, const char *name)
{
    for (; *name; name++) {
        if (*name == ',' || *name == '=')
            bytes_append_text(out, *name == ',' ? "=2C" : "=3D");
        else
            bytes_append_char(out, *name);
    }
}

void scram_client_init(struct scram_client *c, enum scram_hash hash, const char *username,
                       const char *nonce)
{
    char drawn[RANDOM_ID_LEN + 1];
    *c = (struct scram_client){.hash = hash};
    if (!nonce)
        random_id(drawn);
    bytes_append_text(&c->gs2, "n,,");
    bytes_append_text(&c->nonce, nonce ? nonce : drawn);
    bytes_append_text(&c->first_bare, "n=");
    put_name(&c->first_bare, username);
    bytes_printf(&c->first_bare, ",r=%s", c->nonce.data);
}

void scram_client_bind(struct scram_client *c, const char *type, struct span data)
{
    bytes_clear(&c->gs2);
    bytes_printf(&c->gs2, "p=%s,,", type);
    bytes_append(&c->binding, data.data, data.len);
}

void scram_client_fini(struct scram_client *c)
{
    bytes_fini(&c->gs2);
    bytes_fini(&c->binding);
    bytes_fini(&c->first_bare);
    bytes_fini(&c->nonce);
}

void scram_client_first(const struct scram_client *c, struct bytes *out)
{
    bytes_append(out, c->gs2.data, c->gs2.len);
    bytes_append(out, c->first_bare.data, c->first_bare.len);
}

/* "x=value," or up to the end. */
static bool take(struct span *rest, char name, struct span *value)
{
    if (rest->len < 2 || rest->data[0] != name || rest->data[1] != '=')
        return false;
    const char *comma = memchr(rest->data, ',', rest->len);
    size_t len = comma ? (size_t)(comma - rest->data) : rest->len;
    *value = (struct span){rest->data + 2, len - 2};
    size_t used = comma ? len + 1 : len;
    *rest = (struct span){rest->data + used, rest->len - used};
    return true;
}

static bool read_challenge(struct scram_client *c, struct span challenge, struct span *nonce,
                           struct bytes *salt, uint32_t *iterations)
{
    struct span rest = challenge, salt64, number;
    char digits[12];
    if (!take(&rest, 'r', nonce) || !take(&rest, 's', &salt64) || !take(&rest, 'i', &number))
        return false;
    if (nonce->len <= c->nonce.len || memcmp(nonce->data, c->nonce.data, c->nonce.len) != 0)
        return false;
    if (!base64_decode(salt, salt64.data, salt64.len) || salt->len == 0)
        return false;
    if (number.len >= sizeof digits)
        return false;
    memcpy(digits, number.data, number.len);
    digits[number.len] = '\0';
    return text_to_u32(digits, iterations) && *iterations >= ITERATIONS_MIN &&
           *iterations <= ITERATIONS_MAX;
}

static void prove(struct scram_client *c, const unsigned char *salted, struct span auth,
                  unsigned char *proof)
{
    unsigned char client[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX];
    size_t len = scram_hash_len(c->hash);
    scram_hmac(c->hash, salted, len, SPAN("Client Key"), client);
    scram_digest(c->hash, client, len, stored);
    scram_hmac(c->hash, stored, len, auth, proof);
    for (size_t i = 0; i < len; i++)
        proof[i] ^= client[i];
    scram_hmac(c->hash, salted, len, SPAN("Server Key"), server);
    scram_hmac(c->hash, server, len, auth, c->signature);
    mem_wipe(client, sizeof client);
}

/* The GS2 header with the channel's data behind it. */
static void put_binding(const struct scram_client *c, struct bytes *out)
{
    struct bytes whole = BYTES_EMPTY;
    bytes_append(&whole, c->gs2.data, c->gs2.len);
    bytes_append(&whole, c->binding.data, c->binding.len);
    base64_encode(out, whole.data, whole.len);
    bytes_fini(&whole);
}

bool scram_client_final(struct scram_client *c, const char *password, struct span challenge,
                        struct bytes *out)
{
    unsigned char salted[SCRAM_KEY_MAX], proof[SCRAM_KEY_MAX];
    struct bytes salt = BYTES_EMPTY, auth = BYTES_EMPTY, final = BYTES_EMPTY;
    struct span nonce;
    uint32_t iterations;
    bool ok =
        read_challenge(c, challenge, &nonce, &salt, &iterations) &&
        scram_salted(c->hash, password, (unsigned char *)salt.data, salt.len, iterations, salted);
    if (ok) {
        bytes_append_text(&final, "c=");
        put_binding(c, &final);
        bytes_printf(&final, ",r=%.*s", (int)nonce.len, nonce.data);
        bytes_printf(&auth, "%s,%.*s,%s", c->first_bare.data, (int)challenge.len, challenge.data,
                     final.data);
        prove(c, salted, bytes_span(&auth), proof);
        bytes_append_text(&final, ",p=");
        base64_encode(&final, proof, scram_hash_len(c->hash));
        bytes_append(out, final.data, final.len);
        mem_wipe(salted, sizeof salted);
    }
    bytes_fini(&salt);
    bytes_fini(&auth);
    bytes_fini(&final);
    return ok;
}

bool scram_client_verify(const struct scram_client *c, struct span message)
{
    struct span rest = message, value;
    struct bytes got = BYTES_EMPTY;
    size_t len = scram_hash_len(c->hash);
    bool ok = take(&rest, 'v', &value) && base64_decode(&got, value.data, value.len) &&
              got.len == len && CRYPTO_memcmp(got.data, c->signature, len) == 0;
    bytes_fini(&got);
    return ok;
}
