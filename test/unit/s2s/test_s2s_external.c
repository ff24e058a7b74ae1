/* SPDX-License-Identifier: MIT */
/* SASL EXTERNAL (RFC 6120 13.7, XEP-0178): whom it is offered to, what may be said, and what follows; then the other
 * way round: how we prove ourselves to a peer that offers it, refuses it, or lies about dialback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "s2s/s2s_external.h"
#include "test/unit/s2s/s2s_world.h"

#define LOOPBACK "s2s 127.0.0.0/8"
#define AUTH(mechanism, text) "<auth xmlns='" NS_SASL "' mechanism='" mechanism "'>" text "</auth>"
#define MESSAGE(from) "<message id='m' from='u@" from "' to='v@a.test'/>"

/* ---- a server that calls ---- */

struct caller {
    struct world *w;
    struct stream *stream; /* NULL: ended */
    struct tls_store *tls;
    const char *from;
    const char *from_again;  /* of the header after <success/>; NULL: `from` */
    char heard[WORLD_TEXT];  /* names of what came, in order: "features(starttls) success features(dialback) " */
    bool is_secure;
};

static void caller_header(struct caller *c, const char *from)
{
    stream_send_header(c->stream, from, "a.test", NULL, "1.0", NULL);
}

static void caller_on_header(struct stream *s, const struct stream_header *h)
{
    (void)s, (void)h;
}

static void caller_note(struct caller *c, const struct element *e)
{
    const char *type = NULL;
    for (unsigned i = 0; i < e->attr_count; i++)
        if (strcmp(e->attrs[i].name, "type") == 0)
            type = e->attrs[i].value;
    world_note(c->heard, "%s%s%s", e->name, type ? "=" : "", type ? type : "");
    if (e->first_child && strcmp(e->ns, NS_SASL) != 0 && strcmp(e->name, "features") != 0 && strcmp(e->name, "error") != 0)
        return;
    for (const struct element *k = e->first_child; k; k = k->next)
        world_note(c->heard, "%s%s%s", k == e->first_child ? "(" : ",", k->name, k->next ? "" : ")");
}

static void caller_on_stanza(struct stream *s, struct stanza *st)
{
    struct caller *c = stream_user(s);
    const struct element *root = st->payload->root;
    caller_note(c, root);
    world_note(c->heard, " ");
    if (element_is(root, "features", NS_STREAM) && !c->is_secure) {
        stream_send_text(s, "<starttls xmlns='" NS_TLS "'/>");
    } else if (element_is(root, "proceed", NS_TLS)) {
        const struct tls_peer a = {.local_domain = c->from, .name = "a.test"};
        stream_connect_tls(s, c->tls, &a);
    } else if (element_is(root, "success", NS_SASL)) {
        stream_expect_restart(s);
        caller_header(c, c->from_again ? c->from_again : c->from);
    }
    stanza_unref(&st);
}

static void caller_on_secure(struct stream *s, const struct tls_info *info)
{
    struct caller *c = stream_user(s);
    (void)info;
    c->is_secure = true;
    c->heard[0] = '\0';
    caller_header(c, c->from);
}

static void caller_on_end(struct stream *s, const struct stream_end *end)
{
    struct caller *c = stream_user(s);
    world_note(c->heard, "end:%s ", end->received ? stream_error_name(end->received) : "");
    c->stream = NULL;
}

static void caller_call(struct caller *c, struct world *w, uint16_t port, const char *from)
{
    static const struct wire_events none = {0};
    static const struct stream_policy policy = {.content_ns = NS_SERVER,
                                                .on_header = caller_on_header,
                                                .on_stanza = caller_on_stanza,
                                                .on_secure = caller_on_secure,
                                                .on_end = caller_on_end};
    struct raw r;
    raw_open(&r, w, port);
    c->w = w;
    c->from = from;
    c->stream = stream_open(wire_open(w->loop, r.fd, &none, NULL), &policy, c, XML_LIMITS_DEFAULT, 0);
    caller_header(c, from);
    world_until(w, c->is_secure && strstr(c->heard, "features"));
}

