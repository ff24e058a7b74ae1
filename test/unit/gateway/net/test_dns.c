/* SPDX-License-Identifier: MIT */
/* Names through libunbound against a scripted name server on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <poll.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/net/dns.h"
#include "test/unit/gateway/net/dns_server.h"

static const struct dns_row rows[] = {
    {"_xmpp-server._tcp.montague.example", "SRV 20 0 5271 backup.montague.example"},
    {"_xmpp-server._tcp.montague.example", "SRV 10 0 5269 zero.montague.example"},
    {"_xmpp-server._tcp.montague.example", "SRV 10 60000 5269 heavy.montague.example"},
    {"_xmpp-server._tcp.montague.example", "SRV 5 1 5270 first.montague.example"},
    {"_xmpp-server._tcp.none.test", "SRV 0 0 0 ."},
    {"_xmpp-server._tcp.strange.test", "SRV 0 0 1 b!d.strange.test"},
    {"_xmpp-server._tcp.broken.test", "SERVFAIL"},
    {"_xmpp-server._tcp.silent.test", "SILENT"},
    {"_xmpps-server._tcp.mixed.test", "SRV 10 0 5270 tls.mixed.test"},
    {"_xmpp-server._tcp.mixed.test", "SRV 20 0 5269 last.mixed.test"},
    {"_xmpp-server._tcp.mixed.test", "SRV 5 0 5269 first.mixed.test"},
    {"_xmpps-server._tcp.late.test", "SILENT"},
    {"_xmpp-server._tcp.late.test", "SRV 5 0 5269 host.late.test"},
    {"_5269._tcp.xmpp.test", "TLSA 3 1 1 digest"},
    {"_5269._tcp.xmpp.test", "TLSA 2 0 2 other"},
    {"_xmpp-server._tcp.capulet.localhost", "SRV 0 0 5269 capulet.localhost"},
    {"both.example", "A 192.0.2.1"},
    {"both.example", "A 192.0.2.2"},
    {"both.example", "AAAA 2001:db8::1"},
    {"four.test", "A 192.0.2.3"},
    {"six.invalid", "AAAA 2001:db8::6"},
    {"alias.example", "CNAME both.example"},
    {"loose.example", "CNAME nowhere.example"},
    {"text.example", "TXT"},
    {"silent.example", "SILENT"},
    {"broken.example", "SERVFAIL"},
    {NULL, NULL},
};

struct world {
    struct clock_fake clock;
    struct loop *loop;
    struct dns_server server;
    struct dns *dns;
    unsigned answers;
    struct dns_answer last; /* its arrays are copied below */
    struct dns_srv srv[8];
    struct sockaddr_storage addr[8];
    struct dns_tlsa tlsa[8];
    char tlsa_text[8][32];
    bool inside_call; /* an answer now would come before the call returned */
};

static void on_answer(void *user, const struct dns_answer *a)
{
    struct world *w = user;
    assert_false(w->inside_call);
    assert_true(a->count <= 8);
    w->answers++;
    w->last = *a;
    for (unsigned i = 0; i < a->count && a->srv; i++)
        w->srv[i] = a->srv[i];
    for (unsigned i = 0; i < a->count && a->addr; i++)
        w->addr[i] = a->addr[i];
    for (unsigned i = 0; i < a->count && a->tlsa; i++) {
        w->tlsa[i] = a->tlsa[i];
        snprintf(w->tlsa_text[i], sizeof w->tlsa_text[i], "%.*s", (int)a->tlsa[i].len, (const char *)a->tlsa[i].data);
    }
}

