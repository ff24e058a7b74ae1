/* SPDX-License-Identifier: MIT */
/* RFC 4515 section 3 has ( ) * \ and NUL escaped in a filter's value, RFC 4514 section 2.4 more in a name. Both take
 * \ and two hexadecimal digits for any byte, so what is not plainly harmless is escaped so. */
#include "gateway/net/directory_text.h"

#include <ldap.h>
#include <string.h>
#include <strings.h>

#include "gateway/base/text.h"

/* ---- templates ---- */

bool directory_text_is_template(const char *text)
{
    bool has_user = false;

    for (const char *p = strchr(text, '%'); p; p = strchr(p + 2, '%')) {
        if (p[1] != 'u' && p[1] != 'd' && p[1] != '%')
            return false;
        has_user = has_user || p[1] == 'u';
    }
    return has_user;
}

bool directory_text_is_filter(const char *text)
{
    unsigned depth = 0;

    for (const char *p = text; *p; p++) {
        if (*p == '(')
            depth++;
        else if (!depth || (*p == ')' && --depth == 0 && p[1]))
            return false;
    }
    return depth == 0 && *text;
}

static void append_escaped(struct bytes *out, const char *value, const char *special)
{
    for (const char *p = value; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < ' ' || c == 127 || strchr(special, c))
            bytes_printf(out, "\\%02x", c);
        else
            bytes_append_char(out, *p);
    }
}

static void append_in_filter(struct bytes *out, const char *value)
{
    append_escaped(out, value, "()*\\");
}

/* A blank at either end and # in front have a meaning: they are escaped wherever they are. */
static void append_in_dn(struct bytes *out, const char *value)
{
    append_escaped(out, value, "\"+,;<>=\\# ");
}

/* `len` bytes of a template. */
static void append_template(struct bytes *out, const char *text, size_t len, const char *user, const char *domain,
                            void (*append)(struct bytes *out, const char *value))
{
    for (const char *p = text; p < text + len; p++) {
        if (*p != '%' || p + 1 == text + len) {
            bytes_append_char(out, *p);
            continue;
        }
        p++;
        if (*p == 'u' && user)
            append(out, user);
        else if (*p == 'u')
            bytes_append_char(out, '*');
        else if (*p == 'd')
            append(out, domain);
        else
            bytes_append_char(out, *p);
    }
}

void directory_text_filter(struct bytes *out, const char *text, const char *user, const char *domain)
{
    append_template(out, text, strlen(text), user, domain, append_in_filter);
}

void directory_text_dn(struct bytes *out, const char *text, const char *user, const char *domain)
{
    append_template(out, text, strlen(text), user, domain, append_in_dn);
}

/* ---- listing ---- */

static const char *find_user(const char *text)
{
    for (const char *p = strchr(text, '%'); p; p = strchr(p + 2, '%'))
        if (p[1] == 'u')
            return p;
    return NULL;
}

/* Of the assertion that `user` stands in. */
static const char *assertion_of(const char *filter, const char *user)
{
    while (user > filter && user[-1] != '(')
        user--;
    return user;
}

/* Names of attributes and their rules of matching: "mail", "cn:caseExactMatch:" */
static bool take_attribute(struct bytes *out, const char *from, const char *to)
{
    size_t len = (size_t)(to - from), name = 0;

    while (name < len && (strchr("-.;", from[name]) || (from[name] >= '0' && from[name] <= '9') ||
                          ((from[name] | 0x20) >= 'a' && (from[name] | 0x20) <= 'z')))
        name++;
    bytes_append(out, from, name);
    return name == len && len;
}

static void append_as_is(struct bytes *out, const char *value)
{
    bytes_append_text(out, value);
}

/* `text` from `from` to `end` is ATTRIBUTE=...%u... */
static bool take_assertion(struct directory_listed *out, const char *from, const char *user, const char *end,
                           const char *domain)
{
    const char *equals = memchr(from, '=', (size_t)(user - from));

    if (!equals || !take_attribute(&out->attribute, from, equals))
        return false;
    append_template(&out->before, equals + 1, (size_t)(user - equals - 1), NULL, domain, append_as_is);
    append_template(&out->behind, user + 2, (size_t)(end - user - 2), NULL, domain, append_as_is);
    return true;
}

bool directory_text_listed(struct directory_listed *out, const char *filter, const char *domain)
{
    const char *user = find_user(filter);

    *out = (struct directory_listed){0};
    if (!user || !take_assertion(out, assertion_of(filter, user), user, user + strcspn(user, ")"), domain))
        return false;
    append_template(&out->filter, filter, strlen(filter), NULL, domain, append_in_filter);
    return true;
}

