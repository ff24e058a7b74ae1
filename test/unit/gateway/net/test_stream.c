/* SPDX-License-Identifier: MIT */
/* The stream, spoken to by a scripted peer over a socket pair: headers, errors in their place,
 * restarts, STARTTLS, back-pressure and every way of ending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "gateway/net/stream.h"
#include "gateway/xmpp/ns.h"
#include "pki.h"

#define HEADER                                                                                     \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "                                   \
    "xmlns:stream='http://etherx.jabber.org/streams' to='a.example' version='1.0'>"
#define OUR_HEADER                                                                                 \
    "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/"                  \
    "streams' xmlns='jabber:client' from='a.example' id='i1' version='1.0'>"
#define MESSAGE(body) "<message><body>" body "</body></message>"

struct world {
    struct clock_fake clock;
    struct loop *loop;
    struct stream *stream; /* NULL once ended */
    int peer;              /* the other end of its socket */
    char said[65536];      /* by the stream */
    char trace[8192];      /* callbacks in order */
    struct stream_end end;
    struct tls_store *tls;
    /* what the policy does */
    bool pause_on_stanza, close_on_stanza, restart_on_auth, answer;
    bool in_call; /* on_end must not come inside a call of ours */
};

static void note(struct world *w, const char *what)
{
    strncat(w->trace, what, sizeof w->trace - strlen(w->trace) - 2);
    strcat(w->trace, " ");
}

static void on_header(struct stream *s, const struct stream_header *h)
{
    struct world *w = stream_user(s);
    note(w, "header");
    if (h->to && strcmp(h->to, "unknown.example") == 0) {
        stream_close(s, STREAM_HOST_UNKNOWN, NULL);
        return;
    }
    stream_send_header(s, "a.example", NULL, "i1", "1.0", NULL);
}

static void on_stanza(struct stream *s, struct stanza *st)
{
    struct world *w = stream_user(s);
    const char *body = stanza_body(st), *name = st->payload->root->name;
    note(w, body ? body : name);
    if (st->lang)
        note(w, st->lang);
    w->in_call = true;
    if (w->answer)
        stream_send(s, st);
    if (w->pause_on_stanza)
        stream_pause(s);
    if (w->close_on_stanza)
        stream_close(s, STREAM_OK, NULL);
    if (strcmp(name, "starttls") == 0) {
        stream_send_text(s, "<proceed xmlns='%s'/>", NS_TLS);
        stream_accept_tls(s, w->tls, "a.example", false);
    }
    if (w->restart_on_auth && strcmp(name, "auth") == 0) {
        stream_send_text(s, "<success xmlns='%s'/>", NS_SASL);
        stream_expect_restart(s);
    }
    w->in_call = false;
    stanza_unref(&st);
}

static void on_secure(struct stream *s, const struct tls_info *info)
{
    note(stream_user(s), info->version);
}

static void on_end(struct stream *s, const struct stream_end *end)
{
    struct world *w = stream_user(s);
    assert_false(w->in_call);
    assert_ptr_equal(w->stream, s); /* once */
    w->stream = NULL;
    w->end = *end;
    note(w, "end");
}

static const struct stream_policy client_policy = {
    .content_ns = NS_CLIENT,
    .receiving = true,
    .on_header = on_header,
    .on_stanza = on_stanza,
    .on_secure = on_secure,
    .on_end = on_end,
};

static void begin_as(struct world *w, const struct stream_policy *p)
{
    int fd[2];
    memset(w, 0, sizeof *w);
    clock_fake_init(&w->clock);
    w->loop = loop_create("test", &w->clock.clock);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    static const struct wire_events none;
    struct wire *wire = wire_open(w->loop, fd[0], &none, NULL);
    w->peer = fd[1];
    w->stream = stream_open(wire, p, w, XML_LIMITS_BEFORE_AUTH, 30000);
}

static void begin(struct world *w)
{
    begin_as(w, &client_policy);
}

static void listen_to(struct world *w)
{
    size_t have = strlen(w->said);
    ssize_t n;
    while (w->peer >= 0 && (n = recv(w->peer, w->said + have, sizeof w->said - 1 - have, 0)) > 0)
        w->said[have += (size_t)n] = '\0';
}

