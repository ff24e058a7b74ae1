/* SPDX-License-Identifier: MIT */
/* Keys and values of a profile's sections. A key that is not in its table is a mistake of the file. */
#include "contact-router/profile_keys.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"

#define SEND(field) offsetof(struct profile_send, field)
#define HOOK(field) offsetof(struct profile_hook, field)
#define VOICE(field) offsetof(struct profile_voice, field)
#define VERIFY_KINDS "hmac-sha1 hmac-sha256 hmac-sha512 ed25519 jwt-hs256 basic token"

const struct profile_key profile_keys_send[] = {
    { "method", KEY_ENUM, SEND(method), "GET POST PUT", 0 },
    { "url", KEY_TEMPLATE, SEND(url), NULL, SCOPE_SEND },
    { "auth", KEY_AUTH, 0, NULL, SCOPE_KEY },
    { "body", KEY_ENUM, SEND(body), "form json query text xml", 0 },
    { "header.", KEY_FIELD, SEND(headers), NULL, SCOPE_SIGNED },
    { "form.", KEY_FIELD, SEND(form), NULL, SCOPE_SEND },
    { "query.", KEY_FIELD, SEND(query), NULL, SCOPE_SEND },
    { "json.", KEY_JSON, SEND(json), NULL, SCOPE_SEND },
    { "json:", KEY_JSON, SEND(json), NULL, SCOPE_SEND },
    { "text", KEY_TEMPLATE, SEND(text), NULL, SCOPE_SEND },
    { "xml", KEY_TEMPLATE, SEND(xml), NULL, SCOPE_SEND },
    { "max_parts", KEY_UINT, SEND(max_parts), NULL, 0 },
    { "text_max", KEY_UINT, SEND(text_max), NULL, 0 },
    { "encoding", KEY_ENUM, SEND(encoding), "gsm-auto utf8", 0 },
    { "ok", KEY_STATUSES, SEND(ok), NULL, 0 },
    { "ok.if", KEY_TEST, SEND(ok_if), NULL, 0 },
    { "id", KEY_PICK, SEND(id), NULL, 0 },
    { "err.code", KEY_PICK, SEND(err_code), NULL, 0 },
    { "err.text", KEY_PICK, SEND(err_text), NULL, 0 },
    { "retry", KEY_STATUSES, SEND(retry), NULL, 0 },
    { "retry.code", KEY_WORDS, SEND(retry_code), NULL, 0 },
    { "permanent.code", KEY_WORDS, SEND(permanent_code), NULL, 0 },
    { "optout.code", KEY_WORDS, SEND(optout_code), NULL, 0 },
    { "safe_retry", KEY_YES, SEND(safe_retry), NULL, 0 },
    { "idempotency.header", KEY_TEXT, SEND(idempotency_header), NULL, 0 },
    { "rate", KEY_RATE, SEND(rate_per_s), NULL, 0 },
    { "concurrency", KEY_UINT, SEND(concurrency), NULL, 0 },
    { "sign.kind", KEY_ENUM, SEND(sign_kind), VERIFY_KINDS, 0 },
    { "sign.over", KEY_TEMPLATE, SEND(sign_over), NULL, SCOPE_SIGN },
    { "sign.key", KEY_TEMPLATE, SEND(sign_key), NULL, SCOPE_KEY },
    { "jwt.key", KEY_TEMPLATE, SEND(jwt_key), NULL, SCOPE_KEY },
    { "jwt.ttl", KEY_UINT, SEND(jwt_ttl_s), NULL, 0 },
    { "jwt.claim.", KEY_FIELD, SEND(jwt_claims), NULL, SCOPE_SEND },
    { NULL, 0, 0, NULL, 0 },
};