/* ---- what a test has ---- */

struct duo {
    struct world w;
    struct side a;
    struct peer p; /* answers about keys of peer.test */
    struct pki strange;
    struct caller c;
    struct tls_store *peers_tls;
};

static void duo_open(struct duo *d)
{
    memset(d, 0, sizeof *d);
    world_open(&d->w);
    peer_open(&d->p, &d->w, "peer.test");
    const struct s2s_remote remotes[] = {
        {.domain = "peer.test", .host = "127.0.0.1", .port = d->p.port, .tls_optional = true},
    };
    side_open(&d->a, &d->w, "a.test", world_free_port(&d->w), LOOPBACK,
              (struct s2s_options){.remotes = remotes, .remote_count = 1});
    pki_init(&d->strange);
}

/* What a server that calls as `from` shows; `san` NULL: nothing. */
static struct tls_store *store_with(struct duo *d, const char *from, const char *san, bool strange, long days)
{
    struct error e = ERROR_INIT;
    struct tls_store *t = tls_store_create(d->w.pki.ca_file, &e);
    assert_non_null(t);
    if (san) {
        struct pki_files f = pki_issue(strange ? &d->strange : &d->w.pki, from, san, days);
        assert_true(tls_store_set(t, from, f.chain, f.key, &e));
    }
    return t;
}

static void duo_close(struct duo *d)
{
    if (d->c.stream)
        stream_abort(d->c.stream);
    world_calm(&d->w);
    side_close(&d->a);
    peer_close(&d->p);
    world_calm(&d->w);
    tls_store_destroy(&d->c.tls);
    tls_store_destroy(&d->peers_tls);
    pki_fini(&d->strange);
    world_close(&d->w);
}

/* ---- whom it is offered to ---- */

static const struct offer {
    const char *proves, *from, *san;
    bool strange; /* another authority issued it */
    long days;
    bool offered;
    const char *logged;
} offers[] = {
    {"a dNSName; the certificate is for servers alone, as public CAs issue them", "peer.test", "DNS:peer.test", false, 30,
     true, ""},
    {"one of several names", "peer.test", "DNS:www.peer.test,DNS:peer.test", false, 30, true, ""},
    {"RFC 6125 6.4.3: a wildcard for one label", "chat.peer.test", "DNS:*.peer.test", false, 30, true, ""},
    {"... and not for two", "a.chat.peer.test", "DNS:*.peer.test", false, 30, false, "does not name that domain"},
    {"... nor for none", "peer.test", "DNS:*.peer.test", false, 30, false, "does not name that domain"},
    {"SRV-ID of servers", "peer.test", "otherName:1.3.6.1.5.5.7.8.7;IA5STRING:_xmpp-server.peer.test", false, 30, true, ""},
    {"SRV-ID of clients", "peer.test", "otherName:1.3.6.1.5.5.7.8.7;IA5STRING:_xmpp-client.peer.test", false, 30, false,
     "does not name that domain"},
    {"XmppAddr", "peer.test", "otherName:1.3.6.1.5.5.7.8.5;UTF8:peer.test", false, 30, true, ""},
    {"RFC 9525: the common name alone", "peer.test", "DNS:elsewhere.test", false, 30, false, "does not name that domain"},
    {"the name of the host is not that of the domain", "peer.test", "DNS:xmpp.peer.test", false, 30, false,
     "does not name that domain"},
    {"an authority that is not trusted", "peer.test", "DNS:peer.test", true, 30, false, "no authority that is trusted"},
    {"out of date", "peer.test", "DNS:peer.test", false, -1, false, "out of date"},
    {"no certificate", "peer.test", NULL, false, 0, false, "it showed no certificate"},
    {"our own name", "a.test", "DNS:a.test", false, 30, false, ""},
};

