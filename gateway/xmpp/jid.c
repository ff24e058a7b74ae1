/* SPDX-License-Identifier: MIT */
/* One block holds a jid: the struct, then "full\0", "bare\0" (when they differ), "local\0". The
 * domain is the tail of bare, the resource the tail of full (RFC 7622 3.1). */
#include "gateway/xmpp/jid.h"

#include <string.h>

#include "gateway/base/bytes.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/prep.h"

struct parts {
    struct span local, domain, resource; /* prepared; empty: absent */
};

static size_t block_size(const struct parts *p)
{
    size_t bare = p->domain.len + (p->local.len ? p->local.len + 1 : 0);
    size_t full = p->resource.len ? bare + 1 + p->resource.len : 0;
    return sizeof(struct jid) + (full ? full + 1 : 0) + bare + 1 +
           (p->local.len ? p->local.len + 1 : 0);
}

static char *put(char *at, struct span s)
{
    memcpy(at, s.data, s.len);
    return at + s.len;
}

static char *put_bare(char *at, const struct parts *p, const char **domain)
{
    if (p->local.len) {
        at = put(at, p->local);
        *at++ = '@';
    }
    *domain = at;
    return put(at, p->domain);
}

static struct jid *fill(void *block, const struct parts *p)
{
    struct jid *j = block;
    char *at = (char *)(j + 1);
    const char *unused;
    *j = (struct jid){.bare = at, .block_bytes = block_size(p)};
    at = put_bare(at, p, &j->domain);
    *at++ = '\0';
    j->full = j->bare;
    if (p->resource.len) {
        j->full = at;
        at = put_bare(at, p, &unused);
        *at++ = '/';
        j->resource = at;
        at = put(at, p->resource);
        *at++ = '\0';
    }
    if (p->local.len) {
        j->local = at;
        at = put(at, p->local);
        *at = '\0';
    }
    return j;
}

/* `text` of `j`, where it lies in the copy. */
static const char *moved(const struct jid *copy, const struct jid *j, const char *text)
{
    return text ? (const char *)copy + (text - (const char *)j) : NULL;
}

/* A whole block needs no second look at its parts. */
static struct jid *relocate(void *block, const struct jid *j)
{
    struct jid *copy = memcpy(block, j, j->block_bytes);
    copy->full = moved(copy, j, j->full);
    copy->bare = moved(copy, j, j->bare);
    copy->local = moved(copy, j, j->local);
    copy->domain = moved(copy, j, j->domain);
    copy->resource = moved(copy, j, j->resource);
    return copy;
}

static struct parts parts_of(const struct jid *j)
{
    return (struct parts){span_of(j->local), span_of(j->domain), span_of(j->resource)};
}

static const struct jid *in_arena(struct arena *a, const struct parts *p)
{
    return fill(arena_alloc(a, block_size(p)), p);
}

/* A part whose data is NULL is absent; one that is there must not be empty. */
static const struct jid *prepare(struct arena *a, const struct parts *raw)
{
    char local[PREP_MAX + 1], domain[PREP_MAX + 1], resource[PREP_MAX + 1];
    struct parts p = {{local, 0}, {domain, 0}, {resource, 0}};
    if (raw->local.data && !(p.local.len = prep_node(local, raw->local.data, raw->local.len)))
        return NULL;
    if (!(p.domain.len = prep_domain(domain, raw->domain.data, raw->domain.len)))
        return NULL;
    if (raw->resource.data &&
        !(p.resource.len = prep_resource(resource, raw->resource.data, raw->resource.len)))
        return NULL;
    return in_arena(a, &p);
}

const struct jid *jid_parse(struct arena *a, const char *text, size_t len)
{
    struct parts raw = {.domain = {text, len}};
    if (len == 0)
        return NULL;
    const char *slash = memchr(text, '/', len);
    if (slash) {
        raw.resource = (struct span){slash + 1, (size_t)(text + len - slash - 1)};
        raw.domain.len = (size_t)(slash - text);
    }
    const char *at = memchr(text, '@', raw.domain.len);
    if (at) {
        raw.local = (struct span){text, (size_t)(at - text)};
        raw.domain = (struct span){at + 1, raw.domain.len - raw.local.len - 1};
    }
    return prepare(a, &raw);
}

const struct jid *jid_parse_text(struct arena *a, const char *text)
{
    return jid_parse(a, text, strlen(text));
}

const struct jid *jid_make(struct arena *a, const char *local, const char *domain,
                           const char *resource)
{
    struct parts raw = {span_of(local), span_of(domain), span_of(resource)};
    return domain ? prepare(a, &raw) : NULL;
}

const char *jid_parse_domain(struct arena *a, const char *text)
{
    const struct jid *j = text ? jid_parse_text(a, text) : NULL;
    return jid_is_domain(j) ? j->domain : NULL;
}

bool jid_is_domain(const struct jid *j)
{
    return j && !j->local && !j->resource;
}

bool jid_is_account(const struct jid *j)
{
    return j && j->local && !j->resource;
}

const struct jid *jid_copy(struct arena *a, const struct jid *j)
{
    return j ? relocate(arena_alloc(a, j->block_bytes), j) : NULL;
}

const struct jid *jid_to_bare(struct arena *a, const struct jid *j)
{
    struct parts p = parts_of(j);
    p.resource = (struct span){0};
    return in_arena(a, &p);
}

const struct jid *jid_to_domain(struct arena *a, const struct jid *j)
{
    struct parts p = {.domain = span_of(j->domain)};
    return in_arena(a, &p);
}

struct jid *jid_dup(const struct jid *j)
{
    return j ? relocate(mem_alloc(j->block_bytes), j) : NULL;
}

void jid_destroy(struct jid **j)
{
    mem_free(*j);
    *j = NULL;
}

bool jid_eq(const struct jid *a, const struct jid *b)
{
    return a == b || (a && b && text_eq(a->full, b->full));
}

bool jid_eq_bare(const struct jid *a, const struct jid *b)
{
    return a == b || (a && b && text_eq(a->bare, b->bare));
}
