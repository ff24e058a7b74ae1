/* SPDX-License-Identifier: MIT */
/* Rendering: URL, body, signature over the body, then headers, in this order, because each may need
 * what stands before. Each value is escaped for where it lands. */
#include "contact-router/provider_request.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "contact-router/jwt.h"
#include "contact-router/signature.h"
#include "contact-router/sigv4.h"
#include "contact-router/sms_text.h"
#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

struct names {
    struct template_names base;
    const struct provider *p;
    const struct provider_message *m;
    struct span body, signature;
};

static bool value_simple(const struct provider_message *m, const char *name, struct bytes *out)
{
    const struct { const char *name, *value; } texts[] = {
        { "to", m->to },           { "from", m->from },       { "text", m->text },
        { "subject", m->subject }, { "ref", m->ref },         { "lang", m->lang },
        { "media_url", m->media_url },       { "audio_url", m->audio_url },   { "hook.status", m->hook_status },
        { "hook.inbound", m->hook_inbound }, { "hook.voice", m->hook_voice }, { "voice.document", m->voice_document },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (text_eq(texts[i].name, name)) {
            bytes_append_text(out, texts[i].value ? texts[i].value : "");
            return true;
        }
    return false;
}

static void append_utc(struct bytes *out, int64_t now_us)
{
    time_t s = (time_t)(now_us / 1000000);
    struct tm tm;
    gmtime_r(&s, &tm);
    bytes_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                 tm.tm_min, tm.tm_sec);
}

static bool value_derived(const struct provider_message *m, const char *name, struct bytes *out)
{
    static const char *const severities[] = { "info", "info", "warning", "error", "critical" };
    static const char *const levels[] = { "LOW", "LOW", "NORMAL", "HIGH", "HIGH" };
    static const unsigned tens[] = { 1, 3, 5, 8, 10 };
    unsigned priority = m->priority >= 1 && m->priority <= 5 ? m->priority : 3;
    const char *text = m->text ? m->text : "";
    if (text_eq(name, "priority"))
        bytes_printf(out, "%u", priority);
    else if (text_eq(name, "priority.ten"))
        bytes_printf(out, "%u", tens[priority - 1]);
    else if (text_eq(name, "priority.level"))
        bytes_append_text(out, levels[priority - 1]);
    else if (text_eq(name, "severity"))
        bytes_append_text(out, severities[priority - 1]);
    else if (text_eq(name, "ttl_s") && m->ttl_s)
        bytes_printf(out, "%u", m->ttl_s);
    else if (text_eq(name, "now"))
        bytes_printf(out, "%lld", (long long)(m->now_us / 1000000));
    else if (text_eq(name, "now.utc"))
        append_utc(out, m->now_us);
    else if (text_eq(name, "sms.coding"))
        bytes_append_char(out, sms_text_measure(text, strlen(text)).alphabet == SMS_GSM ? '0' : '2');
    else if (text_eq(name, "text.ucs2hex"))
        sms_text_ucs2_hex(out, text, strlen(text));
    else if (!text_eq(name, "ttl_s"))
        return false;
    return true;
}

static bool names_value(const struct template_names *base, const char *name, struct bytes *out)
{
    const struct names *n = container_of(base, struct names, base);
    if (value_simple(n->m, name, out) || value_derived(n->m, name, out) || provider_value(n->p, name, out))
        return true;
    if (text_eq(name, "body"))
        bytes_append(out, n->body.data, n->body.len);
    else if (text_eq(name, "sign.b64"))
        base64_encode(out, n->signature.data, n->signature.len);
    else if (text_eq(name, "sign.hex"))
        base64_hex(out, n->signature.data, n->signature.len);
    else
        return false;
    return true;
}

/* -- form and query -- */

/* A repeated field carries a number behind its name: Event.1, Event.2. */
static size_t key_len(const char *key)
{
    const char *dot = strrchr(key, '.');
    if (!dot || dot == key || !dot[1] || strspn(dot + 1, "0123456789") != strlen(dot + 1))
        return strlen(key);
    return (size_t)(dot - key);
}

