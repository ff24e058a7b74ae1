/* SPDX-License-Identifier: MIT */
/* The signature is checked before anything inside is read; the header is read only to be refused. */
#include "contact-router/jwt.h"

#include <jansson.h>
#include <string.h>

#include "contact-router/signature.h"
#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

bool jwt_sign(const json_t *claims, struct span pem, bool ec, struct bytes *out, struct error *e)
{
    struct bytes token = BYTES_EMPTY, signature = BYTES_EMPTY;
    const char *header = ec ? "{\"alg\":\"ES256\",\"typ\":\"JWT\"}" : "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
    size_t need = json_dumpb(claims, NULL, 0, JSON_COMPACT);
    char *text = mem_alloc(need + 1);
    json_dumpb(claims, text, need, JSON_COMPACT);
    base64_encode_url(&token, header, strlen(header));
    bytes_append_char(&token, '.');
    base64_encode_url(&token, text, need);
    bool ok = signature_private(pem, ec, bytes_span(&token), &signature, e);
    if (ok) {
        bytes_append(out, token.data, token.len);
        bytes_append_char(out, '.');
        base64_encode_url(out, signature.data, signature.len);
    }
    mem_free(text);
    bytes_fini(&token);
    bytes_fini(&signature);
    return ok;
}

static json_t *part(const char *from, size_t len)
{
    struct bytes raw = BYTES_EMPTY;
    json_t *j = NULL;
    if (base64_decode_url(&raw, from, len))
        j = json_loadb(bytes_text(&raw), raw.len, JSON_REJECT_DUPLICATES, NULL);
    bytes_fini(&raw);
    if (!json_is_object(j)) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static bool signature_holds(const char *token, size_t signed_len, struct span key)
{
    struct bytes mac = BYTES_EMPTY, given = BYTES_EMPTY;
    signature_hmac(PROFILE_HMAC_SHA256, key, (struct span){ token, signed_len }, &mac);
    const char *sig = token + signed_len + 1;
    bool ok =
        base64_decode_url(&given, sig, strlen(sig)) && text_eq_secret(mac.data, mac.len, bytes_text(&given), given.len);
    bytes_fini(&mac);
    bytes_fini(&given);
    return ok;
}

/* A time in seconds; 0: the claim is not there, -1: it is no time. */
static int64_t seconds(const json_t *claims, const char *name)
{
    const json_t *j = json_object_get(claims, name);
    if (!j)
        return 0;
    double v = json_is_number(j) ? json_number_value(j) : -1;
    return v > 0 && v < 1e12 ? (int64_t)v : -1;
}

static bool time_holds(const json_t *claims, int64_t now_s, unsigned tolerance_s, struct error *e)
{
    int64_t iat = seconds(claims, "iat"), nbf = seconds(claims, "nbf"), exp = seconds(claims, "exp");
    int64_t slack = tolerance_s ? tolerance_s : 60, off = now_s - iat;
    if (iat < 0 || nbf < 0 || exp < 0)
        return error_set(e, ERROR_DENIED, "the token's iat, nbf or exp is not a time");
    if (tolerance_s && !iat)
        return error_set(e, ERROR_DENIED, "the token does not say when it was made (iat)");
    if (tolerance_s && (off > slack || -off > slack))
        return error_set(e, ERROR_DENIED, "the token was made %lld s off", (long long)off);
    if (exp && now_s >= exp)
        return error_set(e, ERROR_DENIED, "the token's time is over");
    return !nbf || nbf - now_s <= slack || error_set(e, ERROR_DENIED, "the token is for later");
}

json_t *jwt_open_hs256(const char *token, struct span key, int64_t now_s, unsigned tolerance_s, struct error *e)
{
    const char *dot = strchr(token, '.'), *last = dot ? strchr(dot + 1, '.') : NULL;
    if (!last || strchr(last + 1, '.')) {
        error_set(e, ERROR_DENIED, "that is not a signed token");
        return NULL;
    }
    json_t *header = part(token, (size_t)(dot - token)), *claims = NULL;
    bool hs256 = text_eq(json_string_value(json_object_get(header, "alg")), "HS256");
    bool plain = header && !json_object_get(header, "crit");
    if (!hs256 || !plain)
        error_set(e, ERROR_DENIED, "the token is not signed by HS256");
    else if (!key.len || !signature_holds(token, (size_t)(last - token), key))
        error_set(e, ERROR_DENIED, "the token's signature does not fit");
    else if (!(claims = part(dot + 1, (size_t)(last - dot - 1))))
        error_set(e, ERROR_DENIED, "the token's claims are not a JSON object");
    else if (!time_holds(claims, now_s, tolerance_s, e)) {
        json_decref(claims);
        claims = NULL;
    }
    json_decref(header);
    return claims;
}
