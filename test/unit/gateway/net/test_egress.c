/* SPDX-License-Identifier: MIT */
/* The egress guard as tables: what is refused without rules, and what a rule opens and what not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <cmocka.h>

#include "gateway/net/egress.h"

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage ss = {0};
    struct sockaddr_in *four = (struct sockaddr_in *)&ss;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&ss;
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
        six->sin6_family = AF_INET6;
    }
    return ss;
}

static bool check(struct egress *g, enum egress_purpose p, const char *text, struct error *e)
{
    struct sockaddr_storage ss = address(text);
    return egress_check(g, p, (struct sockaddr *)&ss, e);
}

/* Without a rule only globally reachable addresses pass; NULL in `range`: allowed. */
static void defaults(void **state)
{
    (void)state;
    static const struct {
        const char *addr, *range, *proves;
    } rows[] = {
        {"8.8.8.8", NULL, "public IPv4"},
        {"2606:4700::1111", NULL, "public IPv6"},
        {"127.0.0.1", "loopback", "RFC 1122"},
        {"127.255.255.254", "loopback", "the whole /8"},
        {"128.0.0.1", NULL, "just behind loopback"},
        {"0.0.0.0", "unspecified", "connects to this host on Linux"},
        {"0.1.2.3", "this network", "RFC 1122"},
        {"10.255.0.1", "private", "RFC 1918"},
        {"172.15.255.255", NULL, "just before 172.16/12"},
        {"172.16.0.1", "private", "RFC 1918"},
        {"172.31.255.255", "private", "end of the /12"},
        {"172.32.0.0", NULL, "just behind it"},
        {"192.168.1.1", "private", "RFC 1918"},
        {"169.254.169.254", "link-local", "cloud metadata"},
        {"100.64.0.1", "carrier-grade NAT", "RFC 6598"},
        {"100.127.255.255", "carrier-grade NAT", "its end"},
        {"100.128.0.0", NULL, "just behind it"},
        {"192.0.0.9", "IETF", "protocol assignments"},
        {"203.0.113.9", "documentation", "RFC 5737"},
        {"198.19.0.1", "benchmarking", "RFC 2544"},
        {"224.0.0.1", "multicast", "RFC 5771"},
        {"239.255.255.255", "multicast", "its end"},
        {"240.0.0.1", "reserved", "class E"},
        {"255.255.255.255", "broadcast", "limited broadcast"},
        {"::1", "loopback", "IPv6 loopback"},
        {"::", "unspecified", "IPv6 any"},
        {"::2", "reserved", "outside 2000::/3"},
        {"::7f00:1", "reserved", "deprecated IPv4-compatible form"},
        {"::ffff:127.0.0.1", "loopback", "mapped is unwrapped"},
        {"::ffff:10.0.0.1", "private", "mapped is unwrapped"},
        {"::ffff:8.8.8.8", NULL, "mapped public is that public address"},
        {"64:ff9b::8.8.8.8", "NAT64", "translators need a rule"},
        {"64:ff9b:1::1", "NAT64", "RFC 8215"},
        {"2001::1", "Teredo", "embeds IPv4"},
        {"2001:10::1", "IETF", "ORCHID"},
        {"2001:200::1", NULL, "just behind 2001::/23"},
        {"2002:7f00:1::", "6to4", "embeds 127.0.0.1"},
        {"2001:db8::1", "documentation", "RFC 3849"},
        {"fc00::1", "private", "RFC 4193"},
        {"fdff::1", "private", "RFC 4193"},
        {"fe80::1", "link-local", "RFC 4291"},
        {"febf::1", "link-local", "end of the /10"},
        {"fec0::1", "private", "RFC 3879"},
        {"ff02::1", "multicast", "RFC 4291"},
        {"100::1", "discard", "RFC 6666"},
        {"5f00::1", "reserved", "RFC 9602 SIDs are outside 2000::/3"},
    };
    struct egress *g = egress_create();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (enum egress_purpose p = 0; p < EGRESS_PURPOSES; p++) {
            struct error e = ERROR_INIT;
            bool ok = check(g, p, rows[i].addr, &e);
            if (ok != !rows[i].range || (!ok && !strstr(e.text, rows[i].range)))
                fail_msg("%s (%s): %d %s", rows[i].addr, rows[i].proves, ok, e.text);
            assert_int_equal(e.code, ok ? ERROR_NONE : ERROR_DENIED);
        }
    }
    egress_destroy(&g);
    assert_null(g);
}

