/* SPDX-License-Identifier: MIT */
/* The canonical strings that providers sign, made from the request as it came and from the address
 * that we gave out (never from Host or X-Forwarded-*), then fields by the profile's map. */
#include "contact-router/hook.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "contact-router/jwt.h"
#include "contact-router/pick.h"
#include "contact-router/signature.h"
#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

struct reading {
    struct template_names base;
    const struct provider *p;
    const struct profile_hook *hook;
    const struct hook_request *r;
    struct arena *a;
    struct pick_source src;
    struct urlencoded form, query; /* sorted copies of src's */
    const char *url;               /* the variant that is being tried */
};

/* -- canonical strings -- */

static void append_pairs(struct bytes *out, const struct urlencoded *u, bool uniq, const char *eq, const char *join)
{
    for (unsigned i = 0; i < u->count; i++) {
        if (uniq && i && text_eq(u->v[i].name, u->v[i - 1].name) && text_eq(u->v[i].value, u->v[i - 1].value))
            continue;
        if (i)
            bytes_append_text(out, join);
        bytes_append_text(out, u->v[i].name);
        bytes_append_text(out, eq);
        bytes_append_text(out, u->v[i].value);
    }
}

/* "&name=value" of each but the signature; & and = inside a value become _. */
static void append_amp(struct bytes *out, const struct reading *g)
{
    const char *sig = g->hook->verify_header;
    sig = sig && text_starts_with(sig, "form:") ? sig + 5 : NULL;
    for (unsigned i = 0; i < g->form.count; i++) {
        if (text_eq(g->form.v[i].name, sig))
            continue;
        bytes_append_char(out, '&');
        bytes_append_text(out, g->form.v[i].name);
        bytes_append_char(out, '=');
        for (const char *c = g->form.v[i].value; *c; c++)
            bytes_append_char(out, *c == '&' || *c == '=' ? '_' : *c);
    }
}

static void append_base(struct bytes *out, const char *url)
{
    bytes_append(out, url, strcspn(url, "?"));
}

/* Address, '?' and the query in order, '.', the form in order. */
static void append_dotted(struct bytes *out, const struct reading *g)
{
    append_base(out, g->url);
    if (g->query.count || g->form.count)
        bytes_append_char(out, '?');
    append_pairs(out, &g->query, false, "=", "&");
    if (g->query.count && g->form.count)
        bytes_append_char(out, '.');
    append_pairs(out, &g->form, false, "", "");
}

static void append_sha256(struct bytes *out, struct span data)
{
    struct bytes raw = BYTES_EMPTY;
    signature_sha256(data, &raw);
    base64_hex(out, raw.data, raw.len);
    bytes_fini(&raw);
}

static const char *field(const struct reading *g, const char *name)
{
    if (text_starts_with(name, "form:"))
        return urlencoded_get(&g->form, name + 5);
    return g->r->header(g->r->user, name);
}

static bool reading_value(const struct template_names *base, const char *name, struct bytes *out)
{
    const struct reading *g = container_of(base, struct reading, base);
    if (provider_value(g->p, name, out))
        return true;
    if (text_eq(name, "url"))
        bytes_append_text(out, g->url);
    else if (text_eq(name, "url.base"))
        append_base(out, g->url);
    else if (text_eq(name, "url.form.dotted"))
        append_dotted(out, g);
    else if (text_eq(name, "query.sorted"))
        append_pairs(out, &g->query, false, "=", "&");
    else if (text_eq(name, "form.sorted.kv"))
        append_pairs(out, &g->form, false, "", "");
    else if (text_eq(name, "form.sorted.kv.uniq"))
        append_pairs(out, &g->form, true, "", "");
    else if (text_eq(name, "form.sorted.amp"))
        append_amp(out, g);
    else if (text_eq(name, "body"))
        bytes_append(out, g->r->body.data, g->r->body.len);
    else if (text_eq(name, "body.sha256"))
        append_sha256(out, g->r->body);
    else if (text_eq(name, "url.sha256"))
        append_sha256(out, span_of(g->url));
    else {
        const char *header = text_eq(name, "ts")            ? g->hook->ts_header
                             : text_starts_with(name, "hdr.") ? name + 4
                                                              : NULL;
        const char *value = header ? field(g, header) : NULL;
        if (!header && !text_eq(name, "ts"))
            return false;
        bytes_append_text(out, value ? value : "");
    }
    return true;
}

