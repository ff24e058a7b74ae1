/* SPDX-License-Identifier: MIT */
/* A real server and scripted peers that misbehave: what is in doubt, what is refused, what waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/unit/s2s/s2s_world.h"

#define LOOPBACK "s2s 127.0.0.0/8"

struct duo {
    struct world w;
    struct side a;
    struct peer p;
};

static void duo_open_as(struct duo *d, const char *egress, struct s2s_remote r, struct s2s_options o)
{
    world_open(&d->w);
    peer_open(&d->p, &d->w, "peer.test");
    r.domain = "peer.test";
    r.host = "127.0.0.1";
    r.port = d->p.port;
    o.remotes = &r;
    o.remote_count = 1;
    side_open(&d->a, &d->w, "a.test", world_free_port(&d->w), egress, o);
}

static void duo_open(struct duo *d)
{
    duo_open_as(d, LOOPBACK, (struct s2s_remote){.tls_optional = true}, (struct s2s_options){0});
}

static void duo_close(struct duo *d)
{
    side_close(&d->a);
    peer_close(&d->p);
    world_close(&d->w);
}

/* The peer answers a ping on a stream of its own. */
static void pong_to(struct duo *d, const char *id)
{
    struct raw r;
    char text[256];
    raw_open(&r, &d->w, d->a.port);
    raw_prove(&r, RAW_HEADER("peer.test", "a.test"), "peer.test", "a.test");
    snprintf(text, sizeof text, "<iq type='result' from='peer.test' to='a.test' id='%s'/>", id);
    raw_say(&r, text);
    world_calm(&d->w);
    raw_close(&r);
}

/* The newest one. */
static void pong(struct duo *d)
{
    pong_to(d, d->p.ping);
}

/* A peer that dies before it confirmed: the message comes again, with a stamp, and only once more. */
static void in_doubt(void **state)
{
    (void)state;
    struct duo d;
    duo_open(&d);
    world_say(&d.a.x, "message", "peer.test", "1");
    world_say(&d.a.x, "iq", "peer.test", "2");
    world_until(&d.w, d.p.ping[0] && strstr(d.p.heard, "iq:2"));
    peer_drop(&d.p);
    assert_int_equal(d.a.x.failed_count, 0);
    world_advance(&d.w, 2000);
    world_until(&d.w, strstr(d.p.heard, "message:1+delay ping "));
    peer_drop(&d.p);
    world_until(&d.w, d.a.x.failed_count == 1);
    assert_string_equal(d.a.x.out, "failed:1=remote-server-timeout ");
    assert_non_null(strstr(d.a.x.why, "may have arrived"));
    assert_int_equal(side_queued(&d.a, "peer.test"), 0);
    duo_close(&d);
}

#define QUEUE_FEATURES "<dialback xmlns='" NS_DIALBACK_FEATURE "'/><queue xmlns='" NS_QUEUE "'/>"

static void duo_open_numbered(struct duo *d)
{
    duo_open_as(d, LOOPBACK, (struct s2s_remote){.tls_optional = true},
                (struct s2s_options){.queue_epoch = 1, .queue_deadline_s = 3600});
    d->p.features = QUEUE_FEATURES;
}

/* A peer that knows copies is sent them until it confirms, or the deadline comes. */
static void in_doubt_numbered(void **state)
{
    (void)state;
    static const bool answers[] = {true, false};
    for (size_t i = 0; i < 2; i++) {
        struct duo d;
        duo_open_numbered(&d);
        world_say(&d.a.x, "message", "peer.test", "1");
        for (unsigned sent = 1; sent <= 4; sent++) {
            world_until(&d.w, d.p.ping[0] && d.p.message_count == sent);
            assert_int_equal(d.a.x.failed_count, 0);
            if (sent == 4)
                break;
            d.p.ping[0] = '\0';
            peer_drop(&d.p);
            world_advance(&d.w, 10000);
        }
        if (answers[i]) {
            pong(&d);
            world_until(&d.w, d.a.x.done_count == 1);
        } else {
            peer_down(&d.p);
            for (int step = 0; step < 13; step++)
                world_advance(&d.w, 300000);
            world_until(&d.w, d.a.x.failed_count == 1);
            assert_non_null(strstr(d.a.x.why, "may have arrived"));
        }
        assert_int_equal(side_queued(&d.a, "peer.test"), 0);
        duo_close(&d);
    }
}