static bool pairs(const struct profile_fields *f, const struct names *n, bool form, const char *first,
                  struct bytes *out, struct error *e)
{
    void (*escape)(struct bytes *, const char *, size_t) = form ? template_form : template_percent;
    bool ok = true;
    const char *join = first;
    for (unsigned i = 0; ok && i < f->count; i++) {
        struct bytes v = BYTES_EMPTY;
        ok = template_render(&f->v[i].value, TEMPLATE_PLAIN, &n->base, &v, e);
        if (ok && (v.len || !f->v[i].optional)) {
            bytes_append_text(out, join);
            escape(out, f->v[i].key, key_len(f->v[i].key));
            bytes_append_char(out, '=');
            escape(out, bytes_text(&v), v.len);
            join = "&";
        }
        bytes_fini(&v);
    }
    return ok;
}

static bool make_url(const struct profile_send *s, const struct names *n, struct bytes *out, struct error *e)
{
    if (!template_render(&s->url, TEMPLATE_URL, &n->base, out, e))
        return false;
    if (!text_starts_with(bytes_text(out), "https://") &&
        !(n->p->allow_http && text_starts_with(bytes_text(out), "http://")))
        return error_set(e, ERROR_DENIED, "provider %s: only https addresses (or allow_http)", n->p->name);
    if (!pairs(&s->query, n, false, strchr(out->data, '?') ? "&" : "?", out, e))
        return false;
    if (s->auth != PROFILE_AUTH_QUERY)
        return true;
    struct profile_fields one = { .v = { { .key = s->auth_name, .value = s->auth_a } }, .count = 1 };
    return pairs(&one, n, false, strchr(out->data, '?') ? "&" : "?", out, e);
}

/* -- JSON -- */

