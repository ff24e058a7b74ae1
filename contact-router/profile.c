/* SPDX-License-Identifier: MIT */
/* Lines and sections of a profile, and what must hold of the whole. A mistake is "file:line: ...",
 * and the provider stays off: nothing is guessed. */
#include "contact-router/profile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "contact-router/profile_keys.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

static const char *const kind_names[PROFILE_KINDS] = { "sms", "voice", "pager", "push", "wake", "webhook" };

const char *profile_state_name(enum profile_state s)
{
    static const char *const names[] = {
#define S(name, word) word,
        PROFILE_STATES(S)
#undef S
    };
    return s < PROFILE_STATE_COUNT ? names[s] : "?";
}

const char *profile_kind_name(enum profile_kind k)
{
    return kind_names[k];
}

const struct profile_send *profile_send_of(const struct profile *p, enum profile_kind k)
{
    const struct profile_send *first = NULL;
    if (p->send[k].present)
        return &p->send[k];
    for (unsigned i = 0; p->kinds[k] && k != PROFILE_VOICE && i < PROFILE_KINDS; i++)
        if (p->send[i].present && i != PROFILE_VOICE && (!first || p->send[i].line < first->line))
            first = &p->send[i];
    return first;
}

bool profile_status_in(const struct profile_statuses *l, int status)
{
    for (unsigned i = 0; i < l->count; i++)
        if (l->v[i] == (unsigned)status || (l->v[i] < 10 && l->v[i] == (unsigned)status / 100))
            return true;
    return false;
}

bool profile_word_in(const struct profile_words *l, const char *word)
{
    for (unsigned i = 0; i < l->count; i++)
        if (text_eq(l->v[i], word))
            return true;
    return false;
}

/* -- sections -- */

enum section { SECTION_NONE, SECTION_PROFILE, SECTION_OPTIONS, SECTION_SECRETS, SECTION_TABLE };

struct file {
    struct profile_reader r;
    enum section section;
    bool format_seen;
};

static bool kind_of(const char *word, enum profile_kind *out)
{
    for (unsigned i = 0; i < PROFILE_KINDS; i++)
        if (text_eq(kind_names[i], word)) {
            *out = (enum profile_kind)i;
            return true;
        }
    return false;
}

static void open_table(struct file *f, const struct profile_key *keys, void *target)
{
    f->section = SECTION_TABLE;
    f->r.keys = keys;
    f->r.target = target;
    memset(f->r.seen, 0, sizeof f->r.seen);
}

static bool open_send(struct file *f, const char *word)
{
    enum profile_kind kind;
    if (!kind_of(word, &kind) || !f->r.p->kinds[kind])
        return profile_keys_fail(&f->r, "[send.%.20s]: not among the `kinds` of [profile]", word);
    struct profile_send *s = &f->r.p->send[kind];
    if (s->present)
        return profile_keys_fail(&f->r, "[send.%s] stands twice", word);
    *s = (struct profile_send){ .present = true, .line = f->r.line, .method = PROFILE_POST,
                                .retry = { { 408, 425, 429, 5 }, 4 }, .max_parts = 4, .concurrency = 4,
                                .jwt_ttl_s = 900 };
    open_table(f, profile_keys_send, s);
    return true;
}

static bool open_hook(struct file *f, const char *word)
{
    static const char *const kinds[] = { "status", "inbound", "voice" };
    struct profile *p = f->r.p;
    if (p->hook_count == PROFILE_HOOKS_MAX)
        return profile_keys_fail(&f->r, "more than %d [hook] sections", PROFILE_HOOKS_MAX);
    for (unsigned i = 0; i < 3; i++) {
        size_t len = strlen(kinds[i]);
        if (!text_starts_with(word, kinds[i]) || (word[len] && word[len] != '.'))
            continue;
        struct profile_hook *h = &p->hooks[p->hook_count++];
        *h = (struct profile_hook){ .kind = kinds[i], .line = f->r.line, .method = PROFILE_POST, .verify = -1,
                                    .suffix = arena_dup(&p->arena, word[len] ? word + len + 1 : ""),
                                    .reply_status = 200 };
        open_table(f, profile_keys_hook, h);
        return true;
    }
    return profile_keys_fail(&f->r, "[hook.%.20s]: hooks are status, inbound, voice", word);
}

