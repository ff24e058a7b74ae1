/* SPDX-License-Identifier: MIT */
/* Decided here: which values of options will do. */
#include "gateway/config_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "gateway/net/egress.h"
#include "gateway/xmpp/jid.h"

/* One of "this|that". */
static bool is_word(const char *value, const char *words)
{
    size_t len = strlen(value);
    for (const char *w = words; w; w = strchr(w, '|') ? strchr(w, '|') + 1 : NULL) {
        size_t n = strcspn(w, "|");
        if (n == len && strncmp(w, value, n) == 0)
            return true;
    }
    return false;
}

static bool is_url(struct arena *a, const char *value, const char *schemes)
{
    const char *sep = strstr(value, "://");
    if (!sep || !sep[3] || strpbrk(value, " \t\r\n\"<>\\"))
        return false;
    return is_word(arena_dup_n(a, value, (size_t)(sep - value)), schemes);
}

static bool is_address(const char *value)
{
    unsigned char raw[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, value, raw) == 1 || inet_pton(AF_INET6, value, raw) == 1;
}

const char *config_value_secret_fault(const char *path, const char **next)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const char *why = fd < 0 || fstat(fd, &st) != 0 ? strerror(errno) : NULL;
    *next = "";
    if (!why && !S_ISREG(st.st_mode))
        why = "is not a file";
    if (!why && st.st_size == 0)
        why = "is empty";
    if (!why && (st.st_mode & S_IRWXO)) {
        why = "can be read by everybody";
        *next = "; chmod o= ";
    }
    if (fd >= 0)
        close(fd);
    return why;
}

/* A domain, a slash, and something behind it. */
static bool is_node(struct arena *a, const char *value)
{
    const char *slash = strchr(value, '/');
    return slash && slash[1] && jid_parse_domain(a, arena_dup_n(a, value, (size_t)(slash - value)));
}

const char *config_value_behind_star(const char *pattern)
{
    return text_starts_with(pattern, "*.") ? pattern + 2 : pattern;
}

/* ---- all of it ---- */

static const char *egress_fault(struct arena *a, const char *value)
{
    struct egress *g = egress_create();
    struct error e = ERROR_INIT;
    bool good = egress_allow(g, value, &e);
    egress_destroy(&g);
    return good ? NULL : arena_dup(a, e.text);
}

static bool is_prefix(const char *value)
{
    return value[0] == '+' && value[1] && !value[1 + strspn(value + 1, "0123456789")];
}

const char *config_value_fault(struct arena *a, const struct option *o, const char *value)
{
    switch (o->check) {
    case CHECK_ANY:
    case CHECK_SECRET: /* no mistake: it turns a provider off */
        return NULL;
    case CHECK_WORD:
        return is_word(value, o->range) ? NULL : arena_printf(a, "'%s' is none of %s", value, o->range);
    case CHECK_FILE:
        return access(value, R_OK) == 0 ? NULL : arena_printf(a, "%s: %s", value, strerror(errno));
    case CHECK_PAIR:
        return strchr(value, '=') && value[0] != '=' ? NULL : arena_printf(a, "'%s' is not NAME=VALUE", value);
    case CHECK_DOMAIN:
        return jid_parse_domain(a, value) ? NULL : arena_printf(a, "'%s' is not a domain", value);
    case CHECK_PATTERN:
        return jid_parse_domain(a, config_value_behind_star(value))
                   ? NULL
                   : arena_printf(a, "'%s' is not a domain", value);
    case CHECK_NODE:
        return is_node(a, value) ? NULL : arena_printf(a, "'%s' is not SERVICE/NODE", value);
    case CHECK_JID:
        return jid_is_account(jid_parse_text(a, value)) ? NULL
                                                 : arena_printf(a, "'%s' is not an account like name@domain", value);
    case CHECK_ADDRESS:
        return is_address(value) ? NULL : arena_printf(a, "'%s' is not a numeric address", value);
    case CHECK_URL:
        return is_url(a, value, o->range)
                   ? NULL
                   : arena_printf(a, "'%s' is not an address that begins with %s and ://", value, o->range);
    case CHECK_EGRESS:
        return egress_fault(a, value);
    case CHECK_PREFIX:
        return is_prefix(value) ? NULL : arena_printf(a, "'%s' is not + and digits", value);
    }
    return NULL;
}