static json_t *json_value(const struct profile_field *f, const struct bytes *v, struct error *e)
{
    char *end;
    switch (f->type) {
    case FIELD_STRING: {
        json_t *j = json_stringn(bytes_text(v), v->len);
        if (!j)
            error_set(e, ERROR_INVALID, "json %s: not UTF-8", f->key);
        return j;
    }
    case FIELD_JSON: {
        json_error_t why;
        json_t *j = json_loadb(bytes_text(v), v->len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
        if (!j)
            error_set(e, ERROR_INVALID, "json:json %s: %s", f->key, why.text);
        return j;
    }
    case FIELD_BOOL:
        return json_boolean(text_eq(bytes_text(v), "true") || text_eq(bytes_text(v), "1"));
    case FIELD_INT: {
        long long n = strtoll(bytes_text(v), &end, 10);
        if (v->len && !*end)
            return json_integer(n);
        error_set(e, ERROR_INVALID, "json:int %s: `%.40s` is not a number", f->key, bytes_text(v));
        return NULL;
    }
    }
    return NULL;
}

/* One segment of a JSON pointer (RFC 6901), unescaped; *at moves behind it. */
static char *segment(const char **at)
{
    const char *from = *at + 1, *end = strchr(from, '/');
    size_t len = end ? (size_t)(end - from) : strlen(from);
    char *word = mem_dup_n(from, len), *to = word;
    for (const char *c = word; *c; c++) {
        bool tilde = *c == '~' && (c[1] == '0' || c[1] == '1');
        *to++ = tilde ? (c[1] == '0' ? '~' : '/') : *c;
        c += tilde;
    }
    *to = 0;
    *at = from + len;
    return word;
}

static bool is_index(const char *word)
{
    return *word && strspn(word, "0123456789") == strlen(word) && strlen(word) < 3;
}

/* Puts `value` (taken over) at `word` of `into`; false: the kinds do not go together. */
static bool put_at(json_t *into, const char *word, json_t *value)
{
    if (!json_is_array(into))
        return json_is_object(into) ? json_object_set_new(into, word, value) == 0 : (json_decref(value), false);
    uint32_t i = 0;
    if (!is_index(word) || !text_to_u32(word, &i) || i > json_array_size(into)) {
        json_decref(value);
        return false;
    }
    return (i == json_array_size(into) ? json_array_append_new(into, value) : json_array_set_new(into, i, value)) == 0;
}

static json_t *get_at(json_t *from, const char *word)
{
    uint32_t i = 0;
    if (json_is_object(from))
        return json_object_get(from, word);
    return text_to_u32(word, &i) ? json_array_get(from, i) : NULL;
}

/* Walks to the pointer, making objects and arrays on the way. Takes over `value`. */
static bool put(json_t *root, const char *pointer, json_t *value)
{
    json_t *here = root;
    for (const char *at = pointer;;) {
        char *word = segment(&at);
        if (!*at) {
            bool ok = put_at(here, word, value);
            mem_free(word);
            return ok;
        }
        json_t *next = get_at(here, word);
        if (!next) {
            const char *ahead = at;
            char *after = segment(&ahead);
            next = is_index(after) ? json_array() : json_object();
            mem_free(after);
            if (!put_at(here, word, next))
                next = NULL;
        }
        mem_free(word);
        if (!next) {
            json_decref(value);
            return false;
        }
        here = next;
    }
}

static bool make_json(const struct profile_send *s, const struct names *n, struct bytes *out, struct error *e)
{
    json_t *root = json_object();
    bool ok = true;
    for (unsigned i = 0; ok && i < s->json.count; i++) {
        const struct profile_field *f = &s->json.v[i];
        struct bytes v = BYTES_EMPTY;
        ok = template_render(&f->value, TEMPLATE_PLAIN, &n->base, &v, e);
        if (ok && (v.len || !f->optional)) {
            json_t *j = json_value(f, &v, e);
            ok = j && (put(root, f->key, j) ||
                       error_set(e, ERROR_INVALID, "json %s: does not go with the fields above it", f->key));
        }
        bytes_fini(&v);
    }
    if (ok) {
        size_t need = json_dumpb(root, NULL, 0, JSON_COMPACT | JSON_ENSURE_ASCII);
        ok = need > 0 || error_set(e, ERROR_INVALID, "not JSON");
        bytes_reserve(out, need + 1);
        json_dumpb(root, out->data + out->len, need, JSON_COMPACT | JSON_ENSURE_ASCII);
        out->len += need;
        out->data[out->len] = 0;
    }
    json_decref(root);
    return ok;
}

static bool make_body(const struct profile_send *s, const struct names *n, struct bytes *out, struct error *e)
{
    switch ((enum profile_body)s->body) {
    case PROFILE_FORM:
        return pairs(&s->form, n, true, "", out, e);
    case PROFILE_JSON:
        return make_json(s, n, out, e);
    case PROFILE_TEXT:
        return template_render(&s->text, TEMPLATE_PLAIN, &n->base, out, e);
    case PROFILE_XML:
        return template_render(&s->xml, TEMPLATE_XML, &n->base, out, e);
    case PROFILE_QUERY:
        return true;
    }
    return true;
}

/* -- headers -- */

static bool header(struct provider_request *out, const char *before, const struct template *value,
                   const struct names *n, bool optional, struct error *e)
{
    struct bytes v = BYTES_EMPTY;
    bool ok = template_render(value, TEMPLATE_HEADER, &n->base, &v, e);
    if (ok && (v.len || !optional)) {
        ok = out->header_count < PROVIDER_HEADERS_MAX || error_set(e, ERROR_LIMIT, "too many headers");
        if (ok)
            out->headers[out->header_count++] = arena_printf(&out->arena, "%s%s", before, bytes_text(&v));
    }
    bytes_fini(&v);
    return ok;
}

static bool auth_basic(struct provider_request *out, const struct profile_send *s, const struct names *n,
                       struct error *e)
{
    struct bytes user = BYTES_EMPTY, b64 = BYTES_EMPTY;
    bool ok = template_render(&s->auth_a, TEMPLATE_PLAIN, &n->base, &user, e) &&
              (!strchr(bytes_text(&user), ':') || error_set(e, ERROR_INVALID, "a user name with a colon"));
    if (ok)
        bytes_append_char(&user, ':');
    ok = ok && template_render(&s->auth_b, TEMPLATE_PLAIN, &n->base, &user, e);
    if (ok) {
        base64_encode(&b64, user.data, user.len);
        out->headers[out->header_count++] = arena_printf(&out->arena, "Authorization: Basic %s", b64.data);
    }
    if (user.data)
        mem_wipe(user.data, user.len);
    bytes_fini(&user);
    bytes_fini(&b64);
    return ok;
}

/* Claims of the profile, then when it was made, when it ends, and an id that no other try has. */
static json_t *jwt_claims(const struct profile_send *s, const struct names *n, struct error *e)
{
    json_t *claims = json_object();
    bool ok = true;
    for (unsigned i = 0; ok && i < s->jwt_claims.count; i++) {
        struct bytes v = BYTES_EMPTY;
        ok = template_render(&s->jwt_claims.v[i].value, TEMPLATE_PLAIN, &n->base, &v, e);
        if (ok && (v.len || !s->jwt_claims.v[i].optional))
            json_object_set_new(claims, s->jwt_claims.v[i].key, json_stringn(bytes_text(&v), v.len));
        bytes_fini(&v);
    }
    struct bytes seed = BYTES_EMPTY, raw = BYTES_EMPTY, id = BYTES_EMPTY;
    bytes_printf(&seed, "%s %lld", n->m->ref ? n->m->ref : "", (long long)n->m->now_us);
    signature_sha256(bytes_span(&seed), &raw);
    base64_encode_url(&id, raw.data, 16);
    json_object_set_new(claims, "iat", json_integer(n->m->now_us / 1000000));
    json_object_set_new(claims, "exp", json_integer(n->m->now_us / 1000000 + s->jwt_ttl_s));
    json_object_set_new(claims, "jti", json_string(id.data));
    bytes_fini(&seed);
    bytes_fini(&raw);
    bytes_fini(&id);
    if (!ok) {
        json_decref(claims);
        return NULL;
    }
    return claims;
}

static bool auth_jwt(struct provider_request *out, const struct profile_send *s, const struct names *n, struct error *e)
{
    struct bytes pem = BYTES_EMPTY, token = BYTES_EMPTY;
    json_t *claims = jwt_claims(s, n, e);
    bool ok = claims && template_render(&s->jwt_key, TEMPLATE_PLAIN, &n->base, &pem, e) &&
              jwt_sign(claims, bytes_span(&pem), s->auth == PROFILE_AUTH_JWT_ES256, &token, e);
    if (ok)
        out->headers[out->header_count++] = arena_printf(&out->arena, "Authorization: Bearer %s", token.data);
    if (pem.data)
        mem_wipe(pem.data, pem.len);
    bytes_fini(&pem);
    bytes_fini(&token);
    json_decref(claims);
    return ok;
}

static bool make_auth(struct provider_request *out, const struct profile_send *s, const struct names *n,
                      struct error *e)
{
    switch ((enum profile_auth)s->auth) {
    case PROFILE_AUTH_NONE:
    case PROFILE_AUTH_QUERY: /* in the address */
    case PROFILE_AUTH_SIGV4: /* over the other headers: at the end */
        return true;
    case PROFILE_AUTH_JWT_RS256:
    case PROFILE_AUTH_JWT_ES256:
        return auth_jwt(out, s, n, e);
    case PROFILE_AUTH_BASIC:
        return auth_basic(out, s, n, e);
    case PROFILE_AUTH_BEARER:
        return header(out, "Authorization: Bearer ", &s->auth_a, n, false, e);
    case PROFILE_AUTH_HEADER:
        return header(out, arena_printf(&out->arena, "%s: ", s->auth_name), &s->auth_a, n, false, e);
    }
    return true;
}

static bool make_headers(struct provider_request *out, const struct profile_send *s, const struct names *n,
                         struct error *e)
{
    static const char *const types[] = { "application/x-www-form-urlencoded", "application/json", NULL,
                                         "text/plain; charset=utf-8", "text/xml; charset=utf-8" };
    bool typed = false;
    if (!make_auth(out, s, n, e))
        return false;
    for (unsigned i = 0; i < s->headers.count; i++) {
        typed = typed || text_eq_nocase(s->headers.v[i].key, "Content-Type");
        const char *before = arena_printf(&out->arena, "%s: ", s->headers.v[i].key);
        if (!header(out, before, &s->headers.v[i].value, n, s->headers.v[i].optional, e))
            return false;
    }
    if (types[s->body] && !typed && out->header_count < PROVIDER_HEADERS_MAX)
        out->headers[out->header_count++] = arena_printf(&out->arena, "Content-Type: %s", types[s->body]);
    bool named = false;
    for (unsigned i = 0; s->idempotency_header && i < s->headers.count; i++)
        named = named || text_eq_nocase(s->headers.v[i].key, s->idempotency_header);
    if (s->idempotency_header && !named && out->header_count < PROVIDER_HEADERS_MAX)
        out->headers[out->header_count++] = arena_printf(&out->arena, "%s: %s", s->idempotency_header, n->m->ref);
    return true;
}

static bool make_signature(const struct profile_send *s, struct names *n, struct bytes *out, struct error *e)
{
    if (!s->sign_over.count)
        return true;
    struct bytes over = BYTES_EMPTY, key = BYTES_EMPTY;
    bool ok = template_render(&s->sign_over, TEMPLATE_PLAIN, &n->base, &over, e) &&
              template_render(&s->sign_key, TEMPLATE_PLAIN, &n->base, &key, e);
    if (ok)
        signature_hmac((enum profile_verify)s->sign_kind, bytes_span(&key), bytes_span(&over), out);
    bytes_fini(&over);
    bytes_fini(&key);
    n->signature = bytes_span(out);
    return ok;
}

/* "aws:REGION:SERVICE" in a, b and c of the scope. */
static bool split_scope(char *scope, const char **region, const char **service, struct error *e)
{
    char *colon = strchr(scope, ':'), *last = colon ? strchr(colon + 1, ':') : NULL;
    if (!last || !text_starts_with(scope, "aws:") || !last[1] || last == colon + 1 || strchr(last + 1, ':'))
        return error_set(e, ERROR_INVALID, "aws-sigv4: `%.60s` is not aws:REGION:SERVICE", scope);
    *last = 0;
    *region = colon + 1;
    *service = last + 1;
    return true;
}

static const char *header_value(const struct provider_request *out, const char *name)
{
    size_t len = strlen(name);
    for (unsigned i = 0; i < out->header_count; i++)
        if (strncasecmp(out->headers[i], name, len) == 0 && out->headers[i][len] == ':')
            return text_skip_blank(out->headers[i] + len + 1);
    return NULL;
}

static bool sign_whole(struct provider_request *out, const struct profile_send *s, const struct names *n,
                       struct error *e)
{
    struct bytes scope = BYTES_EMPTY, id = BYTES_EMPTY, key = BYTES_EMPTY;
    const char *date, *authorization;
    struct sigv4_request q = {.method = out->method,
                              .url = out->url,
                              .content_type = header_value(out, "Content-Type"),
                              .body = out->body,
                              .now_s = n->m->now_us / 1000000};
    bool ok = template_render(&s->auth_scope, TEMPLATE_HEADER, &n->base, &scope, e) &&
              template_render(&s->auth_a, TEMPLATE_HEADER, &n->base, &id, e) &&
              template_render(&s->auth_b, TEMPLATE_PLAIN, &n->base, &key, e) &&
              (out->header_count + 2 <= PROVIDER_HEADERS_MAX || error_set(e, ERROR_LIMIT, "too many headers")) &&
              split_scope(scope.data, &q.region, &q.service, e);
    q.key_id = bytes_text(&id);
    q.key = bytes_text(&key);
    ok = ok && sigv4_sign(&q, &out->arena, &date, &authorization, e);
    if (ok) {
        out->headers[out->header_count++] = arena_printf(&out->arena, "X-Amz-Date: %s", date);
        out->headers[out->header_count++] = arena_printf(&out->arena, "Authorization: %s", authorization);
    }
    if (key.data)
        mem_wipe(key.data, key.len);
    bytes_fini(&scope);
    bytes_fini(&id);
    bytes_fini(&key);
    return ok;
}

bool provider_request_render(const struct provider *p, const struct provider_message *m, struct provider_request *out,
                             struct error *e)
{
    static const char *const methods[] = { "GET", "POST", "PUT", "POST" };
    const struct profile_send *s = profile_send_of(p->profile, m->kind);
    if (!s)
        return error_set(e, ERROR_INVALID, "provider %s does not send this kind", p->name);
    struct names n = { .base = { names_value }, .p = p, .m = m };
    struct bytes url = BYTES_EMPTY, body = BYTES_EMPTY, signature = BYTES_EMPTY;
    bool ok = make_url(s, &n, &url, e) && make_body(s, &n, &body, e);
    n.body = bytes_span(&body);
    ok = ok && make_signature(s, &n, &signature, e) && make_headers(out, s, &n, e);
    if (ok) {
        out->method = methods[s->method];
        out->url = arena_dup(&out->arena, bytes_text(&url));
        out->body = (struct span){ arena_dup_n(&out->arena, bytes_text(&body), body.len), body.len };
        ok = s->auth != PROFILE_AUTH_SIGV4 || sign_whole(out, s, &n, e);
    }
    if (!ok)
        error_wrap(e, "provider %s", p->name);
    bytes_fini(&url);
    bytes_fini(&body);
    bytes_fini(&signature);
    return ok;
}
