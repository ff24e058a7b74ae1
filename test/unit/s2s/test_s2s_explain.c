/* SPDX-License-Identifier: MIT */
/* What an admin is told of ways that are not open, and of ones that are again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/unit/s2s/s2s_world.h"

#define LOOPBACK "s2s 127.0.0.0/8"

/* ---- asking ---- */

struct asked {
    struct listing_query q;
    bool done;
    char steps[WORLD_TEXT];                          /* "out TCP: ok: TEXT" lines */
    char result[2][32], text[2][1024], advice[2][1024]; /* verdicts: out, in */
};

static void on_told(struct listing_query *q, const struct error *e)
{
    struct asked *k = container_of(q, struct asked, q);
    assert_int_equal(e->code, ERROR_NONE);
    k->done = true;
}

static void explain_to(struct side *s, const char *remote, struct asked *k)
{
    struct listing l = s2s_explain(s->s2s);
    memset(k, 0, sizeof *k);
    arena_init(&k->q.arena);
    k->q.domain = s->x.domain;
    k->q.key = remote;
    k->q.limit = 100;
    k->q.reply_on = s->w->loop;
    k->q.done = on_told;
    l.ask(&l, &k->q);
    world_until(s->w, k->done);
    for (const struct listing_row *r = k->q.first; r; r = r->next) {
        int in = strcmp(r->cells[0], "in") == 0;
        if (strcmp(r->cells[2], "verdict") == 0) {
            text_copy(k->result[in], sizeof k->result[in], r->cells[3]);
            text_copy(k->text[in], sizeof k->text[in], r->cells[4]);
            text_copy(k->advice[in], sizeof k->advice[in], r->cells[5] ? r->cells[5] : "");
        } else {
            world_note(k->steps, "%s %s: %s: %s\n", r->cells[0], r->cells[2], r->cells[3], r->cells[4]);
        }
    }
    arena_fini(&k->q.arena);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in: %s", part, text);
}

/* ---- the way out ---- */

/* A side that finds its peers by DNS. */
static void open_side(struct world *w, struct side *a)
{
    world_open(w);
    side_open(a, w, "a.test", world_free_port(w), LOOPBACK, (struct s2s_options){0});
}

static void nowhere(void **state)
{
    static const struct {
        const char *remote, *reason, *text, *advice;
    } rows[] = {
        {"nobody.test", "no-such-domain", "the name does not exist", "Is nobody.test spelt right?"},
        {"none.test", "no-xmpp-server", "the domain's SRV records say", "it has no XMPP server"},
        {"lost.test", "no-address", "the name does not exist", "correct the SRV record"},
        {"broken.test", "dns-does-not-answer", "DNS does not answer", "look at this gateway's resolver"},
        {"shut.test", "port-closed", "Connection refused", "nothing listens at that port"},
    };
    struct world w;
    struct side a;
    struct asked k;
    (void)state;
    open_side(&w, &a);
    world_dns(&w, "_xmpp-server._tcp.none.test", "SRV 0 0 0 .");
    world_dns(&w, "_xmpp-server._tcp.lost.test", "SRV 0 0 5269 gone.lost.test");
    world_dns(&w, "_xmpp-server._tcp.broken.test", "SERVFAIL");
    world_dns(&w, "_xmpp-server._tcp.shut.test", "SRV 0 0 %u xmpp.shut.test", world_free_port(&w));
    world_dns(&w, "xmpp.shut.test", "A 127.0.0.1");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        explain_to(&a, rows[i].remote, &k);
        assert_string_equal(k.result[0], "not tried");
        world_say(&a.x, "iq", rows[i].remote, rows[i].remote);
        world_until(&w, strstr(a.x.out, rows[i].remote));
        explain_to(&a, rows[i].remote, &k);
        assert_string_equal(k.result[0], "failed");
        assert_string_equal(k.result[1], "not tried");
        assert_has(k.text[0], rows[i].reason);
        assert_has(k.text[0], rows[i].text);
        assert_has(k.advice[0], rows[i].advice);
    }
    side_close(&a);
    world_close(&w);
}

struct duo {
    struct world w;
    struct side a;
    struct peer p;
};

