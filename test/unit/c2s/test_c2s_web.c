/* SPDX-License-Identifier: MIT */
/* Clients over WebSocket (RFC 7395): the handshake, what frames may carry, and that behind them all is as over TCP. */
#include "test/unit/c2s/scripted_world.h"

#define FRAMING "xmlns='urn:ietf:params:xml:ns:xmpp-framing'"
#define OPEN    "<open " FRAMING " to='montague.example' version='1.0'/>"
#define CLIENT  "xmlns='jabber:client'"
#define GET     "GET /ws HTTP/1.1\r\nHost: montague.example\r\n"
#define UPGRADE "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define REST    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: other, xmpp\r\n"

enum { WSS = 2, WS = 3 };

static void shake(struct client *c, struct world *w, unsigned listener, const char *lines)
{
    client_open(c, w, listener);
    if (listener == WSS)
        client_secure(c, NULL);
    client_send(c, GET UPGRADE KEY REST);
    client_send(c, lines);
    client_send(c, "\r\n");
    client_expect(c, "\r\n\r\n");
    assert_non_null(strstr(c->got, "HTTP/1.1 101 "));
    assert_non_null(strstr(c->got, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")); /* RFC 6455 1.3 */
    assert_non_null(strstr(c->got, "Sec-WebSocket-Protocol: xmpp\r\n"));
    c->framed = true;
}

static void open_stream(struct client *c)
{
    client_send(c, OPEN);
    client_expect(c, "</stream:features>");
}

static void auth(struct client *c)
{
    struct bytes b64 = BYTES_EMPTY, xml = BYTES_EMPTY;

    base64_encode(&b64, "\0romeo\0rose", 11);
    bytes_printf(&xml, "<auth " SASL " mechanism='PLAIN'>%s</auth>", bytes_text(&b64));
    client_send(c, bytes_text(&xml));
    client_expect(c, "/>"); /* of <success/> */
    bytes_fini(&b64);
    bytes_fini(&xml);
}

static void prove(struct client *c)
{
    auth(c);
    assert_non_null(strstr(c->got, "<success "));
    open_stream(c);
}

static void bind_as(struct client *c)
{
    client_send(c, "<iq " CLIENT " type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    client_expect(c, "</iq>");
}

static void until_over(struct client *c)
{
    for (int i = 0; i < PATIENCE_TURNS && !c->eof; i++)
        if (!client_read(c))
            world_turn(c->w);
    assert_true(c->eof);
}

/* ---- the handshake ---- */

static void refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *request, *answer, *proves;
    } rows[] = {
        {"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", " 426 ", "a browser's address line: what is here"},
        {"POST /ws HTTP/1.1\r\nHost: a\r\n" UPGRADE KEY REST "Content-Length: 0\r\n\r\n", " 405 ", "not GET"},
        {GET UPGRADE KEY "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n", " 426 ", "an old version"},
        {GET UPGRADE REST "\r\n", " 400 ", "no key"},
        {GET UPGRADE REST "Sec-WebSocket-Key: c2hvcnQ=\r\n\r\n", " 400 ", "a key that is not 16 bytes"},
        {GET UPGRADE KEY "Sec-WebSocket-Version: 13\r\n\r\n", " 400 ", "no subprotocol (RFC 7395 3.1)"},
        {GET UPGRADE KEY "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp2\r\n\r\n", " 400 ", "another subprotocol"},
        {GET UPGRADE KEY REST "Origin: https://evil.example\r\n\r\n", " 403 ", "a page that is not listed"},
        {"GET /wsx HTTP/1.1\r\nHost: a\r\n" UPGRADE KEY REST "\r\n", " 404 ", "another path"},
        {GET UPGRADE KEY REST "\r\n\x81\x80zzzz", " 400 ", "data before the answer"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct client c;
        client_open(&c, &f->w, WSS);
        client_secure(&c, NULL);
        client_send(&c, rows[i].request);
        client_expect(&c, "\r\n\r\n");
        if (!strstr(c.got, rows[i].answer))
            fail_msg("%s: %s", rows[i].proves, c.got);
        client_close(&c);
    }
}

static void origin_welcome(void **state)
{
    struct fixture *f = *state;
    struct client c;

    shake(&c, &f->w, WSS, "Origin: https://chat.example\r\n");
    open_stream(&c);
    client_close(&c);
    shake(&c, &f->w, WS, "Origin: https://any.example\r\nX-Forwarded-For: 1.2.3.4, 192.0.2.7\r\n");
    open_stream(&c);
    client_close(&c);
}

static void host_meta(void **state)
{
    struct fixture *f = *state;
    struct client c;
    char url[64];

    snprintf(url, sizeof(url), "wss://montague.example:%u/ws", c2s_port(f->w.c2s, WSS));
    client_open(&c, &f->w, WS);
    client_send(&c, "GET /.well-known/host-meta HTTP/1.1\r\nHost: montague.example:5281\r\n\r\n");
    client_expect(&c, "</XRD>");
    assert_non_null(strstr(c.got, "Access-Control-Allow-Origin: *\r\n"));
    assert_non_null(strstr(c.got, "rel='urn:xmpp:alt-connections:websocket'"));
    assert_non_null(strstr(c.got, url));
    client_send(&c, "GET /.well-known/host-meta.json HTTP/1.1\r\nHost: montague.example\r\n\r\n");
    client_expect(&c, "}]}");
    assert_non_null(strstr(c.got, "Content-Type: application/json"));
    assert_non_null(strstr(c.got, url));
    snprintf(url, sizeof(url), "\"https://montague.example:%u/bosh\"", c2s_port(f->w.c2s, WSS));
    assert_non_null(strstr(c.got, "{\"rel\":\"urn:xmpp:alt-connections:xbosh\",\"href\":"));
    assert_non_null(strstr(c.got, url));
    client_send(&c, "POST /.well-known/host-meta HTTP/1.1\r\nHost: montague.example\r\nContent-Length: 0\r\n\r\n");
    client_expect(&c, " 405 ");
    client_close(&c);
}

static int setup_known(void **state)
{
    static const char *const addresses[] = {"192.0.2.1", "2001:db8::1", NULL};
    struct fixture *f = mem_new(struct fixture);

    world_open(&f->w, TOGETHER);
    f->w.public_addresses = addresses;
    f->x.loop = f->w.loop;
    f->w.exchange = &f->x;
    world_start(&f->w, (struct c2s_limits){0});
    *state = f;
    return 0;
}

/* XEP-0487: with addresses configured all that it makes mandatory is there, and the XRD is as before. */
static void host_meta_2(void **state)
{
    struct fixture *f = *state;
    static const char ips[] = "\"sni\":\"montague.example\",\"ips\":[\"192.0.2.1\",\"2001:db8::1\"]}";
    struct client c;
    char text[600];

    client_open(&c, &f->w, WS);
    client_send(&c, "GET /.well-known/host-meta.json HTTP/1.1\r\nHost: montague.example\r\n\r\n");
    client_expect(&c, "]}]}");
    assert_non_null(strstr(c.got, "\r\n\r\n{\"xmpp\":{\"ttl\":3600},\"links\":[{\"rel\":\"urn:xmpp:alt-connections:websocket\","));
    snprintf(text, sizeof(text), "\"href\":\"wss://montague.example:%u/ws\",\"priority\":20,\"weight\":50,%s", c2s_port(f->w.c2s, WSS), ips);
    assert_non_null(strstr(c.got, text));
    snprintf(text, sizeof(text), "\"href\":\"https://montague.example:%u/bosh\",\"priority\":30,\"weight\":50,%s", c2s_port(f->w.c2s, WSS), ips);
    assert_non_null(strstr(c.got, text));
    snprintf(text, sizeof(text), "{\"rel\":\"urn:xmpp:alt-connections:tls\",\"port\":%u,\"priority\":10,\"weight\":50,%s", c2s_port(f->w.c2s, 1), ips);
    assert_non_null(strstr(c.got, text));
    snprintf(text, sizeof(text), "{\"rel\":\"urn:xmpp:alt-connections:s2s-tls\",\"port\":5270,\"priority\":10,\"weight\":50,%s", ips);
    assert_non_null(strstr(c.got, text));
    client_send(&c, "GET /.well-known/host-meta HTTP/1.1\r\nHost: montague.example\r\n\r\n");
    client_expect(&c, "</XRD>");
    assert_null(strstr(c.got, "alt-connections:tls"));
    client_close(&c);
}

/* ---- streams ---- */

static void features(void **state)
{
    struct fixture *f = *state;
    struct client c;

    shake(&c, &f->w, WSS, "");
    client_send(&c, OPEN);
    client_expect(&c, "/>");
    assert_non_null(strstr(c.got, "<open " FRAMING " from='montague.example' id='"));
    client_expect(&c, "</stream:features>");
    assert_int_equal(strncmp(c.got, "<stream:features xmlns:stream='http://etherx.jabber.org/streams'>", 65), 0);
    assert_non_null(strstr(c.got, "<mechanism>SCRAM-SHA-512-PLUS</mechanism>"));
    assert_non_null(strstr(c.got, "<channel-binding type='tls-exporter'/>"));
    assert_null(strstr(c.got, "starttls"));
    client_send(&c, "<close " FRAMING "/>");
    client_expect(&c, "<close " FRAMING "/>");
    until_over(&c);
    assert_int_equal(c.close_code, 1000);
    client_close(&c);

    shake(&c, &f->w, WS, ""); /* TLS is the proxy's */
    open_stream(&c);
    assert_null(strstr(c.got, "PLUS"));
    assert_null(strstr(c.got, "channel-binding"));
    assert_null(strstr(c.got, "starttls"));
    assert_non_null(strstr(c.got, "<mechanism>PLAIN</mechanism>"));
    client_close(&c);
}

static void stanzas(void **state)
{
    struct fixture *f = *state;
    static const char begun[] = "<message " CLIENT " to='juliet@capulet.example'><bo";
    struct client c;

    shake(&c, &f->w, WSS, "");
    open_stream(&c);
    prove(&c);
    assert_non_null(strstr(c.got, "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"));
    bind_as(&c);
    assert_non_null(strstr(c.got, "<iq xmlns='jabber:client'"));
    client_send_frame(&c, 0x01, begun, strlen(begun));
    client_send_frame(&c, 0x89, "alive?", 6);
    client_send_frame(&c, 0x80, "dy>hi</body></message>", 22);
    client_send(&c, "<presence " CLIENT "/>");
    for (int i = 0; i < PATIENCE_TURNS && f->x.in_count < 2; i++)
        world_turn(&f->w);
    assert_int_equal(f->x.in_count, 2);
    client_expect_not(&c, "<stream:error");
    assert_int_equal(c.pongs, 1);
    client_close(&c);
}

/* The connection is cut by a Close without <close/>, as by a page that is left: the stream goes on over TCP, and then
 * over a WebSocket again. */
static void resumed_elsewhere(void **state)
{
    struct fixture *f = *state;
    struct client c;
    char token[64], resume[200];

    shake(&c, &f->w, WSS, "");
    open_stream(&c);
    prove(&c);
    bind_as(&c);
    client_send(&c, "<enable " SM " resume='true'/>");
    client_expect(&c, "/>");
    client_attr(&c, "id", token, sizeof(token));
    snprintf(resume, sizeof(resume), "<resume " SM " previd='%s' h='0'/>", token);
    client_send_frame(&c, 0x88, "\x03\xe9", 2); /* going away */
    until_over(&c);
    client_close(&c);

    client_proved_stage(&c, &f->w, "romeo", "rose");
    client_send(&c, resume);
    client_expect(&c, "<resumed ");
    client_close(&c);

    shake(&c, &f->w, WSS, "");
    open_stream(&c);
    prove(&c);
    client_send(&c, resume);
    client_expect(&c, "<resumed ");
    client_close(&c);
}

static void bad_input(void **state)
{
    struct fixture *f = *state;
    static char large[10300];
    memset(large, 'x', sizeof(large) - 1);
    memcpy(large, "<a>", 3);
    static const struct {
        bool opened;
        unsigned first;
        const char *data;
        size_t len;
        const char *condition;
        unsigned code;
        const char *proves;
    } rows[] = {
        {false, 0x81, HEADER("montague.example"), 0, "bad-format", 1000, "a stream header instead of <open/> (3.3)"},
        {false, 0x81, "<presence " CLIENT "/>", 0, "bad-format", 1000, "a stanza instead of <open/>"},
        {false, 0x81, "<open " FRAMING " to='capulet.example' version='1.0'/>", 0, "host-unknown", 1000, "another domain"},
        {true, 0x81, OPEN, 0, "bad-format", 1000, "<open/> in an open stream"},
        {true, 0x81, "<reopen " FRAMING "/>", 0, "bad-format", 1000, "no element of the framing"},
        {true, 0x81, "<auth " SASL "/><auth " SASL "/>", 0, "not-well-formed", 1000, "two elements in a message (3.3)"},
        {true, 0x81, "<auth " SASL ">", 0, "bad-format", 1000, "half an element in a message (3.3)"},
        {true, 0x81, "</stream:stream>", 0, "not-well-formed", 1000, "the end tag of TCP"},
        {true, 0x81, "<!-- --><auth " SASL "/>", 0, "restricted-xml", 1000, "a comment (RFC 6120 11.1)"},
        {true, 0x81, "<message><body/></message>", 0, "invalid-namespace", 1000, "a stanza of no namespace"},
        {true, 0x81, "<message " CLIENT "/>", 0, "not-authorized", 1000, "a stanza before login"},
        {true, 0x81, large, sizeof(large) - 1, "policy-violation", 1009, "larger than before login"},
        {true, 0x01, large, sizeof(large) - 1, "policy-violation", 1009, "the same as a fragment"},
        {true, 0x82, "<a/>", 0, "bad-format", 1003, "binary"},
        {true, 0x81, "<a>\xff</a>", 0, "unsupported-encoding", 1007, "not UTF-8"},
        {true, 0xc1, "<a/>", 0, "bad-format", 1002, "a reserved bit"},
        {true, 0x80, "<a/>", 0, "bad-format", 1002, "a continuation of nothing"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct client c;
        shake(&c, &f->w, WSS, "");
        if (rows[i].opened)
            open_stream(&c);
        client_send_frame(&c, (unsigned char)rows[i].first, rows[i].data, rows[i].len ? rows[i].len : strlen(rows[i].data));
        client_expect(&c, "</stream:error>");
        if (!strstr(c.got, rows[i].condition) || !strstr(c.got, "<stream:error xmlns:stream='http://etherx"))
            fail_msg("%s: %s", rows[i].proves, c.got);
        client_expect(&c, "<close " FRAMING "/>");
        client_expect_end(&c);
        if (c.close_code != rows[i].code)
            fail_msg("%s: code %u", rows[i].proves, c.close_code);
        world_until_logged(&f->w, rows[i].condition);
        world_forget_log(&f->w);
        client_close(&c);
    }
}

static void ping_flood(void **state)
{
    struct fixture *f = *state;
    struct client c;

    shake(&c, &f->w, WSS, "");
    open_stream(&c);
    for (int i = 0; i < 21; i++)
        client_send_frame(&c, 0x89, "", 0);
    client_expect(&c, "<policy-violation");
    client_expect_end(&c);
    assert_int_equal(c.close_code, 1008);
    assert_int_equal(c.pongs, 20);
    client_close(&c);
}

/* <close/> where <open/> is awaited: at the beginning, and after SASL. Over TCP there is no such thing. */
static void closed_unopened(void **state)
{
    struct fixture *f = *state;

    for (int proved = 0; proved < 2; proved++) {
        struct client c;
        shake(&c, &f->w, WSS, "");
        if (proved) {
            open_stream(&c);
            auth(&c);
        }
        client_send(&c, "<close " FRAMING "/>");
        client_expect(&c, "<close " FRAMING "/>");
        until_over(&c);
        assert_int_equal(c.close_code, 1000);
        client_close(&c);
    }
}

/* Time-outs are those of TCP; before the upgrade those of HTTP. */
static void slow(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_open(&c, &f->w, WSS);
    client_secure(&c, NULL);
    client_send(&c, GET);
    world_advance(&f->w, 16000);
    client_expect(&c, " 408 ");
    client_close(&c);
    shake(&c, &f->w, WSS, "");
    world_advance(&f->w, 31000);
    client_expect(&c, "<connection-timeout");
    client_close(&c);
    shake(&c, &f->w, WSS, "");
    open_stream(&c);
    world_advance(&f->w, 61000);
    client_expect(&c, "<connection-timeout");
    client_close(&c);
}

static int setup_two_per_address(void **state)
{
    return setup_timed(state, TOGETHER, (struct c2s_limits){.connections_per_address = 2}, (struct c2s_times){0});
}

/* Counted from the connection to its end, over the change from HTTP to a stream. */
static void two_per_address(void **state)
{
    struct fixture *f = *state;
    struct client c[3];

    shake(&c[0], &f->w, WSS, "");
    shake(&c[1], &f->w, WSS, "");
    client_open(&c[2], &f->w, WSS);
    until_over(&c[2]);
    client_close(&c[2]);
    client_close(&c[0]);
    world_settle_down(&f->w);
    shake(&c[2], &f->w, WSS, "");
    open_stream(&c[2]);
    client_close(&c[1]);
    client_close(&c[2]);
    for (int i = 0; i < 3; i++) /* behind a proxy they are not */
        shake(&c[i], &f->w, WS, "");
    for (int i = 0; i < 3; i++)
        client_close(&c[i]);
}

/* The peer leaves in the very turn in which its request is answered, or in the next. */
static void leaves_at_once(void **state)
{
    struct fixture *f = *state;
    struct linger now = {1, 0};
    struct client c;

    for (int i = 0; i < 6; i++) {
        client_open(&c, &f->w, WS);
        client_send(&c, GET UPGRADE KEY REST "\r\n");
        if (i % 2)
            setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        if (i > 3)
            world_turn(&f->w);
        client_close(&c);
    }
    world_settle_down(&f->w);
    shake(&c, &f->w, WS, "");
    open_stream(&c);
    client_close(&c);
}

static void shutdown_says_so(void **state)
{
    struct fixture *f = *state;
    struct client c, d;

    shake(&c, &f->w, WSS, "");
    open_stream(&c);
    client_open(&d, &f->w, WSS); /* not yet a WebSocket */
    world_settle_down(&f->w);
    c2s_stop(f->w.c2s, f->w.loop, world_on_stopped, &f->w);
    client_expect(&c, "<system-shutdown");
    client_expect_end(&c);
    for (int i = 0; i < PATIENCE_TURNS && !f->w.stopped; i++)
        world_turn(&f->w);
    assert_true(f->w.stopped);
    client_close(&c);
    client_close(&d);
    c2s_destroy(&f->w.c2s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(refused),   BOTH(origin_welcome), BOTH(host_meta), BOTH(features),   BOTH(stanzas), BOTH(resumed_elsewhere),
        BOTH(bad_input), BOTH(ping_flood),     BOTH(closed_unopened), BOTH(slow), BOTH(leaves_at_once),
        cmocka_unit_test_setup_teardown(two_per_address, setup_two_per_address, teardown),
        BOTH(shutdown_says_so),
        cmocka_unit_test_setup_teardown(host_meta_2, setup_known, teardown),
    };
    return cmocka_run_group_tests_name("c2s_web", tests, NULL, NULL);
}