/* What makes the peer end the stream with an error does not come again and again. */
static void blamed(void **state)
{
    (void)state;
    struct duo d;
    duo_open_numbered(&d);
    world_say(&d.a.x, "message", "peer.test", "1");
    for (unsigned sent = 1; sent <= 2; sent++) {
        world_until(&d.w, d.p.message_count == sent && d.p.ping[0]);
        assert_int_equal(d.a.x.failed_count, 0);
        d.p.ping[0] = '\0';
        stream_close(d.p.conns[d.p.conn_count - 1].stream, STREAM_UNDEFINED_CONDITION, "not that");
        world_advance(&d.w, 10000);
    }
    world_until(&d.w, d.a.x.failed_count == 1);
    duo_close(&d);
}

/* Says so many and answers pings until all are confirmed. */
static void say_and_confirm(struct duo *d, int count)
{
    char id[64];
    for (int i = 0; i < count; i++) {
        world_say(&d->a.x, "message", "peer.test", "m");
        world_until(&d->w, d->a.x.keeping == 0);
    }
    for (unsigned all = d->a.x.done_count + (unsigned)count; d->a.x.done_count < all;) {
        world_until(&d->w, d->p.ping[0]);
        text_copy(id, sizeof id, d->p.ping);
        d->p.ping[0] = '\0';
        pong_to(d, id);
    }
}

/* What failed may still be in the store, so nothing is called settled until the store shows that it is gone. */
static void failed_ones_hold_the_mark(void **state)
{
    (void)state;
    struct duo d;
    duo_open_numbered(&d);
    d.a.x.keeps_failed = true;
    world_say(&d.a.x, "message", "peer.test", "bad");
    for (unsigned sent = 1; sent <= 2; sent++) {
        world_until(&d.w, d.p.message_count == sent && d.p.ping[0]);
        d.p.ping[0] = '\0';
        stream_close(d.p.conns[d.p.conn_count - 1].stream, STREAM_UNDEFINED_CONDITION, "not that");
        world_advance(&d.w, 10000);
    }
    world_until(&d.w, d.a.x.failed_count == 1);
    for (int i = 0; i < 3; i++) /* with the second and the third there is something to tell */
        say_and_confirm(&d, 65);
    assert_non_null(strstr(d.p.heard, "settled:0 "));
    assert_null(strstr(d.p.heard, "settled:131 "));
    assert_null(strstr(d.p.heard, "settled:66 "));
    journal_done(d.a.x.store, "s:a.test peer.test", 1);
    for (int i = 0; i < 2; i++)
        say_and_confirm(&d, 65);
    assert_non_null(strstr(d.p.heard, "settled:261 "));
    duo_close(&d);
}

static void confirmed_after_all(void **state)
{
    (void)state;
    struct duo d;
    duo_open(&d);
    world_say(&d.a.x, "message", "peer.test", "1");
    world_until(&d.w, d.p.ping[0]);
    peer_drop(&d.p);
    d.p.ping[0] = '\0';
    world_advance(&d.w, 2000);
    world_until(&d.w, d.p.ping[0]);
    pong(&d);
    world_until(&d.w, d.a.x.done_count == 1);
    assert_int_equal(d.p.message_count, 2);
    assert_int_equal(side_queued(&d.a, "peer.test"), 0);
    duo_close(&d);
}

/* A peer that takes everything and never answers a ping: twice, then the sender is told. */
static void never_answers(void **state)
{
    (void)state;
    struct duo d;
    duo_open(&d);
    world_say(&d.a.x, "message", "peer.test", "1");
    world_until(&d.w, d.p.ping[0]);
    world_advance(&d.w, 61000);
    world_advance(&d.w, 6000); /* the peer need not close */
    world_until(&d.w, strstr(d.w.log, "interrupted"));
    world_advance(&d.w, 2000);
    world_until(&d.w, d.p.message_count == 2);
    world_until(&d.w, strstr(strstr(d.p.heard, "+delay"), "ping"));
    world_advance(&d.w, 61000);
    world_advance(&d.w, 6000);
    world_until(&d.w, d.a.x.failed_count == 1);
    assert_non_null(strstr(d.a.x.why, "may have arrived"));
    duo_close(&d);
}

/* A peer that takes dialback and then reads nothing: what weighs little fills its socket, so no ping goes
 * out that it could fail to answer. It must not hold back a message for ever. */
