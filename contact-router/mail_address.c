/* SPDX-License-Identifier: MIT */
#include "contact-router/mail_address.h"

#include <string.h>
#include <strings.h>

#include "contact-router/profile.h"
#include "contact-router/signature.h"
#include "gateway/base/base32.h"
#include "gateway/base/text.h"

enum { MAC_BYTES = 10, REF_DIGITS = 36, MAC_DIGITS = 16 }; /* of 22 and of 10 bytes */

static void mac_of(const unsigned char key[SECRET_LEN], const char *ref, struct bytes *out)
{
    struct bytes over = BYTES_EMPTY, mac = BYTES_EMPTY;
    bytes_printf(&over, "mail/%s", ref);
    signature_hmac(PROFILE_HMAC_SHA256, (struct span){(const char *)key, SECRET_LEN}, bytes_span(&over), &mac);
    base32_encode(out, mac.data, MAC_BYTES);
    bytes_fini(&over);
    bytes_fini(&mac);
}

bool mail_address_is_base(const char *base)
{
    const char *at = strchr(base, '@');
    for (const char *c = base; *c; c++)
        if (*c <= ' ' || *c > 126 || strchr("<>\"(),;:\\[]+", *c))
            return false;
    return at && at > base && at - base <= MAIL_ADDRESS_LOCAL_MAX && at[1] && !strchr(at + 1, '@');
}

void mail_address_write(const unsigned char key[SECRET_LEN], const char *base, const char *ref, struct bytes *out)
{
    const char *at = strchr(base, '@');
    bytes_append(out, base, (size_t)(at - base));
    bytes_append_char(out, '+');
    base32_encode(out, ref, strlen(ref));
    mac_of(key, ref, out);
    bytes_append_text(out, at);
}

/* The token's digits; NULL: it is no address under `base`. */
static const char *token_of(const char *base, const char *address)
{
    size_t local = strcspn(base, "@");
    const char *token = address + local + 1;
    if (strncasecmp(address, base, local) != 0 || address[local] != '+' ||
        strcspn(token, "@") != REF_DIGITS + MAC_DIGITS || !text_eq_nocase(strchr(token, '@'), base + local))
        return NULL;
    return token;
}

bool mail_address_read(const unsigned char key[SECRET_LEN], const char *base, const char *address,
                       char ref[RANDOM_ID_LEN + 1])
{
    struct bytes digits = BYTES_EMPTY, mac = BYTES_EMPTY, right = BYTES_EMPTY;
    const char *token = token_of(base, address);
    bool fits = token && base32_decode(&digits, token, REF_DIGITS) && digits.len == RANDOM_ID_LEN &&
                !memchr(digits.data, 0, digits.len) && base32_decode(&mac, token + REF_DIGITS, MAC_DIGITS);
    if (fits) {
        struct bytes want = BYTES_EMPTY;
        memcpy(ref, digits.data, RANDOM_ID_LEN);
        ref[RANDOM_ID_LEN] = 0;
        mac_of(key, ref, &right);
        fits = base32_decode(&want, right.data, right.len) && text_eq_secret(want.data, want.len, mac.data, mac.len);
        bytes_fini(&want);
    }
    bytes_fini(&digits);
    bytes_fini(&mac);
    bytes_fini(&right);
    return fits;
}
