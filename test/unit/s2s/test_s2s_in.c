/* SPDX-License-Identifier: MIT */
/* What peers may not say: each row's conversation ends with the error that the protocol names, and with
 * a line in the log. Then credit, floods and slow peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "s2s/s2s_dialback.h"
#include "s2s/s2s_internal.h"
#include "test/unit/s2s/s2s_world.h"
#include "test/world/failing_store.h"

#define LOOPBACK "s2s 127.0.0.0/8"
#define PEER RAW_HEADER("peer.test", "a.test")
#define STRICT RAW_HEADER("strict.test", "a.test")
#define SETTLED(from, epoch, seq)                                                                  \
    "<settled xmlns='urn:causeway:queue:1' from='" from "' to='a.test' epoch='" epoch "' seq='" seq "' at='1'/>"
#define NEXT(seq) "<next xmlns='urn:causeway:queue:1' seq='" seq "' at='5'/>"
#define FROM_TO " from='u@peer.test' to='v@a.test'"

struct duo {
    struct world w;
    struct side a;
    struct peer p;
};

static void duo_open(struct duo *d)
{
    world_open(&d->w);
    peer_open(&d->p, &d->w, "peer.test");
    const struct s2s_remote remotes[] = {
        {.domain = "peer.test", .host = "127.0.0.1", .port = d->p.port, .tls_optional = true},
        {.domain = "other.test", .host = "127.0.0.1", .port = d->p.port, .tls_optional = true},
        {.domain = "denied.test", .deny = true, .tls_optional = true},
    };
    side_open(&d->a, &d->w, "a.test", world_free_port(&d->w), LOOPBACK,
              (struct s2s_options){.remotes = remotes, .remote_count = 3, .per_address_max = 4});
}

static void duo_close(struct duo *d)
{
    side_close(&d->a);
    peer_close(&d->p);
    world_close(&d->w);
}

static const struct row {
    const char *proves;
    const char *header; /* NULL: none. With `proved`: before the dialback of peer.test */
    bool proved;
    const char *said;
    const char *heard; /* what must come, besides our header */
    const char *logged;
    bool lives; /* the stream goes on */
} rows[] = {
    {"RFC 6120 8.1: a stanza before dialback", PEER, false, "<message" FROM_TO "/>", "<not-authorized ",
     "not-authorized", false},
    {"RFC 6120 4.9.3.9: a forged from", PEER, true, "<message from='u@bank.test' to='v@a.test'/>",
     "<invalid-from ", "invalid-from", false},
    {"our own domain as from", PEER, true, "<message from='u@a.test' to='v@a.test'/>", "<invalid-from ",
     "invalid-from", false},
    {"a subdomain is another domain", PEER, true, "<message from='u@sub.peer.test' to='v@a.test'/>",
     "<invalid-from ", "invalid-from", false},
    {"RFC 6120 4.9.3.7: no from", PEER, true, "<message to='v@a.test'/>", "<improper-addressing ",
     "improper-addressing", false},
    {"no to", PEER, true, "<message from='u@peer.test'/>", "<improper-addressing ", "improper-addressing", false},
    {"a to that is no address", PEER, true, "<message from='u@peer.test' to='@a.test'/>",
     "<improper-addressing ", "improper-addressing", false},
    {"RFC 6120 4.9.3.6: a to that is not served here", PEER, true,
     "<message from='u@peer.test' to='v@c.test'/>", "<host-unknown ", "host-unknown", false},
    {"a header to a domain that is not served here", RAW_HEADER("peer.test", "c.test"), false, "",
     "<host-unknown ", "host-unknown", false},
    {"a header to something that is no domain", RAW_HEADER("peer.test", "v@a.test"), false, "",
     "<host-unknown ", "host-unknown", false},
    {"a denied domain", RAW_HEADER("denied.test", "a.test"), false, "", "<policy-violation ",
     "our policy denies", false},
    {"a denied domain that only dialback names", PEER, false,
     "<db:result from='denied.test' to='a.test'>k</db:result>", "<policy-violation ", "refused: policy-violation",
     true},
    {"XEP-0220: an answer that nobody asked for", PEER, false,
     "<db:result from='peer.test' to='a.test' type='valid'/>", "<policy-violation ", "unsolicited", false},
    {"dialback in our own name", PEER, false, "<db:result from='a.test' to='a.test'>k</db:result>",
     "<not-allowed ", "refused: not-allowed", true},
    {"dialback to a domain that is not served here", PEER, false,
     "<db:result from='peer.test' to='c.test'>k</db:result>", "<item-not-found ", "refused: item-not-found", true},
    {"dialback without from", PEER, false, "<db:result to='a.test'>k</db:result>", "<improper-addressing ",
     "improper-addressing", false},
    {"dialback from a person", PEER, false, "<db:result from='u@peer.test' to='a.test'>k</db:result>",
     "<improper-addressing ", "improper-addressing", false},
    {"dialback of a third kind", PEER, false, "<db:other from='peer.test' to='a.test'/>",
     "<unsupported-stanza-type ", "unsupported-stanza-type", false},
    {"a key that we never made", PEER, false,
     "<db:verify from='peer.test' to='a.test' id='x'>0123456789abcdef</db:verify>", "type='invalid'",
     "not ours", true},
    {"an empty key", PEER, false, "<db:verify from='peer.test' to='a.test' id='x'/>", "type='invalid'",
     "not ours", true},
    {"db:verify for a domain that is not served here", PEER, false,
     "<db:verify from='peer.test' to='c.test' id='x'>k</db:verify>", "<item-not-found ", "", true},
    {"db:verify without an id", PEER, false, "<db:verify from='peer.test' to='a.test'>k</db:verify>",
     "<bad-format ", "bad-format", false},
    {"db:result in the clear", STRICT, false, "<db:result from='strict.test' to='a.test'>k</db:result>",
     "<policy-violation ", "STARTTLS is required", false},
    {"db:verify in the clear", STRICT, false,
     "<db:verify from='strict.test' to='a.test' id='x'>k</db:verify>", "type='invalid'",
     "a dialback key that is not ours", true},
    {"a stanza in the clear", STRICT, false, "<message from='u@strict.test' to='v@a.test'/>",
     "<not-authorized ", "not-authorized", false},
    {"a domain that may do without TLS lends that to no other", PEER, false,
     "<db:result from='strict.test' to='a.test'>k</db:result>", "<policy-violation ", "refused: policy-violation",
     true},
    {"RFC 6120 5.4.3.3: more in the clear behind starttls", STRICT, false,
     "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><db:result from='strict.test' to='a.test'>k</db:result>",
     "<policy-violation ", "policy-violation", false},
    {"STARTTLS after dialback", PEER, true, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
     "<policy-violation ", "STARTTLS comes before all else", false},
    {"RFC 6120 4.8.2: a stanza of clients", PEER, true, "<message xmlns='jabber:client'" FROM_TO "/>",
     "<invalid-namespace ", "invalid-namespace", false},
    {"a stanza in no namespace that we know", PEER, true, "<message xmlns='urn:x'" FROM_TO "/>",
     "<invalid-namespace ", "invalid-namespace", false},
    {"SASL, which is not offered", PEER, false,
     "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>", "<invalid-mechanism/>",
     "SASL EXTERNAL fails: invalid-mechanism", true},
    {"a client's stream",
     "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a.test' "
     "version='1.0'>",
     false, "", "<invalid-namespace ", "invalid-namespace", false},
    {"another namespace for streams",
     "<stream:stream xmlns='jabber:server' xmlns:stream='urn:x' to='a.test' version='1.0'>", false, "",
     "<invalid-namespace ", "invalid-namespace", false},
    {"RFC 6120 4.7.5: a header without version, from whom TLS is required",
     "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' from='strict.test' "
     "to='a.test'>",
     false, "", "<unsupported-version ", "unsupported-version", false},
    {"word of a queue before dialback", PEER, false, SETTLED("peer.test", "0123456789abcdef", "1"),
     "<unsupported-stanza-type ", "unsupported-stanza-type", false},
    {"word of a queue that the stream has not proved", PEER, true, SETTLED("bank.test", "0123456789abcdef", "1"),
     "<not-authorized ", "not-authorized", false},
    {"word of a queue without a sound epoch", PEER, true, SETTLED("peer.test", "12345", "1"), "<bad-format ",
     "bad-format", false},
    {"word of a queue with a number that is none", PEER, true, SETTLED("peer.test", "0123456789abcdef", "-1"),
     "<bad-format ", "bad-format", false},
    {"a number larger than any row's", PEER, true, SETTLED("peer.test", "0123456789abcdef", "9223372036854775807"),
     "<bad-format ", "bad-format", false},
    {"something else of a queue", PEER, true, "<other xmlns='urn:causeway:queue:1'/>", "<unsupported-stanza-type ",
     "unsupported-stanza-type", false},
    {"a number 0", PEER, true, NEXT("0"), "<bad-format ", "bad-format", false},
    {"a number in a pair that does not number", PEER, true, NEXT("1") "<message" FROM_TO "/>", "<bad-format ",
     "bad-format", false},
    {"a number before what is no message", PEER, true,
     SETTLED("peer.test", "0123456789abcdef", "0") NEXT("1") "<presence" FROM_TO "/>", "<bad-format ", "bad-format",
     false},
    {"not XML", NULL, false, "GET / HTTP/1.1\r\n\r\n", "<not-well-formed ", "not-well-formed", false},
    {"not well-formed later", PEER, true, "<message" FROM_TO "></iq>", "<not-well-formed ", "not-well-formed", false},
    {"RFC 6120 11.1: an entity declaration", NULL, false,
     "<!DOCTYPE x [<!ENTITY a 'b'>]><stream:stream>", "<restricted-xml ", "restricted-xml", false},
};

