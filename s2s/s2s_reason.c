/* SPDX-License-Identifier: MIT */
/* Decided here: which of the reasons fits what the layers below say. Where they have only words (the system's, and
 * OpenSSL's), the words are looked at. */
#include "s2s/s2s_reason.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "gateway/base/text.h"

enum { NAMES_SHOWN = 5 };

static const struct {
    const char *name, *advice;
} reasons[] = {
#define S2S_REASON_ROW(name, word, advice) [S2S_WHY_##name] = {word, advice},
    S2S_REASONS(S2S_REASON_ROW)
#undef S2S_REASON_ROW
};

const char *s2s_reason_name(enum s2s_reason r)
{
    return reasons[r].name;
}

void s2s_reason_advice(enum s2s_reason r, const char *local, const char *remote, struct bytes *out)
{
    for (const char *c = reasons[r].advice; *c;) {
        size_t plain = strcspn(c, "{");
        bytes_append(out, c, plain);
        c += plain;
        if (text_starts_with(c, "{L}") || text_starts_with(c, "{R}")) {
            bytes_append_text(out, c[1] == 'L' ? local : remote);
            c += 3;
        } else if (*c) {
            bytes_append_char(out, *c++);
        }
    }
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

enum s2s_reason s2s_reason_of_dial(const struct error *e)
{
    if (e->code == ERROR_DENIED)
        return S2S_WHY_EGRESS;
    if (e->code == ERROR_NOT_FOUND)
        return S2S_WHY_NO_ADDRESS;
    if (has(e->text, strerror(ECONNREFUSED)))
        return S2S_WHY_PORT_CLOSED;
    if (e->code == ERROR_TIMEOUT || has(e->text, strerror(ETIMEDOUT)))
        return S2S_WHY_HOST_SILENT;
    if (has(e->text, strerror(ENETUNREACH)) || has(e->text, strerror(EHOSTUNREACH)))
        return S2S_WHY_UNREACHABLE;
    return S2S_WHY_DNS_SILENT;
}

/* The peer's alert about what we showed (RFC 8446 6.2), in OpenSSL's words. */
static bool is_about_our_certificate(const char *text)
{
    static const char *const words[] = {"alert bad certificate", "alert unsupported certificate",
                                        "alert certificate revoked", "alert certificate expired",
                                        "alert certificate unknown", "alert unknown ca", "alert certificate required"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (has(text, words[i]))
            return true;
    return false;
}

static enum s2s_reason of_received(enum stream_error e)
{
    if (e == STREAM_HOST_UNKNOWN || e == STREAM_HOST_GONE)
        return S2S_WHY_NOT_SERVED_THERE;
    if (e == STREAM_POLICY_VIOLATION)
        return S2S_WHY_THEIR_POLICY;
    if (e == STREAM_NOT_AUTHORIZED)
        return S2S_WHY_AUTH_REFUSED;
    return e == STREAM_SYSTEM_SHUTDOWN ? S2S_WHY_SHUT_DOWN : S2S_WHY_PEER_ERROR;
}

static enum s2s_reason of_sent(enum stream_error e)
{
    if (e == STREAM_CONNECTION_TIMEOUT)
        return S2S_WHY_NO_ANSWER;
    if (e == STREAM_HOST_UNKNOWN)
        return S2S_WHY_NOT_SERVED_HERE;
    return e == STREAM_SYSTEM_SHUTDOWN ? S2S_WHY_SHUT_DOWN : S2S_WHY_OUR_ERROR;
}

enum s2s_reason s2s_reason_of_end(const struct stream_end *end)
{
    if (end->received != STREAM_OK)
        return of_received(end->received);
    if (end->wire == WIRE_END_TLS)
        return is_about_our_certificate(end->text) ? S2S_WHY_OUR_CERTIFICATE : S2S_WHY_TLS_FAILED;
    if (end->sent != STREAM_OK)
        return of_sent(end->sent);
    return end->orderly ? S2S_WHY_NONE : S2S_WHY_CUT;
}

enum s2s_reason s2s_reason_of_dialback(const char *condition)
{
    static const char *const unreached[] = {"remote-connection-failed", "remote-server-not-found",
                                            "remote-server-timeout", "service-unavailable"};
    if (!condition)
        return S2S_WHY_OUR_KEY_REFUSED;
    for (size_t i = 0; i < sizeof unreached / sizeof *unreached; i++)
        if (strcmp(condition, unreached[i]) == 0)
            return S2S_WHY_CANNOT_CALL_BACK;
    if (strcmp(condition, "item-not-found") == 0)
        return S2S_WHY_NOT_SERVED_THERE;
    if (strcmp(condition, "policy-violation") == 0 || strcmp(condition, "forbidden") == 0 ||
        strcmp(condition, "not-allowed") == 0)
        return S2S_WHY_THEIR_POLICY;
    return S2S_WHY_AUTH_REFUSED;
}

/* ---- certificates ---- */

static void append_names(X509 *cert, struct bytes *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int shown = 0, dns = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        if (n->type != GEN_DNS || dns++ >= NAMES_SHOWN)
            continue;
        int len = ASN1_STRING_length(n->d.dNSName);
        bytes_printf(out, "%s%.*s", shown++ ? ", " : "", len > 80 ? 80 : len,
                     (const char *)ASN1_STRING_get0_data(n->d.dNSName));
    }
    if (!dns)
        bytes_append_text(out, "no domain");
    else if (dns > shown)
        bytes_printf(out, " and %d more", dns - shown);
    GENERAL_NAMES_free(names);
}

static void append_end(X509 *cert, struct bytes *out)
{
    struct tm end;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end))
        bytes_printf(out, ", until %04d-%02d-%02d", end.tm_year + 1900, end.tm_mon + 1, end.tm_mday);
}

enum s2s_reason s2s_reason_of_certificate(const struct tls_info *info, const char *domain, struct bytes *out)
{
    if (!info->peer_cert) {
        bytes_append_text(out, "no certificate");
        return S2S_WHY_NO_CERTIFICATE;
    }
    bool dane = info->dane == TLS_DANE_MATCHED, named = dane || tls_cert_matches(info->peer_cert, domain);
    bytes_append_text(out, "it names ");
    append_names(info->peer_cert, out);
    append_end(info->peer_cert, out);
    if (dane)
        bytes_append_text(out, "; DNSSEC proves it (TLSA)");
    if (info->dane == TLS_DANE_DIFFERENT) {
        bytes_append_text(out, "; it is not the one that DNSSEC tells of (TLSA)");
        return S2S_WHY_CERTIFICATE_DANE;
    }
    if (!named)
        bytes_printf(out, "; not %s", domain);
    if (!dane && !info->peer_chain_valid)
        bytes_append_text(out, "; no authority that is trusted here vouches for it now");
    if (!named)
        return S2S_WHY_CERTIFICATE_NAME;
    return dane || info->peer_chain_valid ? S2S_WHY_NONE : S2S_WHY_CERTIFICATE_TRUST;
}
