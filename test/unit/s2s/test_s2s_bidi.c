/* SPDX-License-Identifier: MIT */
/* Streams that go both ways (XEP-0288): on those that a peer opened our stanzas go back, and are confirmed there; on our own
 * the peer's come in, from nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/unit/s2s/s2s_world.h"

#define LOOPBACK "s2s 127.0.0.0/8"
#define PEER RAW_HEADER("peer.test", "a.test")
#define BIDI "<bidi xmlns='" NS_BIDI "'/>"
#define BIDI_QUEUE "<bidi xmlns='" NS_BIDI "'><queue xmlns='" NS_QUEUE "'/></bidi>"
#define FEATURE "<bidi xmlns='" NS_BIDI_FEATURE "'/>"
#define DIALBACK "<dialback xmlns='" NS_DIALBACK_FEATURE "'/>"
#define QUEUE "<queue xmlns='" NS_QUEUE "'/>"
#define RESULT "<db:result from='peer.test' to='a.test'>key</db:result>"

struct duo {
    struct world w;
    struct side a;
    struct peer p;
};

static void duo_open(struct duo *d, struct s2s_options o)
{
    world_open(&d->w);
    peer_open(&d->p, &d->w, "peer.test");
    const struct s2s_remote remotes[] = {
        {.domain = "peer.test", .host = "127.0.0.1", .port = d->p.port, .tls_optional = true},
        {.domain = "other.test", .host = "127.0.0.1", .port = d->p.port, .tls_optional = true},
    };
    o.remotes = remotes;
    o.remote_count = 2;
    side_open(&d->a, &d->w, "a.test", world_free_port(&d->w), LOOPBACK, o);
}

static void duo_close(struct duo *d)
{
    side_close(&d->a);
    peer_close(&d->p);
    world_close(&d->w);
}

/* ---- a stream that the peer opened ---- */

/* Header, <bidi/>, dialback. */
static void call(struct raw *r, struct duo *d, const char *bidi)
{
    raw_open(r, &d->w, d->a.port);
    raw_say(r, PEER);
    world_until(&d->w, raw_has(r, "</stream:features>"));
    raw_say(r, bidi);
    raw_say(r, RESULT);
    world_until(&d->w, raw_has(r, "type='valid'"));
}

/* Answers the newest ping that came. */
static void pong(struct raw *r)
{
    char text[256];
    const char *ping = NULL;
    for (const char *at = r->heard; (at = strstr(at, "<iq from='a.test'")); at++)
        ping = at;
    assert_non_null(ping);
    const char *id = strstr(ping, " id='") + 5;
    snprintf(text, sizeof text, "<iq type='result' from='peer.test' to='a.test' id='%.*s'/>", (int)strcspn(id, "'"), id);
    raw_say(r, text);
}

/* What we say goes back, is confirmed there, and goes by a stream of our own once that one has gone. */
static void goes_back(void **state)
{
    static const bool numbered[] = {false, true};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct duo d;
        struct raw r;
        duo_open(&d, (struct s2s_options){.queue_epoch = 7});
        call(&r, &d, numbered[i] ? BIDI_QUEUE : BIDI);
        assert_int_equal(d.p.conn_count, 1); /* our question */
        world_say(&d.a.x, "message", "peer.test", "1");
        world_until(&d.w, raw_has(&r, "id='1'") && raw_has(&r, "urn:xmpp:ping"));
        assert_int_equal(raw_has(&r, "<settled "), numbered[i]);
        assert_int_equal(raw_has(&r, "<next "), numbered[i]);
        pong(&r);
        world_until(&d.w, d.a.x.done_count == 1);
        raw_say(&r, "<message id='in' from='u@peer.test' to='v@a.test'/>");
        world_until(&d.w, d.a.x.in_count == 1);
        world_advance(&d.w, 11 * 60000); /* idle: it is the peer's to end */
        assert_false(raw_has(&r, "</stream:stream>"));
        world_say(&d.a.x, "message", "peer.test", "2");
        world_until(&d.w, raw_has(&r, "id='2'"));
        assert_null(strstr(d.p.heard, "message"));
        raw_close(&r);
        world_advance(&d.w, 2000);
        world_until(&d.w, strstr(d.p.heard, "message:2+delay "));
        assert_int_equal(d.a.x.failed_count, 0);
        duo_close(&d);
    }
}