static void bad_input(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct duo d;
        struct raw raw;
        duo_open(&d);
        raw_open(&raw, &d.w, d.a.port);
        if (r->proved)
            raw_prove(&raw, r->header, "peer.test", "a.test");
        else if (r->header)
            raw_say(&raw, r->header);
        raw_say(&raw, r->said);
        if (!r->lives) {
            world_until(&d.w, raw_has(&raw, "</stream:stream>"));
            raw_say(&raw, "</stream:stream>"); /* some lines come when the end is complete */
        }
        uint64_t begin = clock_mono_ms(clock_real());
        while (!raw_has(&raw, r->heard) || !strstr(d.w.log, r->logged)) {
            world_turn(&d.w);
            if (clock_mono_ms(clock_real()) > begin + WORLD_PATIENCE_MS)
                fail_msg("%s: heard %s\n%s", r->proves, raw.heard, d.w.log);
        }
        if (d.a.x.in_count || (r->lives && strstr(raw.heard, "</stream:stream>")))
            fail_msg("%s: %s\n%s", r->proves, d.a.x.in, raw.heard);
        raw_close(&raw);
        duo_close(&d);
    }
}

/* A key is confirmed only for the stream, the pair and the server that it was made for. */
static void forged_key(void **state)
{
    (void)state;
    static const char *const types[] = {"invalid", "error"};
    for (size_t i = 0; i < 2; i++) {
        struct duo d;
        struct raw raw;
        duo_open(&d);
        d.p.verify_type = types[i];
        raw_open(&raw, &d.w, d.a.port);
        raw_say(&raw, PEER "<db:result from='peer.test' to='a.test'>forged</db:result>");
        world_until(&d.w, raw_has(&raw, i == 0 ? "type='invalid'" : "type='error'"));
        raw_say(&raw, "<message" FROM_TO "/>");
        world_until(&d.w, raw_has(&raw, "<not-authorized "));
        assert_int_equal(d.a.x.in_count, 0);
        assert_non_null(strstr(d.w.log, i == 0 ? "not its own" : "cannot verify peer.test"));
        raw_close(&raw);
        duo_close(&d);
    }
}

