/* SPDX-License-Identifier: MIT */
/* What a client may say when, and which error it gets otherwise: RFC 6120 sections 4 to 8. The
 * exchange is scripted; sockets, TLS, store and everything in c2s are real. */
#include "test/unit/c2s/scripted_world.h"
static int setup_two_per_address(void **state)
{
    return setup_timed(state, TOGETHER, (struct c2s_limits){.connections_per_address = 2}, (struct c2s_times){0});
}

/* ---- rows ---- */

enum stage { CONNECTED, PLAIN, SECURE, PROVED, BOUND, MANAGED };

static void reach(struct client *c, struct world *w, enum stage stage)
{
    char token[64];

    switch (stage) {
    case CONNECTED:
        client_open(c, w, 0);
        break;
    case PLAIN:
        client_plain_stage(c, w);
        break;
    case SECURE:
        client_secure_stage(c, w);
        break;
    case PROVED:
        client_proved_stage(c, w, "romeo", "rose");
        break;
    case BOUND:
        client_bound_stage(c, w);
        break;
    case MANAGED:
        client_managed_stage(c, w, token);
        break;
    }
}

#define NS_ATTRS "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
#define BIND_IQ  "<iq type='set' id='b2'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"

struct row {
    const char *what; /* what it proves */
    enum stage stage;
    const char *input;
    const char *want;
    bool ends; /* with </stream:stream> and the end of the connection */
};

