/* SPDX-License-Identifier: MIT */
/* As "Signing AWS API requests" has it: canonical request, string to sign, a key derived by date, region
 * and service. The path and the query are taken as they are escaped in the URL; only the query is sorted. */
#include "contact-router/sigv4.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "contact-router/signature.h"
#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

enum { QUERY_MAX = 64 };

static void hex_sha256(struct span data, struct bytes *out)
{
    struct bytes raw = BYTES_EMPTY;
    signature_sha256(data, &raw);
    base64_hex(out, raw.data, raw.len);
    bytes_fini(&raw);
}

/* "https://host:port/path?query": the host without a port that goes without saying. */
static bool split(struct arena *a, const char *url, const char **host, const char **path, const char **query)
{
    const char *from = strstr(url, "://");
    if (!from)
        return false;
    from += 3;
    size_t len = strcspn(from, "/?");
    char *name = arena_dup_n(a, from, len);
    const char *usual = text_starts_with(url, "https:") ? ":443" : ":80";
    size_t n = strlen(usual);
    if (len > n && text_eq(name + len - n, usual))
        name[len - n] = 0;
    const char *at = from + len, *mark = strchr(at, '?');
    *host = name;
    *path = *at == '/' ? arena_dup_n(a, at, mark ? (size_t)(mark - at) : strlen(at)) : "/";
    *query = mark ? mark + 1 : "";
    return *name;
}

static int by_text(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static bool append_query(struct arena *a, const char *query, struct bytes *out)
{
    const char *fields[QUERY_MAX];
    unsigned count = 0;
    for (const char *at = query; *at;) {
        size_t len = strcspn(at, "&");
        if (count == QUERY_MAX)
            return false;
        fields[count++] = memchr(at, '=', len) ? arena_dup_n(a, at, len) : arena_printf(a, "%.*s=", (int)len, at);
        at += len + (at[len] != 0);
    }
    if (count)
        qsort(fields, count, sizeof *fields, by_text);
    for (unsigned i = 0; i < count; i++)
        bytes_printf(out, "%s%s", i ? "&" : "", fields[i]);
    return true;
}

static void derive(const char *word, struct bytes *key)
{
    struct bytes next = BYTES_EMPTY;
    signature_hmac(PROFILE_HMAC_SHA256, bytes_span(key), span_of(word), &next);
    mem_wipe(key->data, key->len);
    bytes_fini(key);
    *key = next;
}

bool sigv4_sign(const struct sigv4_request *q, struct arena *a, const char **date, const char **authorization,
                struct error *e)
{
    const char *host, *path, *query;
    struct bytes canonical = BYTES_EMPTY, over = BYTES_EMPTY, key = BYTES_EMPTY, hex = BYTES_EMPTY;
    time_t s = (time_t)q->now_s;
    struct tm tm;
    char day[16], stamp[24];
    if (!split(a, q->url, &host, &path, &query))
        return error_set(e, ERROR_INVALID, "there is no host in the address");
    gmtime_r(&s, &tm);
    strftime(day, sizeof day, "%Y%m%d", &tm);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    const char *signed_headers = q->content_type ? "content-type;host;x-amz-date" : "host;x-amz-date";
    const char *scope = arena_printf(a, "%s/%s/%s/aws4_request", day, q->region, q->service);

    bytes_printf(&canonical, "%s\n%s\n", q->method, path);
    bool ok = append_query(a, query, &canonical) ||
              error_set(e, ERROR_INVALID, "more than %d fields in the query", QUERY_MAX);
    if (q->content_type)
        bytes_printf(&canonical, "\ncontent-type:%s", q->content_type);
    bytes_printf(&canonical, "\nhost:%s\nx-amz-date:%s\n\n%s\n", host, stamp, signed_headers);
    hex_sha256(q->body, &canonical);

    bytes_printf(&over, "AWS4-HMAC-SHA256\n%s\n%s\n", stamp, scope);
    hex_sha256(bytes_span(&canonical), &over);
    bytes_printf(&key, "AWS4%s", q->key);
    const char *const words[] = { day, q->region, q->service, "aws4_request", bytes_text(&over) };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        derive(words[i], &key);
    base64_hex(&hex, key.data, key.len);
    *date = arena_dup(a, stamp);
    *authorization = arena_printf(a, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", q->key_id,
                                  scope, signed_headers, bytes_text(&hex));
    bytes_fini(&canonical);
    bytes_fini(&over);
    bytes_fini(&key);
    bytes_fini(&hex);
    return ok;
}