/* One proved pair does not prove another; a second dialback on the same stream does. */
static void two_domains_on_one_stream(void **state)
{
    (void)state;
    struct duo d;
    struct raw raw;
    duo_open(&d);
    raw_open(&raw, &d.w, d.a.port);
    raw_prove(&raw, PEER, "peer.test", "a.test");
    d.p.domain = "other.test";
    raw.heard[0] = '\0';
    raw_say(&raw, "<db:result from='other.test' to='a.test'>k</db:result>");
    world_until(&d.w, raw_has(&raw, "type='valid'"));
    raw_say(&raw, "<message id='1' from='u@other.test' to='v@a.test'/><message id='2'" FROM_TO "/>");
    world_until(&d.w, d.a.x.in_count == 2);
    assert_string_equal(d.a.x.in, "message:1 message:2 ");
    raw_close(&raw);
    duo_close(&d);
}

/* A number is of the message behind it and of no other; it does not reach the exchange as part of it. */
static void numbered(void **state)
{
    (void)state;
    struct duo d;
    struct raw raw;
    duo_open(&d);
    raw_open(&raw, &d.w, d.a.port);
    raw_prove(&raw, PEER, "peer.test", "a.test");
    raw_say(&raw, "<message id='0'" FROM_TO "/>" SETTLED("peer.test", "00000000000000ff", "3") NEXT("4")
                  "<message id='1'" FROM_TO "/><message id='2'" FROM_TO "/><presence id='p'" FROM_TO "/>" NEXT("9")
                  "<message id='3'" FROM_TO "/>");
    world_until(&d.w, d.a.x.in_count == 5);
    assert_string_equal(d.a.x.numbers, "settled:3 4:1 0:2 0:p 9:3 ");
    assert_int_equal(d.a.x.epoch, 0xff);
    raw_say(&raw, SETTLED("peer.test", "00000000000000fe", "5")); /* each would cost the store a reading */
    world_until(&d.w, raw_has(&raw, "policy-violation"));
    raw_close(&raw);
    duo_close(&d);
}

