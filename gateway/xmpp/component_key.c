/* SPDX-License-Identifier: MIT */
/* SHA1(stream id, secret): what the specification has, and all that there is. It keeps the secret off the wire and
 * no more, so the door is for this machine, or for a network that is trusted. */
#include "gateway/xmpp/component_key.h"

#include <openssl/evp.h>
#include <string.h>

#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

void component_key_make(char out[COMPONENT_KEY_LEN + 1], const char *stream_id, const char *secret)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct bytes text = BYTES_EMPTY, hex = BYTES_EMPTY;
    bytes_printf(&text, "%s%s", stream_id, secret);
    CHECK(EVP_Digest(text.data, text.len, digest, &len, EVP_sha1(), NULL) == 1);
    base64_hex(&hex, digest, len);
    CHECK(hex.len == COMPONENT_KEY_LEN);
    memcpy(out, hex.data, COMPONENT_KEY_LEN + 1);
    mem_wipe(text.data, text.len);
    bytes_fini(&text);
    bytes_fini(&hex);
}

bool component_key_check(const char *key, const char *stream_id, const char *secret)
{
    char want[COMPONENT_KEY_LEN + 1];
    component_key_make(want, stream_id, secret);
    return key && text_eq_secret(key, strlen(key), want, COMPONENT_KEY_LEN);
}