/* -- verification -- */

static bool check_time(const struct reading *g, struct error *e)
{
    if (!g->hook->ts_header || g->hook->verify == PROFILE_JWT_HS256) /* a token says its time itself */
        return true;
    const char *value = field(g, g->hook->ts_header);
    uint64_t ts;
    if (!value || !text_to_u64(value, &ts) || ts > INT64_MAX / 2000000)
        return error_set(e, ERROR_DENIED, "no time stamp (%s)", g->hook->ts_header);
    int64_t off = g->r->now_us / 1000000 - (int64_t)ts;
    if (off > (int64_t)g->hook->ts_tolerance_s || -off > (int64_t)g->hook->ts_tolerance_s)
        return error_set(e, ERROR_DENIED, "the time stamp is %lld s off", (long long)off);
    return true;
}

static bool signature_fits(const struct reading *g, struct span key, struct span over, struct span sig)
{
    struct bytes mac = BYTES_EMPTY, raw_key = BYTES_EMPTY;
    bool ok;
    if (g->hook->verify == PROFILE_ED25519) {
        ok = base64_decode(&raw_key, key.data ? key.data : "", key.len) &&
             signature_ed25519(bytes_span(&raw_key), over, sig);
    } else {
        signature_hmac((enum profile_verify)g->hook->verify, key, over, &mac);
        ok = text_eq_secret(mac.data, mac.len, sig.data ? sig.data : "", sig.len);
    }
    bytes_fini(&mac);
    bytes_fini(&raw_key);
    return ok;
}

/* One candidate of the header: without its prefix, decoded, compared. */
static bool candidate_fits(const struct reading *g, struct span key, struct span over, const char *text, size_t len)
{
    const char *prefix = g->hook->verify_prefix;
    while (len && *text == ' ')
        text++, len--;
    if (prefix) {
        size_t n = strlen(prefix);
        if (len < n || memcmp(text, prefix, n) != 0)
            return false;
        text += n;
        len -= n;
    }
    struct bytes sig = BYTES_EMPTY;
    bool ok = signature_decode((enum profile_encoding)g->hook->verify_enc, (struct span){ text, len }, &sig) &&
              sig.len && signature_fits(g, key, over, bytes_span(&sig));
    bytes_fini(&sig);
    return ok;
}

static bool any_candidate_fits(const struct reading *g, struct span key, struct span over, const char *value)
{
    const char *join = g->hook->verify_multi;
    while (true) {
        size_t len = join ? strcspn(value, join) : strlen(value);
        if (candidate_fits(g, key, over, value, len))
            return true;
        if (!value[len])
            return false;
        value += len + 1;
    }
}

/* The address with its port said or not said: some providers sign the one, some the other. */
static const char *other_port(struct arena *a, const char *url)
{
    const char *host = strstr(url, "://");
    if (!host)
        return NULL;
    host += 3;
    size_t authority = strcspn(host, "/?");
    const char *after = host + authority, *colon = NULL;
    for (const char *c = host; c < after; c++)
        colon = *c == ':' ? c : *c == ']' ? NULL : colon;
    if (colon)
        return arena_printf(a, "%.*s%s", (int)(colon - url), url, after);
    return arena_printf(a, "%.*s:%s%s", (int)(after - url), url, text_starts_with(url, "https:") ? "443" : "80", after);
}