const struct profile_key profile_keys_hook[] = {
    { "method", KEY_ENUM, HOOK(method), "GET POST PUT any", 0 },
    { "body", KEY_ENUM, HOOK(body), "form json query text xml", 0 },
    { "address", KEY_ENUM, HOOK(address), "own inbound", 0 },
    { "verify.kind", KEY_ENUM, HOOK(verify), VERIFY_KINDS, 0 },
    { "verify.header", KEY_TEXT, HOOK(verify_header), NULL, 0 },
    { "verify.enc", KEY_ENUM, HOOK(verify_enc), "hex hex-upper b64 b64url", 0 },
    { "verify.over", KEY_TEMPLATE, HOOK(verify_over), NULL, SCOPE_VERIFY },
    { "verify.key", KEY_TEMPLATE, HOOK(verify_key), NULL, SCOPE_KEY },
    { "verify.prefix", KEY_TEXT, HOOK(verify_prefix), NULL, 0 },
    { "verify.multi", KEY_TEXT, HOOK(verify_multi), NULL, 0 },
    { "verify.ts.header", KEY_TEXT, HOOK(ts_header), NULL, 0 },
    { "verify.ts.tolerance", KEY_UINT, HOOK(ts_tolerance_s), NULL, 0 },
    { "verify.claim.", KEY_FIELD, HOOK(claims), NULL, SCOPE_CLAIM },
    { "verify.optional", KEY_YES, HOOK(verify_optional), NULL, 0 },
    { "when", KEY_TEST, HOOK(when), NULL, 0 },
    { "each", KEY_POINTER, HOOK(each), NULL, 0 },
    { "id", KEY_PICK, HOOK(id), NULL, 0 },
    { "ref", KEY_PICK, HOOK(ref), NULL, 0 },
    { "from", KEY_PICK, HOOK(from), NULL, 0 },
    { "to", KEY_PICK, HOOK(to), NULL, 0 },
    { "text", KEY_PICK, HOOK(text), NULL, 0 },
    { "status", KEY_PICK, HOOK(status), NULL, 0 },
    { "error_code", KEY_PICK, HOOK(error_code), NULL, 0 },
    { "error_text", KEY_PICK, HOOK(error_text), NULL, 0 },
    { "digits", KEY_PICK, HOOK(digits), NULL, 0 },
    { "answered_by", KEY_PICK, HOOK(answered_by), NULL, 0 },
    { "media", KEY_PICK, HOOK(media), NULL, 0 },
    { "optout", KEY_PICK, HOOK(optout), NULL, 0 },
    { "dedup", KEY_PICK, HOOK(dedup), NULL, 0 },
    { "map.", KEY_MAP, HOOK(map), NULL, 0 },
    { "reply", KEY_REPLY, 0, NULL, SCOPE_REPLY },
    { NULL, 0, 0, NULL, 0 },
};

const struct profile_key profile_keys_voice[] = {
    { "style", KEY_ENUM, VOICE(style), "xml json", 0 },
    { "answer", KEY_ENUM, VOICE(answer), "url inline", 0 },
    { "ask", KEY_TEMPLATE, VOICE(ask), NULL, SCOPE_VOICE },
    { "end", KEY_TEMPLATE, VOICE(end), NULL, SCOPE_VOICE },
    { "say.ask", KEY_TEMPLATE, VOICE(say_ask), NULL, SCOPE_VOICE },
    { "say.end", KEY_TEMPLATE, VOICE(say_end), NULL, SCOPE_VOICE },
    { "audio.types", KEY_WORDS, VOICE(audio_types), NULL, 0 },
    { "audio.rate", KEY_UINT, VOICE(audio_rate), NULL, 0 },
    { "audio.coding", KEY_ENUM, VOICE(coding), "pcm_s16le pcmu", 0 },
    { "audio.max_bytes", KEY_UINT, VOICE(audio_max_bytes), NULL, 0 },
    { "say_max", KEY_UINT, VOICE(say_max), NULL, 0 },
    { NULL, 0, 0, NULL, 0 },
};

bool profile_keys_fail(struct profile_reader *r, const char *fmt, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return error_set(r->e, ERROR_INVALID, "%s:%d: %s", r->file, r->line, text);
}

/* -- templates: names are checked when the file is read, so that rendering finds them all -- */

static const char *const send_names[] = {
    "to",          "from",         "text",           "text.ucs2hex", "subject", "ref",       "lang",
    "priority",    "priority.ten", "priority.level", "severity",     "ttl_s",   "media_url", "audio_url",
    "hook.status", "hook.inbound", "hook.voice",     "sms.coding",   "now",     "now.utc",   "voice.document",
    NULL};
