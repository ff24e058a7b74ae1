/* SPDX-License-Identifier: MIT */
/* Clients over BOSH (XEP-0124, XEP-0206): sessions, the window of requests, how long they wait, and that behind them all is
 * as over TCP. A `struct client` is a connection here; a session may use several. */
#include "test/unit/c2s/scripted_world.h"
#include "c2s/c2s_bosh.h"

#define BOSH   "xmlns='http://jabber.org/protocol/httpbind'"
#define XBOSH  "xmlns:xmpp='urn:xmpp:xbosh'"
#define CLIENT "xmlns='jabber:client'"
#define PLAIN  "<auth " SASL " mechanism='PLAIN'>AHJvbWVvAHJvc2U=</auth>"
#define OPENS  "rid='1' to='montague.example' xml:lang='en' ver='1.6' xmpp:version='1.0' " XBOSH " "
#define BIND   "<iq " CLIENT " type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"

#define K1     "92713d4709377111cf31f2a71986c411bd6cb5b0" /* SHA-1 of "seed" */
#define K2     "c62acc6f8c0c715ca7c1c81bec6fea819c9c3c62" /* of that */

enum { TLS = 2, PROXIED = 3 };

struct session {
    struct world *w;
    struct client c; /* the connection that it mostly uses */
    unsigned listener;
    unsigned long rid; /* the last one used */
    char sid[40];
};

static void open_door(struct client *c, struct world *w, unsigned listener)
{
    client_open(c, w, listener);
    if (listener == TLS)
        client_secure(c, NULL);
}

static void post(struct client *c, const char *lines, const char *xml)
{
    struct bytes b = BYTES_EMPTY;

    bytes_printf(&b, "POST /bosh HTTP/1.1\r\nHost: montague.example\r\n%sContent-Length: %zu\r\n\r\n%s", lines, strlen(xml), xml);
    client_send(c, bytes_text(&b));
    bytes_fini(&b);
}

/* The body of the next answer, in c->got. */
static void answer(struct client *c)
{
    char head[1024];

    client_expect(c, "\r\n\r\n");
    snprintf(head, sizeof(head), "%s", c->got);
    if (!strstr(head, "HTTP/1.1 200 "))
        fail_msg("%s", head);
    client_expect(c, ">");
    const char *tag = strdup(c->got);
    if (!strstr(tag, "/>")) {
        client_expect(c, "</body>");
        char *all;
        assert_true(asprintf(&all, "%s%s", tag, c->got) > 0);
        snprintf(c->got, sizeof(c->got), "%s", all);
        free(all);
    }
    free((void *)tag);
}

/* No answer has come. */
static void silent(struct client *c)
{
    client_expect_not(c, "HTTP");
}

static void expect_in(const struct client *c, const char *text)
{
    if (!strstr(c->got, text))
        fail_msg("awaited: %s\ncame: %s", text, c->got);
}

static void ask_at(struct session *s, struct client *c, unsigned long rid, const char *attrs, const char *xml)
{
    struct bytes b = BYTES_EMPTY;

    bytes_printf(&b, "<body rid='%lu' sid='%s' %s " BOSH ">%s</body>", rid, s->sid, attrs, xml);
    post(c, "", bytes_text(&b));
    bytes_fini(&b);
}

static void ask(struct session *s, const char *attrs, const char *xml)
{
    ask_at(s, &s->c, ++s->rid, attrs, xml);
}

static void begin_with(struct session *s, struct world *w, unsigned listener, const char *attrs)
{
    struct bytes b = BYTES_EMPTY;

    *s = (struct session){.w = w, .listener = listener, .rid = 1};
    open_door(&s->c, w, listener);
    bytes_printf(&b, "<body " OPENS "%s " BOSH "/>", attrs);
    post(&s->c, "", bytes_text(&b));
    answer(&s->c);
    client_attr(&s->c, "sid", s->sid, sizeof(s->sid));
    bytes_fini(&b);
}

static void begin(struct session *s, struct world *w)
{
    begin_with(s, w, TLS, "wait='60' hold='1'");
}

static void prove(struct session *s)
{
    ask(s, "", PLAIN);
    answer(&s->c);
    expect_in(&s->c, "<success ");
    ask(s, "to='montague.example' xmpp:restart='true' " XBOSH, "");
    answer(&s->c);
    expect_in(&s->c, "<bind ");
}