/* "settled" is counted like a stanza: who says it without end is not read until the exchange has looked at it. */
static void settled_without_end(void **state)
{
    (void)state;
    struct duo d;
    struct raw raw;
    duo_open(&d);
    d.a.x.hold = true;
    raw_open(&raw, &d.w, d.a.port);
    raw_prove(&raw, PEER, "peer.test", "a.test");
    for (int i = 0; i < WORLD_HELD; i++)
        raw_say(&raw, SETTLED("peer.test", "00000000000000ff", "3"));
    world_until(&d.w, d.a.x.held_count >= 32);
    world_calm(&d.w);
    assert_in_range(d.a.x.held_count, 32, 40); /* 64 KiB, and what was read with the last of them */
    exchange_let_go(&d.a.x);
    raw_close(&raw);
    duo_close(&d);
}

/* No more than a few questions of one stream are asked at the same time. */
static void flood_of_questions(void **state)
{
    (void)state;
    struct duo d;
    struct raw raw;
    duo_open(&d);
    d.p.features = NULL; /* silent: the questions stay open */
    raw_open(&raw, &d.w, d.a.port);
    raw_say(&raw, PEER);
    for (int i = 0; i < 40; i++)
        raw_say(&raw, "<db:result from='peer.test' to='a.test'>k</db:result>");
    world_until(&d.w, raw_has(&raw, "<resource-constraint "));
    world_until(&d.w, strstr(d.w.log, "refused: resource-constraint"));
    world_until(&d.w, d.p.conn_count == 16);
    world_calm(&d.w);
    assert_int_equal(d.p.conn_count, 16);
    world_advance(&d.w, 31000); /* each is given up in time, and answered */
    raw_listen(&raw);
    unsigned answers = 0;
    for (const char *at = raw.heard; (at = strstr(at, "<remote-server-timeout ")); at++)
        answers++;
    assert_int_equal(answers, 16);
    raw_close(&raw);
    duo_close(&d);
}