static void reads_nothing(void **state)
{
    (void)state;
    struct duo d;
    duo_open(&d);
    world_say(&d.a.x, "presence", "peer.test", "0");
    world_until(&d.w, strstr(d.p.heard, "presence:0"));
    for (unsigned i = 0; i < d.p.conn_count; i++)
        if (d.p.conns[i].stream)
            stream_pause(d.p.conns[i].stream);
    for (unsigned i = 0; i < 200000 && !strstr(d.a.x.out, "resource-constraint"); i++) {
        world_say(&d.a.x, "presence", "peer.test", "1");
        if (i % 64 == 0)
            world_turn(&d.w);
    }
    assert_non_null(strstr(d.a.x.out, "resource-constraint"));
    world_say(&d.a.x, "message", "peer.test", "m");
    for (int i = 0; i < 130 && !strstr(d.w.log, "interrupted"); i++)
        world_advance(&d.w, 10000);
    assert_non_null(strstr(d.w.log, "interrupted"));
    duo_close(&d);
}

/* What is said while a stream is already ending (the peer broke the rules, or its ping is overdue) waits
 * for the next one. */
static void said_while_ending(void **state)
{
    (void)state;
    struct duo d;
    duo_open(&d);
    world_say(&d.a.x, "message", "peer.test", "1");
    world_until(&d.w, d.p.ping[0]);
    stream_pause(d.p.conns[0].stream); /* it does not hear our end, so the stream goes on ending */
    stream_send_text(d.p.conns[0].stream, "<message from='x@peer.test' to='u@a.test'/>");
    world_calm(&d.w);
    world_say(&d.a.x, "iq", "peer.test", "q");
    for (int i = 0; i < 50; i++) {
        char id[8];
        snprintf(id, sizeof id, "m%d", i);
        world_say(&d.a.x, "message", "peer.test", id);
        world_turn(&d.w);
    }
    world_until(&d.w, d.a.x.keeping == 0);
    world_calm(&d.w);
    assert_null(strstr(d.w.log, "interrupted"));
    world_advance(&d.w, 11000);
    world_until(&d.w, strstr(d.w.log, "interrupted"));
    world_advance(&d.w, 2000);
    world_until(&d.w, strstr(d.p.heard, "message:m49"));
    assert_null(strstr(d.a.x.out, "failed:m"));
    duo_close(&d);
}

/* Down: kept messages wait and drain in order; the rest fails at once; attempts grow rarer. */
static void down_and_up(void **state)
{
    (void)state;
    struct duo d;
    duo_open(&d);
    peer_down(&d.p);
    for (int i = 1; i <= 5; i++) {
        char id[8];
        snprintf(id, sizeof id, "%d", i);
        world_say(&d.a.x, "message", "peer.test", id);
    }
    world_say(&d.a.x, "iq", "peer.test", "q1");
    world_until(&d.w, d.a.x.failed_count == 1);
    world_calm(&d.w);
    world_say(&d.a.x, "iq", "peer.test", "q2");
    world_until(&d.w, d.a.x.failed_count == 2);
    assert_string_equal(d.a.x.out, "failed:q1=remote-server-timeout failed:q2=remote-server-timeout ");
    for (int i = 6; i <= 9; i++) {
        char id[8];
        snprintf(id, sizeof id, "%d", i);
        world_say(&d.a.x, "message", "peer.test", id);
    }
    world_until(&d.w, d.a.x.keeping == 0);
    unsigned attempts = 0;
    for (int i = 0; i < 60; i++) { /* 10 minutes: 1, 2, 4 .. 300 s apart */
        world_advance(&d.w, 10000);
        world_calm(&d.w);
    }
    for (const char *at = d.w.log; (at = strstr(at, "cannot connect")); at++)
        attempts++;
    assert_in_range(attempts, 5, 14);
    peer_listen(&d.p);
    for (int i = 0; i < 31 && !d.p.conn_count; i++)
        world_advance(&d.w, 10000);
    world_until(&d.w, strstr(d.p.heard, "message:9"));
    assert_non_null(strstr(d.p.heard, "result message:1+delay message:2+delay message:3+delay message:4+delay "
                                      "message:5+delay "));
    assert_non_null(strstr(d.p.heard, "message:6+delay message:7+delay message:8+delay message:9+delay "));
    pong(&d);
    world_until(&d.w, d.a.x.done_count >= 5);
    duo_close(&d);
}