static const char *const verify_names[] = {
    "url", "url.base", "url.form.dotted", "query.sorted", "form.sorted.kv", "form.sorted.kv.uniq",
    "form.sorted.amp", "body", "body.sha256", "url.sha256", "ts", NULL
};

static bool listed(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (text_eq(*names, name))
            return true;
    return false;
}

static bool declared(const struct profile_name *n, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (text_eq(n[i].name, name))
            return true;
    return false;
}

static bool name_allowed(const struct profile *p, enum profile_scope scope, const char *name)
{
    if (text_starts_with(name, "opt."))
        return scope != SCOPE_REPLY && declared(p->options, p->option_count, name + 4);
    if (text_starts_with(name, "secret."))
        return scope != SCOPE_REPLY && scope != SCOPE_VOICE && declared(p->secrets, p->secret_count, name + 7);
    bool sent = listed(send_names, name);
    switch (scope) {
    case SCOPE_SEND:
        return sent;
    case SCOPE_SIGNED:
        return sent || text_eq(name, "sign.b64") || text_eq(name, "sign.hex");
    case SCOPE_SIGN:
        return sent || text_eq(name, "body");
    case SCOPE_VERIFY:
    case SCOPE_CLAIM:
        return listed(verify_names, name) || (text_starts_with(name, "hdr.") && name[4]);
    case SCOPE_REPLY:
        return text_eq(name, "voice.document");
    case SCOPE_VOICE:
        return text_eq(name, "audio_url") || text_eq(name, "hook.voice") || text_eq(name, "text") ||
               text_eq(name, "lang");
    case SCOPE_KEY:
    case SCOPE_NONE:
        break;
    }
    return false;
}

static bool set_template(struct profile_reader *r, const char *text, enum profile_scope scope, struct template *out)
{
    struct error why = ERROR_INIT;
    if (!template_parse(&r->p->arena, text, out, &why))
        return profile_keys_fail(r, "%s", why.text);
    for (unsigned i = 0; i < out->count; i++)
        if (out->parts[i].name && !name_allowed(r->p, scope, out->parts[i].name))
            return profile_keys_fail(r, "there is no ${%.60s} here (options and secrets must be declared above)",
                                     out->parts[i].name);
    return true;
}

/* -- one function a type of value -- */

static const char *next_word(struct arena *a, const char **at)
{
    const char *from = text_skip_blank(*at), *end = from;
    while (*end && *end != ' ' && *end != '\t')
        end++;
    *at = text_skip_blank(end);
    return end == from ? NULL : arena_dup_n(a, from, (size_t)(end - from));
}

static bool set_enum(struct profile_reader *r, const char *words, const char *value, int *out)
{
    int i = 0;
    for (const char *at = words, *w; (w = next_word(&r->p->arena, &at)); i++)
        if (text_eq(w, value)) {
            *out = i;
            return true;
        }
    return profile_keys_fail(r, "`%.40s` is none of: %s", value, words);
}

static bool set_uint(struct profile_reader *r, const char *value, unsigned *out)
{
    uint32_t n;
    if (!text_to_u32(value, &n) || n > 1000000)
        return profile_keys_fail(r, "`%.40s` is not a number (0 to 1000000)", value);
    *out = n;
    return true;
}

static bool set_rate(struct profile_reader *r, const char *value, unsigned *out)
{
    const char *slash = strchr(value, '/');
    if (!slash || !text_eq(slash, "/s"))
        return profile_keys_fail(r, "`%.40s` is not a rate (N/s)", value);
    return set_uint(r, arena_dup_n(&r->p->arena, value, (size_t)(slash - value)), out);
}

static bool set_statuses(struct profile_reader *r, const char *value, struct profile_statuses *out)
{
    const char *at = value, *w = next_word(&r->p->arena, &at);
    if (!text_eq(w, "http"))
        return profile_keys_fail(r, "expected `http` and statuses (200 2xx)");
    while ((w = next_word(&r->p->arena, &at))) {
        uint32_t n;
        if (strlen(w) == 3 && text_eq(w + 1, "xx") && *w >= '1' && *w <= '5')
            n = (uint32_t)(*w - '0');
        else if (!text_to_u32(w, &n) || n < 100 || n > 599)
            return profile_keys_fail(r, "`%.20s` is not an HTTP status", w);
        if (out->count == PROFILE_STATUS_MAX)
            return profile_keys_fail(r, "more than %d statuses", PROFILE_STATUS_MAX);
        out->v[out->count++] = n;
    }
    return out->count > 0 || profile_keys_fail(r, "no status");
}