static const struct row rows[] = {
    /* headers, RFC 6120 4.7 and 4.9 */
    {"what is no XML", CONNECTED, "GET / HTTP/1.1\r\n\r\n", "<not-well-formed", true},
    {"4.9.3.6 a domain that is not ours", CONNECTED, HEADER("capulet.example"), "<host-unknown",
     true},
    {"4.7.2 no 'to'", CONNECTED, "<stream:stream version='1.0' " NS_ATTRS ">", "<host-unknown",
     true},
    {"'to' is an account", CONNECTED, HEADER("romeo@montague.example"), "<host-unknown", true},
    {"4.9.3.25 no version", CONNECTED, "<stream:stream to='montague.example' " NS_ATTRS ">",
     "<unsupported-version", true},
    {"4.8.3 the content namespace of servers", CONNECTED,
     "<stream:stream to='montague.example' version='1.0' xmlns='jabber:server' "
     "xmlns:stream='http://etherx.jabber.org/streams'>",
     "<invalid-namespace", true},
    {"4.8.1 a foreign stream namespace", CONNECTED,
     "<stream:stream to='montague.example' version='1.0' xmlns='jabber:client' "
     "xmlns:stream='urn:x'>",
     "<invalid-namespace", true},
    {"11.1 a DTD", CONNECTED,
     "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><stream:stream to='montague.example'>", "<restricted-xml",
     true},
    /* before TLS */
    {"6.5.4 SASL before TLS is refused", PLAIN, "<auth " SASL " mechanism='PLAIN'>AHgAeA==</auth>",
     "<encryption-required/>", false},
    {"4.9.3.12 a stanza before login", PLAIN,
     "<message to='juliet@capulet.example'><body>hi</body></message>", "<not-authorized", true},
    {"binding before login", PLAIN, BIND_IQ, "<not-authorized", true},
    {"4.9.3.24 an unknown first-level element", PLAIN, "<pigeon xmlns='urn:x'/>",
     "<unsupported-stanza-type", true},
    {"5.4.3.3 plaintext behind <starttls/>", PLAIN,
     "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><iq type='get' id='1'/>",
     "<policy-violation", true},
    {"11.1 a comment", PLAIN, "<!-- hello -->", "<restricted-xml", true},
    {"11.1 a processing instruction", PLAIN, "<?php x?>", "<restricted-xml", true},
    {"limits before login: depth", PLAIN, "<a xmlns='u'><a><a><a><a><a><a><a><a><a><a><a>",
     "<policy-violation", true},
    {"not well-formed", PLAIN, "<a></b>", "<not-well-formed", true},
    /* SASL, RFC 6120 6.5 */
    {"6.5.7 a mechanism that is not offered", SECURE, "<auth " SASL " mechanism='CRAM-MD5'/>",
     "<invalid-mechanism/>", false},
    {"no mechanism at all", SECURE, "<auth " SASL "/>", "<invalid-mechanism/>", false},
    {"6.5.5 bad base64", SECURE, "<auth " SASL " mechanism='PLAIN'>*not base64*</auth>",
     "<incorrect-encoding/>", false},
    {"6.5.8 PLAIN without its parts", SECURE, "<auth " SASL " mechanism='PLAIN'>cm9tZW8=</auth>",
     "<malformed-request/>", false},
    {"6.5.8 SCRAM that is none", SECURE, "<auth " SASL " mechanism='SCRAM-SHA-1'>aGVsbG8=</auth>",
     "<malformed-request/>", false},
    {"6.5.1 abort", SECURE, "<auth " SASL " mechanism='SCRAM-SHA-1'/><abort " SASL "/>",
     "<aborted/>", false},
    {"a response to nothing", SECURE, "<response " SASL ">eA==</response>", "<malformed-request/>",
     false},
    {"6.5.6 somebody else's authzid", SECURE,
     "<auth " SASL " mechanism='PLAIN'>bWVyY3V0aW9AbW9udGFndWUuZXhhbXBsZQByb21lbwByb3Nl</auth>",
     "<invalid-authzid/>", false},
    {"STARTTLS twice", SECURE, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
     "<unsupported-stanza-type", true},
    {"a stanza in the middle of login", SECURE,
     "<auth " SASL " mechanism='SCRAM-SHA-1'/><presence/>", "<not-authorized", true},
    {"four failures are enough", SECURE,
     "<auth " SASL " mechanism='X'/><auth " SASL " mechanism='X'/><auth " SASL
     " mechanism='X'/><auth " SASL " mechanism='X'/>",
     "<policy-violation", true},
    /* before binding, RFC 6120 section 7 */
    {"7.1 a stanza before binding", PROVED, "<presence/>", "<not-authorized", true},
    {"XEP-0198 section 3: enabling before binding", PROVED, "<enable " SM "/>",
     "<unexpected-request", false},
    {"XEP-0198 section 5: resuming what is unknown", PROVED,
     "<resume " SM " previd='nothing' h='0'/>", "<item-not-found", false},
    {"resuming without a count", PROVED, "<resume " SM " previd='nothing'/>", "<bad-request",
     false},
    {"resuming with a count that is none", PROVED, "<resume " SM " previd='nothing' h='-1'/>",
     "<bad-request", false},
    {"7.7.2.1 a resource that cannot be", PROVED,
     "<iq type='set' id='b'><bind "
     "xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>\x7f</resource></bind></iq>",
     "<bad-request", false},
    {"7.6 the server chooses", PROVED, BIND_IQ, "<jid>romeo@montague.example/chosen</jid>", false},
    /* bound */
    {"8.1.2.1 a forged 'from'", BOUND,
     "<message from='mercutio@montague.example' to='juliet@capulet.example'/>", "<invalid-from",
     true},
    {"a 'from' that is no address", BOUND, "<message from='@' to='juliet@capulet.example'/>",
     "<invalid-from", true},
    {"8.3.3.8 'to' is no address", BOUND,
     "<iq type='get' id='m' to='@@'><ping xmlns='urn:xmpp:ping'/></iq>", "<jid-malformed", false},
    {"an unknown first-level element", BOUND, "<pigeon xmlns='urn:x'/>", "<unsupported-stanza-type",
     true},
    {"4.9.3.10 a stanza in another namespace", BOUND,
     "<message xmlns='jabber:server' to='juliet@capulet.example'/>", "<invalid-namespace", true},
    {"7.1 a second resource", BOUND, BIND_IQ, "<not-allowed", false},
    {"RFC 3921 section 3: session", BOUND,
     "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>", "id='s'",
     false},
    {"XEP-0198 without <enable/>", BOUND, "<r " SM "/>", "<unsupported-stanza-type", true},
    {"SASL again", BOUND, "<auth " SASL " mechanism='PLAIN'/>", "<unsupported-stanza-type", true},
    {"11.1 an entity", BOUND, "<message><body>&lol;</body></message>", "<stream:error", true},
    {"an orderly end", BOUND, "</stream:stream>", "</stream:stream>", true},
    {"the client's own stream error", BOUND,
     "<stream:error><reset "
     "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
     "</stream:stream>", true},
    /* stream management */
    {"XEP-0198 section 4: more than was sent", MANAGED, "<a " SM " h='1'/>",
     "<handled-count-too-high", true},
    {"a count that is none", MANAGED, "<a " SM " h='x'/>", "<bad-format", true},
    {"no count", MANAGED, "<a " SM "/>", "<bad-format", true},
    {"a second <enable/>", MANAGED, "<enable " SM "/>", "<unexpected-request", false},
    {"resuming on a bound stream", MANAGED, "<resume " SM " previd='x' h='0'/>",
     "<unexpected-request", false},
};

