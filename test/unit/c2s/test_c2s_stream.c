/* SPDX-License-Identifier: MIT */
/* What a client may say when, and which error it gets otherwise: RFC 6120 sections 4 to 8. The
 * exchange is scripted; sockets, TLS, store and everything in c2s are real. */
#include "test/unit/c2s/c2s_world.h"
#include "test/unit/c2s/scripted_exchange.h"

struct fixture {
    struct world w;
    struct exchange x;
};

static int setup_timed(void **state, enum arrangement how, struct c2s_limits limits, struct c2s_times times)
{
    struct fixture *f = mem_new(struct fixture);

    world_open(&f->w, how);
    f->w.times = times;
    f->x.loop = f->w.loop;
    f->x.settle_at_once = true;
    f->w.exchange = &f->x;
    world_start(&f->w, limits);
    *state = f;
    return 0;
}

static int setup_with(void **state, enum arrangement how, struct c2s_limits limits)
{
    return setup_timed(state, how, limits, (struct c2s_times){0});
}

static int setup_hasty(void **state)
{
    return setup_timed(state, TOGETHER, (struct c2s_limits){0}, (struct c2s_times){.login_ms = 3000});
}

static int setup(void **state)
{
    return setup_with(state, TOGETHER, (struct c2s_limits){0});
}

static int setup_threaded(void **state)
{
    return setup_with(state, THREADED, (struct c2s_limits){0});
}