static int world_open(void **state)
{
    struct world *w = test_calloc(1, sizeof *w);
    clock_fake_init(&w->clock);
    w->loop = loop_create("test", &w->clock.clock);
    dns_server_open(&w->server, loop_uv(w->loop), rows);
    struct error e = ERROR_INIT;
    w->dns = dns_create(w->loop, &(struct dns_options){.server = w->server.address}, &e);
    if (!w->dns)
        fail_msg("%s", e.text);
    *state = w;
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;
    dns_destroy(&w->dns);
    dns_server_close(&w->server);
    while (loop_turn(w->loop))
        ;
    loop_destroy(&w->loop);
    test_free(w);
    return 0;
}

/* Sleeps until something is ready on the loop, at most 10 s: then the test has failed. */
static void turn(struct world *w)
{
    struct pollfd p = {.fd = uv_backend_fd(loop_uv(w->loop)), .events = POLLIN};
    if (!loop_turn(w->loop))
        assert_int_equal(poll(&p, 1, 10000), 1);
}

static void wait_answer(struct world *w)
{
    w->inside_call = false;
    unsigned before = w->answers;
    while (w->answers == before)
        turn(w);
    assert_int_equal(w->answers, before + 1);
}

static void ask_srv(struct world *w, const char *name)
{
    w->inside_call = true;
    dns_srv(w->dns, "_xmpp-server._tcp", name, on_answer, w);
    wait_answer(w);
}

static void ask_addresses(struct world *w, const char *name)
{
    w->inside_call = true;
    dns_addresses(w->dns, name, on_answer, w);
    wait_answer(w);
}

static const char *addr_text(const struct sockaddr_storage *ss)
{
    static char out[INET6_ADDRSTRLEN];
    if (ss->ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)ss)->sin_addr, out, sizeof out);
    else
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)ss)->sin6_addr, out, sizeof out);
    return out;
}

/* RFC 2782: lowest priority number first; within one, a weight of 60000 against 0 comes first but for
 * one draw in 60001. */
static void srv_order(void **state)
{
    struct world *w = *state;
    int heavy_first = 0;
    for (int i = 0; i < 20; i++) {
        ask_srv(w, "montague.example");
        assert_int_equal(w->last.status, DNS_FOUND);
        assert_int_equal(w->last.count, 4);
        assert_false(w->last.secure);
        assert_string_equal(w->srv[0].target, "first.montague.example");
        assert_int_equal(w->srv[0].port, 5270);
        assert_string_equal(w->srv[3].target, "backup.montague.example");
        assert_int_equal(w->srv[1].priority, 10);
        assert_int_equal(w->srv[2].priority, 10);
        heavy_first += w->srv[1].weight == 60000;
    }
    assert_true(heavy_first >= 18);
}

static void ask_mixed(struct world *w, const char *name)
{
    static const char *const services[] = {"_xmpps-server._tcp", "_xmpp-server._tcp"};
    w->inside_call = true;
    dns_srv_mixed(w->dns, services, name, on_answer, w);
}

/* XEP-0368: the records of both services in one order, each knowing whose it is. */
static void srv_mixed(void **state)
{
    struct world *w = *state;
    ask_mixed(w, "mixed.test");
    wait_answer(w);
    assert_int_equal(w->last.status, DNS_FOUND);
    assert_int_equal(w->last.count, 3);
    static const struct {
        const char *target;
        unsigned service;
    } expect[] = {{"first.mixed.test", 1}, {"tls.mixed.test", 0}, {"last.mixed.test", 1}};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(w->srv[i].target, expect[i].target);
        assert_int_equal(w->srv[i].service, expect[i].service);
    }
    ask_mixed(w, "nobody.example");
    wait_answer(w);
    assert_int_equal(w->last.status, DNS_NO_NAME);
}

/* One service that says nothing holds up the other one for a second. */
static void srv_of_one_service(void **state)
{
    struct world *w = *state;
    ask_mixed(w, "late.test");
    w->inside_call = false;
    while (w->server.asked < 2)
        turn(w);
    for (int i = 0; i < 50 && !w->answers; i++) { /* the answer that came passes through libunbound's thread */
        poll(NULL, 0, 10);
        clock_fake_advance(&w->clock, 50);
        loop_turn(w->loop);
    }
    while (!w->answers)
        turn(w);
    assert_int_equal(w->last.status, DNS_FOUND);
    assert_int_equal(w->last.count, 1);
    assert_string_equal(w->srv[0].target, "host.late.test");
}