static void bad_input(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct client c;
        print_message("  %s\n", rows[i].what);
        reach(&c, &f->w, rows[i].stage);
        client_send(&c, rows[i].input);
        client_expect(&c, rows[i].want);
        if (rows[i].ends)
            client_expect_end(&c);
        client_close(&c);
        world_settle_down(&f->w);
        script_reset(&f->x);
    }
    struct c2s_counts n;
    world_advance(&f->w, 400000); /* resumption time is over */
    c2s_count(f->w.c2s, &n);
    assert_int_equal(n.connections, 0);
    assert_int_equal(n.links, 0);
}

/* A stanza over the limit: before login 10 KiB, afterwards 256 KiB (XEP-0205, RFC 6120 4.9.3.14).
 */
static void too_large(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum stage stage;
        size_t fits, bursts;
    } cases[] = {{PLAIN, 0, 11000}, {SECURE, 0, 11000}, {BOUND, 200000, 300000}};

    for (size_t i = 0; i < 3; i++) {
        struct client c;
        struct bytes b = BYTES_EMPTY;
        reach(&c, &f->w, cases[i].stage);
        if (cases[i].fits) {
            bytes_append_text(&b, "<message id='fits'><body>");
            for (size_t k = 0; k < cases[i].fits; k++)
                bytes_append_char(&b, 'x');
            bytes_append_text(&b, "</body></message>");
            client_send_n(&c, b.data, b.len);
            for (int turns = 0; turns < PATIENCE_TURNS && !f->x.in_count; turns++)
                world_turn(&f->w);
            assert_int_equal(f->x.in_count, 1);
            bytes_clear(&b);
        }
        bytes_append_text(&b, "<message><body>");
        for (size_t k = 0; k < cases[i].bursts; k++)
            bytes_append_char(&b, 'x');
        client_send_n(&c, b.data, b.len);
        client_expect(&c, "<policy-violation");
        client_expect_end(&c);
        bytes_fini(&b);
        client_close(&c);
        script_reset(&f->x);
    }
}
/* ---- the whole way ---- */

static void direct_tls(void **state)
{
    struct fixture *f = *state;
    struct client c;
    const unsigned char *alpn;
    unsigned len;

    client_open(&c, &f->w, 1);
    client_secure(&c, "\x0bxmpp-client");
    SSL_get0_alpn_selected(c.ssl, &alpn, &len);
    assert_int_equal(len, 11);
    client_send(&c, HEADER("montague.example"));
    client_expect(&c, "<mechanism>SCRAM-SHA-256</mechanism>");
    assert_null(strstr(c.got, "starttls"));
    client_close(&c);
}