static void duo_open(struct duo *d, const char *egress, struct s2s_remote r)
{
    world_open(&d->w);
    peer_open(&d->p, &d->w, "peer.test");
    r.domain = "peer.test";
    r.host = "127.0.0.1";
    r.port = d->p.port;
    side_open(&d->a, &d->w, "a.test", world_free_port(&d->w), egress,
              (struct s2s_options){.remotes = &r, .remote_count = 1});
}

static void duo_close(struct duo *d)
{
    side_close(&d->a);
    peer_close(&d->p);
    world_close(&d->w);
}

/* Who refused, and why: our own rules, the peer's, and what it lacks. */
static void refused(void **state)
{
    static const struct {
        const char *egress;
        struct s2s_remote remote;
        const char *header_error, *result_type;
        const char *reason, *text;
    } rows[] = {
        {LOOPBACK, {.deny = true}, NULL, NULL, "our-policy (policy)", "our policy denies"},
        {NULL, {0}, NULL, NULL, "address-not-allowed (TCP)", "127.0.0.1"},
        {LOOPBACK, {0}, NULL, NULL, "peer-has-no-tls (TLS)", "it offers no TLS"},
        {LOOPBACK, {.tls_optional = true}, "host-unknown", NULL, "not-served-there (stream)", "host-unknown"},
        {LOOPBACK, {.tls_optional = true}, "policy-violation", NULL, "their-policy (stream)", "policy-violation"},
        {LOOPBACK, {.tls_optional = true}, "conflict", NULL, "peer-ended-it (stream)", "the peer ended it: conflict"},
        {LOOPBACK, {.tls_optional = true}, NULL, "invalid", "our-key-refused (authentication)", "not valid"},
        {LOOPBACK, {.tls_optional = true}, NULL, "error", "not-served-there (authentication)", "item-not-found"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct duo d;
        struct asked k;
        duo_open(&d, rows[i].egress, rows[i].remote);
        d.p.header_error = rows[i].header_error;
        if (rows[i].result_type)
            d.p.result_type = rows[i].result_type;
        world_say(&d.a.x, "iq", "peer.test", "1");
        world_until(&d.w, d.a.x.failed_count == 1);
        explain_to(&d.a, "peer.test", &k);
        assert_string_equal(k.result[0], "failed");
        assert_has(k.text[0], rows[i].reason);
        assert_has(k.text[0], rows[i].text);
        assert_true(k.advice[0][0] != '\0');
        duo_close(&d);
    }
}

/* A way that is open, breaks, cannot be had, and is open again. */
static void again(void **state)
{
    struct duo d;
    struct asked k;
    (void)state;
    duo_open(&d, LOOPBACK, (struct s2s_remote){.tls_optional = true});
    world_say(&d.a.x, "iq", "peer.test", "1");
    world_until(&d.w, strstr(d.p.heard, "iq:1"));
    explain_to(&d.a, "peer.test", &k);
    assert_string_equal(k.result[0], "open");
    assert_string_equal(k.text[0], "The way out from a.test to peer.test is open since 2030-01-01T00:00:00Z.");
    assert_has(k.steps, "out DNS: ok: the configuration names 127.0.0.1 port");
    assert_has(k.steps, "out TCP: ok: connected to 127.0.0.1");
    assert_has(k.steps, "out authentication: ok: it accepted our dialback key");
    world_advance(&d.w, 60000);
    peer_down(&d.p);
    world_say(&d.a.x, "iq", "peer.test", "2");
    world_until(&d.w, d.a.x.failed_count == 1);
    explain_to(&d.a, "peer.test", &k);
    assert_string_equal(k.result[0], "failed");
    assert_has(k.text[0], "port-closed (TCP), 2030-01-01T00:01:");
    assert_has(k.text[0], "It was open until 2030-01-01T00:01:");
    peer_listen(&d.p);
    world_advance(&d.w, 60000);
    world_say(&d.a.x, "iq", "peer.test", "3");
    world_until(&d.w, strstr(d.p.heard, "iq:3"));
    explain_to(&d.a, "peer.test", &k);
    assert_string_equal(k.result[0], "open");
    assert_has(k.text[0], "open since 2030-01-01T00:02:");
    duo_close(&d);
}

/* Two of ours: what each shows, and whether it proves anything. */
static void certificates(void **state)
{
    struct world w;
    struct side a, b;
    struct asked k;
    (void)state;
    world_open(&w);
    uint16_t a_port = world_free_port(&w), b_port = world_free_port(&w);
    struct s2s_remote to_b[] = {{.domain = "b.test", .host = "127.0.0.1", .port = b_port}};
    struct s2s_remote to_a[] = {{.domain = "a.test", .host = "127.0.0.1", .port = a_port}};
    side_open(&a, &w, "a.test", a_port, LOOPBACK, (struct s2s_options){.remotes = to_b, .remote_count = 1});
    side_open(&b, &w, "b.test", b_port, LOOPBACK, (struct s2s_options){.remotes = to_a, .remote_count = 1});
    world_say(&a.x, "message", "b.test", "1");
    world_until(&w, b.x.in_count == 1);
    explain_to(&a, "b.test", &k);
    assert_string_equal(k.result[0], "open");
    assert_has(k.steps, "out TLS: ok: TLSv1.3");
    assert_has(k.steps, "out certificate: ok: it names b.test, until 20");
    explain_to(&b, "a.test", &k);
    assert_string_equal(k.result[1], "open");
    assert_has(k.steps, "in TCP: ok: ");
    assert_has(k.steps, "in stream: ok: a.test calls b.test");
    assert_has(k.steps, "in certificate: ok: it names a.test, until 20");
    assert_has(k.steps, "in authentication: ok: EXTERNAL proved that it is a.test, to b.test");
    side_close(&a);
    side_close(&b);
    world_close(&w);
}

/* ---- the way in ---- */

static void called(void **state)
{
    static const struct {
        const char *to, *verify_type; /* "": nobody can be asked */
        bool deny;
        const char *reason, *advice;
    } rows[] = {
        {"a.test", "valid", true, "our-policy (policy)", "The configuration of this gateway decides so"},
        {"other.test", "valid", false, "not-served-here (policy)", "Add community \"other.test\""},
        {"a.test", "invalid", false, "their-key-wrong (authentication)", "The server that DNS names for peer.test"},
        {"a.test", "", false, "cannot-ask-them (authentication)", "Mend the way out first"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct duo d;
        struct asked k;
        struct raw r;
        char text[512];
        duo_open(&d, LOOPBACK, (struct s2s_remote){.tls_optional = true, .deny = rows[i].deny});
        d.p.verify_type = rows[i].verify_type;
        if (!*rows[i].verify_type)
            peer_down(&d.p);
        raw_open(&r, &d.w, d.a.port);
        snprintf(text, sizeof text, RAW_HEADER("peer.test", "%s"), rows[i].to);
        raw_say(&r, text);
        snprintf(text, sizeof text, "<db:result from='peer.test' to='%s'>key</db:result>", rows[i].to);
        raw_say(&r, text);
        world_until(&d.w, raw_has(&r, "</stream:stream>") || raw_has(&r, "</db:result>"));
        raw_close(&r);
        world_calm(&d.w);
        explain_to(&d.a, "peer.test", &k);
        assert_string_equal(k.result[1], "failed");
        assert_has(k.text[1], rows[i].reason);
        assert_has(k.advice[1], rows[i].advice);
        duo_close(&d);
    }
}

/* A peer that only asks about a key of ours does not hide how its own attempt went. */
static void questions(void **state)
{
    struct duo d;
    struct asked k;
    struct raw r;
    (void)state;
    duo_open(&d, LOOPBACK, (struct s2s_remote){.tls_optional = true});
    raw_open(&r, &d.w, d.a.port);
    raw_say(&r, RAW_HEADER("peer.test", "a.test"));
    world_until(&d.w, raw_has(&r, "</stream:features>"));
    raw_say(&r, "<db:verify from='peer.test' to='a.test' id='x'>key</db:verify>");
    world_until(&d.w, raw_has(&r, "type='invalid'"));
    raw_close(&r);
    world_calm(&d.w);
    explain_to(&d.a, "peer.test", &k);
    assert_string_equal(k.result[1], "not tried");
    duo_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nowhere), cmocka_unit_test(refused), cmocka_unit_test(again), cmocka_unit_test(certificates),
        cmocka_unit_test(called),  cmocka_unit_test(questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
