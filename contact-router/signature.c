/* SPDX-License-Identifier: MIT */
/* Thin: what OpenSSL calls by many names, in the vocabulary of profiles. */
#include "contact-router/signature.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "gateway/base/base64.h"
#include "gateway/base/text.h"

void signature_hmac(enum profile_verify kind, struct span key, struct span over, struct bytes *out)
{
    const EVP_MD *md = kind == PROFILE_HMAC_SHA1     ? EVP_sha1()
                       : kind == PROFILE_HMAC_SHA256 ? EVP_sha256()
                                                     : EVP_sha512();
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

static int no_password(char *buf, int size, int writing, void *user)
{
    (void)buf, (void)size, (void)writing, (void)user;
    return 0; /* never asks on a terminal */
}

static EVP_PKEY *private_key(struct span pem, bool ec, struct error *e)
{
    BIO *in = BIO_new_mem_buf(pem.data ? pem.data : "", (int)pem.len);
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_password, NULL) : NULL;
    char curve[32] = "";
    BIO_free(in);
    bool right = key && (ec ? EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
                                  EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) == 1 &&
                                  EVP_PKEY_get_bits(key) == 256 && text_eq(curve, "prime256v1")
                            : EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= 2048);
    if (right)
        return key;
    EVP_PKEY_free(key);
    error_set(e, ERROR_INVALID, "not a private key in PEM without a password, %s",
              ec ? "on the curve P-256" : "RSA with 2048 bits or more");
    return NULL;
}

bool signature_key_check(struct span pem, bool ec, struct error *e)
{
    EVP_PKEY *key = private_key(pem, ec, e);
    EVP_PKEY_free(key);
    return key != NULL;
}

/* ASN.1 to r and s, 32 bytes each. */
static void append_es256(const unsigned char *der, size_t len, struct bytes *out)
{
    unsigned char raw[64];
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    CHECK(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) == 32 &&
          BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) == 32);
    ECDSA_SIG_free(sig);
    bytes_append(out, raw, sizeof raw);
}

bool signature_private(struct span pem, bool ec, struct span over, struct bytes *out, struct error *e)
{
    EVP_PKEY *key = private_key(pem, ec, e);
    if (!key)
        return false;
    unsigned char sig[1024]; /* RSA of 8192 bits */
    size_t len = sizeof sig;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(ctx, sig, &len, (const unsigned char *)(over.data ? over.data : ""), over.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    if (!ok)
        return error_set(e, ERROR_INVALID, "the private key does not sign");
    if (ec)
        append_es256(sig, len, out);
    else
        bytes_append(out, sig, len);
    return true;
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