static void features(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_plain_stage(&c, &f->w);
    assert_non_null(
        strstr(c.got, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"));
    assert_null(strstr(c.got, "mechanism"));
    client_close(&c);
    client_secure_stage(&c, &f->w);
    assert_non_null(strstr(
        c.got, "<mechanism>SCRAM-SHA-512-PLUS</mechanism><mechanism>SCRAM-SHA-256-PLUS</mechanism>"
               "<mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>SCRAM-SHA-512</mechanism>"
               "<mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-1</mechanism>"
               "<mechanism>PLAIN</mechanism></mechanisms>"));
    assert_non_null(strstr(
        c.got, "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/>"
               "<channel-binding type='tls-server-end-point'/></sasl-channel-binding>"));
    client_close(&c);
    client_proved_stage(&c, &f->w, "romeo", "rose");
    static const char *const wanted[] = {"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'",
                                         "<sm xmlns='urn:xmpp:sm:3'",
                                         "<session ",
                                         "<optional/>",
                                         "urn:xmpp:features:rosterver",
                                         "urn:xmpp:features:pre-approval"};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
        assert_non_null(strstr(c.got, wanted[i]));
    client_close(&c);
}

/* XEP-0478: what is announced holds to the byte, before and after login; in PLAIN, what is refused there anyway. */
static void limits_announced(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *proves;
        bool in;
        const char *announced;
        size_t bytes;
    } cases[] = {
        {"before login", false, "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10240</max-bytes><idle-seconds>60</idle-seconds></limits>", 10240},
        {"after login", true, "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>262144</max-bytes><idle-seconds>300</idle-seconds></limits>", 262144},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t more = 0; more < 2; more++) {
            struct client c;
            struct bytes xml = BYTES_EMPTY;
            if (cases[i].in)
                client_proved_stage(&c, &f->w, "romeo", "rose");
            else
                client_secure_stage(&c, &f->w);
            if (!strstr(c.got, cases[i].announced))
                fail_msg("%s: %s", cases[i].proves, c.got);
            if (cases[i].in)
                client_bind(&c, "orchard");
            const char *head = cases[i].in ? "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'>"
                                          : "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONE'>";
            const char *tail = cases[i].in ? "</session></iq>" : "</auth>";
            bytes_append_text(&xml, head);
            while (xml.len + strlen(tail) < cases[i].bytes + more)
                bytes_append_char(&xml, '=');
            bytes_append_text(&xml, tail);
            client_send(&c, bytes_text(&xml));
            client_expect(&c, more ? "<policy-violation" : cases[i].in ? "id='s'" : "<failure");
            if (more)
                client_expect_end(&c);
            bytes_fini(&xml);
            client_close(&c);
        }
    }
}

/* What the client says reaches the exchange in order; what the exchange delivers, the client. */
static void stanzas_in_order(void **state)
{
    struct fixture *f = *state;
    struct client c;
    char text[128];

    client_bound_stage(&c, &f->w);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text),
                 "<message id='m%d' to='juliet@capulet.example'><body>%d</body></message>", i, i);
        client_send(&c, text);
    }
    for (int i = 0; i < PATIENCE_TURNS && f->x.in_count < 100; i++)
        world_turn(&f->w);
    assert_int_equal(f->x.in_count, 100);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "m%u", i);
        assert_string_equal(f->x.in[i]->id, text);
        snprintf(text, sizeof(text),
                 "<message xmlns='jabber:client' id='d%u'><body>x</body></message>", i);
        script_deliver(&f->x, 0, text, 0);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "id='d%d'", i);
        client_expect(&c, text);
    }
    client_send(&c, "<message id='last'/></stream:stream>");
    client_expect(&c, "</stream:stream>");
    client_expect_end(&c);
    for (int i = 0; i < PATIENCE_TURNS && f->x.resources[0]->bound; i++)
        world_turn(&f->w);
    assert_string_equal(f->x.in[100]->id, "last");
    assert_false(f->x.resources[0]->bound);
    client_close(&c);
}

/* Kept messages without stream management: reported when the socket has taken them. */
static void given_to_the_socket(void **state)
{
    struct fixture *f = *state;
    struct client c;
    struct resource *r;

    client_bound_stage(&c, &f->w);
    script_deliver(&f->x, 0, "<message xmlns='jabber:client' id='k1'/>", 41);
    script_deliver(&f->x, 0, "<message xmlns='jabber:client' id='k2'/>", 0);
    script_deliver(&f->x, 0, "<message xmlns='jabber:client' id='k3'/>", 43);
    r = f->x.resources[0];
    assert_int_equal(r->done_count, 0); /* not from inside deliver */
    client_expect(&c, "id='k3'");
    for (int i = 0; i < PATIENCE_TURNS && r->done_count < 2; i++)
        world_turn(&f->w);
    assert_int_equal(r->done[0], 41);
    assert_int_equal(r->done[1], 43);
    client_close(&c);
}