static int setup_two_per_address(void **state)
{
    return setup_with(state, TOGETHER, (struct c2s_limits){.connections_per_address = 2});
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    script_reset(&f->x);
    world_stop(&f->w);
    script_free_resources(&f->x);
    world_close(&f->w);
    mem_free(f);
    return 0;
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

/* ---- login ---- */

static void auth_plain(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *what, *authzid, *user, *password, *want;
    } cases[] = {
        {"right", "", "romeo", "rose", "<success"},
        {"right, with one's own authzid", "romeo@montague.example", "romeo", "rose", "<success"},
        {"a name in capitals is the same account", "", "ROMEO", "rose", "<success"},
        {"keys of SHA-1 only serve PLAIN as well", "", "abram", "thumb", "<success"},
        {"wrong password", "", "romeo", "thorn", "<not-authorized/>"},
        {"no such account: the same error", "", "nobody", "rose", "<not-authorized/>"},
        {"6.5.2 disabled", "", "tybalt", "cats", "<account-disabled/>"},
        {"disabled is not told to who does not know the password", "", "tybalt", "dogs",
         "<not-authorized/>"},
        {"a name that cannot be", "", "ro@meo", "rose", "<not-authorized/>"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct client c;
        print_message("  %s\n", cases[i].what);
        client_secure_stage(&c, &f->w);
        client_auth_plain(&c, cases[i].authzid, cases[i].user, cases[i].password);
        client_expect(&c, cases[i].want);
        client_close(&c);
    }
    /* One line each, with the address; never the password. */
    assert_true(world_has_logged(&f->w, "127.0.0.1"));
    assert_true(world_has_logged(&f->w, "login failed: not-authorized, as nobody"));
    assert_false(world_has_logged(&f->w, "thorn"));
}

/* Wrong passwords for one account from one network, each on a connection of its own. */
static void guess(struct fixture *f, unsigned times, const char *from)
{
    for (unsigned i = 0; i < times; i++) {
        struct client c;
        client_secure_stage_from(&c, &f->w, from);
        client_auth_plain(&c, "", "romeo", "thorn");
        client_expect(&c, "<not-authorized/>");
        client_close(&c);
    }
}

/* A password was derived and looked at, and the outcome waits for so long. */
static void expect_held(struct fixture *f, struct client *c, const char *password, const char *after)
{
    world_forget_log(&f->w);
    client_auth_plain(c, "", "romeo", password);
    for (int i = 0; i < PATIENCE_TURNS && !world_has_logged(&f->w, "the outcome is told after"); i++)
        world_turn(&f->w);
    assert_true(world_has_logged(&f->w, after));
    client_expect_not(c, "<failure");
    client_expect_not(c, "<success");
}

/* Whoever reconnects and guesses on waits longer each time, whether the guess was right or wrong; a person
 * at another network, and other accounts, do not wait; and what waits does no harm when its client leaves. */
static void guesses_wait(void **state)
{
    struct fixture *f = *state;
    struct client wrong, right, other, away, gone;

    guess(f, 2, "127.0.0.1");
    client_secure_stage(&wrong, &f->w);
    expect_held(f, &wrong, "thorn", "after 1000 ms");
    world_advance(&f->w, 1100);
    client_expect(&wrong, "<not-authorized/>");
    client_secure_stage_from(&right, &f->w, "127.0.0.77");
    expect_held(f, &right, "rose", "after 2000 ms");
    client_secure_stage_from(&away, &f->w, "127.0.1.1");
    client_auth_plain(&away, "", "romeo", "rose");
    client_expect(&away, "<success");
    client_secure_stage(&other, &f->w);
    client_auth_plain(&other, "", "mercutio", "mab");
    client_expect(&other, "<success");
    client_expect_not(&right, "<success");
    world_advance(&f->w, 2200);
    client_expect(&right, "<success");
    client_send(&right, HEADER("montague.example"));
    client_expect(&right, "<bind");
    guess(f, 2, "127.0.0.1");
    client_secure_stage(&gone, &f->w);
    expect_held(f, &gone, "thorn", "after 1000 ms");
    client_close(&gone);
    world_advance(&f->w, 20000);
    client_close(&wrong);
    client_close(&right);
    client_close(&other);
    client_close(&away);
}

/* Where little time is given for logging in, the wait leaves enough of it: the owner gets in from there too. */
static void guesses_wait_less_than_a_login_may_take(void **state)
{
    struct fixture *f = *state;
    struct client wrong, right;

    guess(f, 2, "127.0.0.1");
    client_secure_stage(&wrong, &f->w);
    expect_held(f, &wrong, "thorn", "after 1000 ms");
    client_secure_stage(&right, &f->w);
    expect_held(f, &right, "rose", "after 1000 ms"); /* 2 s, if there were time */
    world_advance(&f->w, 1100);
    client_expect(&wrong, "<not-authorized/>");
    client_expect(&right, "<success");
    client_close(&wrong);
    client_close(&right);
}

/* What scram() binds to; type NULL: nothing. */
struct bound {
    const char *type;
    struct span data;
};

static void scram_bound(struct client *c, enum scram_hash hash, const char *user,
                        const char *password, struct bound bound, const char *want)
{
    struct scram_client s;
    struct bytes text = BYTES_EMPTY, b64 = BYTES_EMPTY, challenge = BYTES_EMPTY;

    scram_client_init(&s, hash, user, NULL);
    if (bound.type)
        scram_client_bind(&s, bound.type, bound.data);
    scram_client_first(&s, &text);
    base64_encode(&b64, text.data, text.len);
    client_send(c, hash == SCRAM_SHA1 ? "<auth " SASL " mechanism='SCRAM-SHA-1"
                                      : "<auth " SASL " mechanism='SCRAM-SHA-256");
    client_send(c, bound.type ? "-PLUS'>" : "'>");
    client_send(c, bytes_text(&b64));
    client_send(c, "</auth>");
    client_expect(c, "<challenge");
    client_expect(c, ">");
    client_expect(c, "</challenge>");
    assert_true(base64_decode(&challenge, c->got, strcspn(c->got, "<")));
    bytes_clear(&text);
    bytes_clear(&b64);
    assert_true(scram_client_final(&s, password, bytes_span(&challenge), &text));
    base64_encode(&b64, text.data, text.len);
    client_send(c, "<response " SASL ">");
    client_send(c, bytes_text(&b64));
    client_send(c, "</response>");
    client_expect(c, want);
    if (strcmp(want, "<success") == 0) {
        client_expect(c, ">");
        client_expect(c, "</success>");
        bytes_clear(&text);
        assert_true(base64_decode(&text, c->got, strcspn(c->got, "<")));
        assert_true(scram_client_verify(&s, bytes_span(&text)));
    }
    bytes_fini(&text);
    bytes_fini(&b64);
    bytes_fini(&challenge);
    scram_client_fini(&s);
}

static void scram(struct client *c, enum scram_hash hash, const char *user, const char *password,
                  const char *want)
{
    scram_bound(c, hash, user, password, (struct bound){0}, want);
}

/* Of the client's end of the connection, as RFC 9266 and RFC 5929 say. */
static void client_binding(struct client *c, const char *type, struct bytes *out)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    unsigned char data[64];
    unsigned len = 32;

    if (strcmp(type, "tls-exporter") == 0) {
        assert_int_equal(SSL_export_keying_material(c->ssl, data, 32, label, sizeof(label) - 1,
                                                    (const unsigned char *)"", 0, 1),
                         1);
    } else if (strcmp(type, "tls-server-end-point") == 0) {
        assert_int_equal(X509_digest(SSL_get0_peer_certificate(c->ssl), EVP_sha256(), data, &len),
                         1);
    } else {
        len = (unsigned)SSL_get_finished(c->ssl, data, sizeof(data));
    }
    bytes_append(out, data, len);
}