/* The peer comes back and speaks to us: we do not sit out the rest of our pause. */
static void peer_is_alive(void **state)
{
    (void)state;
    struct duo d;
    duo_open(&d);
    peer_down(&d.p);
    world_say(&d.a.x, "message", "peer.test", "1");
    world_until(&d.w, strstr(d.w.log, "cannot connect"));
    peer_listen(&d.p);
    pong(&d); /* any authenticated stream */
    world_until(&d.w, strstr(d.p.heard, "message:1 "));
    duo_close(&d);
}

/* A message waits no longer than the deadline, also when it lies in the store alone. */
static void deadline(void **state)
{
    (void)state;
    struct duo d;
    duo_open_as(&d, LOOPBACK, (struct s2s_remote){.tls_optional = true},
                (struct s2s_options){.queue_deadline_s = 3600});
    peer_down(&d.p);
    world_say(&d.a.x, "message", "peer.test", "1");
    world_until(&d.w, strstr(d.w.log, "cannot connect"));
    for (int i = 2; i <= 40; i++) {
        char id[8];
        snprintf(id, sizeof id, "%d", i);
        world_say(&d.a.x, "message", "peer.test", id);
    }
    world_until(&d.w, d.a.x.keeping == 0);
    for (int i = 0; i < 11; i++)
        world_advance(&d.w, 300000);
    assert_int_equal(d.a.x.failed_count, 0);
    for (int i = 0; i < 4; i++)
        world_advance(&d.w, 300000);
    world_until(&d.w, d.a.x.failed_count == 40);
    assert_int_equal(side_queued(&d.a, "peer.test"), 0);
    assert_non_null(strstr(d.a.x.why, "Connection refused"));
    duo_close(&d);
}

/* What makes a connection fail, and what the senders of a message and an iq hear at once. */
static const struct failure {
    const char *proves;
    const char *to;
    struct s2s_remote remote; /* of peer.test */
    const char *egress, *features, *header_error, *result_type;
    const char *message, *iq; /* condition; NULL: waits */
    const char *text;         /* in what the sender reads */
} failures[] = {
    {"NXDOMAIN", "nowhere.test", {0}, LOOPBACK, "", NULL, NULL, "remote-server-not-found",
     "remote-server-not-found", "does not exist"},
    {"RFC 2782: SRV with target '.'", "none.test", {0}, LOOPBACK, "", NULL, NULL, "remote-server-not-found",
     "remote-server-not-found", "say that it has no XMPP server"},
    {"SRV whose only target does not exist", "lost.test", {0}, LOOPBACK, "", NULL, NULL,
     "remote-server-not-found", "remote-server-not-found", "does not exist"},
    {"SRV leads to ourselves", "self.test", {0}, LOOPBACK, "", NULL, NULL, "remote-server-not-found",
     "remote-server-not-found", "leads to this gateway"},
    {"SRV leads to loopback, which nobody has opened", "self.test", {0}, NULL, "", NULL, NULL, "remote-server-timeout",
     "remote-server-timeout", "lies in loopback"},
    {"the resolver is broken", "broken.test", {0}, LOOPBACK, "", NULL, NULL, NULL, "remote-server-timeout",
     "server failure"},
    {"loopback is not for anybody by default", "peer.test", {.tls_optional = true}, NULL, "", NULL, NULL,
     "remote-server-timeout", "remote-server-timeout", "127.0.0.1"},
    {"another purpose's rule does not open it", "peer.test", {.tls_optional = true}, "push 127.0.0.0/8", "",
     NULL, NULL, "remote-server-timeout", "remote-server-timeout", "127.0.0.1"},
    {"the admin denies the domain", "peer.test", {.deny = true, .tls_optional = true}, LOOPBACK, "", NULL, NULL,
     "not-allowed", "not-allowed", "our policy denies"},
    {"no TLS is offered", "peer.test", {0}, LOOPBACK, "", NULL, NULL, "remote-server-timeout",
     "remote-server-timeout", "offers no TLS"},
    {"the peer does not know the domain", "peer.test", {.tls_optional = true}, LOOPBACK, NULL, "host-unknown",
     NULL, "remote-server-not-found", "remote-server-not-found", "host-unknown"},
    {"the peer's policy", "peer.test", {.tls_optional = true}, LOOPBACK, NULL, "policy-violation", NULL,
     "remote-server-timeout", "remote-server-timeout", "policy-violation"},
    {"the peer is overloaded", "peer.test", {.tls_optional = true}, LOOPBACK, NULL, "resource-constraint", NULL,
     NULL, "remote-server-timeout", "resource-constraint"},
    {"our dialback key is invalid", "peer.test", {.tls_optional = true}, LOOPBACK, "", NULL, "invalid", NULL,
     "remote-server-timeout", "did not accept our dialback key"},
    {"dialback ends in an error", "peer.test", {.tls_optional = true}, LOOPBACK, "", NULL, "error", NULL,
     "remote-server-timeout", "item-not-found"},
};

