/* SPDX-License-Identifier: MIT */
/* The egress guard. Decided here: which addresses are not globally reachable (the IANA IPv4 and
 * IPv6 special-purpose registries, RFC 6890), and which rule opens one. An IPv4 address is handled
 * as its mapped IPv6 form, so `::ffff:127.0.0.1` and `127.0.0.1` are one address for rules and
 * ranges alike. A translated address (NAT64) that a rule opens is judged a second time by the IPv4
 * one inside. */
#include "gateway/net/egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"

struct cidr {
    uint8_t prefix[16];
    unsigned bits; /* 0 to 128; of the mapped form for IPv4 */
};

/* In this order, the first that matches names the refusal. */
static const struct {
    const char *cidr, *name;
} special[] = {
    {"0.0.0.0/32", "unspecified"},
    {"0.0.0.0/8", "this network"},
    {"127.0.0.0/8", "loopback"},
    {"10.0.0.0/8", "private"},
    {"172.16.0.0/12", "private"},
    {"192.168.0.0/16", "private"},
    {"169.254.0.0/16", "link-local"},
    {"100.64.0.0/10", "carrier-grade NAT"},
    {"192.0.0.0/24", "IETF protocol assignments"},
    {"192.0.2.0/24", "documentation"},
    {"198.51.100.0/24", "documentation"},
    {"203.0.113.0/24", "documentation"},
    {"192.88.99.0/24", "6to4 relay"},
    {"198.18.0.0/15", "benchmarking"},
    {"224.0.0.0/4", "multicast"},
    {"255.255.255.255/32", "broadcast"},
    {"240.0.0.0/4", "reserved"},
    {"::/128", "unspecified"},
    {"::1/128", "loopback"},
    {"64:ff9b::/96", "NAT64"},
    {"64:ff9b:1::/48", "NAT64"},
    {"100::/64", "discard only"},
    {"2001::/32", "Teredo"},
    {"2001::/23", "IETF protocol assignments"},
    {"2001:db8::/32", "documentation"},
    {"3fff::/20", "documentation"},
    {"2002::/16", "6to4"},
    {"fc00::/7", "private (unique local)"},
    {"fe80::/10", "link-local"},
    {"fec0::/10", "private (site-local)"},
    {"ff00::/8", "multicast"},
};

enum { SPECIAL_COUNT = sizeof special / sizeof *special };

static const char *const purpose_names[EGRESS_PURPOSES] = {
    [EGRESS_S2S] = "s2s",   [EGRESS_PROVIDER] = "provider", [EGRESS_MAIL] = "mail",
    [EGRESS_PUSH] = "push", [EGRESS_WEBHOOK] = "webhook",   [EGRESS_TERMINAL] = "terminal",
};

struct rule {
    unsigned purposes; /* bit 1 << enum egress_purpose */
    struct cidr cidr;
};

struct egress {
    struct cidr special[SPECIAL_COUNT]; /* parsed from the table above, same order */
    struct rule *rules;
    size_t rule_count;
};

static void map_ipv4(uint8_t out[16], const void *four)
{
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    memcpy(out + 12, four, 4);
}

static bool is_mapped(const uint8_t a[16])
{
    static const uint8_t head[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(a, head, sizeof head) == 0;
}

static bool cidr_holds(const struct cidr *c, const uint8_t a[16])
{
    unsigned whole = c->bits / 8, rest = c->bits % 8;
    if (memcmp(c->prefix, a, whole) != 0)
        return false;
    return !rest || (c->prefix[whole] ^ a[whole]) >> (8 - rest) == 0;
}

static bool cidr_has_host_bits(const struct cidr *c)
{
    for (unsigned bit = c->bits; bit < 128; bit++) {
        if (c->prefix[bit / 8] & 0x80 >> bit % 8)
            return true;
    }
    return false;
}

/* "ADDRESS" or "ADDRESS/BITS". */
static bool cidr_parse(const char *text, struct cidr *out)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';

    struct in_addr four;
    uint32_t bits, most = 128;
    if (inet_pton(AF_INET, address, &four) == 1) {
        map_ipv4(out->prefix, &four);
        most = 32;
    } else if (inet_pton(AF_INET6, address, out->prefix) != 1) {
        return false;
    }
    bits = most;
    if (slash && (!text_to_u32(slash + 1, &bits) || bits > most))
        return false;
    out->bits = 128 - most + bits;
    return true;
}

static void address_text(const uint8_t a[16], char out[INET6_ADDRSTRLEN])
{
    if (is_mapped(a))
        inet_ntop(AF_INET, a + 12, out, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, a, out, INET6_ADDRSTRLEN);
}

