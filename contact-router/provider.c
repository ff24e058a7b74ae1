/* SPDX-License-Identifier: MIT */
/* Options and secrets meet the profile that declares them. */
#include "contact-router/provider.h"

#include <string.h>

#include "contact-router/signature.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

static int index_of(const struct profile_name *names, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (text_eq(names[i].name, name))
            return (int)i;
    return -1;
}

static bool fill(struct provider *p, const struct contact_router_pair *pairs, const struct profile_name *names,
                 unsigned count, const char **values, const char *what, struct error *e)
{
    for (; pairs && pairs->name; pairs++) {
        int i = index_of(names, count, pairs->name);
        if (i < 0)
            return error_set(e, ERROR_INVALID, "provider %s: the profile has no %s `%.60s`", p->name, what,
                             pairs->name);
        values[i] = arena_dup(&p->arena, pairs->value ? pairs->value : "");
    }
    return true;
}

static bool check_secrets(const struct provider *p, struct error *e)
{
    for (unsigned i = 0; i < p->profile->secret_count; i++)
        if (!p->secret_values[i] || !*p->secret_values[i])
            return error_set(e, ERROR_INVALID, "provider %s: the secret `%s` is missing (%.120s)", p->name,
                             p->profile->secrets[i].name, p->profile->secrets[i].value);
    return true;
}

struct key_names { struct template_names base; const struct provider *p; };

static bool key_value(const struct template_names *n, const char *name, struct bytes *out)
{
    return provider_value(container_of(n, struct key_names, base)->p, name, out);
}

/* A key that cannot sign is found now, not when somebody is to be reached. */
static bool check_keys(const struct provider *p, struct error *e)
{
    for (unsigned i = 0; i < PROFILE_KINDS; i++) {
        const struct profile_send *s = &p->profile->send[i];
        if (!s->present || !s->jwt_key.count)
            continue;
        struct key_names names = { { key_value }, p };
        struct bytes pem = BYTES_EMPTY;
        bool ok = template_render(&s->jwt_key, TEMPLATE_PLAIN, &names.base, &pem, e) &&
                  signature_key_check(bytes_span(&pem), s->auth == PROFILE_AUTH_JWT_ES256, e);
        if (pem.data)
            mem_wipe(pem.data, pem.len);
        bytes_fini(&pem);
        if (!ok) {
            error_wrap(e, "provider %s: [send.%s] jwt.key", p->name, profile_kind_name((enum profile_kind)i));
            return false;
        }
    }
    return true;
}

static bool name_is_clean(const char *name)
{
    return name && *name && strlen(name) <= 40 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

const char *provider_profile_path(const struct contact_router_provider *o, const char *profile_dir, struct arena *a)
{
    bool is_path = strchr(o->profile, '/') || strchr(o->profile, '.');
    return is_path ? o->profile : arena_printf(a, "%s/%s.conf", profile_dir, o->profile);
}

static struct profile *find_profile(struct provider *p, const struct contact_router_provider *o, const char *dir,
                                    struct error *e)
{
    if (o->profile && *o->profile)
        return profile_load(provider_profile_path(o, dir, &p->arena), e);
    error_set(e, ERROR_INVALID, "provider %s: no profile", p->name);
    return NULL;
}

struct provider *provider_create(const struct contact_router_provider *o, const char *profile_dir, struct error *e)
{
    struct provider *p = mem_new(struct provider);
    arena_init(&p->arena);
    p->name = arena_dup(&p->arena, o->name ? o->name : "");
    p->from = arena_dup(&p->arena, o->from ? o->from : "");
    p->allow_http = o->allow_http;
    p->communities = arena_dup_texts(&p->arena, o->communities);
    bool ok = name_is_clean(o->name) ||
              error_set(e, ERROR_INVALID, "provider `%.40s`: a name is made of a-z, 0-9 and -", p->name);
    ok = ok && (p->profile = find_profile(p, o, profile_dir, e)) != NULL;
    for (unsigned i = 0; ok && i < p->profile->option_count; i++)
        p->option_values[i] = p->profile->options[i].value;
    ok = ok && fill(p, o->options, p->profile->options, p->profile->option_count, p->option_values, "option", e) &&
         fill(p, o->secrets, p->profile->secrets, p->profile->secret_count, p->secret_values, "secret", e) &&
         check_secrets(p, e) && check_keys(p, e);
    if (!ok)
        provider_destroy(&p);
    return p;
}

void provider_destroy(struct provider **pp)
{
    struct provider *p = *pp;
    if (!p)
        return;
    profile_destroy(&p->profile);
    for (unsigned i = 0; i < PROFILE_NAMES_MAX; i++)
        if (p->secret_values[i])
            mem_wipe((char *)p->secret_values[i], strlen(p->secret_values[i]));
    arena_fini(&p->arena);
    mem_free(p);
    *pp = NULL;
}

bool provider_serves(const struct provider *p, const char *domain)
{
    if (!p->communities)
        return true;
    for (const char *const *c = p->communities; *c; c++)
        if (text_eq(*c, domain))
            return true;
    return false;
}

bool provider_value(const struct provider *p, const char *name, struct bytes *out)
{
    bool option = text_starts_with(name, "opt.");
    if (!option && !text_starts_with(name, "secret."))
        return false;
    const struct profile *f = p->profile;
    int i = option ? index_of(f->options, f->option_count, name + 4) : index_of(f->secrets, f->secret_count, name + 7);
    if (i < 0)
        return false;
    bytes_append_text(out, option ? p->option_values[i] : p->secret_values[i]);
    return true;
}