static bool set_words(struct profile_reader *r, const char *value, struct profile_words *out)
{
    const char *words[64];
    unsigned count = 0;
    for (const char *at = value, *w; (w = next_word(&r->p->arena, &at));) {
        if (count == 64)
            return profile_keys_fail(r, "more than 64 words");
        words[count++] = w;
    }
    const char **kept = arena_alloc(&r->p->arena, (count ? count : 1) * sizeof *kept);
    memcpy(kept, words, count * sizeof *kept);
    *out = (struct profile_words){ .v = kept, .count = count };
    return true;
}

/* The library's compiler doubles its memory with each repetition of a repetition: few, and no intervals. */
static bool regex_is_modest(const char *pattern)
{
    enum { REPEATS_MAX = 8 };
    unsigned repeats = 0;
    for (const char *c = pattern; *c; c++)
        repeats += strchr("*+?{", *c) ? *c == '{' ? REPEATS_MAX + 1 : 1 : 0;
    return repeats <= REPEATS_MAX && strlen(pattern) <= 256;
}

const regex_t *profile_keys_regex(struct profile_reader *r, const char *pattern)
{
    struct profile_regex *x = mem_new(struct profile_regex);
    int rc = regex_is_modest(pattern) ? regcomp(&x->re, pattern, REG_EXTENDED) : REG_ESPACE;
    if (rc != 0) {
        mem_free(x);
        profile_keys_fail(r, "`%.60s` is not a POSIX extended regular expression with at most 8 repetitions", pattern);
        return NULL;
    }
    x->next = r->p->regexes;
    r->p->regexes = x;
    return &x->re;
}

/* "/a/b" or "/a/b@c", without blanks. */
static bool is_xml_path(const char *path)
{
    const char *at = strchr(path, '@');
    size_t len = at ? (size_t)(at - path) : strlen(path);
    return *path == '/' && len > 1 && path[len - 1] != '/' && !strstr(path, "//") &&
           (!at || (at[1] && !strpbrk(at + 1, "@/")));
}

/* Kind and name; *at stands behind them. */
static bool read_pick(struct profile_reader *r, const char **at, struct profile_pick *out)
{
    static const char *const kinds[] = { "none", "json", "xml", "text", "header", "form", "query", "const" };
    const char *w = next_word(&r->p->arena, at);
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!text_eq(w, kinds[i]))
            continue;
        out->kind = (enum profile_pick_kind)i;
        if (out->kind == PICK_NONE || out->kind == PICK_TEXT)
            return true;
        out->arg = next_word(&r->p->arena, at);
        if (!out->arg)
            return profile_keys_fail(r, "`%s` wants a name", w);
        if (out->kind == PICK_JSON && *out->arg != '/')
            return profile_keys_fail(r, "`%.60s` is not a JSON pointer (it begins with /)", out->arg);
        if (out->kind == PICK_XML && !is_xml_path(out->arg))
            return profile_keys_fail(r, "`%.60s` is not a path (/top/element or /top/element@attribute)", out->arg);
        return true;
    }
    return profile_keys_fail(r, "`%.40s` is none of: json xml text header form query const none", w ? w : "");
}

static bool set_pick(struct profile_reader *r, const char *value, struct profile_pick *out)
{
    const char *at = value;
    if (!read_pick(r, &at, out))
        return false;
    if (*at == '~' && out->kind == PICK_TEXT) {
        out->re = profile_keys_regex(r, text_skip_blank(at + 1));
        return out->re && (out->re->re_nsub >= 1 || profile_keys_fail(r, "the expression has no (group)"));
    }
    return !*at || profile_keys_fail(r, "`%.40s` is one word too many", at);
}