static void rules_open(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        enum egress_purpose purpose;
        const char *addr;
        bool ok;
        const char *proves;
    } rows[] = {
        {"any 127.0.0.0/8", EGRESS_S2S, "127.0.0.1", true, "any opens every purpose"},
        {"any 127.0.0.0/8", EGRESS_TERMINAL, "127.9.9.9", true, "the whole network"},
        {"any 127.0.0.0/8", EGRESS_S2S, "::ffff:127.0.0.1", true, "the mapped form too"},
        {"any 127.0.0.0/8", EGRESS_S2S, "::1", false, "not the IPv6 loopback"},
        {"any 127.0.0.0/8", EGRESS_S2S, "10.0.0.1", false, "nothing else"},
        {"webhook 10.1.0.0/16", EGRESS_WEBHOOK, "10.1.2.3", true, "the purpose it names"},
        {"webhook 10.1.0.0/16", EGRESS_S2S, "10.1.2.3", false, "no other purpose"},
        {"mail ::1", EGRESS_MAIL, "::1", true, "an address alone is one host"},
        {"mail 192.168.0.7", EGRESS_MAIL, "192.168.0.8", false, "one host only"},
        {"push ::ffff:10.0.0.0/104", EGRESS_PUSH, "10.9.9.9", true, "rule in mapped form"},
        {"any 0.0.0.0/0", EGRESS_S2S, "192.168.0.1", true, "all of IPv4"},
        {"any 0.0.0.0/0", EGRESS_S2S, "fe80::1", false, "but not IPv6"},
        {"any ::/0", EGRESS_S2S, "fe80::1", true, "everything"},
        {"any 64:ff9b::/96", EGRESS_S2S, "64:ff9b::8.8.8.8", true, "an admin behind NAT64"},
        {"any 64:ff9b::/96", EGRESS_S2S, "64:ff9b::127.0.0.1", false, "what is inside counts"},
        {" provider\t10.0.0.0/8", EGRESS_PROVIDER, "10.0.0.1", true, "blanks are free"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct egress *g = egress_create();
        struct error e = ERROR_INIT;
        if (!egress_allow(g, rows[i].rule, &e))
            fail_msg("%s: %s", rows[i].rule, e.text);
        if (check(g, rows[i].purpose, rows[i].addr, &e) != rows[i].ok)
            fail_msg("%s, %s: %s", rows[i].rule, rows[i].addr, rows[i].proves);
        egress_destroy(&g);
    }
}

static void rules_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",           "any",           "127.0.0.1",         "all 127.0.0.1",  "any 127.0.0.1/33",
        "any ::1/129", "any localhost", "any 127.0.0.1/8",   "any 10.0.0.0/",  "any 10.0.0/8",
        "any 10.0.0.0/-1", "any 10.0.0.0/8 ", "S2S 10.0.0.0/8", "any 10.0.0.0/08x", "anyx 10.0.0.0/8",
    };
    struct egress *g = egress_create();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e = ERROR_INIT;
        if (egress_allow(g, rows[i], &e))
            fail_msg("taken: \"%s\"", rows[i]);
        assert_int_equal(e.code, ERROR_INVALID);
        assert_true(e.text[0] != '\0');
    }
    struct error e = ERROR_INIT;
    assert_false(check(g, EGRESS_S2S, "127.0.0.1", &e)); /* a refused rule opened nothing */
    egress_destroy(&g);
}

static void words_and_families(void **state)
{
    (void)state;
    struct egress *g = egress_create();
    struct error e = ERROR_INIT;
    assert_false(check(g, EGRESS_WEBHOOK, "192.168.7.1", &e));
    assert_non_null(strstr(e.text, "private"));
    assert_non_null(strstr(e.text, "egress allow \"webhook 192.168.7.1\""));
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    assert_false(egress_check(g, EGRESS_S2S, (struct sockaddr *)&un, &e));
    assert_false(check(g, EGRESS_S2S, "127.0.0.1", NULL)); /* the text is not needed */
    egress_destroy(&g);
    egress_destroy(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(rules_open),
        cmocka_unit_test(rules_refused),
        cmocka_unit_test(words_and_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