/* A question whose stream or server goes while it is under way. */
static void questions_that_lose_somebody(void **state)
{
    (void)state;
    for (int who = 0; who < 3; who++) {
        struct duo d;
        struct raw raw;
        duo_open(&d);
        d.p.verify_type = NULL;
        raw_open(&raw, &d.w, d.a.port);
        raw_say(&raw, PEER "<db:result from='peer.test' to='a.test'>k</db:result>");
        world_until(&d.w, strstr(d.p.heard, "verify"));
        if (who == 0) { /* the asker */
            raw_close(&raw);
        } else if (who == 1) { /* the authoritative server */
            peer_drop(&d.p);
            world_until(&d.w, raw_has(&raw, "<remote-server-timeout "));
        } else { /* it never answers */
            world_advance(&d.w, 21000);
            world_until(&d.w, raw_has(&raw, "<remote-server-timeout "));
        }
        world_calm(&d.w);
        if (who)
            raw_close(&raw);
        duo_close(&d);
    }
}

static void slow_peers(void **state)
{
    (void)state;
    static const struct {
        const char *proves, *said;
    } slow[] = {
        {"nothing at all", ""},
        {"half a header", "<?xml version='1.0'?><stream:stream xmlns='jabber"},
        {"a header and no more", PEER},
        {"half a stanza", PEER "<db:result from='peer.te"},
    };
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++) {
        struct duo d;
        struct raw raw;
        duo_open(&d);
        raw_open(&raw, &d.w, d.a.port);
        raw_say(&raw, slow[i].said);
        for (int k = 0; k < 7; k++)
            world_advance(&d.w, 10000);
        if (!raw_has(&raw, "<connection-timeout ") || !strstr(d.w.log, "connection-timeout"))
            fail_msg("%s: %s\n%s", slow[i].proves, raw.heard, d.w.log);
        raw_close(&raw);
        duo_close(&d);
    }
}