static void failing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        const struct failure *f = &failures[i];
        char expect[256] = "";
        struct duo d;
        duo_open_as(&d, f->egress, f->remote, (struct s2s_options){0});
        world_dns(&d.w, "_xmpp-server._tcp.none.test", "SRV 0 0 0 .");
        world_dns(&d.w, "_xmpp-server._tcp.lost.test", "SRV 0 0 5269 gone.test");
        world_dns(&d.w, "_xmpp-server._tcp.broken.test", "SERVFAIL");
        world_dns(&d.w, "_xmpp-server._tcp.self.test", "SRV 0 0 %u self.test", d.a.port);
        world_dns(&d.w, "self.test", "A 127.0.0.1");
        d.p.features = f->features;
        d.p.header_error = f->header_error;
        d.p.result_type = f->result_type;
        world_say(&d.a.x, "message", f->to, "m");
        world_calm(&d.w);
        world_say(&d.a.x, "iq", f->to, "q");
        world_until(&d.w, strstr(d.a.x.out, "failed:q=") && (!f->message || strstr(d.a.x.out, "failed:m=")));
        world_calm(&d.w);
        snprintf(expect, sizeof expect, "failed:q=%s ", f->iq);
        if (!strstr(d.a.x.out, expect) || !strstr(d.a.x.why, f->text))
            fail_msg("%s: %s\n%s", f->proves, d.a.x.out, d.a.x.why);
        if (f->message)
            snprintf(expect, sizeof expect, "failed:m=%s ", f->message);
        if (f->message ? !strstr(d.a.x.out, expect) : strstr(d.a.x.out, "failed:m") != NULL)
            fail_msg("%s: %s", f->proves, d.a.x.out);
        assert_int_equal(side_queued(&d.a, f->to), f->message ? 0 : 1);
        duo_close(&d);
    }
}

/* A permanent failure empties the store's part of the queue too, without waiting for more attempts. */
static void permanent_failure_drains(void **state)
{
    (void)state;
    struct duo d;
    duo_open(&d);
    for (int i = 0; i < 1000; i++) {
        char id[8];
        snprintf(id, sizeof id, "%d", i);
        struct stanza *st = world_stanza("message", "a.test", "nowhere.test", id, 0);
        world_keep(&d.a.x, st, false);
        stanza_unref(&st);
    }
    world_until(&d.w, side_queued(&d.a, "nowhere.test") == 1000);
    world_say(&d.a.x, "message", "nowhere.test", "last");
    world_until(&d.w, d.a.x.failed_count == 1001);
    assert_int_equal(side_queued(&d.a, "nowhere.test"), 0);
    duo_close(&d);
}

/* Peers that stop talking, each in another state of ours: given up in time, the iq is answered. */
static void silent_peers(void **state)
{
    (void)state;
    static const struct {
        const char *features, *result_type;
    } rows[] = {
        {NULL, NULL}, /* no header */
        {"", NULL},   /* no answer to dialback */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct duo d;
        duo_open(&d);
        d.p.features = rows[i].features;
        d.p.result_type = rows[i].result_type;
        world_say(&d.a.x, "message", "peer.test", "m");
        world_say(&d.a.x, "iq", "peer.test", "q");
        world_until(&d.w, d.p.conn_count == 1);
        for (int k = 0; k < 12 && d.a.x.failed_count == 0; k++)
            world_advance(&d.w, 5000);
        world_until(&d.w, d.a.x.failed_count == 1);
        assert_string_equal(d.a.x.out, "failed:q=remote-server-timeout ");
        assert_non_null(strstr(d.a.x.why, "in time"));
        assert_int_equal(side_queued(&d.a, "peer.test"), 1);
        duo_close(&d);
    }
}