struct egress *egress_create(void)
{
    struct egress *g = mem_new(struct egress);
    for (size_t i = 0; i < SPECIAL_COUNT; i++)
        CHECK(cidr_parse(special[i].cidr, &g->special[i]) && !cidr_has_host_bits(&g->special[i]));
    return g;
}

void egress_destroy(struct egress **g)
{
    if (!*g)
        return;
    mem_free((*g)->rules);
    mem_free(*g);
    *g = NULL;
}

/* Bits of the purpose that `text` starts with (as a whole word); 0: none. */
static unsigned parse_purposes(const char *text, size_t len)
{
    if (len == 3 && strncmp(text, "any", len) == 0)
        return (1u << EGRESS_PURPOSES) - 1;
    for (unsigned i = 0; i < EGRESS_PURPOSES; i++) {
        if (strlen(purpose_names[i]) == len && strncmp(text, purpose_names[i], len) == 0)
            return 1u << i;
    }
    return 0;
}

bool egress_allow(struct egress *g, const char *rule, struct error *e)
{
    const char *start = text_skip_blank(rule);
    size_t word = strcspn(start, " \t");
    struct rule r = {.purposes = parse_purposes(start, word)};
    const char *where = text_skip_blank(start + word);
    if (!r.purposes)
        return error_set(e, ERROR_INVALID,
                         "egress allow \"%s\": it starts with none of any, s2s, provider, mail, "
                         "push, webhook, terminal",
                         rule);
    if (!cidr_parse(where, &r.cidr))
        return error_set(e, ERROR_INVALID,
                         "egress allow \"%s\": \"%s\" is no address and no ADDRESS/BITS", rule,
                         where);
    if (cidr_has_host_bits(&r.cidr))
        return error_set(e, ERROR_INVALID,
                         "egress allow \"%s\": bits are set behind the length of the network",
                         rule);
    g->rules = mem_grow(g->rules, (g->rule_count + 1) * sizeof *g->rules);
    g->rules[g->rule_count++] = r;
    return true;
}

static bool is_listed(const struct egress *g, enum egress_purpose purpose, const uint8_t a[16])
{
    for (size_t i = 0; i < g->rule_count; i++) {
        if (g->rules[i].purposes & 1u << purpose && cidr_holds(&g->rules[i].cidr, a))
            return true;
    }
    return false;
}

static bool refuse(struct error *e, enum egress_purpose purpose, const uint8_t a[16],
                   const char *range, const char *cidr)
{
    char text[INET6_ADDRSTRLEN];
    address_text(a, text);
    return error_set(e, ERROR_DENIED,
                     "%s is refused, it lies in %s (%s): only egress allow \"%s %s\" opens it",
                     text, range, cidr, purpose_names[purpose], text);
}

static bool check_plain(const struct egress *g, enum egress_purpose purpose, const uint8_t a[16],
                        struct error *e)
{
    if (is_listed(g, purpose, a))
        return true;
    for (size_t i = 0; i < SPECIAL_COUNT; i++) {
        if (cidr_holds(&g->special[i], a))
            return refuse(e, purpose, a, special[i].name, special[i].cidr);
    }
    /* What IANA has not given out as global unicast is nobody's public address. */
    if (!is_mapped(a) && a[0] >> 5 != 1)
        return refuse(e, purpose, a, "reserved", "outside 2000::/3");
    return true;
}

/* RFC 6052 2.2 for the well-known prefix: the last four bytes are the IPv4 address. */
static bool is_nat64(const uint8_t a[16])
{
    static const uint8_t head[12] = {0x00, 0x64, 0xff, 0x9b};
    return memcmp(a, head, sizeof head) == 0;
}

bool egress_check(const struct egress *g, enum egress_purpose purpose, const struct sockaddr *addr,
                  struct error *e)
{
    uint8_t a[16];
    CHECK(purpose < EGRESS_PURPOSES);
    if (addr->sa_family == AF_INET)
        map_ipv4(a, &((const struct sockaddr_in *)addr)->sin_addr);
    else if (addr->sa_family == AF_INET6)
        memcpy(a, &((const struct sockaddr_in6 *)addr)->sin6_addr, sizeof a);
    else
        return error_set(e, ERROR_DENIED, "address family %d is neither IPv4 nor IPv6",
                         addr->sa_family);
    if (!check_plain(g, purpose, a, e))
        return false;
    if (!is_nat64(a))
        return true;
    uint8_t inner[16];
    map_ipv4(inner, a + 12);
    return check_plain(g, purpose, inner, e) || error_wrap(e, "behind NAT64");
}