static void too_large(void **state)
{
    (void)state;
    for (int proved = 0; proved < 2; proved++) {
        struct duo d;
        struct raw raw;
        struct bytes b = BYTES_EMPTY;
        duo_open(&d);
        raw_open(&raw, &d.w, d.a.port);
        if (proved)
            raw_prove(&raw, PEER, "peer.test", "a.test");
        else
            raw_say(&raw, PEER);
        bytes_append_text(&b, "<message" FROM_TO "><body>");
        for (int i = 0; i < (proved ? 3000000 : 11000); i++)
            bytes_append_char(&b, 'x');
        for (size_t at = 0; at < b.len && !raw_has(&raw, "</stream:stream>");) {
            for (ssize_t n; at < b.len && (n = send(raw.fd, b.data + at, b.len - at, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0;)
                at += (size_t)n; /* as much as fits: some of it will not have been read when the stream ends */
            world_turn(&d.w);
        }
        world_until(&d.w, raw_has(&raw, "<policy-violation "));
        shutdown(raw.fd, SHUT_WR); /* what is unread has the wire wait for it */
        world_until(&d.w, strstr(d.w.log, "policy-violation"));
        bytes_fini(&b);
        raw_close(&raw);
        duo_close(&d);
    }
}

/* 64 KiB that nobody has settled: the socket is not read until somebody does. Ends while paused are
 * noticed, and settles that come after the end find their stream gone. */
static void credit(void **state)
{
    (void)state;
    for (int ends_first = 0; ends_first < 2; ends_first++) {
        struct duo d;
        struct raw raw;
        char text[2200];
        duo_open(&d);
        d.a.x.hold = true;
        raw_open(&raw, &d.w, d.a.port);
        raw_prove(&raw, PEER, "peer.test", "a.test");
        snprintf(text, sizeof text, "<message id='m'" FROM_TO "><body>%02000d</body></message>", 1);
        for (int i = 0; i < 60; i++)
            raw_say(&raw, text);
        world_until(&d.w, d.a.x.in_count > 20);
        world_calm(&d.w);
        assert_in_range(d.a.x.in_count, 28, 40);
        if (ends_first) {
            raw_close(&raw);
            world_calm(&d.w);
            side_stop(&d.a); /* with settles outstanding */
        } else {
            exchange_let_go(&d.a.x);
            world_until(&d.w, d.a.x.in_count == 60);
            raw_close(&raw);
        }
        duo_close(&d);
    }
}

/* A request between the domains comes in behind the settling of all before it on that stream: the answer
 * to a ping is what the peer forgets its messages by. */
static void answers_prove(void **state)
{
    (void)state;
    for (int ends_first = 0; ends_first < 2; ends_first++) {
        struct duo d;
        struct raw raw;
        duo_open(&d);
        d.a.x.hold = true;
        raw_open(&raw, &d.w, d.a.port);
        raw_prove(&raw, PEER, "peer.test", "a.test");
        raw_say(&raw, "<message id='m'" FROM_TO "><body>x</body></message>"
                      "<iq type='get' id='q' from='peer.test' to='a.test'><x xmlns='urn:x'/></iq>"
                      "<iq type='get' id='r' from='peer.test' to='a.test'><x xmlns='urn:x'/></iq>"
                      "<iq type='get' id='s' from='u@peer.test' to='a.test'><x xmlns='urn:x'/></iq>"
                      "<message id='n'" FROM_TO "><body>x</body></message>");
        world_until(&d.w, d.a.x.in_count == 3);
        world_calm(&d.w);
        assert_string_equal(d.a.x.in, "message:m iq:s message:n ");
        if (ends_first) {
            raw_close(&raw);
            world_calm(&d.w);
        }
        exchange_let_go(&d.a.x);
        world_until(&d.w, d.a.x.in_count == 5);
        assert_string_equal(d.a.x.in, "message:m iq:s message:n iq:q iq:r ");
        if (!ends_first)
            raw_close(&raw);
        duo_close(&d);
    }
}

/* A disk that is full: the community is told so once and not read any more, credit or not; when the disk
 * takes writes again, what waited comes in order. A stream may end, and the gateway too, while it waits. */
static void a_full_disk_stops_reading(void **state)
{
    (void)state;
    for (int mends = 0; mends < 2; mends++) {
        struct duo d;
        struct raw raw, gone;
        duo_open(&d);
        raw_open(&raw, &d.w, d.a.port);
        raw_prove(&raw, PEER, "peer.test", "a.test");
        raw_open(&gone, &d.w, d.a.port);
        raw_prove(&gone, PEER, "peer.test", "a.test");
        failing_store_break(d.a.x.store);
        d.a.x.hold = true;
        raw_say(&gone, "<message id='g'" FROM_TO "/>");
        world_until(&d.w, d.a.x.in_count == 1);
        raw_close(&gone);
        raw_say(&raw, "<message id='m'" FROM_TO "/>");
        world_until(&d.w, d.a.x.in_count == 2);
        raw_say(&raw, "<message id='n'" FROM_TO "/><message id='o'" FROM_TO "/>");
        exchange_let_go(&d.a.x); /* credit alone does not open it */
        for (int hour = 0; hour < 24; hour++)
            world_advance(&d.w, 3600 * 1000);
        assert_string_equal(d.a.x.in, "message:g message:m ");
        assert_false(raw_has(&raw, "<stream:error"));
        if (mends) {
            failing_store_mend(d.a.x.store);
            world_advance(&d.w, 1000);
            world_until(&d.w, d.a.x.in_count == 4);
            assert_string_equal(d.a.x.in, "message:g message:m message:n message:o ");
        } else {
            side_stop(&d.a);
        }
        raw_close(&raw);
        duo_close(&d);
    }
}

/* At most a few connections of one address; those that were reset before they were looked at count as
 * ended too. */
static void per_address(void **state)
{
    (void)state;
    struct duo d;
    struct raw raw[4], more;
    duo_open(&d);
    for (int i = 0; i < 20; i++) {
        struct linger now = {1, 0};
        raw_open(&more, &d.w, d.a.port);
        setsockopt(more.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        raw_close(&more);
    }
    for (int i = 0; i < 4; i++) {
        raw_open(&raw[i], &d.w, d.a.port);
        raw_say(&raw[i], PEER);
        world_until(&d.w, raw_has(&raw[i], "</stream:features>"));
    }
    raw_open(&more, &d.w, d.a.port);
    world_until(&d.w, (raw_listen(&more), more.ended));
    raw_close(&more);
    raw_close(&raw[0]);
    raw_open(&raw[0], &d.w, d.a.port);
    raw_say(&raw[0], PEER);
    world_until(&d.w, raw_has(&raw[0], "</stream:features>"));
    side_stop(&d.a); /* with streams in every state */
    for (int i = 0; i < 4; i++) {
        assert_true(raw_has(&raw[i], "<system-shutdown "));
        raw_close(&raw[i]);
    }
    duo_close(&d);
}

/* Without reading a word: what the gateway would have to answer must not pile up with it. */
static void questions_whose_answers_nobody_reads(void **state)
{
    (void)state;
    struct duo d;
    struct raw raw;
    struct bytes b = BYTES_EMPTY;
    bool cut = false;
    duo_open(&d);
    raw_open(&raw, &d.w, d.a.port);
    raw_say(&raw, PEER);
    world_until(&d.w, raw_has(&raw, "</stream:features>"));
    char key[512] = "", ask[10000] = "";
    memset(ask, '\'', 9000); /* six bytes each in an answer */
    struct bytes name = BYTES_EMPTY;
    s2s_dialback_key(d.a.s2s, "peer.test", "a.test", ask, &name);
    text_copy(key, sizeof key, bytes_text(&name));
    bytes_printf(&b, "<db:verify from='peer.test' to='a.test' id=\"%s\">%s</db:verify>", ask, key);
    for (int i = 0; i < 5000 && !cut; i++) {
        for (size_t at = 0; at < b.len && !cut;) {
            ssize_t n = send(raw.fd, b.data + at, b.len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
            at += n > 0 ? (size_t)n : 0;
            cut = n < 0 && errno != EAGAIN;
            world_turn(&d.w);
        }
    }
    assert_true(cut);
    assert_non_null(strstr(d.w.log, "it does not read what it is answered"));
    bytes_fini(&b);
    bytes_fini(&name);
    raw_close(&raw);
    duo_close(&d);
}

/* A peer whose every dialback is wrong fills the log, not a stream's life long. */
static void dialback_that_leads_nowhere(void **state)
{
    (void)state;
    static const char *const wrong[] = {"<db:verify from='peer.test' to='a.test' id='x'>k</db:verify>",
                                        "<db:verify from='peer.test' to='c.test' id='x'>k</db:verify>",
                                        "<db:result from='peer.test' to='c.test'>k</db:result>"};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        struct duo d;
        struct raw raw;
        duo_open(&d);
        raw_open(&raw, &d.w, d.a.port);
        raw_say(&raw, PEER);
        for (int i = 0; i < 150; i++)
            raw_say(&raw, wrong[k]);
        world_until(&d.w, raw_has(&raw, "<policy-violation "));
        raw_close(&raw);
        duo_close(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_input),          cmocka_unit_test(forged_key),
        cmocka_unit_test(two_domains_on_one_stream), cmocka_unit_test(numbered), cmocka_unit_test(settled_without_end), cmocka_unit_test(flood_of_questions),
        cmocka_unit_test(questions_that_lose_somebody), cmocka_unit_test(slow_peers),
        cmocka_unit_test(too_large),          cmocka_unit_test(credit),
        cmocka_unit_test(answers_prove),      cmocka_unit_test(a_full_disk_stops_reading),
        cmocka_unit_test(per_address),        cmocka_unit_test(questions_whose_answers_nobody_reads),
        cmocka_unit_test(dialback_that_leads_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