/* Two thousand domains at which nobody listens: each sender is told. */
/* A domain has two servers, and the first takes connections without being of use: the second one is tried. */
#define STARTTLS_SRV "_xmpp-server._tcp.two.test"
#define DIRECT_SRV "_xmpps-server._tcp.two.test"
static const struct first_server {
    const char *proves, *features, *header_error;
    bool waits; /* until we have waited long enough */
    const char *srv, *second_srv;
} first_servers[] = {
    {"it ends the stream at once", NULL, "internal-server-error", false, STARTTLS_SRV, STARTTLS_SRV},
    {"it does not know the domain", NULL, "host-unknown", false, STARTTLS_SRV, STARTTLS_SRV},
    {"it offers no TLS", "", NULL, false, STARTTLS_SRV, STARTTLS_SRV},
    {"it says nothing", NULL, NULL, true, STARTTLS_SRV, STARTTLS_SRV},
    {"XEP-0368: it answers direct TLS in the clear", "", NULL, false, DIRECT_SRV, STARTTLS_SRV},
    {"XEP-0368: it says nothing to direct TLS", NULL, NULL, true, DIRECT_SRV, STARTTLS_SRV},
    {"XEP-0368: the second one has direct TLS", NULL, "host-unknown", false, STARTTLS_SRV, DIRECT_SRV},
};

static void next_target(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof first_servers / sizeof *first_servers; i++) {
        const struct first_server *f = &first_servers[i];
        struct duo d;
        struct peer first;
        world_open(&d.w);
        d.w.misnamed = true; /* so that there is a question, ... */
        const struct s2s_options one_way = {.bidi_off = true}; /* ... and an answer on another stream */
        peer_open(&first, &d.w, "two.test");
        first.features = f->features;
        first.header_error = f->header_error;
        uint16_t port = world_free_port(&d.w);
        world_dns(&d.w, f->srv, "SRV 1 1 %u host.test", first.port);
        world_dns(&d.w, f->second_srv, "SRV 2 1 %u host.test", port);
        world_dns(&d.w, "host.test", "A 127.0.0.1");
        struct side second;
        world_dns(&d.w, "_xmpp-server._tcp.a.test", "SRV 1 1 %u host.test", d.a.port = world_free_port(&d.w));
        side_open(&d.a, &d.w, "a.test", d.a.port, LOOPBACK, one_way);
        d.w.direct_tls = strcmp(f->second_srv, DIRECT_SRV) == 0;
        side_open(&second, &d.w, "two.test", port, LOOPBACK, one_way);
        world_say(&d.a.x, "message", "two.test", "1");
        if (f->waits) {
            world_until(&d.w, first.conn_count == 1);
            world_calm(&d.w);
            world_advance(&d.w, 10000);
        }
        uint64_t begin = clock_mono_ms(clock_real());
        while (second.x.in_count == 0) {
            world_turn(&d.w);
            if (clock_mono_ms(clock_real()) > begin + WORLD_PATIENCE_MS)
                fail_msg("%s\n%s", f->proves, d.w.log);
        }
        if (f->waits) { /* our question about two.test, which answers the ping, goes the same way */
            world_until(&d.w, first.conn_count == 2);
            world_calm(&d.w);
            world_advance(&d.w, 10000);
        }
        world_until(&d.w, d.a.x.done_count == 1);
        assert_null(strstr(d.w.log, "cannot connect"));
        side_close(&second);
        side_close(&d.a);
        peer_close(&first);
        world_close(&d.w);
    }
}

/* The first server's name has no answer: the second one is tried beside it after a second, long before the first is
 * given up. */
static void head_start(void **state)
{
    (void)state;
    struct duo d;
    world_open(&d.w);
    peer_open(&d.p, &d.w, "two.test");
    world_dns(&d.w, STARTTLS_SRV, "SRV 1 1 5269 silent.test");
    world_dns(&d.w, STARTTLS_SRV, "SRV 2 1 %u host.test", d.p.port);
    world_dns(&d.w, "silent.test", "SILENT");
    world_dns(&d.w, "host.test", "A 127.0.0.1");
    struct s2s_remote r = {.domain = "two.test", .tls_optional = true};
    side_open(&d.a, &d.w, "a.test", world_free_port(&d.w), LOOPBACK,
              (struct s2s_options){.remotes = &r, .remote_count = 1});
    world_say(&d.a.x, "message", "two.test", "1");
    world_until(&d.w, d.w.dns.asked >= 4); /* both services, both families of the first host */
    world_calm(&d.w);
    assert_int_equal(d.p.conn_count, 0);
    world_advance(&d.w, 1100);
    world_until(&d.w, d.p.message_count == 1);
    assert_null(strstr(d.w.log, "silent.test"));
    duo_close(&d);
}

