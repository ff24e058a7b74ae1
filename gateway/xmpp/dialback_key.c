/* SPDX-License-Identifier: MIT */
/* XEP-0185 section 2: HMAC-SHA256(hex(SHA256(secret)), receiving ' ' originating ' ' stream id). */
#include "gateway/xmpp/dialback_key.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

void dialback_key_make(char out[DIALBACK_KEY_LEN + 1], const void *secret, size_t secret_len,
                       const struct dialback_names *names)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct bytes key = BYTES_EMPTY, text = BYTES_EMPTY, hex = BYTES_EMPTY;
    CHECK(EVP_Digest(secret, secret_len, digest, &len, EVP_sha256(), NULL) == 1);
    base64_hex(&key, digest, len);
    bytes_printf(&text, "%s %s %s", names->receiving, names->originating, names->stream_id);
    CHECK(HMAC(EVP_sha256(), key.data, (int)key.len, (const unsigned char *)text.data, text.len,
               digest, &len) != NULL);
    base64_hex(&hex, digest, len);
    CHECK(hex.len == DIALBACK_KEY_LEN);
    memcpy(out, hex.data, DIALBACK_KEY_LEN + 1);
    mem_wipe(key.data, key.len);
    bytes_fini(&key);
    bytes_fini(&text);
    bytes_fini(&hex);
}

bool dialback_key_check(const char *key, const void *secret, size_t secret_len,
                        const struct dialback_names *names)
{
    char want[DIALBACK_KEY_LEN + 1];
    dialback_key_make(want, secret, secret_len, names);
    return key && text_eq_secret(key, strlen(key), want, DIALBACK_KEY_LEN);
}