static void offered(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
        const struct offer *o = &offers[i];
        struct duo d;
        duo_open(&d);
        d.c.tls = store_with(&d, o->from, o->san, o->strange, o->days);
        caller_call(&d.c, &d.w, d.a.port, o->from);
        const char *expect = o->offered ? "features(mechanisms,dialback,bidi,queue,limits) " : "features(dialback,bidi,queue,limits) ";
        if (strcmp(d.c.heard, expect) != 0 || !strstr(d.w.log, o->logged))
            fail_msg("%s: %s\n%s", o->proves, d.c.heard, d.w.log);
        stream_send_text(d.c.stream, AUTH("EXTERNAL", "="));
        world_until(&d.w, strstr(d.c.heard, o->offered ? "success" : "failure(invalid-mechanism)"));
        duo_close(&d);
    }
}

/* ---- what may be said ---- */

static const struct word {
    const char *proves, *said, *heard, *logged;
    bool takes; /* a message that follows */
} words[] = {
    {"no other name than the certificate's", AUTH("EXTERNAL", "="), "success features(dialback,queue,limits) ",
     "EXTERNAL proved peer.test", true},
    {"its name, as old servers say it", AUTH("EXTERNAL", "cGVlci50ZXN0"), "success features(dialback,queue,limits) ",
     "EXTERNAL proved peer.test", true},
    {"RFC 6120 6.4.2: nothing yet", AUTH("EXTERNAL", "") "<response xmlns='" NS_SASL "'>=</response>",
     "challenge success features(dialback,queue,limits) ", "EXTERNAL proved peer.test", true},
    {"RFC 6120 6.5.6: another domain", AUTH("EXTERNAL", "YmFuay50ZXN0"), "failure(invalid-authzid) ",
     "fails: invalid-authzid", false},
    {"somebody there", AUTH("EXTERNAL", "dUBwZWVyLnRlc3Q="), "failure(invalid-authzid) ", "fails: invalid-authzid", false},
    {"no base64", AUTH("EXTERNAL", "%%%"), "failure(incorrect-encoding) ", "fails: incorrect-encoding", false},
    {"a mechanism that was not offered", AUTH("PLAIN", "AGEAYg=="), "failure(invalid-mechanism) ",
     "fails: invalid-mechanism", false},
    {"giving up", "<abort xmlns='" NS_SASL "'/>", "failure(aborted) ", "fails: aborted", false},
    {"a word of SASL that there is not", "<other xmlns='" NS_SASL "'/>", "failure(malformed-request) ",
     "fails: malformed-request", false},
    {"once more after it succeeded", NULL, "failure(invalid-mechanism) ", "fails: invalid-mechanism", true},
};

static void said(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const struct word *r = &words[i];
        struct duo d;
        duo_open(&d);
        d.c.tls = store_with(&d, "peer.test", "DNS:peer.test", false, 30);
        caller_call(&d.c, &d.w, d.a.port, "peer.test");
        d.c.heard[0] = '\0';
        stream_send_text(d.c.stream, "%s", r->said ? r->said : AUTH("EXTERNAL", "="));
        if (!r->said) {
            world_until(&d.w, strstr(d.c.heard, "features"));
            d.c.heard[0] = '\0';
            stream_send_text(d.c.stream, AUTH("EXTERNAL", "="));
        }
        world_until(&d.w, strstr(d.c.heard, r->heard));
        if (strcmp(d.c.heard, r->heard) != 0 || !strstr(d.w.log, r->logged))
            fail_msg("%s: %s\n%s", r->proves, d.c.heard, d.w.log);
        if (!r->takes) { /* dialback on the same stream */
            stream_send_text(d.c.stream, "<db:result from='peer.test' to='a.test'>key</db:result>");
            world_until(&d.w, strstr(d.c.heard, "result=valid "));
            assert_non_null(strstr(d.p.heard, "verify "));
        } else {
            assert_null(strstr(d.p.heard, "verify "));
        }
        stream_send_text(d.c.stream, MESSAGE("peer.test"));
        world_until(&d.w, d.a.x.in_count == 1);
        duo_close(&d);
    }
}

