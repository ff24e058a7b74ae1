/* SPDX-License-Identifier: MIT */
/* See prep.h. The fast paths were compared with libidn on all pairs of ASCII characters. */
#include "gateway/xmpp/prep.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdbool.h>
#include <string.h>
#include <stringprep.h>

#include "gateway/base/utf8.h"

enum { LABEL_MAX = 63, DOMAIN_MAX = 253 };

/* What an ASCII character becomes; 0: refused, or not ASCII. */
enum ascii_class { AS_NODE, AS_PRINTABLE, AS_DOMAIN };

static inline char map_ascii(unsigned char c, enum ascii_class class)
{
    if (c < 0x20 || c > 0x7e)
        return 0;
    if (class == AS_PRINTABLE)
        return (char)c;
    if (c >= 'A' && c <= 'Z')
        return (char)(c + ('a' - 'A'));
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.')
        return (char)c;
    if (class == AS_DOMAIN)
        return 0;
    switch (c) {
    case ' ':
    case '"':
    case '&':
    case '\'':
    case '/':
    case ':':
    case '<':
    case '>':
    case '@':
        return 0;
    default:
        return (char)c;
    }
}

/* Returns how many characters were mapped; less than len: the next one is not for the fast path. */
static inline size_t map_all(char *out, const char *text, size_t len, enum ascii_class class)
{
    size_t i = 0;
    for (; i < len; i++) {
        out[i] = map_ascii((unsigned char)text[i], class);
        if (!out[i])
            break;
    }
    return i;
}

/* Fits, is UTF-8 and has no NUL inside: copied so that libidn may work in place. */
static bool copy_checked(char out[PREP_MAX + 1], const char *text, size_t len)
{
    if (len == 0 || len > PREP_MAX || memchr(text, 0, len) || !utf8_valid(text, len))
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

static size_t by_profile(char out[PREP_MAX + 1], const char *text, size_t len,
                         const Stringprep_profile *profile)
{
    if (!copy_checked(out, text, len) || stringprep(out, PREP_MAX + 1, 0, profile) != STRINGPREP_OK)
        return 0;
    return strlen(out);
}

static inline size_t prepare(char out[PREP_MAX + 1], const char *text, size_t len,
                             enum ascii_class class, const Stringprep_profile *profile)
{
    if (len == 0 || len > PREP_MAX)
        return 0;
    size_t done = map_all(out, text, len, class);
    if (done == len) {
        out[len] = '\0';
        return len;
    }
    for (size_t i = done; i < len; i++) /* all ASCII, so the refusal stands */
        if ((unsigned char)text[i] >= 0x80)
            return by_profile(out, text, len, profile);
    return 0;
}

size_t prep_node(char out[PREP_MAX + 1], const char *text, size_t len)
{
    return prepare(out, text, len, AS_NODE, stringprep_xmpp_nodeprep);
}

size_t prep_resource(char out[PREP_MAX + 1], const char *text, size_t len)
{
    return prepare(out, text, len, AS_PRINTABLE, stringprep_xmpp_resourceprep);
}

size_t prep_sasl(char out[PREP_MAX + 1], const char *text, size_t len)
{
    return prepare(out, text, len, AS_PRINTABLE, stringprep_saslprep);
}

/* Letters, digits, hyphens inside (STD 3): what idn2 leaves to its caller. */
static bool labels_are_sound(const char *ascii, size_t len)
{
    size_t start = 0;
    if (len > DOMAIN_MAX)
        return false;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && ascii[i] != '.')
            continue;
        if (i == start || i - start > LABEL_MAX || ascii[start] == '-' || ascii[i - 1] == '-')
            return false;
        start = i + 1;
    }
    return true;
}

static size_t v6_literal(char out[PREP_MAX + 1], const char *text, size_t len)
{
    char inside[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (len < 4 || len - 2 >= sizeof inside || text[len - 1] != ']')
        return 0;
    memcpy(inside, text + 1, len - 2);
    inside[len - 2] = '\0';
    if (inet_pton(AF_INET6, inside, &address) != 1 ||
        !inet_ntop(AF_INET6, &address, out + 1, INET6_ADDRSTRLEN))
        return 0;
    size_t shown = strlen(out + 1);
    out[0] = '[';
    out[shown + 1] = ']';
    out[shown + 2] = '\0';
    return shown + 2;
}

/* `out` gets A-labels. */
static size_t to_ascii(char out[PREP_MAX + 1], const char *text)
{
    uint8_t *ascii = NULL;
    size_t len = 0;
    if (idn2_lookup_u8((const uint8_t *)text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) !=
        IDN2_OK)
        return 0;
    size_t want = strlen((const char *)ascii);
    if (want > 0 && want <= DOMAIN_MAX &&
        map_all(out, (const char *)ascii, want, AS_DOMAIN) == want)
        len = want;
    idn2_free(ascii);
    out[len] = '\0';
    return labels_are_sound(out, len) ? len : 0;
}

static size_t to_unicode(char out[PREP_MAX + 1], const char *ascii)
{
    char *shown = NULL;
    size_t len = 0;
    if (idn2_to_unicode_8z8z(ascii, &shown, 0) != IDN2_OK)
        return 0;
    if (copy_checked(out, shown, strlen(shown)))
        len = strlen(out);
    idn2_free(shown);
    return len;
}

static bool has_a_label(const char *text, size_t len)
{
    for (size_t i = 0; i + 4 <= len; i++)
        if ((i == 0 || text[i - 1] == '.') && memcmp(text + i, "xn--", 4) == 0)
            return true;
    return false;
}

size_t prep_domain(char out[PREP_MAX + 1], const char *text, size_t len)
{
    if (len > 1 && text[len - 1] == '.') /* RFC 7622 3.2 */
        len--;
    if (len == 0 || len > PREP_MAX)
        return 0;
    if (text[0] == '[')
        return v6_literal(out, text, len);
    if (map_all(out, text, len, AS_DOMAIN) == len) {
        out[len] = '\0';
        if (!labels_are_sound(out, len))
            return 0;
        if (!has_a_label(out, len))
            return len;
    } else if (!copy_checked(out, text, len)) {
        return 0;
    }
    /* idn2 decodes A-labels that no U-label makes; those are no names. */
    char ascii[PREP_MAX + 1], again[PREP_MAX + 1];
    if (!to_ascii(ascii, out))
        return 0;
    size_t shown = to_unicode(out, ascii);
    return shown && to_ascii(again, out) && strcmp(ascii, again) == 0 ? shown : 0;
}

size_t prep_domain_ascii(char out[PREP_MAX + 1], const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > PREP_MAX)
        return 0;
    if (text[0] == '[') {
        memcpy(out, text, len + 1);
        return len;
    }
    if (map_all(out, text, len, AS_DOMAIN) == len) {
        out[len] = '\0';
        return labels_are_sound(out, len) ? len : 0;
    }
    return to_ascii(out, text);
}