static void replaced(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum stream_error why;
        const char *condition, *text;
    } ends[] = {
        {STREAM_CONFLICT, "<conflict", ">replaced by a new connection<"},
        {STREAM_NOT_AUTHORIZED, "<not-authorized", ">what you logged in with holds no more<"},
    };

    for (unsigned i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        struct client c;
        client_bound_stage(&c, &f->w);
        script_replace(&f->x, i, ends[i].why);
        client_expect(&c, ends[i].condition);
        client_expect(&c, ends[i].text);
        client_expect_end(&c);
        client_close(&c);
    }
}

static void bind_refused(void **state)
{
    struct fixture *f = *state;
    struct client c;

    f->x.refuse_bind = STANZA_RESOURCE_CONSTRAINT;
    client_proved_stage(&c, &f->w, "romeo", "rose");
    client_bind(&c, "orchard");
    assert_non_null(strstr(c.got, "<resource-constraint"));
    client_bind(&c, "orchard"); /* and may try again */
    assert_non_null(strstr(c.got, "romeo@montague.example/orchard"));
    client_close(&c);
}

static void client_state(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_bound_stage(&c, &f->w);
    client_send(&c, "<inactive xmlns='urn:xmpp:csi:0'/>");
    for (int i = 0; i < PATIENCE_TURNS && f->x.resources[0]->state != LINK_INACTIVE; i++)
        world_turn(&f->w);
    assert_int_equal(f->x.resources[0]->state, LINK_INACTIVE);
    client_send(&c, "<active xmlns='urn:xmpp:csi:0'/>");
    for (int i = 0; i < PATIENCE_TURNS && f->x.resources[0]->state != LINK_ACTIVE; i++)
        world_turn(&f->w);
    assert_int_equal(f->x.resources[0]->state, LINK_ACTIVE);
    client_close(&c);
}

/* ---- time and numbers ---- */

static void slow_clients(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *what;
        enum stage stage;
        const char *input;
        uint64_t ms;
    } cases[] = {
        {"no header", CONNECTED, "", 31000},
        {"half a header", CONNECTED, "<stream:stream to='montag", 31000},
        {"no STARTTLS", PLAIN, "", 61000},
        {"no login", SECURE, "", 61000},
        {"half a login", SECURE, "<auth " SASL " mechanism='SCRAM-SHA-1'/>", 61000},
        {"no resource", PROVED, "", 61000},
        {"half a stanza", BOUND, "<message><body>I will be with", 130000},
        {"half a stanza behind a whole one", BOUND, "<presence/><message><body>I will be with",
         130000},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct client c;
        print_message("  %s\n", cases[i].what);
        reach(&c, &f->w, cases[i].stage);
        client_send(&c, cases[i].input);
        world_advance(&f->w, cases[i].ms);
        client_expect(&c, "<connection-timeout");
        client_close(&c);
        world_advance(&f->w, 10000);
    }
}

/* What is answered on the spot counts like stanzas: a client that asks and never reads is cut. */
static void answers_that_nobody_reads(void **state)
{
    struct fixture *f = *state;
    static const enum stage stages[] = {PROVED, BOUND};
    char many[500 * sizeof("<enable xmlns='urn:xmpp:sm:3'/>")] = "";

    for (int i = 0; i < 500; i++)
        strcat(many, "<enable xmlns='urn:xmpp:sm:3'/>");
    for (size_t i = 0; i < sizeof(stages) / sizeof(*stages); i++) {
        struct client c;
        size_t said = 0;
        reach(&c, &f->w, stages[i]);
        client_send(&c, "<enable xmlns='urn:xmpp:sm:3'/>");
        while (said < (size_t)64 << 20 && !world_has_logged(&f->w, "does not read")) {
            client_push(&c, many);
            said += strlen(many);
        }
        world_until_logged(&f->w, "does not read");
        world_forget_log(&f->w);
        client_close(&c);
    }
}