/* Turns until nothing happens any more. */
static void settle(struct world *w)
{
    for (int quiet = 0; quiet < 3;)
        quiet = loop_turn(w->loop) ? 0 : quiet + 1;
    listen_to(w);
}

static void say(struct world *w, const char *xml)
{
    assert_int_equal(send(w->peer, xml, strlen(xml), MSG_NOSIGNAL), strlen(xml));
    settle(w);
}

static void hang_up(struct world *w)
{
    close(w->peer);
    w->peer = -1;
    settle(w);
}

static void finish(struct world *w)
{
    if (w->stream)
        stream_abort(w->stream);
    if (w->peer >= 0)
        hang_up(w);
    settle(w);
    assert_null(w->stream);
    tls_store_destroy(&w->tls);
    loop_destroy(&w->loop);
}

/* What a peer says, what it must hear, what the policy sees, and how it ends. */
static const struct row {
    const char *proves;
    const char *said;
    const char *heard; /* after our header, or whole when it starts with '?' */
    const char *trace;
    enum stream_error sent, received;
    bool ends, orderly;
} rows[] = {
    {"a header is answered", HEADER, "", "header ", 0, 0, false, false},
    {"stanzas arrive in order", HEADER MESSAGE("1") MESSAGE("2"), "", "header 1 2 ", 0, 0, false,
     false},
    {"RFC 6120 4.4: an end is answered by an end", HEADER "</stream:stream>", "</stream:stream>",
     "header end ", 0, 0, true, true},
    {"RFC 6120 4.9.3.10: another content namespace",
     "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
     "to='a.example' version='1.0'>",
     "?<invalid-namespace ", "end ", STREAM_INVALID_NAMESPACE, 0, true, false},
    {"RFC 6120 4.9.3.10: another stream namespace",
     "<stream:stream xmlns='jabber:client' xmlns:stream='http://other.example/' version='1.0'>",
     "?<invalid-namespace ", "end ", STREAM_INVALID_NAMESPACE, 0, true, false},
    {"RFC 6120 4.9.1.2: an error before our header has one in front",
     "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
     "to='unknown.example' version='1.0'>",
     "?from='unknown.example' id=", "header end ", STREAM_HOST_UNKNOWN, 0, true, false},
    {"not XML at all", "GET / HTTP/1.1\r\n\r\n", "?<not-well-formed ", "end ",
     STREAM_NOT_WELL_FORMED, 0, true, false},
    {"not well-formed later on", HEADER MESSAGE("1") "<message></iq>",
     "<stream:error><not-well-formed ", "header 1 end ", STREAM_NOT_WELL_FORMED, 0, true, false},
    {"RFC 6120 11.1: a comment", HEADER "<!-- x -->", "<stream:error><restricted-xml ",
     "header end ", STREAM_RESTRICTED_XML, 0, true, false},
    {"the peer's error is kept, and answered by our end",
     HEADER "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text "
            "xmlns='urn:ietf:params:xml:ns:xmpp-streams'>gone</text></stream:error>"
            "</stream:stream>",
     "</stream:stream>", "header error end ", 0, STREAM_CONFLICT, true, true},
};

static void conversations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct world w;
        begin(&w);
        say(&w, r->said);
        if (r->ends && w.stream)
            hang_up(&w);
        const char *tail = w.said;
        bool whole = r->heard[0] == '?';
        if (!whole) {
            if (strncmp(w.said, OUR_HEADER, strlen(OUR_HEADER)) != 0)
                fail_msg("%s: no header in %s", r->proves, w.said);
            tail += strlen(OUR_HEADER);
        } else if (strncmp(w.said, "<?xml version='1.0'?><stream:stream ", 36) != 0) {
            fail_msg("%s: no header before the error in %s", r->proves, w.said);
        }
        if (!strstr(tail, r->heard + whole))
            fail_msg("%s: heard %s", r->proves, w.said);
        if (strcmp(w.trace, r->trace) != 0)
            fail_msg("%s: saw %s", r->proves, w.trace);
        if (r->ends != (w.stream == NULL) ||
            (r->ends && (w.end.sent != r->sent || w.end.received != r->received ||
                         w.end.orderly != r->orderly)))
            fail_msg("%s: ended otherwise: %s", r->proves, w.end.text);
        finish(&w);
    }
}