/* Many domains that take connections and say nothing: a domain that was well is not behind all of them, nor is
 * a question that a peer waits for. */
static void turns(void **state)
{
    (void)state;
    struct duo d;
    struct raw r;
    duo_open_as(&d, LOOPBACK, (struct s2s_remote){.tls_optional = true},
                (struct s2s_options){.attempts_max = 1, .connect_timeout_ms = 5000});
    struct peer silent;
    peer_open(&silent, &d.w, "silent.test");
    silent.features = NULL;
    world_say(&d.a.x, "message", "peer.test", "1"); /* well */
    world_until(&d.w, d.p.ping[0]);
    pong(&d);
    world_until(&d.w, d.a.x.done_count == 1);
    peer_drop(&d.p);
    world_dns(&d.w, "silent.test", "A 127.0.0.1");
    static const char *const names[] = {"s0.test", "s1.test", "s2.test", "s3.test", "s4.test"};
    static const char *const srv[] = {"_xmpp-server._tcp.s0.test", "_xmpp-server._tcp.s1.test", "_xmpp-server._tcp.s2.test",
                                      "_xmpp-server._tcp.s3.test", "_xmpp-server._tcp.s4.test"};
    for (int i = 0; i < 5; i++)
        world_dns(&d.w, srv[i], "SRV 1 1 %u silent.test", silent.port);
    for (int i = 0; i < 5; i++)
        world_say(&d.a.x, "iq", names[i], "q");
    world_until(&d.w, silent.conn_count == 1);
    world_advance(&d.w, 3000);
    world_say(&d.a.x, "iq", "peer.test", "again");
    raw_open(&r, &d.w, d.a.port); /* asks for a question to peer.test */
    raw_say(&r, RAW_HEADER("peer.test", "a.test"));
    world_until(&d.w, raw_has(&r, "</stream:features>"));
    raw_say(&r, "<db:result from='peer.test' to='a.test'>key</db:result>");
    world_calm(&d.w);
    assert_null(strstr(d.p.heard, "again"));
    assert_false(raw_has(&r, "type='valid'"));
    world_advance(&d.w, 3000); /* the first of the silent ones has had its time */
    world_until(&d.w, strstr(d.p.heard, "iq:again") && raw_has(&r, "type='valid'"));
    assert_int_equal(d.a.x.failed_count, 1);
    assert_true(silent.conn_count <= 2);
    for (int i = 0; i < 5; i++)
        world_advance(&d.w, 6000);
    world_until(&d.w, d.a.x.failed_count == 5);
    raw_close(&r);
    peer_close(&silent);
    duo_close(&d);
}

static void many_dead_domains(void **state)
{
    (void)state;
    struct duo d;
    duo_open_as(&d, LOOPBACK, (struct s2s_remote){.deny = true}, (struct s2s_options){.idle_close_ms = 1000});
    for (int i = 0; i < 2000; i++) {
        char name[32];
        snprintf(name, sizeof name, "127.0.%d.%d", i / 250, i % 250 + 1); /* nobody listens there */
        struct stanza *st = world_stanza("iq", "a.test", name, "q", 0);
        d.a.x.edge->ops->send(d.a.x.edge, st, (struct queue_id){0});
        stanza_unref(&st);
        if (i % 50 == 0)
            world_calm(&d.w);
    }
    world_until(&d.w, d.a.x.failed_count == 2000);
    for (int i = 0; i < 5; i++)
        world_advance(&d.w, 2000);
    duo_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_doubt),          cmocka_unit_test(confirmed_after_all),
        cmocka_unit_test(in_doubt_numbered), cmocka_unit_test(blamed),
        cmocka_unit_test(failed_ones_hold_the_mark),
        cmocka_unit_test(never_answers), cmocka_unit_test(reads_nothing),     cmocka_unit_test(said_while_ending),
        cmocka_unit_test(down_and_up),       cmocka_unit_test(peer_is_alive),
        cmocka_unit_test(deadline),          cmocka_unit_test(failing),
        cmocka_unit_test(permanent_failure_drains), cmocka_unit_test(silent_peers),
        cmocka_unit_test(many_dead_domains), cmocka_unit_test(next_target),
        cmocka_unit_test(head_start),
        cmocka_unit_test(turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