static bool open_voice(struct file *f)
{
    struct profile_voice *v = &f->r.p->voice;
    if (v->present)
        return profile_keys_fail(&f->r, "[voice] stands twice");
    *v = (struct profile_voice){ .present = true, .line = f->r.line, .audio_rate = 8000, .audio_max_bytes = 1000000 };
    open_table(f, profile_keys_voice, v);
    return true;
}

static bool open_section(struct file *f, const char *name)
{
    if (!f->r.p->name && !text_eq(name, "profile"))
        return profile_keys_fail(&f->r, "[profile] with a name comes first");
    if (text_eq(name, "profile"))
        f->section = SECTION_PROFILE;
    else if (text_eq(name, "options"))
        f->section = SECTION_OPTIONS;
    else if (text_eq(name, "secrets"))
        f->section = SECTION_SECRETS;
    else if (text_starts_with(name, "send."))
        return open_send(f, name + 5);
    else if (text_starts_with(name, "hook."))
        return open_hook(f, name + 5);
    else if (!text_eq(name, "voice"))
        return profile_keys_fail(&f->r, "unknown section [%.40s]", name);
    else
        return open_voice(f);
    return true;
}

/* -- keys of the small sections -- */

static bool set_kinds(struct file *f, char *value)
{
    for (char *w = value, *end; *w; w = end) {
        end = w + strcspn(w, " \t");
        while (*end == ' ' || *end == '\t')
            *end++ = 0;
        enum profile_kind k;
        if (!kind_of(w, &k))
            return profile_keys_fail(&f->r, "`%.40s` is none of: sms voice pager push wake webhook", w);
        f->r.p->kinds[k] = true;
    }
    return true;
}

static bool set_profile(struct file *f, const char *key, char *value)
{
    struct profile *p = f->r.p;
    if (text_eq(key, "name") && !p->name && *value)
        p->name = arena_dup(&p->arena, value);
    else if (text_eq(key, "title") && !p->title)
        p->title = arena_dup(&p->arena, value);
    else if (text_eq(key, "kinds"))
        return set_kinds(f, value);
    else if (text_eq(key, "format") && text_eq(value, "1"))
        f->format_seen = true;
    else if (text_eq(key, "format"))
        return profile_keys_fail(&f->r, "format `%.20s` is not known; this is format 1", value);
    else
        return profile_keys_fail(&f->r, "unknown key `%.60s`, or it stands twice", key);
    return true;
}

static bool declare(struct file *f, struct profile_name *names, unsigned *count, const char *key, const char *value)
{
    if (*count == PROFILE_NAMES_MAX)
        return profile_keys_fail(&f->r, "more than %d names", PROFILE_NAMES_MAX);
    for (unsigned i = 0; i < *count; i++)
        if (text_eq(names[i].name, key))
            return profile_keys_fail(&f->r, "`%.60s` stands twice", key);
    names[*count].name = arena_dup(&f->r.p->arena, key);
    names[(*count)++].value = arena_dup(&f->r.p->arena, value);
    return true;
}

static bool set_key(struct file *f, const char *key, char *value)
{
    struct profile *p = f->r.p;
    switch (f->section) {
    case SECTION_PROFILE:
        return set_profile(f, key, value);
    case SECTION_OPTIONS:
        return declare(f, p->options, &p->option_count, key, value);
    case SECTION_SECRETS:
        return declare(f, p->secrets, &p->secret_count, key, value);
    case SECTION_TABLE:
        return profile_keys_set(&f->r, key, value);
    case SECTION_NONE:
        break;
    }
    return profile_keys_fail(&f->r, "`%.60s` stands before any [section]", key);
}

/* -- lines -- */

static char *trim(char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    size_t len = strlen(text);
    while (len && (text[len - 1] == ' ' || text[len - 1] == '\t' || text[len - 1] == '\r'))
        text[--len] = 0;
    return text;
}

/* They would end up in requests and headers, and nobody sees them in a file. */
static bool has_controls(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if ((*c < 32 && *c != '\t') || *c == 127 || (*c == 0xc2 && c[1] < 0xa0))
            return true;
    return false;
}

static bool read_line(struct file *f, char *line)
{
    char *text = trim(line);
    if (has_controls(text))
        return profile_keys_fail(&f->r, "there are control characters in the line");
    if (!*text || *text == '#')
        return true;
    size_t len = strlen(text);
    if (*text == '[') {
        if (text[len - 1] != ']')
            return profile_keys_fail(&f->r, "a section's name ends with ]");
        text[len - 1] = 0;
        return open_section(f, text + 1);
    }
    char *eq = strstr(text, "=");
    if (!eq || eq == text)
        return profile_keys_fail(&f->r, "expected `key = value`, `[section]` or `# comment`");
    *eq = 0;
    return set_key(f, trim(text), trim(eq + 1));
}

