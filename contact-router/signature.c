/* SPDX-License-Identifier: MIT */
/* Thin: what OpenSSL calls by many names, in the vocabulary of profiles. */
#include "contact-router/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "gateway/base/base64.h"

void signature_hmac(enum profile_verify kind, struct span key, struct span over, struct bytes *out)
{
    const EVP_MD *md = kind == PROFILE_HMAC_SHA1 ? EVP_sha1() : kind == PROFILE_HMAC_SHA256 ? EVP_sha256() : EVP_sha512();
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    CHECK(kind <= PROFILE_HMAC_SHA512);
    CHECK(HMAC(md, key.data ? key.data : "", (int)key.len, (const unsigned char *)(over.data ? over.data : ""),
               over.len, mac, &len) != NULL);
    bytes_append(out, mac, len);
}

bool signature_ed25519(struct span key, struct span over, struct span sig)
{
    if (key.len != 32 || sig.len != 64)
        return false;
    EVP_PKEY *pub = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)key.data, key.len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = pub && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pub) == 1 &&
              EVP_DigestVerify(ctx, (const unsigned char *)sig.data, sig.len,
                               (const unsigned char *)(over.data ? over.data : ""), over.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pub);
    return ok;
}

void signature_sha256(struct span data, struct bytes *out)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    CHECK(EVP_Digest(data.data ? data.data : "", data.len, md, &len, EVP_sha256(), NULL) == 1);
    bytes_append(out, md, len);
}

bool signature_decode(enum profile_encoding enc, struct span text, struct bytes *out)
{
    const char *t = text.data ? text.data : "";
    switch (enc) {
    case PROFILE_HEX:
    case PROFILE_HEX_UPPER:
        return base64_unhex(out, t, text.len);
    case PROFILE_B64:
        return base64_decode(out, t, text.len);
    case PROFILE_B64URL:
        return base64_decode_url(out, t, text.len);
    }
    return false;
}
