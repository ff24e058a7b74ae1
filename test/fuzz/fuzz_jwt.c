/* SPDX-License-Identifier: MIT */
/* A token as anybody may send it: without the first bit of the first byte, the text as it is, which must never pass;
 * with it, a header and claims (two lines) that are signed right, so that what stands behind is reached. */
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "contact-router/jwt.h"
#include "contact-router/signature.h"
#include "gateway/base/base64.h"
#include "gateway/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct error e = ERROR_INIT;
    struct bytes token = BYTES_EMPTY, mac = BYTES_EMPTY;
    char *text = mem_dup_n((const char *)data + 1, size - 1);
    bool right = data[0] & 1;
    if (right) {
        size_t head = strcspn(text, "\n"), len = strlen(text);
        base64_encode_url(&token, text, head);
        bytes_append_char(&token, '.');
        base64_encode_url(&token, text + (head < len ? head + 1 : len), len - (head < len ? head + 1 : len));
        signature_hmac(PROFILE_HMAC_SHA256, SPAN("key"), bytes_span(&token), &mac);
        bytes_append_char(&token, '.');
        base64_encode_url(&token, mac.data, mac.len);
    } else {
        bytes_append_text(&token, text);
    }
    json_t *claims = jwt_open_hs256(bytes_text(&token), SPAN("key"), 1893456000, data[0] & 2 ? 300 : 0, &e);
    CHECK(right || !claims);
    CHECK(claims ? json_is_object(claims) : e.code == ERROR_DENIED);
    json_decref(claims);
    mem_free(text);
    bytes_fini(&token);
    bytes_fini(&mac);
    return 0;
}