/* What a certificate proves is the one pair of the header, and the next header must not name another. */
static void no_more_than_that(void **state)
{
    static const struct {
        const char *proves, *from_again, *said, *heard;
    } rows[] = {
        {"a forged from", NULL, MESSAGE("bank.test"), "end:invalid-from "},
        {"a domain below it", NULL, MESSAGE("sub.peer.test"), "end:invalid-from "},
        {"another header", "bank.test", "", "end:invalid-from "},
        {"another domain by dialback, whose server does not know of it", NULL,
         "<db:result from='bank.test' to='a.test'>key</db:result>", "result=error"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct duo d;
        duo_open(&d);
        d.c.tls = store_with(&d, "peer.test", "DNS:peer.test", false, 30);
        caller_call(&d.c, &d.w, d.a.port, "peer.test");
        d.c.from_again = rows[i].from_again;
        d.c.heard[0] = '\0';
        stream_send_text(d.c.stream, AUTH("EXTERNAL", "="));
        if (!rows[i].from_again)
            world_until(&d.w, strstr(d.c.heard, "features"));
        if (d.c.stream)
            stream_send_text(d.c.stream, "%s", rows[i].said);
        world_until(&d.w, strstr(d.c.heard, rows[i].heard));
        assert_int_equal(d.a.x.in_count, 0);
        duo_close(&d);
    }
}

/* ---- the other way round ---- */

#define OFFERS "<mechanisms xmlns='" NS_SASL "'><mechanism>EXTERNAL</mechanism></mechanisms>"
#define DIALBACK "<dialback xmlns='" NS_DIALBACK_FEATURE "'><errors/></dialback>"
#define SUCCESS "<success xmlns='" NS_SASL "'/>"
#define FAILURE "<failure xmlns='" NS_SASL "'><not-authorized/><text>who?</text></failure>"
#define VALID "<db:result from='peer.test' to='a.test' type='valid'/>"

static const struct proof {
    const char *proves;
    bool tls, is_old;
    const char *features, *auth, *result;
    const char *heard;  /* all that the peer heard, before the message; its pings do not count */
    const char *logged; /* or what the sender of an iq reads */
    bool takes;
} proofs[] = {
    {"EXTERNAL is offered and succeeds: no dialback", true, false, OFFERS DIALBACK, SUCCESS, "valid", "auth ",
     "EXTERNAL accepted; the way is open", true},
    {"it is refused: dialback on the same stream", true, false, OFFERS DIALBACK, FAILURE, "valid", "auth result ",
     "not-authorized: who?; dialback is tried", true},
    {"it is not offered: dialback", true, false, DIALBACK, SUCCESS, "valid", "result ", "dialback accepted", true},
    {"both are refused, and the sender reads why", true, false, OFFERS DIALBACK, FAILURE, "invalid", "auth result ",
     "it refused the certificate of a.test by SASL EXTERNAL: not-authorized: who?", false},
    {"dialback is refused, and EXTERNAL was not offered", true, false, DIALBACK, NULL, "error", "result ",
     "it offered no SASL EXTERNAL, so it does not accept the certificate of a.test", false},
    {"challenged in spite of '='", true, false, OFFERS, "<challenge xmlns='" NS_SASL "'/>", NULL, "auth auth ",
     "wants more for SASL EXTERNAL than a certificate", false},
    {"without TLS a certificate proves nothing", false, false, OFFERS DIALBACK, SUCCESS, "valid", "result ",
     "dialback accepted", true},
    {"an old server, without features (where the admin allows that)", false, true, "", NULL, "valid", "result ",
     "dialback accepted", true},
    {"XEP-0220 4: 'valid' instead of an answer to EXTERNAL is no proof", true, false, OFFERS, VALID, NULL, "auth ",
     "unexpected <result/>", false},
    {"... nor is it for other domains", false, false, DIALBACK "</stream:features>"
     "<db:result from='bank.test' to='a.test' type='valid'/><stream:features>", NULL, NULL, "result ",
     "dialback result for other domains ignored", false},
};

static void drop_pings(char *text)
{
    for (char *at; (at = strstr(text, "ping "));)
        memmove(at, at + 5, strlen(at + 5) + 1);
}

static void proving(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++) {
        const struct proof *r = &proofs[i];
        struct duo d;
        char expect[64];
        duo_open(&d);
        if (r->tls)
            d.p.tls = d.peers_tls = store_with(&d, "peer.test", "DNS:peer.test", false, 30);
        d.p.features = r->features;
        d.p.features_proved = DIALBACK;
        d.p.is_old = r->is_old;
        d.p.auth = r->auth;
        d.p.result_type = r->result;
        world_say(&d.a.x, "iq", "peer.test", "q");
        snprintf(expect, sizeof expect, "%s%s", r->heard, r->takes ? "iq:q " : "");
        uint64_t begin = clock_mono_ms(clock_real());
        while (strncmp(d.p.heard, expect, strlen(expect)) != 0 ||
               (!strstr(d.w.log, r->logged) && !strstr(d.a.x.why, r->logged))) {
            world_turn(&d.w);
            drop_pings(d.p.heard);
            if (clock_mono_ms(clock_real()) > begin + WORLD_PATIENCE_MS)
                fail_msg("%s: heard %s\n%s\n%s", r->proves, d.p.heard, d.a.x.why, d.w.log);
        }
        world_calm(&d.w);
        assert_int_equal(d.p.conn_count, 1);
        assert_int_equal(strstr(d.p.heard, "iq:q") != NULL, r->takes);
        duo_close(&d);
    }
}