/* Each stanza has its own time; whole ones in between start it anew. */
static void slow_but_steady(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_bound_stage(&c, &f->w);
    for (int i = 0; i < 4; i++) {
        client_send(&c, "<presence/><presence");
        world_advance(&f->w, 80000);
        client_send(&c, "/>");
        world_settle_down(&f->w);
    }
    WORLD_UNTIL(&f->w, f->x.in_count == 8);
    client_expect_not(&c, "error");
    client_close(&c);
}

/* Bound: after five minutes of silence a question, a minute later the end. */
static void silent_clients(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_bound_stage(&c, &f->w);
    world_advance(&f->w, 250000);
    client_send(&c, "<presence/>");
    world_settle_down(&f->w);
    world_advance(&f->w, 100000);
    client_expect_not(&c, "ping");
    world_advance(&f->w, 250000);
    client_expect(&c, "urn:xmpp:ping");
    client_send(&c, "<iq type='result' id='causeway-alive'/>");
    world_settle_down(&f->w);
    assert_int_equal(f->x.in_count, 1); /* the answer is for nobody else */
    world_advance(&f->w, 70000);
    client_expect_not(&c, "error");
    world_advance(&f->w, 300000);
    client_expect(&c, "urn:xmpp:ping");
    world_advance(&f->w, 70000);
    client_expect(&c, "<connection-timeout");
    client_close(&c);
}

static void two_per_address(void **state)
{
    struct fixture *f = *state;
    struct client c[3];

    client_plain_stage(&c[0], &f->w);
    client_plain_stage(&c[1], &f->w);
    client_open(&c[2], &f->w, 0);
    client_expect_end(&c[2]);
    client_close(&c[0]);
    world_settle_down(&f->w);
    client_close(&c[2]);
    client_plain_stage(&c[2], &f->w);
    client_close(&c[1]);
    client_close(&c[2]);
}

/* Reset before they were looked at: they count as ended too. */
static void reset_before_accepted(void **state)
{
    struct fixture *f = *state;
    struct linger now = {1, 0};
    struct client c;

    for (int i = 0; i < 6; i++) {
        client_open(&c, &f->w, 0);
        setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        client_close(&c);
        if (i % 2)
            world_settle_down(&f->w);
    }
    client_plain_stage(&c, &f->w);
    client_close(&c);
}

static void shutdown_says_so(void **state)
{
    struct fixture *f = *state;
    struct client c, d;

    client_bound_stage(&c, &f->w);
    client_plain_stage(&d, &f->w);
    c2s_stop(f->w.c2s, f->w.loop, world_on_stopped, &f->w);
    client_expect(&c, "<system-shutdown");
    client_expect(&d, "<system-shutdown");
    client_send(&c, "</stream:stream>");
    client_close(&d);
    for (int i = 0; i < PATIENCE_TURNS && !f->w.stopped; i++)
        world_turn(&f->w);
    assert_true(f->w.stopped);
    assert_false(f->x.resources[0]->bound);
    client_close(&c);
    c2s_destroy(&f->w.c2s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(bad_input),
        BOTH(too_large),
        BOTH(direct_tls),
        BOTH(features),
        BOTH(limits_announced),
        BOTH(stanzas_in_order),
        BOTH(given_to_the_socket),
        BOTH(replaced),
        BOTH(bind_refused),
        BOTH(client_state),
        BOTH(slow_clients),
        BOTH(slow_but_steady),
        BOTH(answers_that_nobody_reads),
        BOTH(silent_clients),
        cmocka_unit_test_setup_teardown(two_per_address, setup_two_per_address, teardown),
        cmocka_unit_test_setup_teardown(reset_before_accepted, setup_two_per_address, teardown),
        BOTH(shutdown_says_so),
    };
    return cmocka_run_group_tests_name("c2s_stream", tests, NULL, NULL);
}