static bool check_signature(struct reading *g, struct error *e)
{
    const char *value = field(g, g->hook->verify_header);
    if (!value)
        return error_set(e, ERROR_DENIED, "no signature (%s)", g->hook->verify_header);
    struct bytes key = BYTES_EMPTY;
    bool ok = template_render(&g->hook->verify_key, TEMPLATE_PLAIN, &g->base, &key, e), fits = false;
    const char *urls[2] = { g->url, other_port(g->a, g->url) };
    for (int i = 0; ok && !fits && i < 2 && urls[i]; i++) {
        struct bytes over = BYTES_EMPTY;
        g->url = urls[i];
        ok = template_render(&g->hook->verify_over, TEMPLATE_PLAIN, &g->base, &over, e);
        fits = ok && any_candidate_fits(g, bytes_span(&key), bytes_span(&over), value);
        bytes_fini(&over);
    }
    if (key.data)
        mem_wipe(key.data, key.len);
    bytes_fini(&key);
    return ok && (fits || error_set(e, ERROR_DENIED, "the signature (%s) does not fit", g->hook->verify_header));
}

/* Each verify.claim.NAME, with the address's port said or not said. */
static bool claims_fit(struct reading *g, const json_t *claims, struct error *e)
{
    for (unsigned i = 0; i < g->hook->claims.count; i++) {
        const struct profile_field *f = &g->hook->claims.v[i];
        struct pick_source src = { .arena = g->a };
        const char *urls[2] = { g->url, other_port(g->a, g->url) };
        json_t *given = json_object_get(claims, f->key);
        src.json = given;
        const char *text = given ? pick_value(&(struct profile_pick){ .kind = PICK_JSON, .arg = "" }, &src) : NULL;
        bool fits = false;
        for (int u = 0; text && !fits && u < 2 && urls[u]; u++) {
            struct bytes want = BYTES_EMPTY;
            g->url = urls[u];
            fits = template_render(&f->value, TEMPLATE_PLAIN, &g->base, &want, e) &&
                   text_eq_secret(bytes_text(&want), want.len, text, strlen(text));
            bytes_fini(&want);
        }
        g->url = urls[0];
        if (!fits)
            return error_set(e, ERROR_DENIED, "the token's %s does not fit", f->key);
    }
    return true;
}

static bool check_jwt(struct reading *g, struct error *e)
{
    const char *value = field(g, g->hook->verify_header), *prefix = g->hook->verify_prefix;
    if (!value || (prefix && !text_starts_with(value, prefix)))
        return error_set(e, ERROR_DENIED, "no token (%s)", g->hook->verify_header);
    value = text_skip_blank(value + (prefix ? strlen(prefix) : 0));
    struct bytes key = BYTES_EMPTY;
    json_t *claims = NULL;
    if (template_render(&g->hook->verify_key, TEMPLATE_PLAIN, &g->base, &key, e))
        claims = jwt_open_hs256(value, bytes_span(&key), g->r->now_us / 1000000, g->hook->ts_tolerance_s, e);
    if (key.data)
        mem_wipe(key.data, key.len);
    bytes_fini(&key);
    bool ok = claims && claims_fit(g, claims, e);
    json_decref(claims);
    return ok;
}

static bool check_basic(struct reading *g, struct error *e)
{
    const char *value = g->r->header(g->r->user, "Authorization");
    if (!value || !text_starts_with(value, "Basic "))
        return error_set(e, ERROR_DENIED, "no Basic authorization");
    struct bytes key = BYTES_EMPTY, given = BYTES_EMPTY;
    bool ok = template_render(&g->hook->verify_key, TEMPLATE_PLAIN, &g->base, &key, e);
    bool fits = ok && base64_decode(&given, value + 6, strlen(value + 6)) &&
                text_eq_secret(bytes_text(&given), given.len, bytes_text(&key), key.len);
    bytes_fini(&key);
    bytes_fini(&given);
    return ok && (fits || error_set(e, ERROR_DENIED, "the Basic authorization does not fit"));
}

static bool check_proof(struct reading *g, struct error *e)
{
    const char *where = g->hook->verify == PROFILE_BASIC ? "Authorization" : g->hook->verify_header;
    if (g->hook->verify_optional && where && !field(g, where))
        return true; /* the address proved it (hook_needs_token) */
    if (!check_time(g, e))
        return false;
    switch ((enum profile_verify)g->hook->verify) {
    case PROFILE_HMAC_SHA1:
    case PROFILE_HMAC_SHA256:
    case PROFILE_HMAC_SHA512:
    case PROFILE_ED25519:
        return check_signature(g, e);
    case PROFILE_JWT_HS256:
        return check_jwt(g, e);
    case PROFILE_BASIC:
        return check_basic(g, e);
    case PROFILE_TOKEN: /* the address proved it (returns_http.c) */
        return true;
    }
    return false;
}

