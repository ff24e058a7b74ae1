/* SPDX-License-Identifier: MIT */
/* Where a domain is, by what its zone says: services mixed, "not here", fallbacks, the admin's word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "s2s/s2s_internal.h"
#include "s2s/s2s_locate.h"
#include "test/unit/s2s/s2s_world.h"

struct answer {
    bool came;
    enum s2s_failure why;
    char text[1024]; /* "tls HOST PORT, HOST PORT", or why there is none */
};

static void on_located(void *user, const struct s2s_located *l)
{
    struct answer *a = user;
    size_t at = 0;
    assert_false(a->came);
    a->came = true;
    a->why = l->why;
    for (unsigned i = 0; i < l->count; i++) {
        const struct s2s_target *t = &l->targets[i];
        assert_false(t->proved); /* nothing here is signed */
        at += (size_t)snprintf(a->text + at, sizeof a->text - at, "%s%s%s %u", i ? ", " : "", t->direct_tls ? "tls " : "",
                               t->host, t->port);
    }
    if (l->count == 0)
        text_copy(a->text, sizeof a->text, l->text);
}

static const struct dns_row zone[] = {
    {"_xmpp-server._tcp.mixed.test", "SRV 10 0 5269 second.mixed.test"},
    {"_xmpp-server._tcp.mixed.test", "SRV 30 0 5269 fourth.mixed.test"},
    {"_xmpps-server._tcp.mixed.test", "SRV 5 0 5270 first.mixed.test"},
    {"_xmpps-server._tcp.mixed.test", "SRV 20 0 443 third.mixed.test"},
    {"_xmpps-server._tcp.weighed.test", "SRV 5 0 5270 light.weighed.test"},
    {"_xmpp-server._tcp.weighed.test", "SRV 5 65000 5269 heavy.weighed.test"},
    {"_xmpps-server._tcp.tlsonly.test", "SRV 0 0 5270 host.tlsonly.test"},
    {"_xmpp-server._tcp.tlsonly.test", "SRV 0 0 0 ."},
    {"_xmpps-server._tcp.notls.test", "SRV 0 0 0 ."},
    {"_xmpp-server._tcp.notls.test", "SRV 0 0 5269 host.notls.test"},
    {"_xmpps-server._tcp.neither.test", "SRV 0 0 0 ."},
    {"_xmpp-server._tcp.neither.test", "SRV 0 0 0 ."},
    {"_xmpp-server._tcp.gone.test", "SRV 0 0 0 ."},
    {"gone.test", "A 127.0.0.1"},
    {"_xmpps-server._tcp.direct.test", "SRV 0 0 443 host.direct.test"},
    {"direct.test", "A 127.0.0.1"},
    {"plain.test", "A 127.0.0.1"},
    {"_xmpps-server._tcp.half.test", "SERVFAIL"},
    {"_xmpp-server._tcp.half.test", "SRV 0 0 5269 host.half.test"},
    {"_xmpps-server._tcp.broken.test", "SERVFAIL"},
    {"broken.test", "A 127.0.0.1"},
    {"_xmpps-server._tcp.xn--bcher-kva.test", "SRV 0 0 5270 host.xn--bcher-kva.test"},
    {NULL, NULL},
};