/* -- what must hold of the whole -- */

/* What the author writes is not escaped, as values are. */
static bool is_address(const struct template *url)
{
    for (unsigned i = 0; i < url->count; i++)
        for (const char *c = url->parts[i].literal; c && *c; c++)
            if (*c <= ' ' || *c >= 127 || strchr("\"<>\\^`{|}", *c))
                return false;
    return true;
}

static bool check_send(struct file *f, const struct profile_send *s)
{
    f->r.line = s->line;
    if (!s->url.count)
        return profile_keys_fail(&f->r, "the section has no `url`");
    if (!is_address(&s->url))
        return profile_keys_fail(
            &f->r, "the `url` holds what an address must not (blanks, quotes, brackets, other than ASCII)");
    if (!s->ok.count)
        return profile_keys_fail(&f->r, "the section has no `ok`");
    if ((s->form.count && s->body != PROFILE_FORM) || (s->json.count && s->body != PROFILE_JSON) ||
        (s->text.count && s->body != PROFILE_TEXT) || (s->xml.count && s->body != PROFILE_XML))
        return profile_keys_fail(&f->r, "there are fields of another kind than `body` says");
    if (s->method == PROFILE_GET && s->body != PROFILE_QUERY)
        return profile_keys_fail(&f->r, "GET goes with `body = query`");
    bool jwt = s->auth == PROFILE_AUTH_JWT_RS256 || s->auth == PROFILE_AUTH_JWT_ES256;
    if (jwt ? !s->jwt_key.count || !s->jwt_ttl_s : s->jwt_key.count || s->jwt_claims.count)
        return profile_keys_fail(&f->r, jwt ? "a JWT wants `jwt.key` and a `jwt.ttl` above 0"
                                            : "jwt.* goes with a JWT as `auth`");
    if (s->sign_over.count && (!s->sign_key.count || s->sign_kind > PROFILE_HMAC_SHA512))
        return profile_keys_fail(&f->r, "`sign.over` wants `sign.key` and an hmac as `sign.kind`");
    return true;
}

static bool check_hook(struct file *f, const struct profile_hook *h)
{
    f->r.line = h->line;
    if (h->verify < 0)
        return profile_keys_fail(&f->r, "the section has no `verify.kind`");
    bool jwt = h->verify == PROFILE_JWT_HS256;
    if (h->verify <= PROFILE_ED25519 && (!h->verify_header || !h->verify_over.count || !h->verify_key.count))
        return profile_keys_fail(&f->r, "a signature wants verify.header, verify.over and verify.key");
    if (jwt && (!h->verify_header || !h->verify_key.count || h->verify_over.count))
        return profile_keys_fail(&f->r, "a JWT wants verify.header and verify.key, and no verify.over");
    if (h->claims.count && !jwt)
        return profile_keys_fail(&f->r, "verify.claim.NAME goes with a JWT");
    if (h->verify == PROFILE_BASIC && !h->verify_key.count)
        return profile_keys_fail(&f->r, "basic wants verify.key (user:password)");
    if (!jwt && (h->ts_header != NULL) != (h->ts_tolerance_s != 0))
        return profile_keys_fail(&f->r, "verify.ts.header and verify.ts.tolerance go together");
    if (h->each && h->body != PROFILE_JSON)
        return profile_keys_fail(&f->r, "`each` goes with `body = json`");
    return true;
}

static bool template_uses(const struct template *t, const char *name)
{
    for (unsigned i = 0; i < t->count; i++)
        if (t->parts[i].name && text_eq(t->parts[i].name, name))
            return true;
    return false;
}

/* Does the request hold the document of the call? */
static bool sends_document(const struct profile_send *s)
{
    const struct profile_fields *all[] = { &s->form, &s->query, &s->json, &s->headers };
    bool found = template_uses(&s->text, "voice.document") || template_uses(&s->xml, "voice.document");
    for (unsigned k = 0; k < sizeof all / sizeof *all; k++)
        for (unsigned i = 0; i < all[k]->count; i++)
            found = found || template_uses(&all[k]->v[i].value, "voice.document");
    return found;
}