/* -- reading -- */

static bool parse_body(struct reading *g, struct error *e)
{
    const char *q = strchr(g->r->target, '?');
    if (!urlencoded_parse(g->a, span_of(q ? q + 1 : ""), &g->src.query))
        return error_set(e, ERROR_INVALID, "the query is not URL-encoded UTF-8");
    bool form = g->hook->body == PROFILE_FORM;
    struct span body = g->r->body;
    if (form && g->hook->method == PROFILE_ANY && text_eq(g->r->method, "GET"))
        body = span_of(q ? q + 1 : "");
    if (form && !urlencoded_parse(g->a, body, &g->src.form))
        return error_set(e, ERROR_INVALID, "the body is not a URL-encoded UTF-8 form");
    if (!utf8_valid(g->r->body.data ? g->r->body.data : "", g->r->body.len) ||
        (g->r->body.len && memchr(g->r->body.data, 0, g->r->body.len)))
        return error_set(e, ERROR_INVALID, "the body is not UTF-8 text");
    g->src.text = g->r->body;
    return true;
}

static struct urlencoded sorted(struct arena *a, const struct urlencoded *u)
{
    struct urlencoded copy = { arena_alloc(a, (u->count ? u->count : 1) * sizeof *u->v), u->count };
    for (unsigned i = 0; i < u->count; i++)
        copy.v[i] = u->v[i];
    urlencoded_sort(&copy);
    return copy;
}

static enum profile_state state_of(const struct profile_hook *h, const char *status)
{
    for (unsigned s = 0; status && s < PROFILE_STATE_COUNT; s++)
        if (profile_word_in(&h->map[s], status))
            return (enum profile_state)s;
    return PROFILE_STATE_UNKNOWN;
}

static void take(struct reading *g, struct hook_event *out)
{
    const struct profile_hook *h = g->hook;
    *out = (struct hook_event){
        .hook = h,
        .proof = h,
        .id = pick_value(&h->id, &g->src),
        .ref = pick_value(&h->ref, &g->src),
        .from = pick_value(&h->from, &g->src),
        .to = pick_value(&h->to, &g->src),
        .text = pick_value(&h->text, &g->src),
        .status = pick_value(&h->status, &g->src),
        .error_code = pick_value(&h->error_code, &g->src),
        .error_text = pick_value(&h->error_text, &g->src),
        .digits = pick_value(&h->digits, &g->src),
        .answered_by = pick_value(&h->answered_by, &g->src),
        .media = pick_value(&h->media, &g->src),
        .optout = pick_value(&h->optout, &g->src),
        .dedup = pick_value(&h->dedup, &g->src),
    };
    out->machine = out->answered_by && profile_word_in(&h->map[PROFILE_STATE_MACHINE], out->answered_by);
    out->state = state_of(h, out->status);
}

static bool method_fits(const struct profile_hook *h, const char *method)
{
    static const char *const names[] = { "GET", "POST", "PUT" };
    return h->method == PROFILE_ANY || text_eq(names[h->method], method);
}

/* A section for another kind of event finds neither id nor status in this one. */
static bool fields_are_there(const struct hook_event *ev)
{
    const struct profile_hook *h = ev->hook;
    return (h->id.kind == PICK_NONE || ev->id) && (h->status.kind == PICK_NONE || ev->status) &&
           (ev->id || ev->status || ev->text || ev->ref);
}

/* The event that g->src holds, behind *end. */
static struct hook_event **take_wanted(struct reading *g, struct hook_event **end)
{
    struct hook_event ev;
    if (!pick_hold_all(&g->hook->when, &g->src))
        return end;
    take(g, &ev);
    if (!fields_are_there(&ev))
        return end;
    *end = arena_new(g->a, struct hook_event);
    **end = ev;
    return &(*end)->next;
}