bool directory_text_listed_dn(struct directory_listed *out, const char **base, const char *dn, const char *domain)
{
    const char *comma = strchr(dn, ','), *user = find_user(dn);

    *out = (struct directory_listed){0};
    if (!comma || !user || user > comma || find_user(comma) || !take_assertion(out, dn, user, comma, domain))
        return false;
    bytes_printf(&out->filter, "(%s=*)", bytes_text(&out->attribute));
    *base = comma + 1;
    return true;
}

/* Nothing that means more in a filter than it says. */
static bool is_literal(const struct bytes *text)
{
    return !strpbrk(bytes_text(text), "*\\");
}

unsigned directory_text_compared(struct directory_listed *out, unsigned most, const char *filter, const char *domain)
{
    unsigned count = 0;
    bool can = true;

    for (const char *user = find_user(filter); can && user; user = find_user(user + 2)) {
        if (count == most) {
            can = false;
            break;
        }
        struct directory_listed *one = &out[count++];
        *one = (struct directory_listed){0};
        can = take_assertion(one, assertion_of(filter, user), user, user + strcspn(user, ")"), domain) &&
              is_literal(&one->before) && is_literal(&one->behind);
    }
    while (!can && count)
        directory_text_listed_fini(&out[--count]);
    return count;
}

void directory_text_listed_fini(struct directory_listed *l)
{
    bytes_fini(&l->filter);
    bytes_fini(&l->attribute);
    bytes_fini(&l->before);
    bytes_fini(&l->behind);
}

const char *directory_text_name(const struct directory_listed *l, const char *value, size_t value_len, size_t *len)
{
    if (value_len <= l->before.len + l->behind.len || strncasecmp(value, bytes_text(&l->before), l->before.len) != 0 ||
        strncasecmp(value + value_len - l->behind.len, bytes_text(&l->behind), l->behind.len) != 0)
        return NULL;
    *len = value_len - l->before.len - l->behind.len;
    return value + l->before.len;
}

/* ---- what an answer means ---- */

/* What is said beside a refusal by those who have no policy control: Active Directory ("data 533"), 389 Directory
 * Server. */
static enum directory_outcome refused(const char *said)
{
    static const struct {
        const char *words;
        enum directory_outcome outcome;
    } known[] = {
        {"data 532", DIRECTORY_EXPIRED},        {"data 773", DIRECTORY_EXPIRED},
        {"data 533", DIRECTORY_DISABLED},       {"data 701", DIRECTORY_DISABLED},
        {"data 775", DIRECTORY_DISABLED},       {"password expired", DIRECTORY_EXPIRED},
        {"account inactivated", DIRECTORY_DISABLED}, {"account is locked", DIRECTORY_DISABLED},
        {"account locked", DIRECTORY_DISABLED}, {"account is disabled", DIRECTORY_DISABLED},
        {"exceed password retry limit", DIRECTORY_DISABLED},
    };

    for (size_t i = 0; said && i < sizeof known / sizeof *known; i++)
        if (strcasestr(said, known[i].words))
            return known[i].outcome;
    return DIRECTORY_WRONG;
}

enum directory_outcome directory_text_outcome(int code, const char *diagnostic, enum directory_policy policy)
{
    bool is_answer = code == LDAP_SUCCESS || code == LDAP_INVALID_CREDENTIALS || code == LDAP_UNWILLING_TO_PERFORM ||
                     code == LDAP_CONSTRAINT_VIOLATION;

    if (is_answer && policy == DIRECTORY_POLICY_EXPIRED)
        return DIRECTORY_EXPIRED;
    if (is_answer && policy == DIRECTORY_POLICY_LOCKED)
        return DIRECTORY_DISABLED;
    switch (code) {
    case LDAP_SUCCESS:
        return DIRECTORY_RIGHT;
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_UNWILLING_TO_PERFORM:
    case LDAP_CONSTRAINT_VIOLATION:
        return refused(diagnostic);
    case LDAP_INAPPROPRIATE_AUTH: /* the entry has no password */
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INVALID_DN_SYNTAX: /* the template was looked at: it is the name */
    case LDAP_INSUFFICIENT_ACCESS:
        return DIRECTORY_WRONG;
    default: /* of the many others none says anything of the password */
        return DIRECTORY_UNAVAILABLE;
    }
}

int directory_text_failure(int code)
{
    return code == LDAP_SUCCESS ? LDAP_SERVER_DOWN : code;
}

bool directory_text_is_broken(int code)
{
    return (code < 0 && code != LDAP_FILTER_ERROR) || code == LDAP_UNAVAILABLE || code == LDAP_BUSY ||
           code == LDAP_PROTOCOL_ERROR;
}

/* ---- addresses ---- */

bool directory_text_is_loopback(const char *url)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    const char *host = strstr(url, "://");

    if (text_starts_with(url, "ldapi://"))
        return true;
    if (!host)
        return false;
    host += 3;
    size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == len && strncasecmp(host, names[i], len) == 0)
            return true;
    return len > 4 && len < 16 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len;
}