/* A domain that cannot be reached gets what waits when it calls. */
static void waits_for_the_call(void **state)
{
    struct duo d;
    struct raw r;
    (void)state;
    duo_open(&d, (struct s2s_options){0});
    peer_down(&d.p);
    world_say(&d.a.x, "message", "peer.test", "1");
    world_until(&d.w, strstr(d.w.log, "cannot connect"));
    peer_listen(&d.p);
    d.p.result_type = NULL; /* our own stream would get no further */
    call(&r, &d, BIDI);
    world_until(&d.w, raw_has(&r, "id='1'"));
    pong(&r);
    world_until(&d.w, d.a.x.done_count == 1);
    raw_close(&r);
    duo_close(&d);
}

/* A pair that has a stream of its own keeps it; and one that lost the peer's goes on by another of the peer's. */
static void several_streams(void **state)
{
    struct duo d;
    struct raw r, s;
    (void)state;
    duo_open(&d, (struct s2s_options){0});
    world_say(&d.a.x, "iq", "peer.test", "1");
    world_until(&d.w, strstr(d.p.heard, "iq:1"));
    call(&r, &d, BIDI);
    world_say(&d.a.x, "iq", "peer.test", "2");
    world_until(&d.w, strstr(d.p.heard, "iq:2"));
    d.p.features = NULL; /* from now on it is silent */
    peer_drop(&d.p);
    world_until(&d.w, strstr(d.w.log, "closed"));
    world_say(&d.a.x, "iq", "peer.test", "3");
    world_until(&d.w, raw_has(&r, "id='3'"));
    d.p.features = DIALBACK;
    call(&s, &d, BIDI);
    raw_close(&r);
    world_until(&d.w, strstr(d.w.log, "ended"));
    world_calm(&d.w);
    world_say(&d.a.x, "iq", "peer.test", "4");
    world_until(&d.w, raw_has(&s, "id='4'") || strstr(d.p.heard, "iq:4"));
    raw_close(&s);
    duo_close(&d);
}

/* Where it may not be asked for. */
static void refused(void **state)
{
    static const struct {
        const char *proves;
        bool off, proved;
        const char *said, *heard;
    } rows[] = {
        {"it was not offered", true, false, BIDI, "<unsupported-stanza-type "},
        {"it comes after the proof", false, true, BIDI, "<unsupported-stanza-type "},
        {"the feature's name is not that of the request", false, false, FEATURE, "<unsupported-stanza-type "},
        {"STARTTLS after it", false, false, BIDI "<starttls xmlns='" NS_TLS "'/>", "<policy-violation "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct duo d;
        struct raw r;
        duo_open(&d, (struct s2s_options){.bidi_off = rows[i].off});
        raw_open(&r, &d.w, d.a.port);
        raw_say(&r, PEER);
        world_until(&d.w, raw_has(&r, "</stream:features>"));
        assert_int_equal(raw_has(&r, FEATURE), !rows[i].off);
        if (rows[i].proved) {
            raw_say(&r, RESULT);
            world_until(&d.w, raw_has(&r, "type='valid'"));
        }
        raw_say(&r, rows[i].said);
        world_until(&d.w, raw_has(&r, rows[i].heard));
        raw_close(&r);
        duo_close(&d);
    }
}

/* It ends while it holds what is not settled, while we send, and when we stop. */
static void ends(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct duo d;
        struct raw r;
        duo_open(&d, (struct s2s_options){0});
        call(&r, &d, BIDI);
        d.a.x.hold = true;
        raw_say(&r, "<message id='in' from='u@peer.test' to='v@a.test'/>");
        world_until(&d.w, d.a.x.in_count == 1);
        world_say(&d.a.x, "message", "peer.test", "1");
        world_until(&d.w, raw_has(&r, "id='1'"));
        if (how == 0)
            side_stop(&d.a);
        raw_close(&r);
        if (how == 1)
            exchange_let_go(&d.a.x);
        if (how)
            world_until(&d.w, strstr(d.w.log, "interrupted"));
        if (how)
            side_stop(&d.a);
        assert_int_equal(side_queued(&d.a, "peer.test"), 1);
        duo_close(&d);
    }
}

/* ---- a stream of ours ---- */

static void connect_to_peer(struct duo *d, const char *features)
{
    duo_open(d, (struct s2s_options){.queue_epoch = 7});
    d->p.features = features;
    world_say(&d->a.x, "iq", "peer.test", "q");
    world_until(&d->w, strstr(d->p.heard, "iq:q"));
}

static void peer_says(struct duo *d, const char *text)
{
    stream_send_text(d->p.conns[0].stream, "%s", text);
}