static bool read_json(struct reading *g, struct hook_event **events, struct error *e)
{
    json_t *whole = json_loadb(g->r->body.data ? g->r->body.data : "", g->r->body.len, JSON_REJECT_DUPLICATES, NULL);
    bool ok = whole || error_set(e, ERROR_INVALID, "the body is not JSON");
    if (ok && !g->hook->each) {
        g->src.json = whole;
        take_wanted(g, events);
    } else if (ok) {
        json_t *list = pick_json(whole, g->hook->each);
        ok =
            (json_is_array(list) || error_set(e, ERROR_INVALID, "there is no list of events at `%s`", g->hook->each)) &&
            (json_array_size(list) <= HOOK_EVENTS_MAX ||
             error_set(e, ERROR_INVALID, "more than %d events", HOOK_EVENTS_MAX));
        for (size_t i = 0; ok && i < json_array_size(list); i++) {
            g->src.json = json_array_get(list, i);
            events = take_wanted(g, events);
        }
    }
    json_decref(whole);
    return ok;
}

/* One section. *proved: its signature held. *events NULL: it asks for none of what is there. */
static bool read_section(struct reading *g, struct hook_event **events, bool *proved, struct error *e)
{
    if (!method_fits(g->hook, g->r->method))
        return error_set(e, ERROR_DENIED, "the method is %s", g->r->method);
    struct error parse = ERROR_INIT;
    bool parsed = parse_body(g, &parse);
    if (parsed) {
        g->form = sorted(g->a, &g->src.form);
        g->query = sorted(g->a, &g->src.query);
    } else {
        g->form = g->query = g->src.form = g->src.query = (struct urlencoded){ 0 };
    }
    g->url = arena_printf(g->a, "%s%s", g->r->public_url, g->r->target);
    if (!check_proof(g, e))
        return false;
    *proved = true;
    if (!parsed)
        return error_set(e, parse.code, "%s", parse.text);
    if (g->hook->body == PROFILE_JSON)
        return read_json(g, events, e);
    if (g->hook->body == PROFILE_XML && !pick_xml_well_formed(g->r->body))
        return error_set(e, ERROR_INVALID, "the body is not XML");
    take_wanted(g, events);
    return true;
}

static bool comes_to(const struct profile_hook *h, const char *kind)
{
    return text_eq(h->kind, kind) || (h->address && text_eq(kind, "inbound"));
}

bool hook_read(const struct provider *p, const char *kind, const struct hook_request *r, struct arena *a,
               struct hook_event *out, struct error *e)
{
    bool found = false;
    struct error unreadable = ERROR_INIT;
    *out = (struct hook_event){ .state = PROFILE_STATE_UNKNOWN };
    for (unsigned i = 0; i < p->profile->hook_count && !out->hook; i++) {
        const struct profile_hook *h = &p->profile->hooks[i];
        if (!comes_to(h, kind))
            continue;
        found = true;
        struct reading g = { .base = { reading_value }, .p = p, .hook = h, .r = r, .a = a };
        g.src = (struct pick_source){ .arena = a, .header = r->header, .user = r->user };
        struct hook_event *events = NULL;
        bool proved = false, readable = read_section(&g, &events, &proved, e);
        if (readable && events)
            *out = *events;
        else if (readable && !out->proof)
            out->proof = h;
        else if (!readable && proved)
            unreadable = *e; /* perhaps another section's kind of body */
    }
    if (!found)
        return error_set(e, ERROR_NOT_FOUND, "the profile has no [hook.%s]", kind);
    if (!out->proof && unreadable.code != ERROR_NONE)
        *e = unreadable;
    return out->proof != NULL;
}

bool hook_exists(const struct provider *p, const char *kind)
{
    for (unsigned i = 0; i < p->profile->hook_count; i++)
        if (text_eq(p->profile->hooks[i].kind, kind))
            return true;
    return false;
}

bool hook_needs_token(const struct provider *p, const char *kind)
{
    for (unsigned i = 0; i < p->profile->hook_count; i++) {
        const struct profile_hook *h = &p->profile->hooks[i];
        if (comes_to(h, kind) && (h->verify == PROFILE_TOKEN || h->verify_optional))
            return true;
    }
    return false;
}