static bool set_test(struct profile_reader *r, const char *value, struct profile_tests *out)
{
    static const char *const ops[] = { "==", "!=", "exists", "~" };
    if (out->count == PROFILE_TESTS_MAX)
        return profile_keys_fail(r, "more than %d tests", PROFILE_TESTS_MAX);
    struct profile_test *t = &out->v[out->count];
    const char *at = value;
    if (!read_pick(r, &at, &t->what))
        return false;
    const char *op = next_word(&r->p->arena, &at);
    unsigned i = 0;
    while (i < 4 && !text_eq(op, ops[i]))
        i++;
    if (i == 4)
        return profile_keys_fail(r, "`%.40s` is none of: == != exists ~", op ? op : "");
    t->op = (enum profile_op)i;
    t->value = arena_dup(&r->p->arena, at);
    if (t->op == PROFILE_MATCH && !(t->re = profile_keys_regex(r, at)))
        return false;
    if ((t->op == PROFILE_EXISTS) != !*at)
        return profile_keys_fail(r, "%s",
                                 t->op == PROFILE_EXISTS ? "`exists` takes no value" : "the test has no value");
    out->count++;
    return true;
}

static bool key_is_clean(const char *key)
{
    for (const char *c = key; *c; c++)
        if ((unsigned char)*c <= 32 || (unsigned char)*c > 126 || *c == ':')
            return false;
    return *key;
}

static bool set_field(struct profile_reader *r, const struct profile_key *k, const char *name, const char *value,
                      struct profile_fields *out)
{
    if (out->count == PROFILE_FIELDS_MAX)
        return profile_keys_fail(r, "more than %d fields", PROFILE_FIELDS_MAX);
    struct profile_field *f = &out->v[out->count];
    size_t len = strlen(name);
    f->optional = len > 1 && name[len - 1] == '?';
    char *key = arena_dup_n(&r->p->arena, name, f->optional ? len - 1 : len);
    if (k->type == KEY_JSON) {
        static const struct { const char *before; enum profile_field_type type; } types[] = {
            { "int.", FIELD_INT }, { "bool.", FIELD_BOOL }, { "json.", FIELD_JSON },
        };
        for (unsigned i = 0; i < sizeof types / sizeof *types; i++)
            if (text_starts_with(key, types[i].before)) {
                f->type = types[i].type;
                key += strlen(types[i].before);
                break;
            }
        if (*key != '/')
            return profile_keys_fail(r, "`%.60s` is not a JSON pointer (it begins with /)", key);
    } else if (!key_is_clean(key)) {
        return profile_keys_fail(r, "`%.60s` is not a field's name", key);
    }
    f->key = key;
    if (!set_template(r, value, k->scope, &f->value))
        return false;
    out->count++;
    return true;
}

static bool set_auth(struct profile_reader *r, const char *value, struct profile_send *s)
{
    static const struct { const char *name; enum profile_auth auth; bool named, scoped; unsigned values; } kinds[] = {
        { "none", PROFILE_AUTH_NONE, false, false, 0 },     { "basic", PROFILE_AUTH_BASIC, false, false, 2 },
        { "bearer", PROFILE_AUTH_BEARER, false, false, 1 }, { "header", PROFILE_AUTH_HEADER, true, false, 1 },
        { "query", PROFILE_AUTH_QUERY, true, false, 1 },    { "jwt-rs256", PROFILE_AUTH_JWT_RS256, false, false, 0 },
        { "jwt-es256", PROFILE_AUTH_JWT_ES256, false, false, 0 }, { "aws-sigv4", PROFILE_AUTH_SIGV4, false, true, 2 },
    };
    const char *at = value, *w = next_word(&r->p->arena, &at);
    unsigned i = 0, count = sizeof kinds / sizeof *kinds;
    while (i < count && !text_eq(w, kinds[i].name))
        i++;
    const char *name = i < count && kinds[i].named ? next_word(&r->p->arena, &at) : NULL;
    const char *scope = i < count && kinds[i].scoped ? next_word(&r->p->arena, &at) : NULL;
    const char *a = i < count && kinds[i].values > 0 ? next_word(&r->p->arena, &at) : NULL;
    const char *b = i < count && kinds[i].values > 1 ? next_word(&r->p->arena, &at) : NULL;
    if (i == count || *at || (kinds[i].named && (!name || !key_is_clean(name))) || (kinds[i].values > 0 && !a) ||
        (kinds[i].values > 1 && !b))
        return profile_keys_fail(r,
                                 "auth is one of: none, basic U P, bearer T, header NAME V, query NAME V, jwt-rs256, "
                                 "jwt-es256, aws-sigv4 aws:REGION:SERVICE KEY SECRET");
    s->auth = kinds[i].auth;
    s->auth_name = name;
    return (!scope || set_template(r, scope, SCOPE_KEY, &s->auth_scope)) &&
           (!a || set_template(r, a, SCOPE_KEY, &s->auth_a)) && (!b || set_template(r, b, SCOPE_KEY, &s->auth_b));
}