static bool check_voice(struct file *f)
{
    const struct profile *p = f->r.p;
    const struct profile_voice *v = &p->voice;
    f->r.line = v->present ? v->line : p->send[PROFILE_VOICE].line;
    if (!v->present)
        return profile_keys_fail(&f->r, "[send.voice] wants a [voice]: what is said in the call");
    if (!v->ask.count || !v->end.count)
        return profile_keys_fail(&f->r, "[voice] wants `ask` and `end`");
    if (v->audio_rate != 8000 || !profile_word_in(&v->audio_types, "audio/wav"))
        return profile_keys_fail(&f->r,
                                 "the gateway speaks audio/wav (audio.types) at 8000 samples a second (audio.rate)");
    if (sends_document(&p->send[PROFILE_VOICE]) != (v->answer == PROFILE_VOICE_INLINE))
        return profile_keys_fail(&f->r, "`answer = inline` and ${voice.document} in [send.voice] go together");
    for (unsigned i = 0; i < p->hook_count; i++)
        if (text_eq(p->hooks[i].kind, "voice"))
            return true;
    return profile_keys_fail(&f->r, "[voice] wants a [hook.voice]: where the document is fetched and keys arrive");
}

static bool check_whole(struct file *f)
{
    struct profile *p = f->r.p;
    if (!p->name)
        return profile_keys_fail(&f->r, "no [profile] with a name");
    if (!f->format_seen)
        return profile_keys_fail(&f->r, "no `format = 1` in [profile]");
    bool any = false;
    for (unsigned i = 0; i < PROFILE_KINDS; i++) {
        any = any || p->send[i].present;
        if (p->send[i].present && !check_send(f, &p->send[i]))
            return false;
        if (i != PROFILE_VOICE && sends_document(&p->send[i]))
            return profile_keys_fail(&f->r, "${voice.document} is there in [send.voice] alone");
    }
    if (!any)
        return profile_keys_fail(&f->r, "no [send.KIND]");
    for (unsigned i = 0; i < PROFILE_KINDS; i++)
        if (p->kinds[i] && !profile_send_of(p, (enum profile_kind)i))
            return profile_keys_fail(&f->r, "`kinds` lists %s, but there is no [send.%s]", kind_names[i],
                                     kind_names[i]);
    for (unsigned i = 0; i < p->hook_count; i++)
        if (!check_hook(f, &p->hooks[i]))
            return false;
    return !p->send[PROFILE_VOICE].present || check_voice(f);
}

struct profile *profile_parse(const char *name, const char *text, size_t len, struct error *e)
{
    struct profile *p = mem_new(struct profile);
    arena_init(&p->arena);
    struct file f = { .r = { .p = p, .file = name, .line = 1, .e = e } };
    bool ok = len <= PROFILE_FILE_MAX || profile_keys_fail(&f.r, "more than %d bytes", PROFILE_FILE_MAX);
    ok = ok && ((utf8_valid(text, len) && !memchr(text, 0, len)) || profile_keys_fail(&f.r, "not UTF-8 text"));
    f.r.line = 0;
    for (size_t at = 0; ok && at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line_len = end ? (size_t)(end - text) - at : len - at;
        char *line = mem_dup_n(text + at, line_len);
        f.r.line++;
        ok = read_line(&f, line);
        mem_free(line);
        at += line_len + 1;
    }
    if (ok && check_whole(&f))
        return p;
    profile_destroy(&p);
    return NULL;
}

struct profile *profile_load(const char *path, struct error *e)
{
    FILE *in = fopen(path, "re");
    if (!in) {
        error_set(e, ERROR_NOT_FOUND, "%s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = mem_alloc(PROFILE_FILE_MAX + 2);
    size_t len = fread(text, 1, PROFILE_FILE_MAX + 1, in);
    struct profile *p = NULL;
    if (ferror(in))
        error_set(e, ERROR_IO, "%s: %s", path, strerror(errno));
    else
        p = profile_parse(path, text, len, e);
    fclose(in);
    mem_free(text);
    return p;
}

void profile_destroy(struct profile **pp)
{
    struct profile *p = *pp;
    if (!p)
        return;
    while (p->regexes) {
        struct profile_regex *x = p->regexes;
        p->regexes = x->next;
        regfree(&x->re);
        mem_free(x);
    }
    arena_fini(&p->arena);
    mem_free(p);
    *pp = NULL;
}