static void secure_stage_at_most(struct client *c, struct world *w, int tls_max)
{
    client_plain_stage(c, w);
    client_send(c, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    client_expect(c, "<proceed");
    client_expect(c, ">");
    c->tls_max = tls_max;
    client_secure(c, NULL);
    client_send(c, HEADER("montague.example"));
    client_expect(c, "</stream:features>");
}

/* RFC 5802 section 6: bound to the channel that is really there, or refused. */
static void auth_plus(void **state)
{
    static const struct {
        int tls;
        const char *type;
        bool tampered;
        const char *proves;
    } bindings[] = {
        {TLS1_3_VERSION, "tls-exporter", false, "RFC 9266"},
        {TLS1_3_VERSION, "tls-server-end-point", false, "RFC 5929 section 4"},
        {TLS1_3_VERSION, "tls-unique", false, "what clients on OpenSSL do where it is undefined"},
        {TLS1_2_VERSION, "tls-exporter", false, "with the extended master secret"},
        {TLS1_2_VERSION, "tls-unique", false, "RFC 5929 section 3"},
        {TLS1_3_VERSION, "tls-exporter", true, "somebody in between"},
        {TLS1_3_VERSION, "tls-server-end-point", true, "another certificate"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(bindings) / sizeof(*bindings); i++) {
        struct client c;
        struct bytes data = BYTES_EMPTY;
        secure_stage_at_most(&c, &f->w, bindings[i].tls);
        client_binding(&c, bindings[i].type, &data);
        data.data[0] ^= (char)bindings[i].tampered;
        scram_bound(&c, i & 1 ? SCRAM_SHA256 : SCRAM_SHA1, "romeo", "rose",
                    (struct bound){bindings[i].type, bytes_span(&data)},
                    bindings[i].tampered ? "<not-authorized/>" : "<success");
        if (bindings[i].tampered) /* the same connection still lets in whoever does not bind */
            scram(&c, SCRAM_SHA256, "romeo", "rose", "<success");
        bytes_fini(&data);
        client_close(&c);
    }
}

/* A client that could bind and was shown no -PLUS: somebody took it away. */
static void auth_downgraded(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_secure_stage(&c, &f->w);
    client_send(&c, "<auth " SASL " mechanism='SCRAM-SHA-256'>eSwsbj1yb21lbyxyPWFiYw==</auth>"); /* y,, */
    client_expect(&c, "<not-authorized/>");
    client_send(&c, "<auth " SASL " mechanism='SCRAM-SHA-256-PLUS'>biwsbj1yb21lbyxyPWFiYw==</auth>"); /* n,, */
    client_expect(&c, "<not-authorized/>");
    client_close(&c);
}

/* RFC 5802: both sides prove the password; a wrong proof may be tried again on the same stream. */
static void auth_scram(void **state)
{
    struct fixture *f = *state;

    for (int h = SCRAM_SHA1; h <= SCRAM_SHA256; h++) {
        struct client c;
        client_secure_stage(&c, &f->w);
        scram(&c, (enum scram_hash)h, "romeo", "thorn", "<not-authorized/>");
        scram(&c, (enum scram_hash)h, "nobody", "rose", "<not-authorized/>");
        scram(&c, (enum scram_hash)h, "romeo", "rose", "<success");
        client_close(&c);
    }
}

/* The salt of an account that does not exist looks like any other and stays the same. */
static void unknown_account_salt(void **state)
{
    struct fixture *f = *state;
    char first[3][256];

    for (int i = 0; i < 3; i++) {
        struct client c;
        struct bytes raw = BYTES_EMPTY;
        client_secure_stage(&c, &f->w);
        /* n,,n=nobody,r=abc and n,,n=someone,r=abc */
        client_send(
            &c, i < 2 ? "<auth " SASL " mechanism='SCRAM-SHA-1'>biwsbj1ub2JvZHkscj1hYmM=</auth>"
                      : "<auth " SASL " mechanism='SCRAM-SHA-1'>biwsbj1zb21lb25lLHI9YWJj</auth>");
        client_expect(&c, "<challenge");
        client_expect(&c, ">");
        client_expect(&c, "</challenge>");
        assert_true(base64_decode(&raw, c.got, strcspn(c.got, "<")));
        const char *salt = strstr(bytes_text(&raw), ",s=");
        assert_non_null(salt);
        snprintf(first[i], sizeof(first[i]), "%s", salt);
        bytes_fini(&raw);
        client_close(&c);
    }
    assert_string_equal(first[0], first[1]);
    assert_string_not_equal(first[0], first[2]);
}

/* A client that leaves while its password is being derived leaves nothing behind. */
static void leaves_during_work(void **state)
{
    struct fixture *f = *state;
    struct c2s_counts n;

    for (int turns = 0; turns < 6; turns++) {
        struct client c;
        client_secure_stage(&c, &f->w);
        client_auth_plain(&c, "", "romeo", "rose");
        for (int i = 0; i < turns; i++)
            loop_turn(f->w.loop);
        client_close(&c);
    }
    c2s_count(f->w.c2s, &n);
    for (int i = 0; i < PATIENCE_TURNS && n.connections; i++) {
        world_turn(&f->w);
        c2s_count(f->w.c2s, &n);
    }
    assert_int_equal(n.connections, 0);
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
        c.got, "<mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>SCRAM-SHA-1-PLUS</mechanism>"
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
        for (int k = 0; k < PATIENCE_TURNS && !world_has_logged(&f->w, "does not read"); k++)
            world_turn(&f->w);
        assert_true(world_has_logged(&f->w, "does not read"));
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
    client_expect_not(&c, "error");
    assert_int_equal(f->x.in_count, 8);
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

/* clang-format off */
#define BOTH(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, setup, teardown),                                        \
    {#test " (I/O on its own thread)", test, setup_threaded, teardown, NULL}
/* clang-format on */

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(bad_input),
        BOTH(too_large),
        BOTH(auth_plain),
        BOTH(guesses_wait),
        cmocka_unit_test_setup_teardown(guesses_wait_less_than_a_login_may_take, setup_hasty, teardown),
        BOTH(auth_scram),
        BOTH(auth_plus),
        BOTH(auth_downgraded),
        BOTH(unknown_account_salt),
        BOTH(leaves_during_work),
        BOTH(direct_tls),
        BOTH(features),
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
