/* SPDX-License-Identifier: MIT */
/* Whom a community federates with and on what terms: both ways, and when the rules change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "s2s/s2s_deny_list.h"
#include "test/unit/s2s/s2s_world.h"

#define LOOPBACK "s2s 127.0.0.0/8"

struct duo {
    struct world w;
    struct side a;
    struct peer p;
};

static void duo_open(struct duo *d, struct s2s_community c, struct s2s_remote r, struct s2s_options o)
{
    world_open(&d->w);
    peer_open(&d->p, &d->w, "peer.test");
    r.domain = "peer.test";
    r.host = "127.0.0.1";
    r.port = d->p.port;
    c.domain = "a.test";
    o.remotes = &r;
    o.remote_count = 1;
    o.communities = &c;
    o.community_count = 1;
    side_open(&d->a, &d->w, "a.test", world_free_port(&d->w), LOOPBACK, o);
}

static void duo_close(struct duo *d)
{
    side_close(&d->a);
    peer_close(&d->p);
    world_close(&d->w);
}

static struct s2s_deny_list *list_of(const char *text)
{
    return s2s_deny_list_read("list", text, strlen(text), NULL, NULL);
}

static void set_list(struct duo *d, const char *text)
{
    struct s2s_deny_list *l = list_of(text);
    s2s_set_deny_list(d->a.s2s, l);
    s2s_deny_list_unref(&l);
    world_calm(&d->w);
}

/* ---- who ---- */

static void rules(void **state)
{
    static const char *const peer[] = {"peer.test", NULL}, *const all_test[] = {"*.test", NULL},
                      *const others[] = {"other.test", "*.peer.test", NULL}, *const lists[] = {"list", NULL};
    static const struct {
        struct s2s_community c;
        bool remote_deny;
        const char *list; /* NULL: none */
        const char *denied; /* a part of the words; NULL: allowed */
    } rows[] = {
        {{0}, false, NULL, NULL},
        {{0}, true, NULL, "our policy denies streams with this domain"},
        {{.deny = peer}, false, NULL, "our policy denies streams with this domain"},
        {{.deny = all_test}, false, NULL, "our policy denies streams with this domain"},
        {{.deny = others}, false, NULL, NULL},
        {{.listed_only = true}, false, NULL, "a.test federates only with domains that it lists"},
        {{.listed_only = true, .allow = others}, false, NULL, "federates only with domains"},
        {{.listed_only = true, .allow = peer}, false, NULL, NULL},
        {{.allow = peer, .deny = all_test}, false, NULL, NULL}, /* what is allowed by name is not lost to a rule for many */
        {{.allow = peer}, true, NULL, "our policy denies"},     /* but to one for it alone */
        {{.deny_lists = lists}, false, NULL, NULL},             /* the list could not be read */
        {{.deny_lists = lists}, false, "peer.test", "as a list of such domains says"},
        {{.deny_lists = lists}, false, "*.test", "as a list of such domains says"},
        {{.deny_lists = lists}, false, "somebody@peer.test", NULL},
        {{.deny_lists = lists, .allow = peer}, false, "peer.test", NULL},
        {{0}, false, "peer.test", NULL}, /* the list of somebody else */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct duo d;
        struct raw r;
        duo_open(&d, rows[i].c, (struct s2s_remote){.tls_optional = true, .deny = rows[i].remote_deny},
                 (struct s2s_options){0});
        if (rows[i].list)
            set_list(&d, rows[i].list);
        world_say(&d.a.x, "message", "peer.test", "1");
        raw_open(&r, &d.w, d.a.port);
        raw_say(&r, RAW_HEADER("peer.test", "a.test"));
        if (rows[i].denied) {
            world_until(&d.w, d.a.x.failed_count == 1);
            assert_string_equal(d.a.x.out, "failed:1=not-allowed ");
            if (!strstr(d.a.x.why, rows[i].denied))
                fail_msg("row %zu: %s", i, d.a.x.why);
            world_until(&d.w, raw_has(&r, "</stream:stream>"));
            assert_true(raw_has(&r, "policy-violation"));
            assert_true(raw_has(&r, rows[i].remote_deny ? "our policy" : rows[i].denied));
        } else {
            world_until(&d.w, strstr(d.p.heard, "message:1"));
            world_until(&d.w, raw_has(&r, "</stream:features>"));
            assert_false(raw_has(&r, "policy-violation"));
        }
        raw_close(&r);
        duo_close(&d);
    }
}