static const struct row {
    const char *proves, *domain;
    struct s2s_remote remote; /* what the admin says of it */
    const char *found;        /* targets in order, or what the reason holds */
    enum s2s_failure why;
} rows[] = {
    {"XEP-0368: both services in one order of priorities", "mixed.test", {0},
     "tls first.mixed.test 5270, second.mixed.test 5269, tls third.mixed.test 443, fourth.mixed.test 5269", 0},
    {"the same service is all there is", "direct.test", {0}, "tls host.direct.test 443", 0},
    {"RFC 2782: '.' for one service is no word about the other", "tlsonly.test", {0}, "tls host.tlsonly.test 5270", 0},
    {"and the other way round", "notls.test", {0}, "host.notls.test 5269", 0},
    {"'.' for both", "neither.test", {0}, "say that it has no XMPP server", S2S_NOT_FOUND},
    {"RFC 6120 3.2.1: a record that says no is a record, the domain's addresses are not asked", "gone.test", {0},
     "say that it has no XMPP server", S2S_NOT_FOUND},
    {"no record at all: the domain's own addresses", "plain.test", {0}, "plain.test 5269", 0},
    {"a domain of which nothing is known", "nowhere.test", {0}, "nowhere.test 5269", 0},
    {"one service cannot be known: the other is enough", "half.test", {0}, "host.half.test 5269", 0},
    {"one service cannot be known, the other is not there: not for us to guess", "broken.test", {0}, "server failure",
     S2S_TIMEOUT},
    {"DNS knows A-labels", "b\u00fccher.test", {0}, "tls host.xn--bcher-kva.test 5270", 0},
    {"the admin says where", "mixed.test", {.host = "192.0.2.1"}, "192.0.2.1 5269", 0},
    {"and at which port", "mixed.test", {.host = "box.lan", .port = 5299}, "box.lan 5299", 0},
    {"and that TLS comes first", "mixed.test", {.host = "box.lan", .direct_tls = true}, "tls box.lan 5270", 0},
};

static void locate(struct world *w, const struct row *r, struct answer *a)
{
    struct side s;
    struct s2s_remote remote = r->remote;
    remote.domain = r->domain;
    memset(a, 0, sizeof *a);
    side_open(&s, w, "a.test", 0, NULL, (struct s2s_options){.remotes = &remote, .remote_count = 1});
    struct s2s_locate *l = s2s_locate_start(s2s_shard_of(s.s2s, "a.test", r->domain), r->domain, NULL, on_located, a);
    assert_false(a->came); /* never before the call returned */
    world_until(w, a->came);
    s2s_locate_free(&l);
    side_close(&s);
}

static void table(void **state)
{
    (void)state;
    struct world w;
    struct answer a;
    world_open(&w);
    w.dns.rows = zone;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        locate(&w, &rows[i], &a);
        if (!strstr(a.text, rows[i].found) || a.why != rows[i].why)
            fail_msg("%s: %d %s", rows[i].proves, a.why, a.text);
    }
    world_close(&w);
}

/* RFC 2782: a weight of 65000 against 0 comes first but for one draw in 65001, of whichever service. */
static void weights(void **state)
{
    (void)state;
    struct world w;
    struct answer a;
    int heavy_first = 0;
    world_open(&w);
    w.dns.rows = zone;
    for (int i = 0; i < 10; i++) {
        locate(&w, &(struct row){.domain = "weighed.test"}, &a);
        heavy_first += strncmp(a.text, "heavy.weighed.test 5269, tls light", 34) == 0;
    }
    assert_true(heavy_first >= 9);
    world_close(&w);
}

/* Freed before the answer, nothing is told. */
static void freed(void **state)
{
    (void)state;
    static const struct row early[] = {{.domain = "mixed.test"}, {.domain = "box.test", .remote = {.host = "127.0.0.1"}}};
    struct world w;
    world_open(&w);
    w.dns.rows = zone;
    for (size_t i = 0; i < 2; i++) {
        struct side s;
        struct answer a = {0};
        struct s2s_remote remote = early[i].remote;
        remote.domain = early[i].domain;
        side_open(&s, &w, "a.test", 0, NULL, (struct s2s_options){.remotes = &remote, .remote_count = 1});
        struct s2s_locate *l = s2s_locate_start(s2s_shard_of(s.s2s, "a.test", remote.domain), remote.domain, NULL, on_located, &a);
        s2s_locate_free(&l);
        world_calm(&w);
        assert_false(a.came);
        side_close(&s);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(weights),
        cmocka_unit_test(freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