static bool set_map(struct profile_reader *r, const char *name, const char *value, struct profile_words *map)
{
    for (unsigned s = 0; s < PROFILE_STATE_COUNT; s++)
        if (text_eq(profile_state_name((enum profile_state)s), name)) {
            if (map[s].count)
                return profile_keys_fail(r, "map.%s stands twice", name);
            return set_words(r, value, &map[s]);
        }
    return profile_keys_fail(r, "`%.40s` is not one of our states", name);
}

static bool set_reply(struct profile_reader *r, const char *value, struct profile_hook *h)
{
    const char *at = value, *status = next_word(&r->p->arena, &at);
    uint32_t n;
    if (!status || !text_to_u32(status, &n) || n < 200 || n > 299)
        return profile_keys_fail(r, "reply is a status (200 to 299), a content type and a text");
    h->reply_status = n;
    h->reply_type = next_word(&r->p->arena, &at);
    if (h->reply_type && !strchr(h->reply_type, '/'))
        return profile_keys_fail(r, "`%.40s` is not a content type", h->reply_type);
    return set_template(r, at, SCOPE_REPLY, &h->reply_body);
}

static bool set_value(struct profile_reader *r, const struct profile_key *k, const char *tail, const char *value)
{
    void *at = (char *)r->target + k->offset;
    switch (k->type) {
    case KEY_TEXT:
        if (!*value)
            return profile_keys_fail(r, "`%s` has no value", k->name);
        *(const char **)at = arena_dup(&r->p->arena, value);
        return true;
    case KEY_UINT: return set_uint(r, value, at);
    case KEY_RATE: return set_rate(r, value, at);
    case KEY_YES:
        *(bool *)at = text_eq(value, "yes");
        return *(bool *)at || text_eq(value, "no") || profile_keys_fail(r, "`%.40s` is neither yes nor no", value);
    case KEY_ENUM: return set_enum(r, k->words, value, at);
    case KEY_TEMPLATE: return set_template(r, value, k->scope, at);
    case KEY_STATUSES: return set_statuses(r, value, at);
    case KEY_WORDS: return set_words(r, value, at);
    case KEY_PICK: return set_pick(r, value, at);
    case KEY_TEST: return set_test(r, value, at);
    case KEY_FIELD:
    case KEY_JSON: return set_field(r, k, tail, value, at);
    case KEY_MAP: return set_map(r, tail, value, at);
    case KEY_AUTH: return set_auth(r, value, at);
    case KEY_REPLY: return set_reply(r, value, at);
    case KEY_POINTER: /* "/" is a key named ""; nobody has one, so it stands for the whole */
        if (*value != '/')
            return profile_keys_fail(r, "`%.60s` is not a JSON pointer (it begins with /)", value);
        *(const char **)at = arena_dup(&r->p->arena, value[1] ? value : "");
        return true;
    }
    return false;
}

static bool may_repeat(enum profile_key_type t)
{
    return t == KEY_FIELD || t == KEY_JSON || t == KEY_TEST || t == KEY_MAP;
}

bool profile_keys_set(struct profile_reader *r, const char *key, const char *value)
{
    for (unsigned i = 0; r->keys[i].name; i++) {
        const struct profile_key *k = &r->keys[i];
        size_t len = strlen(k->name);
        bool prefix = k->name[len - 1] == '.' || k->name[len - 1] == ':';
        if (prefix ? !text_starts_with(key, k->name) : !text_eq(key, k->name))
            continue;
        if (r->seen[i] && !may_repeat(k->type))
            return profile_keys_fail(r, "`%.60s` stands twice", key);
        r->seen[i] = 1;
        return set_value(r, k, key + (prefix ? len : 0), value);
    }
    return profile_keys_fail(r, "unknown key `%.60s`", key);
}