/* A peer that offers no way to prove ourselves is tried with dialback; if it ends the stream for that, waiting mends
 * nothing, and the sender reads whose certificate it was. */
static void nothing_is_offered(void **state)
{
    struct duo d;
    (void)state;
    duo_open(&d);
    d.p.tls = d.peers_tls = store_with(&d, "peer.test", "DNS:peer.test", false, 30);
    d.p.features = "";
    d.p.result_type = NULL;
    world_say(&d.a.x, "message", "peer.test", "m");
    world_until(&d.w, strstr(d.p.heard, "result "));
    stream_close(d.p.conns[0].stream, STREAM_UNSUPPORTED_STANZA_TYPE, NULL);
    world_until(&d.w, d.a.x.failed_count == 1);
    assert_non_null(strstr(d.a.x.why, "it does not accept the certificate of a.test, and no dialback"));
    duo_close(&d);
}

/* A peer asks about a key of ours on the stream that we opened to it. */
static void asked_on_our_stream(void **state)
{
    struct duo d;
    (void)state;
    duo_open(&d);
    world_say(&d.a.x, "iq", "peer.test", "q");
    world_until(&d.w, strstr(d.p.heard, "iq:q"));
    stream_send_text(d.p.conns[0].stream, "<db:verify from='peer.test' to='a.test' id='x'>forged</db:verify>");
    world_until(&d.w, strstr(d.p.heard, "verify=invalid "));
    world_say(&d.a.x, "iq", "peer.test", "r");
    world_until(&d.w, strstr(d.p.heard, "iq:r"));
    assert_int_equal(d.p.conn_count, 1);
    duo_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offered), cmocka_unit_test(said),    cmocka_unit_test(no_more_than_that),
        cmocka_unit_test(proving), cmocka_unit_test(nothing_is_offered), cmocka_unit_test(asked_on_our_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
