/* SPDX-License-Identifier: MIT */
/* Decided here: what a line means. */
#include "s2s/s2s_deny_list.h"

#include <ctype.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/arena.h"
#include "gateway/base/base64.h"
#include "gateway/base/map.h"
#include "gateway/base/mem.h"
#include "gateway/base/ref.h"
#include "gateway/base/text.h"

enum { LINE_MAX_BYTES = 2100 };

struct s2s_deny_list {
    struct ref ref;
    struct arena arena;
    const char *name;
    struct map entries; /* prepared domain, "*.domain", bare JID, or hash in small digits -> itself */
    bool has_hashes;
};

/* ---- reading ---- */

bool s2s_deny_list_read_hash(char out[S2S_HASH_TEXT + 1], const char *text)
{
    if (strlen(text) != S2S_HASH_TEXT || text[strspn(text, "0123456789abcdefABCDEF")])
        return false;
    for (size_t i = 0; i <= S2S_HASH_TEXT; i++)
        out[i] = (char)tolower((unsigned char)text[i]);
    return true;
}

/* As it stands in the map; NULL: it is no entry. */
static char *prepare(struct s2s_deny_list *l, const char *text)
{
    char hash[S2S_HASH_TEXT + 1];
    bool below = text_starts_with(text, "*.");
    if (s2s_deny_list_read_hash(hash, text)) {
        l->has_hashes = true;
        return arena_dup(&l->arena, hash);
    }
    const struct jid *j = jid_parse_text(&l->arena, below ? text + 2 : text);
    if (!j || j->resource || (below && j->local))
        return NULL;
    return below ? arena_printf(&l->arena, "*.%s", j->domain) : arena_dup(&l->arena, j->bare);
}

/* false: it is wrong. */
static bool take_line(struct s2s_deny_list *l, const char *line, size_t len)
{
    char text[LINE_MAX_BYTES];
    const char *comment = memchr(line, '#', len);
    if (comment)
        len = (size_t)(comment - line);
    while (len && isspace((unsigned char)line[len - 1]))
        len--;
    while (len && isspace((unsigned char)*line)) {
        line++;
        len--;
    }
    if (!len)
        return true;
    if (len >= sizeof text || memchr(line, '\0', len))
        return false;
    memcpy(text, line, len);
    text[len] = '\0';
    char *entry = prepare(l, text);
    if (entry && !map_get(&l->entries, entry))
        map_put(&l->entries, entry, entry);
    return entry != NULL;
}

struct s2s_deny_list *s2s_deny_list_read(const char *name, const char *text, size_t len,
                                         void (*wrong)(void *user, unsigned line), void *user)
{
    struct s2s_deny_list *l = mem_new(struct s2s_deny_list);
    ref_init(&l->ref);
    arena_init(&l->arena);
    l->name = arena_dup(&l->arena, name);
    for (unsigned number = 1; len && number <= S2S_DENY_LINES_MAX; number++) {
        const char *end = memchr(text, '\n', len);
        size_t line = end ? (size_t)(end - text) : len;
        if (!take_line(l, text, line) && wrong)
            wrong(user, number);
        text += line + (end != NULL);
        len -= line + (end != NULL);
    }
    return l;
}

struct s2s_deny_list *s2s_deny_list_ref(struct s2s_deny_list *l)
{
    if (l)
        ref_take(&l->ref);
    return l;
}

void s2s_deny_list_unref(struct s2s_deny_list **lp)
{
    struct s2s_deny_list *l = *lp;
    *lp = NULL;
    if (!l || !ref_drop(&l->ref))
        return;
    map_fini(&l->entries);
    arena_fini(&l->arena);
    mem_free(l);
}

const char *s2s_deny_list_name(const struct s2s_deny_list *l)
{
    return l->name;
}

size_t s2s_deny_list_count(const struct s2s_deny_list *l)
{
    return l->entries.count;
}

/* ---- asking ---- */

static bool has_hash(const struct s2s_deny_list *l, const char *text)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct bytes hex = BYTES_EMPTY;
    if (!l->has_hashes)
        return false;
    SHA256((const unsigned char *)text, strlen(text), hash);
    base64_hex(&hex, hash, sizeof hash);
    bool has = map_get(&l->entries, hex.data);
    bytes_fini(&hex);
    return has;
}

bool s2s_deny_list_has_domain(const struct s2s_deny_list *l, const char *domain)
{
    char below[LINE_MAX_BYTES];
    if (map_get(&l->entries, domain) || has_hash(l, domain))
        return true;
    for (const char *dot = strchr(domain, '.'); dot; dot = strchr(dot + 1, '.')) {
        snprintf(below, sizeof below, "*%s", dot);
        if (map_get(&l->entries, below))
            return true;
    }
    return false;
}

bool s2s_deny_list_has_person(const struct s2s_deny_list *l, const struct jid *who)
{
    return who->local && (map_get(&l->entries, who->bare) || has_hash(l, who->bare));
}

bool s2s_deny_list_fits(const char *pattern, const char *domain)
{
    size_t domain_len = strlen(domain), tail;
    if (!text_starts_with(pattern, "*."))
        return strcmp(pattern, domain) == 0;
    tail = strlen(pattern + 1);
    return domain_len > tail && strcmp(domain + domain_len - tail, pattern + 1) == 0;
}