/* A byte a turn gives the same events. */
static void byte_by_byte(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (const char *p = HEADER MESSAGE("1") MESSAGE("2") "</stream:stream>"; *p; p++) {
        send(w.peer, p, 1, MSG_NOSIGNAL);
        loop_turn(w.loop);
        loop_turn(w.loop);
    }
    settle(&w);
    assert_string_equal(w.trace, "header 1 2 end ");
    assert_true(w.end.orderly);
    finish(&w);
}

static void we_close_first(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    say(&w, HEADER);
    stream_close(w.stream, STREAM_SYSTEM_SHUTDOWN, "see <you> later");
    stream_close(w.stream, STREAM_CONFLICT, NULL); /* harmless */
    assert_false(stream_is_open(w.stream));
    settle(&w);
    assert_non_null(strstr(w.said, "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:"
                                   "xmpp-streams'/><text "));
    assert_non_null(strstr(w.said, "see &lt;you&gt; later</text></stream:error></stream:stream>"));
    assert_non_null(w.stream); /* waits for the peer's word */
    say(&w, MESSAGE("late"));  /* nobody hears this any more */
    say(&w, "</stream:stream>");
    assert_string_equal(w.trace, "header end ");
    assert_true(w.end.orderly);
    assert_int_equal(w.end.sent, STREAM_SYSTEM_SHUTDOWN);
    finish(&w);
}

/* A peer that never says its end tag is waited for five seconds. */
static void peer_never_closes(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    say(&w, HEADER);
    stream_close(w.stream, STREAM_OK, NULL);
    settle(&w);
    clock_fake_advance(&w.clock, 4900);
    settle(&w);
    assert_non_null(w.stream);
    clock_fake_advance(&w.clock, 200);
    settle(&w);
    assert_null(w.stream);
    assert_false(w.end.orderly);
    finish(&w);
}

static void closed_inside_its_own_event(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.close_on_stanza = true;
    say(&w, HEADER MESSAGE("1") MESSAGE("2") MESSAGE("3"));
    assert_string_equal(w.trace, "header 1 ");
    say(&w, "</stream:stream>");
    assert_string_equal(w.trace, "header 1 end ");
    finish(&w);
}

/* The answer to the last stanza leaves before our end tag. */
static void last_answer_first(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.answer = true;
    say(&w, HEADER MESSAGE("1") "</stream:stream>");
    assert_string_equal(w.said + strlen(OUR_HEADER), MESSAGE("1") "</stream:stream>");
    finish(&w);
}

static void ways_of_vanishing(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    say(&w, HEADER);
    hang_up(&w);
    assert_null(w.stream);
    assert_int_equal(w.end.wire, WIRE_END_EOF);
    assert_false(w.end.orderly);
    finish(&w);

    begin(&w); /* cut before a word was said */
    w.in_call = true;
    stream_abort(w.stream);
    w.in_call = false;
    assert_non_null(w.stream);
    settle(&w);
    assert_null(w.stream);
    assert_string_equal(w.trace, "end ");
    finish(&w);
}

/* RFC 6120 4.9.3.4: a peer that does not say its header. */
static void silent_peer(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    settle(&w);
    clock_fake_advance(&w.clock, 29999);
    settle(&w);
    assert_string_equal(w.said, "");
    clock_fake_advance(&w.clock, 1);
    settle(&w);
    assert_non_null(strstr(w.said, "<connection-timeout "));
    assert_int_equal(strncmp(w.said, "<?xml", 5), 0);
    hang_up(&w);
    assert_int_equal(w.end.sent, STREAM_CONNECTION_TIMEOUT);
    finish(&w);
}

/* A peer that begins an element and does not end it; one that ends each in time may go on for
 * ever. */
static void slow_element(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    say(&w, HEADER "<mess");
    for (int i = 0; i < 5; i++) {
        clock_fake_advance(&w.clock, 100000);
        say(&w, "age><body>1</body></message><mess");
    }
    assert_string_equal(w.trace, "header 1 1 1 1 1 ");
    say(&w, "age>");
    clock_fake_advance(&w.clock, 120000);
    settle(&w);
    assert_non_null(strstr(w.said, "<connection-timeout "));
    finish(&w);

    begin(&w); /* not while we are the ones who do not read */
    w.pause_on_stanza = true;
    say(&w, HEADER MESSAGE("1") "<mess");
    clock_fake_advance(&w.clock, 500000);
    settle(&w);
    assert_true(stream_is_open(w.stream));
    finish(&w);
}