/* Without a domain in the header, dialback is where it is known who calls. */
static void by_dialback(void **state)
{
    static const char *const peer[] = {"peer.test", NULL};
    static const struct {
        struct s2s_community c;
        const char *answer;
    } rows[] = {
        {{.deny = peer}, "policy-violation"},
        {{.certificate_required = true}, "not-authorized"},
        {{0}, "type='valid'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct duo d;
        struct raw r;
        duo_open(&d, rows[i].c, (struct s2s_remote){.tls_optional = true}, (struct s2s_options){0});
        raw_open(&r, &d.w, d.a.port);
        raw_say(&r, RAW_HEADER("peer.test", "a.test"));
        raw_say(&r, "<db:result from='peer.test' to='a.test'>key</db:result>");
        world_until(&d.w, raw_has(&r, rows[i].answer));
        raw_close(&r);
        duo_close(&d);
    }
}

/* A stream that is there when the rules change ends, both ways. */
static void changes(void **state)
{
    static const char *const lists[] = {"list", NULL};
    struct duo d;
    struct raw r;
    (void)state;
    duo_open(&d, (struct s2s_community){.deny_lists = lists}, (struct s2s_remote){.tls_optional = true},
             (struct s2s_options){0});
    world_say(&d.a.x, "iq", "peer.test", "1");
    world_until(&d.w, strstr(d.p.heard, "iq:1"));
    raw_open(&r, &d.w, d.a.port);
    raw_prove(&r, RAW_HEADER("peer.test", "a.test"), "peer.test", "a.test");
    set_list(&d, "peer.test");
    world_until(&d.w, raw_has(&r, "policy-violation"));
    world_say(&d.a.x, "iq", "peer.test", "2");
    world_until(&d.w, d.a.x.failed_count == 1);
    assert_non_null(strstr(d.a.x.why, "as a list of such domains says"));
    raw_close(&r);
    set_list(&d, "other.test");
    world_advance(&d.w, 60000);
    world_say(&d.a.x, "iq", "peer.test", "3");
    world_until(&d.w, strstr(d.p.heard, "iq:3"));
    duo_close(&d);
}

/* One person of a domain: they are told, the others come in. */
static void person(void **state)
{
    static const char *const lists[] = {"list", NULL};
    struct duo d;
    struct raw r;
    (void)state;
    duo_open(&d, (struct s2s_community){.deny_lists = lists}, (struct s2s_remote){.tls_optional = true},
             (struct s2s_options){0});
    set_list(&d, "villain@peer.test");
    raw_open(&r, &d.w, d.a.port);
    raw_prove(&r, RAW_HEADER("peer.test", "a.test"), "peer.test", "a.test");
    raw_say(&r, "<message from='villain@peer.test/x' to='u@a.test' type='chat' id='bad'><body>x</body></message>"
                "<message from='villain@peer.test/x' to='u@a.test' type='error' id='worse'/>"
                "<message from='hero@peer.test/x' to='u@a.test' type='chat' id='good'><body>x</body></message>");
    world_until(&d.w, strstr(d.a.x.in, "message:good"));
    assert_string_equal(d.a.x.in, "message:good ");
    world_until(&d.w, strstr(d.p.heard, "message:bad")); /* the error */
    assert_null(strstr(d.p.heard, "worse"));
    raw_close(&r);
    duo_close(&d);
}

/* ---- certificates ---- */

/* Of two of ours: the certificate proves it; without one that does, neither way opens. */
static void certificates(void **state)
{
    static const struct {
        bool community, good;
        enum s2s_certificate remote;
        bool opens;
    } rows[] = {
        {false, true, S2S_CERTIFICATE_AS_COMMUNITY, true}, {true, true, S2S_CERTIFICATE_AS_COMMUNITY, true},
        {false, false, S2S_CERTIFICATE_AS_COMMUNITY, true}, {true, false, S2S_CERTIFICATE_AS_COMMUNITY, false},
        {true, false, S2S_CERTIFICATE_OPTIONAL, true},      {false, false, S2S_CERTIFICATE_REQUIRED, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        struct side a, b;
        struct error e = ERROR_INIT;
        world_open(&w);
        uint16_t a_port = world_free_port(&w), b_port = world_free_port(&w);
        struct s2s_remote to_b = {.domain = "b.test", .host = "127.0.0.1", .port = b_port, .certificate = rows[i].remote};
        struct s2s_remote to_a = {.domain = "a.test", .host = "127.0.0.1", .port = a_port};
        struct s2s_community ca = {.domain = "a.test", .certificate_required = rows[i].community};
        side_open(&a, &w, "a.test", a_port, LOOPBACK,
                  (struct s2s_options){.remotes = &to_b, .remote_count = 1, .communities = &ca, .community_count = 1});
        side_open(&b, &w, "b.test", b_port, LOOPBACK, (struct s2s_options){.remotes = &to_a, .remote_count = 1});
        if (!rows[i].good) {
            struct pki_files f = pki_issue(&w.pki, "wrong", "DNS:wrong.test", 30);
            assert_true(tls_store_set(b.tls, "b.test", f.chain, f.key, &e));
        }
        world_say(&a.x, "iq", "b.test", "1");
        world_say(&b.x, "iq", "a.test", "2");
        if (rows[i].opens) {
            world_until(&w, b.x.in_count == 1 && a.x.in_count == 1);
        } else {
            world_until(&w, a.x.failed_count == 1 && b.x.failed_count == 1);
            assert_non_null(strstr(a.x.why, "our policy wants a certificate"));
        }
        side_close(&a);
        side_close(&b);
        world_close(&w);
    }
}

/* ---- how much ---- */

/* More than it may bring: it is read later, and nothing is lost. */
static void rate(void **state)
{
    struct duo d;
    struct raw r;
    (void)state;
    duo_open(&d, (struct s2s_community){0}, (struct s2s_remote){.tls_optional = true, .rate = {.stanzas_per_s = 5}},
             (struct s2s_options){.rate = {.stanzas_per_s = 1000}});
    raw_open(&r, &d.w, d.a.port);
    raw_prove(&r, RAW_HEADER("peer.test", "a.test"), "peer.test", "a.test");
    for (int i = 0; i < 30; i++)
        raw_say(&r, "<message from='u@peer.test/x' to='v@a.test' type='chat' id='1'><body>x</body></message>");
    world_until(&d.w, d.a.x.in_count >= 10);
    world_calm(&d.w);
    assert_in_range(d.a.x.in_count, 10, 12);
    for (int i = 0; i < 6; i++)
        world_advance(&d.w, 1000);
    world_until(&d.w, d.a.x.in_count == 30);
    raw_close(&r);
    duo_close(&d);
}

/* XEP-0478: we say what we take, and keep to what the peer takes. */
static void sizes(void **state)
{
    struct duo d;
    struct raw r;
    (void)state;
    duo_open(&d, (struct s2s_community){0}, (struct s2s_remote){.tls_optional = true, .stanza_bytes = 20480},
             (struct s2s_options){0});
    raw_open(&r, &d.w, d.a.port);
    raw_say(&r, RAW_HEADER("peer.test", "a.test"));
    world_until(&d.w, raw_has(&r, "</stream:features>"));
    assert_true(raw_has(&r, "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>20480</max-bytes>"
                            "<idle-seconds>1800</idle-seconds></limits>"));
    raw_close(&r);
    d.p.features = "<dialback xmlns='" NS_DIALBACK_FEATURE "'/><limits xmlns='" NS_LIMITS "'><max-bytes>10000</max-bytes></limits>";
    struct stanza *big = world_stanza("message", "a.test", "peer.test", "big", 11000);
    world_keep(&d.a.x, big, true);
    stanza_unref(&big);
    world_until(&d.w, d.a.x.keeping == 0);
    world_say(&d.a.x, "message", "peer.test", "small");
    world_until(&d.w, strstr(d.p.heard, "message:small"));
    world_until(&d.w, d.a.x.failed_count == 1);
    assert_non_null(strstr(d.a.x.out, "failed:big=policy-violation"));
    assert_non_null(strstr(d.a.x.why, "takes no stanza of more than 10000 bytes"));
    assert_null(strstr(d.p.heard, "message:big"));
    duo_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),        cmocka_unit_test(by_dialback), cmocka_unit_test(changes), cmocka_unit_test(person),
        cmocka_unit_test(certificates), cmocka_unit_test(rate),        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