static void tlsa(void **state)
{
    struct world *w = *state;
    w->inside_call = true;
    dns_tlsa(w->dns, "xmpp.test", 5269, on_answer, w);
    wait_answer(w);
    assert_int_equal(w->last.status, DNS_FOUND);
    assert_false(w->last.secure);
    assert_int_equal(w->last.count, 2);
    int one = w->tlsa[0].usage == 3 ? 0 : 1; /* in whatever order */
    assert_int_equal(w->tlsa[one].usage, 3);
    assert_int_equal(w->tlsa[one].selector, 1);
    assert_int_equal(w->tlsa[one].matching, 1);
    assert_string_equal(w->tlsa_text[one], "digest");
    assert_int_equal(w->tlsa[!one].matching, 2);
    assert_string_equal(w->tlsa_text[!one], "other");
    w->inside_call = true;
    dns_tlsa(w->dns, "xmpp.test", 5270, on_answer, w);
    wait_answer(w);
    assert_int_equal(w->last.status, DNS_NO_NAME);
    assert_int_equal(w->last.count, 0);
}

static void srv_statuses(void **state)
{
    static const struct {
        const char *name;
        enum dns_status status;
        const char *proves;
    } table[] = {
        {"nobody.example", DNS_NO_NAME, "NXDOMAIN"},
        {"capulet.localhost", DNS_FOUND, "names below localhost reach the resolver"},
        {"strange.test", DNS_FAILED, "a target that no host can have"},
        {"broken.test", DNS_FAILED, "SERVFAIL"},
        {"", DNS_NO_NAME, "an empty name gives no query that makes sense"},
        {"a..b", DNS_NO_NAME, "an empty label"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ask_srv(w, table[i].name);
        if (w->last.status != table[i].status)
            fail_msg("%s: %d %s", table[i].proves, w->last.status, w->last.text);
        if (w->last.status == DNS_FAILED)
            assert_true(w->last.text[0] != '\0');
    }
    ask_srv(w, "none.test"); /* the service is decidedly not there */
    assert_int_equal(w->last.count, 1);
    assert_string_equal(w->srv[0].target, ".");
}

static void address_table(void **state)
{
    static const struct {
        const char *name;
        enum dns_status status;
        const char *addr[4];
        const char *proves;
    } table[] = {
        {"both.example", DNS_FOUND, {"2001:db8::1", "192.0.2.", "192.0.2."}, "AAAA first, interleaved"},
        {"four.test", DNS_FOUND, {"192.0.2.3"}, "A alone, .test is asked"},
        {"six.invalid", DNS_FOUND, {"2001:db8::6"}, "AAAA alone, .invalid is asked"},
        {"alias.example", DNS_FOUND, {"2001:db8::1", "192.0.2.", "192.0.2."}, "CNAME is followed"},
        {"loose.example", DNS_NO_NAME, {NULL}, "CNAME to nowhere"},
        {"text.example", DNS_NO_DATA, {NULL}, "the name exists, addresses do not"},
        {"absent.example", DNS_NO_NAME, {NULL}, "NXDOMAIN"},
        {"broken.example", DNS_FAILED, {NULL}, "SERVFAIL"},
        {"localhost", DNS_FOUND, {"::1", "127.0.0.1"}, "localhost needs no resolver"},
        {"192.0.2.9", DNS_FOUND, {"192.0.2.9"}, "numeric IPv4"},
        {"2001:db8::9", DNS_FOUND, {"2001:db8::9"}, "numeric IPv6"},
        {"[2001:db8::9]", DNS_FOUND, {"2001:db8::9"}, "as a JID writes it"},
        {"192.0.2.999", DNS_NO_NAME, {NULL}, "not an address, and nobody's name"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ask_addresses(w, table[i].name);
        if (w->last.status != table[i].status)
            fail_msg("%s: %d %s", table[i].proves, w->last.status, w->last.text);
        for (unsigned k = 0; k < 4; k++) {
            const char *want = table[i].addr[k];
            assert_int_equal(k < w->last.count, want != NULL);
            if (want && strncmp(addr_text(&w->addr[k]), want, strlen(want)) != 0)
                fail_msg("%s: %s", table[i].proves, addr_text(&w->addr[k]));
        }
    }
}

static void numeric_asks_nobody(void **state)
{
    struct world *w = *state;
    unsigned asked = w->server.asked;
    ask_addresses(w, "127.0.0.1");
    assert_int_equal(w->server.asked, asked);
    assert_int_equal(((struct sockaddr_in *)&w->addr[0])->sin_port, 0);
}

/* A resolver that says nothing: 5 s of our clock, whatever libunbound would wait. */
static void silence_times_out(void **state)
{
    struct world *w = *state;
    dns_srv(w->dns, "_xmpp-server._tcp", "silent.test", on_answer, w);
    dns_addresses(w->dns, "silent.example", on_answer, w);
    while (w->server.asked < 3)
        turn(w);
    assert_int_equal(w->answers, 0);
    clock_fake_advance(&w->clock, 4900);
    loop_turn(w->loop);
    assert_int_equal(w->answers, 0);
    clock_fake_advance(&w->clock, 500);
    while (w->answers < 2)
        turn(w);
    assert_int_equal(w->last.status, DNS_FAILED);
    assert_non_null(strstr(w->last.text, "5 s"));
}

static void cancel_is_silent(void **state)
{
    struct world *w = *state;
    dns_cancel(dns_addresses(w->dns, "both.example", on_answer, w));
    dns_cancel(dns_addresses(w->dns, "192.0.2.1", on_answer, w));
    ask_addresses(w, "four.test");
    assert_int_equal(w->answers, 1);
}

static void destroy_answers(void **state)
{
    struct world *w = *state;
    dns_addresses(w->dns, "silent.example", on_answer, w);
    dns_addresses(w->dns, "192.0.2.1", on_answer, w);
    dns_destroy(&w->dns);
    assert_int_equal(w->answers, 2);
    assert_null(w->dns);
}

static void wrong_settings(void **state)
{
    struct world *w = *state;
    static const struct dns_options table[] = {
        {.server = "resolver.example"},
        {.server = "127.0.0.1@x"},
        {.server = "127.0.0.1", .trust_anchor = "/nonexistent/root.key"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct error e = ERROR_INIT;
        struct dns *d = dns_create(w->loop, &table[i], &e);
        if (d)
            fail_msg("taken: %s", table[i].server);
        assert_int_equal(e.code, ERROR_INVALID);
        assert_true(e.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(srv_order, world_open, world_close),
        cmocka_unit_test_setup_teardown(srv_mixed, world_open, world_close),
        cmocka_unit_test_setup_teardown(srv_of_one_service, world_open, world_close),
        cmocka_unit_test_setup_teardown(tlsa, world_open, world_close),
        cmocka_unit_test_setup_teardown(srv_statuses, world_open, world_close),
        cmocka_unit_test_setup_teardown(address_table, world_open, world_close),
        cmocka_unit_test_setup_teardown(numeric_asks_nobody, world_open, world_close),
        cmocka_unit_test_setup_teardown(silence_times_out, world_open, world_close),
        cmocka_unit_test_setup_teardown(cancel_is_silent, world_open, world_close),
        cmocka_unit_test_setup_teardown(destroy_answers, world_open, world_close),
        cmocka_unit_test_setup_teardown(wrong_settings, world_open, world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