static void bind_as(struct session *s)
{
    ask(s, "", BIND);
    answer(&s->c);
    expect_in(&s->c, "<jid>");
}

static void login(struct session *s, struct world *w)
{
    begin(s, w);
    prove(s);
    bind_as(s);
}

/* A connection that nothing is asked on ends after 30 s. */
static void reopen(struct session *s)
{
    client_close(&s->c);
    open_door(&s->c, s->w, s->listener);
}

static void until_in(struct fixture *f, unsigned count)
{
    for (int i = 0; i < PATIENCE_TURNS && f->x.in_count < count; i++)
        world_turn(&f->w);
    assert_int_equal(f->x.in_count, count);
}

/* ---- HTTP ---- */

static void http(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *request, *answer, *proves;
    } rows[] = {
        {"GET /bosh HTTP/1.1\r\nHost: a\r\n\r\n", "405 ", "a browser's address line"},
        {"OPTIONS /bosh HTTP/1.1\r\nHost: a\r\nOrigin: https://chat.example\r\nAccess-Control-Request-Method: POST\r\n\r\n",
         "Access-Control-Allow-Origin: https://chat.example\r\n", "a page's preflight"},
        {"OPTIONS /bosh HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n\r\n", "403 ", "of a page that is not listed"},
        {"POST /bosh HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n\r\n", "403 ", "its request"},
        {"POST /boshx HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "404 ", "another path"},
        {"POST /bosh HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "condition='bad-request'", "nothing"},
        {"POST /bosh HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n<body><a>", "condition='bad-request'", "no body of ours"},
        {"POST /bosh HTTP/1.1\r\nHost: a\r\nContent-Length: 54\r\n\r\n<body rid='1' xmlns='http://jabber.org/protocol/other'/>",
         "condition='bad-request'", "another namespace"},
        {"POST /bosh HTTP/1.1\r\nHost: a\r\nContent-Length: 57\r\n\r\n<body rid='x' xmlns='http://jabber.org/protocol/httpbind'/>",
         "condition='bad-request'", "a number that is none (XEP-0124 7.1)"},
        {"POST /bosh HTTP/1.1\r\nHost: a\r\nContent-Length: 67\r\n\r\n<body rid='1' sid='a' xmlns='http://jabber.org/protocol/httpbind'/>",
         "condition='item-not-found'", "a session that there is not"},
        {"POST /bosh HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n", "413 ", "larger than any body"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct client c;
        open_door(&c, &f->w, TLS);
        client_send(&c, rows[i].request);
        client_expect(&c, rows[i].answer);
        client_close(&c);
    }
}

/* ---- sessions ---- */

static void creation(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *attrs, *has[5], *proves;
    } rows[] = {
        {"wait='60' hold='1'", {" wait='55'", " hold='1'", " requests='2'", " inactivity='60'", " maxpause='120'"}, "as most ask"},
        {"wait='20' hold='9'", {" wait='20'", " hold='2'", " requests='3'"}, "no more is held than we like (7.2)"},
        {"wait='20' hold='0'", {" hold='0'", " requests='1'", " polling='"}, "polling (12)"},
        {"wait='0' hold='1'", {" hold='0'", " requests='1'"}, "polling, said otherwise"},
        {"", {" wait='55'", " hold='1'"}, "no wishes"},
        {"wait='60' hold='1' ack='1'", {" ack='1'"}, "acknowledgements (9.2)"},
        {"wait='60' hold='1' ", {" ver='1.6'", " xmpp:restartlogic='true'", " xmpp:version='1.0'", " from='montague.example'", " authid='"}, "XEP-0206 4"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct session s;
        begin_with(&s, &f->w, TLS, rows[i].attrs);
        for (int k = 0; k < 5 && rows[i].has[k]; k++)
            if (!strstr(s.c.got, rows[i].has[k]))
                fail_msg("%s: %s: %s", rows[i].proves, rows[i].has[k], s.c.got);
        expect_in(&s.c, "<stream:features xmlns:stream=");
        expect_in(&s.c, "<mechanism>SCRAM-SHA-256</mechanism>");
        assert_null(strstr(s.c.got, "PLUS"));
        assert_null(strstr(s.c.got, "channel-binding"));
        assert_int_equal(strlen(s.sid), 24);
        client_close(&s.c);
    }
}

static void refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *attrs, *condition, *proves;
    } rows[] = {
        {"rid='1' to='capulet.example' xmpp:version='1.0'", " condition='host-unknown'", "another domain"},
        {"rid='1' xmpp:version='1.0'", " condition='improper-addressing'", "none"},
        {"rid='1' to='montague.example' xmpp:version='0.9'", " condition='remote-stream-error'", "XMPP of before RFC 3920"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct client c;
        char xml[300];
        open_door(&c, &f->w, TLS);
        snprintf(xml, sizeof(xml), "<body %s wait='60' hold='1' " XBOSH " " BOSH "/>", rows[i].attrs);
        post(&c, "", xml);
        answer(&c);
        if (!strstr(c.got, rows[i].condition) || !strstr(c.got, "type='terminate'") || !strstr(c.got, "<stream:error "))
            fail_msg("%s: %s", rows[i].proves, c.got);
        client_close(&c);
    }
}

static void stanzas(void **state)
{
    struct fixture *f = *state;
    struct session s;

    login(&s, &f->w);
    ask(&s, "", "<presence " CLIENT "/><message " CLIENT " to='juliet@capulet.example'><body>1</body></message>"
                "<message to='juliet@capulet.example'><body>2</body></message>");
    until_in(f, 3);
    assert_string_equal(f->x.in[2]->to->bare, "juliet@capulet.example"); /* what declares nothing is a stanza too */
    silent(&s.c); /* held */
    world_advance(&f->w, 54000);
    silent(&s.c);
    world_advance(&f->w, 2000);
    answer(&s.c);
    assert_string_equal(s.c.got, "<body " BOSH "/>");
    ask(&s, "", "");
    silent(&s.c);
    ask(&s, "type='terminate'", "<presence " CLIENT " type='unavailable'/>");
    answer(&s.c); /* pipelined behind the one that is held */
    answer(&s.c);
    expect_in(&s.c, " type='terminate'/>");
    until_in(f, 4);
    client_close(&s.c);
}

/* The second connection's request lets the first one's go. */
static void two_connections(void **state)
{
    struct fixture *f = *state;
    struct session s;
    struct client d;

    login(&s, &f->w);
    open_door(&d, &f->w, TLS);
    ask(&s, "", "");
    silent(&s.c);
    ask_at(&s, &d, ++s.rid, "", "<presence " CLIENT "/>");
    answer(&s.c);
    silent(&d);
    until_in(f, 1);
    /* out of order: 3 before 2 */
    unsigned long rid = s.rid;
    ask_at(&s, &s.c, rid + 2, "", "<message " CLIENT " to='juliet@capulet.example' id='second'/>");
    silent(&s.c);
    assert_int_equal(f->x.in_count, 1);
    struct client e;
    open_door(&e, &f->w, TLS);
    ask_at(&s, &e, rid + 1, "", "<message " CLIENT " to='juliet@capulet.example' id='first'/>");
    until_in(f, 3);
    assert_string_equal(f->x.in[1]->id, "first");
    assert_string_equal(f->x.in[2]->id, "second");
    answer(&d);
    answer(&e);
    silent(&s.c);
    client_close(&e);
    client_close(&d);
    client_close(&s.c);
}

/* An answer that was lost is given again, word for word; one of long ago ends the session. */
static void repeated(void **state)
{
    struct fixture *f = *state;
    struct session s;
    char first[4096];

    login(&s, &f->w);
    unsigned long rid = s.rid;
    snprintf(first, sizeof(first), "%s", s.c.got);
    ask_at(&s, &s.c, rid, "", BIND);
    answer(&s.c);
    assert_string_equal(s.c.got, first);
    world_settle_down(&f->w);
    assert_int_equal(f->x.in_count, 0); /* not taken again */
    ask_at(&s, &s.c, rid - 1, "", "");
    answer(&s.c);
    expect_in(&s.c, "<bind ");
    ask_at(&s, &s.c, rid - 2, "", "");
    answer(&s.c);
    expect_in(&s.c, " condition='item-not-found'");
    ask(&s, "", "");
    answer(&s.c);
    expect_in(&s.c, " condition='item-not-found'");
    client_close(&s.c);
}

static void beyond_window(void **state)
{
    struct fixture *f = *state;
    struct session s;

    login(&s, &f->w);
    ask_at(&s, &s.c, s.rid + 3, "", "");
    answer(&s.c);
    expect_in(&s.c, " type='terminate' condition='item-not-found'");
    client_close(&s.c);
}

/* A connection that breaks while its request is held: asked again, it is answered there. */
static void lost(void **state)
{
    struct fixture *f = *state;
    struct session s;

    login(&s, &f->w);
    ask(&s, "", "");
    silent(&s.c);
    client_close(&s.c);
    world_settle_down(&f->w);
    open_door(&s.c, &f->w, TLS);
    ask_at(&s, &s.c, s.rid, "", "");
    silent(&s.c);
    ask(&s, "", "<presence " CLIENT "/>");
    answer(&s.c);
    until_in(f, 1);
    client_close(&s.c);
}

static void acknowledged(void **state)
{
    struct fixture *f = *state;
    struct session s;
    struct client d;

    begin_with(&s, &f->w, TLS, "wait='60' hold='1' ack='1'");
    open_door(&d, &f->w, TLS);
    ask(&s, "", "");
    silent(&s.c);
    ask_at(&s, &d, ++s.rid, "", PLAIN);
    answer(&s.c);
    expect_in(&s.c, " ack='3'"); /* of the request after it, XEP-0124 9.1 */
    answer(&d);
    client_close(&d);
    client_close(&s.c);
}

/* Many more than may be under way come in one turn, each over a connection of its own: all but the last are answered,
 * each with what is its own, and nothing is taken twice or lost. */
static void overmuch(void **state)
{
    enum { MANY = 11 };
    struct fixture *f = *state;
    struct session s;
    struct client c[MANY];
    char xml[120], second[4096];

    login(&s, &f->w);
    for (int i = 0; i < MANY; i++)
        open_door(&c[i], &f->w, TLS);
    world_settle_down(&f->w); /* nothing of theirs is under way: they are read in the order in which they ask */
    unsigned long rid = s.rid;
    for (int i = 0; i < MANY; i++) {
        snprintf(xml, sizeof(xml), "<message " CLIENT " to='juliet@capulet.example' id='%d'/>", i);
        ask_at(&s, &c[i], rid + 1 + (unsigned)i, "", xml);
    }
    until_in(f, MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(xml, sizeof(xml), "%d", i);
        assert_string_equal(f->x.in[i]->id, xml);
    }
    for (int i = 0; i < MANY - 1; i++)
        answer(&c[i]);
    silent(&c[MANY - 1]);
    snprintf(second, sizeof(second), "%s", c[MANY - 2].got);
    ask_at(&s, &c[0], rid + MANY - 1, "", ""); /* of the last but one the answer is kept */
    answer(&c[0]);
    assert_string_equal(c[0].got, second);
    for (int i = 0; i < MANY; i++)
        client_close(&c[i]);
    client_close(&s.c);
}

/* A request for a session of a loop that has closed its door already. */
static void door_is_closed(void **state)
{
    struct fixture *f = *state;
    struct client c;

    open_door(&c, &f->w, TLS);
    world_settle_down(&f->w);
    c2s_bosh_close(&f->w.c2s->ios[0]);
    post(&c, "", "<body rid='2' sid='000123456789012345678901' " BOSH "/>");
    answer(&c);
    expect_in(&c, " condition='item-not-found'");
    c2s_bosh_open(&f->w.c2s->ios[0]);
    client_close(&c);
}

/* Behind the end every request has an answer, also one far beyond. */
static void beyond_the_end(void **state)
{
    struct fixture *f = *state;
    struct session s;
    struct client c[3];

    login(&s, &f->w);
    for (int i = 0; i < 3; i++)
        open_door(&c[i], &f->w, TLS);
    ask_at(&s, &c[0], s.rid + 9, "", "");
    ask_at(&s, &c[1], s.rid + 17, "", "");
    ask_at(&s, &c[2], s.rid + 25, "", "");
    for (int i = 0; i < 3; i++) {
        answer(&c[i]);
        expect_in(&c[i], " condition='item-not-found'");
        client_close(&c[i]);
    }
    client_close(&s.c);
}

static void too_often(void **state)
{
    struct fixture *f = *state;
    static const char *const wishes[] = {"wait='60' hold='1'", "wait='60' hold='0'"};

    for (size_t i = 0; i < 2; i++) {
        struct session s;
        begin_with(&s, &f->w, TLS, wishes[i]);
        bool over = false;
        for (int k = 0; k < 12 && !over; k++) {
            ask(&s, "", "");
            if (k == 0 && i == 0)
                continue;
            answer(&s.c);
            over = strstr(s.c.got, "policy-violation");
            assert_true(over || k < 8);
        }
        assert_true(over);
        world_until_logged(&f->w, "it asks too often");
        world_forget_log(&f->w);
        client_close(&s.c);
    }
}

static void inactive(void **state)
{
    struct fixture *f = *state;
    struct session s, t;
    char token[64], resume[200];

    login(&s, &f->w);
    ask(&s, "", "<enable " SM " resume='true'/>");
    answer(&s.c);
    client_attr(&s.c, "id", token, sizeof(token));
    snprintf(resume, sizeof(resume), "<resume " SM " previd='%s' h='0'/>", token);
    world_advance(&f->w, 58000);
    reopen(&s);
    ask(&s, "pause='100'", "");
    answer(&s.c); /* at once (10) */
    world_advance(&f->w, 90000);
    reopen(&s);
    ask(&s, "", "");
    silent(&s.c);
    world_advance(&f->w, 56000);
    answer(&s.c);
    world_advance(&f->w, 62000);
    world_until_logged(&f->w, "nothing was asked for too long");
    reopen(&s);
    ask(&s, "", "");
    answer(&s.c);
    expect_in(&s.c, " condition='item-not-found'");
    client_close(&s.c);

    begin(&t, &f->w); /* which was a cut: the stream goes on */
    prove(&t);
    ask(&t, "", resume);
    answer(&t.c);
    expect_in(&t.c, "<resumed ");
    ask(&t, "type='terminate'", "");
    answer(&t.c);
    client_close(&t.c);
}

static void resumed_over_tcp(void **state)
{
    struct fixture *f = *state;
    struct session s;
    struct client c;
    char token[64], resume[200];

    login(&s, &f->w);
    ask(&s, "", "<enable " SM " resume='true'/>");
    answer(&s.c);
    client_attr(&s.c, "id", token, sizeof(token));
    ask(&s, "", "");
    silent(&s.c);
    snprintf(resume, sizeof(resume), "<resume " SM " previd='%s' h='0'/>", token);
    client_proved_stage(&c, &f->w, "romeo", "rose");
    client_send(&c, resume);
    client_expect(&c, "<resumed ");
    answer(&s.c);
    expect_in(&s.c, " type='terminate' condition='remote-stream-error'");
    expect_in(&s.c, "<conflict ");
    client_close(&c);
    client_close(&s.c);
}

/* XEP-0124 15: keys of a sequence, SHA-1 of each other. */
static void keys(void **state)
{
    struct fixture *f = *state;
    struct session s;

    begin_with(&s, &f->w, TLS, "wait='60' hold='1' newkey='" K2 "'");
    ask(&s, "key='" K1 "'", PLAIN);
    answer(&s.c);
    expect_in(&s.c, "<success ");
    ask_at(&s, &s.c, s.rid, "key='" K1 "'", "");
    answer(&s.c);
    expect_in(&s.c, "<success ");
    ask(&s, "key='" K1 "'", "");
    answer(&s.c);
    expect_in(&s.c, " condition='item-not-found'");
    client_close(&s.c);
}

static void bad_input(void **state)
{
    struct fixture *f = *state;
    static char large[10400];
    memset(large, 'x', sizeof(large) - 1);
    memcpy(large, "<a xmlns='u:a'>", 15);
    memcpy(large + sizeof(large) - 5, "</a>", 4);
    static const struct {
        const char *attrs, *xml, *condition, *proves;
    } rows[] = {
        {"", "<auth " SASL ">", "not-well-formed", "half an element"},
        {"", "<auth " SASL "/></body><body>", "not-well-formed", "something behind the body"},
        {"", "<!-- -->", "restricted-xml", "a comment (RFC 6120 11.1)"},
        {"", "words", "bad-format", "text between stanzas"},
        {"", "<message " CLIENT "/>", "not-authorized", "a stanza before login"},
        {"", large, "policy-violation", "larger than before login"},
        {"xmpp:restart='true' " XBOSH, "", "bad-format", "a restart inside an open stream"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct session s;
        begin(&s, &f->w);
        ask(&s, rows[i].attrs, rows[i].xml);
        answer(&s.c);
        if (!strstr(s.c.got, rows[i].condition) || !strstr(s.c.got, "<stream:error ") || !strstr(s.c.got, "type='terminate'"))
            fail_msg("%s: %s", rows[i].proves, s.c.got);
        client_close(&s.c);
    }
}

/* Who logs in over a proxy is who it says; the answers are of the type that was asked for, if that is harmless. */
static void proxied(void **state)
{
    struct fixture *f = *state;
    struct client c;

    for (int evil = 0; evil < 2; evil++) {
        open_door(&c, &f->w, PROXIED);
        post(&c, "Origin: https://any.example\r\nX-Forwarded-For: 1.2.3.4, 192.0.2.7\r\n",
             evil ? "<body " OPENS " content='text/html' " BOSH "/>" : "<body " OPENS " content='text/plain' " BOSH "/>");
        client_expect(&c, "\r\n\r\n");
        assert_non_null(strstr(c.got, "Access-Control-Allow-Origin: *\r\n"));
        assert_non_null(strstr(c.got, evil ? "Content-Type: text/xml; charset=utf-8\r\n" : "Content-Type: text/plain\r\n"));
        client_close(&c);
    }
    world_advance(&f->w, 61000);
    world_until_logged(&f->w, "192.0.2.7");
}

static int setup_few(void **state)
{
    return setup_timed(state, TOGETHER, (struct c2s_limits){.connections_per_address = 3}, (struct c2s_times){0});
}

/* Sessions of an address, not only its connections, are bounded. */
static void few_per_address(void **state)
{
    struct fixture *f = *state;
    struct session s;

    for (int i = 0; i < 3; i++) {
        begin(&s, &f->w);
        client_close(&s.c);
    }
    open_door(&s.c, &f->w, TLS);
    post(&s.c, "", "<body " OPENS BOSH "/>");
    answer(&s.c);
    expect_in(&s.c, "policy-violation");
    world_advance(&f->w, 61000);
    client_close(&s.c);
    begin(&s, &f->w);
    client_close(&s.c);
}

static int setup_two_io(void **state)
{
    return setup_timed(state, TWO_IO, (struct c2s_limits){0}, (struct c2s_times){0});
}

/* Connections are dealt to loops by the kernel, a session lives on one: whichever it is, its requests find it. */
static void on_two_loops(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 6; i++) {
        struct session s;
        struct client d;
        login(&s, &f->w);
        for (int k = 0; k < 4; k++) {
            open_door(&d, &f->w, TLS);
            ask_at(&s, &d, ++s.rid, "", "");
            if (k % 2)
                client_close(&d);
            ask(&s, "", "<presence " CLIENT "/>");
            if (k % 2 == 0) {
                answer(&d);
                client_close(&d);
            }
            world_settle_down(&f->w);
        }
        ask(&s, "type='terminate'", "");
        world_settle_down(&f->w);
        client_close(&s.c);
    }
}

static void shutdown_says_so(void **state)
{
    struct fixture *f = *state;
    struct session s;

    login(&s, &f->w);
    ask(&s, "", "");
    silent(&s.c);
    c2s_stop(f->w.c2s, f->w.loop, world_on_stopped, &f->w);
    answer(&s.c);
    expect_in(&s.c, " type='terminate' condition='system-shutdown'");
    for (int i = 0; i < PATIENCE_TURNS && !f->w.stopped; i++)
        world_turn(&f->w);
    assert_true(f->w.stopped);
    client_close(&s.c);
    c2s_destroy(&f->w.c2s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(http),     BOTH(creation),     BOTH(refused),   BOTH(stanzas),  BOTH(two_connections),  BOTH(repeated),
        BOTH(lost),     BOTH(beyond_window), BOTH(acknowledged), BOTH(too_often), BOTH(overmuch), BOTH(beyond_the_end), cmocka_unit_test_setup_teardown(door_is_closed, setup, teardown), BOTH(inactive),     BOTH(resumed_over_tcp),
        BOTH(keys),     BOTH(bad_input),    BOTH(proxied),
        cmocka_unit_test_setup_teardown(few_per_address, setup_few, teardown),
        cmocka_unit_test_setup_teardown(on_two_loops, setup_two_io, teardown),
        BOTH(shutdown_says_so),
    };
    return cmocka_run_group_tests_name("c2s_bosh", tests, NULL, NULL);
}