static const struct answer {
    const char *proves, *features, *heard, *said;
    const char *in;     /* what came in; NULL: nothing */
    const char *logged; /* why the stream ends; NULL: it goes on */
} answers[] = {
    {"a message on our stream", DIALBACK FEATURE, "bidi result iq:q ", "<message id='1' from='u@peer.test' to='v@a.test'/>",
     "message:1 ", NULL},
    {"a numbered one", DIALBACK FEATURE QUEUE, "bidi+queue result settled:0 iq:q ",
     "<settled xmlns='" NS_QUEUE "' from='peer.test' to='a.test' epoch='00000000000000ff' seq='0' at='0'/>"
     "<next xmlns='" NS_QUEUE "' seq='4' at='5'/><message id='1' from='u@peer.test' to='v@a.test'><body>x</body></message>",
     "message:1 ", NULL},
    {"it was not asked for", DIALBACK, "result iq:q ", "<message id='1' from='u@peer.test' to='v@a.test'/>", NULL,
     "stanza on a stream that only we may use"},
    {"a forged from", DIALBACK FEATURE, "bidi result iq:q ", "<message id='1' from='u@bank.test' to='v@a.test'/>", NULL,
     "from is not a domain that this stream has proved"},
    {"to a domain that is not served here", DIALBACK FEATURE, "bidi result iq:q ",
     "<message id='1' from='u@peer.test' to='v@c.test'/>", NULL, "that domain is not served here"},
    {"without addresses", DIALBACK FEATURE, "bidi result iq:q ", "<message id='1'/>", NULL,
     "every stanza between servers needs from and to"},
    {"word of another domain's queue", DIALBACK FEATURE, "bidi result iq:q ",
     "<settled xmlns='" NS_QUEUE "' from='bank.test' to='a.test' epoch='00000000000000ff' seq='0' at='0'/>", NULL,
     "settled speaks of a pair that this stream has not proved"},
};

static void comes_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const struct answer *r = &answers[i];
        struct duo d;
        connect_to_peer(&d, r->features);
        if (strncmp(d.p.heard, r->heard, strlen(r->heard)) != 0)
            fail_msg("%s: heard %s", r->proves, d.p.heard);
        peer_says(&d, r->said);
        uint64_t begin = clock_mono_ms(clock_real());
        while (r->in ? strcmp(d.a.x.in, r->in) != 0 : !strstr(d.w.log, r->logged)) {
            world_turn(&d.w);
            if (clock_mono_ms(clock_real()) > begin + WORLD_PATIENCE_MS)
                fail_msg("%s: %s\n%s", r->proves, d.a.x.in, d.w.log);
        }
        assert_int_equal(d.a.x.in_count, r->in ? 1 : 0);
        duo_close(&d);
    }
}

/* A stanza before the peer has accepted our proof: it is not known yet to be asked. */
static void too_early(void **state)
{
    struct duo d;
    (void)state;
    duo_open(&d, (struct s2s_options){0});
    d.p.features = DIALBACK FEATURE;
    d.p.result_type = NULL;
    world_say(&d.a.x, "iq", "peer.test", "q");
    world_until(&d.w, strstr(d.p.heard, "result "));
    peer_says(&d, "<message id='1' from='u@peer.test' to='v@a.test'/>");
    world_until(&d.w, strstr(d.w.log, "cannot connect"));
    assert_int_equal(d.a.x.in_count, 0);
    duo_close(&d);
}

/* What comes in on our stream is not read while it is not settled, and answers to our pings come by it too. */
static void credit(void **state)
{
    struct duo d;
    char text[2200];
    (void)state;
    connect_to_peer(&d, DIALBACK FEATURE);
    d.a.x.hold = true;
    snprintf(text, sizeof text, "<message id='m' from='u@peer.test' to='v@a.test'><body>%02000d</body></message>", 1);
    for (int i = 0; i < 60; i++)
        peer_says(&d, text);
    world_until(&d.w, d.a.x.in_count > 20);
    world_calm(&d.w);
    assert_in_range(d.a.x.in_count, 28, 40);
    exchange_let_go(&d.a.x);
    world_until(&d.w, d.a.x.in_count == 60);
    world_say(&d.a.x, "message", "peer.test", "1");
    world_until(&d.w, d.p.ping[0]);
    snprintf(text, sizeof text, "<iq type='result' from='peer.test' to='a.test' id='%s'/>", d.p.ping);
    peer_says(&d, text);
    world_until(&d.w, d.a.x.done_count == 1);
    assert_int_equal(d.p.conn_count, 1);
    duo_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_back), cmocka_unit_test(waits_for_the_call), cmocka_unit_test(several_streams),
        cmocka_unit_test(refused),   cmocka_unit_test(ends),               cmocka_unit_test(comes_in),
        cmocka_unit_test(too_early), cmocka_unit_test(credit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