static void restart(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.restart_on_auth = true;
    say(&w, HEADER "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    say(&w, HEADER MESSAGE("1"));
    assert_string_equal(w.trace, "header auth header 1 ");
    assert_string_equal(w.said, OUR_HEADER
                        "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>" OUR_HEADER);
    clock_fake_advance(&w.clock, 60000); /* the header's time is over only for who said none */
    settle(&w);
    assert_non_null(w.stream);
    finish(&w);
}

static void error_after_restart(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.restart_on_auth = true;
    say(&w, HEADER "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    w.said[0] = '\0';
    clock_fake_advance(&w.clock, 30000);
    settle(&w);
    assert_int_equal(strncmp(w.said, "<?xml", 5), 0); /* a new header, then the error */
    assert_non_null(strstr(w.said, "<connection-timeout "));
    finish(&w);
}

static void pause_and_resume(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.pause_on_stanza = true;
    say(&w, HEADER MESSAGE("1") MESSAGE("2"));
    assert_string_equal(w.trace, "header 1 ");
    say(&w, MESSAGE("3"));
    assert_string_equal(w.trace, "header 1 ");
    stream_resume(w.stream);
    assert_string_equal(w.trace, "header 1 "); /* never inside resume */
    settle(&w);
    assert_string_equal(w.trace, "header 1 2 ");
    stream_resume(w.stream);
    settle(&w);
    assert_string_equal(w.trace, "header 1 2 3 ");
    stream_close(w.stream, STREAM_OK, NULL); /* paused: the peer's end is heard all the same */
    say(&w, MESSAGE("4") "</stream:stream>");
    assert_string_equal(w.trace, "header 1 2 3 end ");
    assert_true(w.end.orderly);
    finish(&w);
}

static void default_language(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    say(&w, HEADER);
    stream_set_content_lang(w.stream, "de");
    say(&w, MESSAGE("1") "<message xml:lang='fr'><body>2</body></message>");
    assert_string_equal(w.trace, "header 1 de 2 fr ");
    finish(&w);
}

static void give_tls(struct world *w, struct pki *p)
{
    struct error e = ERROR_INIT;
    struct pki_files f = pki_issue(p, "a.example", "DNS:a.example", 30);
    w->tls = tls_store_create(p->ca_file, &e);
    assert_non_null(w->tls);
    if (!tls_store_set(w->tls, "a.example", f.chain, f.key, &e))
        fail_msg("%s", e.text);
}

/* RFC 6120 5.4.3.3, CVE-2011-0411: plaintext behind <starttls/> must not count as protected. */
static void pipelined_plaintext(void **state)
{
    (void)state;
    static const char *const more[] = {MESSAGE("evil"), "<mess", HEADER};
    struct pki p;
    pki_init(&p);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        struct world w;
        char text[1024];
        begin(&w);
        give_tls(&w, &p);
        snprintf(text, sizeof text, "%s<starttls xmlns='%s'/>%s", HEADER, NS_TLS, more[i]);
        say(&w, text);
        assert_non_null(strstr(w.said, "<policy-violation "));
        assert_string_equal(w.trace, "header starttls ");
        hang_up(&w);
        assert_int_equal(w.end.sent, STREAM_POLICY_VIOLATION);
        finish(&w);
    }
    pki_fini(&p);
}

/* -- STARTTLS, with two streams of ours at the two ends */

struct both {
    struct clock_fake clock;
    struct loop *loop;
    struct stream *server, *client;
    struct tls_store *tls;
    char trace[1024];
};

static void note_both(struct stream *s, const char *what)
{
    struct both *b = stream_user(s);
    size_t have = strlen(b->trace);
    snprintf(b->trace + have, sizeof b->trace - have, "%s:%s ", s == b->server ? "S" : "C", what);
}

static void both_header(struct stream *s, const struct stream_header *h)
{
    struct both *b = stream_user(s);
    (void)h;
    note_both(s, "header");
    if (s == b->server) {
        stream_send_header(s, "a.example", NULL, "1", "1.0", NULL);
        stream_send_text(s, "<stream:features/>");
    }
}

static void both_stanza(struct stream *s, struct stanza *st)
{
    struct both *b = stream_user(s);
    const char *name = st->payload->root->name;
    note_both(s, name);
    if (strcmp(name, "features") == 0 && !wire_tls(stream_wire(s)))
        stream_send_text(s, "<starttls xmlns='%s'/>", NS_TLS);
    else if (strcmp(name, "features") == 0)
        stream_close(s, STREAM_OK, NULL);
    if (strcmp(name, "starttls") == 0) {
        stream_send_text(s, "<proceed xmlns='%s'/>", NS_TLS);
        stream_accept_tls(s, b->tls, "a.example", true);
    }
    if (strcmp(name, "proceed") == 0)
        stream_connect_tls(s, b->tls, &(struct tls_peer){.local_domain = "a.example", .name = "a.example"});
    stanza_unref(&st);
}

static void both_secure(struct stream *s, const struct tls_info *info)
{
    struct both *b = stream_user(s);
    note_both(s, info->peer_chain_valid ? "secure" : "insecure");
    if (s == b->client)
        stream_send_header(s, "b.example", "a.example", NULL, "1.0", NULL);
}

static void both_end(struct stream *s, const struct stream_end *end)
{
    struct both *b = stream_user(s);
    note_both(s, end->orderly ? "end" : end->text);
    if (s == b->server)
        b->server = NULL;
    else
        b->client = NULL;
}

static const struct stream_policy server_side = {.content_ns = NS_SERVER,
                                                 .receiving = true,
                                                 .on_header = both_header,
                                                 .on_stanza = both_stanza,
                                                 .on_secure = both_secure,
                                                 .on_end = both_end};
static const struct stream_policy client_side = {.content_ns = NS_SERVER,
                                                 .receiving = false,
                                                 .on_header = both_header,
                                                 .on_stanza = both_stanza,
                                                 .on_secure = both_secure,
                                                 .on_end = both_end};

static void starttls_both_ways(void **state)
{
    (void)state;
    struct both b = {0};
    struct pki p;
    struct world w = {0};
    int fd[2];
    static const struct wire_events none;
    pki_init(&p);
    give_tls(&w, &p);
    b.tls = w.tls;
    clock_fake_init(&b.clock);
    b.loop = loop_create("test", &b.clock.clock);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    b.server = stream_open(wire_open(b.loop, fd[0], &none, NULL), &server_side, &b,
                           XML_LIMITS_DEFAULT, 30000);
    b.client = stream_open(wire_open(b.loop, fd[1], &none, NULL), &client_side, &b,
                           XML_LIMITS_DEFAULT, 30000);
    stream_send_header(b.client, "b.example", "a.example", NULL, "1.0", NULL);
    for (int i = 0; i < 1000 && (b.server || b.client); i++)
        loop_turn(b.loop);
    assert_null(b.server);
    assert_null(b.client);
    char *c_end = strstr(b.trace, "C:end "), *s_end = strstr(b.trace, "S:end ");
    assert_non_null(c_end);
    assert_non_null(s_end);
    *(c_end < s_end ? c_end : s_end) = '\0';
    /* TLS 1.3: the client is done one flight before the server. */
    assert_string_equal(b.trace, "S:header C:header C:features S:starttls C:proceed C:secure "
                                 "S:secure S:header C:header C:features ");
    while (loop_turn(b.loop))
        ;
    tls_store_destroy(&w.tls);
    loop_destroy(&b.loop);
    pki_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(we_close_first),
        cmocka_unit_test(peer_never_closes),
        cmocka_unit_test(closed_inside_its_own_event),
        cmocka_unit_test(last_answer_first),
        cmocka_unit_test(ways_of_vanishing),
        cmocka_unit_test(silent_peer),
        cmocka_unit_test(slow_element),
        cmocka_unit_test(restart),
        cmocka_unit_test(error_after_restart),
        cmocka_unit_test(pause_and_resume),
        cmocka_unit_test(default_language),
        cmocka_unit_test(pipelined_plaintext),
        cmocka_unit_test(starttls_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
