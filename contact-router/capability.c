/* SPDX-License-Identifier: MIT */
/* HMAC-SHA256, cut to 128 bits, in base64url. */
#include "contact-router/capability.h"

#include <string.h>

#include "contact-router/signature.h"
#include "gateway/base/base64.h"
#include "gateway/base/text.h"

enum { TOKEN_BYTES = 16 };

bool capability_split(const char *target, struct capability_path *p)
{
    p->count = 0;
    size_t end = strcspn(target, "?");
    for (size_t at = 0; at < end;) {
        if (target[at++] != '/' || p->count == CAPABILITY_SEGMENTS_MAX)
            return false;
        size_t len = strcspn(target + at, "/?");
        if (!len || len >= CAPABILITY_SEGMENT_MAX)
            return false;
        memcpy(p->v[p->count], target + at, len);
        p->v[p->count++][len] = 0;
        at += len;
    }
    return true;
}

void capability_append(const unsigned char key[SECRET_LEN], const char *over, struct bytes *out)
{
    struct bytes mac = BYTES_EMPTY;
    signature_hmac(PROFILE_HMAC_SHA256, (struct span){ (const char *)key, SECRET_LEN }, span_of(over), &mac);
    base64_encode_url(out, mac.data, TOKEN_BYTES);
    bytes_fini(&mac);
}

bool capability_fits(const unsigned char key[SECRET_LEN], const char *over, const char *token)
{
    struct bytes right = BYTES_EMPTY;
    capability_append(key, over, &right);
    bool fits = text_eq_secret(right.data, right.len, token, strlen(token));
    bytes_fini(&right);
    return fits;
}
